//! What stands between the product and PostgreSQL, to cut connections and to hold them up.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::random::Random;

/// Forwards connections to one port of this machine.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    live: Arc<Mutex<Vec<[TcpStream; 2]>>>,
    frozen: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self { port, live: Arc::default(), frozen: Arc::default() };
        let own = proxy.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A database that is away refuses the connection, and so does the proxy, by closing it.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", target)) {
                    own.forward(client, server);
                }
            }
        });
        proxy
    }

    fn forward(&self, client: TcpStream, server: TcpStream) {
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        let clone = |stream: &TcpStream| stream.try_clone().unwrap();
        for (from, to) in [(clone(&client), clone(&server)), (clone(&server), clone(&client))] {
            let frozen = Arc::clone(&self.frozen);
            thread::spawn(move || copy(from, to, &frozen));
        }
        let mut live = self.live.lock().unwrap();
        live.retain(|[client, _]| client.peer_addr().is_ok());
        live.push([client, server]);
    }

    /// Cuts every connection; gives how many there were.
    pub(crate) fn cut_all(&self) -> u64 {
        let live = std::mem::take(&mut *self.live.lock().unwrap());
        live.iter().map(|pair| u64::from(cut(pair))).sum()
    }

    /// Cuts a connection; gives how many were cut, which is none when there are none.
    pub(crate) fn cut_one(&self, random: &mut Random) -> u64 {
        let mut live = self.live.lock().unwrap();
        while !live.is_empty() {
            let place = random.below(live.len());
            if cut(&live.swap_remove(place)) {
                return 1;
            }
        }
        0
    }

    /// Lets nothing through for a while.
    pub(crate) fn freeze(&self, time: Duration) {
        self.frozen.store(true, Ordering::SeqCst);
        thread::sleep(time);
        self.frozen.store(false, Ordering::SeqCst);
    }
}

/// Ends both halves; false when the connection had ended by itself.
fn cut([client, server]: &[TcpStream; 2]) -> bool {
    server.shutdown(Shutdown::Both).is_ok() & client.shutdown(Shutdown::Both).is_ok()
}

fn copy(mut from: TcpStream, mut to: TcpStream, frozen: &AtomicBool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        while frozen.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(2));
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        // It may have been cut already.
        let _ = stream.shutdown(Shutdown::Both);
    }
}
