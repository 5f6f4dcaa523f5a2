//! As much of HTTP/1.1 as a server for one request per connection needs.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

/// Longest head of a request, in bytes.
const HEAD_LIMIT: u64 = 64 * 1024;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Method.
    pub method: String,
    /// Path and query, nothing unescaped.
    pub target: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Request {
    /// Returns a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Returns the path.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Returns every value of a field of the query, unescaped.
    pub fn query(&self, name: &str) -> Vec<String> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        form(query).filter(|(other, _)| other == name).map(|(_, value)| value).collect()
    }
}

/// Returns the fields of a query or of a form, unescaped.
pub(crate) fn form(text: &str) -> impl Iterator<Item = (String, String)> {
    let fields = text.split('&').filter_map(|field| field.split_once('='));
    fields.map(|(name, value)| (unescape(name), unescape(value)))
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let pair = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match (first, pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (byte, _) => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn body(self, media_type: &str, body: Vec<u8>) -> Self {
        Self { body, ..self.with("content-type", media_type) }
    }

    /// Returns a refusal with its code (distribution spec, "Error Codes").
    pub(crate) fn refusal(status: u16, code: &str) -> Self {
        let body = serde_json::json!({
            "errors": [{ "code": code, "message": "as you can see", "detail": {} }],
        });
        Self::new(status).body("application/json", body.to_string().into_bytes())
    }
}

/// A request and the connection that waits for its answer.
pub(crate) struct Exchange {
    pub(crate) request: Request,
    stream: TcpStream,
}

impl Exchange {
    /// Reads a request; none when the connection ended before it.
    pub(crate) fn read(stream: TcpStream) -> io::Result<Option<Self>> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut line = Vec::new();
            let got = (&mut reader).take(HEAD_LIMIT).read_until(b'\n', &mut line)?;
            if got == 0 || head.len() as u64 > HEAD_LIMIT {
                return Ok(None);
            }
            head.extend(line);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.lines();
        let mut first = lines.next().unwrap_or_default().split(' ');
        let mut word = || first.next().unwrap_or_default().to_owned();
        let (method, target) = (word(), word());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers: Vec<(String, String)> = headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut request = Request { method, target, headers, body: Vec::new() };
        // The client sends every body with its length.
        let length = request.header("content-length").and_then(|length| length.parse().ok());
        request.body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut request.body)?;
        Ok(Some(Self { request, stream }))
    }

    /// Answers.
    pub(crate) fn write(mut self, answer: &Answer) -> io::Result<()> {
        self.head(answer, Some(answer.body.len()))?;
        self.write_body(&answer.body)
    }

    /// Writes the head of an answer whose body has this length.
    pub(crate) fn head(&mut self, answer: &Answer, length: Option<usize>) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", answer.status);
        // 204 has no body (RFC 9110, 15.3.5).
        if let Some(length) = length.filter(|_| answer.status != 204) {
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.stream.write_all(head.as_bytes())
    }

    /// Writes a part of the body.
    pub(crate) fn write_body(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.request.method == "HEAD" {
            return Ok(());
        }
        self.stream.write_all(bytes)
    }

    /// Keeps silent until the other side gives up.
    pub(crate) fn keep_silent(mut self) -> io::Result<()> {
        let mut rest = [0; 1024];
        while self.stream.read(&mut rest)? > 0 {}
        Ok(())
    }
}
