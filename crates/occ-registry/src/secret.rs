//! Text that must not reach a log, a terminal or an error by accident.

use std::fmt;

/// Text whose `Debug` shows a mask; [`Secret::expose`] is the only way to it.
///
/// It has no `Display` and cannot be serialized, so that it does not slip into a message or a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text itself; every call is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
