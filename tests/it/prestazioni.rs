//! The console's pages about benefits, over HTTP.

use regex::Regex;
use waas_comuni::registry::{CodiceEsito, Lookup};
use waas_comuni::staff::Role::Operatore;
use waas_comuni::staff::Scope;

use crate::support::app::{Answer, App};
use crate::support::database::on_both_databases;
use crate::support::records::{mensa, minore};
use crate::support::staff::{PASSWORD, Visitor};

/// The addresses of the benefits that a page of results lists, in its order.
fn listed(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let link = Regex::new("<th scope=\"row\"><a href=\"([^\"]+)\">").unwrap();
    link.captures_iter(&answer.body).map(|found| found[1].to_owned()).collect()
}

/// The value of a hidden field.
fn hidden(answer: &Answer, name: &str) -> String {
    let field = Regex::new(&format!("name=\"{name}\" value=\"([^\"]*)\"")).unwrap();
    field.captures(&answer.body).unwrap_or_else(|| panic!("{name}: {answer:?}"))[1].to_owned()
}

impl App {
    /// The address of the page of the benefit with this protocol.
    fn benefit(&self, protocollo: &str) -> String {
        let found = self.registry.find(self.eservice, &Lookup::Label(protocollo.to_owned()), 1).unwrap();
        format!("/prestazioni/prova/{}", found[0].id)
    }

    /// The operations of every flow in the feed, oldest first.
    fn operations(&self) -> Vec<String> {
        let operation = Regex::new(" TipoOperazione=\"([IC])\"").unwrap();
        let flows = self.registry.page(self.eservice, 0, 100).unwrap();
        flows
            .iter()
            .map(|flow| operation.captures(std::str::from_utf8(&flow.xml).unwrap()).unwrap()[1].to_owned())
            .collect()
    }

    /// INPS says this of the last flow.
    fn esito(&self, codice: CodiceEsito) {
        let last = self.registry.page(self.eservice, 0, 100).unwrap().pop().unwrap();
        let ts = jiff::Timestamp::from_millisecond(last.ts_ms).unwrap();
        let body = serde_json::json!({ "elenco_esiti": [{
            "id_flusso": last.id_flusso, "ts_flusso": format!("{ts:.3}"), "ts_acquisizione": format!("{ts:.3}"),
            "tipo": "PS_PSA_SINA", "codice_esito": codice.as_str(), "descrizione_esito": "<b>Codice fiscale</b> ignoto",
        }] });
        let answer = self.post_esiti(&body.to_string());
        assert!(answer.status < 300, "{answer:?}");
    }
}

/// What the log says was done in the console, oldest first: what, by whom, to how many things.
fn actions(app: &App) -> Vec<String> {
    let log = app.log();
    let done = log.iter().filter(|entry| entry["method"] == "ACTION" && entry["path"] != "signed_in");
    done.map(|entry| {
        format!("{} {}", entry["path"].as_str().unwrap(), entry["user_id"].as_str().unwrap_or("?"))
    })
    .collect()
}

/// What the form of the search finds.
fn search(visitor: &Visitor<'_>, query: &str) -> Vec<String> {
    listed(&looked_for(visitor, query))
}

/// The page of what the form of the search finds, with these fields.
fn looked_for(visitor: &Visitor<'_>, query: &str) -> Answer {
    visitor.get("/utenza/password");
    let fields: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    let answer = visitor.post("/prestazioni", &fields);
    match answer.header("location") {
        Some(address) => visitor.get(address),
        None => answer,
    }
}

on_both_databases! {
    fn benefits_are_found_by_what_staff_know_of_them(database) {
        let app = App::start(database);
        app.publish(&[mensa("2020/1", 8420), mensa("2020/2", 8420), minore("ABC-1", 1)]);
        let all = ["2020/1", "2020/2", "ABC-1"].map(|label| app.benefit(label));
        let [first, second, child] = all.clone();
        let anna = app.signed_in("anna", &[Operatore]);
        let newest_first = vec![child.clone(), second.clone(), first.clone()];
        assert_eq!(search(&anna, ""), newest_first);
        assert_eq!(search(&anna, "persona=cntlcu15e09h501t"), [second.clone(), first.clone()]);
        assert_eq!(search(&anna, "persona=ABC-1"), std::slice::from_ref(&child));
        assert_eq!(search(&anna, "protocollo=2020%2F1"), std::slice::from_ref(&first));
        assert_eq!(search(&anna, "protocollo=2020"), [""; 0]);
        assert_eq!(search(&anna, "codice=a2.12"), [second.clone(), first.clone()]);
        assert_eq!(search(&anna, "codice=A1.01"), [""; 0]);
        assert_eq!(search(&anna, "stato=attesa"), newest_first);
        app.get("/flussi?since=0&limit=1");
        assert_eq!(search(&anna, "stato=prelevate"), std::slice::from_ref(&first));
        assert_eq!(search(&anna, "stato=attesa"), [child.clone(), second.clone()]);
        app.esito(CodiceEsito::Ok);
        assert_eq!(search(&anna, "stato=accettate"), [child]);
        let id = second.rsplit('/').next().unwrap().parse().unwrap();
        app.registry.withdraw(app.eservice, &crate::support::records::roma(), id).unwrap();
        assert_eq!(search(&anna, "stato=ritirate"), std::slice::from_ref(&second));
        assert_eq!(search(&anna, "stato=ritirate&codice=A2.12"), std::slice::from_ref(&second), "the code outlives the withdrawal");
        app.esito(CodiceEsito::RichiestaInvalida);
        assert_eq!(search(&anna, "stato=rifiutate"), [second]);
        assert_eq!(search(&anna, "al=01%2F01%2F2020"), [""; 0]);
        assert_eq!(search(&anna, "dal=01%2F01%2F2020&persona=ABC-1").len(), 1);
        let turned = anna.get("/prestazioni?dal=2026-11-24&al=2026-11-20");
        assert!(turned.status == 422 && turned.body.contains("prima del primo: scambiarli"), "{turned:?}");
        let wrong = anna.get("/prestazioni?dal=31%2F02%2F2026");
        assert!(wrong.status == 422 && wrong.body.contains("href=\"#dal\""), "{wrong:?}");
        assert!(actions(&app).iter().all(|action| action == "benefits_listed anna"), "{:?}", actions(&app));
        assert!(!format!("{:?}", app.log()).contains("cntlcu15e09h501t"), "what was looked for is not in the log");
    }

    fn a_page_is_bounded_and_the_next_goes_on(database) {
        let app = App::start(database);
        let records: Vec<_> = (0..60).map(|number| mensa(&format!("2020/{number}"), 8420)).collect();
        app.publish(&records);
        let anna = app.signed_in("anna", &[Operatore]);
        let expected: Vec<String> = (0..60).rev().map(|number| app.benefit(&format!("2020/{number}"))).collect();
        let further = Regex::new("name=\"dopo\" value=\"([0-9]+)\"").unwrap();
        for asked in ["codice=A2.12", "persona=CNTLCU15E09H501T"] {
            let mut seen = Vec::new();
            let mut next = Some(asked.to_owned());
            while let Some(query) = next {
                let page = looked_for(&anna, &query);
                let found = listed(&page);
                assert!(found.len() <= 25, "{}", found.len());
                seen.extend(found);
                next = further.captures(&page.body).map(|found| format!("{asked}&dopo={}", &found[1]));
            }
            assert_eq!(seen, expected);
        }
    }

    fn the_page_of_a_benefit_says_what_was_sent_and_what_became_of_it(database) {
        let app = App::start(database);
        app.publish(&[mensa("2020/1", 8420)]);
        app.publish(&[mensa("2020/1", 9000)]);
        app.get("/flussi?since=0&limit=100");
        app.get("/flussi?since=0&limit=100");
        app.esito(CodiceEsito::DatiNonTrovati);
        let anna = app.signed_in("anna", &[Operatore]);
        let address = app.benefit("2020/1");
        let page = anna.get(&address).body;
        for part in [
            "INPS l'ha rifiutata", "Controllare il codice fiscale", "&#60;b&#62;Codice fiscale&#60;/b&#62; ignoto",
            "BX207", "A2.12 – Mensa scolastica", "BX216", "90,00", "01/09/2020", "1 – Periodica",
            "Annullamento (C)", "Inserimento (I)", "2 volte: la prima", "del registro)", "Storia delle modifiche",
            "<td>84,20 €</td><td>90,00 €</td>", "/invio\"", "/ritiro\"",
        ] {
            let page = page.replace("&#39;", "'");
            assert!(page.contains(part), "{part}: {page}");
        }
        let xml = Regex::new(&format!("href=\"({address}/xml/[^\"]+)\"")).unwrap();
        let links: Vec<_> = xml.captures_iter(&page).map(|found| found[1].to_owned()).collect();
        assert_eq!(links.len(), 3);
        let flow = anna.get(&links[0]);
        assert_eq!(flow.header("content-type"), Some("application/xml; charset=utf-8"));
        let served = app.registry.page(app.eservice, 0, 100).unwrap().pop().unwrap();
        assert_eq!(flow.body.as_bytes(), served.xml, "the newest first, as it was served");
        assert!(flow.header("content-disposition").unwrap().starts_with("attachment; filename=\"H501.PS."));
        assert_eq!(anna.get(&format!("{address}/xml/altro")).status, 404);
        assert_eq!(actions(&app), ["benefit_viewed anna", "benefits_exported anna"]);
    }

    fn a_withdrawal_sends_what_was_shown_and_once(database) {
        let app = App::start(database);
        app.publish(&[mensa("2020/1", 8420)]);
        let anna = app.signed_in("anna", &[Operatore]);
        let address = app.benefit("2020/1");
        let path = format!("{address}/ritiro");
        let shown = anna.get(&path);
        assert!(shown.body.contains("Annullamento (C)") && !shown.body.contains("Inserimento (I)"), "{shown:?}");
        assert_eq!(app.operations(), ["I"], "nothing is done yet");

        // Meanwhile somebody corrects it.
        app.publish(&[mensa("2020/1", 9000)]);
        let digest = hidden(&shown, "mostrato");
        let other = anna.post(&path, &[("mostrato", &digest)]);
        assert!(other.status == 422 && other.body.contains("90,00") && other.body.contains("Da confermare di nuovo"), "{other:?}");
        assert_eq!(app.operations(), ["I", "C", "I"]);

        let digest = hidden(&other, "mostrato");
        for _ in 0..2 {
            let done = anna.post(&path, &[("mostrato", &digest)]);
            assert_eq!(done.header("location"), Some(format!("{address}?fatto=ritiro").as_str()), "{done:?}");
        }
        assert_eq!(app.operations(), ["I", "C", "I", "C"]);
        let page = anna.get(&format!("{address}?fatto=ritiro")).body;
        assert!(page.contains("La prestazione è ritirata.") && !page.contains("/ritiro\""), "{page}");
        let withdrawn = actions(&app).into_iter().filter(|action| action == "benefit_withdrawn anna").count();
        assert_eq!(withdrawn, 1);
    }

    fn what_inps_refused_is_sent_again_or_withdrawn_without_a_flow(database) {
        let app = App::start(database);
        app.publish(&[mensa("2020/1", 8420)]);
        app.esito(CodiceEsito::ErroreGenerico);
        let anna = app.signed_in("anna", &[Operatore]);
        let address = app.benefit("2020/1");
        let shown = anna.get(&format!("{address}/ritiro"));
        assert!(shown.body.contains("A INPS non viene inviato nulla"), "{shown:?}");
        let again = anna.get(&format!("{address}/invio"));
        assert!(again.body.contains("Inserimento (I)") && !again.body.contains("Annullamento"), "{again:?}");
        let digest = hidden(&again, "mostrato");
        for _ in 0..2 {
            assert_eq!(anna.post(&format!("{address}/invio"), &[("mostrato", &digest)]).status, 303);
        }
        assert_eq!(app.operations(), ["I", "I"]);
        // Somebody else, with a list from before, finds that there is nothing left to do.
        let nothing = anna.get(&format!("{address}/invio")).body;
        assert!(nothing.contains("nulla da inviare") && nothing.contains("Torna alla prestazione"), "{nothing}");
        assert!(!nothing.contains("name=\"mostrato\"") && !nothing.contains("INPS non ha la prestazione"), "{nothing}");
    }

    fn what_another_ente_has_is_not_there(database) {
        let app = App::start_with(database, |config| {
            let mut other = config.eservice[0].ente[0].clone();
            (other.codice, other.denominazione) = ("F205".to_owned(), "Comune di Milano".to_owned());
            config.eservice[0].ente.push(other);
        });
        app.publish(&[mensa("2020/1", 8420)]);
        app.account_within("milano", &[Operatore], Scope::new(vec![(app.eservice, Some("F205".to_owned()))]));
        let milano = app.visitor();
        milano.sign_in("milano", PASSWORD);
        assert_eq!(search(&milano, ""), [""; 0]);
        assert_eq!(search(&milano, "persona=CNTLCU15E09H501T"), [""; 0]);
        let address = app.benefit("2020/1");
        let flow = app.registry.page(app.eservice, 0, 1).unwrap()[0].id_flusso.clone();
        let page = |path: &str| {
            let answer = milano.get(path);
            (answer.status, answer.body.replace(&*milano.token.borrow(), ""))
        };
        for rest in [String::new(), "/ritiro".to_owned(), "/invio".to_owned(), format!("/xml/{flow}")] {
            let theirs = page(&format!("{address}{rest}"));
            assert_eq!(theirs.0, 404);
            assert_eq!(theirs, page(&format!("/prestazioni/prova/17{rest}")), "as if it were not there");
            assert_eq!(milano.get(&format!("/prestazioni/altra/17{rest}")).status, 404);
        }
        milano.get("/utenza/password");
        assert_eq!(milano.post(&format!("{address}/ritiro"), &[("mostrato", "")]).status, 404);
        assert_eq!(app.operations(), ["I"]);
    }
}
