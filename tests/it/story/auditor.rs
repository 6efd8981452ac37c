//! The auditor: who received data about a person, what a call disclosed, whether the log is the one that was written.

use super::Walk;

impl Walk {
    pub(super) fn an_auditor_finds_the_call_and_verifies_the_log(&self, password: &str) {
        let browser = &self.browser;
        self.minutes_later(60);
        self.begin_with("paola.bianchi", password);
        assert_eq!(self.menu(), ["Cruscotto", "Registro"]);
        self.open("/registro");
        self.shown("registro", "body");
        browser.find("summary").click();
        browser.send(&[("utente", ""), ("stato", "200")]);
        browser.find("details[open]");
        self.at("registro-filtri");

        self.open("/registro/persona");
        browser.send(&[("codice", "CNTLCU15E09H501T")]);
        browser.find("table");
        assert!(!browser.url().contains("CNTLCU"), "a fiscal code stands in no address");
        self.shown("registro-persona", "main h2");
        // The pulls of the two flows of this person's benefit.
        let (name, ..) = &self.feed(0)[8];
        assert!(browser.text().contains(name));
        browser.find("tr:has(li) a[href^='/registro/chiamate/']").click();
        browser.find("form[action$='/prova']");
        assert!(browser.text().contains(name) && browser.text().contains("sono proprio questi"));
        assert!(!browser.text().contains("Conti"), "an auditor reads no payload");
        self.shown("registro-chiamata", "main");

        self.sign_the_log();
        self.minutes_later(5);
        self.open("/registro/integrita");
        browser.find("main form button").click();
        browser.find("section[aria-labelledby=ultima]");
        self.until_asked("[data-esito]");
        assert!(browser.find("[data-esito=regolare]").text().contains("le firme sono buone"));
        self.shown("registro-integrita", "#verifica");
        self.open("/registro/esportazioni");
        self.at("registro-esportazioni");
        self.open("/registro/tracing");
        self.at("registro-tracing");
        self.leave();
    }
}
