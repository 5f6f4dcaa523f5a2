//! What a running container uses.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One sample. Two of them, some time apart, say how busy the processors were between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Memory in bytes, without files that the kernel keeps and could drop at any moment.
    pub memory: u64,
    /// Bytes it may use at most; the memory of the engine's host when it has no limit.
    pub memory_limit: u64,
    /// Processor time used since its start.
    pub cpu: Duration,
    /// Number of processes and threads.
    pub pids: u64,
}
