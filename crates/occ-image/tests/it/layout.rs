use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use occ_image::{Event, Image, Layout, LayoutError, Part, Selector, StoredImage};
use occ_layer::Compression;
use occ_oci::{Descriptor, Digest, Index, Manifest, MediaType, Platform, VerifyingError};
use occ_testkit::SmallDisk;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::material::{Shelf, file, plan, walk, write};

const AMD64: Platform = Platform::LinuxAmd64;
const ARM64: Platform = Platform::LinuxArm64;

fn image(layout: &Layout, selector: &str) -> Result<StoredImage, LayoutError> {
    layout.image(&selector.parse().unwrap(), AMD64)
}

fn read(layout: &Layout) -> Value {
    serde_json::from_slice(&fs::read(layout.folder().join("index.json")).unwrap()).unwrap()
}

fn blob(folder: &Path, digest: &Digest) -> std::path::PathBuf {
    folder.join("blobs").join(digest.algorithm().name()).join(digest.hex())
}

/// Reads every blob of every image to its end.
fn verify(layout: &Layout) -> Vec<StoredImage> {
    let images = layout.images().unwrap();
    for image in &images {
        for (layer, _) in image.layers() {
            io::copy(&mut image.blob(layer).unwrap(), &mut io::sink()).unwrap();
        }
        assert!(image.sbom().unwrap().is_some(), "{} has no bill of materials", image.entry);
    }
    images
}

#[test]
fn what_was_written_is_read_again() {
    let shelf = Shelf::new();
    let images = [shelf.both("base", "one"), shelf.both("full", "two")].concat();
    let layout = shelf.write(&images).unwrap();
    assert_eq!(Layout::open(&shelf.layout()).unwrap(), layout);
    let stored = verify(&layout);
    assert_eq!(stored.len(), 4);
    for (stored, image) in stored.iter().zip(&images) {
        assert_eq!(stored.entry, image.variant);
        assert_eq!(stored.manifest, image.manifest());
        assert_eq!(stored.descriptor.digest, image.manifest_digest());
        assert_eq!(stored.manifest.annotations, image.labels);
        assert_eq!(stored.config.config.labels, image.labels);
        assert_eq!(stored.config.platform.known(), Some(image.platform));
        assert_eq!(stored.sbom().unwrap().unwrap(), image.sbom());
        let diff_ids: Vec<_> = image.layers.iter().map(|layer| &layer.diff_id).collect();
        assert_eq!(stored.layers().map(|(_, diff_id)| diff_id).collect::<Vec<_>>(), diff_ids);
    }
    assert!(walk(&shelf.layout()).iter().all(|name| !name.starts_with(".partial")));
}

#[test]
fn every_way_to_name_an_image_leads_to_it() {
    let shelf = Shelf::new();
    let arm64_only = shelf.image("full", ARM64, "x");
    let images = [shelf.both("base", "x"), vec![arm64_only]].concat();
    let layout = shelf.write(&images).unwrap();
    let index = layout.entries().unwrap()[0].digest.clone();
    for (selector, expected) in [
        ("base".to_owned(), &images[0]),
        ("base@linux/amd64".to_owned(), &images[0]),
        ("base@linux/arm64".to_owned(), &images[1]),
        ("base@arm64".to_owned(), &images[1]),
        (format!("{index}@arm64"), &images[1]),
        (images[1].manifest_digest().to_string(), &images[1]),
        // Nothing else is there, so it goes without saying.
        ("full".to_owned(), &images[2]),
        ("full@arm64".to_owned(), &images[2]),
    ] {
        let found = image(&layout, &selector).unwrap();
        assert_eq!(found.descriptor.digest, expected.manifest_digest(), "{selector}");
    }
    let error = image(&layout, "omos").unwrap_err();
    assert_eq!(error.to_string(), "the layout has no omos; it has base, full");
    let error = image(&layout, "full@amd64").unwrap_err();
    assert_eq!(error.to_string(), "full is not for linux/amd64; it is for linux/arm64");
    let nobody = Digest::sha256(b"nobody").to_string();
    assert!(matches!(image(&layout, &nobody), Err(LayoutError::Unknown { .. })));
}

#[test]
fn names_that_no_layout_can_have_are_refused() {
    for text in
        ["", "@", "base@", "base@linux", "base@s390x", "@arm64", "-x", "a b", "base@linux/s390x"]
    {
        assert!(text.parse::<Selector>().is_err(), "{text:?} was accepted");
    }
    let nested: Selector = "docker.io/a/b:c@arm64".parse().unwrap();
    assert_eq!(nested.to_string(), "docker.io/a/b:c@linux/arm64");
}

#[test]
fn the_order_of_writing_leaves_no_trace() {
    let shelf = Shelf::new();
    let (base, full) = (shelf.both("base", "x"), shelf.both("full", "x"));
    let (one, other) = (shelf.folder.path().join("one"), shelf.folder.path().join("other"));
    write(&one, &[base.clone(), full.clone()].concat()).unwrap();
    write(&one, &base).unwrap();
    let backwards: Vec<Image> = base.into_iter().rev().collect();
    write(&other, &full).unwrap();
    write(&other, &backwards).unwrap();
    assert_eq!(walk(&one), walk(&other));
    for name in walk(&one).iter().filter(|name| !name.ends_with('/')) {
        assert_eq!(
            fs::read(one.join(name)).unwrap(),
            fs::read(other.join(name)).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn a_variant_is_replaced_and_everything_else_stays() {
    let shelf = Shelf::new();
    shelf.write(&shelf.both("full", "x")).unwrap();
    let layout = shelf.write(&shelf.both("base", "old")).unwrap();
    // Somebody else's entry, with a field that is not known here.
    let mut index = read(&layout);
    let theirs = json!({
        "mediaType": "text/plain", "size": 4, "digest": Digest::sha256(b"mine").to_string(),
        "data": "bWluZQ==", "x-unknown": [1, { "b": 2, "a": 1 }],
        "annotations": { "org.opencontainers.image.ref.name": "mine" },
    });
    index["manifests"].as_array_mut().unwrap().push(theirs.clone());
    index["annotations"] = json!({ "whose": "theirs" });
    fs::write(layout.folder().join("index.json"), index.to_string()).unwrap();
    fs::write(blob(layout.folder(), &Digest::sha256(b"mine")), "mine").unwrap();

    let new = shelf.both("base", "new");
    shelf.write(&new).unwrap();
    let index = read(&layout);
    assert_eq!(index["annotations"], json!({ "whose": "theirs" }));
    assert!(index["manifests"].as_array().unwrap().contains(&theirs));
    let stored = image(&layout, "base").unwrap();
    assert_eq!(stored.descriptor.digest, new[0].manifest_digest());
    assert!(image(&layout, "full").is_ok());
    // Three names, and a bill of materials for each of four images: those of the old ones are gone.
    assert_eq!(layout.entries().unwrap().len(), 7);

    let dry = layout.prune(true, &|_| (), &AtomicBool::new(false)).unwrap();
    assert_eq!(layout.prune(false, &|_| (), &AtomicBool::new(false)).unwrap(), dry);
    // Index, and for two images: manifest, configuration, bill of materials and its manifest; one layer.
    assert_eq!(dry.removed.len(), 1 + 2 * 2 + 2 + 1, "{dry:?}");
    assert!(dry.freed > 0 && dry.kept > 0);
    assert_eq!(fs::read(blob(layout.folder(), &Digest::sha256(b"mine"))).unwrap(), b"mine");
    index_is_readable_without(&layout, "mine");
    let again = layout.prune(false, &|_| (), &AtomicBool::new(false)).unwrap();
    assert_eq!((again.removed.len(), again.kept), (0, dry.kept));
}

fn index_is_readable_without(layout: &Layout, name: &str) {
    for entry in layout.entries().unwrap() {
        if let Some(entry) = entry.ref_name().filter(|entry| *entry != name) {
            image(layout, entry).unwrap();
        }
    }
}

#[test]
fn layers_are_links_on_the_same_disk_and_copies_on_another() {
    let shelf = Shelf::new();
    let images = shelf.both("base", "x");
    let identity = |path: &Path| fs::metadata(path).map(|it| (it.dev(), it.ino())).unwrap();
    let layout = shelf.write(&images).unwrap();
    let elsewhere = TempDir::new_in("/dev/shm").unwrap();
    assert_ne!(
        fs::metadata(elsewhere.path()).unwrap().dev(),
        fs::metadata(shelf.folder.path()).unwrap().dev(),
        "the test needs two file systems"
    );
    let copied = write(&elsewhere.path().join("layout"), &images).unwrap();
    for layer in &images[0].layers {
        let path = blob(layout.folder(), layer.blob.digest.digest());
        assert_eq!(identity(&path), identity(&layer.blob.path));
        let copy = blob(copied.folder(), layer.blob.digest.digest());
        assert_eq!(fs::read(&copy).unwrap(), fs::read(&layer.blob.path).unwrap());
        // The next writing heals it.
        fs::write(&copy, "damaged").unwrap();
    }
    assert!(matches!(
        io::copy(&mut io_of(&copied, &images[0]), &mut io::sink())
            .map_err(|it| VerifyingError::of(&it).cloned()),
        Err(Some(_))
    ));
    write(copied.folder(), &images).unwrap();
    verify(&copied);
}

fn io_of(layout: &Layout, image: &Image) -> impl io::Read {
    let stored = self::image(layout, &image.manifest_digest().to_string()).unwrap();
    stored.blob(&stored.manifest.layers[0]).unwrap()
}

#[test]
fn attack_26_a_damaged_layer_of_the_cache_does_not_enter() {
    let shelf = Shelf::new();
    let elsewhere = TempDir::new_in("/dev/shm").unwrap();
    let folder = elsewhere.path().join("layout");
    let layout = write(&folder, &shelf.both("full", "x")).unwrap();
    let before = read(&layout);
    for (damage, on_the_same_disk) in [("same size", false), ("shorter", false), ("shorter", true)]
    {
        let images = shelf.both("base", damage);
        let path = &images[0].layers[2].blob.path;
        let mut bytes = fs::read(path).unwrap();
        if damage == "shorter" {
            bytes.pop();
        } else {
            *bytes.last_mut().unwrap() ^= 1;
        }
        fs::write(path, bytes).unwrap();
        let error = if on_the_same_disk { shelf.write(&images) } else { write(&folder, &images) };
        let Err(LayoutError::Damaged { digest, .. }) = error else { panic!("{error:?}") };
        assert_eq!(&digest, images[0].layers[2].blob.digest.digest());
    }
    assert_eq!(read(&layout), before);
    verify(&layout);
    let gone = shelf.both("base", "gone");
    fs::remove_file(&gone[0].layers[2].blob.path).unwrap();
    let error = write(&folder, &gone).unwrap_err();
    assert!(matches!(error, LayoutError::File { .. }), "{error:?}");
}

#[test]
fn a_folder_that_is_no_layout_is_neither_read_nor_filled() {
    let shelf = Shelf::new();
    let folder = shelf.folder.path().join("mine");
    let images = shelf.both("base", "x");
    let refused = |result: Result<Layout, LayoutError>, why: &str| {
        let error = result.unwrap_err();
        assert!(matches!(error, LayoutError::NotALayout { .. }), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
    };
    refused(Layout::open(&folder), "it has no file oci-layout");
    fs::create_dir(&folder).unwrap();
    refused(Layout::open(&folder), "it has no file oci-layout");
    fs::write(folder.join("letter.txt"), "dear").unwrap();
    refused(write(&folder, &images), "it has files, and no file oci-layout");
    assert_eq!(walk(&folder), ["letter.txt"]);
    refused(Layout::open(&folder.join("letter.txt")), "it has no file oci-layout");

    for mark in ["{}", "[]", "nonsense"] {
        fs::write(folder.join("oci-layout"), mark).unwrap();
        refused(Layout::open(&folder), "states no version");
        refused(write(&folder, &images), "states no version");
    }
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"2.0.0"}"#).unwrap();
    refused(Layout::open(&folder), "its version is 2.0.0, not 1.0.0");
    refused(write(&folder, &images), "its version is 2.0.0, not 1.0.0");
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0","more":1}"#).unwrap();
    refused(Layout::open(&folder), "it has no file index.json");
    write(&folder, &images).unwrap();
    verify(&Layout::open(&folder).unwrap());

    let twice = [images.clone(), images].concat();
    let error = write(&folder, &twice).unwrap_err();
    assert_eq!(error.to_string(), "there are two images of base for linux/amd64");
}

/// A layout with one entry of somebody else's, made of documents as they are given.
struct Foreign {
    folder: TempDir,
}

impl Foreign {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        fs::create_dir_all(folder.path().join("blobs/sha256")).unwrap();
        Self { folder }
    }

    fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::sha256(bytes);
        fs::write(blob(self.folder.path(), &digest), bytes).unwrap();
        json!({ "mediaType": media_type, "digest": digest.to_string(), "size": bytes.len() })
    }

    fn named(&self, mut entry: Value) -> Layout {
        entry["annotations"] = json!({ "org.opencontainers.image.ref.name": "x" });
        self.list(&json!([entry]))
    }

    fn list(&self, entries: &Value) -> Layout {
        let index = json!({ "schemaVersion": 2, "manifests": entries }).to_string();
        fs::write(self.folder.path().join("index.json"), index).unwrap();
        Layout::open(self.folder.path()).unwrap()
    }

    fn config(&self, layers: usize) -> Value {
        let diff_ids = vec![Digest::sha256(b"x").to_string(); layers];
        let config = json!({
            "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        self.blob(CONFIG, config.to_string().as_bytes())
    }

    fn manifest(&self) -> Value {
        json!({ "schemaVersion": 2, "config": self.config(0), "layers": [] })
    }
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

#[test]
fn layouts_of_other_tools_are_read() {
    let foreign = Foreign::new();
    let manifest = foreign.blob(MANIFEST, foreign.manifest().to_string().as_bytes());
    assert!(image(&foreign.named(manifest.clone()), "x").is_ok(), "a manifest as an entry");
    assert!(image(&foreign.list(&json!([manifest])), manifest["digest"].as_str().unwrap()).is_ok());

    // Docker's names, an index in an index, and beside the image what its builder says of it.
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let mut document = foreign.manifest();
    document["mediaType"] = json!(docker);
    let mut manifest = foreign.blob(docker, document.to_string().as_bytes());
    manifest["platform"] = json!({ "architecture": "amd64", "os": "linux" });
    let mut attestation = foreign.blob(MANIFEST, b"{}");
    attestation["platform"] = json!({ "architecture": "unknown", "os": "unknown" });
    let list = |entries: Value| {
        let index = json!({ "schemaVersion": 2, "manifests": entries });
        foreign.blob(INDEX, index.to_string().as_bytes())
    };
    let layout = foreign.named(list(json!([list(json!([manifest, attestation]))])));
    assert_eq!(image(&layout, "x").unwrap().descriptor.digest.to_string(), manifest["digest"]);
    assert_eq!(layout.images().unwrap().len(), 1);
}

#[test]
fn whatever_is_wrong_with_a_layout_is_named() {
    let foreign = Foreign::new();
    let fails = |layout: &Layout| {
        let error = image(layout, "x").unwrap_err();
        assert_eq!(error.to_string(), layout.images().unwrap_err().to_string());
        error
    };
    let entry = |document: &Value| foreign.blob(MANIFEST, document.to_string().as_bytes());

    let error = fails(&foreign.named(foreign.blob("text/plain", b"x")));
    assert!(matches!(error, LayoutError::MediaType { .. }), "{error}");
    let mut lies = foreign.manifest();
    lies["mediaType"] = json!(INDEX);
    let error = fails(&foreign.named(entry(&lies)));
    assert!(error.to_string().ends_with(&format!("is {INDEX}, not an image manifest")), "{error}");
    let mut artifact = foreign.manifest();
    artifact["config"] = foreign.blob("application/vnd.oci.empty.v1+json", b"{}");
    let error = fails(&foreign.named(entry(&artifact)));
    assert!(error.to_string().ends_with("not the configuration of an image"), "{error}");

    let mut lacks = foreign.manifest();
    lacks["config"]["digest"] = json!(Digest::sha256(b"nowhere").to_string());
    let error = fails(&foreign.named(entry(&lacks)));
    assert!(matches!(error, LayoutError::Missing { .. }), "{error}");
    let mut short = foreign.manifest();
    short["config"]["size"] = json!(5);
    let error = fails(&foreign.named(entry(&short)));
    let LayoutError::Damaged { source, .. } = &error else { panic!("{error}") };
    assert_eq!(*source, VerifyingError::TooLong { expected: 5 });
    let mut large = foreign.manifest();
    large["config"]["size"] = json!((4 << 20) + 1);
    let error = fails(&foreign.named(entry(&large)));
    assert!(error.to_string().ends_with("has 4194305 bytes, and no more than 4194304 are read"));
    let mut layers = foreign.manifest();
    layers["config"] = foreign.config(2);
    let error = fails(&foreign.named(entry(&layers)));
    assert!(error.to_string().ends_with("has 0 layers, and 2 by its configuration"), "{error}");

    for broken in [&b"[]"[..], b"", b"{\"schemaVersion\":2}", &[0xff; 9]] {
        let error = fails(&foreign.named(foreign.blob(MANIFEST, broken)));
        assert!(matches!(error, LayoutError::Document { .. }), "{error}");
    }
    let entry = foreign.named(entry(&foreign.manifest()));
    let digest = entry.entries().unwrap()[0].digest.clone();
    fs::write(blob(entry.folder(), &digest), vec![b' '; foreign.manifest().to_string().len()])
        .unwrap();
    let error = fails(&entry);
    let LayoutError::Damaged { digest: named, .. } = &error else { panic!("{error}") };
    assert_eq!(*named, digest);
    // A layout whose documents cannot be read might need anything.
    assert!(entry.prune(false, &|_| (), &AtomicBool::new(false)).is_err());
    fs::remove_file(blob(entry.folder(), &digest)).unwrap();
    // Whoever opened a named pipe would wait for ever.
    let pipe = blob(entry.folder(), &digest);
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(matches!(fails(&entry), LayoutError::Missing { .. }));
    fs::remove_file(pipe).unwrap();

    // An index that leads to itself cannot be: its digest would be in it. One that is too deep can.
    let mut deep = foreign.blob(MANIFEST, foreign.manifest().to_string().as_bytes());
    for _ in 0..9 {
        let index = json!({ "schemaVersion": 2, "manifests": [deep] });
        deep = foreign.blob(INDEX, index.to_string().as_bytes());
    }
    assert!(matches!(fails(&foreign.named(deep)), LayoutError::MediaType { .. }));

    fs::write(entry.folder().join("index.json"), "{}").unwrap();
    assert!(matches!(fails(&entry), LayoutError::Document { .. }));
    fs::write(entry.folder().join("index.json"), vec![b' '; (4 << 20) + 1]).unwrap();
    assert!(matches!(fails(&entry), LayoutError::TooLarge { .. }));
}

#[test]
fn who_comes_second_waits_and_can_be_interrupted() {
    let shelf = Shelf::new();
    let layout = shelf.write(&shelf.both("base", "x")).unwrap();
    let holder =
        fs::OpenOptions::new().write(true).open(layout.folder().join("oci-layout")).unwrap();
    rustix::fs::flock(&holder, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let cancel = AtomicBool::new(false);
    let events = Mutex::new(Vec::new());
    let images = shelf.both("full", "x");
    let before = walk(layout.folder());
    let observer = |event| events.lock().unwrap().push(event);
    thread::scope(|scope| {
        let waits = scope.spawn(|| Layout::write(layout.folder(), &images, &observer, &cancel));
        thread::sleep(Duration::from_millis(200));
        // Readers wait for nobody.
        assert!(image(&layout, "base").is_ok());
        cancel.store(true, Ordering::Relaxed);
        let error = waits.join().unwrap().unwrap_err();
        assert!(matches!(error, LayoutError::Cancelled), "{error:?}");
    });
    assert_eq!(events.into_inner().unwrap(), [Event::WaitingForOtherBuild]);
    assert_eq!(walk(layout.folder()), before);
}

#[test]
fn copying_can_be_interrupted_and_says_how_far_it_is() {
    let shelf = Shelf::new();
    let noise: String = (0..9 << 20).map(|at: u32| char::from(b'a' + (at % 7) as u8)).collect();
    let tree = [("big", file(&noise))];
    let layer = shelf.layer(&tree, Compression::None);
    let image = Shelf::image_of(&plan("base", AMD64), vec![layer]);
    let elsewhere = TempDir::new_in("/dev/shm").unwrap();
    let folder = elsewhere.path().join("layout");
    let cancel = AtomicBool::new(false);
    let stop = |event| {
        if matches!(event, Event::Bytes { part: Part::Layout, done, total } if 0 < done && done < total)
        {
            cancel.store(true, Ordering::Relaxed);
        }
    };
    let images = [image];
    let error = Layout::write(&folder, &images, &stop, &cancel).unwrap_err();
    assert!(matches!(error, LayoutError::Cancelled), "{error:?}");
    assert_eq!(walk(&folder), ["blobs/", "blobs/sha256/", "oci-layout"]);
    assert!(matches!(Layout::open(&folder), Err(LayoutError::NotALayout { .. })));
    write(&folder, &images).unwrap();
    verify(&Layout::open(&folder).unwrap());
}

#[test]
fn a_full_disk_is_said_to_be_one_and_the_layout_stays_as_it_was() {
    let shelf = Shelf::new();
    let folder = shelf.folder.path().join("small");
    let _disk = SmallDisk::mount(&folder, "200k");
    let folder = folder.join("layout");
    let layout = write(&folder, &shelf.both("base", "x")).unwrap();
    let before = read(&layout);
    let noise: String = (0..1 << 20).map(|at: u32| char::from(b'a' + (at % 7) as u8)).collect();
    write(&folder, &shelf.both("full", "x")).unwrap();
    let layer = shelf.layer(&[("big", file(&noise))], Compression::None);
    let error = write(&folder, &[Shelf::image_of(&plan("base", AMD64), vec![layer])]).unwrap_err();
    assert!(matches!(error, LayoutError::StorageFull { .. }), "{error:?}");
    assert_eq!(read(&layout)["manifests"][0], before["manifests"][0]);
    assert_eq!(verify(&layout).len(), 4);
    let error = write(Path::new("/proc/nowhere"), &shelf.both("base", "x")).unwrap_err();
    assert!(matches!(error, LayoutError::File { .. }), "{error:?}");
}

#[test]
fn writers_side_by_side_lose_nothing() {
    let shelf = Shelf::new();
    let sets = [shelf.both("base", "x"), shelf.both("full", "x")];
    thread::scope(|scope| {
        for images in &sets {
            scope.spawn(|| {
                for _ in 0..10 {
                    shelf.write(images).unwrap();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..10 {
                if let Ok(layout) = Layout::open(&shelf.layout()) {
                    layout.prune(false, &|_| (), &AtomicBool::new(false)).unwrap();
                }
                thread::sleep(Duration::from_millis(5));
            }
        });
    });
    let layout = Layout::open(&shelf.layout()).unwrap();
    assert_eq!(verify(&layout).len(), 4);
}

/// The child of the test below; by itself it writes once.
#[test]
fn a_writer_that_may_be_killed() {
    let go_on = Path::new("go-on").exists();
    // What a killed one leaves goes with the folder it was started in.
    let shelf = if go_on { Shelf::in_folder(Path::new(".")) } else { Shelf::new() };
    let folder = if go_on { Path::new("layout").to_owned() } else { shelf.layout() };
    for round in 0.. {
        let images = shelf.both("base", &format!("round {}", round % 3));
        let layout = write(&folder, &images).unwrap();
        if !go_on {
            assert_eq!(verify(&layout).len(), 2);
            return;
        }
    }
}

#[test]
fn a_writer_that_is_killed_leaves_a_layout_that_is_whole() {
    // Copies take longer than links, and are more to be interrupted.
    let elsewhere = TempDir::new_in("/dev/shm").unwrap();
    let folder = elsewhere.path();
    fs::write(folder.join("go-on"), "").unwrap();
    let partial = folder.join("layout/.partial");
    let at_work = || fs::metadata(&partial).ok().map(|it| it.ino());
    let (mut killed_at_work, mut was_one) = (0, false);
    for round in 0..25u64 {
        let left_behind = at_work();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "layout::a_writer_that_may_be_killed"])
            .current_dir(folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        while at_work().is_none_or(|it| Some(it) == left_behind) {
            assert!(begin.elapsed() < Duration::from_secs(60), "the writer does not begin");
            thread::sleep(Duration::from_micros(100));
        }
        thread::sleep(Duration::from_micros(round * 2617 % 40_000));
        child.kill().unwrap();
        child.wait().unwrap();
        killed_at_work += usize::from(partial.exists());
        match Layout::open(&folder.join("layout")) {
            Ok(layout) => {
                assert_eq!(verify(&layout).len(), 2);
                was_one = true;
            }
            // Until the first one gets through.
            Err(LayoutError::NotALayout { .. }) => assert!(!was_one, "there was a layout before"),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(killed_at_work > 0, "the test never hit a writer at work");
    let shelf = Shelf::new();
    let layout = write(&folder.join("layout"), &shelf.both("base", "last")).unwrap();
    layout.prune(false, &|_| (), &AtomicBool::new(false)).unwrap();
    assert_eq!(files(&layout), reachable(&layout));
}

/// Returns the digests of all blobs that are there.
fn files(layout: &Layout) -> BTreeSet<String> {
    let names = walk(&layout.folder().join("blobs/sha256"));
    assert!(walk(layout.folder()).iter().all(|name| !name.contains(".partial")));
    names.into_iter().map(|hex| format!("sha256:{hex}")).collect()
}

/// Returns the digests of all blobs that there should be, found by reading what is written and nothing else.
fn reachable(layout: &Layout) -> BTreeSet<String> {
    fn follow(value: &Value, folder: &Path, found: &mut BTreeSet<String>) {
        if let Some(fields) = value.as_object() {
            if let (Some(digest), Some(kind)) = (fields.get("digest"), fields.get("mediaType")) {
                let digest: Digest = digest.as_str().unwrap().parse().unwrap();
                let bytes = fs::read(blob(folder, &digest)).unwrap();
                assert_eq!(Digest::sha256(&bytes), digest);
                assert_eq!(fields["size"], bytes.len());
                found.insert(digest.to_string());
                if kind == INDEX || kind == MANIFEST {
                    follow(&serde_json::from_slice(&bytes).unwrap(), folder, found);
                }
            } else {
                let inner = fields.iter().filter(|(name, _)| *name != "subject");
                inner.for_each(|(_, value)| follow(value, folder, found));
            }
        }
        for value in value.as_array().into_iter().flatten() {
            follow(value, folder, found);
        }
    }
    let mut found = BTreeSet::new();
    follow(&read(layout), layout.folder(), &mut found);
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn after_any_writing_and_pruning_there_is_what_is_asked_for_and_nothing_else(
        steps in prop::collection::vec((any::<bool>(), any::<bool>(), 0..3u8, any::<bool>()), 1..7)
    ) {
        let shelf = Shelf::new();
        let mut last = std::collections::BTreeMap::new();
        for (full, both, text, prune) in steps {
            let variant = if full { "full" } else { "base" };
            let mut images = shelf.both(variant, &text.to_string());
            images.truncate(if both { 2 } else { 1 });
            let layout = shelf.write(&images).unwrap();
            last.insert(variant, images.iter().map(Image::manifest_digest).collect::<Vec<_>>());
            if prune {
                layout.prune(false, &|_| (), &AtomicBool::new(false)).unwrap();
                prop_assert_eq!(files(&layout), reachable(&layout));
            }
        }
        let layout = Layout::open(&shelf.layout()).unwrap();
        let stored = verify(&layout).into_iter().map(|image| image.descriptor.digest);
        prop_assert_eq!(stored.collect::<Vec<_>>(), last.values().flatten().cloned().collect::<Vec<_>>());
        let sboms = layout.entries().unwrap().into_iter().filter(|entry| entry.ref_name().is_none());
        prop_assert_eq!(sboms.count(), last.values().flatten().count());
    }
}

#[test]
fn an_archive_for_engines_has_its_layers_uncompressed() {
    let shelf = Shelf::new();
    let image = shelf.image("base", AMD64, "x");
    let mut archive = image.archive().unwrap();
    let length = archive.len();
    let mut bytes = Vec::new();
    archive.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, length);
    let folder = TempDir::new().unwrap();
    tar::Archive::new(&bytes[..]).unpack(folder.path()).unwrap();
    // It is a layout, and every blob is what its name says.
    let layout = Layout::open(folder.path()).unwrap();
    assert_eq!(files(&layout), reachable(&layout));
    let stored = layout.images().unwrap().remove(0);
    assert_eq!(stored.descriptor.digest, image.archive_digest());
    assert_eq!(stored.manifest, image.archive_manifest());
    assert_ne!(image.archive_digest(), image.manifest_digest());
    for (layer, diff_id) in stored.layers() {
        assert_eq!((&layer.media_type, &layer.digest), (&MediaType::LayerTar, diff_id.digest()));
    }
    let docker: Value =
        serde_json::from_slice(&fs::read(folder.path().join("manifest.json")).unwrap()).unwrap();
    assert_eq!(docker[0]["RepoTags"][0], image.name.as_str());
    assert!(fs::exists(folder.path().join(docker[0]["Config"].as_str().unwrap())).unwrap());
    for layer in docker[0]["Layers"].as_array().unwrap() {
        assert!(fs::exists(folder.path().join(layer.as_str().unwrap())).unwrap());
    }
    // Uncompressed layers are the same in both.
    let layer = shelf.layer(&[("a", file("a"))], Compression::None);
    let image = Shelf::image_of(&plan("base", AMD64), vec![layer]);
    assert_eq!(image.archive_digest(), image.manifest_digest());
}

#[test]
fn an_index_says_what_all_its_images_say() {
    let shelf = Shelf::new();
    let images = shelf.both("base", "x");
    let layout = shelf.write(&images).unwrap();
    let entry = layout.entries().unwrap().remove(0);
    let index: Index =
        serde_json::from_slice(&fs::read(blob(layout.folder(), &entry.digest)).unwrap()).unwrap();
    assert_eq!(index.annotations["org.opencontainers.image.version"], "1.0.0");
    assert_eq!(index.annotations["org.opencode-cloud.variant"], "base");
    assert!(!index.annotations.contains_key("org.opencode-cloud.build-key"), "it differs");
    let platforms: Vec<_> =
        index.manifests.iter().map(|it| it.platform.as_ref().unwrap().known().unwrap()).collect();
    assert_eq!(platforms, Platform::ALL);
    let artifact = layout.entries().unwrap().pop().unwrap();
    assert_eq!(artifact.artifact_type, Some(MediaType::CycloneDx));
    let manifest: Manifest =
        serde_json::from_slice(&fs::read(blob(layout.folder(), &artifact.digest)).unwrap())
            .unwrap();
    let subject: Descriptor = manifest.subject.unwrap();
    assert!(images.iter().any(|image| image.manifest_digest() == subject.digest));
}
