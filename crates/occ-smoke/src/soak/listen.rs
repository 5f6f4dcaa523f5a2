//! One who listens to events all the time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use occ_opencode::Error;
use tokio::time::Instant;

use super::course::Course;
use super::entry::Entry;

/// A heartbeat comes every ten seconds: longer than two of them is silence.
const SILENCE: Duration = Duration::from_secs(25);
/// Pause before the stream is opened again.
const PAUSE: Duration = Duration::from_millis(500);

/// Listens until it is over.
pub(super) async fn listen(course: &Course<'_>) {
    while course.pause_until(Instant::now()).await {
        let client = course.client.read().await.clone();
        let end = tokio::select! {
            end = hear(&client) => end,
            () = course.end() => return,
        };
        if !course.disturbed.load(Ordering::Relaxed) {
            course.note(Entry::Dropped { why: end });
        }
        if !course.pause_until(Instant::now() + PAUSE).await {
            return;
        }
    }
}

/// Hears events until there are none, and returns why.
async fn hear(client: &occ_opencode::Client) -> String {
    let mut events = match client.connected_events().await {
        Ok(events) => events,
        Err(error) => return error.to_string(),
    };
    loop {
        match events.next(SILENCE).await {
            Ok(Some(_)) => {}
            Ok(None) => return "the server ended the stream".to_owned(),
            Err(Error::Timeout { .. }) => {
                return format!("no heartbeat came within {} s", SILENCE.as_secs());
            }
            Err(error) => return error.to_string(),
        }
    }
}
