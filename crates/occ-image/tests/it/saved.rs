//! What engines export becomes an image of a layout, and nothing else does.

use std::io::{self, Cursor, Read};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use occ_image::{Compression, Layout, LayoutError, SavedError, Selector};
use occ_oci::{ANNOTATION_REF_NAME, Descriptor, Digest, MediaType, Platform};
use serde_json::json;

/// An archive being put together.
pub(crate) struct Saved(tar::Builder<Vec<u8>>);

fn header() -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

impl Saved {
    pub(crate) fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    pub(crate) fn file(mut self, path: &str, bytes: &[u8]) -> Self {
        let mut header = header();
        header.set_size(bytes.len() as u64);
        self.0.append_data(&mut header, path, bytes).expect("it fits");
        self
    }

    pub(crate) fn link(mut self, kind: tar::EntryType, path: &str, target: &str) -> Self {
        let mut header = header();
        header.set_entry_type(kind);
        header.set_size(0);
        self.0.append_link(&mut header, path, target).expect("it fits");
        self
    }

    /// Adds the documents of an image with these layers, by path.
    pub(crate) fn image(self, layers: &[(&str, &[u8])]) -> Self {
        let config = config(&layers.iter().map(|(_, bytes)| *bytes).collect::<Vec<_>>());
        let paths: Vec<_> = layers.iter().map(|(path, _)| path).collect();
        let manifest = json!([{ "Config": "c.json", "RepoTags": ["a:1"], "Layers": paths }]);
        let manifest = manifest.to_string();
        self.file("c.json", &config).file("manifest.json", manifest.as_bytes())
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.into_inner().expect("an archive")
    }
}

/// Returns a configuration with spaces that nobody would write again.
pub(crate) fn config(layers: &[&[u8]]) -> Vec<u8> {
    let diffs: Vec<_> = layers.iter().map(|bytes| Digest::sha256(bytes)).collect();
    let text = json!({
        "architecture": "amd64", "os": "linux", "config": { "Env": ["A=b"] },
        "rootfs": { "type": "layers", "diff_ids": diffs },
    });
    format!("{{ \"x\" : 1, {}", &text.to_string()[1..]).into_bytes()
}

/// Returns a layer of about so many bytes.
fn layer(name: &str, size: usize) -> Vec<u8> {
    let text: Vec<u8> = (0_u32..).flat_map(u32::to_le_bytes).take(size).collect();
    Saved::new().file(name, &text).bytes()
}

fn take(folder: &Path, archive: impl Read) -> Result<Descriptor, SavedError> {
    let cancel = AtomicBool::new(false);
    let mut filling = Layout::fill(folder, &|_| {}, &cancel)?;
    let root = filling.saved(archive, Compression::Gzip, NonZeroUsize::MIN)?;
    let mut entry = root.clone();
    entry.annotations.insert(ANNOTATION_REF_NAME.to_owned(), "taken".to_owned());
    filling.list(entry);
    filling.finish()?;
    Ok(root)
}

/// Takes an archive and returns the unpacked layers of the image.
fn layers(archive: &[u8]) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    take(folder.path(), archive).expect("it is taken");
    let layout = Layout::open(folder.path()).expect("a layout");
    let selector: Selector = "taken".parse().expect("a name");
    let image = layout.image(&selector, Platform::LinuxAmd64).expect("an image");
    let unpacked = |(blob, diff): (&Descriptor, &occ_oci::DiffId)| {
        let compression = match blob.media_type {
            MediaType::LayerTar => Compression::None,
            MediaType::LayerGzip => Compression::Gzip,
            _ => Compression::Zstd,
        };
        let blob = image.blob(blob).expect("a blob");
        let mut bytes = Vec::new();
        let mut reader = occ_layer::decompress(blob, compression).expect("a reader");
        reader.read_to_end(&mut bytes).expect("a layer");
        assert_eq!(Digest::sha256(&bytes), *diff.digest());
        bytes
    };
    image.layers().map(unpacked).collect()
}

fn refused(archive: impl Read) -> SavedError {
    let folder = tempfile::tempdir().expect("a folder");
    let error = take(folder.path(), archive).expect_err("it is refused");
    let listed = Layout::open(folder.path()).map(|layout| layout.entries());
    // Where it was refused nothing is listed.
    assert!(listed.is_err(), "{listed:?}");
    error
}

#[test]
fn an_image_of_docker_20_is_taken_with_small_and_large_layers() {
    let (small, large) = (layer("a", 10), layer("b", 3 << 20));
    let archive = Saved::new()
        .file("1/VERSION", b"1.0")
        .file("1/layer.tar", &small)
        .file("2/json", b"{}")
        .file("2/layer.tar", &large)
        .image(&[("1/layer.tar", &small), ("2/layer.tar", &large)]);
    assert_eq!(layers(&archive.bytes()), [small, large]);
}

#[test]
fn an_image_of_docker_25_is_a_layout_and_taken_as_well() {
    let one = layer("a", 2 << 20);
    let path = format!("blobs/sha256/{}", Digest::sha256(&one).hex());
    let archive = Saved::new()
        .file(&path, &one)
        .file("index.json", b"{}")
        .file("oci-layout", b"{}")
        .image(&[(&path, &one)]);
    assert_eq!(layers(&archive.bytes()), [one]);
}

#[test]
fn a_layer_that_is_there_once_may_be_named_again_or_linked_to() {
    let one = layer("a", 2 << 20);
    let symlink = tar::EntryType::Symlink;
    let archive = Saved::new()
        .file("1/layer.tar", &one)
        .link(symlink, "2/layer.tar", "../1/layer.tar")
        .link(tar::EntryType::Link, "3/layer.tar", "1/layer.tar")
        .image(&[
            ("1/layer.tar", &one),
            ("2/layer.tar", &one),
            ("3/layer.tar", &one),
            ("./1/layer.tar", &one),
        ]);
    assert_eq!(layers(&archive.bytes()).len(), 4);
}

#[test]
fn a_layer_that_comes_compressed_stays_as_it_is() {
    let plain = layer("a", 3 << 20);
    for compression in [Compression::Gzip, Compression::Zstd] {
        let mut packed = Vec::new();
        occ_layer::compress(&*plain, &mut packed, compression, NonZeroUsize::MIN).expect("packed");
        let config = config(&[&plain]);
        let manifest = json!([{ "Config": "c.json", "Layers": ["l"] }]).to_string();
        let archive = Saved::new()
            .file("l", &packed)
            .file("c.json", &config)
            .file("manifest.json", manifest.as_bytes())
            .bytes();
        assert_eq!(layers(&archive), std::slice::from_ref(&plain));
        let folder = tempfile::tempdir().expect("a folder");
        take(folder.path(), &*archive).expect("it is taken");
        let blob = folder.path().join("blobs/sha256").join(Digest::sha256(&packed).hex());
        assert_eq!(std::fs::read(blob).expect("the blob"), packed);
    }
}

#[test]
fn the_same_image_becomes_the_same_bytes_and_its_configuration_stays() {
    let one = layer("a", 3 << 20);
    let archive = Saved::new().file("1/layer.tar", &one).image(&[("1/layer.tar", &one)]).bytes();
    let other = Saved::new()
        .file("elsewhere/x.tar", &one)
        .file("more", b"of it")
        .image(&[("elsewhere/x.tar", &one)])
        .bytes();
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let one_of = |folder: &tempfile::TempDir, archive: &[u8]| {
        take(folder.path(), archive).expect("it is taken").digest
    };
    assert_eq!(one_of(&folders[0], &archive), one_of(&folders[1], &other));
    let config = config(&[&one]);
    let kept = folders[0].path().join("blobs/sha256").join(Digest::sha256(&config).hex());
    assert_eq!(std::fs::read(kept).expect("the configuration"), config);
}

#[test]
fn what_is_large_and_no_layer_leaves_nothing_behind() {
    let one = layer("a", 10);
    let archive = Saved::new()
        .file("large", &vec![7; 3 << 20])
        .file("1/layer.tar", &one)
        .image(&[("1/layer.tar", &one)])
        .bytes();
    let folder = tempfile::tempdir().expect("a folder");
    take(folder.path(), &*archive).expect("it is taken");
    let blobs = std::fs::read_dir(folder.path().join("blobs/sha256")).expect("blobs").count();
    assert_eq!(blobs, 3, "layer, configuration, manifest");
    assert!(!folder.path().join(".partial").exists());
}

#[test]
fn what_is_not_one_whole_image_is_refused_with_the_reason() {
    let one = layer("a", 2 << 20);
    let whole = || Saved::new().file("l", &one).image(&[("l", &one)]);
    let with = |manifest: &serde_json::Value| {
        let archive = Saved::new().file("l", &one).file("c.json", &config(&[&one]));
        archive.file("manifest.json", manifest.to_string().as_bytes()).bytes()
    };
    let image = json!({ "Config": "c.json", "Layers": ["l"] });
    let layers = |layers: &[&str]| json!([{ "Config": "c.json", "Layers": layers }]);
    for (archive, why) in [
        (Saved::new().file("readme", b"x").bytes(), "it has no \"manifest.json\""),
        (with(&json!([])), "exactly one image"),
        (with(&json!([image, image])), "exactly one image"),
        (with(&json!({})), "invalid type"),
        (with(&json!([{ "Config": "other", "Layers": ["l"] }])), "it has no \"other\""),
        (with(&json!([{ "Config": "l", "Layers": ["l"] }])), "it has no \"l\""),
        (with(&layers(&["l", "l"])), "it has 2 layers, and 1 by its configuration"),
        (with(&layers(&["m"])), "it has no \"m\""),
        (with(&layers(&["../l/../../etc/passwd"])), "it has no"),
        (whole().file("c.json", b"{}").bytes(), "it has \"c.json\" twice"),
    ] {
        let error = refused(&*archive);
        assert!(error.to_string().contains(why), "{error}: {why}");
        assert!(matches!(error, SavedError::Shape(_)), "{error:?}");
    }
    let circle = Saved::new()
        .link(tar::EntryType::Symlink, "l", "m")
        .link(tar::EntryType::Symlink, "m", "l")
        .image(&[("l", &one)]);
    assert!(matches!(refused(&*circle.bytes()), SavedError::Shape(_)));
}

#[test]
fn another_layer_than_the_configuration_names_is_refused() {
    let (one, other) = (layer("a", 2 << 20), layer("b", 2 << 20));
    let archive = Saved::new().file("l", &other).image(&[("l", &one)]).bytes();
    let error = refused(&*archive);
    assert!(matches!(error, SavedError::OtherLayer { .. }), "{error:?}");
}

/// A stream that breaks off.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the engine is gone"))
    }
}

#[test]
fn an_archive_that_breaks_off_is_refused_wherever_it_does() {
    let one = layer("a", 2 << 20);
    let archive = Saved::new().file("l", &one).image(&[("l", &one)]).bytes();
    for cut in [100, 600, 1 << 20, archive.len() - 3000] {
        refused(&archive[..cut]);
    }
    let error = refused(Cursor::new(archive[..1 << 20].to_vec()).chain(Broken));
    assert!(matches!(error, SavedError::Read(_)), "{error:?}");
}

#[test]
fn a_blob_that_arrives_is_there_only_when_it_is_the_right_one() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().expect("a folder");
    let cancel = AtomicBool::new(false);
    let filling = Layout::fill(folder.path(), &|_| {}, &cancel).expect("a layout");
    let blob = Descriptor::of(MediaType::LayerTar, b"right bytes");
    for wrong in [b"right byte".as_slice(), b"right bytes!", b"wrong bytes"] {
        let mut arriving = filling.blob(&blob).expect("a file");
        arriving.write_all(wrong).expect("written");
        let error = arriving.finish().expect_err("wrong bytes");
        assert!(matches!(error, LayoutError::Damaged { .. }), "{error:?}");
        assert!(!filling.has(&blob).expect("a look"));
    }
    let mut arriving = filling.blob(&blob).expect("a file");
    arriving.write_all(b"right ").and_then(|()| arriving.write_all(b"bytes")).expect("written");
    arriving.finish().expect("the right ones");
    assert!(filling.has(&blob).expect("a look"));
}
