//! What a program did, with the questions tests ask about it.

#![expect(clippy::return_self_not_must_use, reason = "a question that is answered may end a line")]

use std::time::Duration;

use serde_json::Value;

/// A program that has ended.
#[derive(Debug, Clone)]
pub struct Run {
    /// What was run, for messages.
    pub what: String,
    /// Exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

impl Run {
    /// Panics unless the exit code was this one.
    #[track_caller]
    pub fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, Some(expected), "the exit code of {}", self.told());
        self
    }

    /// Panics unless it succeeded.
    #[track_caller]
    pub fn success(self) -> Self {
        self.code(0)
    }

    /// Panics unless it was interrupted: exit code 130, or the signal itself where no handler was
    /// there yet, which a shell reports as the same number.
    #[track_caller]
    pub fn interrupted(self) -> Self {
        let code = self.code.or(self.signal.map(|signal| 128 + signal));
        assert_eq!(code, Some(130), "the end of {}", self.told());
        self
    }

    /// Panics unless standard error has this text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is not said by {}", self.told());
        self
    }

    /// Panics when either stream has this text.
    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        let silent = !self.stderr.contains(text) && !self.stdout.contains(text);
        assert!(silent, "{text:?} is said by {}", self.told());
        self
    }

    /// Panics unless standard output has this text.
    #[track_caller]
    pub fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "{text:?} is not printed by {}", self.told());
        self
    }

    /// Returns standard output as the one JSON value it must be.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON ({error}) is printed by {}", self.told()))
    }

    /// Returns the data in the envelope on standard output.
    #[track_caller]
    pub fn data(&self) -> Value {
        let envelope = self.json();
        assert_eq!(envelope["version"], 1, "the envelope of {}", self.told());
        assert!(envelope["schema"].is_string(), "the envelope of {}", self.told());
        envelope["data"].clone()
    }

    fn told(&self) -> String {
        let Self { what, code, signal, stdout, stderr, took } = self;
        format!(
            "{what} (code {code:?}, signal {signal:?}, {took:?})\n--- stdout\n{stdout}--- stderr\n{stderr}---"
        )
    }
}
