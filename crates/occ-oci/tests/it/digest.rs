use occ_oci::{Algorithm, Digest, Hasher, ParseDigestError, Platform, Sha256Writer};
use proptest::prelude::*;
use std::io::Write as _;

/// SHA-256 of no bytes, as every implementation knows it.
const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn the_digest_of_nothing_is_the_well_known_one() {
    assert_eq!(Digest::sha256(b"").to_string(), EMPTY);
    assert_eq!(Digest::sha256(b"").short(), "e3b0c44298fc");
    assert!(Hasher::new(Algorithm::Sha512).finish().hex().starts_with("cf83e1357eefb8bd"));
}

#[test]
fn what_is_not_a_digest_is_refused_with_the_reason() {
    let parse = |text: &str| text.parse::<Digest>().unwrap_err();
    assert_eq!(parse("e3b0c442"), ParseDigestError::NoColon);
    assert_eq!(parse("md5:00"), ParseDigestError::Algorithm("md5".to_owned()));
    assert_eq!(parse(&EMPTY.to_uppercase().replace("SHA", "sha")), ParseDigestError::Digit('E'));
    assert_eq!(parse("sha256:zz"), ParseDigestError::Digit('z'));
    assert_eq!(
        parse("sha256:00"),
        ParseDigestError::Length { algorithm: "sha256", expected: 64, got: 2 }
    );
    assert_eq!(
        Digest::from_raw(Algorithm::Sha512, &[0; 32]).unwrap_err(),
        ParseDigestError::Length { algorithm: "sha512", expected: 128, got: 64 }
    );
}

#[test]
fn json_holds_a_digest_as_its_text_and_refuses_a_wrong_one() {
    let json = serde_json::to_string(&Digest::sha256(b"")).unwrap();
    assert_eq!(json, format!("\"{EMPTY}\""));
    assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), Digest::sha256(b""));
    assert!(serde_json::from_str::<Digest>("\"sha256:00\"").is_err());
}

#[test]
fn a_platform_is_read_from_the_kernel_and_from_its_own_text() {
    assert_eq!(Platform::from_uname_machine("x86_64"), Some(Platform::LinuxAmd64));
    assert_eq!(Platform::from_uname_machine("aarch64"), Some(Platform::LinuxArm64));
    assert_eq!(Platform::from_uname_machine("riscv64"), None);
    for platform in Platform::ALL {
        assert_eq!(platform.to_string().parse(), Ok(platform));
    }
    assert!("windows/amd64".parse::<Platform>().is_err());
}

proptest! {
    #[test]
    fn every_digest_survives_being_printed_and_read(raw in prop::collection::vec(any::<u8>(), 64)) {
        for (algorithm, raw) in [(Algorithm::Sha256, &raw[..32]), (Algorithm::Sha512, &raw[..])] {
            let digest = Digest::from_raw(algorithm, raw).unwrap();
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
        }
    }

    #[test]
    fn a_writer_in_pieces_has_the_digest_of_the_whole(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..10)
    ) {
        let mut writer = Sha256Writer::new(Vec::new());
        for piece in &pieces {
            writer.write_all(piece).unwrap();
        }
        let (bytes, digest, size) = writer.finish();
        prop_assert_eq!(&digest, &Digest::sha256(&pieces.concat()));
        prop_assert_eq!(size, bytes.len() as u64);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,80}") {
        drop(text.parse::<Digest>());
    }
}
