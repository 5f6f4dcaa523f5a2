//! Package addresses (package-url specification): how scanners call a package.

use std::fmt::{self, Write as _};

/// `pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS` in its one canonical spelling.
pub(super) struct Purl<'a> {
    kind: &'static str,
    path: Vec<&'a str>,
    version: &'a str,
    qualifiers: Vec<(&'static str, &'a str)>,
}

impl<'a> Purl<'a> {
    /// `path` is the namespace's parts, if any, and the name.
    pub(super) fn new(kind: &'static str, path: &[&'a str], version: &'a str) -> Self {
        Self { kind, path: path.to_vec(), version, qualifiers: Vec::new() }
    }

    /// Adds a qualifier. They are sorted by name, so the caller adds them so.
    pub(super) fn with(mut self, name: &'static str, value: &'a str) -> Self {
        debug_assert!(self.qualifiers.last().is_none_or(|(last, _)| *last < name));
        self.qualifiers.push((name, value));
        self
    }
}

impl fmt::Display for Purl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkg:{}", self.kind)?;
        for part in &self.path {
            write!(f, "/{}", Encoded(part, ""))?;
        }
        write!(f, "@{}", Encoded(self.version, ""))?;
        for (number, (name, value)) in self.qualifiers.iter().enumerate() {
            let joint = if number == 0 { '?' } else { '&' };
            write!(f, "{joint}{name}={}", Encoded(value, "/"))?;
        }
        Ok(())
    }
}

/// SPEC: "Character encoding": all but letters, digits, `.-_~` and colons becomes its bytes in `%XX`; and what
/// else stays as it is.
struct Encoded<'a>(&'a str, &'static str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                    f.write_char(byte.into())?;
                }
                other if self.1.as_bytes().contains(&other) => f.write_char(other.into())?,
                other => write!(f, "%{other:02X}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_encoded_and_separators_are_not() {
        let npm = Purl::new("npm", &["@pnpm", "exe.linux-x64"], "12.0.0-rc.1+b");
        assert_eq!(npm.to_string(), "pkg:npm/%40pnpm/exe.linux-x64@12.0.0-rc.1%2Bb");
        let debian = Purl::new("deb", &["debian", "libstdc++6"], "1:2~rc1-3")
            .with("arch", "amd64")
            .with("distro", "debian-13");
        assert_eq!(
            debian.to_string(),
            "pkg:deb/debian/libstdc%2B%2B6@1:2~rc1-3?arch=amd64&distro=debian-13"
        );
        let odd = Purl::new("generic", &["ä/b c"], "1");
        assert_eq!(odd.to_string(), "pkg:generic/%C3%A4%2Fb%20c@1");
        let address =
            Purl::new("generic", &["a"], "1").with("download_url", "https://a.test/b?c=d");
        assert_eq!(address.to_string(), "pkg:generic/a@1?download_url=https://a.test/b%3Fc%3Dd");
    }
}
