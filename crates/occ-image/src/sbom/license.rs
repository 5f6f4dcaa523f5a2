//! Licences: what packages state, as far as SPDX knows it.

use serde::Serialize;

/// Identifiers of SPDX that packages in images have had; the test of the whole document would notice one
/// that SPDX does not have. Everything else is given as free text, which is never wrong.
const KNOWN: [&str; 32] = [
    "0BSD",
    "AFL-2.1",
    "AGPL-3.0-only",
    "Apache-2.0",
    "Artistic-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC0-1.0",
    "EPL-2.0",
    "FSL-1.1-MIT",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "ISC",
    "LGPL-2.1-or-later",
    "LGPL-3.0-or-later",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OFL-1.1",
    "PSF-2.0",
    "Python-2.0",
    "Unicode-3.0",
    "Unlicense",
    "W3C",
    "WTFPL",
    "Zlib",
];

/// A licence in one of the forms that there are for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum License {
    /// One that SPDX knows, or free text.
    One {
        /// The licence.
        license: One,
    },
    /// Several, joined by words of SPDX.
    Expression {
        /// The expression.
        expression: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum One {
    /// Identifier of SPDX.
    Id(String),
    /// Any text.
    Name(String),
}

impl License {
    /// Reads what a package states.
    pub(super) fn of(stated: &str) -> Self {
        let stated = stated.trim();
        if KNOWN.contains(&stated) {
            return Self::One { license: One::Id(stated.to_owned()) };
        }
        if is_expression(stated) {
            return Self::Expression { expression: stated.to_owned() };
        }
        Self::One { license: One::Name(stated.to_owned()) }
    }
}

/// SPEC: SPDX annex "License expressions", for licences in [`KNOWN`] joined by `AND` and `OR`.
fn is_expression(text: &str) -> bool {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let (mut depth, mut wants_licence) = (0, true);
    for word in spaced.split_whitespace() {
        let fits = match word {
            "(" => wants_licence,
            ")" => !wants_licence && depth > 0,
            "AND" | "OR" => !wants_licence,
            licence => wants_licence && KNOWN.contains(&licence),
        };
        if !fits {
            return false;
        }
        match word {
            "(" => depth += 1,
            ")" => depth -= 1,
            word => wants_licence = matches!(word, "AND" | "OR"),
        }
    }
    depth == 0 && !wants_licence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_spdx_knows_is_called_so() {
        for (stated, expected) in [
            ("MIT", r#"{"license":{"id":"MIT"}}"#),
            (" ISC ", r#"{"license":{"id":"ISC"}}"#),
            ("(MIT OR CC0-1.0)", r#"{"expression":"(MIT OR CC0-1.0)"}"#),
            ("MIT AND (ISC OR 0BSD)", r#"{"expression":"MIT AND (ISC OR 0BSD)"}"#),
            ("(MIT)", r#"{"expression":"(MIT)"}"#),
            ("UNLICENSED", r#"{"license":{"name":"UNLICENSED"}}"#),
            ("MIT OR Apache", r#"{"license":{"name":"MIT OR Apache"}}"#),
            ("SEE LICENSE IN x", r#"{"license":{"name":"SEE LICENSE IN x"}}"#),
            ("MIT OR", r#"{"license":{"name":"MIT OR"}}"#),
            (")MIT(", r#"{"license":{"name":")MIT("}}"#),
            ("MIT ISC", r#"{"license":{"name":"MIT ISC"}}"#),
            ("((MIT)", r#"{"license":{"name":"((MIT)"}}"#),
        ] {
            assert_eq!(serde_json::to_string(&License::of(stated)).unwrap(), expected);
        }
    }
}
