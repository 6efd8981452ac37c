//! Every rule of the product, from whatever room, in one list: what `check --rules` prints and `docs/regole.md` holds.

use std::fmt::Write;

use crate::siuss::notice::{Rule, Severity};
use crate::siuss::{rules, xml};
use crate::{intake, registry, vendor};

/// Every rule, in the order in which a record meets them: its file, its form, its content, the registry,
/// what a request asks for.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    let rooms = [intake::RULES, xml::RULES, rules::RULES, registry::RULES, vendor::RULES];
    rooms.into_iter().flatten().copied()
}

/// The page of the manual that lists them.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "<!-- Generato dal codice: `make docs`. Una prova verifica che sia aggiornato. -->\n\
         # Le regole\n\n\
         Che cosa si controlla di un file e di ogni record prima che un flusso esista. Un **errore** rifiuta il record, \
         e gli altri proseguono; un **avviso** lo pubblica e lo segnala. Le stesse regole, nella versione installata: \
         `waas-comuni check --rules`.\n\n\
         Nella configurazione un avviso può diventare errore, o tacere; un errore resta tale, perché INPS rifiuterebbe \
         il flusso o perché non lo si può leggere:\n\n\
         ```toml\n[rules]\n\"PS-09\" = \"errore\"   # errore | avviso | off\n\"PS-16\" = \"off\"\n```\n\n\
         Nella fonte, (C) indica un testo ufficiale, (S) una fonte secondaria, (I) una deduzione.\n\n\
         | codice | gravità | si può cambiare | che cosa chiede | fonte |\n|---|---|---|---|---|\n",
    );
    for rule in rules() {
        // Writing to a string cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            rule.code,
            rule.severity.as_str(),
            if is_adjustable(rule) { "sì" } else { "no" },
            rule.summary,
            rule.source
        );
    }
    page
}

/// Whether the configuration may give it another severity.
#[must_use]
pub fn is_adjustable(rule: &Rule) -> bool {
    rule.severity == Severity::Avviso
}
