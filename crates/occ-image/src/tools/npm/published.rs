//! Published versions of one package, as `npm view` lists them.

use occ_oci::{Algorithm, Digest};
use semver::Version;
use serde::Deserialize;

use super::REGISTRY;
use super::client::Client;
use crate::error::BuildError;

/// One version.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Published {
    pub(super) name: String,
    pub(super) version: Version,
    #[serde(rename = "dist.integrity")]
    integrity: Option<String>,
    #[serde(default)]
    license: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Listing {
    Several(Vec<Published>),
    One(Published),
}

impl Published {
    /// Asks for all versions in a range, in no order; for an empty range, for the newest.
    pub(super) fn in_range(
        client: &Client<'_>,
        name: &str,
        range: &str,
    ) -> Result<Vec<Self>, BuildError> {
        let spec = spec(name, range)?;
        let fields = ["name", "version", "dist.integrity", "license"];
        let arguments = [&["view", spec.as_str()], fields.as_slice()].concat();
        let printed = client.run(&arguments).map_err(|failure| failure.of(&spec))?;
        if printed.trim().is_empty() {
            return Err(BuildError::NotAvailable { name: spec, registry: REGISTRY });
        }
        match serde_json::from_str(&printed) {
            Ok(Listing::Several(several)) => Ok(several),
            Ok(Listing::One(one)) => Ok(vec![one]),
            Err(error) => Err(no_answer(&spec, &error.to_string())),
        }
    }

    /// Returns the digest that the registry promises.
    pub(super) fn digest(&self) -> Result<Digest, BuildError> {
        digest(&format!("{}@{}", self.name, self.version), self.integrity.as_deref())
    }

    /// Returns the licence, if it is stated in a word.
    pub(super) fn license(&self) -> Option<String> {
        self.license.as_str().map(str::to_owned)
    }
}

/// Returns the error for an answer that is none.
pub(super) fn no_answer(name: &str, reason: &str) -> BuildError {
    BuildError::Answer { name: name.to_owned(), registry: REGISTRY, reason: reason.to_owned() }
}

/// Returns name and version as npm wants them. What else npm would take in their place, such as addresses,
/// folders and options, is refused.
///
/// SPEC: npm, package.json, "name".
pub(super) fn spec(name: &str, range: &str) -> Result<String, BuildError> {
    let is_plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c))
    };
    let (scope, rest) = match name.strip_prefix('@').map(|scoped| scoped.split_once('/')) {
        Some(Some((scope, rest))) => (scope, rest),
        Some(None) => ("", name),
        None => ("none", name),
    };
    if !is_plain(scope) || !is_plain(rest) || range.contains([':', '/']) {
        let name = format!("{name}@{range}");
        return Err(BuildError::Unsuitable { name, reason: "npm has no such names".to_owned() });
    }
    Ok(if range.is_empty() { name.to_owned() } else { format!("{name}@{range}") })
}

/// Returns the SHA-512 of an integrity value.
///
/// SPEC: Subresource Integrity, 3.5: several values may follow each other, each with base64 and options.
pub(super) fn digest(name: &str, integrity: Option<&str>) -> Result<Digest, BuildError> {
    use base64::Engine as _;
    let values = integrity.unwrap_or_default().split_ascii_whitespace();
    values
        .filter_map(|value| value.strip_prefix("sha512-"))
        .filter_map(|value| value.split('?').next())
        .find_map(|value| base64::engine::general_purpose::STANDARD.decode(value).ok())
        .and_then(|raw| Digest::from_raw(Algorithm::Sha512, &raw).ok())
        .ok_or_else(|| no_answer(name, "it has no SHA-512"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_npm_would_take_for_something_else_are_refused() {
        for name in ["", "-g", "../x", ".x", "a b", "@scope", "@/x", "@a/", "a/b", "@a/-b", "x\n"] {
            let refused = spec(name, "1");
            assert!(matches!(refused, Err(BuildError::Unsuitable { .. })), "{name:?}");
        }
        for range in ["git+ssh://x", "file:..", "npm:other@1", "owner/name"] {
            assert!(spec("x", range).is_err(), "{range:?}");
        }
        assert_eq!(spec("prettier", "").unwrap(), "prettier");
        assert_eq!(spec("@pnpm/exe.linux-x64", "12").unwrap(), "@pnpm/exe.linux-x64@12");
        assert_eq!(spec("JSONStream", ">=1 <2 || 3").unwrap(), "JSONStream@>=1 <2 || 3");
    }

    #[test]
    fn an_integrity_value_becomes_a_digest_or_an_error() {
        let base64 = "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==";
        let empty = digest("x@1", Some(&format!("sha512-{base64}"))).unwrap();
        assert!(empty.to_string().starts_with("sha512:cf83e1357eefb8bd"));
        let several = format!("sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk= sha512-{base64}?x");
        assert_eq!(digest("x@1", Some(&several)).unwrap(), empty);
        for bad in [
            None,
            Some(""),
            Some("sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
            Some("sha512-AAAA"),
            Some("sha512-?"),
        ] {
            assert!(matches!(digest("x@1", bad), Err(BuildError::Answer { .. })), "{bad:?}");
        }
    }
}
