//! Why a page is not shown, and what is said of it.

use actix_web::http::StatusCode;

use crate::staff::door::DoorError;
use crate::store::StoreError;

/// Why a page is not shown.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no such page, or no such thing.
    NotFound,
    /// The page is read, not sent, or the other way round.
    OtherMethod(&'static str),
    /// Nobody is signed in.
    SignIn,
    /// The password must be changed first.
    ChangePassword,
    /// It is for other roles.
    Forbidden,
    /// The form is not one that this visitor was given, or comes from elsewhere.
    Forged,
    /// The form cannot be read.
    Malformed,
    /// The form is too large.
    TooLarge,
    /// The identity proxy vouches for somebody who has no account.
    NoAccount,
    /// Something inside failed; the log has it.
    Unavailable,
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::OtherMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::SignIn | Self::ChangePassword => StatusCode::SEE_OTHER,
            Self::Forbidden | Self::Forged | Self::NoAccount => StatusCode::FORBIDDEN,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What is said: a title, and what to do.
    pub(super) fn text(&self) -> (&'static str, &'static str) {
        match self {
            Self::NotFound => (
                "Pagina inesistente",
                "Questo indirizzo non porta a nulla: controllarlo, o ripartire dal cruscotto.",
            ),
            Self::OtherMethod(_) => (
                "Richiesta non ammessa",
                "Questo indirizzo non risponde a richieste di questo tipo: ripartire dal cruscotto.",
            ),
            Self::SignIn | Self::ChangePassword => ("Accesso necessario", "Accedere per proseguire."),
            Self::Forbidden => (
                "Pagina non consentita",
                "Il vostro ruolo non prevede questa pagina. Se serve, chiedere a un amministratore di cambiarlo.",
            ),
            Self::Forged => (
                "Modulo scaduto",
                "Il modulo non è più valido, forse perché l'accesso è scaduto o avvenuto di nuovo. Non è stato fatto \
                 nulla: riaprire la pagina e ripetere.",
            ),
            Self::Malformed => (
                "Richiesta non leggibile",
                "Il modulo non è arrivato per intero o non è leggibile. Non è stato fatto nulla: riaprire la pagina e \
                 ripetere.",
            ),
            Self::TooLarge => ("Richiesta troppo grande", "Il modulo è troppo grande: accorciare i testi."),
            Self::NoAccount => (
                "Utente non abilitato",
                "L'ente vi ha riconosciuto, ma qui non avete un'utenza in vigore: chiederla a un amministratore.",
            ),
            Self::Unavailable => (
                "Servizio momentaneamente non disponibile",
                "La pagina non può essere mostrata in questo momento: riprovare tra poco. Se continua, avvisare chi \
                 gestisce il servizio.",
            ),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a page cannot be made");
        Self::Unavailable
    }
}

impl From<DoorError> for Refusal {
    fn from(error: DoorError) -> Self {
        tracing::error!(%error, "somebody cannot be let in");
        Self::Unavailable
    }
}

impl From<askama::Error> for Refusal {
    fn from(error: askama::Error) -> Self {
        tracing::error!(%error, "a template cannot be filled");
        Self::Unavailable
    }
}
