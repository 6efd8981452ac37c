//! Starting and stopping: the two listeners, and what the calls share.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::middleware::Compress;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use futures_util::future::join_all;
use tokio::task::JoinHandle;

use super::limit::AddressLimit;
use super::route::Routes;
use super::service::{EService, Service};
use super::tls::{self, TlsError};
use super::{health, metrics, openapi, prestazioni, public};
use crate::call_log::seal::note::KeyError;
use crate::call_log::seal::schedule::Schedule;
use crate::call_log::seal::writer::Checkpointer;
use crate::call_log::{self, Appender, Limits};
use crate::caricamenti::{Bell, Worker};
use crate::clock::Clock;
use crate::codes::RulesInForce;
use crate::config::Config;
use crate::config::check::{self, Finding, Network, Severity};
use crate::console::{self, Console, Served};
use crate::pdnd::daily;
use crate::registry::Registry;
use crate::retention::Daily;
use crate::staff::password::PasswordError;
use crate::store::{Store, StoreError};
use crate::voucher::Verifier;
use crate::voucher::keys::{Fetch, HttpsOrFile, Refresher};
use crate::voucher::verify::SetupError;

/// How long a client may take to send the head of its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Connections of one worker.
const MOST_CONNECTIONS: usize = 4096;
/// How often it is looked whether a minute is over in which calls were refused for their address.
const SUMMARY_TICK: Duration = Duration::from_secs(5);

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration has findings that forbid it.
    #[error("the configuration is wrong")]
    Wrong(Vec<Finding>),
    /// The database.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The verifier of an e-service cannot be set up.
    #[error("{0}")]
    Voucher(#[from] SetupError),
    /// The key that signs checkpoints.
    #[error("call_log.checkpoint_key: {0}")]
    CheckpointKey(#[from] KeyError),
    /// Certificate or key.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// The back office has no door.
    #[error("{0}")]
    Password(#[from] PasswordError),
    /// A listener cannot be opened.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The machine refused a thread.
    #[error("cannot start: {0}")]
    Io(#[from] io::Error),
}

/// A service that runs.
pub struct Running {
    /// Where INPS reaches it.
    pub api: SocketAddr,
    /// Where the ente's own people reach it.
    pub back_office: SocketAddr,
    handles: [ServerHandle; 2],
    servers: [JoinHandle<io::Result<()>>; 2],
    service: Data<Service>,
    summaries: JoinHandle<()>,
    checkpoints: Option<Schedule>,
    daily_counts: Vec<daily::Running>,
    retention: Daily,
    uploads: Worker,
    /// They end with the service.
    _refreshers: Vec<Refresher>,
    _certificates: [Option<tls::Watcher>; 2],
}

impl Running {
    /// Takes no more calls, lets those in flight finish, writes what the call log holds, and signs it.
    pub async fn stop(self) {
        let [api, back_office] = &self.handles;
        let counts = join_all(self.daily_counts.into_iter().map(daily::Running::stop));
        tokio::join!(api.stop(true), back_office.stop(true), counts, self.uploads.stop());
        for server in self.servers {
            if let Ok(Err(error)) = server.await {
                tracing::error!(%error, "a listener ended badly");
            }
        }
        self.summaries.abort();
        drop(self.retention);
        public::summarise(&self.service, self.service.limit.close()).await;
        self.service.appender.shutdown().await;
        if let Some(checkpoints) = self.checkpoints {
            checkpoints.stop().await;
        }
    }
}

/// Starts the service that `config` describes. Needs a tokio runtime.
pub async fn start(config: &Config, clock: Clock) -> Result<Running, StartError> {
    let (wrong, risky): (Vec<_>, Vec<_>) =
        check::check(config).into_iter().partition(|finding| finding.severity == Severity::Wrong);
    if !wrong.is_empty() {
        return Err(StartError::Wrong(wrong));
    }
    for finding in risky {
        tracing::warn!(key = finding.key, remedy = finding.remedy, "{}", finding.message);
    }
    let store = Store::open(&config.database)?;
    migrate(&store, Duration::from_secs(u64::from(config.database.startup_seconds))).await?;
    let appender = Appender::start(store.clone(), clock.clone())?;
    let checkpointer = Checkpointer::open(config, store.clone(), clock.clone())?;
    let (eservices, refreshers) = eservices(config, &store, &clock).await?;
    let tls = config.api.tls.as_ref().map(tls::acceptor).transpose()?;
    let back_office_tls = config.back_office.tls.as_ref().map(tls::acceptor).transpose()?;
    let bell = Bell::default();
    let known: Vec<_> = eservices.iter().map(|(_, one)| (one.id, one.config.clone())).collect();
    let console = console(config, &store, &clock, &appender, &bell, &eservices).await?;
    let service = Data::new(Service {
        routes: Routes::new(eservices),
        registry: Registry::new(store.clone(), clock.clone()),
        appender,
        clock,
        trusted_proxies: config.api.trusted_proxies.iter().filter_map(|text| Network::parse(text)).collect(),
        limit: AddressLimit::new(config.api.refused_calls_per_minute),
        over_tls: tls.is_some(),
        rules: Arc::new(RulesInForce::new(config, store.clone())),
        daily_counts: config.tracing.iter().filter(|one| one.daily).map(|one| one.name.clone()).collect(),
        store,
        metrics: metrics::Metrics::new(),
    });
    let retention = Daily::start(config, &service.store, &service.clock);
    let (rules, clock) = (Arc::clone(&service.rules), service.clock.clone());
    let uploads = Worker::start(service.store.clone(), clock, rules, known, bell);
    let shutdown_seconds = u64::from(config.api.shutdown_seconds);

    let listener = listen(&config.api.bind)?;
    let api = listener.local_addr()?;
    let shared = Data::clone(&service);
    let server = HttpServer::new(move || {
        App::new()
            .wrap(Compress::default())
            .app_data(Data::clone(&shared))
            .default_service(web::to(public::handle))
    })
    .client_request_timeout(HEAD_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .max_connections(MOST_CONNECTIONS)
    .shutdown_timeout(shutdown_seconds)
    .disable_signals();
    let (server, certificate) = match tls {
        Some((builder, watcher)) => (server.listen_openssl(listener, builder)?, Some(watcher)),
        None => (server.listen(listener)?, None),
    };
    let api_server = server.run();

    let listener = listen(&config.back_office.bind)?;
    let back_office = listener.local_addr()?;
    let shared = Data::clone(&service);
    let console = Arc::new(console);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::clone(&shared))
            .route("/health/live", web::get().to(health::live))
            .route("/health/ready", web::get().to(health::ready))
            .route("/metrics", web::get().to(metrics::get))
            .route("/api/v1/{path:.*}", web::to(prestazioni::handle))
            .configure(|app| console::mount(app, Arc::clone(&console)))
    })
    .workers(2)
    .client_request_timeout(HEAD_TIMEOUT)
    .shutdown_timeout(shutdown_seconds)
    .disable_signals();
    let (server, back_office_certificate) = match back_office_tls {
        Some((builder, watcher)) => (server.listen_openssl(listener, builder)?, Some(watcher)),
        None => (server.listen(listener)?, None),
    };
    let back_office_server = server.run();

    let checkpoints = checkpointer.map(|checkpointer| Schedule::start(config, checkpointer));
    tracing::info!(%api, %back_office, eservices = config.eservice.len(), "serving");
    Ok(Running {
        api,
        back_office,
        handles: [api_server.handle(), back_office_server.handle()],
        servers: [tokio::spawn(api_server), tokio::spawn(back_office_server)],
        summaries: tokio::spawn(summarise(Data::clone(&service))),
        checkpoints,
        daily_counts: daily::start(config, &service.store, &service.clock),
        retention,
        uploads,
        service,
        _refreshers: refreshers,
        _certificates: [certificate, back_office_certificate],
    })
}

/// The pages of the back office.
async fn console(
    config: &Config,
    store: &Store,
    clock: &Clock,
    appender: &Appender,
    bell: &Bell,
    eservices: &Named,
) -> Result<Console, StartError> {
    let served = |(_, eservice): &(String, EService)| Served {
        id: eservice.id,
        config: eservice.config.clone(),
        keys: eservice.verifier.keys().clone(),
    };
    let known = eservices.iter().map(served).collect();
    let (config, store, clock) = (config.clone(), store.clone(), clock.clone());
    let (appender, bell) = (appender.clone(), bell.clone());
    let console =
        tokio::task::spawn_blocking(move || Console::new(&config, &store, &clock, appender, bell, known));
    Ok(console.await.map_err(io::Error::other)??)
}

/// Logs now and then what was refused for its address, and folds what was measured.
async fn summarise(service: Data<Service>) {
    loop {
        tokio::time::sleep(SUMMARY_TICK).await;
        public::summarise(&service, service.limit.take_refused(service.clock.now())).await;
        service.metrics.fold();
    }
}

/// Brings the tables up to date, waiting for at most `patience` for a database that is not there yet.
async fn migrate(store: &Store, patience: Duration) -> Result<(), StartError> {
    let deadline = Instant::now() + patience;
    loop {
        let migrating = store.clone();
        let work = move || {
            let applied = migrating.migrate()?;
            migrating.write(call_log::catch_up)?;
            Ok::<_, StoreError>(applied)
        };
        match tokio::task::spawn_blocking(work).await.map_err(io::Error::other)? {
            Ok(applied) => {
                if !applied.is_empty() {
                    tracing::info!(?applied, "the database was brought up to date");
                }
                return Ok(());
            }
            Err(error) if error.is_unavailable() && Instant::now() < deadline => {
                tracing::warn!(%error, "waiting for the database");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

type Named = Vec<(String, EService)>;

/// The e-services by base path, their keys fetched a first time.
async fn eservices(
    config: &Config,
    store: &Store,
    clock: &Clock,
) -> Result<(Named, Vec<Refresher>), StartError> {
    let (config, store, clock) = (config.clone(), store.clone(), clock.clone());
    let prepare = move || {
        let fetch: Arc<dyn Fetch> = Arc::new(HttpsOrFile::default());
        let verifiers = Verifier::all(&config, &fetch, &store, &clock)?;
        let mut prepared = Vec::with_capacity(verifiers.len());
        for (eservice, verifier) in config.eservice.iter().zip(verifiers) {
            let ready = EService {
                id: store.register_eservice(&eservice.name)?,
                verifier,
                limits: Limits {
                    per_consumer: eservice.daily_calls_per_consumer,
                    total: eservice.daily_calls_total,
                },
                openapi: openapi::document(eservice, config.api.public_url.as_deref()).into(),
                total: Mutex::new(None),
                config: eservice.clone(),
            };
            prepared.push((eservice.base_path.clone(), ready));
        }
        Ok::<_, StartError>(prepared)
    };
    let prepared = tokio::task::spawn_blocking(prepare).await.map_err(io::Error::other)??;
    let mut refreshers: BTreeMap<String, Refresher> = BTreeMap::new();
    for keys in prepared.iter().flat_map(|(_, eservice)| eservice.verifier.key_sets()) {
        let url = keys.status().url;
        if refreshers.contains_key(&url) {
            continue;
        }
        keys.refresh_if_due().await;
        let status = keys.status();
        match &status.failure {
            Some(failure) => {
                tracing::error!(url, failure, keys = status.keys, "keys cannot be fetched");
            }
            None => tracing::info!(url, keys = status.keys, "keys are at hand"),
        }
        refreshers.insert(url, keys.keep_fresh());
    }
    Ok((prepared, refreshers.into_values().collect()))
}

fn listen(address: &str) -> Result<TcpListener, StartError> {
    let open = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    open().map_err(|source| StartError::Listen { address: address.to_owned(), source })
}
