//! Which packages a lock gets, from a little archive of our own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use occ_image::{Architecture, BuildError, DebianPin, Event, Lock, Upgrade};
use occ_oci::{Digest, Platform};
use occ_testkit::SmallDisk;

use crate::debian::{Shop, recipe};
use crate::debian_faults::{no_leftovers, plan_of};

/// A package: name, version, source, and more fields.
type Package = (&'static str, &'static str, &'static str, &'static str);

/// A file in the archive's folder that makes it answer in pieces, with pauses.
const SLOW: &str = "slow";

/// Source of packages that the archive has for one architecture only.
const AMD64_ONLY: &str = "amd64-only";

/// What every Debian has.
const BEGINNING: [Package; 2] = [
    ("base", "1", "base", "Essential: yes\nPriority: required\n"),
    ("apt", "3", "apt", "Depends: base\n"),
];

/// The name of a package whose file is large: [`HEAVY_SIZE`] bytes.
const HEAVY: &str = "heavy";
const HEAVY_SIZE: usize = 24 << 20;

fn file_of(name: &str, version: &str, architecture: &str) -> Vec<u8> {
    let mut bytes = format!("{name} {version} {architecture}").into_bytes();
    if name == HEAVY {
        bytes.resize(HEAVY_SIZE, b'.');
    }
    bytes
}

/// A workshop whose apt knows an archive with these packages, and newer ones for updates.
fn shop_of(packages: &[Package], updates: &[Package]) -> Shop {
    let mut shop = Shop::new();
    let folder = shop.path("archive");
    let all: Vec<Package> = BEGINNING.iter().chain(packages).copied().collect();
    for (suite, packages) in [("trixie", all.as_slice()), ("trixie-updates", updates)] {
        write_suite(&folder.join("debian/dists").join(suite), suite, packages);
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            thread::spawn(move || serve(stream, &folder));
        }
    });
    let line = format!("http://127.0.0.1:{port}/debian/|Debian|Debian");
    let unsigned =
        "-o Acquire::AllowInsecureRepositories=true -o APT::Get::AllowUnauthenticated=true";
    let body = format!(
        "case $1 in indextargets) echo '{line}';; *) exec apt-get {unsigned} \"$@\";; esac"
    );
    shop.workshop.programs.apt_get = shop.script("apt-get", &body);
    shop.workshop.programs.keyring = shop.path("nowhere");
    shop
}

/// Writes the lists of a suite, and the files they promise.
fn write_suite(folder: &Path, suite: &str, packages: &[Package]) {
    let pool = folder.join("../../pool");
    fs::create_dir_all(folder).unwrap();
    fs::create_dir_all(&pool).unwrap();
    let mut sums = String::new();
    for architecture in ["amd64", "arm64"] {
        let mut list = String::new();
        for (name, version, source, more) in packages {
            if *source == AMD64_ONLY && architecture != "amd64" {
                continue;
            }
            let bytes = file_of(name, version, architecture);
            let digest = Digest::sha256(&bytes);
            fs::write(pool.join(format!("{name}_{version}_{architecture}.deb")), &bytes).unwrap();
            list += &format!(
                "Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nSource: {source}\n\
                 {more}Filename: pool/{name}_{version}_{architecture}.deb\nSize: {}\nSHA256: {}\n\n",
                bytes.len(),
                digest.hex()
            );
        }
        let path = format!("main/binary-{architecture}/Packages");
        fs::create_dir_all(folder.join(&path).parent().unwrap()).unwrap();
        fs::write(folder.join(&path), &list).unwrap();
        sums += &format!(" {} {} {path}\n", Digest::sha256(list.as_bytes()).hex(), list.len());
    }
    let release = format!(
        "Origin: Debian\nLabel: Debian\nSuite: {suite}\nCodename: {suite}\n\
         Date: Sat, 09 Aug 2025 00:00:00 UTC\nArchitectures: amd64 arm64\nComponents: main\nSHA256:\n{sums}"
    );
    fs::write(folder.join("Release"), release).unwrap();
}

/// Answers requests for files of a folder (RFC 9112, as much of it as apt needs).
fn serve(mut stream: TcpStream, folder: &Path) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut first = String::new();
        let mut line = String::from("x");
        if reader.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        while !line.trim().is_empty() {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        let path = first.split(' ').nth(1).unwrap().trim_start_matches('/');
        let (status, body) = match fs::read(folder.join(path)) {
            Ok(body) => ("200 OK", body),
            Err(_) => ("404 Not Found", Vec::new()),
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        let pause = if folder.join(SLOW).exists() { 100 } else { 0 };
        let mut pieces = body.chunks(body.len().div_ceil(4).max(1));
        let sent = stream.write_all(head.as_bytes()).and_then(|()| {
            pieces.try_for_each(|piece| {
                thread::sleep(Duration::from_millis(pause));
                stream.write_all(piece)
            })
        });
        if sent.is_err() {
            return;
        }
    }
}

/// Name to group and version, for one architecture; the other has the same.
fn chosen(lock: &Lock) -> BTreeMap<&str, (&str, &str)> {
    let groups = lock.groups(Architecture::Arm64);
    groups
        .flat_map(|group| {
            let name = group.group.as_str();
            group.packages.iter().map(move |pin| (pin.name.as_str(), (name, pin.version.as_str())))
        })
        .collect()
}

fn with_version(lock: &Lock, name: &str, version: &str) -> Lock {
    let mut lock = lock.clone();
    let pins = lock.debian.iter_mut().flat_map(|group| &mut group.packages);
    pins.filter(|pin| pin.name == name).for_each(|pin| version.clone_into(&mut pin.version));
    lock
}

#[test]
fn a_group_has_what_no_earlier_one_has() {
    let shop = shop_of(
        &[
            ("app", "1", "app", "Depends: lib, some-mta\n"),
            ("lib", "1", "lib", ""),
            ("tool", "1", "tool", "Depends: lib\n"),
            ("small-mta", "1", "small-mta", "Provides: some-mta\n"),
        ],
        &[],
    );
    let recipe = recipe(&[("one", &["app"]), ("two", &["tool"]), ("three", &["lib"])]);
    let lock = shop.lock(&recipe, None, Upgrade::Needed).unwrap();
    assert_eq!(lock.debian.len(), 6, "an empty group is a group");
    let expected = [
        ("app", ("one", "1")),
        ("apt", ("one", "3")),
        ("base", ("one", "1")),
        ("lib", ("one", "1")),
        ("small-mta", ("one", "1")),
        ("tool", ("two", "1")),
    ];
    assert_eq!(chosen(&lock), BTreeMap::from(expected));
}

#[test]
fn a_package_that_one_architecture_lacks_is_named_with_it() {
    let shop = shop_of(&[("app", "1", "app", ""), ("firmware", "1", AMD64_ONLY, "")], &[]);
    let recipe = recipe(&[("one", &["app", "firmware"])]);
    let error = shop.lock(&recipe, None, Upgrade::Needed).unwrap_err();
    assert_eq!(error.to_string(), "firmware for arm64 is not to be had from Debian");
    no_leftovers(&shop);
}

#[test]
fn a_slow_archive_is_good_enough() {
    let shop = shop_of(&[("app", "1", "app", "")], &[]);
    fs::write(shop.path("archive").join(SLOW), "").unwrap();
    let lock = shop.lock(&recipe(&[("one", &["app"])]), None, Upgrade::Needed).unwrap();
    assert_eq!(chosen(&lock)["app"], ("one", "1"));
}

#[test]
fn what_a_later_group_makes_needless_is_not_there() {
    let shop = shop_of(
        &[
            ("app", "1", "app", "Depends: small | big\n"),
            ("small", "1", "small", ""),
            ("big", "1", "big", "Conflicts: small\n"),
        ],
        &[],
    );
    let lock = shop.lock(&recipe(&[("one", &["app"]), ("two", &["big"])]), None, Upgrade::Needed);
    let lock = lock.unwrap();
    let chosen = chosen(&lock);
    assert!(!chosen.contains_key("small"), "{chosen:?}");
    assert_eq!((chosen["app"].0, chosen["big"].0), ("one", "two"));
}

const OLD: [Package; 4] = [
    ("lib", "1", "lib", ""),
    ("lib-data", "1", "lib", ""),
    ("app", "1", "app", "Depends: lib, lib-data\n"),
    ("other", "1", "other", ""),
];
const NEW: [Package; 4] = [
    ("lib", "2", "lib", ""),
    ("lib-data", "2", "lib", ""),
    ("app", "2", "app", "Depends: lib, lib-data\n"),
    ("other", "2", "other", ""),
];

#[test]
fn what_is_locked_stays_unless_it_may_move() {
    let recipe = recipe(&[("one", &["app", "other"])]);
    let before = shop_of(&OLD, &[]).lock(&recipe, None, Upgrade::Needed).unwrap();
    let shop = shop_of(&OLD, &NEW);
    let lock = |kept: &Lock, upgrade| shop.lock(&recipe, Some(kept), upgrade).unwrap();

    assert_eq!(lock(&before, Upgrade::Needed), before);
    let all = lock(&before, Upgrade::All);
    let names = ["app", "lib", "lib-data", "other"];
    assert_eq!(names.map(|name| chosen(&all)[name].1), ["2"; 4]);

    // Packages of one source go together.
    let one = lock(&before, Upgrade::One("lib".to_owned()));
    assert_eq!(names.map(|name| chosen(&one)[name].1), ["1", "2", "2", "1"]);
    // The archive has no such version any more.
    let gone = lock(&with_version(&before, "lib-data", "0.5"), Upgrade::Needed);
    assert_eq!(chosen(&gone), chosen(&one));
}

#[test]
fn what_cannot_stay_with_what_is_new_moves_too() {
    let old = [OLD[0], OLD[1], ("app", "1", "app", "Depends: lib (= 1)\n")];
    let new = [NEW[0], NEW[1], ("app", "2", "app", "Depends: lib (= 2)\n")];
    let recipe = recipe(&[("one", &["app"])]);
    let before = shop_of(&old, &[]).lock(&recipe, None, Upgrade::Needed).unwrap();
    let shop = shop_of(&old, &new);
    let after = shop.lock(&recipe, Some(&before), Upgrade::One("app".to_owned())).unwrap();
    assert_eq!((chosen(&after)["app"].1, chosen(&after)["lib"].1), ("2", "2"));
}

#[test]
fn what_cannot_be_together_is_apts_to_explain() {
    let shop = shop_of(
        &[("app", "1", "app", "Depends: lib (= 7)\n"), ("lib", "1", "lib", "Provides: thing\n")],
        &[],
    );
    let error = shop.lock(&recipe(&[("one", &["app", "thing"])]), None, Upgrade::Needed);
    let error = error.unwrap_err();
    let BuildError::ProgramFailed { tail, .. } = error else { panic!("{error}") };
    assert!(tail.iter().any(|line| line.contains("lib (= 7)")), "{tail:?}");
}

#[test]
fn files_are_kept_once_and_not_asked_for_again() {
    let shop = shop_of(&[("app", "1:2-3", "app", "")], &[]);
    let recipe = recipe(&[("one", &["app"])]);
    let lock = shop.lock(&recipe, None, Upgrade::Needed).unwrap();
    fs::remove_dir_all(shop.path("archive/debian/pool")).unwrap();
    assert_eq!(shop.lock(&recipe, Some(&lock), Upgrade::Needed).unwrap(), lock);

    let pin = &lock.debian[0].packages[0];
    let kept = shop.path(&format!("cache/workshop-v3/files/sha256-{}", pin.digest.hex()));
    fs::write(kept, "damaged").unwrap();
    let error = shop.lock(&recipe, Some(&lock), Upgrade::Needed).unwrap_err();
    let BuildError::ProgramFailed { tail, .. } = error else { panic!("{error}") };
    assert!(tail.iter().any(|line| line.contains("404")), "{tail:?}");
    assert!(shop.events.lock().unwrap().contains(&Event::DamagedFile(pin.digest.clone())));
}

#[test]
fn a_file_that_is_not_the_promised_one_is_not_used() {
    let shop = shop_of(&[("app", "1", "app", "")], &[]);
    let lock = shop.lock(&recipe(&[("one", &["app"])]), None, Upgrade::Needed).unwrap();
    let files = shop.path("cache/workshop-v3/files");
    fs::remove_dir_all(&files).unwrap();
    let pin = lock.debian[0].packages.iter().find(|pin| pin.name == "app").unwrap();
    let other = DebianPin { digest: Digest::sha256(b"something else"), ..pin.clone() };
    let error = shop.build(plan_of(Platform::LinuxAmd64, &[other])).unwrap_err();
    let BuildError::FileMismatch { name, .. } = error else { panic!("{error}") };
    assert_eq!(name, "app 1");
    assert!(fs::read_dir(files).unwrap().next().is_none());
    no_leftovers(&shop);
}

#[test]
fn a_file_that_is_not_what_the_archives_own_list_says_is_not_used() {
    let shop = shop_of(&[("app", "1", "app", "")], &[]);
    fs::write(shop.path("archive/debian/pool/app_1_amd64.deb"), "app 2 amd64").unwrap();
    let error = shop.lock(&recipe(&[("one", &["app"])]), None, Upgrade::Needed).unwrap_err();
    let BuildError::ProgramFailed { tail, .. } = error else { panic!("{error}") };
    assert!(tail.iter().any(|line| line.contains("Hash Sum mismatch")), "{tail:?}");
    no_leftovers(&shop);
}

#[test]
fn a_disk_that_is_full_before_all_packages_are_there_is_named_and_what_came_is_kept() {
    let packages = [(HEAVY, "1", HEAVY, ""), ("light", "1", "light", "")];
    let recipe = recipe(&[("one", &[HEAVY, "light"])]);
    let lock = shop_of(&packages, &[]).lock(&recipe, None, Upgrade::Needed).unwrap();
    let shop = shop_of(&packages, &[]);
    let cache = shop.path("cache");
    let _disk = SmallDisk::mount(&cache, "20m");
    let groups = lock.groups(Architecture::Amd64);
    let pins: Vec<_> = groups.flat_map(|group| group.packages.clone()).collect();
    let locked = || shop.lock(&recipe, None, Upgrade::Needed).unwrap_err();
    for error in [shop.build(plan_of(Platform::LinuxAmd64, &pins)).unwrap_err(), locked()] {
        let BuildError::StorageFull { path } = error else { panic!("{error}") };
        assert!(path.starts_with(&cache), "{path:?}");
        no_leftovers(&shop);
    }
    let base = pins.iter().find(|pin| pin.name == "base").unwrap();
    let kept = cache.join(format!("workshop-v3/files/sha256-{}", base.digest.hex()));
    assert_eq!(fs::read(kept).unwrap(), b"base 1 amd64");
}
