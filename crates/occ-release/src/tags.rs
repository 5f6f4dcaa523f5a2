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

/// A tag that a release could give, and does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptTag {
    /// The tag.
    pub tag: Tag,
    /// Why it stays as it is.
    pub why: String,
}

/// The tags of a release, and those that it leaves alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tags {
    pub(crate) given: Vec<PlannedTag>,
    pub(crate) kept: Vec<KeptTag>,
}

/// Returns the tags of a variant. `product` is the version of `occ` that the images are for, `known` are the tags
/// of all registries.
///
/// The version of opencode and the commit are names of this release for good. The version of `occ` is that of
/// the first release with it; what leads to the newest moves on.
pub(crate) fn of_variant(
    channel: Channel,
    product: &semver::Version,
    variant: &str,
    revision: Option<&str>,
    known: &BTreeSet<Tag>,
) -> Tags {
    let ending = if variant == PLAIN { String::new() } else { format!("-{variant}") };
    let named = |name: &str| tag(&format!("{name}{ending}"));
    let mut tags = Tags::default();
    let mut give = |tag: Tag, moves| {
        tags.given.push(PlannedTag { tag, of: variant.to_owned(), moves });
    };
    if let Some(revision) = revision {
        let commit: String = revision.chars().take(COMMIT).collect();
        give(named(&format!("sha-{commit}")), false);
    }
    let Channel::Release(version) = channel else {
        give(named("edge"), true);
        return tags;
    };
    give(named(&version.to_string()), false);
    let own = named(&product.to_string());
    let mut kept = Vec::new();
    if known.contains(&own) {
        kept.push(KeptTag { tag: own, why: "it stands for an earlier release".to_owned() });
    } else {
        give(own, false);
    }
    let newer_product = |belongs: &dyn Fn(&semver::Version) -> bool| {
        let newest = products(known, &ending).filter(belongs).max();
        newest.filter(|newest| newest > product).map(|newest| newest.to_string())
    };
    let newest = versions(known, &ending).max().filter(|newest| *newest > version);
    let (major, minor) = (product.major, product.minor);
    let moving = [
        (format!("{major}.{minor}"), newer_product(&|it| (it.major, it.minor) == (major, minor))),
        (major.to_string(), newer_product(&|it| it.major == major)),
        ("latest".to_owned(), newest.map(|newest| newest.to_string())),
    ];
    for (name, newer) in moving {
        match newer {
            Some(newer) => {
                kept.push(KeptTag { tag: named(&name), why: format!("{newer} is newer") });
            }
            None => give(named(&name), true),
        }
    }
    tags.kept = kept;
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

/// Returns the versions of `occ` that a variant was released for.
fn products<'a>(
    known: &'a BTreeSet<Tag>,
    ending: &'a str,
) -> impl Iterator<Item = semver::Version> + 'a {
    let plain = known.iter().filter_map(move |tag| tag.as_str().strip_suffix(ending));
    plain
        .filter_map(|tag| tag.parse().ok())
        .filter(|version: &semver::Version| version.pre.is_empty())
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

    fn product() -> semver::Version {
        "1.2.3".parse().expect("a version")
    }

    #[test]
    fn a_release_has_its_versions_for_good_and_moves_what_leads_to_the_newest() {
        let channel: Channel = "v1.14.44b".parse().expect("a version");
        let known = known(&["v1.14.44", "1.2.2"]);
        let tags = of_variant(channel, &product(), "base", Some("0123456789abcdef"), &known);
        let wanted =
            ["sha-0123456789ab", "v1.14.44b", "1.2.3", "1.2 moves", "1 moves", "latest moves"];
        assert_eq!(shown(&tags), wanted);
        assert!(tags.kept.is_empty());
        let omos = of_variant(channel, &product(), "omos", None, &known);
        let wanted =
            ["v1.14.44b-omos", "1.2.3-omos", "1.2-omos moves", "1-omos moves", "latest-omos moves"];
        assert_eq!(shown(&omos), wanted);
    }

    #[test]
    fn a_version_of_occ_stays_with_the_first_release_for_it() {
        let channel: Channel = "v1.14.45".parse().expect("a version");
        let tags = of_variant(channel, &product(), "base", None, &known(&["v1.14.44", "1.2.3"]));
        assert_eq!(shown(&tags), ["v1.14.45", "1.2 moves", "1 moves", "latest moves"]);
        assert_eq!(tags.kept[0].tag.as_str(), "1.2.3");
    }

    #[test]
    fn a_release_behind_the_newest_moves_only_its_own_series() {
        let channel: Channel = "v1.14.45".parse().expect("a version");
        let known = known(&["v1.15.0", "v2.0.0-omos", "1.3.0", "1.2.2"]);
        let tags = of_variant(channel, &product(), "base", None, &known);
        assert_eq!(shown(&tags), ["v1.14.45", "1.2.3", "1.2 moves"]);
        let kept: Vec<_> =
            tags.kept.iter().map(|kept| format!("{}: {}", kept.tag, kept.why)).collect();
        assert_eq!(kept, ["1: 1.3.0 is newer", "latest: v1.15.0 is newer"]);
    }

    #[test]
    fn the_main_branch_moves_edge_alone() {
        let known = known(&["v9.0.0"]);
        let tags = of_variant(Channel::Edge, &product(), "with-pi", Some("abcdef0"), &known);
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
