//! When something is tried again, and when not.

use std::time::Duration;

use occ_oci::ManifestDigest;
use occ_registry::{Client, Error, Reason};
use occ_testkit::{FakeRegistry, Fault, Harm, Referring, Registry};

use crate::material::image;
use crate::{Waits, client_with, settings};

/// Asks a registry with a fault for a manifest that is there; returns the end, how often it was asked, and
/// the waits.
async fn ask(fault: Fault) -> (Result<(), Error>, usize, Vec<u64>) {
    let registry = FakeRegistry::start(Referring::Unknown);
    let (client, waits, digest) = with_image(&registry).await;
    registry.fault(fault);
    let end = client.manifest(&digest).await.map(|_| ());
    (end, registry.asked("GET", "/manifests/"), waits.seconds())
}

async fn with_image(registry: &FakeRegistry) -> (Client, Waits, ManifestDigest) {
    let (mut settings, waits) = settings();
    settings.patience.stall = Duration::from_millis(300);
    let client = client_with(settings, &registry.host(), "a/b");
    let image = image("x");
    image.push(&client).await;
    (client, waits, image.manifest.digest().clone())
}

#[tokio::test]
async fn attack_22_what_can_pass_is_tried_three_more_times() {
    for harm in [Harm::status(500), Harm::status(503), Harm::HangsUp, Harm::Truncated, Harm::Silent]
    {
        let (end, asked, waits) = ask(Fault::on("GET", "/manifests/", harm.clone())).await;
        let error = end.expect_err("it never passes");
        assert!(error.reason.may_pass(), "{harm:?}: {error:?}");
        assert_eq!((asked, waits), (4, vec![1, 2, 4]), "{harm:?}");
    }
}

#[tokio::test]
async fn attack_22_what_passes_is_an_answer() {
    for harm in [Harm::status(500), Harm::busy(0), Harm::HangsUp, Harm::Truncated] {
        let (end, asked, waits) = ask(Fault::on("GET", "/manifests/", harm.clone()).times(2)).await;
        end.expect("an answer");
        assert_eq!((asked, waits), (3, vec![1, 2]), "{harm:?}");
    }
}

#[tokio::test]
async fn attack_22_a_refusal_is_not_tried_again() {
    for status in [400, 401, 403, 404, 410, 418] {
        let (end, asked, waits) = ask(Fault::on("GET", "/manifests/", Harm::status(status))).await;
        let error = end.expect_err("a refusal");
        assert!(!error.reason.may_pass(), "{status}: {error:?}");
        assert_eq!((asked, waits), (1, Vec::new()), "{status}");
    }
}

#[tokio::test]
async fn attack_22_a_registry_that_says_when_is_asked_then_and_not_before() {
    let (end, asked, waits) = ask(Fault::on("GET", "/manifests/", Harm::busy(20)).times(1)).await;
    end.expect("an answer");
    assert_eq!(asked, 2);
    assert!((20..=25).contains(&waits[0]), "{waits:?}");
}

#[tokio::test]
async fn attack_22_a_wait_beyond_the_deadline_is_not_waited_for() {
    let (end, asked, waits) = ask(Fault::on("GET", "/manifests/", Harm::busy(86_400))).await;
    let error = end.expect_err("busy for a day");
    assert!(matches!(error.reason, Reason::Busy { after: Some(_) }), "{error:?}");
    assert_eq!((asked, waits), (1, Vec::new()));
}

#[tokio::test]
async fn attack_20_a_call_has_an_end_whatever_the_registry_does() {
    let registry = FakeRegistry::start(Referring::Unknown);
    let (mut settings, waits) = settings();
    settings.patience.stall = Duration::from_secs(3600);
    settings.patience.total = Duration::from_millis(300);
    let client = client_with(settings, &registry.host(), "a/b");
    registry.fault(Fault::on("GET", "", Harm::Silent));
    let error = client.resolve(&crate::tag("latest")).await.expect_err("an end");
    assert!(matches!(error.reason, Reason::Deadline { .. }), "{error:?}");
    assert_eq!(waits.seconds(), Vec::<u64>::new());
}

#[tokio::test]
async fn attack_22_a_date_to_come_back_at_is_understood() {
    let answer = |headers: &[(&str, &str)]| {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Harm::Answers { status: 429, headers: headers.iter().map(owned).collect(), body: vec![] }
    };
    let then = ("retry-after", "Sun, 06 Nov 1994 08:49:57 GMT");
    let now = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let (end, _, waits) = ask(Fault::on("GET", "/manifests/", answer(&[then, now])).times(1)).await;
    end.expect("an answer");
    assert!((20..=25).contains(&waits[0]), "{waits:?}");
}

#[tokio::test]
async fn a_host_where_nobody_listens_has_answered_and_a_silent_one_can_pass() {
    let (settings, waits) = settings();
    let host = format!("127.0.0.1:{}", occ_testkit::free_port());
    let client = client_with(settings, &host, "a/b");
    let error = client.resolve(&crate::tag("latest")).await.expect_err("nobody");
    assert!(matches!(error.reason, Reason::Connect { .. }), "{error:?}");
    assert_eq!(waits.seconds(), Vec::<u64>::new());
    assert!(!error.reason.may_pass());
    let (host, _listener) = Registry::silent();
    let (mut settings, _) = crate::settings();
    settings.patience.stall = Duration::from_millis(200);
    settings.patience.waits.clear();
    let client = client_with(settings, &host, "a/b");
    let error = client.resolve(&crate::tag("latest")).await.expect_err("nobody speaks");
    assert!(matches!(error.reason, Reason::Silent { .. }), "{error:?}");
}
