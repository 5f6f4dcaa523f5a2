use std::fs;

use occ_image::{BuildPlan, Image, Lock, Recipe, Release, Target};
use occ_oci::Platform;
use serde_json::{Value, json};

use crate::material::{Shelf, lock, pin, plan, recipe};
use crate::peers::judge;

const AMD64: Platform = Platform::LinuxAmd64;

fn bytes(plan: &BuildPlan) -> Vec<u8> {
    Image::assemble(plan, Vec::new(), None).sbom().to_vec()
}

fn bom(plan: &BuildPlan) -> Value {
    serde_json::from_slice(&bytes(plan)).unwrap()
}

fn component<'a>(bom: &'a Value, purl: &str) -> &'a Value {
    let components = bom["components"].as_array().unwrap();
    components
        .iter()
        .find(|it| it["purl"] == purl)
        .unwrap_or_else(|| panic!("no {purl} in {bom:#}"))
}

fn properties(component: &Value, name: &str) -> Vec<String> {
    let properties = component["properties"].as_array().unwrap();
    let named = properties.iter().filter(|it| it["name"] == name);
    named.map(|it| it["value"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_file_of_others_is_in_it() {
    let bom = bom(&plan("full", AMD64));
    let mut purls: Vec<&str> =
        bom["components"].as_array().unwrap().iter().filter_map(|it| it["purl"].as_str()).collect();
    purls.sort_unstable();
    let url = "https://tools.test/jet-1.2.3-amd64";
    let sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    assert_eq!(
        purls,
        [
            "pkg:cargo/cargo-nextest@0.9.1",
            "pkg:deb/debian/hello@1:2.10-5~1?arch=amd64&distro=debian-13",
            "pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=amd64&distro=debian-13",
            "pkg:deb/debian/tree-data@2.2.1-1?arch=all&distro=debian-13",
            "pkg:deb/debian/tree@2.2.1-1?arch=amd64&distro=debian-13",
            &format!("pkg:generic/jet@1.2.3?checksum=sha256:{sha256}&download_url={url}"),
            "pkg:npm/%40a/b@1.0.0",
            "pkg:npm/c@2.0.0-rc.1",
            "pkg:npm/prettier@3.5.0",
            "pkg:pypi/uv-tool@0.8.0",
        ]
    );
}

#[test]
fn components_say_what_the_lock_says_and_where_they_are() {
    let plan = plan("full", AMD64);
    let bom = bom(&plan);
    let hello = component(&bom, "pkg:deb/debian/hello@1:2.10-5~1?arch=amd64&distro=debian-13");
    let pin = &plan.base.groups[0].packages[1];
    assert_eq!(hello["hashes"], json!([{ "alg": "SHA-256", "content": pin.digest.hex() }]));
    assert_eq!((&hello["name"], &hello["version"]), (&json!("hello"), &json!("1:2.10-5~1")));
    assert_eq!(properties(hello, "opencode-cloud:layer"), ["base: system"]);

    let prettier = component(&bom, "pkg:npm/prettier@3.5.0");
    assert_eq!(prettier["type"], "application");
    assert_eq!(prettier["licenses"], json!([{ "license": { "id": "MIT" } }]));
    assert_eq!(prettier["hashes"][0]["alg"], "SHA-512");
    assert_eq!(properties(prettier, "opencode-cloud:tool"), ["prettier"]);
    assert_eq!(properties(prettier, "opencode-cloud:layer"), ["tool: prettier"]);

    // It is in the tree twice, and is one component.
    let twice = component(&bom, "pkg:npm/%40a/b@1.0.0");
    assert_eq!(twice["type"], "library");
    assert_eq!(
        properties(twice, "opencode-cloud:path"),
        ["node_modules/@a/b", "node_modules/c/node_modules/@a/b"]
    );
    assert_eq!(properties(twice, "opencode-cloud:layer"), ["tool: prettier"]);
    assert_eq!(properties(twice, "opencode-cloud:tool"), Vec::<String>::new());
    let odd = component(&bom, "pkg:npm/c@2.0.0-rc.1");
    assert_eq!(odd["licenses"], json!([{ "license": { "name": "SEE LICENSE IN file" } }]));

    let image = &bom["metadata"]["component"];
    assert_eq!(image["version"], "1.0.0");
    assert_eq!(properties(image, "opencode-cloud:build-key"), [plan.key().to_string()]);
    assert_eq!(properties(image, "opencode-cloud:variant"), ["full"]);
    assert_eq!(bom["metadata"]["timestamp"], plan.release.created);
}

#[test]
fn it_follows_from_the_plan_alone() {
    let one = bytes(&plan("base", AMD64));
    assert_eq!(one, bytes(&plan("base", AMD64)));
    let serial = |plan: &BuildPlan| bom(plan)["serialNumber"].as_str().unwrap().to_owned();
    let other = plan("base", Platform::LinuxArm64);
    assert_ne!(serial(&plan("base", AMD64)), serial(&other));
    // Layers and where they are kept are no matter.
    let shelf = Shelf::new();
    assert_eq!(shelf.image("base", AMD64, "x").sbom(), one);
}

#[test]
fn two_files_of_one_name_are_two_components() {
    let recipe = recipe();
    let mut lock = lock(&recipe);
    let packages = &mut lock.tools.get_mut("prettier").unwrap().packages;
    packages.push(occ_image::PackagePin {
        digest: occ_oci::Digest::sha256(b"x"),
        ..pin("c", "2.0.0-rc.1", None)
    });
    let target = Target::new(AMD64, "base");
    let plan = BuildPlan::new(&recipe, &lock, &target, &Release::default()).unwrap();
    let bom = bom(&plan);
    let components = bom["components"].as_array().unwrap();
    let of_c: Vec<_> = components.iter().filter(|it| it["name"] == "c").collect();
    assert_eq!(of_c.len(), 2);
    assert_ne!(of_c[0]["bom-ref"], of_c[1]["bom-ref"]);
    assert_eq!(of_c[0]["purl"], of_c[1]["purl"]);
}

/// Prints what is wrong by the official schema, references that lead nowhere, and package addresses that are
/// not in their canonical spelling.
const JUDGE: &str = r#"
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

def judge(bom):
    known = {part["bom-ref"] for part in bom["components"]}
    assert len(known) == len(bom["components"]), "references are there twice"
    known.add(bom["metadata"]["component"]["bom-ref"])
    for dependency in bom["dependencies"]:
        for name in [dependency["ref"], *dependency["dependsOn"]]:
            if name not in known:
                print("dangling:", name)
    reached, open_ends = set(), [bom["metadata"]["component"]["bom-ref"]]
    edges = {it["ref"]: it["dependsOn"] for it in bom["dependencies"]}
    while open_ends:
        name = open_ends.pop()
        if name not in reached:
            reached.add(name)
            open_ends.extend(edges.get(name, []))
    print(*sorted("unreached: " + name for name in known - reached), sep="\n", end="")
    for part in bom["components"]:
        if "purl" in part and PackageURL.from_string(part["purl"]).to_string() != part["purl"]:
            print("purl:", part["purl"], PackageURL.from_string(part["purl"]).to_string())

validator = JsonStrictValidator(SchemaVersion.V1_6)
for path in sys.argv[1:]:
    text = open(path).read()
    error = validator.validate_str(text)
    if error:
        print("schema:", error)
    judge(json.loads(text))
"#;

/// Every image that there is.
fn real_plans() -> Vec<BuildPlan> {
    let (recipe, lock) = (Recipe::embedded().unwrap(), Lock::embedded().unwrap());
    let targets = recipe
        .variants
        .keys()
        .flat_map(|variant| Platform::ALL.map(|platform| Target::new(platform, variant)));
    targets.map(|it| BuildPlan::new(&recipe, &lock, &it, &Release::default()).unwrap()).collect()
}

#[test]
fn it_keeps_the_schema_of_cyclonedx() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("bom.json");
    let mut paths = Vec::new();
    for (number, plan) in real_plans().iter().chain([&plan("full", AMD64)]).enumerate() {
        paths.push(folder.path().join(number.to_string()).to_str().unwrap().to_owned());
        fs::write(&paths[number], bytes(plan)).unwrap();
    }
    assert!(paths.len() > 8, "{paths:?}");
    assert_eq!(judge(JUDGE, &paths.iter().map(String::as_str).collect::<Vec<_>>()), "");
    // The judge is awake.
    let mut bom = bom(&plan("full", AMD64));
    bom["components"][0]["licenses"] = json!([{ "license": { "id": "My-Own" } }]);
    fs::write(&path, bom.to_string()).unwrap();
    assert!(judge(JUDGE, &[path.to_str().unwrap()]).starts_with("schema:"));
}

#[test]
fn every_licence_that_is_called_one_of_spdx_is_one() {
    let source = include_str!("../../src/sbom/license.rs");
    let (_, list) = source.split_once("const KNOWN").unwrap();
    let (list, _) = list.split_once("];").unwrap();
    let known: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    assert!(known.len() > 20);
    let script = r#"
import json, pathlib, sys, cyclonedx.schema
folder = pathlib.Path(cyclonedx.schema.__file__).parent / "_res"
spdx = json.loads(next(folder.glob("spdx*.schema.json")).read_text())["enum"]
print(*[name for name in sys.argv[1:] if name not in spdx])
"#;
    assert_eq!(judge(script, &known).trim(), "");
}
