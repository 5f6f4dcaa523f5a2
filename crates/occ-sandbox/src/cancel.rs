//! Stopping on request, at the next step boundary.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// A wish to stop that many can hear; it cannot be taken back.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    notify: Arc<Notify>,
}

impl Cancel {
    /// Asks to stop.
    pub fn cancel(&self) {
        self.flag.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    /// Returns whether stopping was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }

    /// Returns the flag, for code that looks now and then.
    pub fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    /// Returns when stopping was asked for.
    pub async fn cancelled(&self) {
        loop {
            let heard = self.notify.notified();
            if self.is_cancelled() {
                return;
            }
            heard.await;
        }
    }
}
