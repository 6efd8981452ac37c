//! One request for a page that may be seen: who asks, for what, and with what.

use std::net::IpAddr;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;
use askama::Template;

use super::form::{Form, Upload};
use super::frame::Frame;
use super::pages::Answer;
use super::refusal::Refusal;
use super::{Console, Served};
use crate::call_log::Actor;
use crate::call_log::action::{Action, Kind, Way};
use crate::config::Config;
use crate::staff::session::SessionId;
use crate::staff::{Account, Roles, Scope};
use crate::store::EserviceId;

/// Who asks.
pub(super) struct Visitor {
    /// What the visitor's cookie says, or is to say.
    pub(super) id: SessionId,
    /// Who is signed in, if somebody is.
    pub(super) account: Option<Account>,
    /// Whether the cookie must be set: the browser did not have it.
    pub(super) is_new: bool,
    /// Where the request came from.
    pub(super) address: Option<IpAddr>,
}

impl Visitor {
    /// The roles, and whether the password is provisional; none when nobody is signed in.
    pub(super) fn standing(&self) -> Option<(&Roles, bool)> {
        self.account.as_ref().map(|account| (&account.roles, account.provisional))
    }
}

/// An e-service, or an ente of it.
pub(super) type Limit = (EserviceId, Option<String>);

/// A request that passed the gate.
pub(super) struct Visit {
    pub(super) console: Data<Console>,
    pub(super) visitor: std::rc::Rc<Visitor>,
    /// The path that was asked for.
    pub(super) path: String,
    pub(super) parameters: Vec<(&'static str, String)>,
    pub(super) query: Form,
    /// The form that was sent; empty where none is.
    pub(super) form: Form,
    /// The file that comes with it, of which nothing was read yet.
    pub(super) upload: Option<Upload>,
}

impl Visit {
    /// Who is signed in: somebody, on every page that is not for anyone.
    pub(super) fn account(&self) -> Result<&Account, Refusal> {
        self.visitor.account.as_ref().ok_or(Refusal::SignIn)
    }

    /// The text in the path's braces of this name.
    pub(super) fn parameter(&self, name: &str) -> Result<&str, Refusal> {
        let found = self.parameters.iter().find(|(one, _)| *one == name);
        found.map(|(_, value)| value.as_str()).ok_or(Refusal::NotFound)
    }

    /// What whoever is signed in does, for the log of calls.
    pub(super) fn action(&self, kind: Kind) -> Result<Action, Refusal> {
        Ok(self.action_of(&self.account()?.name, kind))
    }

    /// What somebody with this name does.
    pub(super) fn action_of(&self, name: &str, kind: Kind) -> Action {
        let actor = Actor { user: name.to_owned(), way: Way::Console, client_ip: self.visitor.address };
        Action::new(&actor, kind)
    }

    /// Writes into the log of calls what was done; it is durable when this returns. A page that shows or changes
    /// personal data is answered after that.
    pub(super) async fn log(&self, action: Action) -> Result<(), Refusal> {
        self.console.appender.action(action).await?;
        Ok(())
    }

    /// The e-services that whoever is signed in may see.
    pub(super) fn eservices(&self) -> impl Iterator<Item = &Served> {
        let account = self.visitor.account.as_ref();
        let may = move |served: &&Served| account.is_some_and(|account| account.scope.includes(served.id));
        self.console.eservices.iter().filter(may)
    }

    /// The configuration, as far as it is about e-services and enti that whoever is signed in may see: what is said of it
    /// names no other.
    pub(super) fn config(&self) -> Result<Config, Refusal> {
        let scope = &self.account()?.scope;
        let mut config = self.console.config.clone();
        let id =
            |name: &str| self.eservices().find(|served| served.config.name == name).map(|served| served.id);
        config.eservice.retain_mut(|eservice| {
            let seen = id(&eservice.name);
            eservice.ente.retain(|ente| seen.is_some_and(|id| scope.includes_ente(id, &ente.codice)));
            seen.is_some()
        });
        config.tracing.retain_mut(|section| {
            section.eservices.retain(|name| id(name).is_some());
            !section.eservices.is_empty()
        });
        Ok(config)
    }

    /// What users and keys may be limited to by whoever is signed in: each e-service, and where it has several enti each
    /// of them, as far as they see all of it. A value for a form, a label, and what it means.
    pub(super) fn scopes(&self) -> Vec<(String, String, Limit)> {
        let mut scopes = Vec::new();
        for Served { id, config, .. } in self.eservices() {
            scopes.push((format!("{}:", config.name), config.name.clone(), (*id, None)));
            if config.ente.len() > 1 {
                scopes.extend(config.ente.iter().map(|ente| {
                    let value = format!("{}:{}", config.name, ente.codice);
                    let label = format!("{}: {} ({})", config.name, ente.denominazione, ente.codice);
                    (value, label, (*id, Some(ente.codice.clone())))
                }));
            }
        }
        let account = self.visitor.account.as_ref();
        scopes.retain(|(.., limit)| {
            account.is_some_and(|account| account.scope.covers(&Scope::new(vec![limit.clone()])))
        });
        scopes
    }

    /// The frame of a page with this title.
    pub(super) fn frame(&self, title: &str) -> Frame {
        Frame::new(&self.console, &self.visitor, &self.path, title)
    }

    /// The same answer, which makes `id` the browser's session.
    pub(super) fn with_session(&self, answer: HttpResponse, id: &SessionId) -> Answer {
        with_cookie(answer, &self.console, id)
    }
}

/// The answer with a page.
pub(super) fn show(template: &impl Template) -> Answer {
    show_with(StatusCode::OK, template)
}

/// The answer with a form that was sent and is wrong.
pub(super) fn show_again(template: &impl Template) -> Answer {
    show_with(StatusCode::UNPROCESSABLE_ENTITY, template)
}

/// The answer with a page, of this status.
pub(super) fn show_with(status: StatusCode, template: &impl Template) -> Answer {
    Ok(HttpResponse::build(status).content_type("text/html; charset=utf-8").body(template.render()?))
}

/// The answer that sends the browser to a page of ours.
pub(super) fn go_to(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, path)).finish()
}

/// The name of the cookie: the prefix, where browsers honour it, keeps a neighbour's host from setting it.
pub(super) fn cookie_name(console: &Console) -> &'static str {
    if console.secure { "__Host-waas-comuni" } else { "waas-comuni" }
}

pub(super) fn with_cookie(mut answer: HttpResponse, console: &Console, id: &SessionId) -> Answer {
    let (name, value) = (cookie_name(console), id.cookie_value());
    let secure = if console.secure { "; Secure" } else { "" };
    let cookie = HeaderValue::try_from(format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}"));
    answer.headers_mut().insert(header::SET_COOKIE, cookie.map_err(|_| Refusal::Unavailable)?);
    Ok(answer)
}
