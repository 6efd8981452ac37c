//! A PostgreSQL cluster of a test's own, which may be a replica of another, be stopped, and be started again.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use tempfile::TempDir;

/// A running cluster, gone when this is dropped.
pub(crate) struct Cluster {
    folder: TempDir,
    port: u16,
}

impl Cluster {
    /// An empty cluster, of which replicas can be made.
    pub(crate) fn primary() -> Self {
        let mut cluster = Self::prepare();
        let data = cluster.data();
        let arguments = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "-D"];
        run("initdb", arguments.map(OsStr::new).into_iter().chain([data.as_os_str()]));
        cluster.start();
        cluster
    }

    /// A streaming replica of this cluster as it is.
    pub(crate) fn replica(&self) -> Self {
        let mut replica = Self::prepare();
        let (port, data) = (self.port.to_string(), replica.data());
        let arguments =
            ["-h", "127.0.0.1", "-U", "postgres", "-c", "fast", "-X", "stream", "-R", "-p", &port, "-D"];
        run("pg_basebackup", arguments.map(OsStr::new).into_iter().chain([data.as_os_str()]));
        replica.start();
        replica
    }

    fn prepare() -> Self {
        let folder = TempDir::new().unwrap();
        if rustix::process::getuid().is_root() {
            assert!(Command::new("chown").arg("postgres").arg(folder.path()).status().unwrap().success());
        }
        Self { folder, port: 0 }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts it, on a free port the first time.
    pub(crate) fn start(&mut self) {
        for _ in 0..10 {
            let port = match self.port {
                0 => TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(),
                port => port,
            };
            let folder = self.folder.path().display();
            let options = format!(
                "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off \
                 -c wal_level=replica -c max_wal_senders=4 -c log_min_messages=fatal"
            );
            let log = self.folder.path().join("server.log");
            let started = server("pg_ctl")
                .args(["-w", "-t", "60", "-o", &options, "-l"])
                .arg(log)
                .arg("-D")
                .arg(self.data())
                .arg("start")
                .output()
                .unwrap();
            if started.status.success() {
                self.port = port;
                return;
            }
        }
        panic!("the cluster does not start");
    }

    /// Stops it at once.
    pub(crate) fn stop(&self) {
        run(
            "pg_ctl",
            ["-m", "immediate", "-w", "stop", "-D"]
                .map(OsStr::new)
                .into_iter()
                .chain([self.data().as_os_str()]),
        );
    }

    /// The superuser's URL.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Runs a statement as the superuser.
    pub(crate) fn execute(&self, sql: &str) {
        PgConnection::establish(&self.url()).unwrap().batch_execute(sql).unwrap();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = server("pg_ctl").args(["-m", "immediate", "-w", "stop", "-D"]).arg(self.data()).output();
    }
}

/// A server program, as the user that servers run as.
fn server(program: &str) -> Command {
    let mut folders: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .map(|version| version.unwrap().path().join("bin"))
        .filter(|folder| folder.join("initdb").exists())
        .collect();
    folders.sort();
    let path = folders.pop().map_or_else(|| Path::new(program).to_owned(), |folder| folder.join(program));
    if rustix::process::getuid().is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(path).current_dir("/");
        command
    } else {
        Command::new(path)
    }
}

fn run<'a>(program: &str, arguments: impl IntoIterator<Item = &'a OsStr>) {
    let done = server(program).args(arguments).output().unwrap();
    assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
}
