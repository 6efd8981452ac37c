//! Users: list, add, give another password, disable.

use askama::Template;
use secrecy::ExposeSecret;

use super::{SERVIZIO, UTENTI};
use crate::call_log::action::Kind;
use crate::console::form::{Errors, Form};
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::secret::Secret;
use crate::console::visit::{self, Visit};
use crate::console::{Served, text};
use crate::staff::{self, Edit, LONGEST_NAME, Listed, Role, Roles, Scope};

#[derive(Template)]
#[template(path = "amministrazione/utenti.html")]
struct Utenti {
    frame: Frame,
    errors: Errors,
    users: Vec<User>,
    /// What was typed in the form.
    name: String,
    full_name: String,
    roles: Vec<(Role, bool)>,
    scopes: Vec<ScopeChoice>,
}

/// A user as a row of the table.
struct User {
    listed: Listed,
    created: String,
    scope: String,
    /// Whether it is whoever is looking.
    is_self: bool,
}

/// What a user may be limited to.
struct ScopeChoice {
    value: String,
    label: String,
    chosen: bool,
}

pub(super) async fn show(visit: Visit) -> Answer {
    let done = match visit.query.text("fatto") {
        "disabilitato" => Some("L'utente è stato disabilitato: non può più accedere."),
        _ => None,
    };
    let page = page(&visit, Errors::default(), done).await?;
    visit::show(&page)
}

async fn page(visit: &Visit, errors: Errors, done: Option<&'static str>) -> Result<Utenti, Refusal> {
    let listed = visit.console.store.read_async(staff::list).await?;
    let own = visit.account()?.id;
    let users = listed
        .into_iter()
        .map(|listed| User {
            created: text::day(listed.created_ms),
            scope: scope_text(visit, &listed.account.scope),
            is_self: listed.account.id == own,
            listed,
        })
        .collect();
    let chosen: Vec<&str> = visit.form.all("ambito").collect();
    let asked = asked_roles(&visit.form);
    Ok(Utenti {
        frame: visit
            .frame("Utenti")
            .below("Cruscotto", "/")
            .below("Amministrazione", SERVIZIO)
            .with_done(done),
        errors,
        users,
        name: visit.form.text("nome").to_owned(),
        full_name: visit.form.text("nominativo").to_owned(),
        roles: Role::ALL.map(|role| (role, asked.contains(&role))).to_vec(),
        scopes: visit
            .scopes()
            .into_iter()
            .map(|(value, label, _)| ScopeChoice { chosen: chosen.contains(&value.as_str()), value, label })
            .collect(),
    })
}

fn asked_roles(form: &Form) -> Vec<Role> {
    form.all("ruolo").filter_map(|role| role.parse().ok()).collect()
}

fn scope_text(visit: &Visit, scope: &Scope) -> String {
    if !scope.is_limited() {
        return "tutti gli enti".to_owned();
    }
    let of = |served: &Served| match scope.enti(served.id) {
        Some(enti) => Some(format!("{}: {}", served.config.name, enti.join(", "))),
        None => scope.includes(served.id).then(|| served.config.name.clone()),
    };
    visit.console.eservices.iter().filter_map(of).collect::<Vec<_>>().join("; ")
}

pub(super) async fn add(visit: Visit) -> Answer {
    let mut errors = Errors::default();
    let name = staff::login_name(visit.form.text("nome"));
    if name.is_none() {
        errors.add(
            "nome",
            "Il nome utente ammette da 1 a 64 lettere senza accenti, cifre, punto, trattino e chiocciola.",
        );
    }
    let full_name = visit.form.text("nominativo").to_owned();
    if full_name.is_empty() || full_name.chars().count() > LONGEST_NAME {
        errors.add("nominativo", "Scrivere nome e cognome, al più 64 caratteri.");
    }
    let roles = Roles::new(asked_roles(&visit.form));
    if roles.is_none() {
        errors.add("ruolo", "Scegliere almeno un ruolo.");
    }
    let asked: Vec<&str> = visit.form.all("ambito").collect();
    let limits = visit.scopes().into_iter().filter(|(value, ..)| asked.contains(&value.as_str()));
    let scope = Scope::new(limits.map(|(.., limit)| limit).collect());
    if let (Some(name), Some(roles), true) = (name, roles, errors.is_empty()) {
        let (password, hash) = visit.console.door.provisional().await?;
        let now_ms = visit.console.clock.now_ms();
        let edit = Edit { full_name, roles, scope };
        let added_name = name.clone();
        let added = visit
            .console
            .store
            .write_async(move |connection| staff::add(connection, &added_name, &edit, Some(&hash), now_ms))
            .await?;
        if added {
            visit.log(visit.action(Kind::UserAdded)?).await?;
            return secret(&visit, "Utente creato", &name, password.expose_secret());
        }
        errors.add("nome", "Questo nome utente c'è già, forse disabilitato: sceglierne un altro.");
    }
    let page = page(&visit, errors, None).await?;
    visit::show_again(&page)
}

pub(super) async fn reset_password(visit: Visit) -> Answer {
    let name = visit.parameter("nome")?.to_owned();
    let (password, hash) = visit.console.door.provisional().await?;
    let reset = name.clone();
    let done = visit
        .console
        .store
        .write_async(move |connection| staff::set_password(connection, &reset, &hash, true))
        .await?;
    if done {
        visit.log(visit.action(Kind::UserChanged)?).await?;
        secret(&visit, "Password provvisoria", &name, password.expose_secret())
    } else {
        Err(Refusal::NotFound)
    }
}

/// The page that shows a password once.
fn secret(visit: &Visit, title: &str, name: &str, password: &str) -> Answer {
    visit::show(&Secret {
        frame: visit
            .frame(title)
            .below("Cruscotto", "/")
            .below("Amministrazione", SERVIZIO)
            .below("Utenti", UTENTI),
        text: format!(
            "La password provvisoria di {name} è mostrata soltanto adesso: consegnarla di persona. Al primo accesso \
             dovrà essere cambiata."
        ),
        value: password.to_owned(),
        back: UTENTI,
    })
}

pub(super) async fn disable(visit: Visit) -> Answer {
    let name = visit.parameter("nome")?.to_owned();
    if name == visit.account()?.name {
        // Nobody closes the door behind themselves.
        return Err(Refusal::Forbidden);
    }
    let now_ms = visit.console.clock.now_ms();
    let done =
        visit.console.store.write_async(move |connection| staff::disable(connection, &name, now_ms)).await?;
    if done { Ok(visit::go_to("/amministrazione/utenti?fatto=disabilitato")) } else { Err(Refusal::NotFound) }
}
