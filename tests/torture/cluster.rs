//! A PostgreSQL cluster of the test's own, which it may stop in the middle of anything.

use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Stops the server and removes the folder once standard input ends: when the test ends, however it ends. A line says
/// that the folder is to be kept.
const WATCHDOG: &str = "read -r kept; $1 \"$2/pg_ctl\" -D \"$3/data\" -m immediate -w stop; \
                        [ -n \"$kept\" ] || rm -rf \"$3\"";

/// A running cluster, reached on `127.0.0.1`.
pub(crate) struct Cluster {
    pub(crate) port: u16,
    programs: PathBuf,
    folder: PathBuf,
    watchdog: Child,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let programs = programs();
        let folder = TempDir::with_prefix("waas-comuni-torture-").unwrap().keep();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&folder));
        }
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "sh", if is_root() { "runuser -u postgres --" } else { "" }])
            .args([&programs, &folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut cluster = Self { port: 0, programs, folder, watchdog };
        let data = cluster.folder.join("data");
        run(cluster
            .program("initdb")
            .arg("-D")
            .arg(&data)
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8"])
            .args(["--locale=C", "-N"]));
        // Commits wait for the disk, because that wait is where things go wrong.
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\nmax_connections = 200\nwal_level = \
             minimal\nmax_wal_senders = 0\n",
            cluster.folder.display()
        );
        fs::OpenOptions::new()
            .append(true)
            .open(data.join("postgresql.conf"))
            .unwrap()
            .write_all(settings.as_bytes())
            .unwrap();
        cluster.port = (0..10)
            .find_map(|_| {
                // Free now, and perhaps not when the server binds it: then another.
                let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
                cluster.control(&["-w", "-o", &format!("-p {port}"), "start"]).then_some(port)
            })
            .expect("PostgreSQL does not start");
        cluster
    }

    /// Stops the server, and gives the folder, which stays.
    pub(crate) fn keep(mut self) -> PathBuf {
        writeln!(self.watchdog.stdin.as_ref().unwrap(), "keep").unwrap();
        std::mem::take(&mut self.folder)
    }

    /// As a power cut would have it: nothing is written, and what was durable is recovered.
    pub(crate) fn crash(&self) {
        assert!(self.control(&["-w", "-m", "immediate", "stop"]), "PostgreSQL does not stop");
    }

    pub(crate) fn start_again(&self) {
        let port = format!("-p {}", self.port);
        assert!(self.control(&["-w", "-t", "120", "-o", &port, "start"]), "PostgreSQL does not start again");
    }

    fn control(&self, arguments: &[&str]) -> bool {
        let mut command = self.program("pg_ctl");
        command.arg("-D").arg(self.folder.join("data")).arg("-l").arg(self.folder.join("server.log"));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap().success()
    }

    /// One of the server's programs, which refuse to run as root.
    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(&self.folder);
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        // Whatever is left of the cluster is in a temporary folder.
        let _ = self.watchdog.wait();
    }
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The folder of the newest server programs: Debian's layout, else the path.
fn programs() -> PathBuf {
    let has_server = |folder: &Path| ["initdb", "pg_ctl"].iter().all(|name| folder.join(name).is_file());
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |folder: &PathBuf| folder.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let debian = versions.map(|entry| entry.path().join("bin")).filter(|folder| has_server(folder));
    let path = std::env::var_os("PATH").unwrap_or_default();
    debian
        .max_by_key(version)
        .or_else(|| std::env::split_paths(&path).find(|folder| has_server(folder)))
        .expect("PostgreSQL's server programs (initdb, pg_ctl) are needed: scripts/require.sh test says what to install")
}
