//! The program as people start it.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use tempfile::TempDir;
use waas_comuni::voucher::issuer::{self, Profile};

use super::database::TestDatabase;
use super::watch::{self, WATCH};

/// The product.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_waas-comuni");

/// A program about to be started, which is the product or ends in it. What it logs is watched.
pub(crate) struct Program(Command);

impl Program {
    /// The product.
    pub(crate) fn new() -> Self {
        Self::through(PROGRAM)
    }

    /// Another program, which starts the product.
    pub(crate) fn through(program: &str) -> Self {
        watch::start();
        Self(Command::new(program))
    }

    pub(crate) fn arg(&mut self, argument: impl AsRef<OsStr>) -> &mut Self {
        self.0.arg(argument);
        self
    }

    pub(crate) fn args(&mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.0.args(arguments);
        self
    }

    pub(crate) fn env(&mut self, name: &str, value: impl AsRef<OsStr>) -> &mut Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn env_remove(&mut self, name: &str) -> &mut Self {
        self.0.env_remove(name);
        self
    }

    pub(crate) fn current_dir(&mut self, folder: impl AsRef<Path>) -> &mut Self {
        self.0.current_dir(folder);
        self
    }

    pub(crate) fn stdin(&mut self, stdin: Stdio) -> &mut Self {
        self.0.stdin(stdin);
        self
    }

    pub(crate) fn stdout(&mut self, stdout: Stdio) -> &mut Self {
        self.0.stdout(stdout);
        self
    }

    /// Runs it to its end.
    pub(crate) fn output(&mut self) -> io::Result<Output> {
        let output = self.0.output()?;
        WATCH.hear_program(&String::from_utf8_lossy(&output.stderr), self.serves());
        Ok(output)
    }

    /// Starts it. What it says on standard error can be read there as if nobody had listened.
    pub(crate) fn spawn(&mut self) -> io::Result<Child> {
        let mut child = self.0.stderr(Stdio::piped()).spawn()?;
        let said = BufReader::new(child.stderr.take().unwrap());
        let (reader, mut writer) = io::pipe()?;
        child.stderr = Some(ChildStderr::from(OwnedFd::from(reader)));
        let serves = self.serves();
        std::thread::spawn(move || {
            for line in said.split(b'\n').map_while(Result::ok) {
                WATCH.hear_program(&String::from_utf8_lossy(&line), serves);
                // Nobody may be reading.
                let _ = writer.write_all(&[&line[..], b"\n"].concat());
            }
        });
        Ok(child)
    }

    /// Whether all that it says on standard error is its log.
    fn serves(&self) -> bool {
        self.0.get_args().any(|argument| argument == "serve")
    }
}

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
    pub(crate) fn command(&self, arguments: &[&str]) -> Program {
        let mut command = Program::new();
        command.current_dir(self.folder.path()).args(arguments).stdin(Stdio::null()).env_remove("RUST_LOG");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Done { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
    }
}
