//! A sandbox in one file, and back.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use occ_engine::{Engine as _, Error, Op, Phase};
use occ_image::guest;
use occ_layer::{Compression, compress};
use occ_sandbox::{
    BackupError, BackupWish, Claim, Created, Instance, Sandbox, Verified, create_backup,
    fill_volumes, gather, read_head, verify_backup,
};

use crate::stage::{Stage, wish};

const DATA: &str = "opencode-cloud-sandbox-data";
const WORKSPACE: &str = "opencode-cloud-sandbox-workspace";

struct Desk {
    stage: Stage,
    folder: tempfile::TempDir,
}

impl Desk {
    /// A sandbox that runs and has something in it.
    async fn new() -> Self {
        let stage = Stage::with_image();
        stage.start(&wish()).await.expect("start");
        stage.engine.change(|world| {
            world.files_mut(DATA).insert("opencode.db".into(), b"sessions".to_vec());
            let large = (0..5_000_000_u32).map(|n| (n * 7 % 251) as u8).collect();
            world.files_mut(WORKSPACE).insert("src/large.bin".into(), large);
        });
        Self { stage, folder: tempfile::tempdir().expect("tempdir") }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("one.occ-backup")
    }

    async fn sandbox(&self) -> Sandbox {
        sandbox(&self.stage).await
    }

    async fn create(&self) -> Result<Created, BackupError> {
        keep(&self.stage, &self.file()).await
    }

    fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).expect("list").flatten();
        names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    async fn phase(&self) -> Phase {
        self.sandbox().await.container.expect("there").phase
    }
}

async fn sandbox(stage: &Stage) -> Sandbox {
    let engine = &stage.engine;
    let containers = engine.containers(guest::LABEL_INSTANCE).await.expect("containers");
    let volumes = engine.volumes(guest::LABEL_INSTANCE).await.expect("volumes");
    gather(containers, volumes, Vec::new(), 1000).into_iter().next().expect("one")
}

/// Keeps the first sandbox in a file.
pub(crate) async fn keep(stage: &Stage, file: &Path) -> Result<Created, BackupError> {
    let (instance, sandbox) = (Instance::first(), sandbox(stage).await);
    let claim = Claim { instance: &instance, user: 1000 };
    let wish = BackupWish {
        path: file,
        all: false,
        record: Some(b"{}"),
        settings: None,
        now: "2026-01-24T10:30:00Z",
        version: "0.1.0",
    };
    let (engine, cancel) = (&stage.engine, &stage.cancel);
    create_backup(engine, claim, &sandbox, &BTreeMap::new(), wish, cancel, &|_| {}).await
}

fn verify(path: &Path) -> Result<Verified, BackupError> {
    verify_backup(path, &AtomicBool::new(false), &|_| {})
}

#[tokio::test]
async fn what_was_in_the_volumes_is_in_them_again() {
    let desk = Desk::new().await;
    let created = desk.create().await.expect("created");
    assert_eq!(created.head.volumes, ["data", "state", "config", "workspace"]);
    assert_eq!(desk.left(), ["one.occ-backup"]);

    let verified = verify(&desk.file()).expect("sound");
    assert_eq!(verified.record.as_deref(), Some(&b"{}"[..]));
    let blue: Instance = "blue".parse().expect("valid");
    let claim = Claim { instance: &blue, user: 1000 };
    let filling = verified.filling(&blue);
    for one in &filling.volumes {
        desk.stage.engine.create_volume(&one.volume, &[]).await.expect("volume");
    }
    let image = desk.sandbox().await.container.expect("there").image;
    let (engine, cancel) = (&desk.stage.engine, &desk.stage.cancel);
    fill_volumes(engine, claim, image, &filling, cancel, &|_| {}).await.expect("filled");
    for place in ["data", "workspace"] {
        let (before, after) = (Instance::first().volume(place), blue.volume(place));
        assert!(engine.files(&before) == engine.files(&after), "{place} differs");
    }
    assert!(engine.container("opencode-cloud-sandbox-blue.volumes").await.expect("look").is_none());
}

#[tokio::test]
async fn a_running_sandbox_is_frozen_while_it_is_read_and_goes_on() {
    let desk = Desk::new().await;
    let created = desk.create().await.expect("created");
    assert!(created.frozen.is_some());
    assert_eq!(desk.phase().await, Phase::Running);
    let calls = desk.stage.engine.calls();
    let at = |call: &str| calls.iter().position(|one| one.starts_with(call)).expect("called");
    let last_read = calls.iter().rposition(|one| one.starts_with("read_archive")).expect("called");
    assert!(at("pause_container") < at("read_archive"), "{calls:?}");
    assert!(last_read < at("unpause_container"), "{calls:?}");
}

#[tokio::test]
async fn whatever_fails_the_sandbox_goes_on_and_no_file_is_left() {
    for op in [Op::CreateContainer, Op::PauseContainer, Op::ReadArchive] {
        let desk = Desk::new().await;
        let broken = Error::Refused { status: 500, message: "full".into() };
        desk.stage.engine.fail_next(op, broken);
        assert!(desk.create().await.is_err(), "{op}");
        assert_eq!(desk.phase().await, Phase::Running, "{op}");
        assert_eq!(desk.left(), Vec::<String>::new(), "{op}");
    }
    let desk = Desk::new().await;
    desk.stage.cancel.cancel();
    assert!(desk.create().await.is_err());
    assert_eq!(desk.phase().await, Phase::Running);
    assert_eq!(desk.left(), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_that_is_there_is_not_overwritten() {
    let desk = Desk::new().await;
    fs::write(desk.file(), "precious").expect("write");
    let refused = desk.create().await.expect_err("overwritten");
    assert!(matches!(refused, BackupError::Exists { .. }), "{refused:?}");
    assert_eq!(fs::read(desk.file()).expect("read"), b"precious");
    assert!(!desk.stage.engine.calls().iter().any(|call| call.starts_with("pause")));
}

#[tokio::test]
async fn a_backup_with_any_byte_changed_or_missing_is_not_taken() {
    let desk = Desk::new().await;
    desk.stage.engine.change(|world| world.files_mut(WORKSPACE).clear());
    desk.create().await.expect("created");
    let sound = verify(&desk.file()).expect("sound").manifest;
    let bytes = fs::read(desk.file()).expect("read");
    let other = desk.folder.path().join("other");
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x55;
        fs::write(&other, &changed).expect("write");
        // A bit that means nothing to the compression leaves all that is in it as it was.
        let same = verify(&other).is_ok_and(|verified| verified.manifest == sound);
        assert!(same || verify(&other).is_err(), "byte {at} changed");
        fs::write(&other, &bytes[..at]).expect("write");
        assert!(verify(&other).is_err(), "cut off at {at}");
    }
    let longer = [bytes.as_slice(), bytes.as_slice()].concat();
    fs::write(&other, longer).expect("write");
    assert!(verify(&other).is_err(), "twice");
}

/// Writes a file as somebody else would.
fn forge(path: &Path, entries: &[(&str, Vec<u8>)]) {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o600);
        header.set_cksum();
        archive.append(&header, bytes.as_slice()).expect("in memory");
    }
    let archive = archive.into_inner().expect("in memory");
    let file = fs::File::create(path).expect("create");
    compress(Cursor::new(archive), file, Compression::Zstd, NonZeroUsize::MIN).expect("compress");
}

fn head(kind: &str, format: u32) -> Vec<u8> {
    let head = serde_json::json!({
        "kind": kind, "format": format, "instance": "default", "created_at": "", "occ_version": "",
        "opencode_version": null, "volumes": [], "folder": null,
    });
    head.to_string().into_bytes()
}

fn inner(name: &str, kind: tar::EntryType) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(0);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::new());
    archive.append(&header, std::io::empty()).expect("in memory");
    archive.into_inner().expect("in memory")
}

#[test]
fn what_is_no_backup_or_a_newer_one_is_said_to_be_that() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("file");
    let foreign = |path: &Path| {
        let is = |error| matches!(error, BackupError::Foreign { .. });
        verify(path).err().is_some_and(is) && read_head(path).err().is_some_and(is)
    };
    for text in ["", "x", "not a backup at all, but long enough to be one"] {
        fs::write(&path, text).expect("write");
        assert!(foreign(&path), "{text:?}");
    }
    forge(&path, &[("hello.txt", b"hello".to_vec())]);
    assert!(foreign(&path));
    forge(&path, &[("occ-backup.json", head("something else", 1))]);
    assert!(foreign(&path));
    forge(&path, &[("occ-backup.json", head("opencode-cloud backup", 2))]);
    let newer = verify(&path).expect_err("taken");
    assert!(matches!(newer, BackupError::Newer { format: 2, known: 1, .. }), "{newer:?}");
}

#[test]
fn what_no_backup_has_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("file");
    let head = || ("occ-backup.json", head("opencode-cloud backup", 1));
    for (entry, bytes, named) in [
        ("../../etc/passwd", b"x".to_vec(), "../../etc/passwd"),
        ("volumes/other.tar/000000", b"x".to_vec(), "volumes/other.tar"),
        ("volumes/data.tar/000000", inner("data/../../x", tar::EntryType::Regular), "data/../../x"),
        ("volumes/data.tar/000000", inner("data/disk", tar::EntryType::Block), "data/disk"),
    ] {
        forge(&path, &[head(), (entry, bytes)]);
        let refused = verify(&path).expect_err("taken");
        assert!(matches!(refused, BackupError::Refused { .. }), "{entry}: {refused:?}");
        assert!(refused.to_string().contains(named), "{refused}");
    }
    forge(&path, &[head(), ("volumes/data.tar/000001", b"x".to_vec())]);
    let damaged = verify(&path).expect_err("taken");
    assert!(matches!(damaged, BackupError::Damaged { .. }), "{damaged:?}");
}

#[tokio::test]
async fn a_file_that_changed_since_it_was_looked_at_is_not_taken() {
    let desk = Desk::new().await;
    desk.create().await.expect("created");
    let instance = Instance::first();
    let filling = verify(&desk.file()).expect("sound").filling(&instance);
    fs::remove_file(desk.file()).expect("removed");
    desk.stage.engine.change(|world| {
        world.files_mut(DATA).insert("opencode.db".into(), b"others".to_vec());
    });
    desk.create().await.expect("created");
    let image = desk.sandbox().await.container.expect("there").image;
    let claim = Claim { instance: &instance, user: 1000 };
    let (engine, cancel) = (&desk.stage.engine, &desk.stage.cancel);
    let refused = fill_volumes(engine, claim, image, &filling, cancel, &|_| {}).await;
    assert!(matches!(refused, Err(BackupError::Damaged { .. })), "{refused:?}");
}
