//! Reads the bytes of an upload while they are sent.

use std::ops::Range;
use std::time::Duration;

use tokio::time::timeout;

use super::source::Source;
use crate::error::Reason;
use crate::wire::Wishes;

/// Most bytes that are read at once.
const PIECE: usize = 256 * 1024;

/// Gives a range of the source's bytes to whichever request wants them, each time from the first one on. It goes on until nobody waits for it any more, and ends by itself only where it cannot: the bytes cannot be
/// read, or nobody takes one for as long as `stall`.
pub(super) async fn feed(
    source: &mut impl Source,
    range: Range<u64>,
    mut wishes: Wishes,
    stall: Duration,
) -> Reason {
    let mut wish = wishes.recv().await;
    'wish: loop {
        let Some(out) = wish else { return std::future::pending().await };
        let mut at = range.start;
        while at < range.end {
            let most = usize::try_from(range.end - at).map_or(PIECE, |left| left.min(PIECE));
            let piece = match source.read(at, most).await {
                Ok(piece) if (1..=most).contains(&piece.len()) => piece,
                Ok(_) => return Reason::Source("it gave another number of bytes".into()),
                Err(cause) => return Reason::Source(cause),
            };
            let length = piece.len() as u64;
            tokio::select! {
                biased;
                again = wishes.recv() => {
                    wish = again;
                    continue 'wish;
                }
                sent = timeout(stall, out.send(piece)) => match sent {
                    Ok(Ok(())) => at += length,
                    // That request is over.
                    Ok(Err(_)) => break,
                    Err(_) => return Reason::Silent { after: stall },
                }
            }
        }
        wish = wishes.recv().await;
    }
}
