//! What administrators see to: users.

mod utenti;

use super::pages::{Access, Page, Section};
use crate::staff::Role;

const ADMINISTRATORS: Access = Access::Roles(&[Role::Amministratore]);

/// Where users are managed.
const UTENTI: &str = "/amministrazione/utenti";

/// The part for administrators.
pub(super) const SECTION: Section = Section {
    label: Some("Amministrazione"),
    pages: &[
        Page::get(UTENTI, ADMINISTRATORS, |visit| Box::pin(utenti::show(visit))),
        Page::post(UTENTI, ADMINISTRATORS, |visit| Box::pin(utenti::add(visit))),
        Page::post("/amministrazione/utenti/{nome}/password", ADMINISTRATORS, |visit| {
            Box::pin(utenti::reset_password(visit))
        }),
        Page::post("/amministrazione/utenti/{nome}/disabilita", ADMINISTRATORS, |visit| {
            Box::pin(utenti::disable(visit))
        }),
    ],
};
