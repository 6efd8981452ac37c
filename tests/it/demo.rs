//! The first thing that a newcomer starts.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::command::Program;

fn demo(folder: &TempDir) -> Program {
    let mut command = Program::new();
    command.current_dir(folder.path()).args(["demo", "--dir", "d"]).stdin(Stdio::null());
    command
}

#[test]
fn the_story_is_told_and_can_be_told_again() {
    let folder = TempDir::new().unwrap();
    for (published, again) in [("Flussi pubblicati: 8.", false), ("Flussi pubblicati: 0.", true)] {
        let output = demo(&folder).arg("--exit").output().unwrap();
        let story = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{story}");
        assert!(story.contains(published), "{again}: {story}");
        assert!(
            story.contains("riga 7, rifiutata, PS-07") && story.contains("riga 8, rifiutata, PS-14"),
            "{story}"
        );
        assert!(story.contains("checks that could be made hold"), "{story}");
        assert!(story.contains("/waas/v1/status"), "the log is shown: {story}");
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(!log.contains("ERROR") && !log.contains("WARN"), "{log}");
    }
    let secret = folder.path().join("d/keys/private.pem");
    let mode = std::os::unix::fs::PermissionsExt::mode(&secret.metadata().unwrap().permissions());
    assert_eq!(mode & 0o077, 0, "the key is its owner's alone");
}

#[test]
fn it_serves_until_it_is_interrupted() {
    let folder = TempDir::new().unwrap();
    let mut child = demo(&folder).stdout(Stdio::piped()).spawn().unwrap();
    let mut story = BufReader::new(child.stdout.take().unwrap()).lines();
    let api = story
        .find_map(|line| line.unwrap().split_once("public API    ").map(|(_, rest)| rest.to_owned()))
        .unwrap();
    let status = api.split(',').next().unwrap().to_owned();
    assert_eq!(ureq::get(&status).call().unwrap().status(), 200);
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    for line in story {
        line.unwrap();
    }
    assert!(child.wait().unwrap().success());
}
