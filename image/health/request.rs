//! One question to the server and its answer (HTTP/1.1, RFC 9112), within a time.

use crate::linux::{self, Descriptor, Instant, Refusal};
use crate::text::{Text, number};

/// Most of an answer that is read, in bytes: the head and what is said of health.
const LARGEST: usize = 16 * 1024;

/// Why there is no answer.
pub(crate) enum Failed {
    /// Nobody listens.
    NotListening,
    /// Nothing came in time.
    Silent,
    /// The conversation broke off, or was no HTTP.
    Broken,
}

/// An answer, as far as it was read.
pub(crate) struct Answer {
    bytes: [u8; LARGEST],
    length: usize,
}

/// Asks for a path, again after each of the times where nothing came, in milliseconds.
pub(crate) fn ask(port: u16, path: &str, login: &[u8], times: &[u64]) -> Result<Answer, Failed> {
    let mut asked = Err(Failed::Silent);
    for time in times {
        asked = once(port, path, login, Instant::in_milliseconds(*time));
        if !matches!(asked, Err(Failed::Silent)) {
            break;
        }
    }
    asked
}

fn once(port: u16, path: &str, login: &[u8], until: Instant) -> Result<Answer, Failed> {
    let socket = match Descriptor::connect(port, until) {
        Ok(socket) => socket,
        Err(Refusal::Refused) => return Err(Failed::NotListening),
        Err(Refusal::Late) => return Err(Failed::Silent),
        Err(Refusal::Other) => return Err(Failed::Broken),
    };
    let mut request = Text::<4096>::new();
    request.add(b"GET ").add(path.as_bytes()).add(b" HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    request.add(b"Connection: close\r\nAccept: application/json\r\nAuthorization: Basic ");
    request.add_base64(login).add(b"\r\n\r\n");
    if !socket.send_all(request.bytes(), until) {
        return Err(Failed::Broken);
    }
    let mut answer = Answer { bytes: [0; LARGEST], length: 0 };
    loop {
        let Some(room) = answer.bytes.get_mut(answer.length..).filter(|room| !room.is_empty())
        else {
            return Ok(answer);
        };
        match socket.receive(room, until) {
            Ok(0) if answer.head().is_none() => return Err(Failed::Broken),
            Ok(0) => return Ok(answer),
            Ok(more) => answer.length += more,
            Err(Refusal::Late) => return Err(Failed::Silent),
            Err(_) => return Err(Failed::Broken),
        }
        if answer.is_enough() {
            return Ok(answer);
        }
    }
}

impl Answer {
    fn read(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    /// Returns the head, once it is all there.
    fn head(&self) -> Option<&[u8]> {
        let end = self.read().windows(4).position(|four| four == b"\r\n\r\n")?;
        self.read().get(..end)
    }

    /// Returns the status, where this is HTTP.
    pub(crate) fn status(&self) -> Option<u16> {
        let line = self.head()?.strip_prefix(b"HTTP/1.")?;
        number(line.get(2..5)?)
    }

    /// Whether the answer calls itself JSON.
    pub(crate) fn is_json(&self) -> bool {
        let lines = self.head().unwrap_or(&[]).split(|byte| *byte == b'\n');
        lines.filter_map(|line| value(line, b"content-type")).any(|value| {
            value.get(..16).is_some_and(|kind| kind.eq_ignore_ascii_case(b"application/json"))
        })
    }

    /// Whether a text is in what was read.
    pub(crate) fn has(&self, text: &[u8]) -> bool {
        self.read().windows(text.len()).any(|here| here == text)
    }

    /// Whether nobody need wait for the rest: only health is judged by its body, which is one short object.
    fn is_enough(&self) -> bool {
        self.head().is_some() && (self.status() != Some(200) || !self.is_json() || self.has(b"}"))
    }
}

/// Returns the value of a header with this name.
fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let is_it = line.get(..colon)?.eq_ignore_ascii_case(name);
    is_it.then(|| line.get(colon + 1..).unwrap_or(&[]).trim_ascii())
}

impl Drop for Answer {
    fn drop(&mut self) {
        linux::forget(&mut self.bytes);
    }
}
