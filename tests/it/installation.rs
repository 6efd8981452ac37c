//! `docs/installazione.md` is true: its commands, followed to the letter (but for the port, which another test may have)
//! in an empty folder, end with a pull whose flows are verified.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::command::{PROGRAM, Program};
use crate::support::database::{Backend, TestDatabase};
use crate::support::watch::WATCH;

const PAGE: &str = include_str!("../../docs/installazione.md");

/// How long the way may take on a machine that is busy with other tests: the promise is half an hour for a person.
const PATIENCE: Duration = Duration::from_secs(120);

/// The page's commands for one database: blocks marked `sh`, and those marked for this database alone.
fn commands(database: &str) -> String {
    let mut commands = String::new();
    let mut inside = false;
    for line in PAGE.lines() {
        match line.trim_start().strip_prefix("```") {
            Some(info) if !inside => inside = info == "sh" || info == format!("sh {database}"),
            Some(_) => inside = false,
            None if inside => commands.extend([line, "\n"]),
            None => {}
        }
    }
    commands
}

/// Follows the page, and stops the service that it leaves running.
fn follow(database: &TestDatabase, name: &str) {
    let folder = TempDir::new().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let script = format!(
        "set -eu\ntrap 'kill $(jobs -p); wait' EXIT\n{}",
        commands(name).replace("127.0.0.1:8080", &address)
    );
    let program = Path::new(PROGRAM).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let start = Instant::now();
    let done = Program::through("timeout")
        .current_dir(folder.path())
        .args([&PATIENCE.as_secs().to_string(), "bash", "-c", &script])
        .env("PATH", path)
        .env("POSTGRES_URL", &database.url)
        .env("WAAS__API__BIND", &address)
        .env("WAAS__BACK_OFFICE__BIND", "127.0.0.1:0")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if let Ok(log) = std::fs::read_to_string(folder.path().join("serve.log")) {
        WATCH.hear(&log);
    }
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    assert!(start.elapsed() < PATIENCE, "{:?}\n{said}", start.elapsed());
    // Nine months of school meals over two years: one flow each, taken and accepted.
    for part in ["2 flows", "2025/000101"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    println!("from an empty folder to verified flows on {name}: {:.1?}", start.elapsed());
}

#[test]
fn followed_to_the_letter_on_sqlite() {
    follow(&TestDatabase::new(Backend::Sqlite), "sqlite");
}

#[test]
fn followed_to_the_letter_on_postgres() {
    follow(&TestDatabase::new(Backend::Postgres), "postgres");
}
