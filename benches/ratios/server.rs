//! The service as it is deployed: a process of its own, started by its command, asked over HTTP.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tempfile::TempDir;
use waas_comuni::clock::Clock;
use waas_comuni::config;
use waas_comuni::voucher::issuer::{self, KEY_FILE, Profile, Signer};

use crate::dataset::Feed;

/// The program, as optimised as this one.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_waas-comuni");

/// Where to ask, and with what.
#[derive(Clone)]
pub struct Target {
    pub api: SocketAddr,
    pub voucher: String,
    pub tls: bool,
}

/// A process that serves.
pub struct Server {
    child: Child,
    pub target: Target,
    pub back_office: SocketAddr,
    /// From the start of the process to its first answer.
    pub first_answer: Duration,
    _folder: TempDir,
}

impl Server {
    /// Serves these feeds of a database.
    pub fn start(database: &config::Database, feeds: &[Feed]) -> Self {
        Self::start_with(database, feeds, "")
    }

    /// The same, with more settings of `[api]`.
    pub fn start_with(database: &config::Database, feeds: &[Feed], api: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let keys = folder.path().join("keys");
        let profile = Profile::invented("locale.example.it".to_owned(), vec!["SIUSS".to_owned()]);
        issuer::keygen(&keys, &profile).unwrap();
        let signer = Signer::read(&keys.join(KEY_FILE)).unwrap();
        let voucher = signer.draft(&profile, &Clock::System).sign(&signer).unwrap();
        let tls = api.contains("tls");
        if tls {
            certificate(folder.path());
        }
        let mut config = configuration(database, api);
        for feed in feeds {
            config += &format!(
                "[[eservice]]\nname = {:?}\nbase_path = {:?}\nenvironment = \"locale\"\naudience = [\"SIUSS\"]\n\
                 issuer = \"locale.example.it\"\njwks_url = \"file:keys/jwks.json\"\n\
                 daily_calls_per_consumer = {}\ndaily_calls_total = {}\n\
                 [[eservice.ente]]\ncodice = \"H501\"\ndenominazione = \"Comune di Roma\"\nsede = \"H501\"\n\
                 cf_operatore = \"RSSMRA80A01H501U\"\n",
                feed.name,
                feed.base_path,
                u32::MAX,
                u32::MAX
            );
        }
        fs::write(folder.path().join("waas-comuni.toml"), config).unwrap();
        let log = folder.path().join("log");
        let began = Instant::now();
        let child = Command::new(PROGRAM)
            .arg("serve")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let (api, back_office) = loop {
            let said = fs::read_to_string(&log).unwrap();
            if let (Some(api), Some(back_office)) = (address(&said, " api="), address(&said, " back_office="))
            {
                break (api, back_office);
            }
            assert!(began.elapsed() < Duration::from_secs(60), "the service does not start: {said}");
            std::thread::sleep(Duration::from_millis(1));
        };
        if !tls {
            crate::client::Client::connect(api).get("/waas/v1/status", "");
        }
        let first_answer = began.elapsed();
        Self { child, target: Target { api, voucher, tls }, back_office, first_answer, _folder: folder }
    }

    /// A figure of the process that the kernel keeps, such as `VmHWM`, in bytes.
    pub fn memory(&self, figure: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(figure)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        let _ = Command::new("kill").args(["-s", "TERM", &id]).status();
        let _ = self.child.wait();
    }
}

/// The configuration without its e-services, with these settings of `[api]`.
pub fn configuration(database: &config::Database, api: &str) -> String {
    format!(
        "[database]\nurl = {:?}\n[api]\nbind = \"127.0.0.1:0\"\n{api}\n[back_office]\nbind = \"127.0.0.1:0\"\n",
        database.url.expose_secret()
    )
}

/// What stands after `name` in the line that says where the service listens.
fn address(said: &str, name: &str) -> Option<SocketAddr> {
    said.split(name).nth(1)?.split_whitespace().next()?.parse().ok()
}

/// A certificate for this machine, and its key.
fn certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"])
        .args(["-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(folder.join("key.pem"), private).unwrap();
}
