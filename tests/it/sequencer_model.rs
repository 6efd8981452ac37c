//! A model of the sequencer, small enough that every order of events is tried.
//!
//! Writers go through the steps of a transaction; a reader follows the cursor; clocks say anything at any time; a
//! writer, or the whole database, crashes between any two steps. What must hold after each event: the reader has seen
//! every visible flow up to its cursor. The same check is shown to fail for four other ways of giving timestamps, so
//! that it is known to see what it is there to see.

use std::collections::{HashMap, VecDeque};

/// How many flows each writer's transaction publishes.
const FLOWS: [u32; 4] = [1, 2, 1, 3];
/// What a clock may say, in milliseconds: anything below this.
const CLOCK: u32 = 6;

/// A step of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Takes the feed's lock, when nobody holds it.
    Lock,
    /// Reads the last timestamp that was committed.
    ReadLast,
    /// Reads a clock, and from it and the last timestamp chooses a range above that.
    Choose,
    /// Inserts the rows: they are nobody else's to see yet, and their timestamps are nobody else's to take.
    Insert,
    /// Makes the range the last one for whoever reads it, outside the transaction, as a sequence object does.
    Advance,
    /// The commit is on the disk: a crash no longer undoes it.
    Durable,
    /// The rows, and the last timestamp, are there for everybody.
    Visible,
    /// Lets the lock go.
    Unlock,
}

use Step::{Advance, Choose, Durable, Insert, Lock, ReadLast, Unlock, Visible};

/// What `store::sequencer` does, on both databases.
const SEQUENCER: &[Step] = &[Lock, ReadLast, Choose, Insert, Durable, Visible, Unlock];

const MUTANTS: [(&str, &[Step]); 4] = [
    ("no lock", &[ReadLast, Choose, Insert, Durable, Visible]),
    (
        "the lock is released before the commit is visible",
        &[Lock, ReadLast, Choose, Advance, Unlock, Insert, Durable, Visible],
    ),
    ("timestamps from the clock alone", &[Choose, Insert, Durable, Visible]),
    (
        "max() under an advisory lock, in a snapshot older than the lock",
        &[ReadLast, Lock, Choose, Insert, Durable, Visible, Unlock],
    ),
];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Writer {
    /// Steps that are behind it.
    done: usize,
    /// The last timestamp, as it read it.
    last: u32,
    /// The first timestamp of its range, once it is chosen.
    first: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct World {
    writers: [Writer; FLOWS.len()],
    holder: Option<usize>,
    last: u32,
    /// Timestamps of visible rows, one bit each.
    visible: u64,
    cursor: u32,
    seen: u64,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// A writer goes on; `now` is what a clock would say.
    Writer { writer: usize, step: Step, now: u32 },
    /// A writer's process is killed or its connection cut.
    Killed(usize),
    /// The database crashes and comes back.
    DatabaseRestarted,
    /// The reader asks for this many flows at most.
    Page(u32),
}

/// What is wrong, and the shortest way there.
#[derive(Debug)]
struct Violation {
    what: &'static str,
    events: Vec<Event>,
}

fn range(writer: &Writer, flows: u32) -> u64 {
    ((1 << flows) - 1) << writer.first
}

fn up_to(timestamp: u32) -> u64 {
    (1 << (timestamp + 1)) - 1
}

impl World {
    /// Every event that can happen in this world, and the world after it.
    fn next(&self, protocol: &[Step]) -> Vec<(Event, Self)> {
        let mut next = Vec::new();
        for (writer, own) in self.writers.iter().enumerate() {
            if let Some(step) = protocol.get(own.done) {
                let clock = if *step == Choose { CLOCK } else { 1 };
                for now in 0..clock {
                    let event = Event::Writer { writer, step: *step, now };
                    next.extend(self.after(protocol, writer, *step, now).map(|world| (event, world)));
                }
                if own.done > 0 && !self.is_durable(protocol, writer) {
                    let mut world = self.clone();
                    world.abort(writer);
                    next.push((Event::Killed(writer), world));
                }
            }
        }
        next.push((Event::DatabaseRestarted, self.restarted(protocol)));
        for limit in [1, u32::MAX] {
            next.push((Event::Page(limit), self.page(limit)));
        }
        next.retain(|(_, world)| world != self);
        next
    }

    /// The world after a writer's step; none when it has to wait.
    fn after(&self, protocol: &[Step], writer: usize, step: Step, now: u32) -> Option<Self> {
        let mut world = self.clone();
        let own = &mut world.writers[writer];
        let flows = FLOWS[writer];
        own.done += 1;
        match step {
            Lock if self.holder.is_some() => return None,
            Lock => world.holder = Some(writer),
            ReadLast => own.last = self.last,
            Choose => own.first = (own.last + 1).max((now + 1).saturating_sub(flows)),
            Insert => {
                let rows = range(own, flows);
                let inserted = protocol.iter().position(|step| *step == Insert).unwrap();
                let waits = |other: usize| {
                    let theirs = &self.writers[other];
                    let open = theirs.done > inserted && !self.is_visible(protocol, other);
                    other != writer && open && range(theirs, FLOWS[other]) & rows != 0
                };
                if (0..FLOWS.len()).any(waits) {
                    return None;
                }
                if self.visible & rows != 0 {
                    // The unique key refuses the rows, and the transaction begins again.
                    world.abort(writer);
                }
            }
            Advance => world.last = self.last.max(own.first + flows - 1),
            Durable => {}
            Visible => world.publish(writer),
            Unlock => world.holder = None,
        }
        Some(world)
    }

    fn publish(&mut self, writer: usize) {
        let own = self.writers[writer];
        self.visible |= range(&own, FLOWS[writer]);
        self.last = self.last.max(own.first + FLOWS[writer] - 1);
    }

    fn abort(&mut self, writer: usize) {
        self.writers[writer] = Writer::default();
        if self.holder == Some(writer) {
            self.holder = None;
        }
    }

    /// What was durable is there, what was not is gone, and so are the locks.
    fn restarted(&self, protocol: &[Step]) -> Self {
        let mut world = self.clone();
        for writer in 0..FLOWS.len() {
            if !self.is_durable(protocol, writer) {
                world.abort(writer);
            } else if !self.is_visible(protocol, writer) {
                world.publish(writer);
            }
            if self.is_durable(protocol, writer) {
                world.writers[writer].done = protocol.len();
            }
        }
        world.holder = None;
        world
    }

    fn page(&self, limit: u32) -> Self {
        let mut world = self.clone();
        for _ in 0..limit {
            let rest = world.visible & !up_to(world.cursor);
            if rest == 0 {
                break;
            }
            world.cursor = rest.trailing_zeros();
            world.seen |= 1 << world.cursor;
        }
        world
    }

    fn is_durable(&self, protocol: &[Step], writer: usize) -> bool {
        protocol[..self.writers[writer].done].contains(&Durable)
    }

    fn is_visible(&self, protocol: &[Step], writer: usize) -> bool {
        protocol[..self.writers[writer].done].contains(&Visible)
    }

    fn fault(&self) -> Option<&'static str> {
        (self.visible & up_to(self.cursor) != self.seen).then_some("the reader has missed a flow")
    }
}

/// Tries every order of events; gives how many worlds there are.
fn explore(protocol: &[Step]) -> Result<usize, Violation> {
    let start = World::default();
    let mut came_from: HashMap<World, Option<(Event, World)>> = HashMap::from([(start.clone(), None)]);
    let mut open = VecDeque::from([start]);
    while let Some(world) = open.pop_front() {
        let next = world.next(protocol);
        let is_over = world.writers.iter().all(|writer| writer.done == protocol.len());
        let fault = world.fault().or_else(|| match (next.is_empty(), is_over) {
            (true, false) => Some("nobody can go on"),
            (true, true) if world.seen.count_ones() != FLOWS.iter().sum::<u32>() => {
                Some("a flow was lost, or two have one timestamp")
            }
            _ => None,
        });
        if let Some(what) = fault {
            let mut events = Vec::new();
            let mut at = &world;
            while let Some(Some((event, before))) = came_from.get(at) {
                events.insert(0, *event);
                at = before;
            }
            return Err(Violation { what, events });
        }
        for (event, after) in next {
            came_from.entry(after.clone()).or_insert_with(|| {
                open.push_back(after);
                Some((event, world.clone()))
            });
        }
    }
    Ok(came_from.len())
}

#[test]
fn no_order_of_events_makes_a_reader_miss_a_flow() {
    let worlds = explore(SEQUENCER).unwrap_or_else(|violation| panic!("{violation:#?}"));
    assert!(worlds > 10_000, "only {worlds} worlds: the model leaves something out");
}

#[test]
fn the_model_catches_every_other_way_of_giving_timestamps() {
    for (name, protocol) in MUTANTS {
        let violation = explore(protocol).expect_err(name);
        assert_eq!(violation.what, "the reader has missed a flow", "{name}: {violation:#?}");
        assert!(matches!(violation.events.last(), Some(Event::Writer { .. })), "{name}: {violation:#?}");
    }
}
