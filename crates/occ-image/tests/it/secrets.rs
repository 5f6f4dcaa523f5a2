//! Secrets in layers are found, wherever in the stack and whatever became of the file; what is broken is named.

use std::io::{self, Read};
use std::num::NonZeroUsize;

use occ_image::secrets::{Found, LayerSearch, SearchError, search};
use occ_image::{Compression, SavedError};
use occ_oci::Digest;
use tar::EntryType;

use crate::saved::Saved;

const NETRC: &[u8] = b"machine a.example login x password geheim";

/// Returns a token that nobody has. It is put together here, so that whoever searches this repository for
/// secrets finds none.
fn token() -> String {
    format!("ghp_{}", "q8ZrT0vLw2KsYd5Hb7NcXe9Jm1Pf4Ug6Ai3W")
}

/// Returns the archive of an image with these layers, lowest first.
fn archive(layers: &[Vec<u8>]) -> Vec<u8> {
    let paths: Vec<String> =
        (0..layers.len()).map(|number| format!("{number}/layer.tar")).collect();
    let pairs = || paths.iter().zip(layers).map(|(path, layer)| (path.as_str(), layer.as_slice()));
    // Engines do not give them in their order.
    let files = pairs().rev().fold(Saved::new(), |saved, (path, layer)| saved.file(path, layer));
    files.image(&pairs().collect::<Vec<_>>()).bytes()
}

fn searched(layers: &[Vec<u8>]) -> LayerSearch {
    search(&*archive(layers)).expect("it is searched")
}

/// Returns number, path, kind and whether it is removed later.
fn found(search: &LayerSearch) -> Vec<(usize, &str, &str, bool)> {
    let all = search.found.iter();
    all.map(|found| (found.number, found.path.as_str(), found.kind, found.removed_later)).collect()
}

#[test]
fn a_secret_is_found_with_its_layer_its_path_and_a_hint_that_is_none() {
    let lower = Saved::new().file("etc/hostname", b"x").bytes();
    let upper = Saved::new()
        .file("root/.netrc", NETRC)
        .file("app/settings.py", format!("TOKEN = '{}'\n", token()).as_bytes())
        .bytes();
    let digest = Digest::sha256(&upper);
    let search = searched(&[lower, upper]);
    assert_eq!((search.layers, search.files, search.larger), (2, 3, 0));
    let one = |path: &str, kind, hint: &str| Found {
        number: 2,
        layer: digest.clone(),
        path: path.to_owned(),
        kind,
        hint: hint.to_owned(),
        removed_later: false,
    };
    let expected = [
        one("/root/.netrc", "netrc", "a.example"),
        one("/app/settings.py", "github-token", "ghp_…"),
    ];
    assert_eq!(search.found, expected);
    let shown = format!("{search:?} {}", serde_json::to_string(&search).expect("JSON"));
    assert!(!shown.contains("geheim") && !shown.contains(&token()), "{shown}");
    assert_eq!(search.found[0].to_string(), "layer 2, /root/.netrc: netrc (a.example)");
}

#[test]
fn a_file_that_a_later_layer_removes_or_replaces_is_found_and_called_removed() {
    let below = Saved::new()
        .file("a/.netrc", NETRC)
        .file("b/.netrc", NETRC)
        .file("c/.netrc", NETRC)
        .file("d/.netrc", NETRC)
        .file("e/.netrc", NETRC)
        .file("stays/.netrc", NETRC)
        .bytes();
    let above = Saved::new()
        .file("a/.wh..netrc", b"")
        .file(".wh.b", b"")
        .file("c/.wh..wh..opq", b"")
        .file("d/.netrc", b"machine a.example login x password another")
        .file("e", b"no folder any more")
        .file("stays/other", b"")
        .bytes();
    let search = searched(&[below, above]);
    let expected = [
        (1, "/a/.netrc", "netrc", true),
        (1, "/b/.netrc", "netrc", true),
        (1, "/c/.netrc", "netrc", true),
        (1, "/d/.netrc", "netrc", true),
        (1, "/e/.netrc", "netrc", true),
        (1, "/stays/.netrc", "netrc", false),
        (2, "/d/.netrc", "netrc", false),
    ];
    assert_eq!(found(&search), expected);
    let said = search.found[0].to_string();
    assert!(said.ends_with(", removed by a later layer and still in the image"), "{said}");
}

#[test]
fn a_file_with_another_name_left_is_not_removed() {
    let below =
        Saved::new().file("a/.netrc", NETRC).link(EntryType::Link, "other", "a/.netrc").bytes();
    let above = Saved::new().file("a/.wh..netrc", b"").bytes();
    assert_eq!(found(&searched(&[below, above])), [(1, "/a/.netrc", "netrc", false)]);
}

#[test]
fn a_clean_image_has_no_finding_and_it_is_said_what_was_not_looked_into() {
    let key = format!(
        "-----BEGIN PRIVATE KEY-----\nMIIE{0}\n{0}\n-----END PRIVATE KEY-----\n",
        "q8ZrT0vLw2KsYd5Hb7NcXe9Jm1Pf4Ug6Ai3Wo/Bk+Rl8Vt0Sn2Zq5Cy7Dx9E"
    );
    let mut large = token().into_bytes();
    large.resize((1 << 20) + 1, b' ');
    let layer = Saved::new()
        .file("usr/share/doc/tool/examples/key.pem", key.as_bytes())
        .file("usr/lib/tool/binary", &[b"\x7fELF\0", token().as_bytes()].concat())
        .file("var/log/large", &large)
        .file("etc/ssl/certs/ca.pem", key.replace("PRIVATE KEY", "CERTIFICATE").as_bytes())
        .bytes();
    let search = searched(std::slice::from_ref(&layer));
    let expected = LayerSearch { layers: 1, files: 3, larger: 1, samples: 1, ..<_>::default() };
    assert_eq!(search, expected);
    // The same key anywhere else is one.
    let layer = Saved::new().file("etc/ssl/private/key.pem", key.as_bytes()).bytes();
    let found_one = [(1, "/etc/ssl/private/key.pem", "private-key", false)];
    assert_eq!(found(&searched(&[layer])), found_one);
}

#[test]
fn layers_that_are_large_compressed_or_there_twice_are_searched() {
    let noise: Vec<u8> = (0_u32..).flat_map(u32::to_le_bytes).take(3 << 20).collect();
    let layer = Saved::new().file("noise", &noise).file("root/.netrc", NETRC).bytes();
    let expected = [(1, "/root/.netrc", "netrc", true), (2, "/root/.netrc", "netrc", false)];
    assert_eq!(found(&searched(&[layer.clone(), layer.clone()])), expected);
    for compression in [Compression::Gzip, Compression::Zstd] {
        let mut packed = Vec::new();
        occ_layer::compress(&*layer, &mut packed, compression, NonZeroUsize::MIN).expect("packed");
        let config = crate::saved::config(&[&layer]);
        let manifest = br#"[{ "Config": "c.json", "Layers": ["l"] }]"#;
        let saved = Saved::new().file("l", &packed).file("c.json", &config);
        let search = search(&*saved.file("manifest.json", manifest).bytes()).expect("searched");
        assert_eq!(found(&search), [(1, "/root/.netrc", "netrc", false)]);
    }
}

#[test]
fn more_than_can_be_listed_are_counted() {
    let layer = (0..1003)
        .fold(Saved::new(), |layer, number| layer.file(&format!("{number}/.netrc"), NETRC));
    let search = searched(&[layer.bytes()]);
    assert_eq!((search.found.len(), search.more), (1000, 3));
}

/// Returns the error of a search, and that of the layer.
fn refused(archive: impl Read) -> (SearchError, String) {
    let error = search(archive).expect_err("it is refused");
    let source = std::error::Error::source(&error).map(ToString::to_string);
    (error, source.unwrap_or_default())
}

#[test]
fn attack_23_hostile_layers_are_refused_by_name_and_reason() {
    let mut climbing = tar::Header::new_gnu();
    climbing.as_old_mut().name[..5].copy_from_slice(b"../.x");
    climbing.set_size(0);
    climbing.set_cksum();
    let climbing = [climbing.as_bytes().as_slice(), &[0; 1024]].concat();
    let mut endless = tar::Header::new_gnu();
    endless.set_path("endless").expect("a path");
    endless.set_size(u64::MAX >> 4);
    endless.set_cksum();
    let endless = [endless.as_bytes().as_slice(), &[7; 4096]].concat();
    let dangling = Saved::new().link(EntryType::Link, "a", "nowhere").bytes();
    let garbage = b"this is no archive, but long enough to be one".repeat(40);
    for (layer, why) in [
        (climbing, "\"../.x\" is not a path inside the tree"),
        (endless, "cannot read the layer"),
        (dangling, "the hard link a leads to nowhere"),
        (garbage, "cannot read the layer"),
    ] {
        let digest = Digest::sha256(&layer);
        let (error, source) = refused(&*archive(&[layer]));
        assert_eq!(error.to_string(), format!("the layer {digest} cannot be searched"));
        assert!(source.contains(why), "{source}: {why}");
    }
}

#[test]
fn an_archive_that_ends_early_or_has_another_layer_is_refused() {
    let layer = Saved::new().file("a", &vec![7; 3 << 20]).file("root/.netrc", NETRC).bytes();
    let whole = archive(std::slice::from_ref(&layer));
    for cut in [100, 600, 1 << 20, whole.len() - 3000] {
        refused(&whole[..cut]);
    }
    let broken = whole[..1 << 20].chain(Broken);
    let (error, _) = refused(broken);
    assert!(matches!(error, SearchError::Saved(_) | SearchError::Layer { .. }), "{error:?}");
    let other = Saved::new().file("other", b"").bytes();
    let saved = Saved::new().file("l", &other).image(&[("l", &layer)]).bytes();
    let (error, _) = refused(&*saved);
    assert!(matches!(error, SearchError::Saved(SavedError::OtherLayer { .. })), "{error:?}");
}

#[test]
fn what_is_in_the_archive_and_no_layer_is_not_searched() {
    let layer = Saved::new().file("etc/hostname", b"x").bytes();
    let large_and_no_layer = [token().into_bytes(), vec![b' '; 2 << 20]].concat();
    let saved = Saved::new()
        .file("readme", &large_and_no_layer)
        .file("other.tar", &Saved::new().file(".netrc", NETRC).bytes())
        .file("l", &layer)
        .image(&[("l", &layer)]);
    assert_eq!(search(&*saved.bytes()).expect("searched").found, []);
}

/// A stream that breaks off.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the engine is gone"))
    }
}
