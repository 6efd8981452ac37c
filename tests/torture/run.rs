//! One run: the things on the stage, the actors, the end.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use waas_comuni::voucher::issuer::{self, Profile};

use crate::chaos::{self, Chaos};
use crate::checker::{Checker, Connection, Fact};
use crate::client::Client;
use crate::cluster::Cluster;
use crate::fleet::Fleet;
use crate::importer::Importer;
use crate::proxy::Proxy;
use crate::stats::Stats;
use crate::vendor::Vendor;

/// How long nothing at all may happen, once nothing is in the way of what is under way.
const PATIENCE: Duration = Duration::from_secs(120);
/// Flows that a client may have still to pull before writers wait for it.
const FAR_BEHIND: usize = 4_000;

/// The product's program, in the folder of a run.
const PROGRAM: &str = "waas-comuni";
/// This program, there, as it is started for an instance.
pub(crate) const INSTANCE: &str = "instance";

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// One of the e-services that share the processes and the database: each has a feed, a register and clients of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EService {
    /// Its place among [`ESERVICES`].
    pub(crate) index: usize,
    pub(crate) name: &'static str,
    pub(crate) base_path: &'static str,
    pub(crate) ente: &'static str,
}

pub(crate) const ESERVICES: [EService; 2] = [
    EService { index: 0, name: "prova", base_path: "/waas/v1", ente: "H501" },
    EService { index: 1, name: "altra", base_path: "/altra/waas/v1", ente: "A944" },
];

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) database: Database,
    pub(crate) seed: u64,
    /// How long there are faults, at least.
    pub(crate) time: Duration,
    /// Milliseconds between two faults, at least and at most.
    pub(crate) pace: (u64, u64),
    /// Whether something that must hold is known not to.
    pub(crate) expect_violation: bool,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Everything happens.
    Storm,
    /// No more faults; writers finish what they have begun, and begin nothing.
    Calm,
    /// Nothing is written any longer; clients pull to the end.
    Drain,
    /// Everybody goes home.
    Over,
}

/// What the actors share.
pub(crate) struct Stage {
    pub(crate) folder: PathBuf,
    pub(crate) seed: u64,
    pub(crate) stats: Stats,
    pub(crate) fleet: Fleet,
    pub(crate) profile: Profile,
    phase: AtomicU8,
    /// How many flows the slowest client of each e-service has still to pull.
    pub(crate) behind: [AtomicUsize; ESERVICES.len()],
    violation: Mutex<Option<String>>,
    /// To the checker of each e-service.
    facts: [Mutex<Sender<Fact>>; ESERVICES.len()],
}

impl Stage {
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Storm,
            1 => Phase::Calm,
            2 => Phase::Drain,
            _ => Phase::Over,
        }
    }

    fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::SeqCst);
    }

    /// Whether to begin to write something more. Waits for clients that are far behind: they are who this is about.
    pub(crate) fn may_write(&self, eservice: EService) -> bool {
        let behind = &self.behind[eservice.index];
        while self.phase() == Phase::Storm && behind.load(Ordering::SeqCst) > FAR_BEHIND {
            thread::sleep(Duration::from_millis(20));
        }
        self.phase() == Phase::Storm
    }

    /// Ends the run: what must hold does not.
    pub(crate) fn violated(&self, what: impl Into<String>) {
        self.violation.lock().unwrap().get_or_insert(what.into());
        self.enter(Phase::Over);
    }

    fn violation(&self) -> Option<String> {
        self.violation.lock().unwrap().clone()
    }

    /// Tells the checker of the e-service what an actor was told.
    pub(crate) fn tell(&self, eservice: EService, fact: Fact) {
        // The checker ends before the others only when the run is over.
        let _ = self.facts[eservice.index].lock().unwrap().send(fact);
    }

    /// The product's own program, about to be started.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        program(&self.folder, arguments)
    }
}

fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(folder.join(PROGRAM));
    command.current_dir(folder).args(arguments).env_remove("RUST_LOG");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What became of a run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) violation: Option<String>,
    pub(crate) text: String,
    pub(crate) json: Value,
}

/// Runs `plan`.
pub(crate) fn run(plan: &Plan) -> Report {
    let folder = TempDir::with_prefix("waas-comuni-torture-").unwrap();
    let (cluster, proxy) = match plan.database {
        Database::Sqlite => (None, None),
        Database::Postgres => {
            let cluster = Cluster::start();
            let proxy = Proxy::start(cluster.port);
            (Some(cluster), Some(proxy))
        }
    };
    let connection = match &cluster {
        None => Connection::Sqlite(folder.path().join("waas-comuni.db")),
        Some(cluster) => {
            Connection::Postgres(format!("postgres://postgres@127.0.0.1:{}/postgres", cluster.port))
        }
    };
    let url = match &proxy {
        None => "sqlite://waas-comuni.db".to_owned(),
        Some(proxy) => format!("postgres://postgres@127.0.0.1:{}/postgres", proxy.port),
    };
    let own = std::env::current_exe().unwrap();
    for (from, name) in [(own.as_path(), INSTANCE), (Path::new(env!("CARGO_BIN_EXE_waas-comuni")), PROGRAM)] {
        // What is built meanwhile must not change, or end, a run that takes long.
        let to = folder.path().join(name);
        if fs::hard_link(from, &to).is_err() {
            fs::copy(from, &to).unwrap();
        }
    }
    let profile = configure(folder.path(), &url);
    let (facts, told): (Vec<_>, Vec<_>) = ESERVICES.map(|_| channel()).into_iter().unzip();
    let instances = if plan.database == Database::Sqlite { 1 } else { 4 };
    let stage = Arc::new(Stage {
        folder: folder.path().to_owned(),
        seed: plan.seed,
        stats: Stats::default(),
        fleet: Fleet::start(folder.path().to_owned(), instances),
        profile,
        phase: AtomicU8::new(0),
        behind: ESERVICES.map(|_| AtomicUsize::new(0)),
        violation: Mutex::default(),
        facts: facts.into_iter().map(Mutex::new).collect::<Vec<_>>().try_into().unwrap(),
    });
    let begun = Instant::now();
    let chaos = Chaos { stage: Arc::clone(&stage), cluster, proxy, begun, plan: *plan };
    let checkers = ESERVICES.into_iter().zip(told);
    let checkers = checkers.map(|(eservice, told)| {
        let checker = Checker::new(Arc::clone(&stage), eservice, connection.clone(), told);
        thread::spawn(move || checker.run())
    });
    let cluster = act(&stage, chaos, checkers.collect());
    for row in ["flows published", "pages asked twice", "outcomes acknowledged", "log entries checked"] {
        if stage.stats.get(row) == 0 {
            stage.violated(format!("nothing was shown: {row}: 0"));
        }
    }

    let violation = stage.violation();
    let seconds = begun.elapsed().as_secs();
    let mut text = format!("{:?}, seed {}, {seconds} s\n{}", plan.database, plan.seed, stage.stats.table());
    writeln!(text, "{:<36} {:>12}", "violations", u8::from(violation.is_some())).unwrap();
    let json = json!({
        "database": format!("{:?}", plan.database).to_lowercase(),
        "seed": plan.seed,
        "seconds": seconds,
        "counts": stage.stats.json(),
        "violation": violation,
    });
    if let Some(violation) = &violation {
        writeln!(text, "VIOLATION after {seconds} s: {violation}").unwrap();
        if !plan.expect_violation {
            writeln!(text, "What there was is in {}", folder.keep().display()).unwrap();
            if let Some(cluster) = cluster {
                writeln!(text, "and in PostgreSQL's folder {}", cluster.keep().display()).unwrap();
            }
        }
    }
    Report { violation, text, json }
}

/// Has everybody do their part, until the end. Gives back what the database runs in.
fn act(stage: &Arc<Stage>, chaos: Chaos, checkers: Vec<thread::JoinHandle<()>>) -> Option<Cluster> {
    let (mut writers, mut clients) = (Vec::new(), Vec::new());
    for (number, eservice) in (0..).zip([ESERVICES, ESERVICES].concat()) {
        let importer = Importer::new(Arc::clone(stage), eservice, number);
        writers.push(thread::spawn(move || importer.run()));
        let vendor = Vendor::new(Arc::clone(stage), eservice, number);
        writers.push(thread::spawn(move || vendor.run()));
        let client = Client::new(Arc::clone(stage), eservice, number);
        clients.push(thread::spawn(move || client.run()));
    }
    let chaos = chaos::spawn(chaos);

    let chaos = chaos.join().unwrap();
    stage.enter(Phase::Calm);
    finish(stage, writers, "a writer");
    stage.enter(Phase::Drain);
    finish(stage, clients, "a client");
    if stage.phase() < Phase::Over {
        // Who comes last, and asks from the beginning, sees what everybody saw.
        let last = ESERVICES.map(|eservice| {
            let last = Client::new(Arc::clone(stage), eservice, 100);
            thread::spawn(move || last.run())
        });
        finish(stage, last.into(), "the last client");
        // What an auditor would do.
        for arguments in [["calls", "checkpoint"], ["calls", "verify"]] {
            let output = stage.program(&arguments).output().unwrap();
            if !output.status.success() {
                stage.violated(format!("{arguments:?}: {output:?}"));
            }
        }
    }
    stage.enter(Phase::Over);
    for checker in checkers {
        if checker.join().is_err() {
            stage.violated("a checker panicked");
        }
    }
    chaos.cluster
}

/// Waits for actors who have no obstacle.
fn finish(stage: &Stage, actors: Vec<thread::JoinHandle<()>>, who: &str) {
    let (mut pulled, mut since) = (0, Instant::now());
    for actor in actors {
        while !actor.is_finished() {
            let more = stage.stats.get("flows pulled");
            if more > pulled {
                (pulled, since) = (more, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                stage.violated(format!("{who} does not come to the end, though nothing is in the way"));
            }
            if since.elapsed() > 2 * PATIENCE {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        if actor.join().is_err() {
            stage.violated(format!("{who} panicked"));
        }
    }
}

/// Writes the configuration, the keys of a local issuer, and the key that signs the register of calls.
fn configure(folder: &Path, url: &str) -> Profile {
    let mut profile = Profile::invented("locale.example.it".to_owned(), vec!["SIUSS".to_owned()]);
    // The longest that a voucher may live: the clocks that judge it are hours apart.
    profile.expires_in = 86_400;
    issuer::keygen(&folder.join("keys"), &profile).unwrap();
    let mut config = format!(
        "[database]\nurl = {url:?}\n[api]\nbind = \"127.0.0.1:0\"\n[back_office]\nbind = \"127.0.0.1:0\"\n\
         [call_log]\ncheckpoint_key = \"keys/checkpoint.pem\"\ncheckpoint_minutes = 1\n"
    );
    for EService { name, base_path, ente, .. } in ESERVICES {
        write!(
            config,
            "[[eservice]]\nname = {name:?}\nbase_path = {base_path:?}\nenvironment = \"locale\"\n\
             issuer = \"locale.example.it\"\njwks_url = \"file:keys/jwks.json\"\naudience = [\"SIUSS\"]\n\
             daily_calls_per_consumer = 1000000000\ndaily_calls_total = 1000000000\n\
             [[eservice.ente]]\ncodice = {ente:?}\ndenominazione = \"Comune di Roma\"\nsede = \"H501\"\n\
             cf_operatore = \"RSSMRA80A01H501U\"\n"
        )
        .unwrap();
    }
    fs::write(folder.join("waas-comuni.toml"), config).unwrap();
    let output = program(folder, &["calls", "keygen", "keys/checkpoint.pem"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    profile
}
