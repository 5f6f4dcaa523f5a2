//! One line of a log, with its time and whose it is.

use occ_engine::{Chunk, Source};
use occ_sandbox::HistoryEntry;
use serde_json::{Value, json};

use crate::time;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// When, RFC 3339, UTC.
    pub(super) at: String,
    /// `container` or `occ`.
    pub(super) source: &'static str,
    /// What it says.
    pub(super) text: String,
}

impl Line {
    /// Returns the line for something that was done.
    pub(super) fn of(entry: &HistoryEntry) -> Self {
        let verdict = json!(entry.verdict);
        let mut text = format!("{}: {}", entry.what, verdict.as_str().unwrap_or_default());
        for (word, value) in [("from", &entry.from), ("to", &entry.to), ("digest", &entry.digest)] {
            text.extend(value.iter().map(|value| format!(", {word} {value}")));
        }
        text.extend(entry.why.iter().map(|why| format!(" ({why})")));
        Self { at: entry.at.clone(), source: "occ", text }
    }

    /// Reads a line that an engine has put the time before.
    fn dated(line: &str) -> Self {
        let (at, text) = match line.split_once(' ') {
            Some((at, text)) if time::nanos(at).is_some() => (at, text),
            _ => ("", line),
        };
        let text = text.trim_end_matches('\r').to_owned();
        Self { at: at.to_owned(), source: "container", text }
    }

    /// Returns when, in nanoseconds since 1970 UTC; the beginning of time where it is not known.
    pub(super) fn moment(&self) -> i128 {
        time::nanos(&self.at).unwrap_or_default()
    }

    /// Returns when, in whole seconds since 1970 UTC.
    pub(super) fn second(&self) -> Option<i64> {
        i64::try_from(time::nanos(&self.at)? / 1_000_000_000).ok()
    }

    /// Returns whether it is not older than a second since 1970 UTC.
    pub(super) fn is_since(&self, second: i64) -> bool {
        self.moment() >= i128::from(second) * 1_000_000_000
    }

    /// Returns the line for a person.
    pub(super) fn render(&self, timestamps: bool, sources: bool) -> String {
        let at = if timestamps { format!("{} ", self.at) } else { String::new() };
        let source = if sources { format!("{:<9} | ", self.source) } else { String::new() };
        format!("{at}{source}{}\n", self.text)
    }

    /// Returns the line for a program.
    pub(super) fn json(&self) -> Value {
        let Self { at, source, text } = self;
        json!({ "schema": "occ/log", "version": 1, "data": { "at": at, "source": source, "line": text } })
    }
}

/// Merges lines by time; of the same moment, what was done comes after what it made the server say.
pub(super) fn merged(mut server: Vec<Line>, done: Vec<Line>) -> Vec<Line> {
    server.extend(done);
    server.sort_by_key(Line::moment);
    server
}

/// Puts lines together from pieces of both streams.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    pieces: [Vec<u8>; 2],
}

impl Assembler {
    /// Takes a piece and returns the lines that it completes.
    pub(super) fn push(&mut self, chunk: &Chunk) -> Vec<Line> {
        let piece = &mut self.pieces[usize::from(chunk.source == Source::Stderr)];
        piece.extend_from_slice(&chunk.bytes);
        let Some(end) = piece.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let rest = piece.split_off(end + 1);
        let whole = std::mem::replace(piece, rest);
        String::from_utf8_lossy(&whole).lines().map(Line::dated).collect()
    }

    /// Returns what has no end.
    pub(super) fn rest(self) -> Vec<Line> {
        let pieces = self.pieces.iter().filter(|piece| !piece.is_empty());
        pieces.map(|piece| Line::dated(&String::from_utf8_lossy(piece))).collect()
    }
}

#[cfg(test)]
mod tests {
    use occ_sandbox::Verdict;

    use super::*;

    fn chunk(source: Source, text: &str) -> Chunk {
        Chunk { source, bytes: text.to_owned().into() }
    }

    #[test]
    fn lines_are_put_together_whatever_pieces_they_come_in() {
        let mut assembler = Assembler::default();
        assert_eq!(assembler.push(&chunk(Source::Stdout, "2026-01-31T12:00:00.5Z one ")), []);
        let other = assembler.push(&chunk(Source::Stderr, "2026-01-31T12:00:01Z two\r\n"));
        assert_eq!(other[0].text, "two");
        let lines = assembler.push(&chunk(Source::Stdout, "piece\nno time here\nrest"));
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["one piece", "no time here"]);
        assert_eq!(lines[0].at, "2026-01-31T12:00:00.5Z");
        assert_eq!(assembler.rest()[0].text, "rest");
    }

    #[test]
    fn two_sources_become_one_by_time() {
        let server = ["2026-01-31T12:00:00.900000000Z a", "2026-01-31T12:00:02.1Z b"];
        let server = server.map(Line::dated).to_vec();
        let mut entry = HistoryEntry::new("2026-01-31T12:00:01Z", "start", Verdict::Done);
        entry.why = Some("asked".into());
        let lines = merged(server, vec![Line::of(&entry)]);
        let shown: String = lines.iter().map(|line| line.render(false, true)).collect();
        assert_eq!(shown, "container | a\nocc       | start: done (asked)\ncontainer | b\n");
    }
}
