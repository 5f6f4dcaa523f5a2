//! What other people signed with other implementations, against the public trust root that is built in.

use std::str::FromStr as _;

use occ_oci::Digest;
use occ_trust::{Code, PROVENANCE, Policy, Reason, Signer, Stated, TrustRoot, verify_statement};

const NPM: &[u8] = include_bytes!("others/npm-sigstore-2.0.0.json");
const CONDA_OLD: &[u8] = include_bytes!("others/conda-old-log.json");
const STAGING_CONDA: &[u8] = include_bytes!("others/staging-conda.json");
const STAGING_ROOT: &[u8] = include_bytes!("others/staging-root.json");
const STAGING: &[u8] = include_bytes!("others/staging-new-log.json");
const OLD_STATEMENT: &[u8] = include_bytes!("others/statement-0.1.json");
const TWO_SIGNATURES: &[u8] = include_bytes!("others/two-signatures.json");
const BLOB: &[u8] = include_bytes!("others/cosign-blob.json");

const NPM_OF: &str = "sha512:46d4e2f74c4877316640000a6fdf8a8b59f1e0847667973e9859f774dd31b8f1e0937813b777fb66a2ac67d50540fe34640966eee9fc2ccca387082b4c85cd3c";
const CONDA_OF: &str = "sha256:54303491a8418fbed24344b513546182c29b43bf282ceb433af65e2299f9271f";
const STAGING_OF: &str = "sha256:a0cfc71271d6e278e57cd332ff957c3f7043fdda354c4cbb190a30d56efa01bf";

fn verified(bundle: &[u8], of: &str) -> Result<Stated, Reason> {
    let of = Digest::from_str(of).expect("a digest");
    verify_statement(&TrustRoot::embedded(), &Policy::default(), bundle, &of)
}

fn code(bundle: &[u8], of: &str) -> Code {
    verified(bundle, of).expect_err("it is refused").code
}

#[test]
fn packages_that_others_published_are_verified_with_the_trust_root_that_is_built_in() {
    let npm = verified(NPM, NPM_OF).expect("it is good");
    assert_eq!(npm.predicate_type, PROVENANCE);
    let Signer::Certificate { issuer, subject, claims } = &npm.signer else { panic!("{npm:?}") };
    assert_eq!(issuer, "https://token.actions.githubusercontent.com");
    assert!(subject.starts_with("https://github.com/sigstore/sigstore-js/"), "{subject}");
    let repository = Some("https://github.com/sigstore/sigstore-js");
    assert_eq!(claims.source_repository.as_deref(), repository);
    let conda = verified(CONDA_OLD, CONDA_OF).expect("it is good");
    assert!(conda.predicate_type.starts_with("https://schemas.conda.org/"), "{conda:?}");
    assert_eq!(conda.times.len(), 1);
}

#[test]
fn a_log_of_the_new_kind_is_understood_with_the_trust_root_of_its_instance() {
    let root = TrustRoot::from_json(STAGING_ROOT).expect("a trust root");
    let policy = Policy::default();
    for (bundle, of) in [(STAGING_CONDA, CONDA_OF), (STAGING, STAGING_OF)] {
        let of = Digest::from_str(of).expect("a digest");
        let stated = verify_statement(&root, &policy, bundle, &of).expect("it is good");
        assert_eq!(stated.times.len(), 1, "of the timestamp authority");
        assert!(matches!(stated.signer, Signer::Certificate { .. }));
    }
}

#[test]
fn they_are_of_their_own_bytes_only() {
    assert_eq!(code(NPM, CONDA_OF), Code::OtherSubject);
    assert_eq!(code(CONDA_OLD, NPM_OF), Code::OtherSubject);
    let text = String::from_utf8(NPM.to_vec()).expect("text");
    let changed = text.replacen("\"integratedTime\": \"16", "\"integratedTime\": \"15", 1);
    let changed = changed.replacen("\"integratedTime\":\"16", "\"integratedTime\":\"15", 1);
    assert_ne!(changed, text);
    assert_eq!(code(changed.as_bytes(), NPM_OF), Code::Log);
}

#[test]
fn attack_12_the_staging_instance_is_another_one() {
    for (bundle, of) in [(STAGING, STAGING_OF), (STAGING_CONDA, CONDA_OF)] {
        let code = code(bundle, of);
        assert!([Code::Certificate, Code::Timestamp, Code::Log].contains(&code), "{code:?}");
    }
}

#[test]
fn attack_14_forms_that_are_not_ours_are_refused() {
    assert_eq!(code(TWO_SIGNATURES, NPM_OF), Code::SignatureCount);
    assert_eq!(code(OLD_STATEMENT, NPM_OF), Code::StatementType);
    assert_eq!(code(BLOB, CONDA_OF), Code::PayloadType);
}
