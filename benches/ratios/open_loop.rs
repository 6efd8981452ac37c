//! Load at a rate that is given: calls are due at fixed instants whether the ones before were answered or not, and what
//! a call took is counted from the instant at which it was due. `wrk` waits for answers, and so cannot overload.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::client;

/// What is asked, how often, and over how many connections.
#[derive(Clone)]
pub struct Plan {
    pub address: SocketAddr,
    /// Makes the n-th request.
    pub request: Arc<dyn Fn(u64) -> String + Send + Sync>,
    pub rate: f64,
    pub connections: usize,
    pub time: Duration,
}

/// What came of it. Times are in milliseconds, sorted.
#[derive(Default)]
pub struct Told {
    pub accepted: Vec<f64>,
    pub shed: Vec<f64>,
    /// Calls that were due and for which no connection was free, or whose connection broke.
    pub lost: u64,
    pub time: Duration,
}

impl Told {
    /// The time within which this share of the accepted calls was answered, in milliseconds.
    pub fn within(&self, share: f64) -> f64 {
        let last = self.accepted.len().saturating_sub(1);
        self.accepted.get((last as f64 * share) as usize).copied().unwrap_or(f64::NAN)
    }

    pub fn rate(&self) -> f64 {
        self.accepted.len() as f64 / self.time.as_secs_f64()
    }

    /// Calls a second that were made at all.
    pub fn offered(&self) -> f64 {
        (self.accepted.len() + self.shed.len()) as f64 / self.time.as_secs_f64()
    }
}

/// Runs several plans beside one another.
pub fn run(plans: Vec<Plan>) -> Vec<Told> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async move {
        let running: Vec<_> = plans.into_iter().map(|plan| tokio::spawn(one(plan))).collect();
        let mut told = Vec::new();
        for plan in running {
            told.push(plan.await.unwrap());
        }
        told
    })
}

async fn one(plan: Plan) -> Told {
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now() + Duration::from_millis(200);
    let mut clients = JoinSet::new();
    for _ in 0..plan.connections {
        clients.spawn(client(plan.clone(), Arc::clone(&next), began));
    }
    let mut told = Told { time: plan.time, ..Told::default() };
    while let Some(part) = clients.join_next().await {
        let part = part.unwrap();
        told.accepted.extend(part.accepted);
        told.shed.extend(part.shed);
        told.lost += part.lost;
    }
    told.accepted.sort_by(f64::total_cmp);
    told.shed.sort_by(f64::total_cmp);
    told
}

async fn client(plan: Plan, next: Arc<AtomicU64>, began: Instant) -> Told {
    let mut told = Told::default();
    let mut stream = TcpStream::connect(plan.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut answer = Vec::with_capacity(256 * 1024);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let due = began + Duration::from_secs_f64(number as f64 / plan.rate);
        if due > began + plan.time {
            return told;
        }
        sleep_until(due).await;
        answer.clear();
        let request = (plan.request)(number);
        match timeout(Duration::from_secs(10), exchange(&mut stream, &request, &mut answer)).await {
            Ok(Ok(status)) => {
                let took = due.elapsed().as_secs_f64() * 1000.0;
                match status {
                    200 => told.accepted.push(took),
                    503 => told.shed.push(took),
                    other => panic!("an answer of status {other}"),
                }
            }
            Ok(Err(_)) | Err(_) => {
                told.lost += 1;
                stream = TcpStream::connect(plan.address).await.unwrap();
            }
        }
    }
}

async fn exchange(stream: &mut TcpStream, request: &str, answer: &mut Vec<u8>) -> std::io::Result<u16> {
    stream.write_all(request.as_bytes()).await?;
    let mut whole = None;
    while whole.is_none_or(|whole| answer.len() < whole) {
        if stream.read_buf(answer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if whole.is_none() {
            whole = client::length(answer).map(|(head, body)| head + body);
        }
    }
    Ok(std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap())
}
