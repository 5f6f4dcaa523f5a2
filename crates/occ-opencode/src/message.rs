//! What is said to a model, and what it answers.

use std::fmt;

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Client, Error, SessionId};

/// One message of a session with its parts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Message {
    /// What is known of it.
    pub info: MessageInfo,
    /// Its parts, in order.
    pub parts: Vec<MessagePart>,
}

/// What is known of a message.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct MessageInfo {
    /// `user` or `assistant`.
    pub role: String,
    /// What went wrong. The request succeeds (200) all the same.
    #[serde(default)]
    pub error: Option<Trouble>,
    /// What the model counted.
    #[serde(default)]
    pub tokens: Option<Tokens>,
}

/// What went wrong with a message.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Trouble {
    /// Its kind, such as `APIError` or `MessageAbortedError`.
    pub name: String,
    /// What belongs to it; its shape depends on the kind.
    #[serde(default)]
    pub data: Value,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.data["message"].as_str().unwrap_or("no reason given");
        write!(f, "{}: {}", self.name, crate::error::excerpt(message.as_bytes()))
    }
}

/// What the model counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Tokens {
    /// Read by the model.
    pub input: u64,
    /// Written by the model.
    pub output: u64,
}

/// One part of a message.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct MessagePart {
    /// Its kind, such as `text` or `tool`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The words of a `text`.
    #[serde(default)]
    pub text: Option<String>,
    /// The name of a `tool`.
    #[serde(default)]
    pub tool: Option<String>,
    /// How far a `tool` is, with its output.
    #[serde(default)]
    pub state: Option<Value>,
}

impl Message {
    /// Returns all words of the message as one text.
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .filter(|part| part.kind == "text")
            .filter_map(|part| part.text.as_deref())
            .collect()
    }
}

fn said(text: &str) -> Value {
    json!({ "parts": [{ "type": "text", "text": text }] })
}

impl Client {
    /// Says something to the session's model, and waits for the answer. That a model failed is in the answer,
    /// and no error here: the server says so in a success too.
    ///
    /// The request's time is the model's time, retries of the server's own included: see [`Client::within`].
    ///
    /// # Errors
    /// [`Error::Status`] 404 where there is no such session, 409 where it is busy, and every kind a JSON
    /// request has.
    pub async fn prompt(&self, session: &SessionId, text: &str) -> Result<Message, Error> {
        self.json(Method::POST, &format!("/session/{session}/message"), Some(&said(text))).await
    }

    /// Says something to the session's model, and waits for nothing: events tell the rest.
    ///
    /// # Errors
    /// [`Error::Status`] for every status but 204, and every kind a request has.
    pub async fn prompt_later(&self, session: &SessionId, text: &str) -> Result<(), Error> {
        let path = format!("/session/{session}/prompt_async");
        let answer = self.ask("POST", &path, Some(&said(text))).await?;
        match answer.status {
            204 => Ok(()),
            401 => Err(Error::Unauthorized { path }),
            status => {
                let excerpt = crate::error::excerpt(&answer.body);
                Err(Error::Status { path, status, excerpt })
            }
        }
    }

    /// Lists what was said in a session, oldest first.
    ///
    /// # Errors
    /// [`Error::Status`] 404 where there is no such session, and every kind a JSON request has.
    pub async fn messages(&self, session: &SessionId) -> Result<Vec<Message>, Error> {
        self.json(Method::GET, &format!("/session/{session}/message"), None).await
    }
}
