//! Whether the base has to be built: the slow part, which is the same bytes for the same key.

use std::fmt;

use occ_oci::{ManifestDigest, Platform, Repository};
use serde::{Deserialize, Serialize};

/// What a registry has under the name of a base. A registry that does not answer has no such state: that is an
/// error, and never "absent".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaseSeen {
    /// Nothing.
    Absent,
    /// A base for these platforms that somebody signed whom the trust policy names.
    Signed {
        /// Its digest.
        digest: ManifestDigest,
        /// For which platforms it is.
        platforms: Vec<Platform>,
    },
    /// Something that nobody vouches for.
    Unsigned {
        /// Its digest.
        digest: ManifestDigest,
        /// What was found out about its signatures.
        why: String,
    },
}

/// What is done about the base, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do", deny_unknown_fields)]
pub enum BaseDecision {
    /// The one that a registry has is used again.
    Reuse {
        /// Which registry.
        at: Repository,
        /// Its digest there.
        digest: ManifestDigest,
    },
    /// It is made here, or taken from what earlier builds kept.
    Build {
        /// Why.
        why: String,
    },
}

/// Decides. The first registry that has a good one gives it; those that have another under the same name are a
/// reason to build, because then one of them is wrong.
pub fn decide_base(seen: &[(Repository, BaseSeen)], wanted: &[Platform]) -> BaseDecision {
    let mut good: Option<(&Repository, &ManifestDigest)> = None;
    let mut why = Vec::new();
    for (place, seen) in seen {
        match seen {
            BaseSeen::Absent => why.push(format!("{place} has none")),
            BaseSeen::Unsigned { why: reason, .. } => {
                why.push(format!("nobody vouches for that at {place}: {reason}"));
            }
            BaseSeen::Signed { platforms, .. } if lacks(platforms, wanted).is_some() => {
                let lacking = lacks(platforms, wanted).map(|one| one.to_string());
                why.push(format!("that at {place} is not for {}", lacking.unwrap_or_default()));
            }
            BaseSeen::Signed { digest, .. } => match good {
                Some((first, other)) if other != digest => {
                    return BaseDecision::Build {
                        why: format!("{first} and {place} have different ones under its name"),
                    };
                }
                Some(_) => {}
                None => good = Some((place, digest)),
            },
        }
    }
    match good {
        Some((at, digest)) => BaseDecision::Reuse { at: at.clone(), digest: digest.clone() },
        None => BaseDecision::Build { why: why.join("; ") },
    }
}

fn lacks(has: &[Platform], wanted: &[Platform]) -> Option<Platform> {
    wanted.iter().find(|platform| !has.contains(platform)).copied()
}

impl fmt::Display for BaseDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reuse { at, digest } => write!(f, "used again from {at} ({digest})"),
            Self::Build { why } => write!(f, "built: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use occ_oci::Digest;

    use super::*;

    const BOTH: [Platform; 2] = [Platform::LinuxAmd64, Platform::LinuxArm64];

    fn digest(text: &str) -> ManifestDigest {
        ManifestDigest::new(Digest::sha256(text.as_bytes()))
    }

    fn signed(text: &str, platforms: &[Platform]) -> BaseSeen {
        BaseSeen::Signed { digest: digest(text), platforms: platforms.to_vec() }
    }

    fn decided(seen: [BaseSeen; 2]) -> BaseDecision {
        let places = ["one.example/a", "two.example/a"].map(|name| name.parse().expect("a name"));
        let seen: Vec<_> = places.into_iter().zip(seen).collect();
        decide_base(&seen, &BOTH)
    }

    #[test]
    fn only_a_signed_base_for_all_platforms_is_used_again() {
        let unsigned = BaseSeen::Unsigned { digest: digest("a"), why: "unsigned".to_owned() };
        let cases = [
            ([BaseSeen::Absent, BaseSeen::Absent], "has none"),
            ([unsigned.clone(), BaseSeen::Absent], "nobody vouches"),
            ([signed("a", &BOTH[..1]), unsigned], "is not for linux/arm64"),
            ([signed("a", &BOTH), signed("b", &BOTH)], "different ones"),
        ];
        for (seen, reason) in cases {
            let BaseDecision::Build { why } = decided(seen) else { panic!("{reason}") };
            assert!(why.contains(reason), "{why}");
        }
        let one = decided([BaseSeen::Absent, signed("a", &BOTH)]);
        let wanted = "two.example/a".parse().expect("a name");
        assert_eq!(one, BaseDecision::Reuse { at: wanted, digest: digest("a") });
        assert!(matches!(
            decided([signed("a", &BOTH), signed("a", &BOTH)]),
            BaseDecision::Reuse { .. }
        ));
    }
}
