//! What is seen in one file. Pure.

use super::{key, login, token};

/// Largest file that is looked into, in bytes.
pub(super) const LIMIT: u64 = 1 << 20;
/// Bytes by which a text is told from anything else, as git does.
const START: usize = 8000;

/// Most characters of a hint: who made the file may have made it of nothing else.
const HINT: usize = 80;

/// A secret in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sight {
    /// What it is, such as `private-key`.
    pub(super) kind: &'static str,
    /// What tells one from another and is no secret itself: the header of a key, the beginning that all tokens
    /// of a kind share, a host, a name.
    pub(super) hint: String,
}

impl Sight {
    /// Returns a secret with the beginning of a hint.
    pub(super) fn new(kind: &'static str, hint: &str) -> Self {
        Self { kind, hint: hint.chars().take(HINT).collect() }
    }
}

/// Returns the secrets in a file, of equal ones the first. `path` has no leading `/`.
pub(super) fn look(path: &str, bytes: &[u8]) -> Vec<Sight> {
    if bytes[..bytes.len().min(START)].contains(&0) {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(bytes);
    if let Some(login) = login::look(path, &text) {
        // The tokens in it are what was found.
        return vec![login];
    }
    let mut seen = key::look(&text);
    seen.extend(token::look(&text));
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_not_looked_into_and_a_login_is_not_found_twice() {
        let token = format!("ghp_{}", "q8ZrT0vLw2KsYd5Hb7NcXe9Jm1Pf4Ug6Ai3W");
        let kinds = |path, bytes: &[u8]| -> Vec<&str> {
            look(path, bytes).into_iter().map(|sight| sight.kind).collect()
        };
        assert_eq!(kinds("a", token.as_bytes()), ["github-token"]);
        assert_eq!(kinds("a", format!("caf\u{e9} {token}").as_bytes()), ["github-token"]);
        assert_eq!(kinds("a", &[b"caf\xe9 ", token.as_bytes()].concat()), ["github-token"]);
        assert_eq!(kinds("a", &[b"\0", token.as_bytes()].concat()), [""; 0]);
        let npmrc = format!("//npm.example/:_authToken={token}");
        assert_eq!(kinds(".npmrc", npmrc.as_bytes()), ["npm-login"]);
        assert_eq!(kinds("a", b""), [""; 0]);
    }

    #[test]
    fn a_hint_has_an_end() {
        let netrc = format!("machine {} password geheim", "a".repeat(1000));
        assert_eq!(look(".netrc", netrc.as_bytes())[0].hint.len(), HINT);
    }
}
