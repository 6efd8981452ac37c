//! The list of files, and the form that loads another.

use std::num::NonZeroU16;
use std::path::Path;

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use askama::Template;

use super::{ELENCO, enti, path_of, state_text};
use crate::call_log::action::Kind;
use crate::caricamenti::{self, New, PART};
use crate::console::form::{Errors, Upload};
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::console::visit::{self, Visit};
use crate::intake::Format;
use crate::store::{EserviceId, Store};

/// Files in one page of the list.
const LISTED: i64 = 50;
/// Characters of a file's name.
const LONGEST_NAME: usize = 120;

#[derive(Template)]
#[template(path = "caricamenti/elenco.html")]
struct Elenco {
    frame: Frame,
    errors: Errors,
    enti: Vec<Choice>,
    mappings: Vec<Choice>,
    megabytes: NonZeroU16,
    rows: Vec<Row>,
    /// The number before which older files come.
    older: Option<i64>,
}

struct Choice {
    value: String,
    label: String,
    chosen: bool,
}

struct Row {
    path: String,
    name: String,
    ente: String,
    by: String,
    when: String,
    state: &'static str,
    badge: &'static str,
    records: String,
    refused: String,
}

pub(super) async fn show(visit: Visit) -> Answer {
    let done = match visit.query.text("fatto") {
        "annullato" => Some("Il caricamento è stato annullato e il file cancellato."),
        _ => None,
    };
    visit::show(&page(&visit, Errors::default(), done).await?)
}

/// How a form names an ente of an e-service, or a mapping of theirs.
fn value(eservice: &str, codice: &str) -> String {
    format!("{eservice}:{codice}")
}

async fn page(visit: &Visit, errors: Errors, done: Option<&'static str>) -> Result<Elenco, Refusal> {
    let known: Vec<(EserviceId, String)> =
        enti(visit).map(|(id, _, ente)| (id, ente.codice.clone())).collect();
    let before: Option<i64> = visit.query.text("prima").parse().ok();
    let asked = known.clone();
    let (listed, saved) = visit
        .console
        .store
        .read_async(move |connection| {
            let listed = caricamenti::list(connection, &asked, before, LISTED + 1)?;
            Ok((listed, caricamenti::mapping_names(connection, &asked)?))
        })
        .await?;
    let several = visit.eservices().count() > 1;
    let labels: Vec<(String, String)> = enti(visit)
        .map(|(_, eservice, ente)| {
            let name = format!("{} ({})", ente.denominazione, ente.codice);
            let label = if several { format!("{name}, {}", eservice.name) } else { name };
            (value(&eservice.name, &ente.codice), label)
        })
        .collect();
    let asked_ente = visit.form.text("ente");
    let asked_mapping = visit.form.text("mappatura");
    let place = |eservice: EserviceId, codice: &str| {
        let place = known.iter().position(|(id, ente)| (*id, ente.as_str()) == (eservice, codice))?;
        labels.get(place)
    };
    let mappings = saved.iter().filter_map(|(eservice, codice, name)| {
        let (value, label) = place(*eservice, codice)?;
        let value = format!("{value}:{name}");
        Some(Choice { chosen: value == asked_mapping, label: format!("{name}, {label}"), value })
    });
    let mappings = mappings.collect();
    let now_ms = visit.console.clock.now_ms();
    let most = usize::try_from(LISTED).unwrap_or_default();
    let older = listed.get(most).and(listed.get(most.saturating_sub(1))).map(|last| last.id);
    let rows = listed.iter().take(most).map(|one| {
        let (state, badge) = state_text(one, now_ms);
        let label = place(one.eservice, &one.codice_ente);
        Row {
            path: path_of(one.id),
            name: one.file_name.clone(),
            ente: label.map_or_else(|| one.codice_ente.clone(), |(_, label)| label.clone()),
            by: one.loaded_by.clone(),
            when: text::instant(one.created_ms),
            state,
            badge,
            records: text::number(one.figures.records),
            refused: text::number(one.figures.refused),
        }
    });
    let rows = rows.collect();
    let choice = |(value, label): (String, String)| Choice { chosen: value == asked_ente, value, label };
    Ok(Elenco {
        frame: visit.frame("Caricamenti").below("Cruscotto", "/").with_done(done),
        errors,
        enti: labels.into_iter().map(choice).collect(),
        mappings,
        megabytes: visit.console.config.back_office.upload_megabytes,
        rows,
        older,
    })
}

pub(super) async fn load(mut visit: Visit) -> Answer {
    let mut errors = Errors::default();
    let upload = visit.upload.take();
    let asked = visit.form.text("ente");
    let addressee = enti(&visit)
        .find(|(_, eservice, ente)| value(&eservice.name, &ente.codice) == asked)
        .map(|(id, eservice, ente)| (id, eservice.name.clone(), ente.codice.clone()));
    if addressee.is_none() {
        errors.add("ente", "Scegliere l'ente a cui appartengono le prestazioni.");
    }
    let name = upload.as_ref().map(|upload| file_name(&upload.name)).unwrap_or_default();
    let format = Format::of_name(Path::new(&name));
    if name.is_empty() {
        errors.add("file", "Scegliere il file da caricare.");
    } else if format.is_none() {
        errors.add(
            "file",
            "Il nome del file deve finire in .csv, .xml o .json: salvarlo in uno di questi formati.",
        );
    }
    let mut mapping = None;
    let asked_mapping = visit.form.text("mappatura").to_owned();
    if let (Some((id, eservice, codice)), false) = (&addressee, asked_mapping.is_empty()) {
        let prefix = format!("{}:", value(eservice, codice));
        if let Some(name) = asked_mapping.strip_prefix(&prefix) {
            let (id, codice, name) = (*id, codice.clone(), name.to_owned());
            let store = &visit.console.store;
            mapping = store
                .read_async(move |connection| caricamenti::mapping(connection, id, &codice, &name))
                .await?;
        }
        if mapping.is_none() {
            errors.add(
                "mappatura",
                "Questa corrispondenza di colonne è di un altro ente: sceglierne un'altra.",
            );
        }
    }
    let (Some((eservice, _, codice_ente)), Some(format), Some(upload), true) =
        (addressee, format, upload, errors.is_empty())
    else {
        return visit::show_again(&page(&visit, errors, None).await?);
    };
    let new = New {
        eservice,
        codice_ente,
        file_name: name,
        format,
        mapping: mapping.map(|mapping| mapping.fields).unwrap_or_default(),
        loaded_by: visit.account()?.name.clone(),
    };
    let now_ms = visit.console.clock.now_ms();
    let begun =
        visit.console.store.write_async(move |connection| caricamenti::begin(connection, &new, now_ms));
    let Some(id) = begun.await? else {
        errors.add(
            "file",
            "Ci sono già troppi caricamenti aperti: confermarne o annullarne qualcuno, poi ripetere.",
        );
        return visit::show_again(&page(&visit, errors, None).await?);
    };
    let arrival = Arrival { store: visit.console.store.clone(), id, is_whole: false };
    let megabytes = visit.console.config.back_office.upload_megabytes;
    match arrival.receive(upload, u64::from(megabytes.get()) * 1_000_000).await? {
        Received::Whole(arrival, bytes) => {
            let loaded = visit.action(Kind::FileLoaded)?.of(eservice);
            visit.log(loaded.saying(format!("caricamento={id}"))).await?;
            arrival.end(bytes).await?;
            visit.console.bell.ring();
            Ok(visit::go_to(&path_of(id)))
        }
        Received::Empty => {
            errors.add("file", "Il file è vuoto: controllarlo e sceglierlo di nuovo.");
            visit::show_again(&page(&visit, errors, None).await?)
        }
        Received::TooLarge => {
            errors.add("file", format!("Il file supera {megabytes} MB: dividerlo in più file."));
            visit::show_with(StatusCode::PAYLOAD_TOO_LARGE, &page(&visit, errors, None).await?)
        }
    }
}

/// The name of a file without the folders that some browsers put before it, and without what no name needs.
fn file_name(given: &str) -> String {
    let name = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().filter(|character| !character.is_control()).collect();
    // The end tells the form.
    let length = name.chars().count();
    name.chars().skip(length.saturating_sub(LONGEST_NAME)).collect::<String>().trim().to_owned()
}

/// A file on its way into the database, forgotten unless it arrives whole: whoever sends it may go away at any time.
struct Arrival {
    store: Store,
    id: i64,
    is_whole: bool,
}

enum Received {
    Whole(Arrival, i64),
    Empty,
    TooLarge,
}

impl Arrival {
    async fn receive(self, mut upload: Upload, most: u64) -> Result<Received, Refusal> {
        let (mut part, mut number, mut bytes) = (Vec::with_capacity(PART), 0, 0_u64);
        while let Some(chunk) = upload.next().await? {
            bytes += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            if bytes > most {
                return Ok(Received::TooLarge);
            }
            let mut rest: Bytes = chunk;
            while !rest.is_empty() {
                let room = rest.len().min(PART - part.len());
                part.extend_from_slice(&rest.split_to(room));
                if part.len() == PART {
                    self.keep(number, std::mem::replace(&mut part, Vec::with_capacity(PART))).await?;
                    number += 1;
                }
            }
        }
        if !part.is_empty() {
            self.keep(number, part).await?;
        }
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        Ok(if bytes == 0 { Received::Empty } else { Received::Whole(self, bytes) })
    }

    async fn keep(&self, number: i64, part: Vec<u8>) -> Result<(), Refusal> {
        let id = self.id;
        let kept =
            self.store.write_async(move |connection| caricamenti::append(connection, id, number, &part));
        Ok(kept.await?)
    }

    async fn end(mut self, bytes: i64) -> Result<(), Refusal> {
        let id = self.id;
        let arrived = self.store.write_async(move |connection| caricamenti::arrived(connection, id, bytes));
        self.is_whole = arrived.await?;
        if self.is_whole { Ok(()) } else { Err(Refusal::Unavailable) }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if self.is_whole {
            return;
        }
        let (store, id) = (self.store.clone(), self.id);
        actix_web::rt::spawn(async move {
            if let Err(error) = store.write_async(move |connection| caricamenti::forget(connection, id)).await
            {
                tracing::warn!(upload = id, %error, "a file that did not arrive whole is dropped later");
            }
        });
    }
}

/// Leads back to the list.
pub(super) fn back(done: &str) -> actix_web::HttpResponse {
    visit::go_to(&format!("{ELENCO}?fatto={done}"))
}
