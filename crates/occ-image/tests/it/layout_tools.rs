//! Layouts as other people's tools see them.

use std::fs;
use std::path::Path;

use occ_image::Image;
use occ_layer::Compression;
use occ_layer::tree::{Entry, Kind};
use occ_oci::{Digest, Platform};
use serde_json::{Value, json};

use crate::material::{Shelf, file, plan, walk};
use crate::peers::{judge, oci_schemas, run};

/// Prints whatever is wrong with the documents of a layout, by the specification's own schemas.
const SCHEMAS: &str = r#"
import json, pathlib, sys
import jsonschema, referencing, referencing.jsonschema

schemas, layout = map(pathlib.Path, sys.argv[1:])

def load(name):
    return json.loads((schemas / name).read_text())

def retrieve(uri):
    draft = referencing.jsonschema.DRAFT4
    return referencing.Resource.from_contents(load(uri.rsplit("/", 1)[1]), draft)

registry = referencing.Registry(retrieve=retrieve)
judged = []

def judge(name, document):
    validator = jsonschema.Draft4Validator(load(name), registry=registry)
    judged.append(name)
    for error in validator.iter_errors(document):
        print(name, error.message)

def follow(descriptor):
    algorithm, digits = descriptor["digest"].split(":")
    kind = descriptor["mediaType"]
    judge("content-descriptor.json", descriptor)
    if not kind.endswith("json") or kind.endswith(("empty.v1+json", "cyclonedx+json")):
        return
    document = json.loads((layout / "blobs" / algorithm / digits).read_text())
    if "index" in kind:
        judge("image-index-schema.json", document)
        list(map(follow, document["manifests"]))
    elif "manifest" in kind:
        judge("image-manifest-schema.json", document)
        list(map(follow, [document["config"], *document["layers"]]))
    else:
        judge("config-schema.json", document)

judge("image-layout-schema.json", json.loads((layout / "oci-layout").read_text()))
index = json.loads((layout / "index.json").read_text())
judge("image-index-schema.json", index)
list(map(follow, index["manifests"]))
print(len(judged))
"#;

/// Layers as every tool reads them; zstd is too new for some.
fn images(shelf: &Shelf) -> Vec<Image> {
    let passwd = file("opencode:x:1000:1000::/home/opencode:/bin/sh\n");
    let link = Entry::new(Kind::Symlink("motd".to_owned()), 0o777);
    let users = file("mine").owned_by(1000, 1000);
    let layers = [
        shelf.layer(
            &[("etc/motd", file("low")), ("etc/link", link), ("etc/passwd", passwd)],
            Compression::Gzip,
        ),
        shelf.layer(&[("etc/motd", file("high")), ("home/x/y", users)], Compression::None),
        shelf.layer(&[("etc/.wh.link", file(""))], Compression::Gzip),
    ];
    let image = |platform| Shelf::image_of(&plan("base", platform), layers.to_vec());
    Platform::ALL.map(image).into()
}

#[test]
fn every_document_keeps_the_schemas_of_the_specification() {
    let shelf = Shelf::new();
    shelf.write(&images(&shelf)).unwrap();
    let (schemas, layout) = (oci_schemas(), shelf.layout());
    let arguments = [schemas.to_str().unwrap(), layout.to_str().unwrap()];
    // The mark, the index; an entry and its index; two images with four blobs each, described and read; two
    // bills of materials, of which the manifest is read.
    let judged = 2 + 2 + 2 * (2 + 2 + 3) + 2 * (2 + 2);
    assert_eq!(judge(SCHEMAS, &arguments), format!("{judged}\n"));

    // The judge is awake: it sees a field of the wrong kind.
    let path = layout.join("index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    index["manifests"][0]["size"] = json!("1");
    fs::write(&path, index.to_string()).unwrap();
    assert!(judge(SCHEMAS, &arguments).contains("'1' is not of type 'integer'"));
}

#[test]
fn skopeo_finds_and_copies_every_image() {
    let shelf = Shelf::new();
    let images = images(&shelf);
    shelf.write(&images).unwrap();
    let source = format!("oci:{}:base", shelf.layout().display());
    for image in &images {
        let architecture = image.platform.architecture();
        let only = ["--override-os", "linux", "--override-arch", architecture];
        let seen = run("skopeo", &[&only[..], &["inspect", &source]].concat());
        let seen: Value = serde_json::from_str(&seen).unwrap();
        assert_eq!(seen["Architecture"], architecture);
        assert_eq!(seen["Labels"], json!(image.labels));
        let digests = image.layers.iter().map(|layer| layer.blob.digest.to_string());
        assert_eq!(seen["Layers"], json!(digests.collect::<Vec<_>>()));

        let folder = shelf.folder.path().join(architecture);
        let target = format!("oci:{}:copy", folder.display());
        let anything =
            ["--insecure-policy", "copy", "--quiet", "--preserve-digests", &source, &target];
        run("skopeo", &[&only[..], &anything].concat());
        let copy = occ_image::Layout::open(&folder).unwrap();
        let copied = copy.image(&"copy".parse().unwrap(), image.platform).unwrap();
        assert_eq!(copied.descriptor.digest, image.manifest_digest());
    }
    let all = shelf.folder.path().join("all");
    let target = format!("oci:{}:copy", all.display());
    run("skopeo", &["--insecure-policy", "copy", "--quiet", "--all", &source, &target]);
    assert_eq!(occ_image::Layout::open(&all).unwrap().images().unwrap().len(), 2);
}

#[test]
fn umoci_unpacks_what_the_layers_amount_to() {
    let shelf = Shelf::new();
    shelf.write(&images(&shelf)).unwrap();
    let (source, folder) = (format!("oci:{}:base", shelf.layout().display()), shelf.folder.path());
    // umoci does not choose among platforms.
    let single = folder.join("single");
    let target = format!("oci:{}:base", single.display());
    let only = ["--override-arch", "arm64", "--insecure-policy", "copy", "--quiet"];
    run("skopeo", &[&only[..], &[&source, &target]].concat());
    let (image, bundle) = (format!("{}:base", single.display()), folder.join("bundle"));
    let rootless: &[&str] =
        if rustix::process::geteuid().is_root() { &[] } else { &["--rootless"] };
    let unpack = [&["unpack"], rootless, &["--image", &image, bundle.to_str().unwrap()]].concat();
    run("umoci", &unpack);
    let root = bundle.join("rootfs");
    assert_eq!(walk(&root), ["etc/", "etc/motd", "etc/passwd", "home/", "home/x/", "home/x/y"]);
    assert_eq!(fs::read(root.join("etc/motd")).unwrap(), b"high");
    let config: Value =
        serde_json::from_slice(&fs::read(bundle.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["process"]["cwd"], occ_image::guest::WORKSPACE);
}

/// The real engine.
mod daemon {
    use std::io;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn an_engine_loads_the_archive_of_an_image_with_compressed_layers() {
        let shelf = Shelf::new();
        let image = shelf.image("base", Platform::LinuxAmd64, &format!("{}", std::process::id()));
        let mut load = Command::new("docker")
            .arg("load")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        io::copy(&mut image.archive().unwrap(), &mut load.stdin.take().unwrap()).unwrap();
        assert!(load.wait().unwrap().success());
        let seen = run("docker", &["image", "inspect", &image.name]);
        run("docker", &["image", "rm", &image.name]);
        let seen: Value = serde_json::from_str(&seen).unwrap();
        let ids = [image.config_digest(), image.archive_digest()].map(|digest| digest.to_string());
        assert!(ids.iter().any(|id| seen[0]["Id"] == id.as_str()), "{}", seen[0]["Id"]);
        let diff_ids: Vec<String> = image.layers.iter().map(|it| it.diff_id.to_string()).collect();
        assert_eq!(seen[0]["RootFS"]["Layers"], json!(diff_ids));
    }
}

#[test]
fn documents_have_what_the_specification_asks_for_beyond_its_schemas() {
    let shelf = Shelf::new();
    let images = images(&shelf);
    let layout = shelf.write(&images).unwrap();
    let read = |digest: &Digest| -> Value {
        let path = Path::new("blobs/sha256").join(digest.hex());
        serde_json::from_slice(&fs::read(layout.folder().join(path)).unwrap()).unwrap()
    };
    for image in layout.images().unwrap() {
        let manifest = read(&image.descriptor.digest);
        // Manifest: "mediaType" SHOULD be used; 1.1 asks for it where it is an artifact.
        assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
        let config = read(&image.manifest.config.digest);
        // Config: "history" has an entry for each layer unless it says "empty_layer".
        assert_eq!(config["history"].as_array().unwrap().len(), image.manifest.layers.len());
        assert_eq!(config["rootfs"]["type"], "layers");
        // Config: names and values of "ExposedPorts" are an object of empty objects.
        assert!(
            config["config"]["ExposedPorts"]
                .as_object()
                .unwrap()
                .values()
                .all(|it| *it == json!({}))
        );
        // Config: "created" is RFC 3339; annotations: so is "org.opencontainers.image.created".
        assert_eq!(config["created"], manifest["annotations"]["org.opencontainers.image.created"]);
    }
    for entry in layout.entries().unwrap().iter().filter(|it| it.ref_name().is_none()) {
        let artifact = read(&entry.digest);
        // Manifest, "Guidelines for Artifact Usage": a type, the empty configuration, at least one layer.
        assert_eq!(artifact["artifactType"], "application/vnd.cyclonedx+json");
        assert_eq!(artifact["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
        let empty: Digest = artifact["config"]["digest"].as_str().unwrap().parse().unwrap();
        assert_eq!(read(&empty), json!({}));
        assert_eq!(artifact["layers"].as_array().unwrap().len(), 1);
    }
}
