//! What we sign: its form, who accepts it, and what it never claims.

use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use occ_registry::{Attached, Registries, Secret};
use occ_testkit::{Referring, Who};
use occ_trust::{
    Ambient, BUILD_TYPE, Builder, CYCLONE_DX, IdentityToken, LOCAL_BUILDER, Label, LogKind,
    PROVENANCE, Provenance, Resource, SIGNATURE, Services, SigningKey, SigningWith, ToSign,
    Verdict, attach, attach_legacy, referrer, sign, sign_legacy, slsa_level,
};
use serde_json::{Value, json};

use crate::bed::{Bed, NAME, PATH, image, index, now, releaser, repository, settings, tag, told};

fn label() -> Label {
    let tag = Some(tag("v1.2.3"));
    let version = Some("1.2.3".to_owned());
    Label { tag, version, seq: Some(7), ..Label::of(repository(NAME)) }
}

fn services(bed: &Bed, kind: LogKind) -> Services {
    let url = bed.keyless.url();
    let timestamps = Some(format!("{url}/api/v1/timestamp"));
    Services { authority: url.clone(), log: (url, kind), timestamps }
}

fn token(bed: &Bed, who: &Who) -> IdentityToken {
    IdentityToken::new(&Secret::new(bed.keyless.token(who))).expect("a token")
}

#[tokio::test]
async fn a_keyless_signature_is_attached_to_index_and_child_and_found_by_both() {
    for (kind, referring, listed) in [
        (LogKind::Old, Referring::Api, Attached::ByApi),
        (LogKind::New, Referring::Unknown, Attached::ByTag),
        (LogKind::Old, Referring::NoticedOnly, Attached::ByTag),
    ] {
        let bed = Bed::unsigned(referring).await;
        let list = index(&[&bed.image]);
        bed.client.push_manifest(&list).await.expect("a push");
        let (way, services) = (Registries::new(settings()), services(&bed, kind));
        let token = token(&bed, &releaser());
        let with = SigningWith::Keyless { token: &token, way: &way, services: &services };
        let subjects = [&list, &bed.image.manifest];
        let statement = ToSign::signature(&label(), &subjects);
        let bundle = sign(&with, &statement).await.expect("a signature");
        let attached = attach(&bed.client, &bundle, &subjects, now()).await.expect("it is listed");
        assert_eq!(attached.len(), 2);
        assert!(attached.iter().all(|attachment| attachment.listed == listed), "{attached:?}");
        for subject in subjects {
            let asked = occ_trust::Asked::tagged(repository(NAME), tag("v1.2.3"), subject.clone());
            let admission = bed.admission_with(None, &asked).await;
            assert_eq!(told(&admission), "verified, admitted", "{kind:?} {admission:?}");
            let Some(Verdict::Verified(proof)) = &admission.verdict else { panic!("verified") };
            assert_eq!(proof.annotations["ref"], format!("{NAME}:v1.2.3"));
            assert_eq!((proof.seq(), proof.version()), (Some(7), Some("1.2.3")));
        }
        // One certificate and one log entry for both.
        let asked = bed.keyless.requests();
        assert_eq!(asked.len(), 3, "authority, timestamps, log");
    }
}

#[tokio::test]
async fn the_manifest_around_a_bundle_is_the_one_that_cosign_writes() {
    let bed = Bed::unsigned(Referring::Api).await;
    let key = SigningKey::generate().expect("a key").0;
    let statement = ToSign::signature(&label(), &[&bed.image.manifest]);
    let bundle = sign(&SigningWith::Key(&key), &statement).await.expect("a signature");
    let moment = Timestamp::from_second(1_700_000_000).expect("a moment");
    let manifest = referrer(&bundle, &bed.image.manifest, moment).expect("a manifest");
    let document: Value = serde_json::from_slice(manifest.bytes()).expect("JSON");
    let kind = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let wanted = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": kind,
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "size": 2,
        },
        "layers": [{
            "mediaType": kind,
            "digest": occ_oci::Digest::sha256(bundle.bytes()).to_string(),
            "size": bundle.bytes().len(),
        }],
        "subject": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": bed.image.manifest.digest().to_string(),
            "size": bed.image.manifest.bytes().len(),
        },
        "annotations": {
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": SIGNATURE,
            "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        },
    });
    assert_eq!(document, wanted);
    let bundle: Value = serde_json::from_slice(bundle.bytes()).expect("JSON");
    assert_eq!(bundle["mediaType"], kind);
    let hint = &bundle["verificationMaterial"]["publicKey"]["hint"];
    assert_eq!(*hint, key.public().hint());
}

#[tokio::test]
async fn a_key_with_a_log_is_verified_with_both() {
    for kind in [LogKind::Old, LogKind::New] {
        let mut bed = Bed::unsigned(Referring::Api).await;
        let (way, services) = (Registries::new(settings()), services(&bed, kind));
        let key = SigningKey::generate().expect("a key").0;
        bed.policy.keys.push(key.public().clone());
        let with = SigningWith::LoggedKey { key: &key, way: &way, services: &services };
        let statement = ToSign::signature(&label(), &[&bed.image.manifest]);
        let bundle = sign(&with, &statement).await.expect("a signature");
        let admission = bed.verdict(&[bundle.bytes().clone()]);
        assert_eq!(told(&admission), "verified, admitted", "{admission:?}");
        let Some(Verdict::Verified(proof)) = &admission.verdict else { panic!("verified") };
        assert!(!proof.times.is_empty(), "{kind:?}");
    }
}

#[tokio::test]
async fn the_old_form_is_found_by_its_tag_and_verified() {
    let mut bed = Bed::unsigned(Referring::Unknown).await;
    let (way, services) = (Registries::new(settings()), services(&bed, LogKind::Old));
    let token = token(&bed, &releaser());
    let keyless = SigningWith::Keyless { token: &token, way: &way, services: &services };
    let key = SigningKey::generate().expect("a key").0;
    for with in [keyless, SigningWith::Key(&key)] {
        let signature =
            sign_legacy(&with, &label(), &bed.image.manifest).await.expect("a signature");
        attach_legacy(&bed.client, &signature, &bed.image.manifest).await.expect("it is there");
        // Once more changes nothing.
        let name = format!("{}.sig", bed.list());
        let before = bed.registry.manifest(PATH, &name);
        attach_legacy(&bed.client, &signature, &bed.image.manifest).await.expect("it is there");
        assert_eq!(bed.registry.manifest(PATH, &name), before);
    }
    let admission = bed.admission().await;
    assert_eq!(told(&admission), "verified, admitted", "{admission:?}");
    let Some(Verdict::Verified(proof)) = &admission.verdict else { panic!("verified") };
    assert_eq!((proof.annotations["ref"].as_str(), proof.seq()), (NAME, Some(7)));
    bed.policy.identities.clear();
    assert_eq!(told(&bed.admission().await), "wrong-identity, refused");
    bed.policy.keys.push(key.public().clone());
    assert_eq!(told(&bed.admission().await), "verified, admitted", "two signatures in one tag");
    let new = Services { log: (bed.keyless.url(), LogKind::New), ..services.clone() };
    let with = SigningWith::Keyless { token: &token, way: &way, services: &new };
    sign_legacy(&with, &label(), &bed.image.manifest).await.expect_err("there is no such entry");
}

#[tokio::test]
async fn a_ci_gives_its_job_a_token_that_is_good_for_signing() {
    let bed = Bed::unsigned(Referring::Api).await;
    let way = Registries::new(settings());
    let given = bed.keyless.token(&releaser());
    let url = format!("{}/token?give={given}", bed.keyless.url());
    let ambient = Ambient::of(Some(&url), Some("request-token")).expect("a giver");
    let token = ambient.token(&way).await.expect("a token");
    let services = services(&bed, LogKind::Old);
    let with = SigningWith::Keyless { token: &token, way: &way, services: &services };
    let statement = ToSign::signature(&label(), &[&bed.image.manifest]);
    let bundle = sign(&with, &statement).await.expect("a signature");
    assert_eq!(told(&bed.verdict(&[bundle.bytes().clone()])), "verified, admitted");
    let wrong = Ambient::of(Some(&url), Some("another")).expect("a giver");
    let error = wrong.token(&way).await.expect_err("refused");
    let shown = format!("{error:?} {ambient:?} {token:?}");
    for secret in ["another", "request-token", given.as_str()] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(Ambient::of(Some(&url), None).is_none());
    assert!(Ambient::of(Some(""), Some("x")).is_none());
    for text in ["", "a.b", "a.!.c", "a.e30.c.d"] {
        assert!(IdentityToken::new(&Secret::new(text)).is_err(), "{text}");
    }
}

#[tokio::test]
async fn services_that_fail_are_told_and_a_plain_address_elsewhere_is_not_asked() {
    let bed = Bed::unsigned(Referring::Api).await;
    let way = Registries::new(settings());
    let token = token(&bed, &releaser());
    let statement = ToSign::signature(&label(), &[&bed.image.manifest]);
    let good = services(&bed, LogKind::Old);
    let nowhere = format!("{}/nowhere", bed.keyless.url());
    for services in [
        Services { authority: nowhere.clone(), ..good.clone() },
        Services { log: (nowhere.clone(), LogKind::Old), ..good.clone() },
        Services { timestamps: Some(nowhere), ..good.clone() },
        Services { authority: "http://fulcio.example".to_owned(), ..good.clone() },
        Services { authority: "http://127.0.0.1:1".to_owned(), ..good },
    ] {
        let with = SigningWith::Keyless { token: &token, way: &way, services: &services };
        let error = sign(&with, &statement).await.expect_err("no signature");
        assert!(error.to_string().contains("a signing service"), "{services:?}: {error}");
    }
}

fn provenance() -> Provenance {
    let digest = [("sha256".to_owned(), "aa".repeat(32))].into();
    let uri = Some("pkg:deb/debian/bash@5.2.37".to_owned());
    Provenance {
        external_parameters: json!({ "recipe": "image/sandbox.toml", "variant": "omos" }),
        internal_parameters: json!({ "platforms": ["linux/amd64"] }),
        resolved_dependencies: vec![Resource { uri, digest, ..Resource::default() }],
        builder_version: [("occ".to_owned(), "1.0.0".to_owned())].into(),
        invocation_id: None,
        started_on: None,
        finished_on: None,
        byproducts: Vec::new(),
    }
}

#[tokio::test]
async fn provenance_says_where_it_ran_and_never_more() {
    let bed = Bed::unsigned(Referring::Api).await;
    let hosted = json!({
        "iss": "https://token.actions.githubusercontent.com",
        "sub": "repo:acme/sandbox:ref:refs/tags/v1.2.3",
        "runner_environment": "github-hosted",
        "job_workflow_ref": "acme/sandbox/.github/workflows/release.yml@refs/tags/v1.2.3",
    });
    let token_of = |claims: &Value| {
        use base64::Engine as _;
        let part = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims.to_string());
        IdentityToken::new(&Secret::new(format!("e30.{part}.c2ln"))).expect("a token")
    };
    let workflow = "https://github.com/acme/sandbox/.github/workflows/release.yml@refs/tags/v1.2.3";
    assert_eq!(Builder::of(&token_of(&hosted)).id(), workflow);
    assert_eq!(Builder::local().id(), LOCAL_BUILDER);
    for (claim, value) in [("runner_environment", "self-hosted"), ("iss", "https://evil.example")] {
        let mut other = hosted.clone();
        other[claim] = json!(value);
        assert_eq!(Builder::of(&token_of(&other)).id(), LOCAL_BUILDER, "{claim}");
    }
    let key = SigningKey::generate().expect("a key").0;
    for (builder, level) in [(Builder::local(), 1), (Builder::of(&token_of(&hosted)), 2)] {
        let (way, services) = (Registries::new(settings()), services(&bed, LogKind::Old));
        let token = token(&bed, &releaser());
        let with = SigningWith::Keyless { token: &token, way: &way, services: &services };
        let images = [&bed.image.manifest];
        let stated = ToSign::provenance(&label(), &images, &provenance(), &builder);
        let attested = sign(&with, &stated).await.expect("an attestation");
        let signed = sign(&with, &ToSign::signature(&label(), &images)).await.expect("a signature");
        let admission = bed.verdict(&[attested.bytes().clone(), signed.bytes().clone()]);
        let Some(Verdict::Verified(proof)) = &admission.verdict else { panic!("{admission:?}") };
        let provenance = &proof.attestations[0];
        assert_eq!(provenance.predicate_type, PROVENANCE);
        assert_eq!(slsa_level(provenance), level);
        let definition = &provenance.predicate["buildDefinition"];
        assert_eq!(definition["buildType"], BUILD_TYPE);
        assert_eq!(definition["resolvedDependencies"][0]["uri"], "pkg:deb/debian/bash@5.2.37");
        assert_eq!(provenance.predicate["runDetails"]["builder"]["id"], builder.id());
        // Who holds a key can write anything.
        let mut by_key = provenance.clone();
        by_key.signer = occ_trust::Signer::Key { id: key.public().id() };
        assert_eq!(slsa_level(&by_key), 1);
    }
}

#[tokio::test]
async fn a_bill_of_materials_is_attested_as_it_is() {
    let mut bed = Bed::unsigned(Referring::Api).await;
    let bill = json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": [] });
    let images = [&bed.image.manifest];
    let text = bill.to_string();
    let stated = ToSign::bill_of_materials(&label(), &images, text.as_bytes()).expect("a bill");
    assert_eq!(stated.predicate_type(), CYCLONE_DX);
    let key = SigningKey::generate().expect("a key").0;
    bed.policy.keys.push(key.public().clone());
    let attested = sign(&SigningWith::Key(&key), &stated).await.expect("an attestation");
    let signed = ToSign::signature(&label(), &images);
    let signed = sign(&SigningWith::Key(&key), &signed).await.expect("a signature");
    let admission = bed.verdict(&[attested.bytes().clone(), signed.bytes().clone()]);
    let Some(Verdict::Verified(proof)) = &admission.verdict else { panic!("{admission:?}") };
    assert_eq!(proof.attestations[0].predicate, bill);
    for text in ["", "{}", "[]", r#"{"bomFormat":"SPDX"}"#] {
        let images = [&image("x").manifest];
        ToSign::bill_of_materials(&label(), &images, text.as_bytes()).expect_err(text);
    }
}

/// Installs Python's implementation, which is not ours and stricter in places.
fn python(dir: &Path) {
    let run = Command::new("python3")
        .args(["-m", "pip", "install", "-q", "--no-compile", "--disable-pip-version-check"])
        .args(["--target", "lib", "sigstore==4.5.1"])
        .current_dir(dir)
        .output()
        .unwrap_or_else(|error| panic!("python3: {error} (packages python3, python3-pip)"));
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[tokio::test]
async fn python_s_implementation_accepts_what_we_sign_and_refuses_it_for_others() {
    let bed = Bed::unsigned(Referring::Api).await;
    let dir = tempfile::tempdir().expect("a folder");
    python(dir.path());
    let way = Registries::new(settings());
    let token = token(&bed, &releaser());
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(dir.path().join(name), bytes).expect("it is written");
    };
    write("root.json", bed.keyless.trusted_root().to_string().as_bytes());
    write("judge.py", include_bytes!("judge.py"));
    for (kind, name) in [(LogKind::Old, "old.json"), (LogKind::New, "new.json")] {
        let services = services(&bed, kind);
        let with = SigningWith::Keyless { token: &token, way: &way, services: &services };
        let statement = ToSign::signature(&label(), &[&bed.image.manifest]);
        write(name, sign(&with, &statement).await.expect("a signature").bytes());
        let judge = |subject: &str| {
            let run = Command::new("python3")
                .env("PYTHONPATH", dir.path().join("lib"))
                .args(["judge.py", "root.json", name, subject])
                .arg("https://token.actions.githubusercontent.com")
                .current_dir(dir.path())
                .output()
                .expect("it runs");
            let told = String::from_utf8_lossy(&run.stderr).into_owned();
            (run.status.success(), String::from_utf8_lossy(&run.stdout).into_owned(), told)
        };
        let workflow = "https://github.com/acme/sandbox/.github/workflows/release.yml";
        let (is_good, statement, told) = judge(&format!("{workflow}@refs/tags/v1.2.3"));
        assert!(is_good, "{name}: {told}");
        let statement: Value = serde_json::from_str(&statement).expect("a statement");
        assert_eq!(statement["subject"][0]["name"], NAME);
        let digest = bed.image.manifest.digest().digest().hex();
        assert_eq!(statement["subject"][0]["digest"]["sha256"], digest);
        let (is_good, _, told) = judge(&format!("{workflow}@refs/tags/v1.2.4"));
        assert!(!is_good && told.contains("VerificationError"), "{name}: {told}");
    }
}
