//! What can go wrong with Debian: archives that lie, sleep or are gone, and programs that are missing.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use std::{fs, thread};

use occ_image::{
    Architecture, BuildError, BuildPlan, DebianGroup, DebianPin, Lock, Recipe, Release, Target,
    Upgrade,
};
use occ_oci::{Digest, Platform};

use crate::debian::{Shop, recipe};

/// A plan for a base of these packages, whatever they are.
pub(crate) fn plan_of(platform: Platform, pins: &[DebianPin]) -> BuildPlan {
    let recipe: Recipe = recipe(&[("first", &["tini"])]);
    let architecture = Architecture::from(platform);
    let group = DebianGroup { architecture, group: "first".to_owned(), packages: pins.to_vec() };
    let lock = Lock {
        recipe: recipe.request(),
        debian: vec![group],
        tools: std::collections::BTreeMap::new(),
    };
    BuildPlan::new(&recipe, &lock, &Target::new(platform, "base"), &Release::default()).unwrap()
}

fn pin(name: &str, version: &str, bytes: &[u8]) -> DebianPin {
    DebianPin {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: Some(Architecture::Amd64),
        size: bytes.len() as u64,
        digest: Digest::sha256(bytes),
    }
}

pub(crate) fn no_leftovers(shop: &Shop) {
    for folder in [shop.workshop.temp_dir.clone(), shop.path("cache/workshop-v3/work")] {
        let left: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn all_packages_that_the_archive_no_longer_has_are_named() {
    let shop = Shop::new();
    let pins = [pin("tini", "0.1-1", b""), pin("curl", "0.2-1", b"2"), pin("nosuch", "1", b"3")];
    let error = shop.build(plan_of(Platform::LinuxAmd64, &pins)).unwrap_err();
    let message = "curl 0.2-1, nosuch 1, tini 0.1-1 is not to be had from Debian";
    assert_eq!(error.to_string(), message);

    let unknown = recipe(&[("first", &["tini", "nosuch", "neither"])]);
    let error = shop.lock(&unknown, None, Upgrade::Needed).unwrap_err();
    assert_eq!(error.to_string(), "neither, nosuch for amd64 is not to be had from Debian");
    no_leftovers(&shop);
}

/// Serves every request with `answer` on a port of its own, and lets apt take it for Debian's archive.
fn archive(shop: &mut Shop, answer: fn(TcpStream)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    archive_at(shop, port);
}

fn archive_at(shop: &mut Shop, port: u16) {
    let line = format!("http://127.0.0.1:{port}/debian/|Debian|Debian");
    let body = format!("case $1 in indextargets) echo '{line}';; *) exec apt-get \"$@\";; esac");
    shop.workshop.programs.apt_get = shop.script("apt-get", &body);
    let options = "Acquire::http::Timeout \\\"1\\\";\\nAcquire::Retries \\\"0\\\";";
    shop.workshop.programs.apt_config =
        shop.script("apt-config", &format!("printf \"{options}\\n\""));
}

fn fails_soon(shop: &Shop) -> BuildError {
    let start = Instant::now();
    let error = shop.lock(&recipe(&[("first", &["tini"])]), None, Upgrade::Needed).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    no_leftovers(shop);
    error
}

#[test]
fn an_archive_that_answers_with_a_page_of_html_is_not_believed() {
    let mut shop = Shop::new();
    archive(&mut shop, |mut stream| {
        let mut request = [0; 4096];
        while stream.read(&mut request).is_ok_and(|taken| taken > 0) {
            let page = "<html>Please log in</html>";
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length:";
            stream.write_all(format!("{head} {}\r\n\r\n{page}", page.len()).as_bytes()).ok();
        }
    });
    let error = fails_soon(&shop);
    let BuildError::ProgramFailed { tail, .. } = error else { panic!("{error}") };
    assert!(tail.iter().any(|line| line.contains("127.0.0.1")), "{tail:?}");
}

#[test]
fn an_archive_that_never_answers_is_given_up() {
    let mut shop = Shop::new();
    archive(&mut shop, |stream| {
        thread::sleep(Duration::from_secs(300));
        drop(stream);
    });
    let error = fails_soon(&shop);
    assert!(matches!(error, BuildError::ProgramFailed { .. }), "{error}");
}

#[test]
fn waiting_for_an_archive_can_be_interrupted() {
    let mut shop = Shop::new();
    archive(&mut shop, |stream| {
        thread::sleep(Duration::from_secs(300));
        drop(stream);
    });
    shop.workshop.programs.apt_config = shop.script("apt-config", "");
    let error = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_secs(1));
            shop.cancel.store(true, Ordering::Relaxed);
        });
        fails_soon(&shop)
    });
    assert!(matches!(error, BuildError::Cancelled), "{error}");
}

#[test]
fn an_archive_that_is_down_is_named() {
    let mut shop = Shop::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    archive_at(&mut shop, port);
    let error = fails_soon(&shop);
    let BuildError::ProgramFailed { tail, .. } = error else { panic!("{error}") };
    assert!(tail.iter().any(|line| line.contains(&port.to_string())), "{tail:?}");
}

#[test]
fn mmdebstrap_knows_an_archive_where_apt_knows_none() {
    let mut shop = Shop::new();
    let body = "case $1 in indextargets) ;; *) exec apt-get \"$@\";; esac";
    shop.workshop.programs.apt_get = shop.script("apt-get", body);
    let lock = shop.lock(&recipe(&[("first", &["tini"])]), None, Upgrade::Needed).unwrap();
    assert!(lock.groups(Architecture::Amd64).any(|group| group.packages.len() > 50));
}

#[test]
fn missing_programs_are_named_with_their_packages() {
    let mut shop = Shop::new();
    let none = shop.path("nowhere");
    let missing = |error: BuildError| match error {
        BuildError::MissingProgram { name, package } => (name, package),
        other => panic!("{other}"),
    };
    let foreign = match std::env::consts::ARCH {
        "x86_64" => Platform::LinuxArm64,
        _ => Platform::LinuxAmd64,
    };
    let name = Architecture::from(foreign).name();
    shop.workshop.programs.arch_test = shop.script("arch-test", "exit 1");
    let error = shop.build(plan_of(foreign, &[])).unwrap_err();
    let emulator = format!("an emulator of {name} that binfmt_misc knows");
    assert_eq!(missing(error), (emulator, "qemu-user-static binfmt-support"));

    shop.workshop.programs.arch_test = none.clone();
    assert_eq!(missing(shop.build(plan_of(foreign, &[])).unwrap_err()).1, "arch-test");

    let own = Platform::ALL.into_iter().find(|it| *it != foreign).unwrap();
    shop.workshop.programs.mmdebstrap = none.clone();
    assert_eq!(missing(shop.build(plan_of(own, &[])).unwrap_err()).1, "mmdebstrap");

    shop.workshop.programs.apt_get = none;
    assert_eq!(missing(fails_soon(&shop)).1, "apt");
}

/// A package file with these archives in it (deb(5)).
fn deb(data: &[u8]) -> Vec<u8> {
    let mut file = b"!<arch>\n".to_vec();
    for (name, bytes) in
        [("debian-binary", &b"2.0\n"[..]), ("control.tar", &[0; 1024]), ("data.tar", data)]
    {
        let size = bytes.len();
        file.extend(
            format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 100_644).bytes(),
        );
        file.extend(bytes);
        file.resize(file.len().next_multiple_of(2), b'\n');
    }
    file
}

fn tar_with(path: &str) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_mode(0o644);
    header.set_size(5);
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, &b"evil\n"[..]).unwrap();
    builder.into_inner().unwrap()
}

/// Builds a base of one package file that is in the cache under its right digest.
fn build_of(shop: &Shop, bytes: &[u8]) -> BuildError {
    let pin = pin("evil", "1", bytes);
    let folder = shop.path("cache/workshop-v3/files");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("sha256-{}", pin.digest.hex())), bytes).unwrap();
    shop.build(plan_of(native(), &[pin])).unwrap_err()
}

fn native() -> Platform {
    match std::env::consts::ARCH {
        "x86_64" => Platform::LinuxAmd64,
        _ => Platform::LinuxArm64,
    }
}

#[test]
fn packages_that_are_none_and_packages_that_want_out_are_refused() {
    let shop = Shop::new();
    let whole = deb(&tar_with("./usr/evil"));
    for bytes in [&b"<html>"[..], &whole[..whole.len() - 700]] {
        let error = build_of(&shop, bytes);
        assert!(matches!(error, BuildError::ProgramFailed { .. }), "{error}");
        no_leftovers(&shop);
    }
    let error = build_of(&shop, &deb(&tar_with("./../../../../../../../../../../tmp/occ-evil")));
    assert!(matches!(error, BuildError::ProgramFailed { .. }), "{error}");
    assert!(!Path::new("/tmp/occ-evil").exists());
    no_leftovers(&shop);
}
