//! Tools from addresses, with a server of our own.

use occ_oci::{Digest, Platform, VerifyingError};

use super::packed::{elf, noise, tar_gz, zip};
use super::server::{Answer, Manner, Server};
use super::shop::{Shop, bytes, plan, tool};
use crate::error::BuildError;
use crate::plan::{PlanError, ToolPlan};

/// Returns the plan of a tool with one file, which the server has as `name`.
fn planned(server: &Server, name: &str, promised: &[u8], files: &str) -> ToolPlan {
    let digest = Digest::sha256(promised);
    let tool = tool(
        "one",
        &format!(
            "source = \"url\"\nversion = \"1.2\"\nurl = \"{}\"\nsha256 = \"{}\"\nfiles = {{ {files} }}",
            server.url(name),
            digest.hex(),
        ),
    );
    plan(&tool, None, Platform::LinuxAmd64)
}

const AS_IT_IS: &str = "\"/usr/local/bin/one\" = \"one-{version}.{arch}\"";

/// Fetches what the server answers, where `promised` is expected.
fn fetched(promised: &[u8], answer: Answer) -> Result<(), BuildError> {
    let server = Server::new();
    server.set("/one-1.2.amd64", answer);
    Shop::new().fetch(&planned(&server, "/one-{version}.{arch}", promised, AS_IT_IS))
}

#[test]
fn a_file_that_is_no_archive_is_put_in_its_place() {
    let server = Server::new();
    server.set("/one-1.2.amd64", Answer::ok(elf(62)));
    let shop = Shop::new();
    let plan = planned(&server, "/one-{version}.{arch}", &elf(62), AS_IT_IS);
    let entries = shop.entries(&plan).unwrap();
    let program = &entries["usr/local/bin/one"];
    assert_eq!((program.mode, bytes(&program.kind)), (0o755, elf(62)));
    shop.fetch(&plan).unwrap();
    assert_eq!(server.requests().len(), 1, "it is in the cache");
}

#[test]
fn archives_are_opened_by_the_name_in_the_address() {
    let members: [(&str, &[u8]); 3] =
        [("one-1.2/bin/one*", &elf(62)), ("one-1.2/share/a", b"a"), ("one-1.2/share/b/c", b"c")];
    let zipped = members.map(|(name, contents)| (name.trim_end_matches('*'), contents));
    let server = Server::new();
    for (name, archive) in [("/one.tar.gz", tar_gz(&members)), ("/one.zip", zip(&zipped))] {
        server.set(name, Answer::ok(archive.clone()));
        let files = "\"/usr/local/bin/one\" = \"one-{version}/bin/one\", \"/usr/share/one\" = \"one-1.2/share\"";
        let entries = Shop::new().entries(&planned(&server, name, &archive, files)).unwrap();
        assert_eq!(entries["usr/local/bin/one"].mode, 0o755);
        assert_eq!(bytes(&entries["usr/share/one/b/c"].kind), b"c");
        assert!(!entries.contains_key("usr/share/one/bin"));
    }
}

#[test]
fn a_wrong_or_broken_file_is_refused_with_both_digests() {
    match fetched(b"right", Answer::ok("wrong")) {
        Err(BuildError::FileMismatch {
            name,
            source: VerifyingError::Digest { expected, got },
        }) => {
            assert_eq!(name, "one 1.2");
            assert_eq!((expected, got), (Digest::sha256(b"right"), Digest::sha256(b"wrong")));
        }
        other => panic!("{other:?}"),
    }
    let page = fetched(b"right", Answer::html());
    assert!(matches!(page, Err(BuildError::FileMismatch { .. })), "{page:?}");
}

#[test]
fn a_file_that_breaks_off_is_refused() {
    let body = [7; 9999];
    let half = fetched(&body, Answer::ok(body).manner(Manner::Half));
    assert!(matches!(half, Err(BuildError::ProgramFailed { .. })), "{half:?}");
}

#[test]
fn a_slow_server_is_good_enough() {
    let body = [7; 9999];
    fetched(&body, Answer::ok(body).manner(Manner::Slowly)).unwrap();
}

#[test]
fn a_silent_server_is_left_when_it_is_asked_to() {
    let shop = Shop::new();
    let server = Server::new();
    server.set("/one", Answer::ok("").manner(Manner::Silence));
    std::thread::scope(|scope| {
        let fetching = scope.spawn(|| shop.fetch(&planned(&server, "/one", b"", AS_IT_IS)));
        while server.requests().is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        shop.cancel.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(matches!(fetching.join().unwrap(), Err(BuildError::Cancelled)));
    });
}

#[test]
fn a_file_that_is_not_there_is_told_from_a_server_that_fails() {
    match fetched(b"", Answer::status(404)) {
        Err(BuildError::NotAvailable { name, registry: "its address" }) => {
            assert!(name.starts_with("one 1.2 (http://127.0.0.1:"), "{name}");
        }
        other => panic!("{other:?}"),
    }
    match fetched(b"", Answer::status(403)) {
        Err(BuildError::ProgramFailed { tail, .. }) => {
            assert!(tail.join("").contains("403"), "{tail:?}");
        }
        other => panic!("{other:?}"),
    }
    let server = Server::new();
    let plan = planned(&server, "/one", b"", AS_IT_IS);
    drop(server);
    let gone = Shop::new().fetch(&plan);
    assert!(matches!(gone, Err(BuildError::ProgramFailed { .. })), "{gone:?}");
}

#[test]
fn redirects_are_followed_and_circles_are_not() {
    let server = Server::new();
    server.set("/one", Answer::redirect(server.url("/two")));
    server.set("/two", Answer::ok("right"));
    let plan = planned(&server, "/one", b"right", AS_IT_IS);
    Shop::new().fetch(&plan).unwrap();
    server.set("/two", Answer::redirect("/one"));
    let circle = Shop::new().fetch(&plan);
    assert!(matches!(circle, Err(BuildError::ProgramFailed { .. })), "{circle:?}");
    server.set("/two", Answer::redirect("file:///etc/passwd"));
    let local = Shop::new().fetch(&plan);
    assert!(matches!(local, Err(BuildError::ProgramFailed { .. })), "{local:?}");
}

#[test]
fn archives_that_climb_out_or_are_none_are_refused() {
    let server = Server::new();
    for archive in [
        tar_gz(&[("../x", b"")]),
        b"no archive".to_vec(),
        tar_gz(&[("x", &[7; 999])])[..40].to_vec(),
    ] {
        server.set("/one.tar.gz", Answer::ok(archive.clone()));
        let plan = planned(&server, "/one.tar.gz", &archive, "\"/usr/bin/x\" = \"x\"");
        match Shop::new().entries(&plan) {
            Err(BuildError::Archive { name, .. }) => assert_eq!(name, "one 1.2"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn members_are_named_when_they_are_missing_or_in_each_others_way() {
    let server = Server::new();
    let archive = tar_gz(&[("a", b"1"), ("b/c", b"2")]);
    server.set("/one.tgz", Answer::ok(archive.clone()));
    let made = |files| Shop::new().entries(&planned(&server, "/one.tgz", &archive, files));
    match made("\"/x\" = \"none\"") {
        Err(BuildError::Incomplete { whole, part }) => {
            assert_eq!((whole.as_str(), part.as_str()), ("one 1.2", "none"));
        }
        other => panic!("{other:?}"),
    }
    for files in ["\"/x\" = \"b\", \"/x/c\" = \"a\"", "\"/x\" = \"a\", \"/x/c\" = \"b\""] {
        let conflict = made(files);
        let expected = matches!(conflict, Err(BuildError::Plan(PlanError::Conflict { .. })));
        assert!(expected, "{conflict:?}");
    }
}

#[test]
fn an_architecture_without_a_digest_has_no_pin() {
    let server = Server::new();
    let mut plan = planned(&server, "/one", b"", AS_IT_IS);
    let only = format!(
        "source = \"url\"\nversion = \"1\"\nurl = \"{}\"\nfiles = {{ \"/x\" = \"x\" }}\nsha256.arm64 = \"{}\"",
        server.url("/one"),
        Digest::sha256(b"").hex()
    );
    plan.tool = tool("one", &only);
    let refused = Shop::new().fetch(&plan);
    assert!(matches!(refused, Err(BuildError::Plan(PlanError::NoPin { .. }))), "{refused:?}");
}

#[test]
fn without_curl_its_package_is_named() {
    let server = Server::new();
    let mut shop = Shop::new();
    shop.workshop.programs.curl = "/nowhere/curl".into();
    let missing = shop.fetch(&planned(&server, "/one", b"", AS_IT_IS));
    assert!(
        matches!(missing, Err(BuildError::MissingProgram { package: "curl", .. })),
        "{missing:?}"
    );
}

#[test]
fn a_full_disk_is_told_from_a_server_that_fails() {
    let server = Server::new();
    let body = noise(6 << 20);
    server.set("/one", Answer::ok(body.clone()));
    let plan = planned(&server, "/one", &body, AS_IT_IS);
    let shop = Shop::new();
    let disk = shop.on_small_disk("4m");
    shop.assert_full(shop.fetch(&plan));
    drop(disk);

    // curl knows that it cannot write also where there is room again when somebody looks.
    let mut shop = Shop::new();
    shop.workshop.programs.curl = shop.script("exit 23");
    shop.assert_full(shop.fetch(&plan));
    shop.workshop.programs.curl = shop.script("exit 22");
    let failed = shop.fetch(&plan);
    assert!(matches!(failed, Err(BuildError::ProgramFailed { .. })), "{failed:?}");
}
