//! The outcomes as they arrived, page after page: what INPS accepted, with the number that SIUSS gave it; what it said of
//! flows that are not ours.

use askama::Template;

use super::{Asked, Filtro, PAGE, address, asked, benefit, operation};
use crate::call_log::action::Kind;
use crate::console::form::Errors;
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::visit::{self, Visit};
use crate::console::{Served, text};
use crate::registry::{EsitoPlace, Received, Which};

#[derive(Template)]
#[template(path = "esiti/accettati.html")]
struct Accettati {
    frame: Frame,
    errors: Errors,
    filtro: Filtro,
    rows: Vec<Accettato>,
    next: Option<String>,
}

struct Accettato {
    path: String,
    label: String,
    codice: String,
    ente: String,
    id_flusso: String,
    operation: &'static str,
    siuss: String,
    acquired: String,
    received: String,
}

#[derive(Template)]
#[template(path = "esiti/sconosciuti.html")]
struct Sconosciuti {
    frame: Frame,
    errors: Errors,
    filtro: Filtro,
    rows: Vec<Sconosciuto>,
    next: Option<String>,
}

struct Sconosciuto {
    id_flusso: String,
    codice: String,
    detail: String,
    siuss: String,
    received: String,
}

pub(super) async fn show(visit: Visit, which: Which) -> Answer {
    let Asked { served, filter, errors, filtro } = asked(&visit, &visit.query)?;
    let title = match which {
        Which::Accepted => "Esiti: che cosa ha accettato INPS",
        Which::Unknown => "Esiti di flussi sconosciuti",
    };
    let frame = visit.frame(title).below("Cruscotto", "/");
    let (mut found, mut next) = (Vec::new(), None);
    let is_wrong = !errors.is_empty();
    if !is_wrong {
        let after: Option<EsitoPlace> = visit.query.text("dopo").parse().ok();
        let (registry, id) = (visit.console.registry.clone(), served.id);
        let page =
            visit.console.blocking(move || registry.received(id, which, &filter, after, PAGE)).await??;
        visit.log(visit.action(Kind::BenefitsListed)?.of(id).counting(page.esiti.len())).await?;
        next = page.next.map(|next| address(&visit, &next.to_string()));
        found = page.esiti;
    }
    match which {
        Which::Accepted => {
            let rows = found.into_iter().filter_map(|esito| accettato(served, esito)).collect();
            let page = Accettati { frame, errors, filtro, rows, next };
            if is_wrong { visit::show_again(&page) } else { visit::show(&page) }
        }
        Which::Unknown => {
            let rows = found.into_iter().map(sconosciuto).collect();
            let page = Sconosciuti { frame, errors, filtro, rows, next };
            if is_wrong { visit::show_again(&page) } else { visit::show(&page) }
        }
    }
}

fn accettato(served: &Served, esito: Received) -> Option<Accettato> {
    let about = esito.about?;
    Some(Accettato {
        path: benefit(served, about.prestazione),
        label: about.label,
        codice: about.codice.unwrap_or_else(|| "minore in carico".to_owned()),
        ente: about.codice_ente,
        id_flusso: esito.id_flusso,
        operation: operation(about.cancels),
        siuss: esito.id_acquisizione_siuss.unwrap_or_default(),
        acquired: text::instant(esito.ts_acquisizione_ms),
        received: text::instant(esito.place.received_ms),
    })
}

fn sconosciuto(esito: Received) -> Sconosciuto {
    Sconosciuto {
        id_flusso: esito.id_flusso,
        codice: esito.codice_esito,
        detail: esito.descrizione.unwrap_or_default(),
        siuss: esito.id_acquisizione_siuss.unwrap_or_default(),
        received: text::instant(esito.place.received_ms),
    }
}
