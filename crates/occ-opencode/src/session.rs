//! Sessions, and shell commands in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hyper::Method;
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::{Value, json};

use crate::{Client, Error};

/// The agent a shell command is booked under; the server insists on one and uses it for nothing.
const AGENT: &str = "build";

/// Name of a session, such as `ses_e051a9e62ffeAqYPbASttCxNCA`; safe in a URL path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct SessionId(String);

/// A text that is no session's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the name of a session: ses_ and letters or digits are expected")]
pub struct SessionIdError {
    /// The text.
    pub text: String,
}

impl SessionId {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SessionId {
    type Error = SessionIdError;

    fn try_from(text: String) -> Result<Self, SessionIdError> {
        let is_name = text.strip_prefix("ses_").is_some_and(|rest| {
            !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
        if is_name { Ok(Self(text)) } else { Err(SessionIdError { text }) }
    }
}

impl FromStr for SessionId {
    type Err = SessionIdError;

    fn from_str(text: &str) -> Result<Self, SessionIdError> {
        Self::try_from(text.to_owned())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One session; the server knows more of it than is read here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Session {
    /// Its name.
    pub id: SessionId,
    /// What people call it.
    pub title: String,
    /// The folder it works in, on the server's side.
    pub directory: PathBuf,
}

/// What a shell command left behind.
///
/// The protocol has no exit code: `status` is `completed` for `exit 3` too. Who needs the code
/// lets the command print it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShellOutput {
    /// `completed`, or `error` where the command could not be run at all.
    pub status: String,
    /// Both output streams as one text.
    pub output: String,
}

#[derive(Deserialize)]
struct Project {
    worktree: PathBuf,
}

/// `busy`, or `retry` while a model's provider is waited for; `idle` is left out as a rule.
#[derive(Deserialize)]
struct Status {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Reply {
    parts: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    state: Option<State>,
}

#[derive(Deserialize)]
struct State {
    status: String,
    #[serde(default)]
    output: String,
}

impl Client {
    /// Lists the sessions of the default instance.
    ///
    /// # Errors
    /// Every kind of [`Error`] a JSON request has.
    pub async fn sessions(&self) -> Result<Vec<Session>, Error> {
        self.json(Method::GET, "/session", None).await
    }

    /// Lists the sessions in which something is being done, in every folder that the server works in.
    ///
    /// # Errors
    /// Every kind of [`Error`] a JSON request has.
    pub async fn busy_sessions(&self) -> Result<Vec<SessionId>, Error> {
        // Each folder is an instance of the server's own, and knows its own sessions.
        let mut folders = BTreeSet::from([None]);
        let projects: Vec<Project> = self.json(Method::GET, "/project", None).await?;
        for worktree in
            std::iter::once(None).chain(projects.into_iter().map(|one| Some(one.worktree)))
        {
            let sessions = self.of_folder(worktree.as_deref()).sessions().await?;
            folders.extend(sessions.into_iter().map(|session| Some(session.directory)));
        }
        let mut busy = BTreeSet::new();
        for folder in folders {
            busy.extend(self.of_folder(folder.as_deref()).at_work().await?);
        }
        Ok(busy.into_iter().collect())
    }

    /// Lists the sessions of this folder in which something is being done.
    ///
    /// # Errors
    /// Every kind of [`Error`] a JSON request has.
    pub async fn at_work(&self) -> Result<BTreeSet<SessionId>, Error> {
        let states: BTreeMap<SessionId, Status> =
            self.json(Method::GET, "/session/status", None).await?;
        let at_work = states.into_iter().filter(|(_, status)| status.kind != "idle");
        Ok(at_work.map(|(id, _)| id).collect())
    }

    fn of_folder(&self, folder: Option<&Path>) -> Self {
        folder.map_or_else(|| self.clone(), |folder| self.in_folder(folder))
    }

    /// Begins a session.
    ///
    /// # Errors
    /// Every kind of [`Error`] a JSON request has.
    pub async fn create_session(&self) -> Result<Session, Error> {
        self.json(Method::POST, "/session", Some(&json!({}))).await
    }

    /// Deletes a session with all that was said in it.
    ///
    /// # Errors
    /// [`Error::Status`] 404 where there is no such session, and every kind a JSON request has.
    pub async fn delete_session(&self, id: &SessionId) -> Result<(), Error> {
        self.is_true(Method::DELETE, &format!("/session/{id}")).await
    }

    /// Ends what a session is doing; one that does nothing stays as it is.
    ///
    /// # Errors
    /// [`Error::Status`] 404 where there is no such session, and every kind a JSON request has.
    pub async fn abort(&self, id: &SessionId) -> Result<(), Error> {
        self.is_true(Method::POST, &format!("/session/{id}/abort")).await
    }

    /// Lets the server forget what it keeps of the client's folder; the next request begins anew. Sessions stay.
    ///
    /// # Errors
    /// Every kind a JSON request has.
    pub async fn dispose(&self) -> Result<(), Error> {
        self.is_true(Method::POST, "/instance/dispose").await
    }

    /// Asks for what answers `true` when it was done.
    pub(crate) async fn is_true(&self, method: Method, path: &str) -> Result<(), Error> {
        let said: Value = self.json(method, path, None).await?;
        if said == Value::Bool(true) {
            return Ok(());
        }
        let source = serde_json::Error::custom("`true` is expected");
        Err(Error::Schema { path: path.to_owned(), source })
    }

    /// Runs a shell command in a session and waits for its end; needs no model and no key.
    ///
    /// The request's time is the command's time: see [`Client::within`] for long ones.
    ///
    /// # Errors
    /// [`Error::Status`] 404 where there is no such session, 409 where it is busy, and every kind
    /// a JSON request has.
    pub async fn shell(&self, session: &SessionId, command: &str) -> Result<ShellOutput, Error> {
        let path = format!("/session/{session}/shell");
        let body = json!({ "agent": AGENT, "command": command });
        let reply: Reply = self.json(Method::POST, &path, Some(&body)).await?;
        let state = reply.parts.into_iter().find_map(|part| part.state);
        let State { status, output } = state.ok_or_else(|| Error::Schema {
            path,
            source: serde_json::Error::custom("a part with the command's state is expected"),
        })?;
        Ok(ShellOutput { status, output })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_name_reads_back_as_it_was_written() {
        let name = "ses_e051a9e62ffeAqYPbASttCxNCA";
        assert_eq!(name.parse::<SessionId>().map(|id| id.to_string()), Ok(name.to_owned()));
    }

    #[test]
    fn what_would_leave_its_place_in_a_url_is_no_session_name() {
        for text in ["", "ses_", "msg_1", "ses_a/../b", "ses_a?x", "ses_ä", "ses_a b"] {
            let refusal = text.parse::<SessionId>().expect_err(text);
            assert_eq!(refusal.text, text);
        }
    }
}
