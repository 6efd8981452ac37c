//! The least that asks over HTTP and reads an answer: one connection that is kept, and a buffer that is used again.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// One connection.
pub struct Client {
    stream: TcpStream,
    /// The head of the last answer, then its body.
    answer: Vec<u8>,
    body: usize,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, answer: Vec::new(), body: 0 }
    }

    /// Asks with `headers`, each of them ended by CR LF, and gives the status.
    pub fn get(&mut self, path: &str, headers: &str) -> u16 {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        self.stream.write_all(request.as_bytes()).unwrap();
        self.answer.clear();
        let mut piece = vec![0; 64 * 1024];
        let mut whole = None;
        while whole.is_none_or(|whole| self.answer.len() < whole) {
            let read = self.stream.read(&mut piece).unwrap();
            assert!(read > 0, "the service closed the connection");
            self.answer.extend_from_slice(&piece[..read]);
            if whole.is_none() {
                whole = length(&self.answer).map(|(head, body)| {
                    self.body = head;
                    head + body
                });
            }
        }
        std::str::from_utf8(&self.answer[9..12]).unwrap().parse().unwrap()
    }

    /// The body of the last answer.
    pub fn body(&self) -> &[u8] {
        &self.answer[self.body..]
    }
}

/// The lengths of head and body, once the head is there.
pub fn length(answer: &[u8]) -> Option<(usize, usize)> {
    let end = memchr::memmem::find(answer, b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse().unwrap())
    });
    Some((end, length.expect("a length")))
}
