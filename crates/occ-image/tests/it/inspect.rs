use std::fs;
use std::io::Write as _;
use std::sync::atomic::AtomicBool;

use flate2::write::GzEncoder;
use occ_image::{Image, Inspection, LayoutError, inspect};
use occ_layer::Compression;
use occ_layer::tree::{Entry, Kind};
use occ_oci::{DiffId, Digest, LayerDigest, Platform};
use serde_json::json;

use crate::material::{Shelf, file, plan};

const AMD64: Platform = Platform::LinuxAmd64;

fn look(shelf: &Shelf, image: &Image) -> Result<Inspection, LayoutError> {
    let layout = shelf.write(std::slice::from_ref(image)).unwrap();
    let stored = layout.image(&"base".parse().unwrap(), AMD64).unwrap();
    inspect(&stored, &AtomicBool::new(false))
}

/// Three layers with known waste: 1000 bytes replaced, 300 removed, 40 hidden with their folder.
fn wasteful(shelf: &Shelf) -> Image {
    let folder = Entry::new(Kind::Folder, 0o755);
    let link = Entry::new(Kind::Hardlink("opt/kept".to_owned()), 0o644);
    let layers = vec![
        shelf.layer(
            &[
                ("etc/replaced", file(&"a".repeat(1000))),
                ("opt/gone", file(&"b".repeat(300))),
                ("opt/kept", file(&"c".repeat(50))),
                ("opt/link", link),
                ("srv/deep/file", file(&"d".repeat(40))),
            ],
            Compression::Gzip,
        ),
        shelf.layer(
            &[("etc/replaced", file(&"A".repeat(610))), ("opt/.wh.gone", file(""))],
            Compression::Zstd,
        ),
        shelf.layer(
            &[("srv", folder), ("srv/.wh..wh..opq", file("")), ("opt/.wh.kept", file(""))],
            Compression::None,
        ),
    ];
    Shelf::image_of(&plan("base", AMD64), layers)
}

#[test]
fn everything_about_an_image_is_told() {
    let shelf = Shelf::new();
    let image = wasteful(&shelf);
    let seen = look(&shelf, &image).unwrap();
    assert_eq!(seen.digest, image.manifest_digest());
    assert_eq!(seen.config, image.config_digest());
    assert_eq!(seen.platform, "linux/amd64");
    assert_eq!(seen.created.as_deref(), Some("2025-08-09T00:00:00Z"));
    assert_eq!(seen.user, "opencode");
    assert_eq!(seen.labels, image.labels);
    assert!(seen.env.iter().any(|line| line == "LANG=C.UTF-8"));
    assert_eq!(seen.layers.len(), 3);
    for (number, (seen, layer)) in seen.layers.iter().zip(&image.layers).enumerate() {
        assert_eq!(&seen.digest, layer.blob.digest.digest());
        assert_eq!(&seen.diff_id, layer.diff_id.digest());
        assert_eq!((seen.size, seen.unpacked), (layer.blob.size, layer.size));
        assert_eq!(seen.history, format!("layer {number}"));
    }
    assert_eq!(seen.size, image.layers.iter().map(|layer| layer.blob.size).sum::<u64>());
    assert_eq!(seen.unpacked, image.layers.iter().map(|layer| layer.size).sum::<u64>());
    // etc, etc/replaced, opt, opt/link, srv.
    assert_eq!(seen.paths, 5);
    assert!(seen.sbom);
}

#[test]
fn bytes_that_nobody_sees_are_waste() {
    let shelf = Shelf::new();
    let seen = look(&shelf, &wasteful(&shelf)).unwrap();
    let files: Vec<_> = seen
        .waste
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.layer, file.hidden_by, file.size))
        .collect();
    // The other name of a removed one is still there.
    let expected =
        [("etc/replaced", 0, 1, 1000), ("opt/gone", 0, 1, 300), ("srv/deep/file", 0, 2, 40)];
    assert_eq!(files, expected);
    assert_eq!(seen.waste.bytes, 1340);
    // 660 of 2000 bytes are seen.
    assert!((seen.waste.efficiency - 33.0).abs() < 1e-9, "{}", seen.waste.efficiency);
    let shown = seen.to_string();
    assert!(shown.contains("efficiency 33.0 %, 1.3 kB wasted"), "{shown}");
    assert!(shown.contains("1.0 kB  etc/replaced (layer 0, hidden by 1)"), "{shown}");
    assert!(shown.contains("  org.opencode-cloud.guest-contract=1\n"), "{shown}");
}

#[test]
fn an_image_without_waste_has_none() {
    let shelf = Shelf::new();
    let image = Shelf::image_of(&plan("base", AMD64), Vec::new());
    let seen = look(&shelf, &image).unwrap();
    assert!((seen.waste.efficiency - 100.0).abs() < f64::EPSILON);
    assert_eq!((seen.waste.bytes, seen.size, seen.paths), (0, 0, 0));
}

#[test]
fn programs_read_the_same_in_json() {
    let shelf = Shelf::new();
    let seen = serde_json::to_value(look(&shelf, &wasteful(&shelf)).unwrap()).unwrap();
    assert_eq!(seen["version"], 1);
    assert_eq!(seen["layers"][1]["media_type"], "application/vnd.oci.image.layer.v1.tar+zstd");
    assert_eq!(
        seen["waste"]["files"][1],
        json!({ "path": "opt/gone", "layer": 0, "hidden_by": 1, "size": 300 })
    );
}

/// An image whose only layer is `bytes`, whatever they are.
fn image_of(shelf: &Shelf, bytes: &[u8], compression: Compression, diff_id: &Digest) -> Image {
    let mut layer = shelf.layer(&[], compression);
    fs::write(&layer.blob.path, bytes).unwrap();
    layer.blob.digest = LayerDigest::new(Digest::sha256(bytes));
    layer.blob.size = bytes.len() as u64;
    layer.diff_id = DiffId::new(diff_id.clone());
    Shelf::image_of(&plan("base", AMD64), vec![layer])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn layers_that_are_none_are_refused() {
    let shelf = Shelf::new();
    let good = shelf.layer(&[("a", file("a"))], Compression::None);
    let archive = fs::read(&good.blob.path).unwrap();
    let diff_id = good.diff_id.digest().clone();
    let fails = |bytes: &[u8], compression, diff_id: &Digest| {
        look(&shelf, &image_of(&shelf, bytes, compression, diff_id)).unwrap_err()
    };
    assert!(look(&shelf, &image_of(&shelf, &gzip(&archive), Compression::Gzip, &diff_id)).is_ok());

    // The archive is another one than the configuration says.
    let error = fails(&gzip(&archive), Compression::Gzip, &Digest::sha256(b"other"));
    assert!(matches!(error, LayoutError::Damaged { .. }), "{error:?}");
    let mut cut = gzip(&archive);
    cut.truncate(cut.len() - 9);
    for (bytes, compression) in [
        (&cut[..], Compression::Gzip),
        (&[&gzip(&archive)[..], b"more"].concat()[..], Compression::Gzip),
        (&archive[..], Compression::Gzip),
        (&archive[..], Compression::Zstd),
        (&vec![b'x'; 2048][..], Compression::None),
        (&archive[..512], Compression::None),
    ] {
        let error = fails(bytes, compression, &diff_id);
        let is_right = match &error {
            LayoutError::Layer { .. } => std::error::Error::source(&error).is_some(),
            // A piece of an archive can be one, and then is another one.
            LayoutError::Damaged { .. } => true,
            _ => false,
        };
        assert!(is_right, "{compression}: {error:?}");
    }
}

#[test]
fn a_damaged_blob_is_named_wherever_its_reader_notices() {
    let shelf = Shelf::new();
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let layer = shelf.layer(&[("a", file(&"a".repeat(9000)))], compression);
        let digest = layer.blob.digest.digest().clone();
        let image = Shelf::image_of(&plan("base", AMD64), vec![layer]);
        let layout = shelf.write(&[image]).unwrap();
        let path = layout.folder().join("blobs/sha256").join(digest.hex());
        let good = fs::read(&path).unwrap();
        let stored = layout.image(&"base".parse().unwrap(), AMD64).unwrap();
        let fails = || inspect(&stored, &AtomicBool::new(false)).unwrap_err();
        // The link in the cache is the same file; it is not used again.
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        let error = fails();
        assert!(
            matches!(&error, LayoutError::Damaged { digest: named, .. } if *named == digest),
            "{error:?}"
        );
        let more = [&good[..], b"x"].concat();
        fs::write(&path, more).unwrap();
        let error = fails();
        assert!(
            matches!(&error, LayoutError::Damaged { digest: named, .. } if *named == digest),
            "{error:?}"
        );
        fs::remove_file(&path).unwrap();
        assert!(matches!(fails(), LayoutError::Missing { .. }));
    }
}

#[test]
fn looking_can_be_interrupted() {
    let shelf = Shelf::new();
    let layout = shelf.write(&[wasteful(&shelf)]).unwrap();
    let stored = layout.image(&"base".parse().unwrap(), AMD64).unwrap();
    let error = inspect(&stored, &AtomicBool::new(true)).unwrap_err();
    assert!(matches!(error, LayoutError::Cancelled), "{error:?}");
}
