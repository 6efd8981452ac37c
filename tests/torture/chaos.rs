//! What goes wrong, and when.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use crate::cluster::Cluster;
use crate::proxy::Proxy;
use crate::random::Random;
use crate::run::{Phase, Plan, Stage};

/// How far off a clock may be, in milliseconds: eleven hours, so that days change and vouchers of 24 hours stay good.
const FARTHEST: u64 = 11 * 60 * 60 * 1000;
/// How long the database may stand still, in milliseconds: longer than the product waits for a statement.
const STANDSTILL: u64 = 7_000;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// An instance gets SIGKILL, and is started again after a while.
    Kill,
    /// The clock of an instance steps.
    Step,
    /// An instance is stopped in good order, or one more is started.
    Scale,
    /// A connection to the database is cut.
    Cut,
    /// All are.
    CutAll,
    /// The database does nothing for a while: nothing passes on the way to PostgreSQL, or somebody else keeps SQLite's
    /// one write lock.
    Freeze,
    /// The database crashes and is started again.
    Restart,
}

use Fault::{Cut, CutAll, Freeze, Kill, Restart, Scale, Step};

/// Each fault as often as it comes in a round; rounds are shuffled.
const POSTGRES: &[Fault] =
    &[Kill, Kill, Kill, Step, Step, Step, Step, Scale, Scale, Cut, Cut, Cut, CutAll, CutAll, Freeze, Restart];
const SQLITE: &[Fault] = &[Kill, Kill, Kill, Step, Step, Step, Step, Freeze];

/// Whoever makes things go wrong.
pub(crate) struct Chaos {
    pub(crate) stage: Arc<Stage>,
    pub(crate) cluster: Option<Cluster>,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) begun: Instant,
    pub(crate) plan: Plan,
}

/// Starts it; it ends when the time is over and a round is complete, and gives back what the database runs in.
pub(crate) fn spawn(mut chaos: Chaos) -> thread::JoinHandle<Chaos> {
    thread::spawn(move || {
        chaos.run();
        chaos
    })
}

impl Chaos {
    fn run(&mut self) {
        let mut random = Random::new(self.plan.seed, 0);
        let round = if self.cluster.is_some() { POSTGRES } else { SQLITE };
        while self.begun.elapsed() < self.plan.time {
            let mut round = round.to_vec();
            random.shuffle(&mut round);
            // A run that is short has one round, however long that takes.
            let must_end = self.begun.elapsed() + Duration::from_secs(30) > self.plan.time;
            for fault in round {
                if self.stage.phase() > Phase::Storm || (!must_end && self.begun.elapsed() > self.plan.time) {
                    return;
                }
                self.cause(fault, &mut random);
                thread::sleep(random.millis(self.plan.pace.0, self.plan.pace.1));
                match self.stage.fleet.supervise(offset(&mut random)) {
                    Ok(ended) => self.stage.stats.add("instances that ended by themselves", ended),
                    Err(what) => self.stage.violated(what),
                }
            }
        }
        for place in 0..self.stage.fleet.size() {
            self.stage.fleet.start_one(place, offset(&mut random));
        }
    }

    fn cause(&self, fault: Fault, random: &mut Random) {
        let (stats, fleet) = (&self.stage.stats, &self.stage.fleet);
        let place = random.below(fleet.size());
        match fault {
            Kill => {
                stats.add("instances killed", u64::from(fleet.kill(place)));
                if random.chance(50) {
                    thread::sleep(random.millis(0, 500));
                }
                fleet.start_one(place, offset(random));
            }
            Step => {
                fleet.step_clock(place, offset(random));
                stats.add("clock steps", 1);
            }
            Scale => {
                if fleet.running() == fleet.size() {
                    if let Err(what) = fleet.stop(place) {
                        self.stage.violated(what);
                    }
                } else {
                    (0..fleet.size()).for_each(|place| fleet.start_one(place, offset(random)));
                }
                stats.add("instances stopped or added", 1);
            }
            Freeze => {
                let longest = if random.chance(25) { STANDSTILL } else { 500 };
                let time = random.millis(50, longest);
                match &self.proxy {
                    Some(proxy) => proxy.freeze(time),
                    None => self.lock_sqlite(time),
                }
                stats.add("times the database stood still", 1);
            }
            Cut | CutAll | Restart => self.cause_in_postgres(fault, random),
        }
    }

    fn lock_sqlite(&self, time: Duration) {
        let path = self.stage.folder.join("waas-comuni.db");
        let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
        connection.batch_execute("PRAGMA busy_timeout = 60000; BEGIN IMMEDIATE").unwrap();
        thread::sleep(time);
        connection.batch_execute("ROLLBACK").unwrap();
    }

    fn cause_in_postgres(&self, fault: Fault, random: &mut Random) {
        let stats = &self.stage.stats;
        let (Some(cluster), Some(proxy)) = (&self.cluster, &self.proxy) else { return };
        match fault {
            Cut => stats.add("connections cut", proxy.cut_one(random)),
            CutAll => stats.add("connections cut", proxy.cut_all()),
            _ => {
                cluster.crash();
                if random.chance(50) {
                    thread::sleep(random.millis(0, 1500));
                }
                cluster.start_again();
                stats.add("database restarts", 1);
            }
        }
    }
}

/// How far off a clock is, in milliseconds: not at all, a little, or hours, either way.
fn offset(random: &mut Random) -> i64 {
    let size = match random.within(0, 9) {
        0..2 => 0,
        2..6 => random.within(1, 2_000),
        _ => random.within(1, FARTHEST),
    };
    let size = i64::try_from(size).unwrap();
    if random.chance(50) { size } else { -size }
}
