//! A web server of our own, for answers that a real one rarely gives.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// An answer to every request for a path.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) body: Vec<u8>,
    pub(super) manner: Manner,
}

/// How an answer is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Manner {
    /// At once.
    Whole,
    /// Half of it.
    Half,
    /// In pieces, with pauses.
    Slowly,
    /// Not at all, and the connection stays open.
    Silence,
    /// From elsewhere.
    Redirect(String),
}

impl Answer {
    pub(super) fn ok(body: impl Into<Vec<u8>>) -> Self {
        let (kind, manner) = ("application/octet-stream", Manner::Whole);
        Self { status: 200, kind, body: body.into(), manner }
    }

    pub(super) fn json(value: &serde_json::Value) -> Self {
        Self { kind: "application/json", ..Self::ok(value.to_string()) }
    }

    /// What the proxy of a company says instead.
    pub(super) fn html() -> Self {
        Self { kind: "text/html", ..Self::ok("<!DOCTYPE html><title>Please log in</title>") }
    }

    pub(super) fn status(status: u16) -> Self {
        Self { status, ..Self::ok("no") }
    }

    pub(super) fn manner(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }

    pub(super) fn redirect(to: impl Into<String>) -> Self {
        Self { status: 302, ..Self::ok("") }.manner(Manner::Redirect(to.into()))
    }
}

/// A request, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) headers: Vec<String>,
}

#[derive(Default)]
struct State {
    answers: Mutex<BTreeMap<String, Answer>>,
    requests: Mutex<Vec<Request>>,
    ended: AtomicBool,
}

/// The server; it ends with this value.
pub(super) struct Server {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.ended.load(Ordering::Relaxed) {
                    return;
                }
                let state = Arc::clone(&shared);
                // A client that goes away is no failure of ours.
                thread::spawn(move || serve(&stream, &state).ok());
            }
        });
        Self { address, state, thread: Some(thread) }
    }

    /// Returns the address of a path.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn set(&self, path: &str, answer: Answer) {
        self.state.answers.lock().unwrap().insert(path.to_lowercase(), answer);
    }

    pub(super) fn remove(&self, path: &str) {
        self.state.answers.lock().unwrap().remove(&path.to_lowercase());
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        TcpStream::connect(self.address).ok();
        self.thread.take().map(JoinHandle::join);
    }
}

fn serve(mut stream: &TcpStream, state: &State) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?.to_lowercase();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let headers = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .map(|line| line.to_lowercase())
        .collect();
    state.requests.lock().unwrap().push(Request { path: path.clone(), headers });
    let answer = state.answers.lock().unwrap().get(&path).cloned();
    let Answer { status, kind, body, manner } = answer.unwrap_or_else(|| Answer::status(404));
    let location = match &manner {
        Manner::Redirect(to) => format!("location: {to}\r\n"),
        _ => String::new(),
    };
    if manner == Manner::Silence {
        while !state.ended.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(50));
        }
        return Ok(());
    }
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
         {location}connection: close\r\n\r\n"
    )?;
    match manner {
        Manner::Half => stream.write_all(&body[..length / 2]),
        Manner::Slowly => body.chunks(length.div_ceil(8).max(1)).try_for_each(|piece| {
            thread::sleep(Duration::from_millis(100));
            stream.write_all(piece)
        }),
        _ => stream.write_all(&body),
    }
}
