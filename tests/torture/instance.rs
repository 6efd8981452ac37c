//! One instance of the service, as a process of its own that can be killed: the product's server with a clock that the
//! parent steps.
//!
//! The parent writes to standard input how many milliseconds the clock is off, and closes it to have the service stopped
//! in good order; it finds both addresses in the first line of standard output.

use std::io::BufRead;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use waas_comuni::api::server;
use waas_comuni::clock::Clock;
use waas_comuni::telemetry::{self, LogFormat};

pub(crate) fn run(config: &Path, offset: i64) -> ExitCode {
    telemetry::start(LogFormat::Text, 0, true);
    let config = waas_comuni::config::load(Some(config), []).unwrap();
    let offset = Arc::new(AtomicI64::new(offset));
    let clock = clock(Arc::clone(&offset));
    let (close, closed) = tokio::sync::oneshot::channel();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            offset.store(line.parse().unwrap(), Ordering::SeqCst);
        }
        // The service may have ended by itself.
        let _ = close.send(());
    });
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut closed = closed;
        let running = tokio::select! {
            _ = &mut closed => return ExitCode::SUCCESS,
            running = server::start(&config, clock) => match running {
                Ok(running) => running,
                Err(error) => {
                    eprintln!("cannot start: {error}");
                    return ExitCode::FAILURE;
                }
            },
        };
        println!("{} {}", running.api, running.back_office);
        // An error says that the thread has ended, and standard input with it.
        let _ = closed.await;
        running.stop().await;
        ExitCode::SUCCESS
    })
}

/// The machine's clock, as far off as `offset` says at each moment.
fn clock(offset: Arc<AtomicI64>) -> Clock {
    let now = move || Clock::System.now_ms() + offset.load(Ordering::SeqCst);
    let millis = Arc::new(AtomicI64::new(now()));
    let hand = Arc::clone(&millis);
    thread::spawn(move || {
        loop {
            hand.store(now(), Ordering::SeqCst);
            thread::sleep(Duration::from_millis(1));
        }
    });
    Clock::Manual(millis)
}
