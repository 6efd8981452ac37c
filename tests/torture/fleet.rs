//! The instances of the service: started, killed, stopped, added.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::random::Random;
use crate::run::INSTANCE;

/// Where an instance listens, once it does: for INPS, and for the ente's own software.
pub(crate) type Addresses = [SocketAddr; 2];

/// All instances, running or not.
pub(crate) struct Fleet {
    folder: PathBuf,
    slots: Vec<Mutex<Option<Instance>>>,
}

struct Instance {
    process: Child,
    addresses: Arc<OnceLock<Addresses>>,
}

impl Fleet {
    /// `size` instances of the configuration in `folder`.
    pub(crate) fn start(folder: PathBuf, size: usize) -> Self {
        let fleet = Self { folder, slots: (0..size).map(|_| Mutex::new(None)).collect() };
        (0..size).for_each(|place| fleet.start_one(place, 0));
        fleet
    }

    pub(crate) fn size(&self) -> usize {
        self.slots.len()
    }

    /// How many run.
    pub(crate) fn running(&self) -> usize {
        self.slots.iter().filter(|slot| slot.lock().unwrap().is_some()).count()
    }

    /// Where one of those that listen does.
    pub(crate) fn any(&self, random: &mut Random) -> Option<Addresses> {
        let listening =
            |slot: &Mutex<Option<Instance>>| slot.lock().unwrap().as_ref()?.addresses.get().copied();
        let listening: Vec<_> = self.slots.iter().filter_map(listening).collect();
        (!listening.is_empty()).then(|| listening[random.below(listening.len())])
    }

    /// Starts the instance of this place, its clock so many milliseconds off, if it does not run.
    pub(crate) fn start_one(&self, place: usize, offset: i64) {
        let mut slot = self.slots[place].lock().unwrap();
        if slot.is_some() {
            return;
        }
        let log = self.folder.join(format!("instance-{place}.log"));
        let log = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let mut process = Command::new(self.folder.join(INSTANCE))
            .current_dir(&self.folder)
            .args(["instance", "waas-comuni.toml"])
            .arg(offset.to_string())
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let addresses = Arc::new(OnceLock::new());
        let told = Arc::clone(&addresses);
        let mut output = BufReader::new(process.stdout.take().unwrap());
        thread::spawn(move || {
            let mut line = String::new();
            if output.read_line(&mut line).is_ok_and(|length| length > 0) {
                let mut found = line.split_whitespace().map(|address| address.parse().unwrap());
                told.set([found.next().unwrap(), found.next().unwrap()]).unwrap();
            }
        });
        *slot = Some(Instance { process, addresses });
    }

    /// SIGKILL. False when it did not run.
    pub(crate) fn kill(&self, place: usize) -> bool {
        let Some(mut instance) = self.slots[place].lock().unwrap().take() else { return false };
        instance.process.kill().unwrap();
        instance.process.wait().unwrap();
        true
    }

    /// Stops the instance of this place in good order.
    pub(crate) fn stop(&self, place: usize) -> Result<(), String> {
        let Some(mut instance) = self.slots[place].lock().unwrap().take() else { return Ok(()) };
        drop(instance.process.stdin.take());
        let patience = Instant::now() + Duration::from_secs(60);
        while Instant::now() < patience {
            if let Some(status) = instance.process.try_wait().unwrap() {
                return if status.success() {
                    Ok(())
                } else {
                    Err(format!("instance {place} ended with {status}"))
                };
            }
            thread::sleep(Duration::from_millis(10));
        }
        instance.process.kill().unwrap();
        instance.process.wait().unwrap();
        Err(format!("instance {place} does not stop"))
    }

    /// Sets the clock of the instance of this place off by so many milliseconds.
    pub(crate) fn step_clock(&self, place: usize, offset: i64) {
        if let Some(instance) = self.slots[place].lock().unwrap().as_mut()
            && let Some(stdin) = &mut instance.process.stdin
        {
            // It may have ended by itself.
            let _ = writeln!(stdin, "{offset}");
        }
    }

    /// Starts again what ended by itself, as a supervisor does; gives how many there were. An instance that panics is
    /// an error.
    pub(crate) fn supervise(&self, offset: i64) -> Result<u64, String> {
        let mut ended = 0;
        for place in 0..self.slots.len() {
            let status =
                self.slots[place].lock().unwrap().as_mut().and_then(|own| own.process.try_wait().unwrap());
            if let Some(status) = status {
                if status.code() != Some(1) {
                    return Err(format!("instance {place} ended with {status}"));
                }
                *self.slots[place].lock().unwrap() = None;
                self.start_one(place, offset);
                ended += 1;
            }
        }
        Ok(ended)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for place in 0..self.slots.len() {
            self.kill(place);
        }
    }
}
