//! A writer that reports progress and notices that it should stop.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::Interrupted;
use crate::event::{Event, Observer, Part};

/// News come after this many bytes.
const STEP: u64 = 4 << 20;

/// Passes bytes on.
pub(crate) struct Pulse<'a, W> {
    inner: W,
    part: Part,
    total: u64,
    done: u64,
    told: u64,
    observer: Observer<'a>,
    cancel: &'a AtomicBool,
}

impl<'a, W> Pulse<'a, W> {
    /// Wraps a writer; `total` is about how many bytes will come, 0 when unknown.
    pub(crate) fn new(
        inner: W,
        part: Part,
        total: u64,
        (observer, cancel): (Observer<'a>, &'a AtomicBool),
    ) -> Self {
        Self { inner, part, total, done: 0, told: 0, observer, cancel }
    }
}

impl<W: Write> Write for Pulse<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(io::Error::other(Interrupted));
        }
        let taken = self.inner.write(bytes)?;
        self.done += taken as u64;
        if self.done - self.told >= STEP {
            self.told = self.done;
            let (part, done) = (self.part.clone(), self.done);
            (self.observer)(Event::Bytes { part, done, total: self.total.max(done) });
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
