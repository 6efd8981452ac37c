//! The content of a file that lies in the database, read as if it were a file: one part of it in memory.

use std::cell::RefCell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use diesel::prelude::*;

use super::PART;
use crate::store::schema::caricamento_parte;
use crate::store::{Store, StoreError};

/// Why a content could not be read on. To whoever judges a file it looks like a fault of the file, which it is not.
pub(super) type Failure = Rc<RefCell<Option<StoreError>>>;

/// The content, and how far it was read.
pub(super) struct Content {
    store: Store,
    id: i64,
    bytes: u64,
    position: u64,
    /// The part that was read last, and its number.
    part: Option<(i64, Vec<u8>)>,
    failure: Failure,
}

impl Content {
    /// The content of the file `id`, which is `bytes` long. What goes wrong is left in `failure`.
    pub(super) fn new(store: &Store, id: i64, bytes: u64, failure: &Failure) -> Self {
        Self { store: store.clone(), id, bytes, position: 0, part: None, failure: Rc::clone(failure) }
    }

    fn fail(&self, error: StoreError) -> io::Error {
        let shown = io::Error::other(error.to_string());
        *self.failure.borrow_mut() = Some(error);
        shown
    }

    fn part(&mut self, number: i64) -> io::Result<&[u8]> {
        if self.part.as_ref().is_none_or(|(held, _)| *held != number) {
            let id = self.id;
            let content: Option<Vec<u8>> = self
                .store
                .read_bounded(move |connection| {
                    Ok(caricamento_parte::table
                        .find((id, number))
                        .select(caricamento_parte::content)
                        .first(connection)
                        .optional()?)
                })
                .map_err(|error| self.fail(error))?;
            let missing =
                || self.fail(StoreError::Unreadable(format!("part {number} of the loaded file {id}")));
            let content = content.ok_or_else(missing)?;
            self.part = Some((number, content));
        }
        Ok(self.part.as_ref().map(|(_, content)| content.as_slice()).unwrap_or_default())
    }
}

impl Read for Content {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.bytes || out.is_empty() {
            return Ok(0);
        }
        let length = u64::try_from(PART).unwrap_or(u64::MAX);
        let number = i64::try_from(self.position / length).unwrap_or(i64::MAX);
        let within = usize::try_from(self.position % length).unwrap_or(usize::MAX);
        let count = self.part(number)?.get(within..).unwrap_or_default().read(out)?;
        if count == 0 {
            return Err(
                self.fail(StoreError::Unreadable(format!("the loaded file {} is too short", self.id)))
            );
        }
        self.position += u64::try_from(count).unwrap_or(u64::MAX);
        Ok(count)
    }
}

impl Seek for Content {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.bytes.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}
