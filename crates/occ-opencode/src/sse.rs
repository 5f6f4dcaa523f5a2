//! Server-sent events, as text (WHATWG HTML, "9.2.6 Interpreting an event stream").
//!
//! Pure and incremental: bytes in, in pieces of any size, messages out.

use std::collections::VecDeque;

/// One message of a stream. `id` and `retry` serve reconnecting, which nobody here does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// The `event` field; empty where the stream names none.
    pub(crate) event: String,
    /// The `data` lines, joined by line feeds.
    pub(crate) data: String,
}

/// A message that grew past the limit without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

/// The state between two pieces.
#[derive(Debug)]
pub(crate) struct Parser {
    limit: usize,
    line: Vec<u8>,
    after_cr: bool,
    first_line: bool,
    event: String,
    data: Option<String>,
    ready: VecDeque<Message>,
}

impl Parser {
    /// Makes a parser whose messages may have up to `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            after_cr: false,
            first_line: true,
            event: String::new(),
            data: None,
            ready: VecDeque::new(),
        }
    }

    /// Takes the next piece of the stream.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), TooLong> {
        for &byte in piece {
            let after_cr = std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if after_cr => {}
                b'\n' => self.end_line(),
                b'\r' => {
                    self.after_cr = true;
                    self.end_line();
                }
                other => self.line.push(other),
            }
            if self.line.len() + self.data.as_ref().map_or(0, String::len) > self.limit {
                return Err(TooLong);
            }
        }
        Ok(())
    }

    /// Returns the next complete message.
    pub(crate) fn next(&mut self) -> Option<Message> {
        self.ready.pop_front()
    }

    fn end_line(&mut self) {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let mut line = text.as_ref();
        if std::mem::take(&mut self.first_line) {
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if let Some(data) = self.data.take() {
                self.ready.push_back(Message { event, data });
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "event" => value.clone_into(&mut self.event),
            // A comment has the empty field name; all others are ignored, says the specification.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(pieces: &[&[u8]]) -> Vec<Message> {
        let mut parser = Parser::new(1024);
        for piece in pieces {
            parser.push(piece).expect("short enough");
        }
        std::iter::from_fn(|| parser.next()).collect()
    }

    fn data(texts: &[&str]) -> Vec<Message> {
        texts.iter().map(|t| Message { event: String::new(), data: (*t).to_owned() }).collect()
    }

    #[test]
    fn a_message_ends_at_an_empty_line_and_not_before() {
        assert_eq!(parse(&[b"data: one\n"]), []);
        assert_eq!(parse(&[b"data: one\n\ndata: two\n\ndata: thr"]), data(&["one", "two"]));
    }

    #[test]
    fn pieces_may_be_cut_anywhere_even_within_a_character() {
        assert_eq!(parse(&[b"da", b"ta: h\xc3", b"\xa9\n", b"\n"]), data(&["h\u{e9}"]));
    }

    #[test]
    fn all_three_line_ends_are_one_line_end_each() {
        assert_eq!(parse(&[b"data: a\r\n\r\ndata: b\r\rdata: c\n\n"]), data(&["a", "b", "c"]));
        assert_eq!(parse(&[b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n"]), data(&["a\nb"]));
    }

    #[test]
    fn comments_and_unknown_fields_say_nothing() {
        assert_eq!(parse(&[b": hello\nid: 7\nretry: 5\nnonsense\n\n"]), []);
        assert_eq!(parse(&[b":\ndata: x\n: y\n\n"]), data(&["x"]));
    }

    #[test]
    fn several_data_lines_are_one_text_and_one_space_is_taken_off() {
        assert_eq!(parse(&[b"data: a\ndata:b\ndata:  c\ndata\n\n"]), data(&["a\nb\n c\n"]));
    }

    #[test]
    fn an_event_name_belongs_to_its_message_only() {
        let seen = parse(&[b"event: x\ndata: 1\n\ndata: 2\n\nevent: y\n\ndata: 3\n\n"]);
        let names: Vec<_> = seen.iter().map(|m| m.event.as_str()).collect();
        assert_eq!(names, ["x", "", ""]);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_field() {
        assert_eq!(parse(&[b"\xef\xbb\xbfdata: x\n\n"]), data(&["x"]));
    }

    #[test]
    fn a_message_without_end_is_cut_off() {
        let mut parser = Parser::new(8);
        assert_eq!(parser.push(b"data: 12"), Ok(()));
        assert_eq!(parser.push(b"3"), Err(TooLong));
        let mut lines = Parser::new(8);
        assert_eq!(lines.push(b"data:12345\n"), Err(TooLong));
    }

    proptest! {
        #[test]
        fn where_the_stream_is_cut_changes_nothing(
            stream in "(data: ?|event: |:|\r|\n|\r\n|x|é|\n\n){0,24}",
            cuts in proptest::collection::vec(0_usize..64, 0..6),
        ) {
            let bytes = stream.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            prop_assert_eq!(parse(&pieces), parse(&[bytes]));
        }
    }
}
