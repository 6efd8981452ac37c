//! Signing in and out, and one's own password.

use std::future::ready;

use actix_web::http::StatusCode;
use actix_web::http::header;
use askama::Template;
use secrecy::ExposeSecret;

use super::form::Errors;
use super::frame::Frame;
use super::gate::{PASSWORD, SIGN_IN, SIGN_OUT};
use super::pages::{Access, Answer, Page, Section};
use super::refusal::Refusal;
use super::ripresa::Ripresa;
use super::visit::{self, Visit, Visitor};
use crate::call_log::action::{Kind, Outcome};
use crate::staff;
use crate::staff::door::DoorError;
use crate::staff::password::{self, Weakness};
use crate::staff::session::SessionId;

/// What is reached from the header alone.
pub(super) const SECTION: Section = Section {
    label: None,
    pages: &[
        Page::get(SIGN_IN, Access::Anyone, |visit| Box::pin(ready(ask(&visit)))),
        Page::post(SIGN_IN, Access::Anyone, |visit| Box::pin(sign_in(visit))),
        Page::post(SIGN_OUT, Access::SignedIn, |visit| Box::pin(sign_out(visit))),
        Page::get(PASSWORD, Access::SignedIn, |visit| Box::pin(ready(ask_password(&visit)))),
        Page::post(PASSWORD, Access::SignedIn, |visit| Box::pin(change_password(visit))),
    ],
};

/// What the page is called on which one signs in.
pub(super) const TITLE: &str = "Accesso";
/// What is said beside a form that goes on from there.
const KEPT: &str = "L'accesso era scaduto, e non è stato fatto nulla. Il modulo che avete inviato non è perduto: accedete per proseguire.";

#[derive(Template)]
#[template(path = "accesso.html")]
struct SignInPage {
    frame: Frame,
    errors: Errors,
    name: String,
    /// The page that was asked for.
    then: String,
    /// What became of what was sent too late.
    lost: Option<&'static str>,
    /// The form that was sent too late, which goes on from here.
    ripresa: Option<Ripresa>,
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    frame: Frame,
    errors: Errors,
    name: String,
    provisional: bool,
    hint: String,
}

fn ask(visit: &Visit) -> Answer {
    if visit.visitor.account.is_some() {
        return Ok(visit::go_to("/"));
    }
    let then = own_path(visit.query.text("poi")).to_owned();
    let is_late = visit.query.text("scaduto") == "si";
    visit::show(&SignInPage {
        frame: visit.frame(TITLE),
        errors: Errors::default(),
        name: String::new(),
        then,
        lost: is_late.then_some(
            "L'accesso era scaduto, e ciò che avete inviato non è stato fatto: accedete e ripetete.",
        ),
        ripresa: None,
    })
}

/// The same page, for somebody who sent `ripresa` when the session was over.
pub(super) fn ask_again(frame: Frame, ripresa: Ripresa) -> Answer {
    let page = SignInPage {
        frame,
        errors: Errors::default(),
        name: String::new(),
        then: String::new(),
        lost: Some(KEPT),
        ripresa: Some(ripresa),
    };
    visit::show_with(StatusCode::FORBIDDEN, &page)
}

async fn sign_in(visit: Visit) -> Answer {
    let (name, then) = (visit.form.text("nome").to_owned(), own_path(visit.form.text("poi")).to_owned());
    let ripresa = Ripresa::read(&visit.form);
    let former = Some(visit.visitor.id.clone());
    let door = &visit.console.door;
    let refused =
        match door.sign_in(&name, visit.form.secret("password"), visit.visitor.address, former).await {
            Ok((account, id)) => {
                visit.log(visit.action_of(&account.name, Kind::SignedIn)).await?;
                if let Some(ripresa) = ripresa.filter(|_| !account.provisional) {
                    let address = visit.visitor.address;
                    let visitor = Visitor { id: id.clone(), account: Some(account), is_new: false, address };
                    let page = ripresa.page(&visit.console, &visitor);
                    return visit.with_session(visit::show(&page)?, &id);
                }
                let next = match then.as_str() {
                    _ if account.provisional => PASSWORD,
                    "" => "/",
                    then => then,
                };
                return visit.with_session(visit::go_to(next), &id);
            }
            Err(refused) => refused,
        };
    let mut errors = Errors::default();
    let status = match refused {
        DoorError::Refused => {
            let user = known(&visit, &name).await?;
            visit.log(visit.action_of(&user, Kind::SignedIn).with(Outcome::Refused)).await?;
            errors.add("nome", "Nome utente o password non validi.");
            StatusCode::UNPROCESSABLE_ENTITY
        }
        DoorError::TooMany => {
            errors.add("nome", "Troppi tentativi: riprovare tra un quarto d'ora.");
            StatusCode::TOO_MANY_REQUESTS
        }
        error => return Err(error.into()),
    };
    let lost = ripresa.is_some().then_some(KEPT);
    let page = SignInPage { frame: visit.frame(TITLE), errors, name, then, lost, ripresa };
    let mut answer = visit::show_with(status, &page)?;
    if status == StatusCode::TOO_MANY_REQUESTS {
        answer.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("900"));
    }
    Ok(answer)
}

/// What the log calls somebody who was refused: what was typed may be a password, and is kept only if it is a name.
async fn known(visit: &Visit, typed: &str) -> Result<String, Refusal> {
    let name = staff::login_name(typed).unwrap_or_default();
    let found = visit.console.store.read_async(move |connection| staff::find(connection, &name)).await?;
    Ok(found.map_or_else(|| "sconosciuto".to_owned(), |listed| listed.account.name))
}

async fn sign_out(visit: Visit) -> Answer {
    visit.log(visit.action(Kind::SignedOut)?).await?;
    visit.console.door.sign_out(visit.visitor.id.clone()).await?;
    let fresh = SessionId::generate().map_err(DoorError::from)?;
    visit.with_session(visit::go_to(SIGN_IN), &fresh)
}

fn ask_password(visit: &Visit) -> Answer {
    let page = password_page(visit, Errors::default())?;
    visit::show(&page)
}

async fn change_password(visit: Visit) -> Answer {
    let account = visit.account()?.clone();
    let [old, new, again] = ["attuale", "nuova", "conferma"].map(|name| visit.form.secret(name));
    let mut errors = Errors::default();
    if let Err(weakness) = password::judge(&account.name, &new) {
        errors.add("nuova", explained(weakness));
    } else if new.expose_secret() != again.expose_secret() {
        errors.add("conferma", "Le due password nuove sono diverse: scriverle di nuovo.");
    } else if new.expose_secret() == old.expose_secret() {
        errors.add("nuova", "La password nuova è uguale a quella attuale: sceglierne un'altra.");
    }
    if errors.is_empty() {
        match visit.console.door.change_password(&account, old, new, visit.visitor.address).await {
            Ok(id) => {
                visit.log(visit.action(Kind::UserChanged)?).await?;
                return visit.with_session(visit::go_to("/?fatto=password"), &id);
            }
            Err(DoorError::Refused) => errors.add("attuale", "La password attuale non è questa."),
            Err(DoorError::TooMany) => {
                errors.add("attuale", "Troppi tentativi: riprovare tra un quarto d'ora.");
            }
            Err(error) => return Err(error.into()),
        }
    }
    let page = password_page(&visit, errors)?;
    visit::show_again(&page)
}

fn password_page(visit: &Visit, errors: Errors) -> Result<PasswordPage, Refusal> {
    let account = visit.account()?;
    Ok(PasswordPage {
        frame: visit.frame("La vostra password"),
        errors,
        name: account.name.clone(),
        provisional: account.provisional,
        hint: format!("Almeno {} caratteri.", password::SHORTEST),
    })
}

/// What to mend in a password.
pub(super) fn explained(weakness: Weakness) -> String {
    match weakness {
        Weakness::TooShort => format!("La password ha meno di {} caratteri: allungarla.", password::SHORTEST),
        Weakness::TooLong => "La password è troppo lunga: accorciarla.".to_owned(),
        Weakness::Guessable => {
            "La password è facile da indovinare (il nome utente, o pochi caratteri ripetuti): sceglierne un'altra."
                .to_owned()
        }
    }
}

/// `path` if it is one of ours: nobody is led elsewhere after signing in.
fn own_path(path: &str) -> &str {
    let own = path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if own { path } else { "" }
}
