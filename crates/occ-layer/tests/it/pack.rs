use std::io;
use std::num::NonZeroUsize;

use occ_layer::compress::{Compression, decompress};
use occ_layer::tree::{Content, Entry, Kind, LayerTree, TreeError};
use occ_layer::{Packed, WriteError, Written, pack, write};
use occ_oci::Digest;

use crate::sample::prose;

const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

fn tree() -> LayerTree {
    let mut tree = LayerTree::new();
    for (path, length) in [("usr/bin/large", 5 << 20), ("etc/empty", 0), ("etc/small", 10)] {
        let file = Kind::File(Content::Bytes(prose(length)));
        tree.insert(path, Entry::new(file, 0o644)).unwrap();
    }
    tree
}

#[test]
fn a_packed_layer_is_the_written_one_compressed() {
    let mut archive = Vec::new();
    let Written { diff_id, size } = write(tree(), &mut archive).unwrap();
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let mut blob = Vec::new();
        let packed = pack(tree(), &mut blob, compression, TWO).unwrap();
        assert_eq!((&packed.diff_id, packed.size), (&diff_id, size));
        assert_eq!(packed.blob.digest.digest(), &Digest::sha256(&blob));
        assert_eq!(packed.blob.size, blob.len() as u64);
        let mut back = Vec::new();
        io::copy(&mut decompress(&blob[..], compression).unwrap(), &mut back).unwrap();
        assert!(back == archive, "{compression}");
        for threads in [1, 3] {
            let threads = NonZeroUsize::new(threads).unwrap();
            assert_eq!(pack(tree(), io::sink(), compression, threads).unwrap(), packed);
        }
    }
}

#[test]
fn an_empty_tree_can_be_packed() {
    let mut blob = Vec::new();
    let Packed { size, .. } = pack(LayerTree::new(), &mut blob, Compression::Zstd, TWO).unwrap();
    assert_eq!(size, 1024, "an archive ends in two empty records");
    let mut archive = Vec::new();
    io::copy(&mut decompress(&blob[..], Compression::Zstd).unwrap(), &mut archive).unwrap();
    assert_eq!(archive, [0; 1024]);
}

#[test]
fn what_cannot_be_a_layer_or_written_is_an_error() {
    let mut dangling = LayerTree::new();
    dangling.insert("l", Entry::new(Kind::Hardlink("gone".to_owned()), 0o644)).unwrap();
    let error = pack(dangling, io::sink(), Compression::Gzip, TWO).unwrap_err();
    assert!(matches!(error, WriteError::Tree(TreeError::Dangling { .. })), "{error:?}");

    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let mut no_room = [0; 100];
        let error = pack(tree(), &mut no_room[..], compression, TWO).unwrap_err();
        let WriteError::Io(error) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}
