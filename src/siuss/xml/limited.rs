//! The bytes of a document, counted, and let pass only so far.

use std::io::{self, BufRead, Read};

/// A source that counts lines, and stops at a token longer than it lets pass.
pub(super) struct Limited<R> {
    source: R,
    /// Bytes that it still lets pass.
    pub(super) left: usize,
    /// The line, from 1.
    pub(super) line: u64,
    /// Bytes that have passed so far.
    pub(super) passed: u64,
}

impl<R> Limited<R> {
    pub(super) fn new(source: R, left: usize) -> Self {
        Self { source, left, line: 1, passed: 0 }
    }
}

/// There is more than is let pass.
#[derive(Debug, thiserror::Error)]
#[error("the token is too long")]
pub(super) struct TokenTooLong;

impl<R: BufRead> Read for Limited<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Limited<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Err(io::Error::other(TokenTooLong));
        }
        let available = self.source.fill_buf()?;
        Ok(available.get(..self.left).unwrap_or(available))
    }

    fn consume(&mut self, count: usize) {
        if let Ok(available) = self.source.fill_buf() {
            let consumed = available.get(..count).unwrap_or(available);
            let breaks = memchr::memchr_iter(b'\n', consumed).count();
            self.line = self.line.saturating_add(u64::try_from(breaks).unwrap_or(u64::MAX));
        }
        self.left = self.left.saturating_sub(count);
        self.passed = self.passed.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        self.source.consume(count);
    }
}
