//! One look at a server that should be answering.

use occ_opencode::Client;

use crate::watch::Sight;

/// Asks a server for a sign of life and for its instance, side by side; the client's own patience holds.
///
/// The first stays green with a broken configuration, and the second is what people use.
pub async fn look_at(client: &Client) -> Sight {
    let silent = |error: &occ_opencode::Error| {
        let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
        Sight::Silent(format!("{error}{}", cause.unwrap_or_default()))
    };
    match tokio::join!(client.health(), client.path()) {
        (Ok(health), Ok(_)) if health.healthy => Sight::Alive,
        (Ok(_), Ok(_)) => silent(&occ_opencode::Error::Unhealthy),
        (Err(error), _) | (_, Err(error)) => silent(&error),
    }
}
