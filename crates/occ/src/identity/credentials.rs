//! Secrets in what an image says of itself: where they are, never what they are.

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
        let given = without_references(text);
        if self.redactor.text(&given) != given {
            self.found.push(Credential { place: place.to_owned(), name: None });
        }
        shown
    }
}

/// Returns a text in which what a shell puts in counts as taken out: `$NAME`, `${NAME}` and `$(program)` say where a
/// secret comes from and are none.
fn without_references(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let Some(length) = reference(&after[1..]) else {
            out.push('$');
            rest = &after[1..];
            continue;
        };
        out.push_str(MARK);
        rest = &after[1 + length..];
    }
    out.push_str(rest);
    let schemes = ["Bearer ", "Basic ", "token "];
    let out = schemes.iter().fold(out, |out, scheme| out.replace(&format!("{scheme}{MARK}"), MARK));
    without_users(&out)
}

/// Returns how long a reference is after its `$`.
fn reference(text: &str) -> Option<usize> {
    let upto = |end: char| text.find(end).map_or(text.len(), |at| at + 1);
    match text.chars().next()? {
        '{' => Some(upto('}')),
        '(' => Some(upto(')')),
        c if c.is_ascii_alphabetic() || c == '_' => {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            Some(text.find(|c| !is_name(c)).unwrap_or(text.len()))
        }
        _ => None,
    }
}

/// Takes the user out where the password of an address or of a login was a reference.
fn without_users(text: &str) -> String {
    let password = format!(":{MARK}");
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(&password) {
        let before = &rest[..at];
        let is_user = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let user = before.trim_end_matches(is_user);
        out.push_str(user.strip_suffix(MARK).unwrap_or(user));
        out.push_str(MARK);
        rest = &rest[at + password.len()..];
    }
    out + rest
}
