use std::ops::ControlFlow;

use occ_layer::contents::{Contents, Waste};
use occ_layer::read::entries;
use occ_layer::tree::TreeError;
use proptest::prelude::*;
use tar::EntryType;

use crate::read::Foreign;

fn stack(layers: impl IntoIterator<Item = Foreign>) -> Result<Contents, TreeError> {
    let mut contents = Contents::new();
    for layer in layers {
        let mut top = contents.layer();
        let read = entries(&layer.bytes()[..], |entry| match top.add(&entry) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        });
        if let ControlFlow::Break(error) = read.unwrap() {
            return Err(error);
        }
    }
    Ok(contents)
}

fn seen(contents: &Contents) -> Vec<(&str, usize)> {
    contents.paths().collect()
}

fn waste(path: &str, layer: usize, hidden_by: usize, size: u64) -> Waste {
    Waste { path: path.to_owned(), layer, hidden_by, size }
}

fn link(layer: Foreign, path: &str, target: &str) -> Foreign {
    layer.add(EntryType::Link, path, target, b"")
}

#[test]
fn no_layers_and_empty_ones_waste_nothing() {
    for contents in [Contents::new(), stack([Foreign::new(), Foreign::new()]).unwrap()] {
        assert!(contents.paths().next().is_none());
        assert_eq!((contents.total(), contents.wasted()), (0, 0));
        assert!((contents.efficiency() - 1.0).abs() < 1e-9);
    }
}

#[test]
fn a_replaced_file_is_wasted_even_by_equal_bytes() {
    let contents = stack([
        Foreign::new().folder("d/").file("d/a", b"old").file("d/b", b"stays").file("same", b"123"),
        Foreign::new().file("./d/a", b"newer").file("same", b"123"),
        Foreign::new().add(EntryType::Symlink, "d/a", "b", b""),
    ])
    .unwrap();
    assert_eq!(seen(&contents), [("d", 0), ("d/a", 2), ("d/b", 0), ("same", 1)]);
    assert_eq!(contents.provider("d/a"), Some(2));
    assert_eq!(contents.provider("gone"), None);
    let expected = [waste("d/a", 0, 1, 3), waste("same", 0, 1, 3), waste("d/a", 1, 2, 5)];
    assert_eq!(contents.waste(), expected);
    assert_eq!((contents.total(), contents.wasted()), (19, 11));
    assert!((contents.efficiency() - 8.0 / 19.0).abs() < 1e-9);
}

#[test]
fn the_same_folder_in_many_layers_is_no_waste() {
    let layer = |name: &str| Foreign::new().folder("usr/").folder("usr/bin/").file(name, b"1234");
    let contents = stack([layer("usr/bin/a"), layer("usr/bin/b"), layer("usr/bin/c")]).unwrap();
    assert_eq!(contents.waste(), []);
    assert_eq!(contents.total(), 12);
    let expected =
        [("usr", 2), ("usr/bin", 2), ("usr/bin/a", 0), ("usr/bin/b", 1), ("usr/bin/c", 2)];
    assert_eq!(seen(&contents), expected);
}

#[test]
fn a_whiteout_removes_a_file_or_a_folder_with_all_in_it() {
    let base = || {
        Foreign::new()
            .file("a", b"1")
            .folder("d/")
            .file("d/x", b"22")
            .file("d/e/y", b"333")
            .file("d-beside", b"4444")
            .file("d.beside", b"4444")
    };
    let contents = stack([base(), Foreign::new().file(".wh.a", b"").file(".wh.d", b"")]).unwrap();
    assert_eq!(seen(&contents), [("d-beside", 0), ("d.beside", 0)]);
    let expected = [waste("a", 0, 1, 1), waste("d/e/y", 0, 1, 3), waste("d/x", 0, 1, 2)];
    assert_eq!(contents.waste(), expected);
    let contents = stack([base(), Foreign::new().file(".wh.nothing", b"")]).unwrap();
    assert_eq!(contents.waste(), [], "there was nothing to hide");
}

#[test]
fn an_opaque_folder_hides_what_is_below_and_keeps_what_comes_with_it() {
    let base = || Foreign::new().folder("d/").file("d/x", b"22").file("d/y", b"333");
    // Where the mark stands among its neighbours is the archive's affair.
    let before = Foreign::new().folder("d/").file("d/.wh..wh..opq", b"").file("d/new", b"1");
    let after = Foreign::new().file("d/new", b"1").file("d/.wh..wh..opq", b"").folder("d/");
    for layer in [before, after] {
        let contents = stack([base(), layer]).unwrap();
        assert_eq!(seen(&contents), [("d", 1), ("d/new", 1)]);
        assert_eq!(contents.waste(), [waste("d/x", 0, 1, 2), waste("d/y", 0, 1, 3)]);
    }
    let root = Foreign::new().folder("./").file(".wh..wh..opq", b"").file("only", b"1");
    let contents = stack([base().folder("./"), root]).unwrap();
    assert_eq!(seen(&contents), [("", 1), ("only", 1)]);
    assert_eq!(contents.wasted(), 5);
}

#[test]
fn a_whiteout_spares_its_own_layer() {
    let base = || Foreign::new().file("a", b"1").file("d/x", b"22");
    let before =
        Foreign::new().file(".wh.a", b"").file(".wh.d", b"").file("a", b"3").file("d/n", b"4");
    let after =
        Foreign::new().file("a", b"3").file("d/n", b"4").file(".wh.a", b"").file(".wh.d", b"");
    for layer in [before, after] {
        let contents = stack([base(), layer]).unwrap();
        assert_eq!(seen(&contents), [("a", 1), ("d/n", 1)]);
        assert_eq!(contents.wasted(), 3);
    }
}

#[test]
fn a_file_is_wasted_only_when_its_last_name_is_gone() {
    let base = || link(Foreign::new().file("a", b"12345"), "b", "a");
    let contents = stack([base(), Foreign::new().file(".wh.a", b"")]).unwrap();
    assert_eq!(seen(&contents), [("b", 0)]);
    assert_eq!((contents.total(), contents.waste()), (5, &[][..]), "its bytes are seen as b");
    let both = Foreign::new().file(".wh.a", b"").add(EntryType::Fifo, "b", "", b"");
    let contents = stack([base(), both]).unwrap();
    assert_eq!(contents.waste(), [waste("a", 0, 1, 5)]);
    // A name given by a higher layer keeps a lower one's bytes in sight.
    let name = link(Foreign::new(), "c", "b").file(".wh.a", b"").file(".wh.b", b"");
    let contents = stack([base(), name]).unwrap();
    assert_eq!(seen(&contents), [("c", 1)]);
    assert_eq!(contents.waste(), []);
    // Linked to itself, or in the place of the folder it was in, it is still there.
    let odd = link(link(Foreign::new().file("d/x", b"1"), "d/x", "d/x"), "d", "d/x");
    let contents = stack([odd]).unwrap();
    assert_eq!(seen(&contents), [("d", 0)]);
    assert_eq!(contents.waste(), []);
}

#[test]
fn links_may_lead_to_links_and_devices_and_not_to_folders_or_nothing() {
    let layer = Foreign::new()
        .add(EntryType::Symlink, "s", "t", b"")
        .add(EntryType::Link, "h", "s", b"")
        .folder("d/");
    assert_eq!(seen(&stack([layer]).unwrap()), [("d", 0), ("h", 0), ("s", 0)]);
    for target in ["d", "gone", "a"] {
        let base = Foreign::new().folder("d/").file("a", b"1");
        let error =
            stack([base, link(Foreign::new().file(".wh.a", b""), "l", target)]).unwrap_err();
        let (link, target) = ("l".to_owned(), target.to_owned());
        assert_eq!(error, TreeError::Dangling { link, target });
    }
}

#[test]
fn what_takes_the_place_of_a_folder_takes_what_was_in_it() {
    let base = Foreign::new().folder("d/").file("d/x", b"22");
    let contents = stack([base, Foreign::new().file("d", b"1").file("d", b"4444")]).unwrap();
    assert_eq!(seen(&contents), [("d", 1)]);
    assert_eq!(contents.waste(), [waste("d/x", 0, 1, 2), waste("d", 1, 1, 1)]);
    let folder = stack([Foreign::new().file("d", b"1"), Foreign::new().folder("d/")]).unwrap();
    assert_eq!(folder.waste(), [waste("d", 0, 1, 1)]);
}

/// What one entry of a made-up layer is.
#[derive(Debug, Clone)]
enum Made {
    File(u8),
    Folder,
    Whiteout,
    Opaque,
}

fn layers() -> impl Strategy<Value = Vec<Vec<(String, Made)>>> {
    let made = prop_oneof![
        4 => any::<u8>().prop_map(Made::File),
        2 => Just(Made::Folder),
        1 => Just(Made::Whiteout),
        1 => Just(Made::Opaque),
    ];
    prop::collection::vec(prop::collection::vec(("[ab](/[ab]){0,2}", made), 0..8), 0..5)
}

fn foreign(layer: &[(String, Made)]) -> Foreign {
    layer.iter().fold(Foreign::new(), |made, (path, what)| {
        let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
        match what {
            Made::File(size) => made.file(path, &vec![0; usize::from(*size)]),
            Made::Folder => made.folder(&format!("{path}/")),
            Made::Whiteout => made.file(&format!("{folder}/.wh.{name}"), b""),
            Made::Opaque => made.file(&format!("{path}/.wh..wh..opq"), b""),
        }
    })
}

proptest! {
    #[test]
    fn every_byte_is_seen_or_wasted(layers in layers()) {
        let contents = stack(layers.iter().map(|layer| foreign(layer))).unwrap();
        let sizes = |path: &str, number: usize| {
            layers[number].iter().rev().find_map(|(other, what)| match what {
                Made::File(size) if other == path => Some(u64::from(*size)),
                Made::Folder if other == path => Some(0),
                _ => None,
            })
        };
        let visible: u64 = contents.paths().map(|(path, layer)| sizes(path, layer).unwrap()).sum();
        prop_assert_eq!(visible + contents.wasted(), contents.total());
        for wasted in contents.waste() {
            prop_assert!(wasted.layer <= wasted.hidden_by && wasted.hidden_by < layers.len());
        }
        prop_assert!((0.0..=1.0).contains(&contents.efficiency()));
    }
}
