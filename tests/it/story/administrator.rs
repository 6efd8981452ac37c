//! The administrator: lets colleagues in, and sees to the service.

use secrecy::{ExposeSecret, SecretString};
use waas_comuni::staff::{self, Edit, Role, Roles, Scope, password};

use super::{MORNING, Walk};

impl Walk {
    /// The first account is made at the command line, the others in the browser. Gives the provisional passwords of an
    /// operator and of an auditor.
    pub(super) fn an_administrator_lets_colleagues_in(&self) -> [String; 2] {
        let password = password::generate().unwrap();
        self.first_account("giulia.verdi", "Giulia Verdi", &password);
        self.open("/");
        self.shown("accesso", "body");
        self.begin_with("giulia.verdi", password.expose_secret());
        self.at("cruscotto-vuoto");
        assert_eq!(self.menu(), ["Cruscotto", "Amministrazione"]);

        let browser = &self.browser;
        self.open("/amministrazione");
        self.shown("amministrazione", "main");
        browser.find("form[action='/amministrazione/controlli'] button").click();
        browser.find("table");
        self.at("controlli");
        self.open("/amministrazione/chiavi");
        browser.send(&[("nome", "gestionale-mensa")]);
        browser.find("#segreto");
        self.at("chiave-segreta");
        browser.find("main a.btn").click();
        browser.find("form[action$='/revoca']");
        self.at("chiavi");

        let operator = self.account("mario.neri", "Mario Neri", "operatore");
        let auditor = self.account("paola.bianchi", "Paola Bianchi", "revisore");
        self.open("/amministrazione/utenti");
        self.shown("utenti", "main");
        browser.find("a[href='/amministrazione/utenti/mario.neri']").click();
        browser.find("#ruolo-operatore[checked]");
        self.at("utente");
        browser.find("a[href='/guida#amministrazione']").click();
        browser.find("#amministrazione");
        self.at("guida");
        self.open("/guida/regole");
        self.at("guida-regole");
        self.leave();
        [operator, auditor]
    }

    /// What `user add` does, at the hour of the story.
    fn first_account(&self, name: &str, full_name: &str, password: &SecretString) {
        let hash = password::hash(password).unwrap();
        let roles = Roles::new([Role::Amministratore]).unwrap();
        let edit = Edit { full_name: full_name.to_owned(), roles, scope: Scope::default() };
        let add = |connection: &mut _| staff::add(connection, name, &edit, Some(&hash), MORNING);
        assert!(self.app.store.write(add).unwrap());
    }

    fn account(&self, name: &str, full_name: &str, role: &str) -> String {
        self.minutes_later(1);
        self.open("/amministrazione/utenti");
        self.browser.find(&format!("#ruolo-{role}")).click();
        self.browser.send(&[("nome", name), ("nominativo", full_name)]);
        let password = self.browser.find("#segreto").text();
        self.at("utente-nuovo");
        password
    }
}
