//! What the ente's own people see: pages in Italian, made here and sent whole, which work without a script.
//!
//! A page is a line of a table ([`pages`]) that says its path, its method, who may see it and what answers. Every
//! request goes through one gate ([`gate`]), which looks the page up, finds out who asks, refuses by default, and gives
//! the handler a [`visit::Visit`]. A handler asks one room and fills a template; how a page is framed is in [`frame`].
//! Nothing is decided here about benefits, calls or accounts. `docs/console.md` says how to add a page.

mod access;
mod amministrazione;
mod assets;
mod cruscotto;
mod form;
mod frame;
pub mod gate;
pub mod pages;
mod refusal;
mod text;
mod visit;

use std::sync::Arc;

use actix_web::web::{self, Data, ServiceConfig};

use crate::call_log::Appender;
use crate::clock::Clock;
use crate::config::check::Network;
use crate::config::{Config, EService};
use crate::registry::Registry;
use crate::staff::door::Door;
use crate::staff::password::PasswordError;
use crate::store::{EserviceId, Store};

/// What the pages share.
pub struct Console {
    config: Config,
    store: Store,
    clock: Clock,
    appender: Appender,
    registry: Registry,
    door: Door,
    eservices: Vec<(EserviceId, EService)>,
    proxies: Vec<Network>,
    /// Whether browsers reach it over TLS.
    secure: bool,
}

impl Console {
    /// The pages about the e-services of `config`, which `store` knows by these ids. What is done in them goes into the
    /// log of `appender`. Blocks for a moment.
    pub fn new(
        config: &Config,
        store: &Store,
        clock: &Clock,
        appender: Appender,
        eservices: Vec<(EserviceId, EService)>,
    ) -> Result<Self, PasswordError> {
        let back_office = &config.back_office;
        let https = back_office.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
        Ok(Self {
            store: store.clone(),
            clock: clock.clone(),
            appender,
            registry: Registry::new(store.clone(), clock.clone()),
            door: Door::new(store.clone(), clock.clone())?,
            eservices,
            proxies: back_office.trusted_proxies.iter().filter_map(|text| Network::parse(text)).collect(),
            secure: back_office.tls.is_some() || https,
            config: config.clone(),
        })
    }

    /// What the header of every page calls the ente.
    fn ente(&self) -> &str {
        let mut enti = self.eservices.iter().flat_map(|(_, eservice)| &eservice.ente);
        match enti.next() {
            Some(first) if enti.all(|ente| ente.denominazione == first.denominazione) => &first.denominazione,
            _ => "Servizi sociali",
        }
    }
}

/// Answers every path of the listener that nothing else answers.
pub fn mount(app: &mut ServiceConfig, console: Arc<Console>) {
    app.app_data(Data::from(console)).default_service(web::to(gate::handle));
}
