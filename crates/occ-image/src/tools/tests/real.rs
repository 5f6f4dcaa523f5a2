//! The real registries, through the machine's own clients.

use occ_layer::tree::{Entry, Kind};
use occ_oci::Platform;

use super::shop::{Shop, plan};
use crate::recipe::{Architecture, Recipe, Tool};
use crate::tools::machine::Machine;

fn of_the_recipe(name: &str) -> Tool {
    Recipe::embedded().unwrap().tools[name].clone()
}

/// Makes sure that a program of a tool is there, and is one for the architecture.
fn assert_program(entry: &Entry, platform: Platform) {
    let Kind::File(content) = &entry.kind else { panic!("{entry:?}") };
    assert_eq!(Machine::of(content).unwrap(), Machine::Elf(Architecture::from(platform)));
    assert_eq!(entry.mode, 0o755);
}

#[test]
fn a_tool_of_one_package_is_laid_out_as_npm_would() {
    let shop = Shop::new();
    let tool = of_the_recipe("prettier");
    let lock = shop.resolve(&tool).unwrap();
    assert_eq!(lock.packages.len(), 1);
    let entries = shop.entries(&plan(&tool, Some(&lock), Platform::LinuxArm64)).unwrap();
    let command = "../lib/opencode-cloud/prettier/node_modules/prettier/bin/prettier.cjs";
    let link = &entries["usr/local/bin/prettier"].kind;
    assert!(matches!(link, Kind::Symlink(target) if target == command), "{link:?}");
    assert_eq!(entries[&command.replace("..", "usr/local")].mode, 0o755);
}

#[test]
fn a_native_program_comes_for_both_architectures_from_npm() {
    let shop = Shop::new();
    let tool = of_the_recipe("biome");
    let lock = shop.resolve(&tool).unwrap();
    for platform in Platform::ALL {
        let entries = shop.entries(&plan(&tool, Some(&lock), platform)).unwrap();
        assert_program(&entries["usr/local/bin/biome"], platform);
    }
}

#[test]
fn native_programs_come_for_both_architectures_from_pypi() {
    let shop = Shop::new();
    let tool = of_the_recipe("uv");
    let lock = shop.resolve(&tool).unwrap();
    let version = |architecture| lock.version(architecture).unwrap();
    assert_eq!(version(Architecture::Amd64), version(Architecture::Arm64));
    for platform in Platform::ALL {
        let entries = shop.entries(&plan(&tool, Some(&lock), platform)).unwrap();
        assert_program(&entries["usr/local/bin/uv"], platform);
        assert_program(&entries["usr/local/bin/uvx"], platform);
    }
}
