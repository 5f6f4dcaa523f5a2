//! From verdicts to decisions, and everything that a verdict has to tell.

use occ_testkit::{Draft, Logged, Referring, Who};
use occ_trust::{
    Admitted, Asked, Code, Content, Decision, Evidence, Expectation, Ground, Mode, PROVENANCE,
    Refusal, SIGNATURE, Signer, Verdict,
};
use serde_json::json;

use crate::bed::{
    Bed, NAME, bytes_of, codes, evidence, image, in_mode, index, now, releaser, repository,
    statement, statement_of, told,
};

#[tokio::test]
async fn a_good_signature_tells_everything_that_was_proved() {
    let bed = Bed::signed(Referring::Api).await;
    let annotations = json!({});
    let provenance = statement_of(PROVENANCE, &[&bed.image.manifest], &annotations);
    bed.attach(&bed.bundle(&Draft::of(&releaser(), &provenance))).await;
    let admission = bed.admission().await;
    assert_eq!(told(&admission), "verified, admitted", "{admission:?}");
    let Some(Verdict::Verified(proof)) = &admission.verdict else { panic!("{admission:?}") };
    assert_eq!(proof.predicates, [SIGNATURE, PROVENANCE]);
    assert_eq!((proof.seq(), proof.version()), (Some(7), Some("1.2.3")));
    assert_eq!(proof.subject, *bed.image.manifest.digest());
    assert_eq!(proof.trust_root, *bed.root.version());
    assert_eq!(proof.times.len(), 1);
    assert_eq!(proof.attestations.len(), 1);
    let Signer::Certificate { issuer, subject, claims } = &proof.signer else {
        panic!("{proof:?}")
    };
    assert_eq!(issuer, "https://token.actions.githubusercontent.com");
    assert!(subject.ends_with("release.yml@refs/tags/v1.2.3"), "{subject}");
    assert_eq!(claims.source_repository_id.as_deref(), Some("4242"));
    let json = admission.to_json();
    assert_eq!(json["result"]["verdict"], "verified");
    assert_eq!(json["result"]["signer"]["claims"]["runnerEnvironment"], "github-hosted");
    assert_eq!(json["result"]["trustRoot"]["source"], "file");
    assert_eq!(json["decision"], "admitted");
    assert_eq!(json["asked"].as_array().map(Vec::len), Some(4));
    let Decision::Admitted(admitted) = admission.decision else { panic!("refused") };
    assert!(matches!(admitted.ground(), Ground::Verified(_)));
    assert_eq!(admitted.get().to_string(), format!("{NAME}@{}", bed.image.manifest.digest()));
}

#[tokio::test]
async fn both_kinds_of_logs_and_a_timestamp_are_understood() {
    let bed = Bed::unsigned(Referring::Api).await;
    let good = Draft::of(&releaser(), &statement(&bed.image.manifest, "1.2.3", 7));
    for draft in [
        Draft { stamped_at: Some(-20), ..good.clone() },
        Draft { logged: Logged::New, stamped_at: Some(-20), ..good.clone() },
    ] {
        let admission = bed.verdict(&[bed.bundle(&draft)]);
        assert_eq!(told(&admission), "verified, admitted", "{draft:?} {admission:?}");
    }
    let without_a_time = Draft { logged: Logged::New, ..good.clone() };
    assert_eq!(told(&bed.verdict(&[bed.bundle(&without_a_time)])), "invalid no-time, refused");
    let nowhere = Draft { logged: Logged::Nowhere, stamped_at: Some(-20), ..good };
    assert_eq!(told(&bed.verdict(&[bed.bundle(&nowhere)])), "invalid bundle, refused");
}

/// What is found, by mode: nothing, a failure, somebody else's, an invalid one, a good one.
#[tokio::test]
async fn each_mode_decides_over_each_verdict() {
    let mut bed = Bed::unsigned(Referring::Api).await;
    let asked = bed.asked();
    let good = bed.good();
    let stranger = Who::workflow("evil/sandbox", "release.yml", "refs/tags/v1.2.3");
    let strange = bed.bundle(&Draft::of(&stranger, &statement(&asked.manifest, "1.2.3", 7)));
    let found = |contents| evidence(&asked.manifest, contents);
    let cases = [
        ("unsigned", found(vec![])),
        ("unknown", found(vec![Content::Unfetched("it was away".to_owned())])),
        ("unknown", Evidence::none(asked.manifest.digest().clone())),
        ("wrong-identity", found(vec![Content::Bundle(strange)])),
        ("invalid malformed", found(vec![Content::Bundle("{}".into())])),
        ("verified", found(vec![Content::Bundle(good)])),
    ];
    let expected = Expectation::pinned(now());
    for (verdict, evidence) in cases {
        let is = |decision: &str| format!("{verdict}, {decision}");
        let is_verified = verdict == "verified";
        let admitted_if = |condition| if condition { "admitted" } else { "refused" };
        bed.policy = in_mode(Mode::Warn);
        let plain = told(&bed.judge(None, &asked, &evidence));
        assert_eq!(plain, is(admitted_if(is_verified || verdict == "unsigned")));
        let sticky = told(&bed.judge(Some(&expected), &asked, &evidence));
        assert_eq!(sticky, is(admitted_if(is_verified)));
        bed.policy = in_mode(Mode::Enforce);
        let strict = told(&bed.judge(None, &asked, &evidence));
        assert_eq!(strict, is(admitted_if(is_verified)));
        bed.policy = in_mode(Mode::Off);
        let off = bed.judge(Some(&expected), &asked, &evidence);
        assert_eq!(told(&off), "none, admitted");
        let Decision::Admitted(admitted) = &off.decision else { panic!("{off:?}") };
        assert_eq!(admitted.ground(), &Ground::UnverifiedByChoice);
        assert!(off.to_string().ends_with("is not verified, by choice"), "{off}");
    }
}

#[tokio::test]
async fn a_bad_one_beside_a_good_one_is_told_and_hides_nothing() {
    let bed = Bed::unsigned(Referring::Api).await;
    let stranger = Who::workflow("evil/sandbox", "release.yml", "refs/tags/v1.2.3");
    let strange = bed.bundle(&Draft::of(&stranger, &statement(&bed.image.manifest, "1.2.3", 7)));
    let admission = bed.verdict(&["not json".into(), strange, bed.good(), "{}".into()]);
    assert_eq!(told(&admission), "verified, admitted");
    assert_eq!(codes(&admission), ["malformed", "malformed", "wrong-identity"]);
}

#[tokio::test]
async fn what_could_not_be_read_counts_more_than_what_is_bad() {
    let bed = Bed::unsigned(Referring::Api).await;
    let contents = vec![Content::Bundle("{}".into()), Content::Unfetched("a stall".to_owned())];
    let admission = bed.judge(None, &bed.asked(), &evidence(&bed.image.manifest, contents));
    assert_eq!(told(&admission), "unknown, refused");
    assert!(admission.to_string().contains("could not be found out: a stall"), "{admission}");
}

#[tokio::test]
async fn something_else_than_a_signature_does_not_make_an_image_signed() {
    let bed = Bed::unsigned(Referring::Api).await;
    let other = vec![Content::Other("application/vnd.cyclonedx+json".to_owned())];
    let admission = bed.judge(None, &bed.asked(), &evidence(&bed.image.manifest, other));
    assert_eq!(told(&admission), "unsigned, admitted");
    assert_eq!(codes(&admission), ["not-a-signature"]);
    let Decision::Admitted(admitted) = &admission.decision else { panic!("{admission:?}") };
    assert_eq!(admitted.ground(), &Ground::Unsigned);
}

#[tokio::test]
async fn a_child_is_admitted_through_the_bytes_of_its_index_only() {
    let bed = Bed::unsigned(Referring::Api).await;
    let (one, two, other) = (image("amd64"), image("arm64"), image("other"));
    let list = index(&[&one, &two]);
    let asked = Asked::pinned(repository(NAME), list.clone());
    let bundle = bed.bundle(&Draft::of(&releaser(), &statement(&list, "1.2.3", 7)));
    let found = evidence(&list, vec![Content::Bundle(bundle)]);
    let admitted = bed.judge(None, &asked, &found).admitted().expect("verified");
    let (child, listed) = admitted.child(&list, &two.manifest).expect("it is listed");
    assert_eq!(child.get().digest, *two.manifest.digest());
    assert_eq!(listed.digest, *two.manifest.digest().digest());
    assert!(child.proof().is_some());
    admitted.child(&list, &other.manifest).expect_err("not listed");
    // Another index that lists the same child proves nothing.
    admitted.child(&index(&[&one, &two, &other]), &two.manifest).expect_err("another index");
}

#[test]
fn what_was_built_here_or_chosen_shows_it() {
    assert_eq!(Admitted::local_build(1).ground(), &Ground::LocalBuild);
    assert_eq!(Admitted::unverified_by_choice(1).ground(), &Ground::UnverifiedByChoice);
    assert!(Admitted::unverified_by_choice(1).proof().is_none());
}

#[tokio::test]
async fn evidence_about_another_image_proves_nothing() {
    let bed = Bed::signed(Referring::Api).await;
    let other = image("other");
    let found = occ_trust::discover(std::slice::from_ref(&bed.client), &bed.image.manifest).await;
    let asked = Asked::pinned(repository(NAME), other.manifest.clone());
    assert_eq!(told(&bed.judge(None, &asked, &found)), "unknown, refused");
}

#[tokio::test]
async fn a_refusal_says_why_in_one_sentence() {
    let bed = Bed::unsigned(Referring::Api).await;
    let digest = bed.image.manifest.digest();
    let expected = Expectation::pinned(now());
    let none = evidence(&bed.image.manifest, vec![]);
    let admission = bed.judge(Some(&expected), &bed.asked(), &none);
    let sentence = format!("{NAME}@{digest} is not signed, but {NAME} was seen signed");
    assert_eq!(admission.to_string(), sentence);
    assert!(matches!(admission.decision, Decision::Refused(Refusal::ExpectedSigned { .. })));
    let wrong = bytes_of(&json!({ "a": 1 }));
    let admission = bed.verdict(&[wrong]);
    let Some(Verdict::Invalid { reason }) = &admission.verdict else { panic!("{admission:?}") };
    assert_eq!(reason.code, Code::Malformed);
    assert!(admission.to_string().contains("has no valid signature: missing field"), "{admission}");
}
