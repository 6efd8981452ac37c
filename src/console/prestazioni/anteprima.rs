//! What a change would send to INPS, before it is done; then the change, which sends that or nothing.

use askama::Template;

use super::documento::{Part, parts, period, record};
use super::{PRESTAZIONI, address, erogatore, held, registry};
use crate::call_log::action::{Kind, record_in};
use crate::console::Served;
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::visit::{self, Visit};
use crate::registry::preview as planned;
use crate::registry::{Change, Confirmed, Foreseen, Found, Preview, Verdict};
use crate::siuss::record::EnteErogatore;
use crate::siuss::tables::Nomenclatore;

/// A change of a benefit that is asked for with one button.
pub(super) struct Act {
    title: &'static str,
    /// The last part of its address, and what the page of the benefit is told when it was done.
    name: &'static str,
    change: fn(i64) -> Change,
    kind: Kind,
    /// What it does, for whoever is asked to confirm it.
    text: &'static str,
    /// What is said where nothing is sent.
    without_flows: &'static str,
    button: &'static str,
    /// Whether what was sent is taken back.
    takes_back: bool,
}

/// Withdrawing a benefit.
pub(super) const RITIRO: Act = Act {
    title: "Ritira la prestazione",
    name: "ritiro",
    change: Change::Withdraw,
    kind: Kind::BenefitWithdrawn,
    text: "Una prestazione si ritira quando non doveva essere comunicata. A INPS si chiede di annullare ciò che gli è \
           stato inviato. Qui ne resta la storia.",
    without_flows: "A INPS non viene inviato nulla: quello che gli era stato inviato, lo ha rifiutato o è già annullato.",
    button: "Ritira",
    takes_back: true,
};

/// Sending again what INPS refused of a benefit.
pub(super) const INVIO: Act = Act {
    title: "Invia di nuovo la prestazione",
    name: "invio",
    change: Change::Resend,
    kind: Kind::BenefitResent,
    text: "INPS non ha la prestazione come risulta qui. Quello che ha rifiutato gli viene inviato di nuovo, così com'è.",
    without_flows: "Non c'è nulla da inviare: per quanto se ne sa, INPS ha la prestazione come risulta qui.",
    button: "Invia di nuovo",
    takes_back: false,
};

#[derive(Template)]
#[template(path = "prestazioni/anteprima.html")]
struct Anteprima {
    frame: Frame,
    act: &'static Act,
    address: String,
    shown: Shown,
    /// Whether something else was shown before.
    has_changed: bool,
}

/// What a change would do, as it is shown.
#[derive(Default)]
pub(super) struct Shown {
    /// Why it cannot be done.
    pub(super) refusal: Option<String>,
    pub(super) flows: Vec<ShownFlow>,
    /// What the form repeats, so that nothing else is done than what was shown.
    pub(super) digest: String,
}

/// A flow to be sent.
pub(super) struct ShownFlow {
    pub(super) operation: &'static str,
    /// What tells it from the others: the period, or the day of payment.
    pub(super) period: String,
    pub(super) parts: Vec<Part>,
}

impl Shown {
    pub(super) fn new(preview: &Preview, nomenclatore: &Nomenclatore) -> Self {
        let flow = |flow: &Foreseen| {
            let record = record(&flow.xml);
            ShownFlow {
                operation: if flow.cancels { "Annullamento (C)" } else { "Inserimento (I)" },
                period: record.as_ref().and_then(period).unwrap_or_default(),
                parts: record.map(|record| parts(&record, nomenclatore)).unwrap_or_default(),
            }
        };
        Self {
            refusal: preview.refusal().map(|notice| format!("{} {}", notice.message, notice.remedy)),
            flows: preview.flows.iter().map(flow).collect(),
            digest: preview.digest(),
        }
    }

    /// What is said where the configuration has the benefit's ente no longer.
    fn without_ente(codice: &str) -> Self {
        let text = format!(
            "L'ente {codice} non è più tra quelli configurati, e nulla può essere inviato per suo conto: rivolgersi a \
             un amministratore."
        );
        Self { refusal: Some(text), ..Self::default() }
    }
}

/// What `change` would do; none if there is no such benefit of the ente.
pub(super) async fn preview(
    visit: &Visit,
    served: &Served,
    ente: EnteErogatore,
    change: Change,
) -> Result<Option<Preview>, Refusal> {
    let (registry, id) = (registry(visit, served), served.id);
    let preview = visit
        .console
        .store
        .read_async(move |connection| planned::preview(connection, &registry.feed(id, &ente), &change))
        .await?;
    Ok(preview)
}

/// Does `change` if it sends what was shown, and logs it as `kind` for every benefit that it changed; all in one
/// transaction. None if there is no such benefit of the ente.
pub(super) async fn perform(
    visit: &Visit,
    served: &Served,
    ente: EnteErogatore,
    change: Change,
    kind: Kind,
) -> Result<Option<Confirmed>, Refusal> {
    let (registry, id) = (registry(visit, served), served.id);
    let digest = visit.form.text("mostrato").to_owned();
    let action = visit.action(kind)?.of(id);
    let clock = visit.console.clock.clone();
    let confirmed = visit
        .console
        .store
        .write_async(move |connection| {
            let confirmed = planned::confirm(connection, &registry.feed(id, &ente), &change, &digest)?;
            if let Some(Confirmed::Done(published)) = &confirmed {
                let changed = published
                    .iter()
                    .filter(|one| !matches!(one.verdict, Verdict::Unchanged | Verdict::Unsettled(_)))
                    .filter_map(|one| one.prestazione);
                record_in(connection, &clock, changed.map(|benefit| action.clone().to(benefit)))?;
            }
            Ok(confirmed)
        })
        .await?;
    Ok(confirmed)
}

pub(super) async fn show(visit: Visit, act: &'static Act) -> Answer {
    let (served, found) = held(&visit).await?;
    let shown = match erogatore(served, &found.codice_ente) {
        None => Shown::without_ente(&found.codice_ente),
        Some(ente) => {
            let preview = preview(&visit, served, ente, (act.change)(found.id)).await?;
            Shown::new(&preview.ok_or(Refusal::NotFound)?, &visit.console.rules().await?.nomenclatore)
        }
    };
    visit.log(visit.action(Kind::BenefitViewed)?.of(served.id).to(found.id)).await?;
    visit::show(&page(&visit, served, &found, act, shown))
}

fn page(visit: &Visit, served: &Served, found: &Found, act: &'static Act, shown: Shown) -> Anteprima {
    let address = address(&served.config.name, found.id);
    Anteprima {
        frame: visit
            .frame(act.title)
            .below("Cruscotto", "/")
            .below("Prestazioni", PRESTAZIONI)
            .below(&found.label, &address),
        has_changed: !visit.form.text("mostrato").is_empty(),
        act,
        address,
        shown,
    }
}

pub(super) async fn confirm(visit: Visit, act: &'static Act) -> Answer {
    let (served, found) = held(&visit).await?;
    let ente = erogatore(served, &found.codice_ente).ok_or(Refusal::NotFound)?;
    let confirmed = perform(&visit, served, ente, (act.change)(found.id), act.kind).await?;
    match confirmed.ok_or(Refusal::NotFound)? {
        Confirmed::Done(_) => {
            let address = address(&served.config.name, found.id);
            Ok(visit::go_to(&format!("{address}?fatto={}", act.name)))
        }
        Confirmed::Other(preview) => {
            let shown = Shown::new(&preview, &visit.console.rules().await?.nomenclatore);
            visit.log(visit.action(Kind::BenefitViewed)?.of(served.id).to(found.id)).await?;
            visit::show_again(&page(&visit, served, &found, act, shown))
        }
    }
}
