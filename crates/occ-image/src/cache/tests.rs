//! What the cache promises, with real files.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use occ_layer::Compression;
use occ_layer::tree::{Content, Entry, Kind, LayerTree};
use occ_oci::Digest;
use tempfile::TempDir;

use super::{Cache, EntryKind, folder, list, prune};
use crate::error::BuildError;
use crate::event::{Event, Part};
use crate::key::LayerKey;
use crate::survey::LayerState;

/// A cache in a folder of its own, and what it told.
struct Bench {
    dir: TempDir,
    events: Mutex<Vec<Event>>,
}

impl Bench {
    fn new() -> Self {
        Self { dir: TempDir::new().expect("a folder"), events: Mutex::new(Vec::new()) }
    }

    fn with<T>(&self, cancelled: bool, act: impl FnOnce(&Cache<'_>) -> T) -> T {
        let folder = folder(self.dir.path());
        let observer = |event| self.events.lock().expect("nobody panics").push(event);
        let cancel = AtomicBool::new(false);
        let cache = Cache::open(&folder, &observer, &cancel).expect("a cache");
        cancel.store(cancelled, Ordering::Relaxed);
        act(&cache)
    }

    fn told(&self, event: &Event) -> bool {
        self.events.lock().expect("nobody panics").contains(event)
    }

    fn path(&self, part: &str) -> std::path::PathBuf {
        folder(self.dir.path()).join(part)
    }
}

fn key(name: &str) -> LayerKey {
    LayerKey::new(Digest::sha256(name.as_bytes()))
}

fn tree(text: &str) -> LayerTree {
    let mut tree = LayerTree::new();
    let file = Entry::new(Kind::File(Content::Bytes(text.repeat(1000).into())), 0o644);
    tree.insert("etc/file", file).expect("a path");
    tree
}

fn overwrite(path: &Path) {
    let mut bytes = fs::read(path).expect("the file is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    // A clock that ticks coarsely must not hide it.
    thread::sleep(Duration::from_millis(20));
    File::create(path).and_then(|mut file| file.write_all(&bytes)).expect("it can be written");
}

#[test]
fn the_digest_of_a_file_in_a_kept_layer_is_read_once_and_noted() {
    let bench = Bench::new();
    bench.with(false, |cache| {
        let part = Part::Guest;
        let layer = cache.put(&key("a"), &part, Compression::Gzip, tree("x")).expect("kept");
        let expected = Digest::sha256("x".repeat(1000).as_bytes());
        assert_eq!(cache.digest_in(&layer, "/etc/file").expect("readable"), Some(expected.clone()));
        assert_eq!(cache.digest_in(&layer, "/etc/other").expect("readable"), None);
        overwrite(&layer.blob.path);
        // It was read once and is not read again; what was not asked for cannot be told any more.
        assert_eq!(cache.digest_in(&layer, "/etc/file").expect("noted"), Some(expected));
        assert!(cache.digest_in(&layer, "/etc/more").is_err());
    });
}

#[test]
fn a_digest_that_is_noted_when_a_layer_is_made_is_the_one_that_reading_gives() {
    let bench = Bench::new();
    bench.with(false, |cache| {
        let (part, form) = (Part::Guest, Compression::Gzip);
        let read = cache.put(&key("a"), &part, form, tree("x")).expect("kept");
        let read = cache.digest_in(&read, "/etc/file").expect("readable");
        let noted = cache.put_noting(&key("b"), &part, form, tree("x"), "/etc/file").expect("kept");
        // It cannot be read any more, so that what is told was noted.
        overwrite(&noted.blob.path);
        assert_eq!(cache.digest_in(&noted, "/etc/file").expect("noted"), read);
        let other =
            cache.put_noting(&key("c"), &part, form, tree("x"), "/etc/other").expect("kept");
        assert_eq!(cache.digest_in(&other, "/etc/other").expect("readable"), None);
        overwrite(&other.blob.path);
        assert!(cache.digest_in(&other, "/etc/file").is_err());
    });
}

#[test]
fn a_kept_layer_comes_in_every_form_that_is_asked_for() {
    let bench = Bench::new();
    bench.with(false, |cache| {
        assert_eq!(cache.layer(&key("a"), &Part::Guest, None).expect("no error"), None);
        let plain = cache.put(&key("a"), &Part::Guest, Compression::None, tree("a")).expect("kept");
        assert_eq!(plain.blob.digest.digest(), plain.diff_id.digest());
        for form in [Compression::Gzip, Compression::Zstd, Compression::None] {
            let layer = cache.layer(&key("a"), &Part::Guest, Some(form)).expect("no error");
            let layer = layer.expect("it is kept");
            assert_eq!((&layer.diff_id, layer.size), (&plain.diff_id, plain.size), "{form}");
            assert_eq!(layer.blob.compression, form);
            let mut bytes = Vec::new();
            layer.open().and_then(|mut it| it.read_to_end(&mut bytes)).expect("verified");
            assert_eq!(bytes.len() as u64, plain.size);
        }
        let state = cache.state(&key("a")).expect("no error");
        let LayerState::Kept { forms, .. } = state else { panic!("{state:?}") };
        assert_eq!(forms.len(), 3);
    });
}

#[test]
fn a_damaged_layer_counts_as_missing_and_is_told() {
    let bench = Bench::new();
    let layer = bench.with(false, |cache| {
        cache.put(&key("a"), &Part::Guest, Compression::Gzip, tree("a")).expect("kept")
    });
    overwrite(&layer.blob.path);
    bench.with(false, |cache| {
        assert_eq!(cache.state(&key("a")).expect("no error"), LayerState::Damaged);
        let kept = cache.layer(&key("a"), &Part::Guest, None).expect("no error");
        assert_eq!(kept, None);
        let again = cache.put(&key("a"), &Part::Guest, Compression::Gzip, tree("a"));
        assert_eq!(again.expect("made again").blob.digest, layer.blob.digest);
        assert!(cache.layer(&key("a"), &Part::Guest, None).expect("no error").is_some());
    });
    assert!(bench.told(&Event::Damaged(Part::Guest)));
}

#[test]
fn a_layer_whose_note_is_cut_or_gone_counts_as_missing() {
    let bench = Bench::new();
    bench.with(false, |cache| {
        cache.put(&key("a"), &Part::Guest, Compression::None, tree("a")).expect("kept");
        let note = bench.path("layers").join(format!("{}.json", key("a").hex()));
        let whole = fs::read(&note).expect("it is there");
        for bytes in [&whole[..whole.len() / 2], b"", b"null", b"{\"x\":1}"] {
            fs::write(&note, bytes).expect("it can be written");
            assert_eq!(cache.layer(&key("a"), &Part::Guest, None).expect("no error"), None);
        }
        fs::write(&note, whole).expect("it can be written");
        assert!(cache.layer(&key("a"), &Part::Guest, None).expect("no error").is_some());
        fs::remove_file(note).expect("it is there");
        assert_eq!(cache.layer(&key("a"), &Part::Guest, None).expect("no error"), None);
    });
}

#[test]
fn nothing_is_kept_of_a_layer_that_could_not_be_finished() {
    let bench = Bench::new();
    bench.with(true, |cache| {
        let result = cache.put(&key("a"), &Part::Guest, Compression::None, tree("a"));
        assert!(matches!(result, Err(BuildError::Cancelled)), "{result:?}");
    });
    for part in ["layers", "work"] {
        assert_eq!(fs::read_dir(bench.path(part)).expect("a folder").count(), 0, "{part}");
    }
}

#[test]
fn a_file_is_kept_only_if_it_is_the_promised_one() {
    let bench = Bench::new();
    bench.with(false, |cache| {
        let work = cache.work_folder().expect("a folder");
        let promised = Digest::sha256(b"bytes");
        let bring = |bytes: &[u8]| {
            let path = work.path().join("brought");
            fs::write(&path, bytes).expect("it can be written");
            path
        };
        for (bytes, size) in
            [(&b"other"[..], Some(5)), (b"bytes and more", Some(5)), (b"byt", None)]
        {
            let result = cache.keep_file(&bring(bytes), "it@1", &promised, size);
            assert!(
                matches!(&result, Err(BuildError::FileMismatch { name, .. }) if name == "it@1")
            );
            assert_eq!(cache.file(&promised, 5).expect("no error"), None);
        }
        let kept = cache.keep_file(&bring(b"bytes"), "it@1", &promised, None).expect("kept");
        assert_eq!(cache.file(&promised, 5).expect("no error"), Some(kept.clone()));
        overwrite(&kept);
        assert_eq!(cache.file(&promised, 5).expect("no error"), None);
        assert!(!kept.exists(), "the damaged file is still there");
    });
    assert!(bench.told(&Event::DamagedFile(Digest::sha256(b"bytes"))));
}

#[test]
fn what_a_killed_build_left_is_swept_and_what_a_living_one_makes_is_not() {
    let bench = Bench::new();
    bench.with(false, |cache| {
        let living = cache.work_folder().expect("a folder");
        let dead = bench.path("work").join("dead");
        fs::create_dir_all(dead.join("deep")).expect("a folder");
        fs::write(dead.join("deep/half"), "x").expect("a file");
        bench.with(false, |_| ());
        assert!(living.path().exists() && !dead.exists());
        let gone = living.path().to_owned();
        drop(living);
        assert!(!gone.exists());
    });
}

#[test]
fn two_at_once_wait_for_each_other_only_over_the_same_name() {
    let bench = Bench::new();
    let inside = AtomicU32::new(0);
    bench.with(false, |cache| {
        let _other = cache.hold("other").expect("free");
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let _hold = cache.hold("same").expect("free in the end");
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "both hold it");
                    thread::sleep(Duration::from_millis(200));
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
    });
    assert!(bench.told(&Event::WaitingForOtherBuild));
}

#[test]
fn who_waits_can_be_interrupted() {
    let bench = Bench::new();
    bench.with(true, |cache| {
        let _hold = cache.hold("same").expect("free");
        assert!(matches!(cache.hold("same"), Err(BuildError::Cancelled)));
    });
}

#[test]
fn pruning_keeps_what_is_named_and_says_what_goes() {
    let bench = Bench::new();
    bench.with(false, |cache| {
        for name in ["a", "b"] {
            cache.put(&key(name), &Part::Guest, Compression::None, tree(name)).expect("kept");
        }
        let work = cache.work_folder().expect("a folder");
        fs::write(work.path().join("it"), "bytes").expect("a file");
        let digest = Digest::sha256(b"bytes");
        cache.keep_file(&work.path().join("it"), "it", &digest, None).expect("kept");

        let dir = bench.dir.path();
        let before = list(dir).expect("it can be read");
        let count = |kind| before.iter().filter(|entry| entry.kind == kind).count();
        assert_eq!([EntryKind::File, EntryKind::Layer, EntryKind::Work].map(count), [1, 4, 1]);

        let keep = BTreeSet::from([key("a").hex().to_owned()]);
        let would = prune(dir, &keep, true).expect("it can be read");
        assert_eq!(list(dir).expect("it can be read"), before, "a dry run removed something");
        let did = prune(dir, &keep, false).expect("it can be pruned");
        assert_eq!((did.removed.len(), did.freed()), (3, would.freed()));
        assert!(cache.layer(&key("a"), &Part::Guest, None).expect("no error").is_some());
        assert_eq!(cache.layer(&key("b"), &Part::Guest, None).expect("no error"), None);
        assert_eq!(cache.file(&digest, 5).expect("no error"), None);
    });
    let nowhere = bench.dir.path().join("nowhere");
    assert_eq!(list(&nowhere).expect("a cache that is not there is empty"), []);
}
