//! Attacks 11, 12, 14 and 18: the signature itself, its certificate, its log entry, its time, its form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::SignedDuration;
use occ_testkit::{Draft, Keyless, Logged, Referring, Sct};
use occ_trust::{Case, Content, SIGNATURE, TrustRoot, judge};
use serde_json::{Value, json};

use crate::bed::{
    Bed, NAME, bytes_of, evidence, image, now, releaser, root_of, statement, statement_of, told,
};

fn draft(bed: &Bed) -> Draft {
    Draft::of(&releaser(), &statement(&bed.image.manifest, "1.2.3", 7))
}

fn judged(bed: &Bed, bundle: &Value) -> String {
    told(&bed.verdict(&[bytes_of(bundle)]))
}

#[tokio::test]
async fn attack_11_a_log_entry_of_something_else_is_none_of_this() {
    let bed = Bed::unsigned(Referring::Api).await;
    let other = Draft::of(&releaser(), &statement(&image("other").manifest, "1.2.3", 7));
    for logged in [Logged::Old, Logged::New] {
        let with =
            |draft: Draft| bed.keyless.bundle(&Draft { logged, stamped_at: Some(-20), ..draft });
        let (good, other) = (with(draft(&bed)), with(other.clone()));
        assert_eq!(judged(&bed, &good), "verified, admitted");
        let entries = "/verificationMaterial/tlogEntries";
        let mut stapled = good.clone();
        *stapled.pointer_mut(entries).expect("entries") =
            other.pointer(entries).expect("entries").clone();
        let told = judged(&bed, &stapled);
        assert!(
            ["invalid log-entry, refused", "invalid other-subject, refused"]
                .contains(&told.as_str()),
            "{logged:?}: {told}"
        );
        // One that is right does not make up for one that is not.
        let mut both = good.clone();
        let list = both.pointer_mut(entries).and_then(Value::as_array_mut).expect("entries");
        list.push(other.pointer(&format!("{entries}/0")).expect("an entry").clone());
        assert!(judged(&bed, &both).starts_with("invalid "), "{logged:?}");
        // The time of another signature is not the time of this one.
        let stamps = "/verificationMaterial/timestampVerificationData";
        let mut restamped = good.clone();
        *restamped.pointer_mut(stamps).expect("times") =
            other.pointer(stamps).expect("times").clone();
        assert_eq!(judged(&bed, &restamped), "invalid timestamp, refused", "{logged:?}");
    }
}

#[tokio::test]
async fn attack_11_what_the_log_signed_cannot_be_changed() {
    let bed = Bed::unsigned(Referring::Api).await;
    let good = bed.keyless.bundle(&draft(&bed));
    let entry = "/verificationMaterial/tlogEntries/0";
    for (field, value) in [
        ("integratedTime", json!((now().as_second() - 5).to_string())),
        ("logIndex", json!("77")),
        ("canonicalizedBody", json!("e30=")),
        ("inclusionProof/rootHash", json!(STANDARD.encode([7; 32]))),
        ("inclusionProof/logIndex", json!("0")),
        ("inclusionPromise/signedEntryTimestamp", json!("MAA=")),
        ("logId/keyId", json!(STANDARD.encode([7; 32]))),
    ] {
        let mut changed = good.clone();
        *changed.pointer_mut(&format!("{entry}/{field}")).expect(field) = value;
        let told = judged(&bed, &changed);
        assert!(told.starts_with("invalid ") && told.ends_with("refused"), "{field}: {told}");
    }
    let mut unlogged = good.clone();
    unlogged["verificationMaterial"]["tlogEntries"] = json!([]);
    assert_eq!(judged(&bed, &unlogged), "invalid bundle, refused");
    let mut unproved = good.clone();
    unproved["verificationMaterial"]["tlogEntries"][0]["inclusionProof"] = Value::Null;
    assert!(judged(&bed, &unproved).starts_with("invalid "));
}

#[tokio::test]
async fn attack_11_the_signature_is_verified_and_not_only_logged() {
    let bed = Bed::unsigned(Referring::Api).await;
    let good = bed.keyless.bundle(&draft(&bed));
    let again = bed.keyless.bundle(&draft(&bed));
    for (field, from) in [
        ("/dsseEnvelope/signatures/0/sig", &again),
        ("/verificationMaterial/certificate/rawBytes", &again),
    ] {
        let mut changed = good.clone();
        *changed.pointer_mut(field).expect(field) = from.pointer(field).expect(field).clone();
        let told = judged(&bed, &changed);
        assert!(
            ["invalid signature, refused", "invalid log-entry, refused"].contains(&told.as_str()),
            "{field}: {told}"
        );
    }
    // What is stated is changed, and the rest stays.
    let mut payload = good.clone();
    let stated = statement(&bed.image.manifest, "9.9.9", 99).to_string();
    payload["dsseEnvelope"]["payload"] = json!(STANDARD.encode(stated));
    assert_eq!(judged(&bed, &payload), "invalid signature, refused");
}

#[tokio::test]
async fn attack_12_another_instance_vouches_for_nobody_here() {
    let bed = Bed::unsigned(Referring::Api).await;
    let other = Keyless::start();
    let bundle = other.bundle(&draft(&bed));
    let told = judged(&bed, &bundle);
    assert!(
        ["invalid certificate, refused", "invalid log, refused"].contains(&told.as_str()),
        "{told}"
    );
    // Nor does this one where another trust root is meant.
    let public = Bed { root: TrustRoot::embedded(), ..bed };
    assert!(judged(&public, &public.keyless.bundle(&draft(&public))).starts_with("invalid "));
    // One authority of ours and one log of theirs are no instance.
    let mut mixed = public.keyless.trusted_root();
    mixed["tlogs"] = other.trusted_root()["tlogs"].clone();
    let root = TrustRoot::from_json(mixed.to_string().as_bytes()).expect("a trust root");
    let mixed = Bed { root, ..public };
    assert!(judged(&mixed, &mixed.keyless.bundle(&draft(&mixed))).starts_with("invalid "));
}

#[tokio::test]
async fn attack_12_a_certificate_is_good_for_its_own_time_only() {
    let bed = Bed::unsigned(Referring::Api).await;
    let good = draft(&bed);
    let cases = [
        ("expired when it was logged", Draft { lifetime: (-900, -300), ..good.clone() }),
        (
            "logged before it was valid",
            Draft { lifetime: (-10, 590), logged_at: -30, ..good.clone() },
        ),
        (
            "stamped before it was valid",
            Draft { stamped_at: Some(-120), logged: Logged::New, ..good.clone() },
        ),
        (
            "stamped after it was valid",
            Draft {
                lifetime: (-900, -60),
                stamped_at: Some(-10),
                logged: Logged::New,
                ..good.clone()
            },
        ),
        ("one of two times is wrong", Draft { stamped_at: Some(-120), ..good.clone() }),
    ];
    for (what, draft) in cases {
        let told = judged(&bed, &bed.keyless.bundle(&draft));
        assert!(
            [
                "invalid certificate, refused",
                "invalid certificate-time, refused",
                "invalid timestamp, refused"
            ]
            .contains(&told.as_str()),
            "{what}: {told}"
        );
    }
    // Long ago is fine, as long as it was valid then.
    let old = Draft { lifetime: (-90_000, -89_000), logged_at: -89_500, ..good };
    assert_eq!(judged(&bed, &bed.keyless.bundle(&old)), "verified, admitted");
}

#[tokio::test]
async fn attack_12_an_authority_that_had_expired_certifies_nobody() {
    for lifetime in [(-9000, -600), (600, 9000)] {
        let bed = Bed::unsigned(Referring::Api).await;
        let keyless = Keyless::valid(lifetime);
        let mut root = keyless.trusted_root();
        // As the public instance has it: the authority below the root is no anchor of its own.
        let chain = &mut root["certificateAuthorities"][0]["certChain"]["certificates"];
        let authority = chain[0].clone();
        *chain = json!([chain[1].clone()]);
        let root = TrustRoot::from_json(root.to_string().as_bytes()).expect("a trust root");
        let bed = Bed { keyless, root, ..bed };
        let mut bundle = bed.keyless.bundle(&draft(&bed));
        let leaf = bundle["verificationMaterial"]["certificate"].clone();
        bundle["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=0.2");
        bundle["verificationMaterial"]["x509CertificateChain"] =
            json!({ "certificates": [leaf, authority] });
        bundle["verificationMaterial"].as_object_mut().expect("fields").remove("certificate");
        assert_eq!(judged(&bed, &bundle), "invalid certificate, refused", "{lifetime:?}");
    }
}

#[tokio::test]
async fn attack_12_a_chain_of_the_older_bundles_is_followed() {
    let bed = Bed::unsigned(Referring::Api).await;
    let mut root = bed.keyless.trusted_root();
    let chain = &mut root["certificateAuthorities"][0]["certChain"]["certificates"];
    let authority = chain[0].clone();
    *chain = json!([chain[1].clone()]);
    let root = TrustRoot::from_json(root.to_string().as_bytes()).expect("a trust root");
    let bed = Bed { root, ..bed };
    let bundle = bed.keyless.bundle(&draft(&bed));
    assert_eq!(judged(&bed, &bundle), "invalid certificate, refused", "the chain is missing");
    for version in ["0.1", "0.2"] {
        let mut older = bundle.clone();
        let leaf = older["verificationMaterial"]["certificate"].clone();
        older["mediaType"] =
            json!(format!("application/vnd.dev.sigstore.bundle+json;version={version}"));
        older["verificationMaterial"]["x509CertificateChain"] =
            json!({ "certificates": [leaf, authority] });
        older["verificationMaterial"].as_object_mut().expect("fields").remove("certificate");
        assert_eq!(judged(&bed, &older), "verified, admitted", "{version}");
    }
}

#[tokio::test]
async fn attack_12_the_log_of_certificates_has_seen_the_certificate() {
    let bed = Bed::unsigned(Referring::Api).await;
    for sct in [Sct::Missing, Sct::Forged] {
        let bundle = bed.keyless.bundle(&Draft { sct, ..draft(&bed) });
        assert_eq!(judged(&bed, &bundle), "invalid sct, refused", "{sct:?}");
    }
}

#[tokio::test]
async fn attack_12_a_trust_root_that_begins_later_does_not_vouch_for_earlier() {
    let bed = Bed::unsigned(Referring::Api).await;
    let bundle = bed.keyless.bundle(&draft(&bed));
    let later = bed.keyless.trusted_root_since(-5).to_string();
    let bed = Bed { root: TrustRoot::from_json(later.as_bytes()).expect("a trust root"), ..bed };
    assert!(judged(&bed, &bundle).starts_with("invalid "));
}

#[tokio::test]
async fn attack_14_an_envelope_has_one_signature_and_one_reading() {
    let bed = Bed::unsigned(Referring::Api).await;
    let good = bed.keyless.bundle(&draft(&bed));
    let signature = good["dsseEnvelope"]["signatures"][0].clone();
    let with = |field: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(field).expect(field) = value;
        judged(&bed, &changed)
    };
    let signatures = "/dsseEnvelope/signatures";
    assert_eq!(with(signatures, json!([])), "invalid signature-count, refused");
    assert_eq!(with(signatures, json!([signature, signature])), "invalid signature-count, refused");
    let kind = "/dsseEnvelope/payloadType";
    assert_eq!(with(kind, json!("application/json")), "invalid payload-type, refused");
    assert_eq!(with(kind, json!("application/vnd.in-toto+json ")), "invalid payload-type, refused");
    let payload = "/dsseEnvelope/payload";
    let encoded = good["dsseEnvelope"]["payload"].as_str().expect("a payload");
    assert_eq!(with(payload, json!(format!("{encoded}\n"))), "invalid base64, refused");
    assert_eq!(with(payload, json!(format!("{encoded}="))), "invalid base64, refused");
    let bare = json!({
        "mediaType": good["mediaType"],
        "verificationMaterial": good["verificationMaterial"],
        "messageSignature": { "signature": signature["sig"] },
    });
    assert_eq!(judged(&bed, &bare), "invalid payload-type, refused");
}

#[tokio::test]
async fn attack_14_a_document_that_others_could_read_otherwise_is_refused() {
    let bed = Bed::unsigned(Referring::Api).await;
    let text = bed.keyless.bundle(&draft(&bed)).to_string();
    let judged = |text: String| told(&bed.verdict(&[Bytes::from(text)]));
    assert_eq!(judged(text.clone()), "verified, admitted");
    let twice = text.replacen('{', r#"{"mediaType":"x","#, 1);
    assert_eq!(judged(twice), "invalid duplicate-key, refused");
    assert_eq!(judged(format!("{text}{{}}")), "invalid trailing-data, refused");
    assert_eq!(judged(format!("{text},")), "invalid trailing-data, refused");
    assert_eq!(judged(text[..text.len() - 1].to_owned()), "invalid malformed, refused");
    assert_eq!(judged("[".repeat(500_000)), "invalid malformed, refused");
    assert_eq!(judged(String::new()), "invalid malformed, refused");
    // The same of the statement, which is signed as it is.
    let stated = statement(&bed.image.manifest, "1.2.3", 7).to_string();
    for (payload, code) in [
        (stated.replacen('{', r#"{"predicateType":"x","#, 1), "duplicate-key"),
        (format!("{stated}{stated}"), "trailing-data"),
        (stated.replacen(r#""subject":["#, r#""subject":[7,"#, 1), "malformed"),
        ("7".to_owned(), "malformed"),
    ] {
        let bundle = bed.bundle(&Draft { payload: payload.into_bytes(), ..draft(&bed) });
        assert_eq!(told(&bed.verdict(&[bundle])), format!("invalid {code}, refused"));
    }
}

#[tokio::test]
async fn attack_14_a_statement_that_is_large_is_only_as_large_as_anything_may_be() {
    let bed = Bed::unsigned(Referring::Api).await;
    let mut large = statement_of(SIGNATURE, &[&bed.image.manifest], &json!({ "ref": NAME }));
    large["predicate"] = json!("x".repeat(occ_trust::LARGEST_ENTRY));
    let bundle = bed.bundle(&Draft::of(&releaser(), &large));
    bed.attach(&bundle).await;
    assert_eq!(told(&bed.admission().await), "invalid too-large, refused");
}

#[tokio::test]
async fn attack_18_verifying_needs_no_network() {
    let bed = Bed::signed(Referring::Api).await;
    let found = occ_trust::discover(std::slice::from_ref(&bed.client), &bed.image.manifest).await;
    let asked = bed.asked();
    let before = bed.keyless.requests().len();
    let Bed { registry, client, keyless, root, policy, .. } = bed;
    // Registry, authority, logs: all are gone.
    drop((registry, client, keyless));
    let case = Case {
        policy: &policy,
        root: &root,
        expectation: None,
        evidence: &found,
        asked: &asked,
        now: now(),
    };
    assert_eq!(told(&judge(&case)), "verified, admitted");
    assert_eq!(before, 0);
}

#[tokio::test]
async fn attack_18_a_trust_root_that_is_too_old_says_what_it_does_not_know() {
    let bed = Bed::signed(Referring::Api).await;
    let mut stale = bed.keyless.trusted_root();
    stale["tlogs"] = json!([]);
    let root = TrustRoot::from_json(stale.to_string().as_bytes()).expect("a trust root");
    let bed = Bed { root, ..bed };
    let admission = bed.admission().await;
    assert_eq!(told(&admission), "invalid log, refused");
    assert!(admission.to_string().contains("log"), "{admission}");
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("root.json");
    assert!(TrustRoot::stored(&path).expect("no file is no error").is_none());
    let fresh = root_of(&bed.keyless);
    let text = bed.keyless.trusted_root().to_string();
    let stored = TrustRoot::store(text.as_bytes(), &path, now()).expect("it is written");
    assert_eq!(stored.version().digest, fresh.version().digest);
    assert!(stored.version().dated.is_some());
    let bed = Bed { root: TrustRoot::stored(&path).expect("a file").expect("it is there"), ..bed };
    assert_eq!(told(&bed.admission().await), "verified, admitted");
    // What is no trust root does not replace one.
    TrustRoot::store(b"{}", &path, now()).expect_err("no trust root");
    assert!(TrustRoot::stored(&path).expect("a file").is_some());
    std::fs::write(&path, "x").expect("it is written");
    TrustRoot::stored(&path).expect_err("no trust root");
}

#[tokio::test]
async fn attack_18_a_clock_that_is_behind_is_told_and_one_ahead_does_not_matter() {
    let bed = Bed::unsigned(Referring::Api).await;
    let found = evidence(&bed.image.manifest, vec![Content::Bundle(bed.good())]);
    let asked = bed.asked();
    let at = |hours: i64| {
        let now = now() + SignedDuration::from_hours(hours);
        let (policy, root) = (&bed.policy, &bed.root);
        judge(&Case { policy, root, expectation: None, evidence: &found, asked: &asked, now })
    };
    let year = 365 * 24;
    for behind in [-1, -year] {
        let admission = at(behind);
        assert_eq!(told(&admission), "invalid future, refused");
        assert!(admission.to_string().contains("the clock here says"), "{admission}");
    }
    for ahead in [1, year] {
        assert_eq!(told(&at(ahead)), "verified, admitted");
    }
}

#[test]
fn the_trust_root_that_is_built_in_is_dated() {
    let root = TrustRoot::embedded();
    assert!(root.version().dated.is_some());
    assert!(root.version().to_string().starts_with("built in, "), "{}", root.version());
}
