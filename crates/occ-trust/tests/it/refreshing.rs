//! Trust roots that are fetched: by whom they are signed, how old they are, and what stays when they cannot
//! be had.

use std::path::PathBuf;

use jiff::SignedDuration;
use occ_registry::Registries;
use occ_testkit::{Keyless, Referring};
use occ_trust::{RefreshError, RootService, RootSource, TrustRoot};
use tempfile::TempDir;

use crate::bed::{Bed, now, settings, told};

const LATER: &str = "2999-01-01T00:00:00Z";

struct Place {
    dir: TempDir,
    way: Registries,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a folder"), way: Registries::new(settings()) }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("root.json")
    }

    async fn refresh(&self, keyless: &Keyless, first: &[u8]) -> Result<TrustRoot, RefreshError> {
        self.refresh_at(keyless, first, SignedDuration::ZERO).await
    }

    async fn refresh_at(
        &self,
        keyless: &Keyless,
        first: &[u8],
        later: SignedDuration,
    ) -> Result<TrustRoot, RefreshError> {
        let url = format!("{}/updates", keyless.url());
        let from = RootService { url, first: first.to_vec().into() };
        let folder = self.dir.path().join("updates");
        TrustRoot::refresh(&self.way, &from, (&self.path(), &folder), now() + later).await
    }
}

#[tokio::test]
async fn attack_18_a_newer_trust_root_is_fetched_kept_and_used() {
    let bed = Bed::signed(Referring::Api).await;
    let place = Place::new();
    let first = bed.keyless.offer_root(&bed.keyless.trusted_root(), 1, LATER);
    let fresh = place.refresh(&bed.keyless, &first).await.expect("a trust root");
    assert_eq!(fresh.version().source, RootSource::Stored);
    let kept = TrustRoot::stored(&place.path()).expect("a file").expect("it is there");
    assert_eq!(kept.version(), fresh.version());
    let bed = Bed { root: kept, ..bed };
    assert_eq!(told(&bed.admission().await), "verified, admitted");
}

#[tokio::test]
async fn attack_12_a_trust_root_of_somebody_else_is_not_taken() {
    let (ours, theirs) = (Keyless::start(), Keyless::start());
    let place = Place::new();
    let first = ours.offer_root(&ours.trusted_root(), 1, LATER);
    theirs.offer_root(&theirs.trusted_root(), 2, LATER);
    let error = place.refresh(&theirs, &first).await.expect_err("signed by others");
    assert!(matches!(error, RefreshError::Update { .. }), "{error:?}");
    assert!(!place.path().exists());
    place.refresh(&ours, b"{}").await.expect_err("no beginning");
}

#[tokio::test]
async fn attack_18_an_older_or_expired_trust_root_is_not_taken_and_what_is_there_stays() {
    let keyless = Keyless::start();
    let place = Place::new();
    let first = keyless.offer_root(&keyless.trusted_root(), 7, LATER);
    let fresh = place.refresh(&keyless, &first).await.expect("a trust root");
    keyless.offer_root(&keyless.trusted_root_since(-5), 6, LATER);
    place.refresh(&keyless, &first).await.expect_err("older than what was seen");
    let soon = (now() + SignedDuration::from_hours(1)).to_string();
    let other = Keyless::start();
    let other_place = Place::new();
    let other_first = other.offer_root(&other.trusted_root(), 1, &soon);
    let late = SignedDuration::from_hours(2);
    other_place.refresh_at(&other, &other_first, late).await.expect_err("expired");
    let kept = TrustRoot::stored(&place.path()).expect("a file").expect("it is there");
    assert_eq!(kept.version(), fresh.version());
    // Nobody is there.
    let url = keyless.url();
    drop(keyless);
    let from = RootService { url, first: first.into() };
    let folder = place.dir.path().join("updates");
    let kept = TrustRoot::refresh(&place.way, &from, (&place.path(), &folder), now()).await;
    kept.expect_err("nobody answers");
    assert!(place.path().exists());
}

#[test]
fn the_public_repository_begins_with_a_root_that_is_one() {
    let public = RootService::public();
    let root: serde_json::Value = serde_json::from_slice(&public.first).expect("JSON");
    assert_eq!(root["signed"]["_type"], "root");
    assert!(public.url.starts_with("https://"));
}
