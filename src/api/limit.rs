//! The short-term limit of each client address, before anything is verified: garbage from one place cannot keep the
//! processor busy, nor fill the call log.
//!
//! What counts is a call that nothing lets in: without a good voucher, to no address of the service, or beyond a daily
//! threshold. Past the limit everything from that address is refused until the minute is over. A call with a good
//! voucher never counts, so a pull may be as fast as it likes.
//!
//! Minutes of the clock rather than a bucket that drips: a refused call leaves no log entry of its own, and one entry
//! says for each address and minute how many there were. It is per process: instances share no memory of it, and the
//! thresholds that they do share are counted in the database.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Addresses of one minute that are counted, in about 3 MB; those beyond are let through to the voucher's checks.
const MOST_ADDRESSES: usize = 65_536;

/// Addresses of one minute that are named; the calls of those beyond are added up.
const MOST_NAMED: usize = 100;

/// What was refused to one address in one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// Where the calls came from: of IPv6, the network of 64 bits. `None`: from many more addresses.
    pub(super) address: Option<IpAddr>,
    /// When the minute began.
    pub(super) minute: Timestamp,
    /// How many there were.
    pub(super) calls: u32,
}

/// Counts the calls of each address.
pub(super) struct AddressLimit {
    /// Calls a minute that nothing lets in.
    allowed: AtomicU32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Since the epoch.
    minute: i64,
    calls: HashMap<IpAddr, Calls>,
    /// Of the minutes before, until it is taken away.
    refused: Vec<Refused>,
}

#[derive(Clone, Copy, Default)]
struct Calls {
    counted: u32,
    refused: u32,
}

impl AddressLimit {
    /// At most `allowed` calls a minute; 0 is no limit.
    pub(super) fn new(allowed: u32) -> Self {
        Self { allowed: AtomicU32::new(allowed), state: Mutex::default() }
    }

    /// Another number of calls a minute, for the minute that runs too: what was counted stays counted.
    pub(super) fn allow(&self, allowed: u32) {
        self.allowed.store(allowed, Ordering::Relaxed);
    }

    /// Seconds to the end of the minute, if a call that arrives from `address` at `now` is to be refused.
    pub(super) fn refuse(&self, address: Option<IpAddr>, now: Timestamp) -> Option<u32> {
        let client = self.limited(address)?;
        let allowed = self.allowed.load(Ordering::Relaxed);
        let mut state = self.at(now);
        let calls = state.calls.get_mut(&client).filter(|calls| calls.counted >= allowed)?;
        calls.refused = calls.refused.saturating_add(1);
        u32::try_from(60 - now.as_second().rem_euclid(60)).ok()
    }

    /// Counts a call that nothing let in.
    pub(super) fn count(&self, address: Option<IpAddr>, now: Timestamp) {
        let Some(client) = self.limited(address) else { return };
        let mut state = self.at(now);
        if state.calls.len() < MOST_ADDRESSES || state.calls.contains_key(&client) {
            let calls = state.calls.entry(client).or_default();
            calls.counted = calls.counted.saturating_add(1);
        }
    }

    /// What was refused in minutes that are over, each told once.
    pub(super) fn take_refused(&self, now: Timestamp) -> Vec<Refused> {
        std::mem::take(&mut self.at(now).refused)
    }

    /// What was refused and not yet told, the present minute included: the service ends.
    pub(super) fn close(&self) -> Vec<Refused> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.turn(0);
        std::mem::take(&mut state.refused)
    }

    /// Whose call counts. Loopback does not: it is the machine itself, or a proxy on it that nobody named, behind
    /// which INPS would be shut out with everybody else.
    fn limited(&self, address: Option<IpAddr>) -> Option<IpAddr> {
        const NETWORK: u128 = !0 << 64;
        let limits = self.allowed.load(Ordering::Relaxed) > 0;
        let client = match address.filter(|address| limits && !address.is_loopback())? {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
            address @ IpAddr::V4(_) => address,
        };
        Some(client)
    }

    fn at(&self, now: Timestamp) -> std::sync::MutexGuard<'_, State> {
        let minute = now.as_second().div_euclid(60);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.minute != minute {
            state.turn(minute);
        }
        state
    }
}

impl State {
    fn turn(&mut self, minute: i64) {
        let began = Timestamp::from_second(self.minute.saturating_mul(60)).unwrap_or_default();
        let mut others = 0_u32;
        let refused = self.calls.drain().filter(|(_, calls)| calls.refused > 0);
        for (index, (address, calls)) in refused.enumerate() {
            if index < MOST_NAMED {
                self.refused.push(Refused { address: Some(address), minute: began, calls: calls.refused });
            } else {
                others = others.saturating_add(calls.refused);
            }
        }
        if others > 0 {
            self.refused.push(Refused { address: None, minute: began, calls: others });
        }
        self.minute = minute;
    }
}
