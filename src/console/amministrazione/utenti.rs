//! Users: list, add, change, give another password, disable. Nobody manages somebody who sees more than they do, nor their
//! own account, but for its password.

use askama::Template;
use secrecy::ExposeSecret;

use super::{SERVIZIO, UTENTI};
use crate::call_log::action::Kind;
use crate::console::form::{Errors, Form};
use crate::console::frame::Frame;
use crate::console::pages::Answer;
use crate::console::refusal::Refusal;
use crate::console::secret::Secret;
use crate::console::visit::{self, Limit, Visit};
use crate::console::{Served, text};
use crate::staff::{self, Account, Edit, LONGEST_NAME, Listed, Role, Roles, Scope};

#[derive(Template)]
#[template(path = "amministrazione/utenti.html")]
struct Utenti {
    frame: Frame,
    errors: Errors,
    users: Vec<User>,
    /// What was typed in the form.
    name: String,
    form: Particulars,
}

#[derive(Template)]
#[template(path = "amministrazione/utente.html")]
struct Utente {
    frame: Frame,
    errors: Errors,
    name: String,
    form: Particulars,
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
        "modificato" => Some("L'utente è stato modificato: dovrà accedere di nuovo."),
        _ => None,
    };
    let page = page(&visit, Errors::default(), done).await?;
    visit::show(&page)
}

async fn page(visit: &Visit, errors: Errors, done: Option<&'static str>) -> Result<Utenti, Refusal> {
    let listed = visit.console.store.read_async(staff::list).await?;
    let own = visit.account()?;
    let users = listed
        .into_iter()
        .filter(|listed| own.scope.covers(&listed.account.scope))
        .map(|listed| User {
            created: text::day(listed.created_ms),
            scope: scope_text(visit, &listed.account.scope),
            is_self: listed.account.id == own.id,
            listed,
        })
        .collect();
    Ok(Utenti {
        frame: visit
            .frame("Utenti")
            .below("Cruscotto", "/")
            .below("Amministrazione", SERVIZIO)
            .with_done(done),
        errors,
        users,
        name: visit.form.text("nome").to_owned(),
        form: Particulars::typed(visit),
    })
}

/// What an account is made of, as a form has it.
struct Particulars {
    full_name: String,
    roles: Vec<(Role, bool)>,
    scopes: Vec<ScopeChoice>,
    /// What is said of choosing no limit.
    without: &'static str,
}

impl Particulars {
    /// As it was typed.
    fn typed(visit: &Visit) -> Self {
        let chosen: Vec<&str> = visit.form.all("ambito").collect();
        let roles: Vec<Role> = asked_roles(&visit.form);
        Self::new(visit, visit.form.text("nominativo"), &roles, |value, _| chosen.contains(&value))
    }

    /// As it is.
    fn of(visit: &Visit, account: &Account) -> Self {
        let limits = account.scope.limits();
        Self::new(visit, &account.full_name, account.roles.as_slice(), |_, limit| limits.contains(limit))
    }

    fn new(visit: &Visit, full_name: &str, roles: &[Role], is_chosen: impl Fn(&str, &Limit) -> bool) -> Self {
        let sees_all = visit.visitor.account.as_ref().is_some_and(|account| !account.scope.is_limited());
        Self {
            full_name: full_name.to_owned(),
            roles: Role::ALL.map(|role| (role, roles.contains(&role))).to_vec(),
            scopes: visit
                .scopes()
                .into_iter()
                .map(|(value, label, limit)| ScopeChoice { chosen: is_chosen(&value, &limit), value, label })
                .collect(),
            without: if sees_all {
                "Senza scelte vede tutto."
            } else {
                "Almeno una scelta: voi stessi non vedete tutto."
            },
        }
    }

    /// What was typed, if it is right.
    fn read(visit: &Visit, errors: &mut Errors) -> Result<Option<Edit>, Refusal> {
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
        if !visit.account()?.scope.covers(&scope) {
            errors.add("ambito", "Scegliere a che cosa è limitato: voi stessi non vedete tutto.");
        }
        Ok(roles.filter(|_| errors.is_empty()).map(|roles| Edit { full_name, roles, scope }))
    }
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
    if let (Some(edit), Some(name)) = (Particulars::read(&visit, &mut errors)?, name) {
        let (password, hash) = visit.console.door.provisional().await?;
        let now_ms = visit.console.clock.now_ms();
        let added_name = name.clone();
        let added = visit
            .console
            .store
            .write_async(move |connection| staff::add(connection, &added_name, &edit, Some(&hash), now_ms))
            .await?;
        if added {
            log(&visit, Kind::UserAdded, &name).await?;
            return secret(&visit, "Utente creato", &name, password.expose_secret());
        }
        errors.add("nome", "Questo nome utente c'è già, forse disabilitato: sceglierne un altro.");
    }
    let page = page(&visit, errors, None).await?;
    visit::show_again(&page)
}

/// Whose account was made or changed stands in the log beside who did it.
async fn log(visit: &Visit, kind: Kind, name: &str) -> Result<(), Refusal> {
    visit.log(visit.action(kind)?.saying(format!("utente={name}"))).await
}

/// The account that the path names, of somebody who sees no more than whoever is signed in.
async fn managed(visit: &Visit) -> Result<Account, Refusal> {
    let own = visit.account()?;
    let name = visit.parameter("nome")?.to_owned();
    let found = visit.console.store.read_async(move |connection| staff::find(connection, &name)).await?;
    let found = found.map(|listed| listed.account).filter(|account| own.scope.covers(&account.scope));
    found.ok_or(Refusal::NotFound)
}

/// The same, of somebody else: nobody closes the door behind themselves.
async fn another(visit: &Visit) -> Result<Account, Refusal> {
    let account = managed(visit).await?;
    if account.id == visit.account()?.id { Err(Refusal::Forbidden) } else { Ok(account) }
}

pub(super) async fn change(visit: Visit) -> Answer {
    let account = another(&visit).await?;
    let form = Particulars::of(&visit, &account);
    visit::show(&utente(&visit, account, Errors::default(), form))
}

fn utente(visit: &Visit, account: Account, errors: Errors, form: Particulars) -> Utente {
    Utente {
        frame: visit
            .frame(&format!("Utente {}", account.name))
            .below("Cruscotto", "/")
            .below("Amministrazione", SERVIZIO)
            .below("Utenti", UTENTI),
        errors,
        name: account.name,
        form,
    }
}

pub(super) async fn save(visit: Visit) -> Answer {
    let account = another(&visit).await?;
    let mut errors = Errors::default();
    let Some(mut edit) = Particulars::read(&visit, &mut errors)? else {
        let form = Particulars::typed(&visit);
        return visit::show_again(&utente(&visit, account, errors, form));
    };
    // A limit that the form does not offer, to what is served no longer, is not lost: without any one would see all.
    let offered: Vec<Limit> = visit.scopes().into_iter().map(|(.., limit)| limit).collect();
    let kept = account.scope.limits().iter().filter(|limit| !offered.contains(limit));
    edit.scope = Scope::new(kept.chain(edit.scope.limits()).cloned().collect());
    let name = account.name.clone();
    let saved =
        visit.console.store.write_async(move |connection| staff::edit(connection, &name, &edit)).await?;
    if !saved {
        return Err(Refusal::NotFound);
    }
    log(&visit, Kind::UserChanged, &account.name).await?;
    Ok(visit::go_to("/amministrazione/utenti?fatto=modificato"))
}

pub(super) async fn reset_password(visit: Visit) -> Answer {
    let name = managed(&visit).await?.name;
    let (password, hash) = visit.console.door.provisional().await?;
    let reset = name.clone();
    let done = visit
        .console
        .store
        .write_async(move |connection| staff::set_password(connection, &reset, &hash, true))
        .await?;
    if done {
        log(&visit, Kind::UserChanged, &name).await?;
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
    let name = another(&visit).await?.name;
    let (disabled, now_ms) = (name.clone(), visit.console.clock.now_ms());
    let done = visit
        .console
        .store
        .write_async(move |connection| staff::disable(connection, &disabled, now_ms))
        .await?;
    if !done {
        return Err(Refusal::NotFound);
    }
    log(&visit, Kind::UserDisabled, &name).await?;
    Ok(visit::go_to("/amministrazione/utenti?fatto=disabilitato"))
}
