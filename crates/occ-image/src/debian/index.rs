//! The archive's lists of packages (Debian repository format, "Packages" indices), as apt keeps them.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use crate::error::BuildError;
use crate::lock::DebianPin;
use crate::recipe::Architecture;

/// One package of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Package<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    /// Name of the source package it is built from.
    pub(super) source: &'a str,
    /// What it provides, as it says it.
    pub(super) provides: &'a str,
    /// Digest of its file, in hexadecimal digits.
    pub(super) sha256: &'a str,
    architecture: &'a str,
    size: &'a str,
}

impl<'a> Package<'a> {
    fn parse(paragraph: &'a str) -> Self {
        let mut package = Self::default();
        for line in paragraph.lines() {
            let Some((field, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            match field {
                "Package" => package.name = value,
                "Version" => package.version = value,
                "Architecture" => package.architecture = value,
                // `glibc (2.41-12)` where the versions differ.
                "Source" => package.source = value.split(' ').next().unwrap_or(value),
                "Provides" => package.provides = value,
                "Size" => package.size = value,
                "SHA256" => package.sha256 = value,
                _ => {}
            }
        }
        if package.source.is_empty() {
            package.source = package.name;
        }
        package
    }

    /// Returns what a lock says of it; none if the list is not what it should be.
    pub(super) fn pin(&self) -> Option<DebianPin> {
        let architecture = match self.architecture {
            "all" => None,
            "amd64" => Some(Architecture::Amd64),
            "arm64" => Some(Architecture::Arm64),
            _ => return None,
        };
        Some(DebianPin {
            name: self.name.to_owned(),
            version: self.version.to_owned(),
            architecture,
            size: self.size.parse().ok()?,
            digest: format!("sha256:{}", self.sha256).parse().ok()?,
        })
    }
}

/// Shows every package in a folder of lists. They have a hundred thousand, so none is kept.
pub(super) fn each(lists: &Path, mut visit: impl FnMut(&Package<'_>)) -> Result<(), BuildError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(lists).map_err(BuildError::at(lists))? {
        let path = entry.map_err(BuildError::at(lists))?.path();
        if path.to_string_lossy().ends_with("_Packages") {
            files.push(path);
        }
    }
    files.sort();
    for path in files {
        let at = || BuildError::at(&path);
        let mut reader = BufReader::with_capacity(1 << 18, File::open(&path).map_err(at())?);
        let mut paragraph = String::new();
        loop {
            let start = paragraph.len();
            let taken = reader.read_line(&mut paragraph).map_err(at())?;
            if paragraph[start..].trim_end().is_empty() {
                if start > 0 {
                    visit(&Package::parse(&paragraph[..start]));
                }
                paragraph.clear();
            }
            if taken == 0 {
                break;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "Package: jq\nVersion: 1.7-2\nArchitecture: amd64\nDepends: libjq1\nSize: 78900\n\
        SHA256: 7350392f700e20e46b7ae174a57f54e4ea106dd559753646d629b4e618bf2bff\n\n\
        Package: libc-bin\nSource: glibc (2.41-12)\nVersion: 2.41-12+b1\nArchitecture: all\n\
        Description: more\n than one line: really\nProvides: a, b\nSize: 1\nSHA256: 00\n";

    #[test]
    fn paragraphs_become_packages_and_the_last_needs_no_empty_line() {
        let folder = tempfile::TempDir::new().expect("a folder");
        fs::write(folder.path().join("x_main_Packages"), LIST).expect("a file");
        fs::write(folder.path().join("x_InRelease"), "Package: no\n\n").expect("a file");
        let mut seen = Vec::new();
        each(folder.path(), |package| {
            let pin = package.pin();
            let words = [package.name, package.version, package.source, package.provides];
            seen.push((words.map(str::to_owned), pin));
        })
        .expect("readable");
        let [(jq, pin), (libc, no_pin)] = seen.try_into().expect("two");
        assert_eq!(jq, ["jq", "1.7-2", "jq", ""]);
        let pin = pin.expect("all is there");
        assert_eq!((pin.architecture, pin.size), (Some(Architecture::Amd64), 78900));
        assert_eq!(libc, ["libc-bin", "2.41-12+b1", "glibc", "a, b"]);
        assert_eq!(no_pin, None, "two digits are no digest");
    }
}
