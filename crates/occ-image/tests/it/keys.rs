use std::collections::BTreeSet;

use occ_image::{BaseRecipe, BuildPlan, Cpu, GuestEntry, Pin};
use occ_oci::{Algorithm, Digest, Platform};

/// A plan that no edit of the embedded files moves.
fn fixed() -> BuildPlan {
    BuildPlan {
        platform: Platform::LinuxAmd64,
        base: BaseRecipe {
            suite: "trixie".to_owned(),
            variant: "minbase".to_owned(),
            packages: vec!["git".to_owned(), "tini".to_owned()],
            exclude: vec!["/usr/share/man/*".to_owned()],
            include: vec!["/usr/share/doc/*/copyright".to_owned()],
        },
        opencode: Pin {
            platform: Platform::LinuxAmd64,
            cpu: Cpu::Modern,
            package: "opencode-linux-x64".to_owned(),
            version: "1.18.33".to_owned(),
            integrity: Digest::from_raw(Algorithm::Sha512, &[7; 64]).unwrap(),
            size: 10,
            member: "package/bin/opencode".to_owned(),
            binary: Digest::sha256(b"binary"),
            binary_size: 6,
        },
        guest: vec![
            GuestEntry { path: "/a".to_owned(), bytes: None, mode: 0o755, owner: (1000, 1000) },
            GuestEntry {
                path: "/a/b".to_owned(),
                bytes: Some(b"text".to_vec()),
                mode: 0o644,
                owner: (0, 0),
            },
        ],
        version: "1.0.0".to_owned(),
    }
}

#[test]
fn the_keys_of_a_fixed_plan_do_not_move_by_accident() {
    let plan = fixed();
    let keys = [
        plan.base_key().to_string(),
        plan.opencode_key().to_string(),
        plan.guest_key().to_string(),
        plan.key().to_string(),
    ];
    assert_eq!(
        keys,
        [
            "sha256:7ebc53d1870dbe8223c0211b4ad2148619f556f4bcb76ed6051d1c91044fe79b",
            "sha256:423c6f69cbe591554a8d352b6014b65b3fecfb59c32dbafdf126a6f023c131d7",
            "sha256:143a9b2c2614a732b7b8c4c3b09fc4cf332d8e056c36d860f1b32cff972bc457",
            "sha256:6c2a1987a80b141565ceb44889b30c132adf435332d7416049c7cae329a39782",
        ]
    );
    assert_eq!(plan.name(), format!("opencode-cloud-sandbox:{}", plan.key().short()));
}

#[test]
fn every_single_change_changes_the_key_to_one_of_its_own() {
    type Change = fn(&mut BuildPlan);
    let changes: Vec<Change> = vec![
        |_| (),
        |plan| plan.platform = Platform::LinuxArm64,
        |plan| plan.version = "1.0.1".to_owned(),
        |plan| plan.base.suite = "forky".to_owned(),
        |plan| plan.base.variant = "essential".to_owned(),
        |plan| plan.base.packages.push("jq".to_owned()),
        |plan| plan.base.packages.swap(0, 1),
        |plan| plan.base.packages = vec!["gittini".to_owned()],
        |plan| plan.base.packages = vec!["gi".to_owned(), "ttini".to_owned()],
        |plan| plan.base.packages.clear(),
        |plan| plan.base.exclude.clear(),
        |plan| plan.base.include.clear(),
        |plan| std::mem::swap(&mut plan.base.exclude, &mut plan.base.include),
        |plan| plan.opencode.platform = Platform::LinuxArm64,
        |plan| plan.opencode.cpu = Cpu::Baseline,
        |plan| plan.opencode.package.push('x'),
        |plan| plan.opencode.version.push('4'),
        |plan| plan.opencode.integrity = Digest::from_raw(Algorithm::Sha512, &[8; 64]).unwrap(),
        |plan| plan.opencode.size += 1,
        |plan| plan.opencode.member.push('x'),
        |plan| plan.opencode.binary = Digest::sha256(b"other"),
        |plan| plan.opencode.binary_size += 1,
        |plan| plan.guest[0].path.push('x'),
        |plan| plan.guest[0].mode = 0o700,
        |plan| plan.guest[0].owner.0 = 1001,
        |plan| plan.guest[0].owner.1 = 1001,
        |plan| plan.guest[0].bytes = Some(Vec::new()),
        |plan| plan.guest[1].bytes = Some(b"texT".to_vec()),
        |plan| plan.guest[1].bytes = None,
        |plan| drop(plan.guest.pop()),
    ];
    let keys: BTreeSet<String> = changes
        .iter()
        .map(|change| {
            let mut plan = fixed();
            change(&mut plan);
            plan.key().to_string()
        })
        .collect();
    assert_eq!(keys.len(), changes.len(), "two different plans have one key");
}

#[test]
fn a_new_guest_file_leaves_the_slow_layers_alone() {
    let mut plan = fixed();
    plan.guest[1].bytes = Some(b"new".to_vec());
    assert_eq!(plan.base_key(), fixed().base_key());
    assert_eq!(plan.opencode_key(), fixed().opencode_key());
    assert_ne!(plan.guest_key(), fixed().guest_key());
}

#[test]
fn the_labels_name_contract_versions_and_key() {
    let plan = fixed();
    let labels = plan.labels();
    let label = |name: &str| labels.get(name).map(String::as_str);
    assert_eq!(label("org.opencode-cloud.guest-contract"), Some("1"));
    assert_eq!(label("org.opencode-cloud.version"), Some("1.0.0"));
    assert_eq!(label("org.opencode-cloud.opencode-version"), Some("1.18.33"));
    assert_eq!(label("org.opencode-cloud.build-key"), Some(plan.key().to_string().as_str()));
    assert_eq!(label("org.opencontainers.image.version"), Some("1.0.0"));
}
