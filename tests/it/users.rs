//! `user`: the accounts of the back office, from the command line.

use serde_json::{Value, json};

use crate::support::command::{Done, Place};
use crate::support::database::on_both_databases;

fn list(place: &Place) -> Vec<Value> {
    let done = place.run(&["user", "list", "--json"]);
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
}

fn refused(done: &Done, part: &str) {
    assert!(done.code != 0 && done.stderr.contains(part), "{part}: {done:?}");
}

on_both_databases! {
    fn an_account_is_made_listed_and_disabled(database) {
        let place = Place::new(database);
        let made = place.run(&["user", "add", "anna.neri", "--full-name", "Anna Neri", "--role", "operatore"]);
        assert_eq!(made.code, 0, "{made:?}");
        let limited =
            ["user", "add", "ambito", "--role", "revisore", "--role", "operatore", "--eservice", "prova", "--ente", "H501"];
        assert_eq!(place.run(&limited).code, 0);
        let accounts = list(&place);
        assert_eq!(accounts.len(), 2, "{accounts:?}");
        let anna = accounts.iter().find(|account| account["name"] == "anna.neri").unwrap();
        assert_eq!((&anna["full_name"], &anna["roles"]), (&json!("Anna Neri"), &json!(["operatore"])));
        // A password that was made up is shown once, and is nowhere afterwards.
        let password = made.stdout.split_whitespace().max_by_key(|word| word.len()).unwrap();
        assert!(password.len() >= 12, "{made:?}");
        assert!(!place.run(&["user", "list"]).stdout.contains(password));

        refused(&place.run(&["user", "add", "anna.neri", "--role", "operatore"]), "anna.neri");
        refused(&place.run(&["user", "add", "b", "--role", "capo"]), "capo");
        refused(&place.run(&["user", "add", "a b", "--role", "operatore"]), "a b");
        refused(&place.run(&["user", "add", "b", "--role", "operatore", "--eservice", "altro"]), "altro");
        refused(&place.run(&["user", "disable", "nessuno"]), "nessuno");
        refused(&place.run(&["user", "passwd", "nessuno"]), "nessuno");

        assert_eq!(place.run(&["user", "disable", "anna.neri"]).code, 0);
        let disabled = |place: &Place| {
            let accounts = list(place);
            accounts.iter().find(|account| account["name"] == "anna.neri").unwrap().clone()
        };
        let before = disabled(&place);
        assert_eq!(place.run(&["user", "passwd", "anna.neri"]).code, 0);
        assert_ne!(disabled(&place), before, "a new password lets in again");
        // Making and changing accounts is in the register.
        let log = place.run(&["calls", "search", "--action", "user_added"]).stdout;
        assert_eq!(log.lines().count(), 2, "{log}");
        assert!(!log.contains(password));
    }

    fn a_password_comes_from_a_file_and_a_weak_one_is_refused(database) {
        let place = Place::new(database);
        place.file("buona", "una frase lunga che nessuno indovina\n");
        place.file("corta", "abc\n");
        let add = |name: &str, file: &str| place.run(&["user", "add", name, "--role", "operatore", "--password-file", file]);
        let done = add("anna", "buona");
        assert_eq!(done.code, 0, "{done:?}");
        assert!(!done.stdout.contains("una frase lunga"), "{done:?}");
        refused(&add("bruno", "corta"), "");
        refused(&add("carla", "manca"), "manca");
        assert_eq!(list(&place).len(), 1);
    }
}
