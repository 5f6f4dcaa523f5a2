//! Packages whose install scripts somebody has read: none of them is needed where nothing is compiled.

use super::lockfile::cpu;
use crate::recipe::Architecture;

/// What was found out about one package.
#[derive(Debug)]
pub(super) struct Review {
    /// Its name.
    pub(super) package: &'static str,
    /// What its script does, and why it works without.
    #[allow(dead_code, reason = "it is there for people")]
    reason: &'static str,
    /// Files that the script would replace by links: path in the package, package and path there; `{cpu}`
    /// is the architecture in npm's words.
    links: &'static [(&'static str, &'static str, &'static str)],
}

const REVIEWED: &[Review] = &[
    Review {
        package: "@ast-grep/cli",
        reason: "puts the programs of the platform's package in the place of its own two stand-ins",
        links: &[
            ("ast-grep", "@ast-grep/cli-linux-{cpu}-gnu", "ast-grep"),
            // The platform's own `sg` warns, and then looks for `ast-grep` on the path, where it is not.
            ("sg", "@ast-grep/cli-linux-{cpu}-gnu", "ast-grep"),
        ],
    },
    Review {
        package: "@google/genai",
        reason: "does nothing outside of its own repository",
        links: &[],
    },
    Review {
        package: "@parcel/watcher",
        reason: "compiles if npm was told to; the program is in the platform's package",
        links: &[],
    },
    Review {
        package: "esbuild",
        reason: "saves a process by linking the program of the platform's package; it is found anyway",
        links: &[],
    },
    Review {
        package: "msgpackr-extract",
        reason: "compiles where the platform's package is missing",
        links: &[],
    },
    Review { package: "protobufjs", reason: "warns about how versions are written", links: &[] },
];

impl Review {
    /// Returns the review of a package.
    pub(super) fn of(package: &str) -> Option<&'static Self> {
        REVIEWED.iter().find(|review| review.package == package)
    }

    /// Returns the links for an architecture: path in the package, package and path there.
    pub(super) fn links(
        &self,
        architecture: Architecture,
    ) -> impl Iterator<Item = (&'static str, String, &'static str)> {
        self.links.iter().map(move |(at, package, file)| {
            (*at, package.replace("{cpu}", cpu(architecture)), *file)
        })
    }
}

/// Returns what to tell about a package with a script that nobody has read.
pub(super) const UNREAD: &str = "it wants to run a script when it is installed, and nobody has looked \
    whether it works without; take an older version, or a tool that does without it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_review_has_its_reason_and_its_place_in_the_alphabet() {
        assert!(REVIEWED.is_sorted_by_key(|review| review.package));
        for review in REVIEWED {
            assert!(!review.reason.is_empty(), "{}", review.package);
        }
    }
}
