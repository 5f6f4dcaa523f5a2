use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use occ_image::{BuildError, Event, Phase, build};
use occ_oci::VerifyingError;

use crate::bench::{BINARY, Bench, chain, names, tarball};

/// The guest's layer is made first and stays; nothing else may.
fn only_the_guests_layer_is_kept(bench: &Bench) {
    let key = bench.plan.guest_key();
    let mut expected = vec![format!("{}.json", key.hex()), format!("{}.tar", key.hex())];
    expected.push("lock".to_owned());
    expected.sort();
    assert_eq!(bench.kept(), expected);
}

#[test]
fn a_tarball_that_differs_from_the_lock_is_refused_with_both_digests() {
    let bench = Bench::new();
    let mut bytes = tarball(BINARY);
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(bench.path("opencode.tgz"), bytes).unwrap();
    let error = bench.build().0.unwrap_err();
    assert!(
        matches!(&error, BuildError::TarballMismatch { tarball, source: VerifyingError::Digest { .. } }
            if tarball == "opencode-linux-x64@1.18.33"),
        "{error:?}"
    );
    let text = chain(&error);
    let expected = bench.plan.opencode.integrity.to_string();
    assert!(text.contains(&format!("expected {expected}, got sha512:")), "{text}");
    only_the_guests_layer_is_kept(&bench);
}

#[test]
fn a_tarball_of_the_wrong_size_is_refused() {
    let bench = Bench::new();
    let full = fs::read(bench.path("opencode.tgz")).unwrap();
    for (bytes, expected) in [
        (full[..40].to_vec(), "40 came"),
        ([&full[..], b"more"].concat(), "more came"),
        (Vec::new(), "0 came"),
    ] {
        fs::write(bench.path("opencode.tgz"), bytes).unwrap();
        let text = chain(&bench.build().0.unwrap_err());
        assert!(text.ends_with(expected), "{text}");
    }
    only_the_guests_layer_is_kept(&bench);
}

#[test]
fn a_binary_that_differs_from_the_lock_is_refused() {
    let mut bench = Bench::new();
    bench.plan.opencode.binary = occ_oci::Digest::sha256(b"another");
    let error = bench.build().0.unwrap_err();
    assert!(matches!(error, BuildError::BinaryMismatch { .. }), "{error:?}");
    bench.plan.opencode.member = "package/bin/other".to_owned();
    let error = bench.build().0.unwrap_err();
    assert_eq!(error.to_string(), "opencode-linux-x64@1.18.33 has no package/bin/other");
    only_the_guests_layer_is_kept(&bench);
}

#[test]
fn a_missing_program_is_named_with_its_package() {
    let bench = Bench::new();
    fs::remove_file(bench.path("mmdebstrap")).unwrap();
    let error = bench.build().0.unwrap_err();
    assert!(
        matches!(&error, BuildError::MissingProgram { package: "mmdebstrap", .. }),
        "{error:?}"
    );
    fs::remove_file(bench.path("npm")).unwrap();
    fs::remove_dir_all(&bench.workshop.cache_dir).unwrap();
    let error = bench.build().0.unwrap_err();
    assert!(matches!(&error, BuildError::MissingProgram { package: "npm", .. }), "{error:?}");
    only_the_guests_layer_is_kept(&bench);
}

#[test]
fn a_program_that_fails_is_quoted_with_its_last_lines() {
    let bench = Bench::new();
    bench.script("npm", "for n in $(seq 1 40); do echo line $n >&2; done; exit 3");
    match bench.build().0.unwrap_err() {
        BuildError::ProgramFailed { name, status, tail } => {
            assert!(name.ends_with("/npm"), "{name}");
            assert_eq!(status, "exit status: 3");
            let expected: Vec<String> = (26..=40).map(|n| format!("line {n}")).collect();
            assert_eq!(tail, expected);
        }
        other => panic!("{other:?}"),
    }
    only_the_guests_layer_is_kept(&bench);
}

#[test]
fn a_client_that_brings_nothing_is_noticed() {
    let bench = Bench::new();
    bench.script("npm", "true");
    let error = bench.build().0.unwrap_err();
    assert_eq!(error.to_string(), "what npm brought has no opencode-linux-x64@1.18.33");
    bench.script("npm", &bench.working_npm());
    bench.script("mmdebstrap", "true");
    let error = bench.build().0.unwrap_err();
    assert!(matches!(error, BuildError::File { .. }), "{error:?}");
}

#[test]
fn an_archive_that_is_no_debian_is_refused() {
    let bench = Bench::new();
    fs::write(bench.path("base.tar"), [0; 1024]).unwrap();
    let error = bench.build().0.unwrap_err();
    assert_eq!(error.to_string(), "the Debian base has no etc/passwd");
}

#[test]
fn an_interrupted_program_may_clean_up_and_leaves_no_children() {
    let bench = Bench::new();
    let (started, cleaned, child) =
        (bench.path("started"), bench.path("cleaned"), bench.path("child"));
    bench.script(
        "mmdebstrap",
        &format!(
            "trap 'touch {}; exit 1' TERM\nsleep 600 &\necho $! > {}\ntouch {}\nwait",
            cleaned.display(),
            child.display(),
            started.display()
        ),
    );
    let cancel = AtomicBool::new(false);
    let result = std::thread::scope(|scope| {
        let build = scope.spawn(|| build(&bench.plan, &bench.workshop, &|_| (), &cancel));
        let deadline = Instant::now() + Duration::from_secs(20);
        while !started.exists() {
            assert!(Instant::now() < deadline, "the program was never started");
            std::thread::sleep(Duration::from_millis(20));
        }
        let asked = Instant::now();
        cancel.store(true, Ordering::Relaxed);
        let result = build.join().unwrap();
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        result
    });
    assert!(matches!(result, Err(BuildError::Cancelled)), "{result:?}");
    assert!(cleaned.exists(), "the program could not clean up");
    let child = fs::read_to_string(child).unwrap();
    let state = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "a child is left: {state}");
    assert!(!bench.kept().iter().any(|name| name.starts_with("work-")), "{:?}", bench.kept());
}

#[test]
fn a_kept_layer_that_was_damaged_is_made_again() {
    let bench = Bench::new();
    let image = bench.build().0.unwrap();
    let layer = &image.layers[1];
    let good = fs::read(&layer.path).unwrap();
    let mut flipped = good.clone();
    flipped[600] ^= 1;
    for bad in [&flipped[..], &good[..700], &[&good[..], b"x"].concat(), b""] {
        fs::write(&layer.path, bad).unwrap();
        assert!(read_archive(&image).is_err(), "a damaged layer was handed out");
        let (again, events) = bench.build();
        assert_eq!(again.unwrap(), image);
        assert!(events.contains(&Event::Damaged(Phase::Opencode)), "{events:?}");
        assert!(events.contains(&Event::Reused(Phase::Base)), "{events:?}");
        assert_eq!(fs::read(&layer.path).unwrap(), good);
    }
    // A note that says nothing useful is no note.
    fs::write(layer.path.with_extension("json"), "{").unwrap();
    assert_eq!(bench.build().0.unwrap(), image);
    fs::remove_file(&layer.path).unwrap();
    assert_eq!(bench.build().0.unwrap(), image);
}

fn read_archive(image: &occ_image::Image) -> std::io::Result<u64> {
    let mut archive = image.archive()?;
    std::io::copy(&mut archive.by_ref(), &mut std::io::sink())
}

#[test]
fn what_a_killed_build_left_is_swept_up() {
    let bench = Bench::new();
    let left = bench.workshop.cache_dir.join("layers-v1/work-killed");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("base.tar"), "half").unwrap();
    bench.build().0.unwrap();
    assert!(!left.exists());
}

#[test]
fn a_cache_that_is_no_folder_is_named() {
    let bench = Bench::new();
    fs::write(&bench.workshop.cache_dir, "").unwrap();
    let error = bench.build().0.unwrap_err();
    let expected = format!("cannot use {}", bench.workshop.cache_dir.join("layers-v1").display());
    assert_eq!(error.to_string(), expected);
}

/// A disk of its own, of a size.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path, size: &str) -> Self {
        fs::create_dir_all(at).unwrap();
        let option = format!("size={size},mode=1777");
        as_root(&["mount", "-t", "tmpfs", "-o", &option, "tmpfs", at.to_str().unwrap()]);
        Self(at)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        as_root(&["umount", "--lazy", self.0.to_str().unwrap()]);
    }
}

fn as_root(command: &[&str]) {
    let root = rustix::process::geteuid().is_root();
    let words = if root { command.to_vec() } else { [&["sudo", "-n"], command].concat() };
    let status = Command::new(words[0]).args(&words[1..]).status().unwrap();
    assert!(status.success(), "{words:?}: {status}");
}

#[test]
fn a_full_disk_says_so_wherever_it_fills_up_and_leaves_nothing_half_made() {
    let bench = Bench::new();
    let cache = bench.workshop.cache_dir.clone();
    // The base of the bench has 3 MB: the program fails on the small one, the rewriting on the larger.
    for size in ["2m", "5m"] {
        let _disk = SmallDisk::mount(&cache, size);
        let error = bench.build().0.unwrap_err();
        assert!(matches!(error, BuildError::StorageFull { .. }), "{size}: {error:?}");
        only_guest_and_opencode_are_kept(&bench);
    }
    bench.build().0.unwrap();
    assert_eq!(names(&bench.workshop.temp_dir), Vec::<String>::new());
}

fn only_guest_and_opencode_are_kept(bench: &Bench) {
    let mut expected = vec!["lock".to_owned()];
    for key in [bench.plan.guest_key(), bench.plan.opencode_key()] {
        expected.extend([format!("{}.json", key.hex()), format!("{}.tar", key.hex())]);
    }
    expected.sort();
    assert_eq!(bench.kept(), expected);
}
