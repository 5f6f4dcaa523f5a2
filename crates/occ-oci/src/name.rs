//! Parts of an image's name: host, repository, tag (OCI distribution spec, "Pulling manifests").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The host that is meant when a name has none.
const DEFAULT_HOST: &str = "docker.io";
/// An older spelling of the same host, still found in credential files.
const LEGACY_HOST: &str = "index.docker.io";
/// The folder that is meant on the default host when a name has none.
const DEFAULT_FOLDER: &str = "library";
/// Longest repository path, in bytes.
const LONGEST_PATH: usize = 255;
/// Longest tag, in bytes.
const LONGEST_TAG: usize = 128;

/// Why a text is not part of a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseNameError {
    /// The host has characters or a port that no host has.
    #[error("{0:?} is not a registry host")]
    Host(String),
    /// The path breaks the rule for repository names.
    #[error("{0:?} is not a repository name: lower-case letters, digits and single separators are")]
    Repository(String),
    /// The path is too long.
    #[error("a repository name has at most {LONGEST_PATH} bytes, not {0}")]
    RepositoryLength(usize),
    /// The tag has characters that no tag has, or too many.
    #[error("{0:?} is not a tag")]
    Tag(String),
}

/// A registry's host with an optional port, such as `ghcr.io` or `localhost:5000`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(String);

impl Host {
    /// Returns the host as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether names on this host may be written without it.
    pub fn is_default(&self) -> bool {
        self.0 == DEFAULT_HOST
    }
}

impl FromStr for Host {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseNameError::Host(text.to_owned());
        // An IPv6 address keeps its colons inside brackets.
        let (name, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, after) = rest.split_once(']').ok_or_else(wrong)?;
                address.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
                (None, if after.is_empty() { None } else { Some(after) })
            }
            None => match text.find(':') {
                Some(colon) => (Some(&text[..colon]), Some(&text[colon..])),
                None => (Some(text), None),
            },
        };
        let name_is_good = name.is_none_or(|name| name.split('.').all(is_domain_part));
        let port_is_good = port.is_none_or(|port| {
            let digits = port.strip_prefix(':').unwrap_or_default();
            digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok()
        });
        if !(name_is_good && port_is_good) {
            return Err(wrong());
        }
        Ok(Self(if text == LEGACY_HOST { DEFAULT_HOST.to_owned() } else { text.to_owned() }))
    }
}

fn is_domain_part(part: &str) -> bool {
    !part.is_empty()
        && !part.starts_with('-')
        && !part.ends_with('-')
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host and a path on it, such as `docker.io/library/debian`.
///
/// Reading applies the engine's rule for short names: what stands before the first `/` is a host
/// only if it has a dot, a colon or an upper-case letter, or is `localhost`. Printing is always full.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Repository {
    host: Host,
    path: String,
}

impl Repository {
    /// Returns the host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the path on the host, as the distribution API wants it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the shortest spelling that is read as this repository again, the one that people and
    /// `docker image ls` use.
    pub fn familiar(&self) -> String {
        let in_default_folder =
            self.path.strip_prefix(DEFAULT_FOLDER).and_then(|rest| rest.strip_prefix('/'));
        let means_the_same = |short: &&str| short.parse().as_ref() == Ok(self);
        let short = in_default_folder.into_iter().chain([self.path.as_str()]).find(means_the_same);
        short.map_or_else(|| self.to_string(), str::to_owned)
    }
}

impl FromStr for Repository {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, path) = match text.split_once('/') {
            Some((first, rest)) if looks_like_host(first) => (first, rest),
            _ => (DEFAULT_HOST, text),
        };
        let host: Host = host.parse()?;
        let path = if host.is_default() && !path.contains('/') {
            format!("{DEFAULT_FOLDER}/{path}")
        } else {
            path.to_owned()
        };
        if path.len() > LONGEST_PATH {
            return Err(ParseNameError::RepositoryLength(path.len()));
        }
        if !path.split('/').all(is_path_part) || is_image_id(text) {
            return Err(ParseNameError::Repository(text.to_owned()));
        }
        Ok(Self { host, path })
    }
}

fn looks_like_host(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':'])
        || first.bytes().any(|b| b.is_ascii_uppercase())
}

/// SPEC: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_path_part(part: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let is_separator =
        |run: &[u8]| matches!(run, b"." | b"_" | b"__") || run.iter().all(|b| *b == b'-');
    let bytes = part.as_bytes();
    let ends_are_words =
        bytes.first().copied().is_some_and(is_word) && bytes.last().copied().is_some_and(is_word);
    ends_are_words && bytes.split(|b| is_word(*b)).filter(|run| !run.is_empty()).all(is_separator)
}

/// 64 hexadecimal digits are an image's id to every engine, so they cannot be a name.
fn is_image_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

/// A name within a repository that may point elsewhere tomorrow, such as `latest`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Tag(String);

impl Tag {
    /// Returns the tag that is meant when a name has none.
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }

    /// Returns the tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = ParseNameError;

    /// SPEC: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let good = text.len() <= LONGEST_TAG
            && text.bytes().next().is_some_and(is_word)
            && text.bytes().all(|b| is_word(b) || b == b'.' || b == b'-');
        if good { Ok(Self(text.to_owned())) } else { Err(ParseNameError::Tag(text.to_owned())) }
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.to_string()
    }
}

impl TryFrom<String> for Repository {
    type Error = ParseNameError;

    fn try_from(text: String) -> Result<Self, ParseNameError> {
        text.parse()
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}

impl TryFrom<String> for Tag {
    type Error = ParseNameError;

    fn try_from(text: String) -> Result<Self, ParseNameError> {
        text.parse()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
