//! The keys of vendors' software: list, make, revoke.

use askama::Template;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret;

use super::{CHIAVI, SERVIZIO};
use crate::call_log::action::Kind;
use crate::console::form::Errors;
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::secret::Secret;
use crate::console::text;
use crate::console::visit::{self, Visit};
use crate::staff::Scope;
use crate::staff::door::DoorError;
use crate::vendor::keys;

/// The longest name of a key.
const LONGEST_NAME: usize = 64;
/// What of a name is written with a percent sign in an address.
const IN_ADDRESS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-');

#[derive(Template)]
#[template(path = "amministrazione/chiavi.html")]
struct Chiavi {
    frame: Frame,
    errors: Errors,
    keys: Vec<Key>,
    name: String,
    /// What a key may be for: value, label, whether it is chosen.
    choices: Vec<(String, String, bool)>,
}

/// A key as a row of the table.
struct Key {
    name: String,
    scope: String,
    created: String,
    revoked: Option<String>,
    /// Where it is revoked: a name may have any sign that an address gives a meaning.
    revocation: String,
}

pub(super) async fn show(visit: Visit) -> Answer {
    let done = (visit.query.text("fatto") == "revocata").then_some("La chiave è stata revocata.");
    let page = page(&visit, Errors::default(), done).await?;
    visit::show(&page)
}

async fn page(visit: &Visit, errors: Errors, done: Option<&'static str>) -> Result<Chiavi, Refusal> {
    let listed = visit.console.store.read_async(keys::list).await?;
    let key = |key: keys::Listed| Key {
        scope: if key.enti.is_empty() {
            key.eservice
        } else {
            format!("{}: {}", key.eservice, key.enti.join(", "))
        },
        revocation: format!("{CHIAVI}/{}/revoca", utf8_percent_encode(&key.name, IN_ADDRESS)),
        name: key.name,
        created: text::day(key.created_ms),
        revoked: key.revoked_ms.map(text::day),
    };
    let choice = |(value, label, _): (String, String, _)| {
        let is_chosen = value == visit.form.text("ambito");
        (value, label, is_chosen)
    };
    let frame =
        visit.frame("Chiavi dei gestionali").below("Cruscotto", "/").below("Amministrazione", SERVIZIO);
    Ok(Chiavi {
        frame: frame.with_done(done),
        errors,
        keys: listed.into_iter().filter(|key| is_managed(visit, key)).map(key).collect(),
        name: visit.form.text("nome").to_owned(),
        choices: visit.scopes().into_iter().map(choice).collect(),
    })
}

pub(super) async fn add(visit: Visit) -> Answer {
    let mut errors = Errors::default();
    let name = visit.form.text("nome").to_owned();
    let fits = (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    if !fits {
        errors.add("nome", "Scrivere un nome da 1 a 64 caratteri, senza spazi, accenti e barre.");
    }
    let asked = visit.form.text("ambito");
    let limit = visit.scopes().into_iter().find(|(value, ..)| value == asked).map(|(.., limit)| limit);
    if limit.is_none() {
        errors.add("ambito", "Scegliere per che cosa vale la chiave.");
    }
    if let (Some((id, ente)), true) = (limit, errors.is_empty()) {
        let key = keys::generate().map_err(DoorError::from)?;
        let (added_name, secret, now_ms) = (name.clone(), key.clone(), visit.console.clock.now_ms());
        let enti: Vec<String> = ente.into_iter().collect();
        let added = visit
            .console
            .store
            .write_async(move |connection| {
                keys::add(connection, &added_name, id, &enti, secret.expose_secret(), now_ms)
            })
            .await?;
        if added {
            visit.log(visit.action(Kind::ApiKeyAdded)?.of(id).saying(format!("chiave={name}"))).await?;
            let frame = visit.frame("Chiave creata").below("Chiavi dei gestionali", CHIAVI);
            let text = format!(
                "La chiave {name} è mostrata soltanto adesso: consegnarla a chi gestisce il software, che la invia \
                 nell'intestazione X-API-Key."
            );
            return visit::show(&Secret { frame, text, value: key.expose_secret().to_owned(), back: CHIAVI });
        }
        errors.add("nome", "Questo nome c'è già: anche le chiavi revocate tengono il proprio.");
    }
    let page = page(&visit, errors, None).await?;
    visit::show_again(&page)
}

/// Whether whoever is signed in sees all that the key does.
fn is_managed(visit: &Visit, key: &keys::Listed) -> bool {
    let Some(account) = visit.visitor.account.as_ref() else { return false };
    let served = visit.eservices().find(|served| served.config.name == key.eservice);
    let covers = |ente: Option<&String>| {
        served.is_some_and(|served| account.scope.covers(&Scope::new(vec![(served.id, ente.cloned())])))
    };
    !account.scope.is_limited()
        || (if key.enti.is_empty() { covers(None) } else { key.enti.iter().all(|ente| covers(Some(ente))) })
}

pub(super) async fn revoke(visit: Visit) -> Answer {
    let (name, now_ms) = (visit.parameter("nome")?.to_owned(), visit.console.clock.now_ms());
    let listed = visit.console.store.read_async(keys::list).await?;
    if !listed.iter().any(|key| key.name == name && is_managed(&visit, key)) {
        return Err(Refusal::NotFound);
    }
    let revoked_name = name.clone();
    let revoked = visit
        .console
        .store
        .write_async(move |connection| keys::revoke(connection, &revoked_name, now_ms))
        .await?;
    if !revoked {
        return Err(Refusal::NotFound);
    }
    visit.log(visit.action(Kind::ApiKeyRevoked)?.saying(format!("chiave={name}"))).await?;
    Ok(visit::go_to("/amministrazione/chiavi?fatto=revocata"))
}
