//! What administrators see to: the deployment and its checks, users, vendors' keys.

mod chiavi;
mod servizio;
mod utenti;

use super::pages::{Access, Page, Section};
use crate::staff::Role;

const ADMINISTRATORS: Access = Access::Roles(&[Role::Amministratore]);

/// Where the deployment, users and keys are managed.
const SERVIZIO: &str = "/amministrazione";
const UTENTI: &str = "/amministrazione/utenti";
const CHIAVI: &str = "/amministrazione/chiavi";
const CONTROLLI: &str = "/amministrazione/controlli";

/// The part for administrators.
pub(super) const SECTION: Section = Section {
    label: Some("Amministrazione"),
    pages: &[
        Page::get(SERVIZIO, ADMINISTRATORS, |visit| Box::pin(servizio::show(visit))),
        Page::post(CONTROLLI, ADMINISTRATORS, |visit| Box::pin(servizio::examine(visit))),
        Page::get("/amministrazione/openapi/{eservice}", ADMINISTRATORS, |visit| {
            Box::pin(std::future::ready(servizio::openapi(&visit)))
        }),
        Page::get(UTENTI, ADMINISTRATORS, |visit| Box::pin(utenti::show(visit))),
        Page::post(UTENTI, ADMINISTRATORS, |visit| Box::pin(utenti::add(visit))),
        Page::get("/amministrazione/utenti/{nome}", ADMINISTRATORS, |visit| Box::pin(utenti::change(visit))),
        Page::post("/amministrazione/utenti/{nome}", ADMINISTRATORS, |visit| Box::pin(utenti::save(visit))),
        Page::post("/amministrazione/utenti/{nome}/password", ADMINISTRATORS, |visit| {
            Box::pin(utenti::reset_password(visit))
        }),
        Page::post("/amministrazione/utenti/{nome}/disabilita", ADMINISTRATORS, |visit| {
            Box::pin(utenti::disable(visit))
        }),
        Page::get(CHIAVI, ADMINISTRATORS, |visit| Box::pin(chiavi::show(visit))),
        Page::post(CHIAVI, ADMINISTRATORS, |visit| Box::pin(chiavi::add(visit))),
        Page::post("/amministrazione/chiavi/{nome}/revoca", ADMINISTRATORS, |visit| {
            Box::pin(chiavi::revoke(visit))
        }),
    ],
};
