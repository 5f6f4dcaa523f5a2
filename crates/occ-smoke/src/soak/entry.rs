//! What is logged: one line of JSON each.

use serde::Serialize;

use super::sample::Sample;

/// An entry with its time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timed {
    /// Seconds since the beginning.
    pub at: f64,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Entry {
    /// One step of a round ended.
    Step {
        /// Who worked.
        worker: usize,
        /// Which step.
        step: &'static str,
        /// How long it took.
        seconds: f64,
        /// What was wrong; nothing where it went well.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// A round ended.
    Round {
        /// Who worked.
        worker: usize,
        /// How many rounds there were, this one included.
        rounds: u64,
    },
    /// A look at the container.
    Sample(Sample),
    /// A disturbance ended.
    Disturbance {
        /// Which.
        name: &'static str,
        /// How long it took, with what was proved afterwards.
        seconds: f64,
        /// What was wrong; nothing where the engine bore it.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// An event stream ended although nobody disturbed it, or was silent for too long.
    Dropped {
        /// Why.
        why: String,
    },
    /// Something else went wrong.
    Trouble {
        /// What.
        what: String,
    },
}
