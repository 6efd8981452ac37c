//! What INPS refused, in the console.

use serde_json::json;
use waas_comuni::staff::Role::Operatore;
use waas_comuni::staff::Scope;

use crate::support::app::App;
use crate::support::database::on_both_databases;
use crate::support::records::mensa;
use crate::support::staff::PASSWORD;

on_both_databases! {
    fn refusals_stand_by_reason_with_what_to_do(database) {
        let app = App::start_with(database, |config| {
            let mut other = config.eservice[0].clone();
            (other.name, other.base_path) = ("altra".to_owned(), "/altra".to_owned());
            config.eservice.push(other);
        });
        app.publish(&[mensa("2020/1", 8000), mensa("2020/2", 8000), mensa("2020/3", 8000)]);
        let flows = app.registry.page(app.eservice, 0, 10).unwrap();
        let evil = "<script>alert(1)</script>";
        let esito = |place: usize, code: &str| {
            json!({
                "id_flusso": flows[place].id_flusso,
                "ts_flusso": jiff::Timestamp::from_millisecond(flows[place].ts_ms).unwrap().to_string(),
                "ts_acquisizione": "2026-03-02T01:00:00.000Z",
                "tipo": flows[place].tipo.as_str(),
                "codice_esito": code,
                "descrizione_esito": evil,
            })
        };
        let body = json!({ "elenco_esiti": [
            esito(0, "RICHIESTA_INVALIDA"), esito(1, "RICHIESTA_INVALIDA"), esito(2, "OK"),
        ] });
        let answer = app.post_esiti(&body.to_string());
        assert!(answer.status < 300, "{answer:?}");
        let anna = app.signed_in("anna", &[Operatore]);
        let page = anna.get("/esiti").body;
        assert_eq!(page.matches("RICHIESTA_INVALIDA</span>").count(), 1, "one reason: {page}");
        for (label, told) in [("2020/1", true), ("2020/2", true), ("2020/3", false)] {
            assert_eq!(page.contains(&format!(">{label}</a>")), told, "{label}: {page}");
        }
        assert!(page.contains("href=\"/prestazioni/prova/") && page.contains("Che fare:"), "{page}");
        assert!(!page.contains(evil), "{page}");
        for query in ["a=2020-01-01", "ente=F205", "eservice=altra"] {
            assert!(anna.get(&format!("/esiti?{query}")).body.contains("non ha rifiutato nulla"), "{query}");
        }
        assert_eq!(anna.get("/esiti?da=ieri").status, 422);
        assert_eq!(anna.get("/esiti?eservice=nessuno").status, 404);
        let log = app.log();
        assert!(log.iter().any(|entry| entry["path"] == "benefits_listed" && entry["count"] == 2));

        let altra = app.store.find_eservice("altra").unwrap().unwrap();
        app.account_within("bruno", &[Operatore], Scope::new(vec![(altra, None)]));
        let bruno = app.visitor();
        bruno.sign_in("bruno", PASSWORD);
        assert!(bruno.get("/esiti").body.contains("non ha rifiutato nulla"));
        assert_eq!(bruno.get("/esiti?eservice=prova").status, 404);
        app.account_within("carla", &[Operatore], Scope::new(vec![(app.eservice, Some("F205".to_owned()))]));
        let carla = app.visitor();
        carla.sign_in("carla", PASSWORD);
        assert!(carla.get("/esiti").body.contains("non ha rifiutato nulla"));
        assert_eq!(carla.get("/esiti?ente=H501").status, 404);
    }
}
