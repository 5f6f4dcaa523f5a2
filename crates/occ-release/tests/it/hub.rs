//! The page of a repository, against a server that behaves as Docker Hub does, or not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use occ_registry::{EnvironmentLogin, Keychain, Patience, Reason, Registries, Settings};
use occ_release::{Description, DescriptionPart, Hub as Client, HubError, HubRepository};
use occ_testkit::{Fault, Harm, Hub};

const REPOSITORY: &str = "prizz/sandbox";
const PLACE: &str = "/v2/repositories/prizz/sandbox/";

/// The way there, and the waits that were made on it, none of which takes any time.
struct Way {
    way: Registries,
    waits: Arc<Mutex<Vec<u64>>>,
}

impl Way {
    fn with(password: &str) -> Self {
        let waits = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&waits);
        let pause = move |time: Duration| {
            kept.lock().expect("no panic").push(time.as_secs());
            Box::pin(tokio::task::yield_now()) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
        };
        let login = |name: &str| match name {
            "OCC_REGISTRY_HOST" => Some("docker.io".to_owned()),
            "OCC_REGISTRY_USERNAME" => Some(Hub::USER.to_owned()),
            "OCC_REGISTRY_PASSWORD" => Some(password.to_owned()),
            _ => None,
        };
        let environment = EnvironmentLogin::parse(login).expect("a login");
        let way = Registries::new(Settings {
            keychain: Keychain { environment, ..Keychain::default() },
            patience: Patience::new(3).pausing(Arc::new(pause)),
            ..Settings::new(3)
        });
        Self { way, waits }
    }

    async fn push(&self, hub: &Hub) -> Result<Vec<DescriptionPart>, HubError> {
        let (url, repository) = (hub.url(), repository());
        let mut client = Client::enter(&self.way, &url, &repository).await?;
        let parts = description().other_parts(&client.read().await?);
        if !parts.is_empty() {
            client.write(&description(), &parts).await?;
        }
        Ok(parts)
    }

    fn waited(&self) -> Vec<u64> {
        self.waits.lock().expect("no panic").clone()
    }
}

fn description() -> Description {
    Description { short: "A page".to_owned(), full: "# A page\n\nof two lines\n".to_owned() }
}

fn repository() -> HubRepository {
    REPOSITORY.parse().expect("a repository")
}

#[tokio::test]
async fn doc_001_doc_008_both_texts_are_sent_once_and_afterwards_only_what_has_changed() {
    let hub = Hub::start(REPOSITORY);
    let way = Way::with(Hub::PASSWORD);
    assert_eq!(way.push(&hub).await.expect("sent"), DescriptionPart::ALL);
    assert_eq!(hub.page("description"), Some(description().short));
    assert_eq!(hub.page("full_description"), Some(description().full));
    assert_eq!(way.push(&hub).await.expect("looked at"), []);
    assert_eq!(hub.asked("PATCH"), 1);

    let old = Description { short: "Another".to_owned(), ..description() };
    let (url, repository) = (hub.url(), repository());
    let mut client = Client::enter(&way.way, &url, &repository).await.expect("in");
    client.write(&old, &[DescriptionPart::Short]).await.expect("changed");
    assert_eq!(way.push(&hub).await.expect("sent"), [DescriptionPart::Short]);
    let last = hub.requests().into_iter().rfind(|request| request.method == "PATCH");
    assert_eq!(last.expect("it was sent").body, br#"{"description":"A page"}"#);
}

#[tokio::test]
async fn a_token_that_expires_in_between_is_replaced_once() {
    let hub = Hub::start(REPOSITORY);
    hub.tokens_last(1);
    Way::with(Hub::PASSWORD).push(&hub).await.expect("sent");
    let asked: Vec<_> = hub.requests().into_iter().map(|request| request.method).collect();
    assert_eq!(asked, ["POST", "GET", "PATCH", "POST", "PATCH"]);

    hub.tokens_last(0);
    let error = Way::with(Hub::PASSWORD).push(&hub).await.expect_err("never good");
    let HubError::Read { source, .. } = error else { panic!("{error:?}") };
    assert!(matches!(source.reason, Reason::Unauthorized), "{source:?}");
    assert_eq!(hub.requests().len(), 9, "it was tried twice and no more");
}

#[tokio::test]
async fn what_can_pass_is_tried_again_when_the_server_says_so() {
    let hub = Hub::start(REPOSITORY);
    hub.fault(Fault::on("POST", "/v2/auth/token", Harm::busy(20)).times(1));
    hub.fault(Fault::on("GET", PLACE, Harm::status(502)).times(2));
    hub.fault(Fault::on("PATCH", PLACE, Harm::HangsUp).times(1));
    let way = Way::with(Hub::PASSWORD);
    way.push(&hub).await.expect("sent in the end");
    assert!(way.waited()[0] >= 20, "{:?}", way.waited());
    assert_eq!(way.waited().len(), 4);
    assert_eq!(hub.page("description"), Some(description().short));
}

#[tokio::test]
async fn a_server_that_only_fails_is_given_up() {
    let hub = Hub::start(REPOSITORY);
    hub.fault(Fault::on("PATCH", PLACE, Harm::status(503)));
    let error = Way::with(Hub::PASSWORD).push(&hub).await.expect_err("never");
    let HubError::Write { source, .. } = error else { panic!("{error:?}") };
    assert!(matches!(source.reason, Reason::Failing { status: 503 }), "{source:?}");
    assert_eq!(hub.asked("PATCH"), 4);
}

#[tokio::test]
async fn what_was_kept_otherwise_than_sent_is_noticed() {
    let hub = Hub::start(REPOSITORY);
    hub.keeps(10);
    let error = Way::with(Hub::PASSWORD).push(&hub).await.expect_err("cut").to_string();
    let cut = "docker.io/prizz/sandbox keeps 10 bytes of the full description, and 23 were sent";
    assert_eq!(error, cut);
}

#[tokio::test]
async fn attack_21_nothing_that_is_told_has_a_credential_in_it() {
    let hub = Hub::start(REPOSITORY);
    let echo = format!("{} {}", Hub::PASSWORD, Hub::USER).into_bytes();
    let harm = Harm::Answers { status: 401, headers: Vec::new(), body: echo };
    hub.fault(Fault::on("POST", "/v2/auth/token", harm));
    let way = Way::with(Hub::PASSWORD);
    let error = way.push(&hub).await.expect_err("not let in");
    let told = format!("{error} {error:?} {:?}", way.way);
    assert!(!told.contains(Hub::PASSWORD), "{told}");
    let password = Way::with("wrong").push(&Hub::start(REPOSITORY)).await.expect_err("wrong");
    assert!(matches!(password, HubError::Login(_)), "{password:?}");
}
