//! What happens in the server, as it happens (`/event`).

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::error::excerpt;
use crate::sse::Parser;
use crate::wire::Conversation;
use crate::{Client, Error};

/// Longest event accepted, in bytes; events carry whole messages.
const EVENT_LIMIT: usize = 16 * 1024 * 1024;

/// One event of the server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ServerEvent {
    /// Its kind, such as `session.created`; kinds unknown here are passed on.
    #[serde(rename = "type")]
    pub kind: String,
    /// What belongs to it; its shape depends on the kind.
    #[serde(default)]
    pub properties: Value,
}

impl ServerEvent {
    /// Kind of the first event of every stream.
    pub const CONNECTED: &'static str = "server.connected";
    /// Kind of the event that comes every ten seconds, whatever else happens.
    pub const HEARTBEAT: &'static str = "server.heartbeat";
}

/// An open stream of events; dropping it closes the connection.
pub struct EventStream {
    conversation: Conversation,
    parser: Parser,
}

impl Client {
    /// Opens the event stream of the default instance.
    ///
    /// # Errors
    /// [`Error::NotEvents`] where something else answers, and every kind a request has.
    pub async fn events(&self) -> Result<EventStream, Error> {
        let conversation = self.stream("/event").await?;
        Ok(EventStream { conversation, parser: Parser::new(EVENT_LIMIT) })
    }

    /// Opens the event stream and waits until it has begun with `server.connected`.
    ///
    /// # Errors
    /// [`Error::FirstEvent`] where it begins otherwise, and all of [`Client::events`] and
    /// [`EventStream::next`].
    pub async fn connected_events(&self) -> Result<EventStream, Error> {
        let mut stream = self.events().await?;
        match stream.next(self.request_timeout()).await? {
            Some(event) if event.kind == ServerEvent::CONNECTED => Ok(stream),
            other => {
                let kind = other.map(|event| excerpt(event.kind.as_bytes()));
                Err(Error::FirstEvent { kind })
            }
        }
    }
}

impl EventStream {
    /// Waits for the next event; nothing where the server ended the stream.
    ///
    /// A live server says something at least every ten seconds, so that a silence of more than
    /// that is a dead one. Cancelling loses no event.
    ///
    /// # Errors
    /// [`Error::Timeout`] after `silence`, [`Error::Broken`] where the connection breaks,
    /// [`Error::Schema`] for an event that is not understood, [`Error::TooLarge`].
    pub async fn next(&mut self, silence: Duration) -> Result<Option<ServerEvent>, Error> {
        match tokio::time::timeout(silence, self.wait()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Timeout { path: self.conversation.path.clone(), after: silence }),
        }
    }

    async fn wait(&mut self) -> Result<Option<ServerEvent>, Error> {
        loop {
            if let Some(message) = self.parser.next() {
                let event = serde_json::from_str(&message.data).map_err(|source| {
                    Error::Schema { path: self.conversation.path.clone(), source }
                })?;
                return Ok(Some(event));
            }
            let Some(bytes) = self.conversation.piece().await? else { return Ok(None) };
            self.parser.push(&bytes).map_err(|_| Error::TooLarge {
                path: self.conversation.path.clone(),
                limit: EVENT_LIMIT,
            })?;
        }
    }
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStream").field("path", &self.conversation.path).finish_non_exhaustive()
    }
}
