//! Outcomes: how far a flow has come, what a refusal leaves to do, and that INPS ends up holding what the registry has.

mod agreement;
mod model;

use std::slice::from_ref;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use waas_comuni::clock::Clock;
use waas_comuni::registry::{
    Case, CodiceEsito, Esito, Lookup, PublishedFlusso, Refused, RefusedFilter, RefusedInsertions, Registry,
    StatoFlusso, Verdict,
};
use waas_comuni::siuss::record::{Record, TipoFlusso};
use waas_comuni::store::EserviceId;

use crate::json::{borsa, minore as minore_json};
use crate::support::command::Place;
use crate::support::database::{TestDatabase, on_both_databases};
use crate::support::records::{mensa, minore, roma, withdrawn};

use CodiceEsito::{DatiNonTrovati, ErroreGenerico, Ok as Accepted, RichiestaInvalida};

/// What INPS says of `flusso`.
fn esito(flusso: &PublishedFlusso, codice: CodiceEsito) -> Esito {
    Esito {
        id_flusso: flusso.id_flusso.clone(),
        ts_flusso: Timestamp::from_millisecond(flusso.ts_ms).unwrap(),
        ts_acquisizione: "2026-03-02T01:00:00.000Z".parse().unwrap(),
        tipo: flusso.tipo.as_str().to_owned(),
        codice,
        descrizione: (codice != Accepted).then(|| "Importo errato".to_owned()),
        id_acquisizione_siuss: None,
        altro: Map::new(),
    }
}

struct Fixture {
    registry: Registry,
    eservice: EserviceId,
}

fn fixture(database: &TestDatabase, policy: RefusedInsertions) -> Fixture {
    let store = database.store();
    let eservice = store.register_eservice("prova").unwrap();
    Fixture { registry: Registry::new(store, Clock::System).with_refused(policy), eservice }
}

impl Fixture {
    fn publish(&self, record: &Record) -> Verdict {
        self.registry.publish(self.eservice, &roma(), from_ref(record)).unwrap().remove(0)
    }

    fn feed(&self) -> Vec<PublishedFlusso> {
        self.registry.page(self.eservice, 0, u32::MAX).unwrap()
    }

    /// INPS says this of the flow at this place of the feed.
    fn says(&self, place: usize, codice: CodiceEsito) {
        let esito = esito(&self.feed()[place], codice);
        self.registry.record_esiti(self.eservice, &[esito], "r").unwrap();
    }

    fn id(&self, label: &str) -> i64 {
        self.registry.find(self.eservice, &Lookup::Label(label.to_owned()), 1).unwrap()[0].id
    }

    fn resend(&self, label: &str) -> Verdict {
        self.registry.resend(self.eservice, &roma(), self.id(label)).unwrap().unwrap().verdict
    }

    fn refused(&self, settled: bool) -> Vec<Refused> {
        let filter = RefusedFilter { settled, ..RefusedFilter::default() };
        self.registry.refused(self.eservice, &filter, None, 100).unwrap().flows
    }

    fn cases(&self) -> Vec<Option<Case>> {
        self.refused(false).iter().map(|flow| flow.case).collect()
    }

    /// Operations of the feed from this place on.
    fn operations(&self, from: usize) -> String {
        let feed = self.feed();
        let operation = |flusso: &PublishedFlusso| {
            if std::str::from_utf8(&flusso.xml).unwrap().contains("TipoOperazione=\"C\"") { 'C' } else { 'I' }
        };
        feed[from..].iter().map(operation).collect()
    }
}

/// The name of a rule that was broken, or what was published.
fn told(verdict: &Verdict) -> String {
    match verdict {
        Verdict::New { .. } => "I".to_owned(),
        Verdict::Unchanged => String::new(),
        Verdict::Changed { cancellations, .. } => format!("{}I", "C".repeat(cancellations.len())),
        Verdict::Withdrawn { cancellations } => format!("withdrawn {}", "C".repeat(cancellations.len())),
        Verdict::Refused(notice) | Verdict::Unsettled(notice) => notice.rule.code.to_owned(),
    }
}

on_both_databases! {
    fn what_inps_refused_is_corrected_without_a_cancellation(database) {
        let it = fixture(database, RefusedInsertions::Left);
        it.publish(&mensa("1", 8420));
        // What was not judged yet is held, for all that is known.
        assert_eq!(told(&it.publish(&mensa("1", 8421))), "CI");
        it.says(2, RichiestaInvalida);
        assert_eq!(it.cases(), [Some(Case::InsertionRefused)]);
        let unchanged = it.publish(&mensa("1", 8421));
        let Verdict::Unsettled(notice) = &unchanged else { panic!("{unchanged:?}") };
        assert_eq!((notice.rule.code, notice.value.as_str()), ("REG-05", "RICHIESTA_INVALIDA"));
        assert!(notice.message.contains("Importo errato") && notice.message.contains(&it.feed()[2].id_flusso), "{notice:?}");
        assert_eq!(told(&it.publish(&mensa("1", 8422))), "I");
        assert_eq!((it.operations(0).as_str(), it.cases()), ("ICII", vec![]));
        // The settled ones are still known.
        let refused = it.refused(true);
        assert_eq!(refused.len(), 1);
        assert_eq!((refused[0].case, refused[0].label.as_str(), refused[0].remedy()), (None, "1", ""));
        // Refused again, and given up: there is nothing to cancel.
        it.says(3, DatiNonTrovati);
        assert_eq!(told(&it.publish(&withdrawn(&mensa("1", 8422)))), "withdrawn ");
        assert_eq!((it.feed().len(), it.cases()), (4, vec![]));
        assert_eq!(it.publish(&withdrawn(&mensa("1", 8422))), Verdict::Unchanged);
        assert_eq!(told(&it.publish(&mensa("1", 8422))), "I");
    }

    fn where_the_setting_says_so_what_was_refused_is_cancelled_once(database) {
        let it = fixture(database, RefusedInsertions::Cancelled);
        it.publish(&mensa("1", 8420));
        it.says(0, RichiestaInvalida);
        assert_eq!(told(&it.publish(&mensa("1", 8421))), "CI");
        it.says(1, DatiNonTrovati);
        it.says(2, ErroreGenerico);
        assert_eq!(it.cases(), [Some(Case::InsertionRefused)]);
        assert_eq!(told(&it.resend("1")), "CI");
        it.says(3, RichiestaInvalida);
        assert_eq!((told(&it.publish(&withdrawn(&mensa("1", 8421)))), it.cases()), ("withdrawn C".to_owned(), vec![]));
    }

    fn what_inps_could_not_process_is_sent_again_on_demand(database) {
        let it = fixture(database, RefusedInsertions::Left);
        it.publish(&mensa("1", 8420));
        assert_eq!(it.resend("1"), Verdict::Unchanged);
        it.says(0, ErroreGenerico);
        assert!(it.refused(false)[0].remedy().contains("benefits resend"));
        // The ente has another operator by then.
        let roma = waas_comuni::siuss::record::EnteErogatore::new("H501", "Roma Capitale", "H501", "VRDLGI70A01H501U").unwrap();
        let verdict = it.registry.resend(it.eservice, &roma, it.id("1")).unwrap().unwrap().verdict;
        assert_eq!((told(&verdict).as_str(), it.cases()), ("I", vec![]));
        let feed = it.feed();
        let [first, second] = [0, 1].map(|place: usize| String::from_utf8(feed[place].xml.clone()).unwrap());
        let ente = |text: String| text.replace("Comune di Roma", "Roma Capitale").replace("RSSMRA80A01H501U", "VRDLGI70A01H501U");
        assert_eq!(second, ente(first).replace(&feed[0].id_flusso, &feed[1].id_flusso));
        assert_eq!(it.resend("1"), Verdict::Unchanged, "one is on its way");
        it.says(1, Accepted);
        assert_eq!(it.publish(&mensa("1", 8420)), Verdict::Unchanged);
        let other = it.registry.resend(it.eservice, &roma, 1).unwrap();
        assert!(other.is_none());
    }

    fn a_refused_cancellation_can_be_sent_again(database) {
        let it = fixture(database, RefusedInsertions::Left);
        it.publish(&mensa("1", 8420));
        it.says(0, Accepted);
        assert_eq!(told(&it.publish(&withdrawn(&mensa("1", 8420)))), "withdrawn C");
        it.says(1, ErroreGenerico);
        assert_eq!(it.cases(), [Some(Case::CancellationRefused)]);
        // The same file again sends nothing by itself.
        assert_eq!(told(&it.publish(&withdrawn(&mensa("1", 8420)))), "REG-05");
        assert_eq!(told(&it.resend("1")), "withdrawn C");
        assert_eq!((it.operations(0).as_str(), it.cases()), ("ICC", vec![]));
        // Refused once more, and then due again: what INPS holds has to go first.
        it.says(2, RichiestaInvalida);
        assert_eq!(it.cases().len(), 1, "only the last attempt counts");
        assert_eq!(told(&it.publish(&mensa("1", 8420))), "CI");
        // INPS says that there is nothing to cancel: that is what the cancellation was for.
        it.says(3, DatiNonTrovati);
        assert_eq!((it.cases(), it.publish(&mensa("1", 8420))), (vec![], Verdict::Unchanged));
        assert_eq!(told(&it.publish(&mensa("1", 8421))), "CI");
    }

    fn a_refusal_taken_back_too_late_is_surfaced(database) {
        let it = fixture(database, RefusedInsertions::Left);
        it.publish(&mensa("1", 8420));
        it.says(0, ErroreGenerico);
        assert_eq!(told(&it.publish(&mensa("1", 8421))), "I");
        it.says(1, Accepted);
        it.says(0, Accepted);
        assert_eq!(it.cases(), [Some(Case::AcceptedLate)]);
        assert_eq!(told(&it.publish(&mensa("1", 8421))), "REG-05");
        // Whichever of the two a cancellation hits, one is left in the end.
        assert_eq!((told(&it.resend("1")).as_str(), it.cases()), ("CCI", vec![]));
        assert_eq!(it.resend("1"), Verdict::Unchanged);

        // Withdrawn without a flow, and accepted after all.
        it.publish(&mensa("2", 8420));
        it.says(5, RichiestaInvalida);
        assert_eq!(told(&it.publish(&withdrawn(&mensa("2", 8420)))), "withdrawn ");
        it.says(5, Accepted);
        assert_eq!(it.cases(), [Some(Case::AcceptedLate)]);
        assert_eq!((told(&it.resend("2")).as_str(), it.cases()), ("withdrawn C", vec![]));
    }

    fn a_child_in_care_is_withdrawn_only_if_inps_holds_nothing_of_it(database) {
        let it = fixture(database, RefusedInsertions::Left);
        it.publish(&minore("MIN-1", 5));
        it.says(0, RichiestaInvalida);
        assert_eq!(told(&it.resend("MIN-1")), "I");
        let withdraw = || it.registry.withdraw(it.eservice, &roma(), it.id("MIN-1")).unwrap().unwrap().verdict;
        assert_eq!(told(&withdraw()), "REG-02");
        it.says(1, RichiestaInvalida);
        assert_eq!(told(&it.publish(&minore("MIN-1", 6))), "I");
        it.says(2, RichiestaInvalida);
        assert_eq!((told(&withdraw()).as_str(), it.cases()), ("withdrawn ", vec![]));
        it.says(2, Accepted);
        assert_eq!(it.cases(), [Some(Case::AcceptedLate)]);
        assert_eq!(told(&it.resend("MIN-1")), "REG-02");
        assert!(it.refused(false)[0].remedy().contains("rivolgersi a INPS"));
        assert!(it.feed().iter().all(|flusso| flusso.tipo == TipoFlusso::Sinba));
    }

    fn refusals_are_listed_in_pages(database) {
        let it = fixture(database, RefusedInsertions::Left);
        let records: Vec<Record> = (0..12).map(|number| mensa(&number.to_string(), 8420)).collect();
        it.registry.publish(it.eservice, &roma(), &records).unwrap();
        for place in 0..12 {
            it.says(place, if place % 3 == 0 { Accepted } else { RichiestaInvalida });
        }
        it.says(1, Accepted);
        it.says(2, DatiNonTrovati);
        let list = |filter: &RefusedFilter| {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = it.registry.refused(it.eservice, filter, after, 3).unwrap();
                found.extend(page.flows.into_iter().map(|flow| flow.label));
                after = page.next;
                if after.is_none() {
                    return found;
                }
            }
        };
        assert_eq!(list(&RefusedFilter::default()), ["2", "4", "5", "7", "8", "10", "11"]);
        assert_eq!(list(&RefusedFilter { settled: true, ..RefusedFilter::default() }).len(), 8);
        assert_eq!(list(&RefusedFilter { codice: Some(DatiNonTrovati), ..RefusedFilter::default() }), ["2"]);
        assert!(list(&RefusedFilter { ente: Some("F205".into()), ..RefusedFilter::default() }).is_empty());
        let hour = jiff::SignedDuration::from_hours(1);
        let now = Clock::System.now();
        assert_eq!(list(&RefusedFilter { from: Some(now - hour), until: Some(now + hour), ..RefusedFilter::default() }).len(), 7);
        assert!(list(&RefusedFilter { from: Some(now + hour), ..RefusedFilter::default() }).is_empty());
        assert!(list(&RefusedFilter { until: Some(now - hour), ..RefusedFilter::default() }).is_empty());
    }

    fn how_far_a_flow_has_come_is_told_from_its_last_outcome(database) {
        let it = fixture(database, RefusedInsertions::Left);
        it.publish(&mensa("1", 8420));
        let stato = |pulled| it.registry.find(it.eservice, &Lookup::Label("1".into()), 1).unwrap()[0].flussi[0].stato(pulled);
        assert_eq!((stato(false), stato(true)), (StatoFlusso::Pubblicato, StatoFlusso::Prelevato));
        it.says(0, ErroreGenerico);
        assert_eq!(stato(true), StatoFlusso::Rifiutato);
        it.says(0, Accepted);
        assert_eq!((stato(true), stato(false)), (StatoFlusso::Accettato, StatoFlusso::Accettato));
    }

    fn staff_see_what_was_refused_and_send_it_again(database) {
        let place = Place::new(database);
        let lines = |records: &[Value]| records.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
        place.file("a.jsonl", lines(&[borsa("1"), borsa("2"), borsa("3"), minore_json("min-1")]));
        assert_eq!(place.run(&["import", "a.jsonl", "--ente", "H501"]).code, 0);
        let it = fixture(database, RefusedInsertions::Left);
        assert!(place.run(&["benefits", "refused"]).stdout.contains("non ha rifiutato nulla"));
        it.says(0, RichiestaInvalida);
        it.says(1, ErroreGenerico);
        it.says(2, ErroreGenerico);

        let listed = place.run(&["benefits", "refused"]);
        assert_eq!(listed.code, 0, "{listed:?}");
        let listed = listed.stdout;
        assert!(listed.contains("Inserimento rifiutato, ERRORE_GENERICO: Importo errato (flussi: 2)"), "{listed}");
        assert!(listed.contains("Che fare: Correggere ciò che INPS indica"), "{listed}");
        assert!(listed.contains("ente H501, protocollo 1, prestazione "), "{listed}");
        let json = |arguments: &[&str]| -> Value {
            let done = place.run(arguments);
            serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
        };
        let page = json(&["benefits", "refused", "--limit", "2", "--json"]);
        assert_eq!((&page["refused"][0]["protocollo"], &page["refused"][0]["case"]), (&json!("1"), &json!("insertion_refused")));
        let rest = json(&["benefits", "refused", "--after", page["next"].as_str().unwrap(), "--json"]);
        assert_eq!((rest["refused"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));

        let again = place.run(&["import", "a.jsonl", "--ente", "H501"]);
        assert_eq!(again.code, 0);
        assert!(again.stdout.contains("REG-05: 3") && again.stdout.contains("invariate: 4"), "{again:?}");

        // What the operator makes of the registry's rules holds for imports too.
        let config = std::fs::read_to_string(place.path().join("waas-comuni.toml")).unwrap();
        place.file("silent.toml", config + "\n[rules]\n\"REG-05\" = \"off\"\n");
        let silent = place.run(&["import", "a.jsonl", "--ente", "H501", "--config", "silent.toml"]);
        assert!(!silent.stdout.contains("REG-05") && silent.stdout.contains("invariate: 4"), "{silent:?}");

        let sent = place.run(&["benefits", "refused", "--codice", "ERRORE_GENERICO", "--resend"]);
        assert_eq!(sent.code, 0, "{sent:?}");
        assert_eq!(it.operations(4), "II");
        assert_eq!(it.cases().len(), 1);
        let one = json(&["benefits", "resend", "--protocollo", "1", "--json"]);
        assert_eq!((&one["verdict"], it.feed().len()), (&json!("changed"), 7));
        assert_eq!(json(&["benefits", "resend", "--protocollo", "1", "--json"])["verdict"], "unchanged");
        let history = place.run(&["benefits", "history", "--protocollo", "1"]).stdout;
        assert!(history.contains("inserimento, rifiutato") && history.contains("mai prelevato"), "{history}");
        assert_eq!(place.run(&["benefits", "resend", "--protocollo", "9"]).code, 1);
        assert_eq!(place.run(&["benefits", "refused", "--codice", "BOH"]).code, 2);
    }
}
