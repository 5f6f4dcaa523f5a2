//! How long somebody waits for a registry, and how often they ask again.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;

/// Slowest transfer that is still taken for one, in bytes a second.
const SLOWEST: u64 = 32 * 1024;

/// What waits: given a duration, a future that ends after it.
pub type Pause = Arc<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// How long one call may take, and when it is tried again.
///
/// A failure that can pass (a broken or silent connection, 429, 5xx) is tried again after each of the
/// waits; any other failure is the answer.
#[derive(Clone)]
pub struct Patience {
    /// The wait before each further try, without jitter. A registry that names a longer time in
    /// `Retry-After` gets it.
    pub waits: Vec<Duration>,
    /// How long opening a connection may take.
    pub connect: Duration,
    /// How long a registry may be silent in the middle of a conversation.
    pub stall: Duration,
    /// How long one call may take with all its tries; a transfer gets a second more for every 32 KiB.
    pub total: Duration,
    /// How long a writer of a referrers tag waits before looking whether somebody else's write
    /// replaced its own.
    pub settle: Duration,
    pause: Pause,
    dice: Arc<AtomicU64>,
}

impl Patience {
    /// Returns one try and up to three more after 1, 2 and 4 seconds, 10 seconds to connect,
    /// 30 seconds of silence and five minutes in all. `seed` decides the jitter.
    pub fn new(seed: u64) -> Self {
        Self {
            waits: [1, 2, 4].map(Duration::from_secs).to_vec(),
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            total: Duration::from_secs(300),
            settle: Duration::from_millis(500),
            pause: Arc::new(|time| Box::pin(tokio::time::sleep(time))),
            dice: Arc::new(AtomicU64::new(seed)),
        }
    }

    /// Returns the same patience with another way to wait between tries.
    #[must_use]
    pub fn pausing(self, pause: Pause) -> Self {
        Self { pause, ..self }
    }

    /// Returns the same patience without a second try.
    #[must_use]
    pub fn once(&self) -> Self {
        Self { waits: Vec::new(), ..self.clone() }
    }

    /// Waits about this long: up to a quarter more.
    pub(crate) async fn wait(&self, time: Duration) {
        (self.pause)(self.jittered(time)).await;
    }

    /// Returns how long the transfer of so many bytes may take.
    pub(crate) fn transfer(size: u64) -> Duration {
        Duration::from_secs(size / SLOWEST)
    }

    /// Adds up to a quarter, so that those who failed together do not ask again together.
    fn jittered(&self, time: Duration) -> Duration {
        time + time.mul_f64(f64::from(self.roll()) / f64::from(u32::MAX) / 4.0)
    }

    /// The generator is splitmix64: any seed will do, and nothing is asked of the machine.
    fn roll(&self) -> u32 {
        let state = self.dice.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from(mixed >> 32).unwrap_or(u32::MAX)
    }
}

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { waits, connect, stall, total, settle, .. } = self;
        write!(f, "Patience({waits:?}, {connect:?}, {stall:?}, {total:?}, {settle:?})")
    }
}

/// How much time a call has left, and how much it had.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) left: Duration,
    pub(crate) total: Duration,
}

/// The tries of one call.
pub(crate) struct Tries {
    patience: Patience,
    begun: Instant,
    total: Duration,
    made: usize,
}

impl Tries {
    /// Starts with the first try of a call that moves so many bytes.
    pub(crate) fn new(patience: &Patience, size: u64) -> Self {
        Self {
            patience: patience.clone(),
            begun: Instant::now(),
            total: patience.total + Patience::transfer(size),
            made: 0,
        }
    }

    /// Returns how much time is left.
    pub(crate) fn left(&self) -> Duration {
        self.total.saturating_sub(self.begun.elapsed())
    }

    /// Returns how much time there was.
    pub(crate) fn total(&self) -> Duration {
        self.total
    }

    /// Returns both.
    pub(crate) fn limit(&self) -> Limit {
        Limit { left: self.left(), total: self.total }
    }

    /// Gives the tries back to a call that has got further; its time goes on.
    pub(crate) fn progressed(&mut self) {
        self.made = 0;
    }

    /// Waits before the next try, or gives the error back when there is none.
    pub(crate) async fn again(&mut self, error: Error) -> Result<(), Error> {
        let Some(wait) = self.patience.waits.get(self.made).copied() else { return Err(error) };
        if !error.reason.may_pass() {
            return Err(error);
        }
        let wait = error.reason.retry_after().map_or(wait, |asked| asked.max(wait));
        // There is no use in waiting for a try that would come too late.
        if wait >= self.left() {
            return Err(error);
        }
        self.made += 1;
        self.patience.wait(wait).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;

    fn error(reason: Reason) -> Error {
        Error { registry: "localhost".to_owned(), what: "x".to_owned(), reason }
    }

    #[tokio::test(start_paused = true)]
    async fn attack_22_there_are_three_more_tries_after_one_two_and_four_seconds_with_jitter() {
        let mut tries = Tries::new(&Patience::new(7), 0);
        let mut waited = Vec::new();
        loop {
            let before = Instant::now();
            match tries.again(error(Reason::Failing { status: 503 })).await {
                Ok(()) => waited.push(before.elapsed().as_secs_f64()),
                Err(_) => break,
            }
        }
        assert_eq!(waited.len(), 3);
        for (waited, least) in waited.iter().zip([1.0, 2.0, 4.0]) {
            assert!((least..=least * 1.26).contains(waited), "{waited} for {least}");
        }
        assert!(waited[0] > 1.001, "there is jitter");
    }

    #[tokio::test(start_paused = true)]
    async fn attack_22_a_refusal_is_an_answer_and_not_tried_again() {
        let reasons = [
            Reason::Unauthorized,
            Reason::Denied { codes: Vec::new() },
            Reason::NotFound,
            Reason::Bytes(occ_oci::VerifyingError::TooLong { expected: 1 }),
        ];
        for reason in reasons {
            let mut tries = Tries::new(&Patience::new(1), 0);
            let begun = Instant::now();
            tries.again(error(reason)).await.expect_err("no further try");
            assert_eq!(begun.elapsed(), Duration::ZERO);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn attack_22_a_registry_that_asks_for_more_time_gets_it_unless_it_is_too_much() {
        let busy = |seconds| Reason::Busy { after: Some(Duration::from_secs(seconds)) };
        let mut tries = Tries::new(&Patience::new(1), 0);
        let begun = Instant::now();
        tries.again(error(busy(20))).await.expect("a further try");
        assert!(begun.elapsed() >= Duration::from_secs(20));
        let before = Instant::now();
        tries.again(error(busy(3600))).await.expect_err("later than the deadline");
        assert_eq!(before.elapsed(), Duration::ZERO);
    }

    #[test]
    fn the_same_seed_gives_the_same_jitter() {
        let rolls = |seed| {
            let patience = Patience::new(seed);
            [patience.roll(), patience.roll(), patience.roll()]
        };
        assert_eq!(rolls(3), rolls(3));
        assert_ne!(rolls(3), rolls(4));
    }
}
