//! Files that staff load in the console: previewed, confirmed, published in the background; and what must not happen.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use regex::Regex;
use serde_json::Value;
use waas_comuni::intake::{self, Format, Mapping, Options};
use waas_comuni::siuss::described::Described;
use waas_comuni::siuss::rules::Rulebook;
use waas_comuni::staff::Role::Operatore;
use waas_comuni::staff::Scope;
use waas_comuni::store::{AnyConnection, Store};

use crate::metrics::metric;
use crate::support::app::{Answer, App};
use crate::support::command::Place;
use crate::support::database::{Backend, TestDatabase, on_both_databases};
use crate::support::staff::{MULTIPART, PASSWORD, Visitor, multipart};

pub(crate) const HEADER: &str = "CodiceFiscale;Cognome;Nome;AnnoNascita;LuogoNascita;Genere;CodiceCittadinanza;\
CodiceRegione;CodiceComune;CodiceNazione;PresenzaProvaMezzi;CaratterePrestazione;CodicePrestazione;\
DenominazionePrestazione;ProtocolloDomanda;DataErogazionePrestazione;ImportoPrestazione;PresaCarico";

/// A scholarship under this protocol.
fn borsa(protocollo: &str) -> String {
    format!(
        "CNTLCU15E09H501T;Conti;Luca;2015;H501;1;380;08;058091;380;2;2;A1.19;Borse di studio;{protocollo};2025-03-15;\
         600.00;2"
    )
}

/// Ten rows: six are good, four are refused, each for something else.
pub(crate) fn mixed() -> String {
    let good = (1..=6).map(|number| borsa(&format!("B-{number}")));
    let bad = [
        borsa("B-7").replace(";600.00;", ";;"),
        borsa("B-8").replace(";1;380;08", ";<script>alert(1)</script>;380;08"),
        borsa("B-9").replace("A1.19", "=1+1"),
        borsa("B-10").replace(";600.00;2", ";600.00;1"),
    ];
    let rows: Vec<String> = good.chain(bad).collect();
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    count: i64,
}

fn count(store: &Store, table: &str) -> i64 {
    let query = format!("SELECT count(*) AS count FROM {table}");
    let counted: Count = store
        .read(|connection| {
            Ok(match connection {
                AnyConnection::Sqlite(inner) => diesel::sql_query(query).get_result(inner)?,
                AnyConnection::Postgres(inner) => diesel::sql_query(query).get_result(inner)?,
            })
        })
        .unwrap();
    counted.count
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}

/// Loads a file of the Comune of the examples; gives the path of its page.
fn load(visitor: &Visitor<'_>, name: &str, content: &str) -> String {
    visitor.get("/caricamenti");
    let loaded = visitor.upload("/caricamenti", &[("ente", "prova:H501")], name, content.as_bytes());
    assert_eq!(loaded.status, 303, "{loaded:?}");
    loaded.header("location").unwrap().to_owned()
}

/// The page of a file once nothing moves.
fn settled(visitor: &Visitor<'_>, path: &str) -> String {
    until(path, || {
        let state = visitor.get(&format!("{path}/stato"));
        assert_eq!(state.status, 200, "{state:?}");
        state.json()["inCorso"] == false
    });
    let page = visitor.get(path);
    assert_eq!(page.status, 200, "{page:?}");
    page.body
}

/// The figures of a page: records, new, changed, unchanged, withdrawn, refused.
fn figures(page: &str) -> [u64; 6] {
    ["Record letti", "Prestazioni nuove", "Modificate", "Invariate", "Ritirate", "Record rifiutati"].map(
        |name| {
            let found = Regex::new(&format!("<dt>{name}</dt><dd>([0-9.]+)</dd>")).unwrap();
            let found = found.captures(page).unwrap_or_else(|| panic!("{name}: {page}"));
            found[1].replace('.', "").parse().unwrap()
        },
    )
}

fn confirm(visitor: &Visitor<'_>, path: &str, page: &str) -> Answer {
    let run = Regex::new("name=\"lettura\" value=\"(\\d+)\"").unwrap().captures(page).unwrap()[1].to_owned();
    visitor.post(&format!("{path}/conferma"), &[("lettura", &run)])
}

fn published(app: &App) -> usize {
    app.registry.page(app.eservice, 0, 100_000).unwrap().len()
}

on_both_databases! {
    fn the_preview_says_what_a_dry_run_says_and_confirming_publishes_just_that(database) {
        let place = Place::new(database);
        let app = App::start(database);
        let anna = app.signed_in("anna", &[Operatore]);
        let (mut known, mut refused) = (0, 0);
        let misto = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/misto.csv");
        let mut files = vec![("dieci.csv", mixed(), [10, 6, 0, 0, 0, 4])];
        if let Ok(text) = std::fs::read_to_string(misto) {
            files.push(("misto.csv", text, [16, 6, 0, 0, 0, 10]));
        }
        for (name, content, expected) in files {
            place.file(name, &content);
            let dry = place.run(&["import", name, "--ente", "H501", "--dry-run", "--json", "--report", "r.csv"]);
            let summary: Value = serde_json::from_str(&dry.stdout).unwrap();
            place.run(&["import", name, "--ente", "H501", "--dry-run", "--json", "--report", "r.json"]);
            let path = load(&anna, name, &content);
            let preview = settled(&anna, &path);
            let told = ["records", "new", "changed", "unchanged", "withdrawn", "refused"].map(|name| summary[name].as_u64().unwrap());
            assert_eq!(figures(&preview), told);
            assert_eq!(told, expected);
            for (rule, times) in summary["by_rule"].as_object().unwrap() {
                assert!(preview.contains(&format!("<th scope=\"row\" class=\"console-code\">{rule}</th>")), "{rule} {times}");
            }
            assert_eq!(published(&app), known, "nothing is published before it is confirmed");
            let file = |name: &str| std::fs::read_to_string(place.path().join(name)).unwrap();
            assert_eq!(anna.get(&format!("{path}/rapporto.csv")).body, file("r.csv"));
            assert_eq!(anna.get(&format!("{path}/rapporto.json")).body, file("r.json"));

            for _ in 0..2 {
                assert_eq!(confirm(&anna, &path, &preview).status, 303);
            }
            let outcome = settled(&anna, &path);
            assert_eq!(figures(&outcome), expected);
            assert!(outcome.contains("Le prestazioni sono pubblicate"), "{outcome}");
            known += usize::try_from(expected[1]).unwrap();
            refused += expected[5];
            assert_eq!(published(&app), known);
            assert_eq!(anna.get(&format!("{path}/rapporto.csv")).body, file("r.csv"));
        }
        assert_eq!(count(&app.store, "caricamento_parte"), 0, "no file stays behind");
        let counted = |result: &str| {
            let name = format!("waas_comuni_import_records_total{{eservice=\"prova\",result=\"{result}\"}}");
            metric(&app, &name).unwrap().to_string()
        };
        assert_eq!([counted("taken"), counted("refused")], [known.to_string(), refused.to_string()]);

        let again = load(&anna, "dieci.csv", &mixed().replace("B-1;2025-03-15;600.00", "B-1;2025-03-15;601.00"));
        assert_eq!(figures(&settled(&anna, &again)), [10, 0, 1, 5, 0, 4]);
        assert_eq!(anna.post(&format!("{again}/annulla"), &[]).status, 303);
        assert!(settled(&anna, &again).contains("Il caricamento è stato annullato"));
        assert_eq!((published(&app), count(&app.store, "caricamento_parte")), (known, 0));
        let list = anna.get("/caricamenti").body;
        assert!(list.contains("dieci.csv") && list.contains(">annullato<") && list.contains(">pubblicato<"), "{list}");

        let log = app.stop();
        let done = |action: &str| log.iter().filter(|entry| entry["path"] == action).count();
        assert_eq!((done("file_withdrawn"), done("benefits_exported") % 3), (1, 0));
        assert_eq!((done("import_begun"), done("import_ended")), (known / 6, known / 6));
        assert_eq!(done("file_loaded"), known / 6 + 1);
        assert!(done("benefits_listed") > 0);
    }

    fn columns_of_other_names_are_mapped_once(database) {
        let app = App::start(database);
        let anna = app.signed_in("anna", &[Operatore]);
        let content = mixed().replace("CodiceFiscale;", "Cod. <b>fisc</b>;").replace(";PresaCarico\n", ";PresaCarico;Note\n");
        let content: String = content.lines().enumerate().map(|(place, line)| {
            if place == 0 { format!("{line}\n") } else { format!("{line};nota\n") }
        }).collect();
        let path = load(&anna, "a.csv", &content);
        let page = settled(&anna, &path);
        assert!(page.contains("Colonna «Cod. &#60;b&#62;fisc&#60;/b&#62;»") && page.contains("Colonna «Note»"), "{page}");
        assert!(!page.contains("Conferma e pubblica"));
        let columns = format!("{path}/colonne");
        let half = anna.post(&columns, &[("colonna-0", "CodiceFiscale")]);
        assert!(half.status == 422 && half.body.contains("Indicare per ogni colonna"), "{half:?}");
        let twice = anna.post(&columns, &[("colonna-0", "CodiceFiscale"), ("colonna-1", "CodiceFiscale")]);
        assert!(twice.status == 422 && twice.body.contains("lo stesso campo"), "{twice:?}");
        let invented = anna.post(&columns, &[("colonna-0", "Inventato"), ("colonna-1", "-")]);
        assert_eq!(invented.status, 422);
        let mapped = anna.post(&columns, &[("colonna-0", "CodiceFiscale"), ("colonna-1", "-"), ("nome", "Gestionale")]);
        assert_eq!(mapped.status, 303, "{mapped:?}");
        assert_eq!(figures(&settled(&anna, &path)), [10, 6, 0, 0, 0, 4]);

        // The next time it is chosen by its name.
        let page = anna.get("/caricamenti").body;
        assert!(page.contains("value=\"prova:H501:Gestionale\""), "{page}");
        let fields = [("ente", "prova:H501"), ("mappatura", "prova:H501:Gestionale")];
        let loaded = anna.upload("/caricamenti", &fields, "b.csv", content.as_bytes());
        let page = settled(&anna, loaded.header("location").unwrap());
        assert_eq!(figures(&page), [10, 6, 0, 0, 0, 4]);
        let unknown = anna.upload("/caricamenti", &[("ente", "prova:H501"), ("mappatura", "prova:F205:Altra")], "b.csv", b"x");
        assert_eq!(unknown.status, 422);
    }

    fn what_is_refused_is_found_among_any_number_of_warnings(database) {
        let app = App::start(database);
        let anna = app.signed_in("anna", &[Operatore]);
        // Each has a name that is not the code's; one in seven has no amount.
        let rows = (0..500).map(|number| {
            let row = borsa(&format!("B-{number}")).replace("Borse di studio", "Borse di scuola");
            if number % 7 == 3 { row.replace(";600.00;", ";;") } else { row }
        });
        let file = [HEADER.to_owned()].into_iter().chain(rows).collect::<Vec<_>>().join("\n");
        let path = load(&anna, "a.csv", &file);
        let page = settled(&anna, &path);
        assert!(page.contains(">avviso<") && page.contains(">rifiutata<"), "{page}");
        let way = Regex::new("<a href=\"([^\"]*)\">(Soltanto i rifiuti|Pagina successiva)</a>").unwrap();
        let to = |page: &str, name: &str| {
            let found = way.captures_iter(page).find(|found| &found[2] == name)?;
            Some(found[1].replace("&#38;", "&").split('#').next().unwrap().to_owned())
        };
        let line = Regex::new("data-nome=\"Riga\">(\\d+)<").unwrap();
        let (mut lines, mut next) = (Vec::new(), to(&page, "Soltanto i rifiuti"));
        while let Some(at) = next {
            let page = anna.get(&at).body;
            assert!(!page.contains(">avviso<"), "{page}");
            lines.extend(line.captures_iter(&page).map(|line| line[1].parse::<usize>().unwrap()));
            next = to(&page, "Pagina successiva");
        }
        let refused: Vec<usize> = (0..500).filter(|number| number % 7 == 3).map(|number| number + 2).collect();
        assert_eq!(lines, refused, "each once, in their order");
    }

    fn others_see_nothing_of_it(database) {
        let app = App::start_with(database, |config| {
            let mut other = config.eservice[0].ente[0].clone();
            "F205".clone_into(&mut other.codice);
            config.eservice[0].ente.push(other);
        });
        let path = load(&app.signed_in("anna", &[Operatore]), "riservato.csv", &mixed());
        app.account_within("bruno", &[Operatore], Scope::new(vec![(app.eservice, Some("F205".to_owned()))]));
        let bruno = app.visitor();
        bruno.sign_in("bruno", PASSWORD);
        let list = bruno.get("/caricamenti");
        assert!(list.status == 200 && !list.body.contains("riservato.csv") && !list.body.contains("H501"), "{list:?}");
        for page in ["", "/stato", "/rapporto.csv", "/rapporto.json"] {
            assert_eq!(bruno.get(&format!("{path}{page}")).status, 404, "{page}");
        }
        for form in ["colonne", "conferma", "annulla", "riprendi"] {
            assert_eq!(bruno.post(&format!("{path}/{form}"), &[("lettura", "1")]).status, 404, "{form}");
        }
        bruno.get("/caricamenti");
        let refused = bruno.upload("/caricamenti", &[("ente", "prova:H501")], "a.csv", mixed().as_bytes());
        assert!(refused.status == 422 && refused.body.contains("Scegliere l&#39;ente"), "{refused:?}");
        let own = bruno.upload("/caricamenti", &[("ente", "prova:F205")], "a.csv", mixed().as_bytes());
        assert_eq!(own.status, 303, "{own:?}");
    }

    fn work_that_was_interrupted_is_resumed_without_harm(database) {
        let app = App::start(database);
        let anna = app.signed_in("anna", &[Operatore]);
        let path = load(&anna, "a.csv", &mixed());
        let preview = settled(&anna, &path);
        // A process that was killed in the middle of the publication leaves this: a part in the feed, and a silent run.
        let (mapping, rulebook) = (Mapping::default(), Rulebook::shipped());
        let options = Options { ente: "H501", format: None, mapping: &mapping, rulebook: &rulebook };
        let source = std::io::Cursor::new(mixed());
        let taken = intake::read_from(source, Format::Csv, &options, |_| {}).unwrap();
        let first: Vec<_> = taken.take(2).flat_map(|taken| taken.records).map(Described::into_record).collect();
        app.publish(&first);
        let leave = |stato: &str| {
            let sql = format!("UPDATE caricamento SET stato = '{stato}', confirmed_by = 'anna', beat_ms = 1");
            app.store.write(|connection| Ok(connection.batch_execute(&sql)?)).unwrap();
        };
        leave("pubblicazione");
        let page = settled(&anna, &path);
        assert!(page.contains("Il lavoro si è interrotto") && !page.contains("Conferma e pubblica"), "{page}");
        assert_eq!(confirm(&anna, &path, &preview).status, 303);
        assert_eq!(published(&app), 2, "only resuming begins it again");
        anna.get(&path);
        assert_eq!(anna.post(&format!("{path}/riprendi"), &[]).status, 303);
        assert_eq!(figures(&settled(&anna, &path)), [10, 4, 0, 2, 0, 4]);
        assert_eq!(published(&app), 6);

        // What cannot be read any more is no fault of the file, and is not taken for its end.
        let path = load(&anna, "c.csv", &mixed().replace(";600.00;", ";700.00;"));
        let preview = settled(&anna, &path);
        app.store.write(|connection| Ok(connection.batch_execute("DELETE FROM caricamento_parte")?)).unwrap();
        assert_eq!(confirm(&anna, &path, &preview).status, 303);
        let page = settled(&anna, &path);
        assert!(page.contains("Il lavoro si è interrotto"), "{page}");
        assert_eq!(published(&app), 6);
        let path = load(&anna, "b.csv", &mixed());
        settled(&anna, &path);
        app.store.write(|connection| {
            Ok(connection.batch_execute("UPDATE caricamento SET stato = 'lettura', beat_ms = 1 WHERE stato = 'pronto'")?)
        }).unwrap();
        anna.get(&path);
        assert_eq!(anna.post(&format!("{path}/riprendi"), &[]).status, 303);
        assert_eq!(figures(&settled(&anna, &path)), [10, 0, 0, 6, 0, 4]);
    }

    fn a_service_that_stops_lets_go_of_its_work_and_another_takes_it_up(database) {
        let rows: Vec<String> = (0..3000).map(|number| borsa(&format!("C-{number}"))).collect();
        let app = App::start(database);
        let anna = app.signed_in("anna", &[Operatore]);
        let path = load(&anna, "a.csv", &format!("{HEADER}\n{}\n", rows.join("\n")));
        let preview = settled(&anna, &path);
        assert_eq!(figures(&preview), [3000, 3000, 0, 0, 0, 0]);
        assert_eq!(confirm(&anna, &path, &preview).status, 303);
        until("the publication begins", || published(&app) > 0);
        app.stop();

        let app = App::start(database);
        let anna = app.visitor();
        anna.sign_in("anna", PASSWORD);
        if settled(&anna, &path).contains("Il lavoro si è interrotto") {
            anna.get(&path);
            anna.post(&format!("{path}/riprendi"), &[]);
        }
        assert!(settled(&anna, &path).contains("Le prestazioni sono pubblicate"));
        assert_eq!(published(&app), 3000);
    }
}

#[test]
fn a_file_comes_from_our_own_form_alone() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let anna = app.signed_in("anna", &[Operatore]);
    anna.get("/caricamenti");
    let token = anna.token.borrow().clone();
    let send = |fields: &[(&str, &str)], headers: &[(&str, &str)]| {
        let mut all = vec![("Content-Type", MULTIPART)];
        all.extend(headers);
        let body = multipart(fields, "a.csv", mixed().as_bytes());
        anna.send("POST", "/caricamenti", &all, &body).status
    };
    let ente = ("ente", "prova:H501");
    assert_eq!(send(&[ente], &[]), 403);
    assert_eq!(send(&[("gettone", "altro"), ente], &[]), 403);
    assert_eq!(send(&[("gettone", &token), ente], &[("Origin", "https://altrove.example")]), 403);
    // A token behind the file comes too late.
    let body = multipart(&[], "a.csv", b"x");
    let end = body.len() - "------prova--\r\n".len();
    let late = [&body[..end], &multipart(&[("gettone", &token)], "b.csv", b"x")].concat();
    assert_eq!(anna.send("POST", "/caricamenti", &[("Content-Type", MULTIPART)], &late).status, 403);
    // Where no file is taken, none is read.
    let other = multipart(&[("gettone", &token)], "a.csv", b"x");
    assert_eq!(anna.send("POST", "/uscita", &[("Content-Type", MULTIPART)], &other).status, 400);
    assert_eq!(count(&app.store, "caricamento"), 0);
    assert_eq!(send(&[("gettone", &token), ente], &[]), 303);
}

#[test]
fn what_is_no_file_of_benefits_is_refused_at_the_form() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app =
        App::start_with(&database, |config| config.back_office.upload_megabytes = std::num::NonZeroU16::MIN);
    let anna = app.signed_in("anna", &[Operatore]);
    anna.get("/caricamenti");
    let ente = [("ente", "prova:H501")];
    let attempt = |name: &str, content: &[u8]| anna.upload("/caricamenti", &ente, name, content);
    for (name, content, status, text) in [
        ("", &b""[..], 422, "Scegliere il file da caricare"),
        ("a.csv", b"", 422, "Il file è vuoto"),
        ("a.exe", b"x", 422, ".csv, .xml o .json"),
        ("a.csv", &vec![b'x'; 1_000_001], 413, "Il file supera 1 MB"),
    ] {
        let answer = attempt(name, content);
        assert!(answer.status == status && answer.body.contains(text), "{name}: {answer:?}");
    }
    until("nothing stays behind", || count(&app.store, "caricamento") == 0);
    assert_eq!(count(&app.store, "caricamento_parte"), 0);

    // A file of exactly as much is taken; of another kind than its name says, it is told why.
    let path = attempt("a.xml", &vec![b'x'; 1_000_000]).header("location").unwrap().to_owned();
    let page = settled(&anna, &path);
    assert!(page.contains("nulla da pubblicare") && !page.contains("Conferma e pubblica"), "{page}");
    let path = attempt("a.csv", b"Cognome;Cognome\n1;1\n").header("location").unwrap().to_owned();
    let page = settled(&anna, &path);
    assert!(page.contains("Il file non si può leggere") && !page.contains("Conferma e pubblica"), "{page}");
    for _ in 2..20 {
        assert_eq!(attempt("a.csv", b"x").status, 303);
    }
    let full = attempt("a.csv", b"x");
    assert!(full.status == 422 && full.body.contains("troppi caricamenti aperti"), "{full:?}");
}

#[test]
fn what_a_file_says_is_text_on_the_page_and_no_formula_in_the_report() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let anna = app.signed_in("anna", &[Operatore]);
    let path = load(&anna, "..\\<script>alert(2)</script>.csv", &mixed());
    let page = settled(&anna, &path);
    let list = anna.get("/caricamenti").body;
    for body in [&page, &list] {
        assert!(!body.contains("<script>") && !body.contains("alert(1)</script>"), "{body}");
    }
    assert!(page.contains("&#60;script&#62;alert(1)"), "{page}");
    let report = anna.get(&format!("{path}/rapporto.csv"));
    assert_eq!(report.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(report.header("content-disposition").unwrap().starts_with("attachment; "));
    assert!(report.body.contains(";'=1+1;") && !report.body.contains(";=1+1;"), "{}", report.body);
}

#[test]
fn a_file_that_is_cut_half_way_leaves_nothing() {
    let database = TestDatabase::new(Backend::Sqlite);
    let app = App::start(&database);
    let anna = app.signed_in("anna", &[Operatore]);
    anna.get("/caricamenti");
    let token = anna.token.borrow().clone();
    let cookie = anna.cookie.borrow().clone().unwrap();
    let body = multipart(&[("gettone", &token), ("ente", "prova:H501")], "a.csv", &vec![b'x'; 2_000_000]);
    let mut stream = TcpStream::connect(("127.0.0.1", app.back_office().port())).unwrap();
    write!(
        stream,
        "POST /caricamenti HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nContent-Type: {MULTIPART}\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )
    .unwrap();
    stream.write_all(&body[..1_000_000]).unwrap();
    until("its parts arrive", || count(&app.store, "caricamento_parte") > 0);
    drop(stream);
    until("they are dropped", || count(&app.store, "caricamento_parte") == 0);
    assert_eq!(count(&app.store, "caricamento"), 0);
    assert!(anna.get("/caricamenti").body.contains("Nessuno, finora"));
}
