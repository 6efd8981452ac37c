//! Starting and stopping: the two listeners, and what the calls share.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use rustix::net::sockopt;
use tokio::task::JoinHandle;

use super::jobs::Jobs;
use super::prepare::{Refreshers, keep_fresh, prepare};
use super::service::Service;
use super::tls::{self, Certificate, TlsError};
use super::{health, metrics, prestazioni, public};
use crate::call_log::seal::note::KeyError;
use crate::call_log::{self, Appender};
use crate::caricamenti::{Bell, Tally, Worker};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::check::{self, Finding, Severity};
use crate::console::{self, Console, Served};
use crate::current::Current;
use crate::staff::password::PasswordError;
use crate::store::{Store, StoreError};
use crate::telemetry::span::Exporter;
use crate::voucher::verify::SetupError;

/// How long a client may take to send the head of its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How often it is looked whether a minute is over in which calls were refused without an entry of their own.
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
    /// What it was started with or last took over.
    pub(super) config: Config,
    pub(super) service: Arc<Current<Service>>,
    pub(super) console: Arc<Current<Console>>,
    pub(super) uploads: Worker,
    pub(super) jobs: Jobs,
    /// Of the two listeners.
    pub(super) certificates: [Option<Certificate>; 2],
    handles: [ServerHandle; 2],
    servers: [JoinHandle<io::Result<()>>; 2],
    summaries: JoinHandle<()>,
}

impl Running {
    /// Takes no more calls, lets those in flight finish, writes what the call log holds, and signs it.
    pub async fn stop(mut self) {
        let [api, back_office] = &self.handles;
        tokio::join!(api.stop(true), back_office.stop(true), self.jobs.wind_down(), self.uploads.stop());
        for server in self.servers {
            if let Ok(Err(error)) = server.await {
                tracing::error!(%error, "a listener ended badly");
            }
        }
        self.summaries.abort();
        let service = self.service.get();
        public::summarise(&service, service.limit.close(), service.admission.close()).await;
        service.appender.shutdown().await;
        self.jobs.stop().await;
    }
}

/// Starts the service that `config` describes. Needs a tokio runtime.
pub async fn start(config: &Config, clock: Clock) -> Result<Running, StartError> {
    judge(config).map_err(StartError::Wrong)?;
    let store = Store::open_to_serve(&config.database)?;
    migrate(&store, Duration::from_secs(u64::from(config.database.startup_seconds))).await?;
    let appender = Appender::start(store.clone(), clock.clone())?;
    let prepared = prepare(config, &store, &clock, None).await?;
    let refreshers = keep_fresh(&prepared.eservices, Refreshers::new()).await;
    let tls = config.api.tls.as_ref().map(tls::acceptor).transpose()?;
    let back_office_tls = config.back_office.tls.as_ref().map(tls::acceptor).transpose()?;
    let bell = Bell::default();
    let console = console(config, &store, &clock, &appender, &bell, prepared.served()).await?;
    let known = prepared.known();
    let mut service = Service::new(config, prepared.eservices, store.clone(), clock.clone(), appender);
    let collector = config.telemetry.otlp_traces_url.as_deref();
    service.spans = collector.map(Exporter::start).transpose()?.map(Arc::new);
    let (rules, counted) = (Arc::clone(&service.rules), Arc::clone(&service.metrics));
    let tally: Tally = Arc::new(move |eservice, taken, refused| counted.imported(eservice, taken, refused));
    let (service, console) = (Arc::new(Current::new(service)), Arc::new(Current::new(console)));
    let shutdown_seconds = u64::from(config.api.shutdown_seconds);

    let listener = listen(&config.api.bind)?;
    // Connections inherit it. What a client has asked for and does not take is held no longer than this.
    let stalled = u32::from(config.api.stalled_seconds).saturating_mul(1000);
    sockopt::set_tcp_user_timeout(&listener, stalled).map_err(io::Error::from)?;
    let api = listener.local_addr()?;
    let workers = std::thread::available_parallelism()?.get();
    let connections = usize::try_from(config.api.connections).unwrap_or(usize::MAX);
    let shared = Data::from(Arc::clone(&service));
    let server = HttpServer::new(move || {
        App::new().app_data(Data::clone(&shared)).default_service(web::to(public::handle))
    })
    .client_request_timeout(HEAD_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .workers(workers)
    .max_connections(connections.div_ceil(workers))
    // A page leaves in several writes: the last must not wait for the client's acknowledgement of the one before.
    .tcp_nodelay(true)
    .shutdown_timeout(shutdown_seconds)
    .disable_signals();
    let (server, certificate) = match tls {
        Some((builder, certificate)) => (server.listen_openssl(listener, builder)?, Some(certificate)),
        None => (server.listen(listener)?, None),
    };
    let api_server = server.run();

    let listener = listen(&config.back_office.bind)?;
    let back_office = listener.local_addr()?;
    let (shared, pages) = (Data::from(Arc::clone(&service)), Arc::clone(&console));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::clone(&shared))
            .route("/health/live", web::get().to(health::live))
            .route("/health/ready", web::get().to(health::ready))
            .route("/metrics", web::get().to(metrics::get))
            .route("/api{path:(?:/.*)?}", web::to(prestazioni::handle))
            .configure(|app| console::mount(app, Arc::clone(&pages)))
    })
    .workers(2)
    .client_request_timeout(HEAD_TIMEOUT)
    .shutdown_timeout(shutdown_seconds)
    .disable_signals();
    let (server, back_office_certificate) = match back_office_tls {
        Some((builder, certificate)) => (server.listen_openssl(listener, builder)?, Some(certificate)),
        None => (server.listen(listener)?, None),
    };
    let back_office_server = server.run();

    tracing::info!(%api, %back_office, eservices = config.eservice.len(), "serving");
    Ok(Running {
        api,
        back_office,
        config: config.clone(),
        jobs: Jobs::start(config, prepared.checkpointer, refreshers, &store, &clock),
        uploads: Worker::start(store, clock, rules, known, bell, tally),
        handles: [api_server.handle(), back_office_server.handle()],
        servers: [tokio::spawn(api_server), tokio::spawn(back_office_server)],
        summaries: tokio::spawn(summarise(Arc::clone(&service))),
        service,
        console,
        certificates: [certificate, back_office_certificate],
    })
}

/// Tells what is risky about `config`; fails with what is wrong.
pub(super) fn judge(config: &Config) -> Result<(), Vec<Finding>> {
    let (wrong, risky): (Vec<_>, Vec<_>) =
        check::check(config).into_iter().partition(|finding| finding.severity == Severity::Wrong);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    for finding in risky {
        tracing::warn!(key = finding.subject(), remedy = finding.remedy, "{}", finding.message);
    }
    Ok(())
}

/// The pages of the back office.
async fn console(
    config: &Config,
    store: &Store,
    clock: &Clock,
    appender: &Appender,
    bell: &Bell,
    served: Vec<Served>,
) -> Result<Console, StartError> {
    let (config, store, clock) = (config.clone(), store.clone(), clock.clone());
    let (appender, bell) = (appender.clone(), bell.clone());
    let console =
        tokio::task::spawn_blocking(move || Console::new(&config, &store, &clock, appender, bell, served));
    Ok(console.await.map_err(io::Error::other)??)
}

/// Logs now and then what was refused without an entry of its own, and folds what was measured.
async fn summarise(service: Arc<Current<Service>>) {
    loop {
        tokio::time::sleep(SUMMARY_TICK).await;
        let service = service.get();
        let now = service.clock.now();
        let (refused, shed) = (service.limit.take_refused(now), service.admission.take_shed(now));
        public::summarise(&service, refused, shed).await;
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

fn listen(address: &str) -> Result<TcpListener, StartError> {
    let open = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    open().map_err(|source| StartError::Listen { address: address.to_owned(), source })
}
