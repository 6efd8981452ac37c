//! What stands between the product and a PostgreSQL server, and misbehaves when it is told to.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// What becomes of connections and of what they carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All is passed on.
    Forward,
    /// Connections are taken, and what they carry is taken and kept back.
    Frozen,
    /// The server hears what it is asked; its answers are kept back.
    Mute,
    /// There is no connection, neither old nor new.
    Cut,
}

/// A proxy on a port of its own.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Bytes that are still passed to the server before everything freezes.
    left: AtomicUsize,
}

struct State {
    mode: Mode,
    /// Connections up to this one are frozen whatever the mode.
    lost: usize,
    streams: Vec<TcpStream>,
    ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToServer,
    ToClient,
}

impl Proxy {
    /// A proxy before the server of this URL.
    pub(crate) fn before(url: &str) -> Self {
        let url = url::Url::parse(url).unwrap();
        let server = SocketAddr::new(url.host_str().unwrap().parse().unwrap(), url.port().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { mode: Mode::Forward, lost: 0, streams: Vec::new(), ended: false };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            left: AtomicUsize::new(usize::MAX),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(&listener, server, &accepting));
        Self { address, shared }
    }

    /// `url`, by way of this proxy.
    pub(crate) fn url(&self, url: &str) -> String {
        let mut url = url::Url::parse(url).unwrap();
        url.set_port(Some(self.address.port())).unwrap();
        url.into()
    }

    /// Does with all connections what `mode` says.
    pub(crate) fn set(&self, mode: Mode) {
        self.change(|state| {
            state.mode = mode;
            state.lost = 0;
            if mode == Mode::Cut {
                for stream in state.streams.drain(..) {
                    let _ = stream.shutdown(Shutdown::Both);
                }
            }
        });
    }

    /// Freezes when this many more bytes have gone to the server.
    pub(crate) fn freeze_after(&self, bytes: usize) {
        self.shared.left.store(bytes, Ordering::SeqCst);
    }

    /// Freezes the connections that there are, for ever, and passes on what new ones carry.
    pub(crate) fn lose_connections(&self) {
        self.change(|state| {
            state.lost = state.streams.len();
            state.mode = Mode::Forward;
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        self.shared.left.store(usize::MAX, Ordering::SeqCst);
        change(&mut self.shared.state.lock().unwrap());
        self.shared.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Mode::Cut);
        self.change(|state| state.ended = true);
        // The thread that accepts looks up.
        let _ = TcpStream::connect(self.address);
    }
}

fn accept(listener: &TcpListener, server: SocketAddr, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        let client = client.unwrap();
        let mut state = shared.state.lock().unwrap();
        if state.ended {
            return;
        }
        if state.mode == Mode::Cut {
            continue;
        }
        let Ok(server) = TcpStream::connect(server) else { continue };
        let number = state.streams.len();
        for (from, to, direction) in
            [(&client, &server, Direction::ToServer), (&server, &client, Direction::ToClient)]
        {
            let (from, to, shared) = (from.try_clone().unwrap(), to.try_clone().unwrap(), Arc::clone(shared));
            thread::spawn(move || pump(from, to, direction, number, &shared));
        }
        state.streams.extend([client, server]);
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, direction: Direction, number: usize, shared: &Shared) {
    let mut buffer = [0; 4096];
    from.set_nodelay(true).unwrap();
    to.set_nodelay(true).unwrap();
    from.set_read_timeout(Some(Duration::from_secs(3600))).unwrap();
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let mut state = shared.state.lock().unwrap();
        if direction == Direction::ToServer {
            let left = shared.left.load(Ordering::SeqCst);
            shared.left.store(left.saturating_sub(read), Ordering::SeqCst);
            if left < read {
                state.mode = Mode::Frozen;
            }
        }
        while match state.mode {
            Mode::Frozen => true,
            Mode::Mute => direction == Direction::ToClient,
            Mode::Forward | Mode::Cut => number < state.lost,
        } {
            state = shared.changed.wait(state).unwrap();
        }
        drop(state);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
