use occ_oci::{Digest, Host, ParseReferenceError, Pinned, Reference, Repository, Tag, Tagged};
use proptest::prelude::*;

fn full(text: &str) -> String {
    text.parse::<Reference>().unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
}

#[test]
fn short_names_mean_what_the_engine_takes_them_for() {
    for (short, long) in [
        ("debian", "docker.io/library/debian:latest"),
        ("debian:trixie", "docker.io/library/debian:trixie"),
        ("prizz/box", "docker.io/prizz/box:latest"),
        ("docker.io/debian", "docker.io/library/debian:latest"),
        ("index.docker.io/prizz/box", "docker.io/prizz/box:latest"),
        ("ghcr.io/prizz/box:1.0", "ghcr.io/prizz/box:1.0"),
        ("localhost/box", "localhost/box:latest"),
        ("localhost:5000/box", "localhost:5000/box:latest"),
        ("127.0.0.1:5000/a/b:c", "127.0.0.1:5000/a/b:c"),
        ("[::1]:5000/box", "[::1]:5000/box:latest"),
        ("Registry/box", "Registry/box:latest"),
        ("a__b/c.d/e---f", "docker.io/a__b/c.d/e---f:latest"),
    ] {
        assert_eq!(full(short), long);
    }
}

#[test]
fn the_familiar_spelling_is_short_only_on_the_default_host() {
    let familiar = |text: &str| text.parse::<Repository>().unwrap().familiar();
    assert_eq!(familiar("docker.io/library/debian"), "debian");
    assert_eq!(familiar("docker.io/prizz/box"), "prizz/box");
    assert_eq!(familiar("ghcr.io/library/debian"), "ghcr.io/library/debian");
    assert_eq!(familiar("docker.io/library/a/b"), "library/a/b");
    // Without the host these would be read as names on the hosts `a.b` and `localhost`.
    assert_eq!(familiar("docker.io/a.b/c"), "docker.io/a.b/c");
    assert_eq!(familiar("docker.io/localhost/c"), "docker.io/localhost/c");
}

#[test]
fn what_is_not_a_name_is_refused() {
    for text in [
        "",
        "/",
        "a//b",
        "a/",
        "/a",
        "UPPER",
        "a/B",
        "a..b",
        "a___b",
        "-a",
        "a-",
        "a:",
        "a:-x",
        "a b",
        "ghcr.io:port/a",
        "ghcr.io:/a",
        "host:99999/a",
        "ghcr..io/a",
        "[::1/a",
        "[nope]:1/a",
        "a@",
        "a@sha256:00",
        "a:b:c",
        "a@b@c",
    ] {
        assert!(text.parse::<Reference>().is_err(), "{text:?} was accepted");
    }
    assert!("a".repeat(64).parse::<Repository>().is_err(), "an image id was taken for a name");
    assert!(format!("x/{}", "a".repeat(254)).parse::<Repository>().is_err());
    assert!("x".repeat(129).parse::<Tag>().is_err());
    assert!("x".repeat(128).parse::<Tag>().is_ok());
}

#[test]
fn a_digest_beside_a_tag_decides() {
    let digest = Digest::sha256(b"");
    let pinned: Pinned = format!("debian:trixie@{digest}").parse().unwrap();
    assert_eq!(pinned.to_string(), format!("docker.io/library/debian@{digest}"));
}

#[test]
fn a_name_that_may_move_is_not_taken_for_one_that_cannot() {
    let digest = Digest::sha256(b"");
    assert!(matches!("debian".parse::<Pinned>(), Err(ParseReferenceError::NotPinned(_))));
    let pinned = format!("debian@{digest}");
    assert!(matches!(pinned.parse::<Tagged>(), Err(ParseReferenceError::NotTagged(_))));
}

fn hosts() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("docker.io".to_owned()),
        "[a-z0-9]{1,8}(\\.[a-z0-9]{1,8}){1,3}",
        "[a-z0-9]{1,8}:[1-9][0-9]{0,3}",
    ]
}

fn paths() -> impl Strategy<Value = String> {
    "[a-z0-9]{1,6}((\\.|_|__|-{1,3})[a-z0-9]{1,6}){0,2}(/[a-z0-9]{1,6}){0,2}"
}

proptest! {
    #[test]
    fn every_reference_survives_being_printed_and_read(
        host in hosts(), path in paths(), tag in "[A-Za-z0-9_][A-Za-z0-9._-]{0,20}", content in any::<[u8; 4]>()
    ) {
        for text in [
            format!("{host}/{path}:{tag}"),
            format!("{host}/{path}@{}", Digest::sha256(&content)),
        ] {
            let reference: Reference = text.parse().unwrap();
            prop_assert_eq!(reference.to_string().parse(), Ok(reference.clone()));
            let familiar = reference.repository().familiar();
            prop_assert_eq!(&familiar.parse::<Repository>().unwrap(), reference.repository());
        }
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in "[a-zA-Z0-9:/@._\\[\\]-]{0,60}|.{0,40}") {
        drop(text.parse::<Reference>());
        drop(text.parse::<Host>());
    }
}
