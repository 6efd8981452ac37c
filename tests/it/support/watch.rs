//! The judgement that no test escapes, on what the product says while it runs: no line of a log and no metric names a
//! person, a fiscal code, a voucher, a key, a session or a password, whatever the test does.
//!
//! The logs of services in this process come through a subscriber that takes all that `-vv` shows; those of programs that
//! tests start, through their standard error ([`super::command::Program`]); metrics, when a service stops
//! ([`super::app`]). What looks like a secret is found as it is said. What people are called is known from the flows that
//! a test's database holds when the test ends ([`super::published`]), and looked for then.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::sync::{LazyLock, Mutex, Once, PoisonError};

use regex::Regex;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

/// What is said, and what must not be.
#[derive(Default)]
pub(crate) struct Watch {
    said: Mutex<String>,
    found: Mutex<Vec<String>>,
    secrets: Mutex<BTreeSet<String>>,
}

/// Where all of this process is said.
pub(crate) static WATCH: Watch = Watch {
    said: Mutex::new(String::new()),
    found: Mutex::new(Vec::new()),
    secrets: Mutex::new(BTreeSet::new()),
};

/// What is a secret by its look.
static SHAPES: LazyLock<Regex> = LazyLock::new(|| {
    let shapes = [
        // A fiscal code, with omocodia.
        r"(?i)\b[a-z]{6}[0-9l-np-v]{2}[a-ehlmprst][0-9l-np-v]{2}[a-z][0-9l-np-v]{3}[a-z]\b",
        // A token in JWT form, whole or cut: its header or its claims.
        r"\beyJ[\w-]{12,}",
        // What stands in a header that lets somebody in.
        r"(?i)\b(?:bearer|dpop) [\w.~+/-]{16,}",
        // A vendor's key.
        r"\bwaas_[\w-]{43}\b",
        r"-----BEGIN [A-Z ]*PRIVATE KEY",
        // A password in an address.
        r"://[^\s:/@]+:[^\s/@]+@",
    ];
    Regex::new(&shapes.join("|")).unwrap()
});

/// What a flow says of a person, but for the first name: the flow has a `Nome` too.
static PERSONAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\b(?:CodiceFiscale|Cognome|IDBeneficiario|NumeroProtocolloDSU)="([^"]+)""#).unwrap()
});

static FIRST_NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"<Anagrafica [^>]*\bNome="([^"]+)""#).unwrap());

/// A line of a program's log, in either form, and no report to whoever started it.
static LOG_LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^(?:\{"timestamp":|(?:\x1b\[\dm)?\d{4}-\d\d-\d\dT[\d:.]+Z(?:\x1b\[0m)? )"#).unwrap()
});

/// Shorter names are words of any text.
const SHORTEST: usize = 4;

/// Takes the logs of this process, from now on.
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    // What libraries say through `log` comes too, as it does in the product.
    STARTED.call_once(|| WATCH.subscriber().try_init().unwrap());
}

impl Watch {
    /// What gives all that `-vv` shows to this.
    pub(crate) fn subscriber(&'static self) -> impl Subscriber + Send + Sync {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new("debug,waas_comuni=trace"))
            .with_ansi(false)
            .with_writer(Writer(self))
            .finish()
    }

    /// Takes what is to be free of secrets.
    pub(crate) fn hear(&self, text: &str) {
        let found = text.lines().filter(|line| SHAPES.is_match(line)).map(str::to_owned);
        lock(&self.found).extend(found);
        let mut said = lock(&self.said);
        said.push_str(text);
        said.push('\n');
    }

    /// Takes of what a program says what is its log: all of it, or the lines that look so.
    pub(crate) fn hear_program(&self, text: &str, all: bool) {
        for line in text.lines().filter(|line| all || LOG_LINE.is_match(line)) {
            self.hear(line);
        }
    }

    /// From now on, and of all that was said before, this is a secret.
    pub(crate) fn keep_secret(&self, value: &str) {
        if value.len() >= SHORTEST {
            lock(&self.secrets).insert(value.to_owned());
        }
    }

    /// The same, of all that a flow says of a person.
    pub(crate) fn keep_secret_all_of(&self, xml: &[u8]) {
        let xml = String::from_utf8_lossy(xml);
        for found in PERSONAL.captures_iter(&xml).chain(FIRST_NAME.captures_iter(&xml)) {
            self.keep_secret(&found[1]);
        }
    }

    /// Whether this was said.
    pub(crate) fn heard(&self, text: &str) -> bool {
        lock(&self.said).contains(text)
    }

    /// The lines that say a secret.
    pub(crate) fn leaks(&self) -> Vec<String> {
        let mut leaks = lock(&self.found).clone();
        let said = lock(&self.said);
        // A word is looked for among words: that the name "Rosa" is part of another word says nothing.
        let words = |text: &str| -> Vec<String> {
            text.split(|letter: char| !letter.is_alphanumeric())
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let all: HashSet<String> = words(&said).into_iter().collect();
        for secret in lock(&self.secrets).iter() {
            let parts = words(secret);
            if !parts.is_empty() && parts.iter().all(|part| all.contains(part)) {
                let says = |line: &&str| {
                    let line = words(line);
                    line.windows(parts.len()).any(|window| window == parts)
                };
                leaks.extend(said.lines().filter(says).map(|line| format!("{secret}: {line}")));
            }
        }
        leaks
    }
}

/// Panics when something was said that is a secret.
pub(crate) fn assert_nothing_leaked() {
    let leaks = WATCH.leaks();
    assert!(leaks.is_empty(), "the log or the metrics say what they must not:\n{}", leaks.join("\n"));
}

/// What a test that panicked left half done is good enough to be looked at.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes what it is given, an event at a time, where it is watched.
#[derive(Clone, Copy)]
struct Writer(&'static Watch);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.hear(String::from_utf8_lossy(bytes).trim_end());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Writer {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}
