//! Attacks 8 to 10 and 13: a good signature of something else, for something else, or by somebody else.

use occ_oci::{Annotations, ManifestDigest};
use occ_testkit::{Draft, Referring, San, Who};
use occ_trust::{Asked, Binding, Content, Mode, PROVENANCE, Policy, SIGNATURE, Verdict};
use serde_json::{Value, json};

use crate::bed::{
    Bed, NAME, bytes_of, evidence, identity, image, index, releaser, repository, statement,
    statement_of, tag, told,
};

fn signed(bed: &Bed, statement: &Value) -> String {
    told(&bed.verdict(&[bed.bundle(&Draft::of(&releaser(), statement))]))
}

#[tokio::test]
async fn attack_08_a_signature_for_another_repository_is_not_one_for_this() {
    let mut bed = Bed::unsigned(Referring::Api).await;
    let about = |annotations: Value| statement_of(SIGNATURE, &[&bed.image.manifest], &annotations);
    let other = about(json!({ "ref": "ghcr.io/acme/other", "version": "1.2.3", "seq": "7" }));
    let bare = about(json!({}));
    let number = about(json!({ "ref": NAME, "seq": 7 }));
    assert_eq!(signed(&bed, &other), "invalid other-repository, refused");
    assert_eq!(signed(&bed, &bare), "invalid unbound, refused");
    assert_eq!(signed(&bed, &number), "invalid malformed, refused");
    for close in
        ["ghcr.io/acme/sandbox/x", "ghcr.io/acme/sandbo", "GHCR.IO/acme/sandbox", "acme/sandbox"]
    {
        let close = about(json!({ "ref": close }));
        assert_eq!(signed(&bed, &close), "invalid other-repository, refused", "{close}");
    }
    // cosign since version 3 signs no name: whoever takes that says so.
    let lenient = Policy { binding: Binding::WhereSigned, ..bed.policy.clone() };
    bed.policy = lenient;
    assert_eq!(signed(&bed, &bare), "verified, admitted");
    assert_eq!(signed(&bed, &other), "invalid other-repository, refused");
}

#[tokio::test]
async fn attack_08_a_mirror_is_another_name_only_where_somebody_said_so() {
    let bed = Bed::unsigned(Referring::Api).await;
    let bundle = bed.good();
    let found = evidence(&bed.image.manifest, vec![Content::Bundle(bundle)]);
    let asked = |name: &str| Asked::pinned(repository(name), bed.image.manifest.clone());
    let mirror = "docker.io/acme/sandbox";
    let admission = bed.judge(None, &asked(mirror), &found);
    assert_eq!(told(&admission), "invalid other-repository, refused");
    let asked = asked(mirror).mirrored(vec![repository(NAME)]);
    assert_eq!(told(&bed.judge(None, &asked, &found)), "verified, admitted");
}

#[tokio::test]
async fn attack_08_a_version_is_the_one_that_was_asked_for() {
    let bed = Bed::unsigned(Referring::Api).await;
    let found = evidence(&bed.image.manifest, vec![Content::Bundle(bed.good())]);
    for (name, expected) in [
        ("v1.2.3", "verified, admitted"),
        ("1.2.3", "verified, admitted"),
        ("latest", "verified, admitted"),
        ("v1.2.4", "invalid other-version, refused"),
        ("1.2.3-omos", "invalid other-version, refused"),
    ] {
        let asked = Asked::tagged(repository(NAME), tag(name), bed.image.manifest.clone());
        assert_eq!(told(&bed.judge(None, &asked, &found)), expected, "{name}");
    }
    let annotations = json!({ "ref": format!("{NAME}:v1.2.3") });
    let with_tag = statement_of(SIGNATURE, &[&bed.image.manifest], &annotations);
    let bundle = bed.bundle(&Draft::of(&releaser(), &with_tag));
    let found = evidence(&bed.image.manifest, vec![Content::Bundle(bundle)]);
    for (name, expected) in
        [("v1.2.3", "verified, admitted"), ("v1.2.4", "invalid other-version, refused")]
    {
        let asked = Asked::tagged(repository(NAME), tag(name), bed.image.manifest.clone());
        assert_eq!(told(&bed.judge(None, &asked, &found)), expected, "{name}");
    }
}

/// A document of the first form.
fn simple(reference: &str, digest: &ManifestDigest) -> Value {
    json!({
        "critical": {
            "identity": { "docker-reference": reference },
            "image": { "docker-manifest-digest": digest.to_string() },
            "type": "cosign container image signature",
        },
        "optional": { "version": "1.2.3", "seq": "7" },
    })
}

fn old_form(bed: &Bed, who: &Who, document: &Value) -> Content {
    let payload = bytes_of(document);
    let signature = bed.keyless.old_signature(who, &payload);
    let beside = [
        ("dev.cosignproject.cosign/signature", signature.signature),
        ("dev.sigstore.cosign/certificate", signature.certificate),
        ("dev.sigstore.cosign/chain", signature.chain),
        ("dev.sigstore.cosign/bundle", signature.bundle),
    ];
    let beside: Annotations = beside.map(|(name, value)| (name.to_owned(), value)).into();
    Content::SimpleSigning(payload, beside)
}

#[tokio::test]
async fn attack_08_the_old_form_names_its_repository_and_its_digest() {
    let bed = Bed::unsigned(Referring::Api).await;
    let digest = bed.image.manifest.digest();
    let other = image("other");
    let judged = |who: &Who, document: &Value| {
        let found = evidence(&bed.image.manifest, vec![old_form(&bed, who, document)]);
        told(&bed.judge(None, &bed.asked(), &found))
    };
    let whose = releaser();
    assert_eq!(judged(&whose, &simple(NAME, digest)), "verified, admitted");
    let elsewhere = simple("ghcr.io/acme/other", digest);
    assert_eq!(judged(&whose, &elsewhere), "invalid other-repository, refused");
    let about_other = simple(NAME, other.manifest.digest());
    assert_eq!(judged(&whose, &about_other), "invalid other-subject, refused");
    let mut kind = simple(NAME, digest);
    kind["critical"]["type"] = json!("something");
    assert_eq!(judged(&whose, &kind), "invalid statement-type, refused");
    let stranger = Who::workflow("evil/sandbox", "release.yml", "refs/tags/v1.2.3");
    assert_eq!(judged(&stranger, &simple(NAME, digest)), "wrong-identity, refused");
}

#[tokio::test]
async fn attack_08_what_stands_beside_the_old_form_is_of_that_form() {
    let bed = Bed::unsigned(Referring::Api).await;
    let document = simple(NAME, bed.image.manifest.digest());
    let Content::SimpleSigning(payload, beside) = old_form(&bed, &releaser(), &document) else {
        panic!("the old form")
    };
    let other = simple("ghcr.io/acme/other", bed.image.manifest.digest());
    let Content::SimpleSigning(_, others) = old_form(&bed, &releaser(), &other) else {
        panic!("the old form")
    };
    let judged = |beside: Annotations| {
        let content = Content::SimpleSigning(payload.clone(), beside);
        let found = evidence(&bed.image.manifest, vec![content]);
        told(&bed.judge(None, &bed.asked(), &found))
    };
    assert_eq!(judged(beside.clone()), "verified, admitted");
    for field in ["signature", "bundle", "certificate"] {
        let name = if field == "signature" {
            format!("dev.cosignproject.cosign/{field}")
        } else {
            format!("dev.sigstore.cosign/{field}")
        };
        let mut swapped = beside.clone();
        swapped.insert(name.clone(), others[&name].clone());
        let told = judged(swapped);
        assert!(told.starts_with("invalid ") && told.ends_with("refused"), "{field}: {told}");
        let mut missing = beside.clone();
        missing.remove(&name);
        assert!(judged(missing).ends_with("refused"), "{field}");
    }
}

#[tokio::test]
async fn attack_09_a_signature_of_other_bytes_is_none_of_these() {
    let bed = Bed::unsigned(Referring::Api).await;
    let (other, third) = (image("other"), image("third"));
    let annotations = json!({ "ref": NAME, "version": "1.2.3", "seq": "7" });
    let of = |about: &[&occ_registry::RawManifest]| statement_of(SIGNATURE, about, &annotations);
    assert_eq!(signed(&bed, &of(&[&other.manifest])), "invalid other-subject, refused");
    let several = of(&[&other.manifest, &third.manifest]);
    assert_eq!(signed(&bed, &several), "invalid other-subject, refused");
    assert_eq!(signed(&bed, &of(&[])), "invalid other-subject, refused");
    let all = of(&[&other.manifest, &bed.image.manifest, &third.manifest]);
    assert_eq!(signed(&bed, &all), "verified, admitted");
    // A digest of another algorithm, or in other letters, is none of these bytes.
    let mut shouted = of(&[&bed.image.manifest]);
    let hex = bed.image.manifest.digest().digest().hex().to_uppercase();
    shouted["subject"][0]["digest"]["sha256"] = json!(hex);
    assert_eq!(signed(&bed, &shouted), "invalid other-subject, refused");
    let mut renamed = of(&[&bed.image.manifest]);
    renamed["subject"][0]["digest"] = json!({ "md5": bed.image.manifest.digest().digest().hex() });
    assert_eq!(signed(&bed, &renamed), "invalid other-subject, refused");
}

#[tokio::test]
async fn attack_09_annotations_are_those_of_the_subject_that_was_asked_for() {
    let bed = Bed::unsigned(Referring::Api).await;
    let other = image("other");
    let mut mixed = statement_of(SIGNATURE, &[&other.manifest, &bed.image.manifest], &json!({}));
    mixed["subject"][0]["annotations"] = json!({ "ref": NAME });
    mixed["subject"][1]["annotations"] = json!({ "ref": "ghcr.io/acme/other" });
    assert_eq!(signed(&bed, &mixed), "invalid other-repository, refused");
}

#[tokio::test]
async fn attack_09_index_and_child_do_not_vouch_for_each_other_by_themselves() {
    let bed = Bed::unsigned(Referring::Api).await;
    let (one, evil) = (image("amd64"), image("evil"));
    let list = index(&[&one]);
    let of_index = bed.bundle(&Draft::of(&releaser(), &statement(&list, "1.2.3", 7)));
    let of_child = bed.bundle(&Draft::of(&releaser(), &statement(&one.manifest, "1.2.3", 7)));
    let judged = |manifest: &occ_registry::RawManifest, bundle: &bytes::Bytes| {
        let asked = Asked::pinned(repository(NAME), manifest.clone());
        let found = evidence(manifest, vec![Content::Bundle(bundle.clone())]);
        told(&bed.judge(None, &asked, &found))
    };
    assert_eq!(judged(&list, &of_index), "verified, admitted");
    assert_eq!(judged(&one.manifest, &of_index), "invalid other-subject, refused");
    assert_eq!(judged(&list, &of_child), "invalid other-subject, refused");
    // An index that nobody signed reuses a signed child.
    let swapped = index(&[&one, &evil]);
    assert_eq!(judged(&swapped, &of_child), "invalid other-subject, refused");
    assert_eq!(judged(&swapped, &of_index), "invalid other-subject, refused");
}

#[tokio::test]
async fn attack_10_another_statement_of_the_right_signer_is_no_signature() {
    let bed = Bed::unsigned(Referring::Api).await;
    let annotations = json!({ "ref": NAME, "version": "1.2.3", "seq": "7" });
    for kind in [
        PROVENANCE,
        "https://cosign.sigstore.dev/attestation/vuln/v1",
        "https://in-toto.io/attestation/vulns/v0.1",
        "https://example.com/scan/FAILED",
        "https://cyclonedx.org/bom",
        "https://sigstore.dev/cosign/sign/v1/",
        "https://sigstore.dev/cosign/sign/v2",
        "",
    ] {
        let stated = statement_of(kind, &[&bed.image.manifest], &annotations);
        assert_eq!(signed(&bed, &stated), "invalid predicate-type, refused", "{kind}");
    }
    let mut old = statement_of(SIGNATURE, &[&bed.image.manifest], &annotations);
    old["_type"] = json!("https://in-toto.io/Statement/v0.1");
    assert_eq!(signed(&bed, &old), "invalid statement-type, refused");
}

#[tokio::test]
async fn attack_10_an_attestation_of_the_old_form_is_no_signature_either() {
    let bed = Bed::unsigned(Referring::Api).await;
    let provenance = statement_of(PROVENANCE, &[&bed.image.manifest], &json!({}));
    let (envelope, beside) = bed.keyless.old_attestation(&releaser(), &provenance);
    let beside = [
        ("dev.cosignproject.cosign/signature", beside.signature),
        ("dev.sigstore.cosign/certificate", beside.certificate),
        ("dev.sigstore.cosign/chain", beside.chain),
        ("dev.sigstore.cosign/bundle", beside.bundle),
    ];
    let beside: Annotations = beside.map(|(name, value)| (name.to_owned(), value)).into();
    let attested = Content::Envelope(bytes_of(&envelope), beside);
    let found = evidence(&bed.image.manifest, vec![attested.clone()]);
    let admission = bed.judge(None, &bed.asked(), &found);
    assert_eq!(told(&admission), "invalid predicate-type, refused");
    // Beside a signature it is one more thing that was proved.
    let found = evidence(&bed.image.manifest, vec![attested, Content::Bundle(bed.good())]);
    let admission = bed.judge(None, &bed.asked(), &found);
    let Some(Verdict::Verified(proof)) = &admission.verdict else { panic!("{admission:?}") };
    assert_eq!(proof.predicates, [SIGNATURE, PROVENANCE]);
}

#[tokio::test]
async fn attack_13_somebody_else_is_not_the_releaser() {
    let bed = Bed::unsigned(Referring::Api).await;
    let workflow = |repository: &str, file: &str, at: &str| Who::workflow(repository, file, at);
    let at = "refs/tags/v1.2.3";
    let good = releaser();
    let san = |uri: &str| Who { san: San::Uri(uri.to_owned()), ..releaser() };
    let uri = "https://github.com/acme/sandbox/.github/workflows/release.yml";
    let strangers = [
        ("another workflow", workflow("acme/sandbox", "test.yml", at)),
        ("a branch", workflow("acme/sandbox", "release.yml", "refs/heads/attacker")),
        ("a branch like a tag", workflow("acme/sandbox", "release.yml", "refs/heads/v1.2.3")),
        ("a pull request", workflow("acme/sandbox", "release.yml", "refs/pull/1/merge")),
        ("a longer owner", workflow("acme-evil/sandbox", "release.yml", at)),
        ("a longer repository", workflow("acme/sandbox.evil", "release.yml", at)),
        ("a letter for another", workflow("acme/sandb0x", "release.yml", at)),
        ("a letter that looks alike", san(&format!("{}@{at}", uri.replace('l', "I")))),
        ("another case", san(&format!("{}@{at}", uri.replace("acme", "ACME")))),
        ("something before", san(&format!("https://evil.example/?{uri}@{at}"))),
        ("something behind", san(&format!("{uri}@{at}.evil/x"))),
        ("no version", san(&format!("{uri}@refs/tags/vlatest"))),
        ("the repository made again", good.clone().with(15, "9999")),
        ("the owner made again", good.clone().with(17, "9999")),
        ("somebody's own machine", good.clone().with(11, "self-hosted")),
        ("a pull request's run", good.clone().with(20, "pull_request_target")),
        ("another source", good.clone().with(12, "https://github.com/evil/sandbox")),
        ("another branch below the same name", good.clone().with(14, "refs/heads/main")),
        (
            "another voucher",
            Who { issuer: Some("https://token.evil.example".to_owned()), ..releaser() },
        ),
    ];
    for (what, who) in strangers {
        let bundle = bed.bundle(&Draft::of(&who, &statement(&bed.image.manifest, "1.2.3", 7)));
        let told = told(&bed.verdict(&[bundle]));
        assert_eq!(told, "wrong-identity, refused", "{what}");
    }
    let person = Who { san: San::Email(format!("{uri}@{at}")), ..releaser() };
    let bundle = bed.bundle(&Draft::of(&person, &statement(&bed.image.manifest, "1.2.3", 7)));
    assert_eq!(told(&bed.verdict(&[bundle])), "invalid certificate, refused");
    // No certificate has letters of another alphabet in an address.
    let alike = san(&format!("{}@{at}", uri.replace('a', "\u{430}")));
    let bundle = bed.bundle(&Draft::of(&alike, &statement(&bed.image.manifest, "1.2.3", 7)));
    assert_eq!(told(&bed.verdict(&[bundle])), "invalid certificate, refused");
    let nobody = Who { issuer: None, ..releaser() };
    let bundle = bed.bundle(&Draft::of(&nobody, &statement(&bed.image.manifest, "1.2.3", 7)));
    assert_eq!(told(&bed.verdict(&[bundle])), "invalid certificate, refused");
    let mut silent = releaser();
    silent.claims.clear();
    let bundle = bed.bundle(&Draft::of(&silent, &statement(&bed.image.manifest, "1.2.3", 7)));
    assert_eq!(told(&bed.verdict(&[bundle])), "wrong-identity, refused");
    assert_eq!(told(&bed.verdict(&[bed.good()])), "verified, admitted");
}

#[tokio::test]
async fn attack_13_an_email_address_is_compared_as_one() {
    let mut bed = Bed::unsigned(Referring::Api).await;
    let issuer = "https://accounts.example";
    let person = |name: &str| Who {
        san: San::Email(name.to_owned()),
        issuer: Some(issuer.to_owned()),
        claims: std::collections::BTreeMap::new(),
    };
    let named = |subject: &str| {
        occ_trust::Identity::new(issuer.parse().expect("a text"), subject.parse().expect("a rule"))
    };
    bed.policy = Policy {
        mode: Mode::Enforce,
        identities: vec![identity(), named("release@acme.example")],
        ..Policy::default()
    };
    let judged = |who: &Who| {
        let draft = Draft::of(who, &statement(&bed.image.manifest, "1.2.3", 7));
        told(&bed.verdict(&[bed.bundle(&draft)]))
    };
    assert_eq!(judged(&person("release@acme.example")), "verified, admitted");
    for other in ["release@acme.example.evil", "xrelease@acme.example", "Release@acme.example"] {
        assert_eq!(judged(&person(other)), "wrong-identity, refused", "{other}");
    }
    // An address of a place that reads the same is no person.
    let place = Who { san: San::Uri("release@acme.example".to_owned()), ..person("x") };
    assert_eq!(judged(&place), "invalid certificate, refused");
}
