//! Attacks 15 to 17: several writers, writers that were cut off, versions that would move.

use occ_oci::MediaType;
use occ_registry::{Client, RawManifest};
use occ_testkit::{FakeRegistry, Fault, Harm, Referring};
use occ_trust::{
    Label, Policy, Release, ReleaseError, SigningKey, SigningWith, Title, ToSign, TrustRoot,
    Verdict, attach, attach_legacy, sign, sign_legacy,
};
use serde_json::json;

use crate::bed::{
    Bed, Image, NAME, PATH, client, image, index, now, patient_client, put, repository, tag, told,
};

fn label() -> Label {
    Label { version: Some("1.2.3".to_owned()), seq: Some(7), ..Label::of(repository(NAME)) }
}

#[tokio::test]
async fn attack_15_all_of_many_writers_find_their_signature_afterwards() {
    let mut bed = Bed::unsigned(Referring::Unknown).await;
    let mut writers = tokio::task::JoinSet::new();
    let mut keys = Vec::new();
    for _ in 0..6 {
        let key = SigningKey::generate().expect("a key").0;
        let statement = ToSign::signature(&label(), &[&bed.image.manifest]);
        let bundle = sign(&SigningWith::Key(&key), &statement).await.expect("a signature");
        let old = sign_legacy(&SigningWith::Key(&key), &label(), &bed.image.manifest).await;
        keys.push(key.public().clone());
        // Each with a way of its own, as from six machines.
        let (client, image) = (patient_client(&bed.registry), bed.image.manifest.clone());
        writers.spawn(async move {
            attach(&client, &bundle, &[&image], now()).await.expect("it is listed");
            attach_legacy(&client, &old.expect("a signature"), &image).await.expect("it is there");
        });
    }
    while let Some(done) = writers.join_next().await {
        done.expect("a writer");
    }
    let (_, list) = bed.registry.manifest(PATH, &bed.list()).expect("a list");
    let list: serde_json::Value = serde_json::from_slice(&list).expect("JSON");
    assert_eq!(list["manifests"].as_array().map(Vec::len), Some(6));
    let name = format!("{}.sig", bed.list());
    let (_, old) = bed.registry.manifest(PATH, &name).expect("the old form");
    let old: serde_json::Value = serde_json::from_slice(&old).expect("JSON");
    assert!(old["layers"].as_array().is_some_and(|layers| !layers.is_empty()));
    for key in keys {
        bed.policy = Policy { keys: vec![key], ..Policy::default() };
        assert_eq!(told(&bed.admission().await), "verified, admitted");
    }
}

#[tokio::test]
async fn attack_15_a_signature_that_another_writer_lost_is_put_back() {
    let mut bed = Bed::unsigned(Referring::Unknown).await;
    let key = SigningKey::generate().expect("a key").0;
    bed.policy.keys.push(key.public().clone());
    let empty = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::ImageIndex.as_str(),
        "manifests": [],
    });
    let lost = put(&bed.list(), &MediaType::ImageIndex, empty.to_string().as_bytes());
    let target = format!("/manifests/{}", bed.list());
    bed.registry.fault(Fault::on("PUT", &target, Harm::Then(lost)).times(1));
    let statement = ToSign::signature(&label(), &[&bed.image.manifest]);
    let bundle = sign(&SigningWith::Key(&key), &statement).await.expect("a signature");
    attach(&bed.client, &bundle, &[&bed.image.manifest], now()).await.expect("it is listed");
    assert_eq!(told(&bed.admission().await), "verified, admitted");
}

/// An index of one image, two places, a key, and what is said about them.
struct Works {
    registries: [FakeRegistry; 2],
    places: Vec<Client>,
    key: SigningKey,
    policy: Policy,
    root: TrustRoot,
    child: Image,
    index: RawManifest,
}

impl Works {
    fn new() -> Self {
        let registries = [Referring::Api, Referring::Unknown].map(FakeRegistry::start);
        // What fails is not tried again, so that each request can be the last one.
        let places = registries.iter().map(|registry| client(registry).once()).collect();
        let key = SigningKey::generate().expect("a key").0;
        let policy = Policy { keys: vec![key.public().clone()], ..Policy::default() };
        let child = image("amd64");
        let index = index(&[&child]);
        Self { registries, places, key, policy, root: TrustRoot::embedded(), child, index }
    }

    async fn run(&self) -> Result<(), Box<dyn std::error::Error>> {
        let statement = ToSign::signature(&label(), &[&self.index, &self.child.manifest]);
        let bundle = sign(&SigningWith::Key(&self.key), &statement).await?;
        for place in &self.places {
            for (blob, bytes) in &self.child.blobs {
                place.push_blob(blob, &mut bytes.clone(), None).await?;
            }
            place.push_manifest(&self.child.manifest).await?;
            place.push_manifest(&self.index).await?;
            let subjects = [&self.index, &self.child.manifest];
            attach(place, &bundle, &subjects, now()).await?;
        }
        self.release().await.map_err(Into::into)
    }

    async fn release(&self) -> Result<(), ReleaseError> {
        let (name, tags) = (repository(NAME), [tag("latest"), tag("v1.2.3")]);
        // Whatever somebody says of it, a version does not move.
        let title = |tag| Title { tag, image: &self.index, moves: true };
        let release = Release {
            name: &name,
            titles: &tags.each_ref().map(title),
            policy: &self.policy,
            root: &self.root,
            now: now(),
        };
        release.publish(&self.places).await
    }

    fn tags(&self) -> Vec<Vec<String>> {
        let is_ours = |tag: &String| !tag.starts_with("sha256-");
        let tags = self.registries.each_ref().map(|registry| registry.tags(PATH));
        tags.into_iter().map(|tags| tags.into_iter().filter(is_ours).collect()).collect()
    }

    fn requests(&self) -> usize {
        self.registries.iter().map(|registry| registry.requests().len()).sum()
    }
}

#[tokio::test]
async fn attack_16_a_release_that_was_cut_off_tags_nothing_unsigned_and_goes_on() {
    let whole = Works::new();
    whole.run().await.expect("a release");
    assert_eq!(whole.tags(), [["latest", "v1.2.3"], ["latest", "v1.2.3"]]);
    let at_each = whole.registries.each_ref().map(|registry| registry.requests().len());
    assert!(whole.requests() > 40, "{}", whole.requests());
    for (number, requests) in at_each.into_iter().enumerate() {
        for step in 0..requests {
            // Both ways to be cut off, one after the other: what was asked for was done, or was not.
            let harm = if step % 2 == 0 { Harm::HangsUp } else { Harm::LosesAnswer };
            let works = Works::new();
            works.registries[number].fault(Fault::on("", "", harm).after(step).times(1));
            let cut = works.run().await;
            // Whatever is tagged is whole and signed, at every place.
            if works.tags().iter().any(|tags| !tags.is_empty()) {
                works.release().await.unwrap_or_else(|error| panic!("{number} {step}: {error}"));
            } else {
                cut.expect_err("it was cut off");
            }
            works.run().await.unwrap_or_else(|error| panic!("{number} {step}: {error}"));
            assert_eq!(works.tags(), whole.tags(), "{number} {step}");
        }
    }
}

#[tokio::test]
async fn attack_16_a_place_without_the_signature_gets_no_tag_and_nor_does_any_other() {
    let works = Works::new();
    works.run().await.expect("a release");
    let moved =
        Works { registries: [Referring::Api, Referring::Api].map(FakeRegistry::start), ..works };
    let places: Vec<_> = moved.registries.iter().map(|registry| client(registry).once()).collect();
    let moved = Works { places, ..moved };
    let statement = ToSign::signature(&label(), &[&moved.index]);
    let bundle = sign(&SigningWith::Key(&moved.key), &statement).await.expect("a signature");
    for place in &moved.places {
        moved.child.push(place).await;
        place.push_manifest(&moved.index).await.expect("a push");
    }
    attach(&moved.places[0], &bundle, &[&moved.index], now()).await.expect("it is listed");
    let error = moved.release().await.expect_err("the mirror has no signature");
    let ReleaseError::Unverified { registry, admission } = &error else { panic!("{error:?}") };
    assert_eq!(*registry, moved.registries[1].host());
    assert_eq!(admission.verdict, Some(Verdict::Unsigned));
    assert_eq!(moved.tags(), [Vec::<String>::new(), Vec::new()]);
}

#[tokio::test]
async fn attack_17_a_version_does_not_move_though_the_registry_would_let_it() {
    let works = Works::new();
    works.run().await.expect("a release");
    let before = works.registries[0].manifest(PATH, "latest").expect("a tag");
    let child = image("another build");
    let other = Works { index: index(&[&child]), child, ..works };
    let error = other.run().await.expect_err("the version is taken");
    assert!(error.to_string().contains("and never moves"), "{error}");
    for registry in &other.registries {
        assert_eq!(registry.manifest(PATH, "v1.2.3"), Some(before.clone()));
        assert_eq!(registry.manifest(PATH, "latest"), Some(before.clone()), "nothing moved");
    }
    // It is taken at the second place only: the first gets nothing either.
    let works = Works::new();
    let taken = put("v1.2.3", &MediaType::ImageManifest, works.child.manifest.bytes());
    works.registries[1].change(taken);
    works.run().await.expect_err("the version is taken");
    assert_eq!(works.tags(), [vec![], vec!["v1.2.3".to_owned()]]);
}

#[tokio::test]
async fn attack_17_of_two_builders_at_the_same_moment_one_is_told() {
    let works = Works::new();
    let theirs = put("v1.2.3", &MediaType::ImageManifest, works.child.manifest.bytes());
    works.registries[0].fault(Fault::on("PUT", "/manifests/v1.2.3", Harm::Then(theirs)).times(1));
    let error = works.run().await.expect_err("somebody else was there");
    assert!(error.to_string().contains("by somebody else"), "{error}");
    let error = works.run().await.expect_err("the version is taken");
    assert!(error.to_string().contains("and never moves"), "{error}");
    assert_eq!(works.tags()[1], Vec::<String>::new());
}
