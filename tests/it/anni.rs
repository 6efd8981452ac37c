//! A benefit over several calendar years is one row of the source and several flows: what is done with the row is done
//! with all of them.

use waas_comuni::clock::Clock;
use waas_comuni::registry::Registry;

use crate::support::command::Place;
use crate::support::database::{Backend, TestDatabase, on_both_databases};

const HEADER: &str = "CodiceFiscale;Cognome;Nome;AnnoNascita;LuogoNascita;Genere;CodiceCittadinanza;CodiceRegione;\
CodiceComune;CodiceNazione;PresenzaProvaMezzi;CaratterePrestazione;CodicePrestazione;DenominazionePrestazione;\
ProtocolloDomanda;PresaCarico;TipoOperazione;DataInizioPrestazione;DataFinePrestazione;PeriodoErogazione;ImportoMensile";

/// School meals, from a day to another.
fn mensa(operazione: &str, inizio: &str, fine: &str, mesi: &str, importo: &str) -> String {
    format!(
        "{HEADER}\nCNTLCU15E09H501T;Conti;Luca;2015;H501;1;380;08;058091;380;4;1;A2.12;Mensa scolastica;2020/1;2;\
         {operazione};{inizio};{fine};{mesi};{importo}\n"
    )
}

/// The operations of all flows and their first days, in the order of the feed.
fn feed(database: &TestDatabase) -> Vec<String> {
    let store = database.store();
    let eservice = store.register_eservice("prova").unwrap();
    let flussi = Registry::new(store, Clock::System).page(eservice, 0, 100).unwrap();
    let value = |xml: &str, name: &str| {
        xml.split_once(&format!(" {name}=\"")).unwrap().1.split('"').next().unwrap().to_owned()
    };
    let told =
        |xml: String| format!("{} {}", value(&xml, "TipoOperazione"), value(&xml, "DataInizioPrestazione"));
    flussi.into_iter().map(|flusso| told(String::from_utf8(flusso.xml).unwrap())).collect()
}

on_both_databases! {
    fn a_row_over_two_years_is_withdrawn_whole_or_not_at_all(database) {
        let place = Place::new(database);
        let import = |row: &str, options: &[&str]| {
            place.file("a.csv", row);
            place.run(&[&["import", "a.csv", "--ente", "H501", "--report", "r.csv"], options].concat())
        };
        assert_eq!(import(&mensa("I", "2020-09-01", "2020-12-31", "4", "84.20"), &[]).code, 0);
        let whole = mensa("C", "2020-09-01", "2021-05-31", "9", "84.20");
        for options in [["--dry-run"].as_slice(), &[]] {
            let refused = import(&whole, options);
            assert_eq!(refused.code, 3, "of the second year the registry holds nothing");
            assert!(refused.stdout.contains(": 0. Prestazioni nuove: 0, modificate: 0, invariate: 0, ritirate: 0."), "{refused:?}");
            assert!(refused.stdout.contains("REG-01: 1\n"), "one reason, told once: {refused:?}");
        }
        assert_eq!(feed(database), ["I 2020-09-01"], "what is refused publishes nothing");

        assert_eq!(import(&mensa("I", "2020-09-01", "2021-05-31", "9", "84.20"), &[]).code, 0);
        let other = import(&mensa("C", "2020-09-01", "2021-05-31", "9", "90.00"), &[]);
        assert!(other.code == 3 && other.stdout.contains("REG-04: 1\n"), "{other:?}");
        assert_eq!(import(&whole, &[]).code, 0);
        assert_eq!(feed(database), ["I 2020-09-01", "I 2021-01-01", "C 2020-09-01", "C 2021-01-01"]);
    }
}

on_both_databases! {
    fn a_row_that_ends_earlier_than_it_did_withdraws_the_years_that_it_no_longer_covers(database) {
        let place = Place::new(database);
        let import = |rows: &[String], told: &str| {
            place.file("a.csv", rows.concat().replace(&format!("{HEADER}\n"), "").replacen("", &format!("{HEADER}\n"), 1));
            for options in [["--dry-run"].as_slice(), &[]] {
                let done = place.run(&[&["import", "a.csv", "--ente", "H501"], options].concat());
                assert!(done.code == 0 && done.stdout.contains(told), "{done:?}");
            }
        };
        let row = |fine: &str, mesi: &str| mensa("I", "2020-09-01", fine, mesi, "84.20");
        let year = |year: &str, importo: &str| mensa("I", &format!("{year}-01-01"), &format!("{year}-12-31"), "12", importo);
        import(&[row("2022-05-31", "21")], ": 3. Prestazioni nuove: 3,");
        import(&[row("2022-05-31", "21")], ": 0. Prestazioni nuove: 0, modificate: 0, invariate: 3,");
        import(&[row("2020-12-31", "4")], ": 0. Prestazioni nuove: 0, modificate: 0, invariate: 1,");
        assert_eq!(feed(database).len(), 3, "the record of one year says nothing of the next");
        import(&[row("2021-06-30", "10")], ": 3. Prestazioni nuove: 0, modificate: 1, invariate: 1,");
        import(&[row("2020-11-30", "3")], ": 3. Prestazioni nuove: 0, modificate: 1, invariate: 0,");
        import(&[row("2020-11-30", "3")], ": 0. Prestazioni nuove: 0, modificate: 0, invariate: 1,");
        let told = [
            "I 2020-09-01", "I 2021-01-01", "I 2022-01-01", "C 2021-01-01", "I 2021-01-01", "C 2022-01-01",
            "C 2020-09-01", "I 2020-09-01", "C 2021-01-01",
        ];
        assert_eq!(feed(database), told);

        // A year of which the source speaks in a row of its own is not the rest of another row.
        import(&[row("2022-05-31", "21")], ": 4. Prestazioni nuove: 2, modificate: 1, invariate: 0,");
        import(&[year("2021", "84.20")], ": 0. Prestazioni nuove: 0, modificate: 0, invariate: 1,");
        import(&[row("2020-11-30", "3")], ": 2. Prestazioni nuove: 0, modificate: 1, invariate: 0,");
        assert_eq!(feed(database).last().unwrap(), "I 2020-09-01", "2021 stands, and what follows it");
        import(&[row("2021-12-31", "16")], ": 2. Prestazioni nuove: 0, modificate: 1, invariate: 1,");
        import(&[year("2021", "90.00"), row("2020-11-30", "3")], ": 4. Prestazioni nuove: 0, modificate: 2, invariate: 0,");
        assert_eq!(feed(database).last().unwrap(), "I 2020-09-01");
    }
}

/// What a benefit makes in all, once it is divided, is what INPS will take it to be.
#[test]
fn months_that_the_parts_do_not_make_are_told() {
    let database = TestDatabase::new(Backend::Sqlite);
    let place = Place::new(&database);
    for (inizio, fine, mesi, told) in [
        ("2020-09-01", "2021-05-31", "9", None),
        ("2020-12-15", "2021-01-14", "2", None),
        ("2020-12-15", "2021-01-14", "1", Some("fa 2 mesi in tutto, non 1.")),
        ("2020-09-01", "2021-05-31", "10", Some("fa 9 mesi in tutto, non 10.")),
        ("2020-09-01", "2020-12-31", "5", Some("i mesi sono 4, non 5.")),
    ] {
        place.file("a.csv", mensa("I", inizio, fine, mesi, "84.20"));
        let done = place.run(&["check", "a.csv", "--ente", "H501"]);
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(done.stdout.contains("PS-06"), told.is_some(), "{done:?}");
        assert!(told.is_none_or(|words| done.stdout.contains(words)), "{done:?}");
    }
}
