//! An ATS with a code that is no Belfiore code, to which a Comune delegates its own benefits: from `config init` to INPS.

use serde_json::Value;

use crate::caricamenti::mixed;
use crate::serving::Server;
use crate::support::command::{Done, Place};
use crate::support::database::on_both_databases;
use crate::support::published;

const ATS: [&str; 12] = [
    "--codice",
    "AMB12",
    "--denominazione",
    "ATS Alta Valle",
    "--sede",
    "H501",
    "--delegante",
    "A944=Comune di Bologna",
    "--delegante",
    "F205=Comune di Milano",
    "--cf-operatore",
    "RSSMRA80A01H501U",
];

fn ok(done: Done) -> Done {
    assert_eq!(done.code, 0, "{done:?}");
    done
}

on_both_databases! {
    fn what_an_ats_grants_and_what_comuni_delegate_to_it_goes_under_each_ones_code(database) {
        let place = Place::new(database);
        let init = ["config", "init", "ats.toml", "--environment", "locale", "--bind", "127.0.0.1:0",
            "--jwks-url", "file:keys/jwks.json", "--database-url", &database.url];
        let written = ok(place.run(&[&init[..], &ATS].concat()));
        assert!(!written.stdout.contains("codice"), "nothing is left to do about codes: {written:?}");
        let config = std::fs::read_to_string(place.path().join("ats.toml")).unwrap();
        let config = config.replace("127.0.0.1:8081", "127.0.0.1:0");
        place.file("waas-comuni.toml", config);

        // The same protocols for each of them: they are benefits of three bodies.
        place.file("a.csv", mixed());
        for ente in ["AMB12", "A944"] {
            let imported = place.run(&["import", "a.csv", "--ente", ente, "--json"]);
            let summary: Value = serde_json::from_str(&imported.stdout).unwrap();
            assert_eq!((imported.code, &summary["new"]), (3, &6.into()), "{imported:?}");
        }
        let unknown = place.run(&["import", "a.csv", "--ente", "H501"]);
        assert!(unknown.code == 2 && unknown.stderr.contains("no ente \"H501\""), "{unknown:?}");

        let mut server = Server::start(&place);
        let base = format!("http://{}/waas/v1", server.api);
        let keys = ["--issuer-key", "keys/private.pem", "--issuer-config", "keys/issuer.toml"];
        let pull = |pattern: &[&str]| place.run(&[&["inps", "--url", &base, "--json"], &keys[..], pattern].concat());
        assert_eq!(pull(&[]).code, 1, "a code that is not announced is no code");
        let done = ok(pull(&["--codice-ente-pattern", "^(AMB12|[A-Z][0-9]{3})$"]));
        let report: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(report["flows"]["total"], 12, "{report}");
        let openapi = ureq::get(format!("{base}/openapi.yaml")).call().unwrap().body_mut().read_to_string().unwrap();
        assert!(openapi.contains("pattern: '^(AMB12|[A-Z][0-9]{3})$'"), "the contract announces both forms");

        let store = database.store();
        let eservice = store.find_eservice("locale").unwrap().unwrap();
        let registry = waas_comuni::registry::Registry::new(store, waas_comuni::clock::Clock::System);
        let flussi = registry.page(eservice, 0, 100).unwrap();
        published::judge(&flussi);
        for (flusso, codice, sede) in [(&flussi[0], "AMB12", "H501"), (&flussi[11], "A944", "A944")] {
            assert_eq!(flusso.codice_ente, codice);
            let xml = String::from_utf8(flusso.xml.clone()).unwrap();
            let ente = format!("<Ente Codice=\"{codice}\"");
            assert!(xml.contains(&ente) && xml.contains(&format!("Indirizzo=\"{sede}\"")), "{xml}");
        }
        server.terminate();
        assert!(server.child.wait().unwrap().success());
    }
}
