//! The interface that Docker Hub has beside its registry, on a loopback port: logging in, and the page of a
//! repository.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};

use crate::fake_registry::http::{Answer, Exchange};
use crate::fake_registry::{Fault, Faults, Harm, Request};

/// Longest short and full description, in bytes.
const LIMITS: [(&str, usize); 2] = [("description", 100), ("full_description", 25_000)];

/// A running instance with one user and one repository; dropped, it is gone.
#[derive(Debug)]
pub struct Hub {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    state: Arc<Mutex<State>>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    repository: String,
    page: BTreeMap<&'static str, String>,
    /// Requests that each token is still good for.
    tokens: BTreeMap<String, usize>,
    token_lasts: usize,
    keeps: usize,
    faults: Faults,
    requests: Vec<Request>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// The one who may log in.
    pub const USER: &'static str = "releaser";
    /// Their password.
    pub const PASSWORD: &'static str = "dckr_pat_of-the-bench";

    /// Starts an instance that knows a repository (`NAMESPACE/NAME`) without a description.
    pub fn start(repository: &str) -> Self {
        let state = Arc::new(Mutex::new(State {
            repository: repository.to_owned(),
            page: BTreeMap::new(),
            tokens: BTreeMap::new(),
            token_lasts: usize::MAX,
            keeps: usize::MAX,
            faults: Faults::default(),
            requests: Vec::new(),
        }));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let over = Arc::new(AtomicBool::new(false));
        let kept = (Arc::clone(&state), Arc::clone(&over));
        let listening = thread::spawn(move || listen(&listener, &kept.0, &kept.1));
        Self { address, over, state, listening: Some(listening) }
    }

    /// Returns its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets something go wrong from now on: [`Harm::Answers`], [`Harm::Body`] or [`Harm::HangsUp`].
    pub fn fault(&self, fault: Fault) {
        lock(&self.state).faults.plan(fault);
    }

    /// Lets every token given out from now on be good for so many requests.
    pub fn tokens_last(&self, requests: usize) {
        lock(&self.state).token_lasts = requests;
    }

    /// Keeps no more than so many bytes of a text, and says nothing about it.
    pub fn keeps(&self, bytes: usize) {
        lock(&self.state).keeps = bytes;
    }

    /// Returns a text of the page: `description` or `full_description`.
    pub fn page(&self, field: &str) -> Option<String> {
        lock(&self.state).page.get(field).cloned()
    }

    /// Returns the requests so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.state).requests.clone()
    }

    /// Returns how many requests so far had this method.
    pub fn asked(&self, method: &str) -> usize {
        self.requests().iter().filter(|request| request.method == method).count()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // The one that listens wakes up by being connected to.
        drop(TcpStream::connect(self.address));
        if let Some(listening) = self.listening.take() {
            drop(listening.join());
        }
    }
}

fn listen(listener: &TcpListener, state: &Arc<Mutex<State>>, over: &AtomicBool) {
    for stream in listener.incoming() {
        if over.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let state = Arc::clone(state);
        thread::spawn(move || drop(converse(stream, &state)));
    }
}

fn converse(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let Some(exchange) = Exchange::read(stream)? else { return Ok(()) };
    let answer = {
        let mut state = lock(state);
        state.requests.push(exchange.request.clone());
        match state.faults.due(&exchange.request) {
            Some(Harm::Answers { status, headers, body }) => Answer { status, headers, body },
            Some(Harm::HangsUp) => return Ok(()),
            Some(Harm::Body(body)) => Answer { body, ..state.answer(&exchange.request) },
            Some(other) => panic!("{other:?} is nothing that happens here"),
            None => state.answer(&exchange.request),
        }
    };
    exchange.write(&answer)
}

fn json_answer(status: u16, body: &Value) -> Answer {
    Answer::new(status).body("application/json", body.to_string().into_bytes())
}

impl State {
    fn answer(&mut self, request: &Request) -> Answer {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        if (request.method.as_str(), request.path()) == ("POST", "/v2/auth/token") {
            return self.log_in(&body);
        }
        if !self.is_in(request) {
            return json_answer(401, &json!({ "detail": "Unauthorized" }));
        }
        if request.path() != format!("/v2/repositories/{}/", self.repository) {
            return json_answer(404, &json!({ "message": "object not found" }));
        }
        match request.method.as_str() {
            "GET" => json_answer(200, &self.shown()),
            "PATCH" => self.change(&body),
            _ => json_answer(405, &json!({ "detail": "Method not allowed" })),
        }
    }

    fn log_in(&mut self, body: &Value) -> Answer {
        let is = |field: &str, value: &str| body[field].as_str() == Some(value);
        if !(is("identifier", Hub::USER) && is("secret", Hub::PASSWORD)) {
            return json_answer(401, &json!({ "detail": "Incorrect authentication credentials" }));
        }
        let token = format!("a-token-{}", self.tokens.len());
        self.tokens.insert(token.clone(), self.token_lasts);
        json_answer(200, &json!({ "access_token": token }))
    }

    fn is_in(&mut self, request: &Request) -> bool {
        let bearer = request.header("authorization").and_then(|it| it.strip_prefix("Bearer "));
        let left = bearer.and_then(|token| self.tokens.get_mut(token)).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    }

    fn change(&mut self, body: &Value) -> Answer {
        for (field, limit) in LIMITS {
            let Some(text) = body[field].as_str() else { continue };
            if text.len() > limit {
                let message = format!("Ensure this field has no more than {limit} characters.");
                return json_answer(400, &json!({ "message": message, "errinfo": {} }));
            }
            self.page.insert(field, text.chars().take(self.keeps).collect());
        }
        json_answer(200, &self.shown())
    }

    fn shown(&self) -> Value {
        let (namespace, name) = self.repository.split_once('/').expect("NAMESPACE/NAME");
        json!({
            "namespace": namespace,
            "name": name,
            "description": self.page.get("description"),
            "full_description": self.page.get("full_description"),
            "is_private": false,
        })
    }
}
