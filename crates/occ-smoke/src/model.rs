//! The model that comes with occ: a program of ours that is run inside, so that a prompt needs no network.

use std::hash::{BuildHasher as _, RandomState};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use occ_image::guest;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, DuplexStream, duplex};
use tokio::sync::watch;

use crate::fault::Fault;
use crate::inside::Talk;

/// The program. The one under examination runs it: it is Bun with opencode in it.
const PROGRAM: &str = include_str!("model.js");
/// Name of the provider and of its model.
pub(crate) const PROVIDER: &str = "occ-smoke";
pub(crate) const NAME: &str = "echo";
/// How long the program may take to listen, and to end.
const START: Duration = Duration::from_secs(20);
const END: Duration = Duration::from_secs(3);
/// Pause before one that ended is started again.
const AGAIN: Duration = Duration::from_millis(500);
/// What a pipe holds, in bytes.
const PIPE: usize = 64 * 1024;

/// Returns the words of a user in which it finds what it is to do, whatever a plugin adds to them.
pub(crate) fn wish(words: &str) -> String {
    format!("<wish>{words}</wish>")
}

/// One request to the model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// Whether the key was ours.
    pub(crate) key: bool,
    pub(crate) model: Option<String>,
    pub(crate) stream: Option<bool>,
    /// How many tools it was offered.
    pub(crate) tools: u32,
}

/// A model that runs inside.
pub(crate) struct Model {
    key: String,
    port: watch::Sender<Option<u16>>,
    asked: Mutex<Vec<Asked>>,
    rests: watch::Sender<bool>,
}

/// Runs the model beside some work that asks it, and ends it afterwards.
pub(crate) async fn beside_model<T>(inside: &dyn Talk, work: impl AsyncFnOnce(&Model) -> T) -> T {
    let model = Model::new();
    let ((stay, stdin), (stdout, lines)) = (duplex(PIPE), duplex(PIPE));
    let command = model.command();
    let program = inside.run_with(&command, stdin, stdout);
    // Its end is seen by whoever asks it.
    let mut background = pin!(async { tokio::join!(program, model.listen(lines)) }.fuse());
    let mut work = pin!(work(&model));
    let done = tokio::select! {
        biased;
        done = &mut work => done,
        _ = &mut background => work.await,
    };
    drop(stay);
    // One that does not end by itself ends with the container.
    drop(tokio::time::timeout(END, background).await);
    done
}

/// Runs the model beside some work, again whenever it ends, always at the same port; [`Model::rest`] lets it rest.
pub(crate) async fn beside_kept_model<T>(
    inside: &dyn Talk,
    work: impl AsyncFnOnce(&Model) -> T,
) -> T {
    let model = Model::new();
    let mut work = pin!(work(&model));
    tokio::select! {
        biased;
        done = &mut work => done,
        never = model.keep(inside) => match never {},
    }
}

impl Model {
    fn new() -> Self {
        Self {
            key: format!("key-{:016x}", RandomState::new().hash_one(NAME)),
            port: watch::Sender::new(None),
            asked: Mutex::default(),
            rests: watch::Sender::new(false),
        }
    }

    /// Lets it rest: nobody answers at its port. Or lets it go on.
    pub(crate) fn rest(&self, rests: bool) {
        self.rests.send_replace(rests);
    }

    async fn keep(&self, inside: &dyn Talk) -> std::convert::Infallible {
        let mut rests = self.rests.subscribe();
        loop {
            // The sender is ours, and there for as long as this.
            drop(rests.wait_for(|rests| !rests).await);
            let (stay, stdin) = duplex(PIPE);
            let (stdout, lines) = duplex(PIPE);
            let port = self.port.borrow().unwrap_or_default().to_string();
            let mut command = self.command();
            command.push(&port);
            let program = inside.run_with(&command, stdin, stdout);
            let mut background = pin!(async { tokio::join!(program, self.listen(lines)) });
            tokio::select! {
                _ = rests.wait_for(|rests| *rests) => {
                    drop(stay);
                    drop(tokio::time::timeout(END, background).await);
                }
                _ = &mut background => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    fn command(&self) -> Vec<&str> {
        vec!["env", "BUN_BE_BUN=1", guest::OPENCODE, "-e", PROGRAM, NAME, &self.key]
    }

    /// Reads what the program says.
    async fn listen(&self, lines: DuplexStream) {
        let mut lines = BufReader::new(lines).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Ok(port) = line.parse() {
                self.port.send_replace(Some(port));
            } else if let Ok(asked) = serde_json::from_str(&line) {
                self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
            }
        }
        // A port that it had it gets again.
        self.port.send_if_modified(|port| port.is_none() && port.replace(0).is_none());
    }

    /// Waits until it listens.
    pub(crate) async fn started(&self) -> Result<(), Fault> {
        let mut port = self.port.subscribe();
        let waited = tokio::time::timeout(START, port.wait_for(Option::is_some)).await;
        match waited {
            Ok(Ok(port)) if *port != Some(0) => Ok(()),
            Ok(_) => Err(Fault::wrong("the model ended before it listened")),
            Err(_) => Err(Fault::TooLong { after: START }),
        }
    }

    /// Returns the configuration of a project that asks this model and no other.
    pub(crate) fn config(&self) -> Value {
        let port = self.port.borrow().unwrap_or_default();
        let name = format!("{PROVIDER}/{NAME}");
        json!({
            "model": name,
            "small_model": name,
            "enabled_providers": [PROVIDER],
            "provider": { PROVIDER: {
                "npm": "@ai-sdk/openai-compatible",
                "name": "The model of occ",
                "options": { "baseURL": format!("http://127.0.0.1:{port}/v1"), "apiKey": self.key },
                "models": { NAME: {
                    "name": "Echo",
                    "tool_call": true,
                    "limit": { "context": 32000, "output": 4096 },
                } },
            } },
        })
    }

    /// Returns every request so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
