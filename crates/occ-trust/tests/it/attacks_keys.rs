//! Keys in place of certificates: whose key it is decides.

use occ_registry::Secret;
use occ_testkit::Referring;
use occ_trust::{KeyError, Label, Policy, SigningKey, SigningWith, ToSign, Verdict, sign};
use serde_json::{Value, json};

use crate::bed::{Bed, NAME, image, repository, told};

fn label() -> Label {
    Label { version: Some("1.2.3".to_owned()), seq: Some(7), ..Label::of(repository(NAME)) }
}

async fn signed(key: &SigningKey, statement: &ToSign) -> Value {
    let bundle = sign(&SigningWith::Key(key), statement).await.expect("a signature");
    serde_json::from_slice(bundle.bytes()).expect("JSON")
}

#[tokio::test]
async fn attack_12_only_the_key_that_was_named_counts() {
    let mut bed = Bed::unsigned(Referring::Api).await;
    let (key, pem) = SigningKey::generate().expect("a key");
    let other = SigningKey::generate().expect("a key").0;
    let statement = ToSign::signature(&label(), &[&bed.image.manifest]);
    let good = signed(&key, &statement).await;
    let judged = |bed: &Bed, bundle: &Value| told(&bed.verdict(&[bundle.to_string().into()]));
    assert_eq!(judged(&bed, &good), "wrong-identity, refused", "nobody named the key");
    bed.policy = Policy { keys: vec![key.public().clone()], ..Policy::default() };
    assert_eq!(judged(&bed, &good), "verified, admitted");
    // Another key under the name of this one.
    let mut pretended = signed(&other, &statement).await;
    assert_eq!(judged(&bed, &pretended), "wrong-identity, refused");
    pretended["verificationMaterial"]["publicKey"]["hint"] = json!(key.public().hint());
    assert_eq!(judged(&bed, &pretended), "invalid signature, refused");
    let elsewhere = ToSign::signature(&label(), &[&image("other").manifest]);
    assert_eq!(judged(&bed, &signed(&key, &elsewhere).await), "invalid other-subject, refused");
    // The key from its file is the same key.
    let again = SigningKey::from_pem(&pem).expect("a key");
    assert_eq!(again.public(), key.public());
    assert_eq!(judged(&bed, &signed(&again, &statement).await), "verified, admitted");
    let admission = bed.verdict(&[good.to_string().into()]);
    let Some(Verdict::Verified(proof)) = &admission.verdict else { panic!("{admission:?}") };
    assert!(proof.times.is_empty(), "nobody signed a time");
}

#[tokio::test]
async fn attack_11_what_a_log_says_of_a_key_is_verified_where_it_says_something() {
    let mut bed = Bed::unsigned(Referring::Api).await;
    let (key, _) = SigningKey::generate().expect("a key");
    bed.policy = Policy { keys: vec![key.public().clone()], ..Policy::default() };
    let good = signed(&key, &ToSign::signature(&label(), &[&bed.image.manifest])).await;
    let mut stapled = good.clone();
    let foreign: Value = serde_json::from_slice(&bed.good()).expect("JSON");
    stapled["verificationMaterial"]["tlogEntries"] =
        foreign["verificationMaterial"]["tlogEntries"].clone();
    assert_eq!(told(&bed.verdict(&[stapled.to_string().into()])), "invalid log-entry, refused");
}

#[test]
fn a_key_that_cannot_be_used_says_why_and_not_what_it_is() {
    let read = |text: &str| SigningKey::from_pem(&Secret::new(text)).expect_err("no key");
    let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    assert_eq!(read(&pem("ENCRYPTED PRIVATE KEY")), KeyError::Encrypted);
    assert_eq!(read(&pem("ENCRYPTED SIGSTORE PRIVATE KEY")), KeyError::Encrypted);
    assert_eq!(read(&pem("EC PRIVATE KEY")), KeyError::OldForm);
    assert_eq!(read(&pem("PRIVATE KEY")), KeyError::Shape);
    assert_eq!(read(&pem("PUBLIC KEY")), KeyError::Shape);
    assert_eq!(read("x"), KeyError::Shape);
    let (key, pem) = SigningKey::generate().expect("a key");
    let shown = format!("{key:?} {pem:?}");
    assert!(!shown.contains("PRIVATE"), "{shown}");
}
