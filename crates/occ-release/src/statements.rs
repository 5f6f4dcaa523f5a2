//! What is said about images: that they are ours, what they were made of, what is in them.

use std::collections::{BTreeMap, BTreeSet};

use occ_image::Lock;
use occ_oci::{Annotations, Digest, Repository};
use occ_trust::{Builder, Label, NotABill, Provenance, Resource, ToSign, version_of};
use serde_json::json;

use crate::base::BaseDecision;
use crate::made::{Made, Subject};
use crate::plan::ReleasePlan;
use crate::tags::PlannedTag;

/// A statement, and the file in which it is kept once it is signed.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// Name of the file.
    pub(crate) name: String,
    /// What it is about: the name of a subject.
    pub(crate) of: String,
    /// About which of its manifests, the list first.
    pub(crate) about: Vec<usize>,
    /// The statement.
    pub(crate) statement: ToSign,
}

/// Returns everything that is said about what was made. A base that is used again has said it.
pub(crate) fn statements(
    plan: &ReleasePlan,
    made: &Made,
    lock: &Lock,
    builder: &Builder,
) -> Result<Vec<Said>, NotABill> {
    let mut all = Vec::new();
    for subject in &made.subjects {
        let is_base = subject.name == plan.base.name;
        if is_base && matches!(plan.base.decision, BaseDecision::Reuse { .. }) {
            continue;
        }
        // A base is no release, and has no number.
        let labels = if is_base {
            vec![Label::of(plan.name().clone())]
        } else {
            labels(plan.name(), &plan.tags, &subject.name, plan.seq)
        };
        let label = Label::of(plan.name().clone());
        let manifests = subject.manifests();
        let everything: Vec<usize> = (0..manifests.len()).collect();
        let mut say = |kind: &str, about: Vec<usize>, statement| {
            let name = format!("bundles/{}.{kind}.json", subject.name);
            all.push(Said { name, of: subject.name.clone(), about, statement });
        };
        for (number, label) in labels.iter().enumerate() {
            let kind = format!("signature.{number}");
            say(&kind, everything.clone(), ToSign::signature(label, &manifests));
        }
        let provenance = provenance(plan, subject, lock);
        let statement = ToSign::provenance(&label, &manifests, &provenance, builder);
        say("provenance", everything, statement);
        for (number, image) in subject.images.iter().enumerate() {
            let bill = ToSign::bill_of_materials(&label, &[&image.manifest], image.image.sbom())?;
            let kind = format!("sbom.{}", image.image.platform.architecture());
            say(&kind, vec![number + 1], bill);
        }
    }
    Ok(all)
}

/// The name that images are signed for, and their number.
///
/// Whoever asks for a version wants it signed for that version, ending and all: one signature for each that is
/// given, and one without for a release that has none.
pub(crate) fn labels(
    name: &Repository,
    tags: &[PlannedTag],
    subject: &str,
    seq: u64,
) -> Vec<Label> {
    let label = |version: Option<&str>| Label {
        repository: name.clone(),
        tag: None,
        version: version.map(str::to_owned),
        seq: Some(seq),
        more: Annotations::new(),
    };
    let own = tags.iter().filter(|planned| planned.of == subject && !planned.moves);
    let versions: BTreeSet<&str> = own.filter_map(|planned| version_of(&planned.tag)).collect();
    if versions.is_empty() {
        return vec![label(None)];
    }
    versions.into_iter().map(|version| label(Some(version))).collect()
}

fn provenance(plan: &ReleasePlan, subject: &Subject, lock: &Lock) -> Provenance {
    Provenance {
        external_parameters: json!({
            "recipe": plan.recipe,
            "variant": subject.name,
            "release": plan.channel,
            "created": plan.created,
            "compression": plan.compression.to_string(),
        }),
        internal_parameters: json!({ "lock": plan.lock }),
        resolved_dependencies: dependencies(lock),
        builder_version: BTreeMap::from([("occ".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]),
        invocation_id: plan.run_url.clone(),
        started_on: None,
        finished_on: None,
        byproducts: Vec::new(),
    }
}

/// Returns every file of a lock, by its package URL.
pub fn dependencies(lock: &Lock) -> Vec<Resource> {
    let of = |uri: String, digest: &Digest| {
        let algorithm = digest.to_string().split(':').next().unwrap_or_default().to_owned();
        let digest = BTreeMap::from([(algorithm, digest.hex().to_owned())]);
        Resource { uri: Some(uri), digest, ..Resource::default() }
    };
    let debian = lock.debian.iter().flat_map(|group| {
        let pins = group.packages.iter();
        pins.map(|pin| {
            let architecture =
                pin.architecture.map_or_else(|| "all".to_owned(), |own| own.to_string());
            let (name, version) = (&pin.name, &pin.version);
            of(format!("pkg:deb/debian/{name}@{version}?arch={architecture}"), &pin.digest)
        })
    });
    let tools = lock.tools.values().flat_map(|tool| {
        let kind = if tool.source == "crates" { "cargo" } else { tool.source.as_str() };
        let pins = tool.packages.iter();
        pins.map(move |pin| {
            // A scope is written in the package URL's own way.
            let name = pin.name.replace('@', "%40");
            of(format!("pkg:{kind}/{name}@{}", pin.version), &pin.digest)
        })
    });
    let mut all: Vec<Resource> = debian.chain(tools).collect();
    all.sort_by(|one, other| one.uri.cmp(&other.uri));
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_lock_is_a_dependency() {
        let lock = Lock::embedded().expect("a test reads it");
        let all = dependencies(&lock);
        let debian = lock.debian.iter().flat_map(|group| &group.packages).map(|pin| &pin.digest);
        let tools = lock.tools.values().flat_map(|tool| &tool.packages).map(|pin| &pin.digest);
        let digests: std::collections::BTreeSet<_> =
            debian.chain(tools).map(|digest| digest.hex().to_owned()).collect();
        let stated: std::collections::BTreeSet<_> =
            all.iter().flat_map(|one| one.digest.values().cloned()).collect();
        assert_eq!(stated, digests);
        assert!(digests.len() > 100);
        assert!(all.iter().all(|one| one.uri.as_ref().is_some_and(|uri| uri.starts_with("pkg:"))));
    }
}
