//! A registry in this process, on a loopback port, that does what it is told to do wrong.
//!
//! It follows the OCI distribution spec 1.1 as far as `occ-registry` asks, and is held to it by the suite
//! that also runs against the distribution project's registry. One connection carries one request.

mod answer;
mod door;
mod fault;
pub(crate) mod http;
mod referrers;
mod store;
mod upload;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

pub use door::Door;
pub use fault::{Change, Fault, Harm};
pub use http::Request;

use answer::answer;
use door::Tokens;
pub(crate) use fault::Faults;
use http::Exchange;
use store::Store;

/// What a registry does about manifests that are about other ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Referring {
    /// It says that it took notice of the subject, and has the API.
    Api,
    /// It knows nothing of subjects: the API's path is not there.
    Unknown,
    /// It says that it took notice of the subject, and its API's path is not there.
    NoticedOnly,
}

/// A running registry, empty at first; dropped, it is gone.
#[derive(Debug)]
pub struct FakeRegistry {
    address: SocketAddr,
    state: Arc<State>,
    listening: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    address: SocketAddr,
    referring: Referring,
    door: Door,
    over: AtomicBool,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    store: Store,
    tokens: Tokens,
    faults: Faults,
    requests: Vec<Request>,
}

impl State {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeRegistry {
    /// Starts a registry that lets everybody in.
    pub fn start(referring: Referring) -> Self {
        Self::behind(Door::Open, referring)
    }

    /// Starts a registry behind a door.
    pub fn behind(door: Door, referring: Referring) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let over = AtomicBool::new(false);
        let memory = Mutex::default();
        let state = Arc::new(State { address, referring, door, over, memory });
        let kept = Arc::clone(&state);
        let listening = Some(thread::spawn(move || listen(&listener, &kept)));
        Self { address, state, listening }
    }

    /// Returns host and port as they stand in an image's name.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Returns the address of a place on it.
    pub fn url(&self, place: &str) -> String {
        format!("http://{}{place}", self.address)
    }

    /// Lets something go wrong from now on.
    pub fn fault(&self, fault: Fault) {
        self.state.memory().faults.plan(fault);
    }

    /// Changes what it holds, without a request.
    pub fn change(&self, change: Change) {
        self.state.memory().store.change(change);
    }

    /// Returns the requests so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.state.memory().requests.clone()
    }

    /// Returns how many requests so far had this method and this text in their target; an empty method stands for
    /// all.
    pub fn asked(&self, method: &str, target: &str) -> usize {
        let requests = &self.state.memory().requests;
        let is = |request: &&Request| {
            (method.is_empty() || request.method == method) && request.target.contains(target)
        };
        requests.iter().filter(is).count()
    }

    /// Returns type and bytes of a manifest by its tag or digest.
    pub fn manifest(&self, repository: &str, name: &str) -> Option<(String, Vec<u8>)> {
        self.state.memory().store.manifest(repository, name).map(|found| {
            let (media_type, bytes) = found.1;
            (media_type.clone(), bytes.clone())
        })
    }

    /// Returns how many manifests a repository has.
    pub fn manifests(&self, repository: &str) -> usize {
        self.state.memory().store.manifests(repository).len()
    }

    /// Returns the tags of a repository, sorted.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        self.state.memory().store.tags(repository)
    }

    /// Returns the bytes of a blob.
    pub fn blob(&self, repository: &str, digest: &str) -> Option<Vec<u8>> {
        self.state.memory().store.blob(repository, digest).cloned()
    }
}

impl Drop for FakeRegistry {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        // The one that listens wakes up by being connected to.
        drop(TcpStream::connect(self.address));
        if let Some(listening) = self.listening.take() {
            drop(listening.join());
        }
    }
}

fn listen(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming() {
        if state.over.load(Ordering::SeqCst) {
            return;
        }
        // A connection that broke before it was accepted is nobody's any more.
        let Ok(stream) = stream else { continue };
        let state = Arc::clone(state);
        // A conversation that broke is the client's affair.
        thread::spawn(move || drop(converse(stream, &state)));
    }
}

fn converse(stream: TcpStream, state: &State) -> std::io::Result<()> {
    let Some(exchange) = Exchange::read(stream)? else { return Ok(()) };
    let harm = {
        let mut memory = state.memory();
        memory.requests.push(exchange.request.clone());
        memory.faults.due(&exchange.request)
    };
    if let Some(harm) = harm {
        return fault::suffer(exchange, state, harm);
    }
    let answer = answer(state, &exchange.request);
    exchange.write(&answer)
}
