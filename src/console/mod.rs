//! What the ente's own people see: pages in Italian, made here and sent whole, which work without a script.
//!
//! A page is a line of a table ([`pages`]) that says its path, its method, who may see it and what answers. Every
//! request goes through one gate ([`gate`]), which looks the page up, finds out who asks, refuses by default, and gives
//! the handler a [`visit::Visit`]. A handler asks one room and fills a template; how a page is framed is in [`frame`].
//! Nothing is decided here about benefits, calls or accounts. `docs/console.md` says how to add a page.

mod access;
mod amministrazione;
mod assets;
mod caricamenti;
mod chart;
mod cruscotto;
mod esiti;
mod form;
mod frame;
pub mod gate;
mod guida;
pub mod pages;
mod parts;
mod prestazioni;
mod refusal;
mod registro;
mod rimedi;
mod ripresa;
mod secret;
mod text;
mod visit;

use std::sync::Arc;

use actix_web::web::{self, Data, ServiceConfig};

use crate::call_log::Appender;
use crate::caricamenti::Bell;
use crate::clock::Clock;
use crate::codes::RulesInForce;
use crate::config::check::Network;
use crate::config::{Config, EService};
use crate::current::Current;
use crate::registry::Registry;
use crate::siuss::rules::Rulebook;
use crate::staff::door::Door;
use crate::staff::password::PasswordError;
use crate::store::{EserviceId, Store};
use crate::voucher::keys::KeySet;

/// An e-service that is served.
pub struct Served {
    /// By what the database knows it.
    pub id: EserviceId,
    /// What the configuration says of it.
    pub config: EService,
    /// The keys of its issuer.
    pub keys: KeySet,
}

/// What the pages share, as one configuration says. A page keeps that in which it began.
pub struct Console {
    config: Config,
    store: Store,
    clock: Clock,
    appender: Appender,
    registry: Registry,
    /// Tells who works on loaded files that there is one.
    bell: Bell,
    rules: Arc<RulesInForce>,
    door: Door,
    eservices: Vec<Served>,
    proxies: Vec<Network>,
    registro: Arc<registro::Work>,
    /// Whether browsers reach it over TLS.
    secure: bool,
}

impl Console {
    /// The pages about these e-services of `config`. What is done in them goes into the
    /// log of `appender`. Blocks for a moment.
    pub fn new(
        config: &Config,
        store: &Store,
        clock: &Clock,
        appender: Appender,
        bell: Bell,
        eservices: Vec<Served>,
    ) -> Result<Self, PasswordError> {
        let door = Door::new(store.clone(), clock.clone())?;
        let registro = Arc::new(registro::Work::new());
        let bare = Self {
            store: store.clone(),
            clock: clock.clone(),
            appender,
            bell,
            registry: Registry::new(store.clone(), clock.clone()),
            rules: Arc::new(RulesInForce::new(config, store.clone())),
            door,
            eservices: Vec::new(),
            proxies: Vec::new(),
            registro,
            secure: false,
            config: Config::default(),
        };
        Ok(bare.under(config, eservices))
    }

    /// The pages as `config` and these e-services make them: who is signed in stays so, and work that was begun goes on.
    #[must_use]
    pub fn under(&self, config: &Config, eservices: Vec<Served>) -> Self {
        let back_office = &config.back_office;
        let https = back_office.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
        Self {
            store: self.store.clone(),
            clock: self.clock.clone(),
            appender: self.appender.clone(),
            bell: self.bell.clone(),
            registry: self.registry.clone(),
            rules: Arc::new(RulesInForce::new(config, self.store.clone())),
            door: self.door.clone(),
            eservices,
            proxies: back_office.trusted_proxies.iter().filter_map(|text| Network::parse(text)).collect(),
            registro: Arc::clone(&self.registro),
            secure: back_office.tls.is_some() || https,
            config: config.clone(),
        }
    }

    /// What records are judged by at this moment.
    async fn rules(&self) -> Result<Arc<Rulebook>, refusal::Refusal> {
        let rules = Arc::clone(&self.rules);
        self.blocking(move || rules.get()).await?.map_err(|error| {
            tracing::error!(%error, "the rules cannot be read");
            refusal::Refusal::Unavailable
        })
    }

    /// Runs `work`, which blocks, where it may.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, refusal::Refusal> {
        tokio::task::spawn_blocking(work).await.map_err(|_| refusal::Refusal::Unavailable)
    }

    /// What the header of every page calls the ente.
    fn ente(&self) -> &str {
        let mut enti = self.eservices.iter().flat_map(|served| &served.config.ente);
        match enti.next() {
            Some(first) if enti.all(|ente| ente.denominazione == first.denominazione) => &first.denominazione,
            _ => "Servizi sociali",
        }
    }
}

/// Answers every path of the listener that nothing else answers.
pub fn mount(app: &mut ServiceConfig, console: Arc<Current<Console>>) {
    app.app_data(Data::from(console)).default_service(web::to(gate::handle));
}
