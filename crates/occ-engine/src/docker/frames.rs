//! The framing that keeps standard output and standard error apart on one connection.
//!
//! SPEC: Docker Engine API, "Attach to a container", stream format: one byte for the stream, three
//! of nothing, four for the length (big endian), then the bytes.

use bytes::{Buf as _, BytesMut};

use crate::logs::{Chunk, Source};

const HEADER: usize = 8;

/// Takes frames out of what has arrived so far.
#[derive(Debug)]
pub(super) struct Frames {
    framed: bool,
    arrived: BytesMut,
}

impl Frames {
    /// With a terminal there is no framing: everything is standard output.
    pub(super) fn new(terminal: bool) -> Self {
        Self { framed: !terminal, arrived: BytesMut::new() }
    }

    /// Adds what arrived.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.arrived.extend_from_slice(bytes);
    }

    /// Takes the next piece.
    pub(super) fn next(&mut self) -> Option<Chunk> {
        if self.arrived.is_empty() {
            return None;
        }
        if !self.framed {
            return Some(Chunk { source: Source::Stdout, bytes: self.arrived.split().freeze() });
        }
        if self.arrived.len() < HEADER {
            return None;
        }
        // The log of a container with a terminal has no frames, and says so nowhere before API 1.42.
        if self.arrived[0] > 2 || self.arrived[1..4] != [0; 3] {
            self.framed = false;
            return self.next();
        }
        let length = u32::from_be_bytes([4, 5, 6, 7].map(|at| self.arrived[at])) as usize;
        if self.arrived.len() < HEADER + length {
            return None;
        }
        let source = if self.arrived[0] == 2 { Source::Stderr } else { Source::Stdout };
        self.arrived.advance(HEADER);
        Some(Chunk { source, bytes: self.arrived.split_to(length).freeze() })
    }

    /// Returns whether the connection ended in the middle of a frame.
    pub(super) fn is_cut(&self) -> bool {
        self.framed && !self.arrived.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn frame(stream: u8, text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).expect("a short text").to_be_bytes();
        [&[stream, 0, 0, 0], length.as_slice(), text.as_bytes()].concat()
    }

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let wire = [frame(1, "out"), frame(2, "error"), frame(1, "")].concat();
        for size in 1..wire.len() {
            let mut frames = Frames::new(false);
            let mut seen = Vec::new();
            for piece in wire.chunks(size) {
                frames.push(piece);
                while let Some(chunk) = frames.next() {
                    seen.push((chunk.source, chunk.bytes));
                }
            }
            assert_eq!(
                seen,
                [
                    (Source::Stdout, Bytes::from("out")),
                    (Source::Stderr, Bytes::from("error")),
                    (Source::Stdout, Bytes::new())
                ]
            );
            assert!(!frames.is_cut());
        }
    }

    #[test]
    fn a_terminal_is_not_framed_even_when_its_bytes_look_like_it() {
        let mut frames = Frames::new(true);
        frames.push(&[1, 0, 0, 0, 255, 255, 255, 255, b'x']);
        assert_eq!(frames.next().map(|chunk| chunk.bytes.len()), Some(9));
        assert!(!frames.is_cut());
    }

    #[test]
    fn what_is_not_framed_though_it_should_be_is_passed_on_as_it_is() {
        let mut frames = Frames::new(false);
        frames.push(b"plain text from a terminal\n");
        assert_eq!(frames.next().map(|chunk| chunk.bytes.len()), Some(27));
        assert!(!frames.is_cut());
    }

    #[test]
    fn an_end_inside_a_frame_is_noticed() {
        let mut frames = Frames::new(false);
        frames.push(&frame(1, "out")[..9]);
        assert_eq!(frames.next(), None);
        assert!(frames.is_cut());
    }
}
