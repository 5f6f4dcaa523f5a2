//! Which names a release gives to what: those that never move, and those that move to it.

use std::collections::BTreeSet;

use occ_oci::Tag;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::version::Version;

/// The variant whose tags have no ending.
const PLAIN: &str = "base";
/// The moving name of the newest base.
pub(crate) const BASE_LATEST: &str = "base-latest";
/// Digits of a commit in a tag.
const COMMIT: usize = 12;

/// A tag that a release gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedTag {
    /// The tag.
    pub tag: Tag,
    /// What it will stand for: a variant, or the base by its name.
    pub of: String,
    /// Whether it may stand for something else before and afterwards.
    pub moves: bool,
}

/// A moving tag that stays where it is, because it stands for something newer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptTag {
    /// The tag.
    pub tag: Tag,
    /// The newer release.
    pub newer: Version,
}

/// The tags of a release, and those that it leaves alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tags {
    pub(crate) given: Vec<PlannedTag>,
    pub(crate) kept: Vec<KeptTag>,
}

/// Returns the tags of a variant; `known` are those of all registries.
pub(crate) fn of_variant(
    channel: Channel,
    variant: &str,
    revision: Option<&str>,
    known: &BTreeSet<Tag>,
) -> Tags {
    let ending = if variant == PLAIN { String::new() } else { format!("-{variant}") };
    let mut tags = Tags::default();
    let mut give = |name: String, moves| {
        tags.given.push(PlannedTag { tag: tag(&name), of: variant.to_owned(), moves });
    };
    if let Some(version) = channel.version() {
        give(format!("{version}{ending}"), false);
        give(format!("{}{ending}", version.bare()), false);
    }
    if let Some(revision) = revision {
        let commit: String = revision.chars().take(COMMIT).collect();
        give(format!("sha-{commit}{ending}"), false);
    }
    let Channel::Release(version) = channel else {
        give(format!("edge{ending}"), true);
        return tags;
    };
    let series = |moving: &str, belongs: &dyn Fn(&Version) -> bool| {
        let newest = versions(known, &ending).filter(belongs).max();
        (tag(&format!("{moving}{ending}")), newest.filter(|newest| *newest > version))
    };
    let moving = [
        series(&format!("{}.{}", version.major, version.minor), &|other| {
            (other.major, other.minor) == (version.major, version.minor)
        }),
        series(&version.major.to_string(), &|other| other.major == version.major),
        series("latest", &|_| true),
    ];
    for (tag, newer) in moving {
        match newer {
            Some(newer) => tags.kept.push(KeptTag { tag, newer }),
            None => tags.given.push(PlannedTag { tag, of: variant.to_owned(), moves: true }),
        }
    }
    tags
}

/// Returns the tags of the base: its own, and that of the newest, which only a release moves that moves
/// `latest` too.
pub(crate) fn of_base(name: &str, moves: bool) -> Vec<PlannedTag> {
    let own = PlannedTag { tag: tag(name), of: name.to_owned(), moves: false };
    let latest = PlannedTag { tag: tag(BASE_LATEST), of: name.to_owned(), moves: true };
    std::iter::once(own).chain(moves.then_some(latest)).collect()
}

/// Returns the versions that a variant was released with.
fn versions<'a>(known: &'a BTreeSet<Tag>, ending: &'a str) -> impl Iterator<Item = Version> + 'a {
    known.iter().filter_map(move |tag| tag.as_str().strip_suffix(ending)?.parse().ok())
}

/// Returns every version that anything was released with, newest first.
pub fn released(known: &BTreeSet<Tag>) -> Vec<Version> {
    let versions: BTreeSet<_> =
        known.iter().filter_map(|tag| tag.as_str().strip_prefix(RECEIPT)?.parse().ok()).collect();
    versions.into_iter().rev().collect()
}

/// How the tag of a receipt begins.
const RECEIPT: &str = "receipt-";

/// Returns the tag under which a release has its receipt.
pub fn receipt_tag(channel: &Channel) -> Tag {
    tag(&format!("{RECEIPT}{channel}"))
}

fn tag(name: &str) -> Tag {
    name.parse().expect("versions, variants and hexadecimal digits make tags")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(tags: &[&str]) -> BTreeSet<Tag> {
        tags.iter().map(|name| tag(name)).collect()
    }

    fn shown(tags: &Tags) -> Vec<String> {
        let shown =
            |tag: &PlannedTag| format!("{}{}", tag.tag, if tag.moves { " moves" } else { "" });
        tags.given.iter().map(shown).collect()
    }

    #[test]
    fn a_release_has_its_version_for_good_and_moves_what_leads_to_the_newest() {
        let channel: Channel = "v1.14.44b".parse().expect("a version");
        let plain = of_variant(channel, "base", Some("0123456789abcdef"), &known(&["v1.14.44"]));
        let wanted =
            ["v1.14.44b", "1.14.44b", "sha-0123456789ab", "1.14 moves", "1 moves", "latest moves"];
        assert_eq!(shown(&plain), wanted);
        let omos = of_variant(channel, "omos", None, &known(&[]));
        let wanted = [
            "v1.14.44b-omos",
            "1.14.44b-omos",
            "1.14-omos moves",
            "1-omos moves",
            "latest-omos moves",
        ];
        assert_eq!(shown(&omos), wanted);
        assert!(plain.kept.is_empty() && omos.kept.is_empty());
    }

    #[test]
    fn a_release_behind_the_newest_moves_only_its_own_series() {
        let channel: Channel = "v1.14.45".parse().expect("a version");
        let tags =
            of_variant(channel, "base", None, &known(&["v1.15.0", "v2.0.0-omos", "v1.14.44"]));
        assert_eq!(shown(&tags), ["v1.14.45", "1.14.45", "1.14 moves"]);
        let kept: Vec<_> =
            tags.kept.iter().map(|kept| format!("{} {}", kept.tag, kept.newer)).collect();
        assert_eq!(kept, ["1 v1.15.0", "latest v1.15.0"]);
    }

    #[test]
    fn the_main_branch_moves_edge_alone() {
        let tags = of_variant(Channel::Edge, "with-pi", Some("abcdef0"), &known(&["v9.0.0"]));
        assert_eq!(shown(&tags), ["sha-abcdef0-with-pi", "edge-with-pi moves"]);
        assert_eq!(of_base("base-0123", false).len(), 1);
        assert_eq!(of_base("base-0123", true)[1].tag.as_str(), "base-latest");
    }

    #[test]
    fn what_was_released_is_told_by_its_receipts() {
        let known = known(&[
            "receipt-v1.2.3",
            "receipt-v1.10.0b",
            "receipt-edge",
            "v9.9.9",
            "receipt-v1.x",
        ]);
        let shown: Vec<_> = released(&known).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["v1.10.0b", "v1.2.3"]);
    }
}
