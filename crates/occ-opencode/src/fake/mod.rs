//! An in-process server that answers as opencode 1.18 does, or misbehaves as it can.
//!
//! One conformance suite runs against this and the real program, so that it stays honest. It
//! listens on loopback, keeps sessions, sends events, and runs no command: of shell it knows
//! `echo` and `exit` only.

mod answer;
mod http;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::{JoinHandle, JoinSet};

use crate::{Credentials, Endpoint, Secret, SessionId};

/// How the server behaves towards somebody who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As opencode does when all is well.
    Healthy,
    /// Accepts connections and never answers.
    NeverAnswers,
    /// Never answers the first requests, as opencode in its first third of a second.
    SwallowsFirst(usize),
    /// Health is green and every instance endpoint answers 400, as with a broken configuration.
    BrokenInstance,
    /// Every path answers 200 with a web page.
    HtmlEverywhere,
    /// Event streams open and stay silent.
    SilentEvents,
    /// Asks for a password and lets everybody in who has one, whichever.
    AnyPassword,
    /// Health says that it is not healthy.
    Unhealthy,
}

/// What a fake server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The version it reports.
    pub version: String,
    /// Who may come in; nothing leaves the door open.
    pub credentials: Option<Credentials>,
    /// How it behaves.
    pub manner: Manner,
}

impl Script {
    /// Returns a healthy 1.18.33 behind the user `opencode` and a password.
    pub fn healthy() -> Self {
        let password = Secret::from("the fake's password");
        Self {
            version: "1.18.33".into(),
            credentials: Some(Credentials { user: "opencode".into(), password }),
            manner: Manner::Healthy,
        }
    }

    /// Returns the same server with another manner.
    #[must_use]
    pub fn with(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }
}

/// A running fake server; dropping it closes it and all its connections.
#[derive(Debug)]
pub struct FakeServer {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    script: Script,
    memory: Mutex<Memory>,
    events: broadcast::Sender<Value>,
}

#[derive(Debug, Default)]
struct Memory {
    requests: Vec<String>,
    sessions: Vec<Value>,
    busy: Vec<String>,
    sessions_ever: u64,
    events_ever: u64,
}

impl State {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeServer {
    /// Starts a server on a free port of loopback.
    ///
    /// # Errors
    /// The socket's error.
    pub async fn start(script: Script) -> std::io::Result<Self> {
        Self::start_on((Ipv4Addr::LOCALHOST, 0).into(), script).await
    }

    /// Starts a server on this address.
    ///
    /// # Errors
    /// The socket's error.
    pub async fn start_on(address: SocketAddr, script: Script) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (events, _) = broadcast::channel(64);
        let state = Arc::new(State { script, memory: Mutex::default(), events });
        let task = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { address, state, task })
    }

    /// Returns where it listens.
    pub const fn endpoint(&self) -> Endpoint {
        Endpoint { address: self.address }
    }

    /// Lets a session be at work from now on.
    pub fn set_busy(&self, session: &SessionId) {
        self.state.memory().busy.push(session.to_string());
    }

    /// Returns the requests so far, such as `GET /path`, in the order of their arrival.
    pub fn requests(&self) -> Vec<String> {
        self.state.memory().requests.clone()
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut conversations = JoinSet::new();
    loop {
        tokio::select! {
            // A connection that broke before it was accepted is nobody's any more.
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                conversations.spawn(converse(stream, Arc::clone(&state)));
            },
            // A conversation that broke is the client's affair.
            Some(_) = conversations.join_next() => {}
        }
    }
}

async fn converse(mut stream: TcpStream, state: Arc<State>) -> std::io::Result<()> {
    let Some(request) = http::read(&mut stream).await? else { return Ok(()) };
    let number = {
        let mut memory = state.memory();
        memory.requests.push(format!("{} {}", request.method, request.path));
        memory.requests.len()
    };
    match state.script.manner {
        Manner::NeverAnswers => std::future::pending().await,
        Manner::SwallowsFirst(count) if number <= count => std::future::pending().await,
        _ => answer::answer(&mut stream, &state, &request).await,
    }
}
