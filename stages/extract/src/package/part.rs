//! The bytes of a part, unpacked as they are read, so that a large part is never in memory as a whole.

use std::cell::Cell;
use std::io::{self, BufRead, ErrorKind, Read};
use std::rc::Rc;

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};

use crate::reject::Reject;

const BUFFER: usize = 32 * 1024;

/// A part being unpacked.
pub(super) struct Part<'a> {
    packed: &'a [u8],
    state: Option<Box<InflateState>>,
    buffer: Vec<u8>,
    /// The unread bytes of `buffer`.
    unread: std::ops::Range<usize>,
    is_over: bool,
    /// Bytes that may still be unpacked, of all parts.
    budget: Rc<Cell<usize>>,
    /// Bytes unpacked since [`Part::begin`], and how many there may be.
    since: usize,
    most: usize,
}

impl<'a> Part<'a> {
    /// A part that is not compressed.
    pub(super) fn stored(packed: &'a [u8], budget: Rc<Cell<usize>>) -> Self {
        Self {
            packed,
            state: None,
            buffer: Vec::new(),
            unread: 0..0,
            is_over: false,
            budget,
            since: 0,
            most: usize::MAX,
        }
    }

    /// A part that is compressed.
    pub(super) fn deflated(packed: &'a [u8], budget: Rc<Cell<usize>>) -> Self {
        Self { state: Some(InflateState::new_boxed(DataFormat::Raw)), ..Self::stored(packed, budget) }
    }

    /// From here on, no more than about `most` bytes may be read until the next call.
    pub(super) fn begin(&mut self, most: usize) {
        self.since = 0;
        self.most = most;
    }

    fn refill(&mut self) -> io::Result<()> {
        self.buffer.resize(BUFFER, 0);
        while !self.is_over {
            let count = match &mut self.state {
                None => {
                    let count = self.packed.len().min(BUFFER);
                    self.buffer[..count].copy_from_slice(&self.packed[..count]);
                    self.packed = &self.packed[count..];
                    self.is_over = self.packed.is_empty();
                    count
                }
                Some(state) => {
                    let done = inflate(state, self.packed, &mut self.buffer, MZFlush::None);
                    self.packed = &self.packed[done.bytes_consumed..];
                    match done.status {
                        Ok(MZStatus::StreamEnd) => self.is_over = true,
                        Ok(_) if done.bytes_written == 0 => return Err(damaged()),
                        Ok(_) => {}
                        Err(_) => return Err(damaged()),
                    }
                    done.bytes_written
                }
            };
            let budget = self.budget.get().checked_sub(count).ok_or_else(too_large)?;
            self.budget.set(budget);
            self.since = self.since.saturating_add(count);
            if self.since > self.most {
                return Err(too_large());
            }
            if count > 0 {
                self.unread = 0..count;
                return Ok(());
            }
        }
        Ok(())
    }
}

impl BufRead for Part<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.unread.is_empty() {
            self.refill()?;
        }
        Ok(&self.buffer[self.unread.clone()])
    }

    fn consume(&mut self, count: usize) {
        self.unread.start = self.unread.start.saturating_add(count).min(self.unread.end);
    }
}

impl Read for Part<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(out.len());
        out[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

fn damaged() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "a part cannot be unpacked")
}

fn too_large() -> io::Error {
    ErrorKind::FileTooLarge.into()
}

/// What an error of a part means for the document.
pub(super) fn reject(error: &io::Error, limit: usize) -> Reject {
    match error.kind() {
        ErrorKind::FileTooLarge => Reject::TooLarge(limit),
        _ => Reject::OfficeBroken(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(mut part: Part<'_>) -> Result<Vec<u8>, Reject> {
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes).map(|_| bytes).map_err(|error| reject(&error, 5))
    }

    #[test]
    fn a_part_is_unpacked_in_pieces_within_the_budget() {
        let whole: Vec<u8> = (0..200_000_u32).map(|byte| (byte % 251) as u8).collect();
        let packed = miniz_oxide::deflate::compress_to_vec(&whole, 6);
        let budget = Rc::new(Cell::new(500_000));
        assert_eq!(unpacked(Part::deflated(&packed, Rc::clone(&budget))).unwrap(), whole);
        assert_eq!(unpacked(Part::stored(&whole, Rc::clone(&budget))).unwrap(), whole);
        assert_eq!(budget.get(), 100_000);
        assert_eq!(unpacked(Part::deflated(&packed, budget)), Err(Reject::TooLarge(5)));
    }

    #[test]
    fn a_part_that_is_cut_off_is_damaged() {
        let packed = miniz_oxide::deflate::compress_to_vec(&[7; 1000], 6);
        let cut = &packed[..packed.len() / 2];
        let rejected = unpacked(Part::deflated(cut, Rc::new(Cell::new(9999)))).unwrap_err();
        assert_eq!(rejected.code(), "office-broken");
    }
}
