//! The program as people start it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use waas_comuni::voucher::issuer::{self, Profile};

use super::database::TestDatabase;

/// A folder with a configuration for `database` and the keys of a local issuer.
pub(crate) struct Place {
    folder: TempDir,
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new(database: &TestDatabase) -> Self {
        let folder = TempDir::new().unwrap();
        let profile = Profile::invented("locale.example.it".to_owned(), vec!["SIUSS".to_owned()]);
        issuer::keygen(&folder.path().join("keys"), &profile).unwrap();
        let config = format!(
            "[database]\nurl = {:?}\n[api]\nbind = \"127.0.0.1:0\"\n[back_office]\nbind = \"127.0.0.1:0\"\n\
             [[eservice]]\nname = \"prova\"\nbase_path = \"/waas/v1\"\nenvironment = \"locale\"\n\
             issuer = \"locale.example.it\"\njwks_url = \"file:keys/jwks.json\"\naudience = [\"SIUSS\"]\n\
             daily_calls_per_consumer = 100000\ndaily_calls_total = 100000\n\
             [[eservice.ente]]\ncodice = \"H501\"\ndenominazione = \"Comune di Roma\"\nsede = \"H501\"\n\
             cf_operatore = \"RSSMRA80A01H501U\"\n",
            database.url
        );
        std::fs::write(folder.path().join("waas-comuni.toml"), config).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file of this name and content in the folder.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The program, about to be started in the folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waas-comuni"));
        command.current_dir(self.folder.path()).args(arguments).stdin(Stdio::null()).env_remove("RUST_LOG");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Done { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
    }
}
