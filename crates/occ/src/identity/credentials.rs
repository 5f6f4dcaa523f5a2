//! Secrets in an image: where they are, never what they are.

use occ_oci::Digest;
use serde::Serialize;

use crate::redact::{MARK, Redactor, is_secret_name};

/// A place in an image that holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Credential {
    /// Where, such as `environment` or `history, step 3`.
    pub(crate) place: String,
    /// The variable or label, where it has a name.
    pub(crate) name: Option<String>,
}

impl std::fmt::Display for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{}: {name}", self.place),
            None => f.write_str(&self.place),
        }
    }
}

/// Takes secrets out of what an image says, and notes where they were.
pub(super) struct Search {
    redactor: Redactor,
    pub(super) found: Vec<Credential>,
}

impl Search {
    pub(super) fn new(redactor: Redactor) -> Self {
        Self { redactor, found: Vec::new() }
    }

    /// Returns a variable, `NAME=value`, without a secret.
    pub(super) fn variable(&mut self, variable: &str) -> String {
        match variable.split_once('=') {
            Some((name, value)) => format!("{name}={}", self.named("environment", name, value)),
            None => self.text("environment", variable),
        }
    }

    /// Returns a label's value without a secret.
    pub(super) fn label(&mut self, name: &str, value: &str) -> String {
        self.named("label", name, value)
    }

    fn named(&mut self, place: &str, name: &str, value: &str) -> String {
        // The digest of something, such as the key of a build, is no secret.
        let public = value.is_empty() || value.parse::<Digest>().is_ok();
        let secret = is_secret_name(name) && !public;
        let shown = if secret { MARK.to_owned() } else { self.redactor.text(value) };
        if shown != value {
            let name = Some(name.to_owned());
            self.found.push(Credential { place: place.to_owned(), name });
        }
        shown
    }

    /// Returns the words of a command without secrets: what follows a word such as `--password` is one too.
    pub(super) fn words(&mut self, place: &str, words: &[String]) -> Vec<String> {
        let mut shown = Vec::new();
        let mut follows_name = false;
        for word in words {
            if follows_name && !word.is_empty() {
                self.found.push(Credential { place: place.to_owned(), name: None });
                shown.push(MARK.to_owned());
            } else {
                shown.push(self.text(place, word));
            }
            follows_name = word.starts_with('-') && !word.contains('=') && is_secret_name(word);
        }
        shown
    }

    /// Returns a text without secrets.
    pub(super) fn text(&mut self, place: &str, text: &str) -> String {
        let shown = self.redactor.text(text);
        if shown != text {
            self.found.push(Credential { place: place.to_owned(), name: None });
        }
        shown
    }
}
