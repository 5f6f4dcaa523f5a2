//! Work that may take long, as long as it moves.

use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Remembers when something last moved.
#[derive(Debug)]
pub(crate) struct Pulse(Mutex<Instant>);

impl Pulse {
    /// Begins now.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// Something moved.
    pub(crate) fn beat(&self) {
        *self.last() = Instant::now();
    }

    /// Returns what `work` gives, or nothing once the pulse has not been felt for `patience`; the work is
    /// then given up.
    pub(crate) async fn watch<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let mut work = std::pin::pin!(work);
        loop {
            let until = *self.last() + patience;
            tokio::select! {
                done = &mut work => return Some(done),
                () = sleep_until(until) => {}
            }
            if *self.last() + patience <= Instant::now() {
                return None;
            }
        }
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(90);

    #[tokio::test(start_paused = true)]
    async fn work_that_moves_may_take_as_long_as_it_likes() {
        let pulse = Pulse::new();
        let work = async {
            for _ in 0..100 {
                sleep(PATIENCE / 2).await;
                pulse.beat();
            }
            "done"
        };
        assert_eq!(pulse.watch(PATIENCE, work).await, Some("done"));
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_stops_moving_is_given_up_in_time() {
        let pulse = Pulse::new();
        let begun = Instant::now();
        let work = async {
            sleep(PATIENCE / 2).await;
            pulse.beat();
            std::future::pending::<()>().await;
        };
        assert_eq!(pulse.watch(PATIENCE, work).await, None);
        assert_eq!(begun.elapsed(), PATIENCE / 2 + PATIENCE);
    }
}
