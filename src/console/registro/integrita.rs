//! Integrity: how long each log is, what of it is signed, and a verification that can be started here.

use askama::Template;

use super::testi;
use super::verifica::Means;
use super::{CHIAMATE, Choice, INTEGRITA, label, logs, sees_all, whole, whole_logs};
use crate::call_log::action::Kind;
use crate::call_log::seal::runs::{self, Run, Stand, Task};
use crate::call_log::seal::stored::{Signed, Standing, last_signed, standing};
use crate::call_log::seal::verify::{Fault, Report};
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::parts::{AT_ONCE, Part, Parts};
use crate::console::text;
use crate::console::visit::{self, Visit};

/// Checkpoints of each log that are shown.
const CHECKPOINTS: u32 = 5;

#[derive(Template)]
#[template(path = "registro/integrita.html")]
struct Integrita {
    frame: Frame,
    logs: Vec<Registro>,
    /// Where there are more logs than are shown: which these are, and where the others are.
    part: Option<Part>,
    /// Whether checkpoints are signed, and are written into a file too.
    is_signed: bool,
    has_file: bool,
    choices: Vec<Choice>,
    verification: Option<Verifica>,
    is_running: bool,
}

/// How a log stands.
struct Registro {
    label: String,
    size: String,
    root: String,
    /// What the last checkpoint vouches for, and what came after it.
    signed: String,
    after: String,
    /// How many entries, and when.
    checkpoints: Vec<(String, String)>,
}

/// The last verification, as whoever is signed in may see it.
struct Verifica {
    what: String,
    started: String,
    user: String,
    stand: Esito,
}

enum Esito {
    Running { checked: String, entries: String, percent: u64 },
    Ended { ended: String, holds: bool, signatures: bool, logs: Vec<Verificato>, faults: Vec<String> },
    Failed,
}

/// What was found of a log.
struct Verificato {
    label: String,
    entries: String,
    signed: String,
    after: String,
    checkpoints: String,
    removed: String,
    changed: u64,
    not_compared: u64,
    /// What is wrong, and the page of the entry that is.
    faults: Vec<(String, Option<String>)>,
}

pub(super) async fn show(visit: Visit) -> Answer {
    let done = match visit.query.text("fatto") {
        "avviata" => Some("La verifica è stata avviata."),
        _ => None,
    };
    let now_ms = visit.console.clock.now_ms();
    let read = move |connection: &mut _| Ok((standing(connection)?, runs::last(connection, now_ms)?));
    let (all, last) = visit.console.store.read_async(read).await?;
    let visible = logs(&visit)?;
    let sees_all = sees_all(&visit)?;
    let may_see =
        |log: &&Standing| sees_all || visible.iter().any(|one| one.id == log.log_id && one.enti.is_none());
    let seen: Vec<&Standing> = all.iter().filter(may_see).collect();
    let names = seen.iter().map(|log| label(log.eservice.as_deref()));
    let parts = Parts::new(INTEGRITA, "Registri", names, visit.query.text("da"));
    let shown: Vec<&Standing> = seen.iter().skip(parts.first).take(AT_ONCE).copied().collect();
    let ids: Vec<i64> = shown.iter().map(|log| log.log_id).collect();
    let signed = visit
        .console
        .store
        .read_async(move |connection| {
            ids.into_iter().map(|id| last_signed(connection, id, CHECKPOINTS)).collect::<Result<Vec<_>, _>>()
        })
        .await?;
    let is_running = is_running(last.as_ref());
    let settings = &visit.console.config.call_log;
    visit::show(&Integrita {
        frame: visit
            .frame("Integrità del registro")
            .below("Cruscotto", "/")
            .below("Registro delle chiamate", CHIAMATE)
            .with_done(done.filter(|_| is_running)),
        logs: shown.iter().zip(&signed).map(|(log, signed)| registro(log, signed)).collect(),
        part: parts.shown(),
        is_signed: settings.checkpoint_key.is_some(),
        has_file: settings.checkpoint_file.is_some(),
        choices: whole_logs(&visit, "")?,
        verification: last.and_then(|last| verification(&visit, last, &all)),
        is_running,
    })
}

fn is_running(last: Option<&Run>) -> bool {
    last.is_some_and(|run| matches!(run.stand, Stand::Running { .. }))
}

fn figure(number: i64) -> String {
    text::number(u64::try_from(number).unwrap_or_default())
}

fn registro(log: &Standing, checkpoints: &[Signed]) -> Registro {
    let signed = checkpoints.first().map_or(0, |last| last.size);
    Registro {
        label: label(log.eservice.as_deref()).to_owned(),
        size: figure(log.size),
        root: log.root.clone(),
        signed: figure(signed),
        after: figure(log.size.saturating_sub(signed)),
        checkpoints: checkpoints
            .iter()
            .map(|one| (text::of(one.size.unsigned_abs(), "voce", "voci"), text::instant(one.instant_ms)))
            .collect(),
    }
}

fn verification(visit: &Visit, run: Run, all: &[Standing]) -> Option<Verifica> {
    whole(visit, run.eservice.as_deref().unwrap_or_default()).ok()?;
    let stand = match run.stand {
        Stand::Running { checked } => {
            let checked = checked.min(run.entries);
            Esito::Running {
                checked: text::number(checked),
                entries: text::number(run.entries),
                percent: checked.saturating_mul(100) / run.entries.max(1),
            }
        }
        Stand::Ended { ms, report } => ended(&report, ms, all),
        Stand::Interrupted => Esito::Failed,
    };
    Some(Verifica {
        what: run.eservice.unwrap_or_else(|| "tutti i registri".to_owned()),
        started: text::instant(run.started_ms),
        user: run.user,
        stand,
    })
}

fn ended(report: &Report, ended_ms: i64, all: &[Standing]) -> Esito {
    let page = |eservice: Option<&str>, fault: &Fault| {
        let log = all.iter().find(|log| log.eservice.as_deref() == eservice)?;
        Some(format!("/registro/chiamate/{}/{}", log.log_id, testi::wrong_entry(fault)?))
    };
    let logs = report
        .logs
        .iter()
        .map(|log| {
            let eservice = log.eservice.as_deref();
            Verificato {
                label: label(eservice).to_owned(),
                entries: text::number(log.entries),
                signed: text::number(log.signed),
                after: text::number(log.entries.saturating_sub(log.signed)),
                checkpoints: text::number(log.checkpoints),
                removed: text::number(log.removed),
                changed: log.changed,
                not_compared: log.not_compared,
                faults: log.faults.iter().map(|fault| (testi::fault(fault), page(eservice, fault))).collect(),
            }
        })
        .collect();
    Esito::Ended {
        ended: text::instant(ended_ms),
        holds: report.holds(),
        signatures: report.signatures,
        logs,
        faults: report.faults.iter().map(testi::fault).collect(),
    }
}

pub(super) async fn verify(visit: Visit) -> Answer {
    let only = whole(&visit, visit.form.text("registro"))?;
    let now_ms = visit.console.clock.now_ms();
    let read = move |connection: &mut _| Ok((standing(connection)?, runs::last(connection, now_ms)?));
    let (all, last) = visit.console.store.read_async(read).await?;
    if is_running(last.as_ref()) {
        return Ok(visit::go_to(INTEGRITA));
    }
    let mut action = visit.action(Kind::CallsVerified)?;
    let served = visit.eservices().find(|served| Some(&served.config.name) == only.as_ref());
    action.eservice = served.map(|served| served.id);
    visit.log(action).await?;
    let sizes = all.iter().filter(|log| only.is_none() || log.eservice == only).map(|log| log.size);
    let console = &visit.console;
    let task = Task { eservice: only.clone(), user: visit.account()?.name.clone(), entries: sizes.sum() };
    let settings = &console.config.call_log;
    let means = Means {
        store: console.store.clone(),
        clock: console.clock.clone(),
        files: settings.checkpoint_file.iter().cloned().collect(),
        key: settings.checkpoint_key.clone(),
    };
    let registro = console.registro.clone();
    console.blocking(move || registro.verification.start(&task, &means)).await??;
    Ok(visit::go_to("/registro/integrita?fatto=avviata"))
}
