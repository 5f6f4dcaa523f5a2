//! What is asserted, group by group. A group stops at the first check on which the rest of it builds.

mod inside;
mod life;
mod model;
mod server;
mod session;
mod terminal;

use occ_opencode::{Client, Session};
use serde_json::Value;

pub(crate) use inside::{find_servers, inside, said, said_by, servers};
pub(crate) use life::{is_sound, life};
pub(crate) use model::{configure, model, sound, until};
pub(crate) use server::{await_ready, ready, server};
pub(crate) use session::session;
pub(crate) use terminal::{computes, terminal};

use crate::fault::{Fault, same};
use crate::inside::Trouble;
use crate::subject::Subject;

/// A folder for what the checks write: a repository of its own, so that it is a project of its own.
pub(crate) struct Folder {
    path: Result<String, Trouble>,
}

impl Folder {
    /// Makes one. That it cannot be made is for the check that needs it to say.
    pub(crate) async fn make(subject: &Subject<'_>) -> Self {
        let made = "folder=$(mktemp -d /tmp/occ-smoke.XXXXXX) && git init -q \"$folder\" && printf %s \"$folder\"";
        let ran = subject.inside.run(&["sh", "-c", made]).await;
        let path = ran.and_then(|ran| match ran.code {
            0 => Ok(ran.out),
            _ => Err(Trouble { program: "mktemp and git".to_owned(), source: ran.err.into() }),
        });
        Self { path }
    }

    /// Returns its path inside.
    fn path(&self) -> Result<&str, Fault> {
        match &self.path {
            Ok(path) => Ok(path),
            Err(trouble) => Err(Fault::wrong(format!("{trouble}: {}", trouble.source))),
        }
    }

    /// Removes it with all that is in it.
    pub(crate) async fn remove(&self, subject: &Subject<'_>) {
        if let Ok(path) = &self.path {
            // What stays is in `/tmp` of a container, and goes with it.
            drop(subject.inside.run(&["rm", "-rf", "--", path]).await);
        }
    }
}

/// Asks for JSON, and takes nothing else for it.
async fn json(client: &Client, path: &str) -> Result<Value, Fault> {
    let answer = client.ask("GET", path, None).await?;
    same(&format!("the status of {path}"), &answer.status, &200)?;
    if !answer.is("application/json") {
        let kind = answer.content_type.as_deref().unwrap_or("something untyped");
        return Err(Fault::wrong(format!("{path} answers {kind} instead of JSON")));
    }
    serde_json::from_slice(&answer.body)
        .map_err(|error| Fault::wrong(format!("{path} answers no JSON: {error}")))
}

/// Demands a status of a request that must fail.
async fn refused(
    client: &Client,
    (method, path): (&str, &str),
    body: Option<&Value>,
    status: u16,
) -> Result<(), Fault> {
    let answer = client.ask(method, path, body).await?;
    same(&format!("the status of {method} {path}"), &answer.status, &status)
}

/// Removes a session that a check made; whether sessions can be removed is a check of its own.
pub(crate) async fn forget(client: &Client, session: &Session) {
    drop(client.delete_session(&session.id).await);
}
