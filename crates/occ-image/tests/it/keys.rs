use std::collections::BTreeSet;

use occ_image::{
    Architecture, BuildPlan, GuestContent, Image, LayerKey, PlanError, Release, Target,
};
use occ_oci::{Digest, Platform};
use proptest::prelude::*;

use crate::locks::small;
use crate::recipes::{SMALL, parse};

/// A plan that no edit of the built-in files moves.
fn fixed() -> BuildPlan {
    let recipe = parse(SMALL).unwrap();
    let release = Release { version: "1.0.0".to_owned(), ..Release::default() };
    let mut target = Target::new(Platform::LinuxAmd64, "base");
    target.with = vec!["extras".to_owned()];
    BuildPlan::new(&recipe, &small(&recipe), &target, &release).unwrap()
}

#[test]
fn the_keys_of_a_fixed_plan_do_not_move_by_accident() {
    let plan = fixed();
    // The guest's own scripts are part of a plan and change as they please.
    let keys = [plan.base.key().to_string(), plan.tools[1].key().to_string()];
    let layers: Vec<String> = plan.base.layers().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        keys,
        [
            "sha256:8846296a814ddccc2c008eec12eb3ec17ee7039f273c4606642909fbd97ed534",
            "sha256:ddd4985d8df74297d14b08758e5b99603a6d009bdb3bc930a5c9c3d2d1978b15",
        ]
    );
    assert_eq!(layers, ["system", "configured"]);
    assert_eq!(plan.name(), format!("opencode-cloud-sandbox:{}", plan.key().short()));
}

/// A change that must change the base's key.
type Change = fn(&mut BuildPlan);

const OF_THE_BASE: &[Change] = &[
    |plan| plan.base.platform = Platform::LinuxArm64,
    |plan| plan.base.suite.push('x'),
    |plan| plan.base.shell.push('x'),
    |plan| plan.base.exclude.push("/usr/share/man/*".to_owned()),
    |plan| plan.base.include.push("/usr/share/man/*".to_owned()),
    |plan| plan.base.exclude.push(String::new()),
    |plan| plan.base.groups[0].group.push('x'),
    |plan| plan.base.groups[0].packages.swap(0, 1),
    |plan| drop(plan.base.groups[0].packages.pop()),
    |plan| plan.base.groups[0].packages[0].name.push('x'),
    |plan| plan.base.groups[0].packages[0].version.push('x'),
    |plan| plan.base.groups[0].packages[0].architecture = None,
    |plan| plan.base.groups[0].packages[0].architecture = Some(Architecture::Arm64),
    |plan| plan.base.groups[0].packages[0].size += 1,
    |plan| plan.base.groups[0].packages[0].digest = Digest::sha256(b"other"),
    |plan| {
        let group = plan.base.groups[0].clone();
        plan.base.groups.push(group);
    },
    |plan| {
        // A package moves from one group to the next.
        let mut second = plan.base.groups[0].clone();
        second.packages = vec![plan.base.groups[0].packages.pop().unwrap()];
        "second".clone_into(&mut second.group);
        plan.base.groups.push(second);
    },
];

const OF_A_TOOL: &[Change] = &[
    |plan| plan.tools[1].platform = Platform::LinuxArm64,
    |plan| plan.tools[1].version.push('x'),
    |plan| plan.tools[1].tool.name.push('x'),
    |plan| plan.tools[1].tool.commands.push("x".to_owned()),
    |plan| drop(plan.tools[1].packages.pop()),
    |plan| plan.tools[1].packages[0].name.push('x'),
    |plan| plan.tools[1].packages[0].version.push('x'),
    |plan| plan.tools[1].packages[0].path = Some("node_modules/a".to_owned()),
    |plan| plan.tools[1].packages[0].size += 1,
    |plan| plan.tools[1].packages[0].digest = Digest::sha256(b"other"),
    |plan| drop(plan.tools[1].tool.files.insert("/usr/bin/x".to_owned(), "x".to_owned())),
];

const OF_THE_REST: &[Change] = &[
    |plan| plan.guest[0].path.push('x'),
    |plan| plan.guest[0].mode ^= 0o111,
    |plan| plan.guest[0].owner.0 += 1,
    |plan| plan.guest[0].owner.1 += 1,
    |plan| plan.guest[0].content = GuestContent::File(b"x".to_vec()),
    |plan| plan.guest[0].content = GuestContent::Link("x".to_owned()),
    |plan| drop(plan.guest.pop()),
    |plan| plan.tools.swap(0, 1),
    |plan| drop(plan.tools.pop()),
    |plan| plan.system.lang.push('x'),
    |plan| plan.system.timezone.push('x'),
    |plan| plan.variant.push('x'),
    |plan| plan.platform = Platform::LinuxArm64,
    |plan| plan.release.version.push('x'),
    |plan| plan.release.created.push('x'),
    |plan| plan.release.revision = Some("abc".to_owned()),
    |plan| plan.release.branch = Some("main".to_owned()),
    |plan| plan.release.run_url = Some("http://ci.test/1".to_owned()),
];

fn changed(changes: &[Change], key: impl Fn(&BuildPlan) -> String) -> BTreeSet<String> {
    let after = changes.iter().map(|change| {
        let mut plan = fixed();
        change(&mut plan);
        key(&plan)
    });
    after.chain([key(&fixed())]).collect()
}

#[test]
fn every_single_change_of_the_base_gives_it_a_key_of_its_own() {
    let keys = changed(OF_THE_BASE, |plan| plan.base.key().to_string());
    assert_eq!(keys.len(), OF_THE_BASE.len() + 1, "two different bases have one key");
}

#[test]
fn every_single_change_of_a_tool_gives_its_layer_a_key_of_its_own() {
    let keys = changed(OF_A_TOOL, |plan| plan.tools[1].key().to_string());
    assert_eq!(keys.len(), OF_A_TOOL.len() + 1, "two different tools have one key");
}

#[test]
fn every_single_change_gives_the_image_a_key_of_its_own() {
    let all: Vec<Change> =
        [OF_THE_BASE, OF_A_TOOL, OF_THE_REST].into_iter().flatten().copied().collect();
    let keys = changed(&all, |plan| plan.key().to_string());
    assert_eq!(keys.len(), all.len() + 1, "two different images have one key");
}

#[test]
fn nothing_else_changes_the_key_of_the_base() {
    let others: Vec<Change> = [OF_A_TOOL, OF_THE_REST].into_iter().flatten().copied().collect();
    assert_eq!(changed(&others, |plan| plan.base.key().to_string()).len(), 1);
}

proptest! {
    /// Text moves over the border between two neighbours and the key notices.
    #[test]
    fn no_two_lists_of_packages_have_one_key(
        one in prop::collection::vec("[a-z]{0,3}", 0..4),
        other in prop::collection::vec("[a-z]{0,3}", 0..4),
    ) {
        let key = |names: &[String]| {
            let mut plan = fixed();
            let pin = plan.base.groups[0].packages[0].clone();
            plan.base.groups[0].packages = names
                .iter()
                .map(|name| occ_image::DebianPin { name: name.clone(), ..pin.clone() })
                .collect();
            plan.base.key()
        };
        prop_assert_eq!(one == other, key(&one) == key(&other));
    }
}

#[test]
fn layers_of_one_base_have_keys_of_their_own() {
    let keys: BTreeSet<LayerKey> = fixed().base.layers().into_iter().map(|(_, key)| key).collect();
    assert_eq!(keys.len(), 2);
}

#[test]
fn variants_share_the_layers_of_what_they_share() {
    let text =
        SMALL.replace("base = [\"tools\"]", "base = [\"tools\"]\nmore = [\"tools\", \"extras\"]");
    let recipe = parse(&text).unwrap();
    let lock = small(&recipe);
    let plan = |variant: &str| {
        let target = Target::new(Platform::LinuxAmd64, variant);
        BuildPlan::new(&recipe, &lock, &target, &Release::default()).unwrap()
    };
    let (base, more) = (plan("base"), plan("more"));
    let keys =
        |plan: &BuildPlan| plan.tools.iter().map(occ_image::ToolPlan::key).collect::<Vec<_>>();
    assert_eq!(base.base.key(), more.base.key());
    assert_eq!(base.guest_key(), more.guest_key());
    assert_eq!(keys(&base), keys(&more)[..4]);
    assert_ne!(base.key(), more.key());
}

#[test]
fn a_plan_needs_a_lock_that_answers_its_recipe_and_has_its_architecture() {
    let recipe = parse(SMALL).unwrap();
    let plan = |lock: &occ_image::Lock, with: &[&str]| {
        let with = with.iter().map(|name| (*name).to_owned()).collect();
        let target = Target { platform: Platform::LinuxArm64, variant: "base".to_owned(), with };
        BuildPlan::new(&recipe, lock, &target, &Release::default()).map(drop)
    };
    let good = small(&recipe);
    assert_eq!(plan(&good, &["extras"]), Ok(()));
    assert!(matches!(plan(&good, &["nothing"]), Err(PlanError::UnknownName(_))));
    let mut lock = good.clone();
    lock.recipe = Digest::sha256(b"another");
    assert!(matches!(plan(&lock, &[]), Err(PlanError::Stale(_))));
    let mut lock = good.clone();
    lock.tools.get_mut("biome").unwrap().packages.pop();
    let no_pin = |tool: &str| {
        let (tool, architecture) = (tool.to_owned(), Architecture::Arm64);
        Err(PlanError::NoPin { tool, architecture })
    };
    assert_eq!(plan(&lock, &[]), no_pin("biome"));
    let mut lock = good.clone();
    lock.tools.remove("uv");
    assert_eq!(plan(&lock, &[]), no_pin("uv"));
    let mut lock = good;
    lock.debian.pop();
    assert_eq!(plan(&lock, &[]), no_pin("debian"));
}

#[test]
fn two_tools_that_bring_one_path_are_refused() {
    let text = SMALL.replace("\"/usr/local/bin/uv\"", "\"/usr/local/bin/prettier\"");
    let recipe = parse(&text).unwrap();
    let target = Target::new(Platform::LinuxAmd64, "base");
    let error = BuildPlan::new(&recipe, &small(&recipe), &target, &Release::default()).unwrap_err();
    assert_eq!(error.to_string(), "/usr/local/bin/prettier comes from both prettier and uv");
}

#[test]
fn addresses_and_members_are_filled_in_for_the_architecture() {
    let plan = fixed();
    let k9s = &plan.tools[0];
    let (address, digest) = k9s.address().unwrap();
    assert_eq!(address, "http://files.test/v0.51.0/k9s_x86_64.tar.gz");
    assert!(digest.hex().ends_with("0001"));
    let uv = plan.tools.iter().find(|tool| tool.tool.name == "uv").unwrap();
    assert_eq!(uv.files()["/usr/local/bin/uv"], "uv-0.13.8.data/scripts/uv");
}

#[test]
fn the_labels_name_contract_versions_and_keys() {
    let plan = fixed();
    let labels = plan.labels();
    let label = |name: &str| labels.get(name).map(String::as_str);
    assert_eq!(label("org.opencode-cloud.guest-contract"), Some("1"));
    assert_eq!(label("org.opencode-cloud.version"), Some("1.0.0"));
    assert_eq!(label("org.opencode-cloud.variant"), Some("base"));
    assert_eq!(label("org.opencode-cloud.build-key"), Some(plan.key().to_string().as_str()));
    assert_eq!(label("org.opencode-cloud.base-key"), Some(plan.base.key().to_string().as_str()));
    assert_eq!(label("org.opencontainers.image.version"), Some("1.0.0"));
    assert_eq!(label("org.opencontainers.image.revision"), None);
    assert_eq!(Release::default().version, "dev");
}

#[test]
fn an_image_says_the_digest_of_its_opencode_and_one_without_says_none() {
    const LABEL: &str = "org.opencode-cloud.opencode-binary";
    let (plan, binary) = (fixed(), Digest::sha256(b"opencode"));
    let image = Image::assemble(&plan, Vec::new(), Some(&binary));
    assert_eq!(image.labels[LABEL], binary.to_string());
    assert_eq!(image.manifest().annotations[LABEL], binary.to_string());
    let config: serde_json::Value = serde_json::from_slice(image.config()).unwrap();
    assert_eq!(config["config"]["Labels"][LABEL], binary.to_string());
    assert_eq!(image.key, plan.key(), "the key follows from the plan alone");
    assert!(!Image::assemble(&plan, Vec::new(), None).labels.contains_key(LABEL));
}
