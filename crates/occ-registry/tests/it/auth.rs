//! Credentials on their way: to whom they go, and to whom they never do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use occ_oci::MediaType;
use occ_registry::{Client, Reason, Settings};
use occ_testkit::{Door, FakeRegistry, Fault, Harm, Referring};
use serde_json::json;

use crate::material::{blob, image};
use crate::{client, client_with, keychain, logged_in, repository, settings, tag, told};

const PASSWORD: &str = "hunter-two";

fn behind(door: Door) -> FakeRegistry {
    FakeRegistry::behind(door, Referring::Unknown)
}

fn door(uses: usize, realm: Option<String>) -> Door {
    let login = Some(("me".to_owned(), PASSWORD.to_owned()));
    Door::Token { login, identity: Some("an-identity".to_owned()), uses, realm }
}

/// A client with the right password for this registry.
fn known(registry: &FakeRegistry, path: &str) -> Client {
    let (keychain, folder) = logged_in(&registry.host(), "me", PASSWORD);
    let client = client_with(Settings { keychain, ..settings().0 }, &registry.host(), path);
    // It is read when somebody asks.
    let _kept = folder.keep();
    client
}

/// Whether a password or a token was shown to a registry.
fn was_shown_anything(registry: &FakeRegistry) -> bool {
    registry.requests().iter().any(|request| {
        let shown = request.header("authorization").is_some();
        let written = format!("{} {}", request.target, String::from_utf8_lossy(&request.body));
        shown || written.contains(PASSWORD) || written.contains("token-")
    })
}

#[tokio::test]
async fn a_name_and_a_password_open_a_door() {
    let registry = behind(Door::Basic { user: "me".to_owned(), password: PASSWORD.to_owned() });
    image("x").push(&known(&registry, "a/b")).await;
    let stranger = client(&registry.host(), "a/b");
    let error = stranger.resolve(&tag("latest")).await.expect_err("a stranger");
    assert!(matches!(error.reason, Reason::Unauthorized), "{error:?}");
}

#[tokio::test]
async fn a_token_is_for_what_is_done_and_no_more() {
    let registry = behind(door(usize::MAX, None));
    let client = known(&registry, "a/b");
    let error = client.resolve(&tag("latest")).await.expect_err("no tag yet");
    assert!(error.reason.is_not_found(), "{error:?}");
    assert_eq!(registry.asked("GET", "scope=repository%3Aa/b%3Apull"), 1);
    assert_eq!(registry.asked("GET", "push"), 0, "reading needs no more");
    image("x").push(&client).await;
    assert_eq!(registry.asked("GET", "%3Apull%2Cpush"), 1);
    assert_eq!(registry.asked("GET", "/token"), 2, "a token is kept");
}

#[tokio::test]
async fn a_token_that_ends_in_the_middle_of_a_push_is_replaced() {
    let registry = behind(door(2, None));
    let (keychain, _folder) = logged_in(&registry.host(), "me", PASSWORD);
    let settings = Settings { keychain, chunk: 100, ..settings().0 };
    let client = client_with(settings, &registry.host(), "a/b");
    let (descriptor, bytes) = blob(MediaType::LayerTar, vec![7; 1050]);
    client.push_blob(&descriptor, &mut bytes.clone(), None).await.expect("a push");
    assert_eq!(registry.blob("a/b", &descriptor.digest.to_string()), Some(bytes.to_vec()));
    assert!(registry.asked("GET", "/token") > 3);
}

#[tokio::test]
async fn an_identity_token_is_exchanged_and_shown_to_nobody_else() {
    let registry = behind(door(usize::MAX, None));
    let file = json!({ "auths": { registry.host(): { "identitytoken": "an-identity" } } });
    let (keychain, _folder) = keychain(&file);
    let client = client_with(Settings { keychain, ..settings().0 }, &registry.host(), "a/b");
    image("x").push(&client).await;
    for request in registry.requests().iter().filter(|request| request.path() != "/token") {
        assert!(!format!("{request:?}").contains("an-identity"), "{request:?}");
    }
    assert!(registry.asked("POST", "/token") > 0);
}

#[tokio::test]
async fn a_mount_asks_to_read_the_other_repository() {
    let registry = behind(door(usize::MAX, None));
    let (descriptor, bytes) = blob(MediaType::LayerTar, "some bytes");
    let one = known(&registry, "a/one");
    one.push_blob(&descriptor, &mut bytes.clone(), None).await.expect("a push");
    let two = known(&registry, "a/two");
    // A token for writing to one repository is there already, and is not enough.
    let (other, other_bytes) = blob(MediaType::LayerTar, "other bytes");
    two.push_blob(&other, &mut other_bytes.clone(), None).await.expect("a push");
    let from = repository(&registry.host(), "a/one");
    two.push_blob(&descriptor, &mut Bytes::new(), Some(&from)).await.expect("a mount");
    let scopes: Vec<_> = registry.requests().iter().map(|request| request.query("scope")).collect();
    let both = ["repository:a/two:pull,push", "repository:a/one:pull"].map(str::to_owned);
    assert!(scopes.contains(&both.to_vec()), "{scopes:?}");
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_told_by_nobody() {
    for door in
        [Door::token("me", "right"), Door::Basic { user: "me".into(), password: "right".into() }]
    {
        let registry = behind(door);
        let error = known(&registry, "a/b").resolve(&tag("latest")).await.expect_err("wrong");
        assert!(matches!(error.reason, Reason::Unauthorized), "{error:?}");
        assert!(
            !told(&error).contains(PASSWORD) && !told(&error).contains(&STANDARD.encode(PASSWORD))
        );
        assert!(registry.requests().len() <= 2, "{:?}", registry.requests());
    }
}

#[tokio::test]
async fn attack_21_a_token_service_on_another_host_gets_no_password() {
    let collector = behind(door(usize::MAX, None));
    let registry = behind(door(usize::MAX, Some(collector.url("/token"))));
    let error = known(&registry, "a/b").resolve(&tag("latest")).await.expect_err("another host");
    assert!(matches!(error.reason, Reason::ForeignRealm { .. }), "{error:?}");
    assert!(told(&error).contains(&collector.host()), "{}", told(&error));
    assert_eq!(collector.requests(), []);
}

#[tokio::test]
async fn attack_21_a_token_service_that_the_settings_name_gets_it() {
    let service = behind(door(usize::MAX, None));
    let registry = behind(door(usize::MAX, Some(service.url("/token"))));
    let (keychain, _folder) = logged_in(&registry.host(), "me", PASSWORD);
    let pair = |registry: &FakeRegistry| registry.host().parse().expect("a host");
    let realms = vec![(pair(&registry), pair(&service))];
    let settings = Settings { keychain, realms, ..settings().0 };
    let client = client_with(settings, &registry.host(), "a/b");
    // The token of that service is not one of this registry, so the door stays closed.
    let error = client.resolve(&tag("latest")).await.expect_err("another's token");
    assert!(matches!(error.reason, Reason::Unauthorized), "{error:?}");
    assert_eq!(service.asked("GET", "/token"), 1);
    assert!(was_shown_anything(&service));
}

#[tokio::test]
async fn attack_21_without_credentials_any_token_service_may_be_asked() {
    let open = Door::Token { login: None, identity: None, uses: usize::MAX, realm: None };
    let service = behind(open);
    let registry = behind(door(usize::MAX, Some(service.url("/token"))));
    let client = client(&registry.host(), "a/b");
    client.resolve(&tag("latest")).await.expect_err("another's token");
    assert_eq!(service.asked("GET", "/token"), 1);
    assert!(!was_shown_anything(&service));
}

#[tokio::test]
async fn attack_21_a_token_service_that_cannot_be_an_address_is_not_asked() {
    for realm in ["file:///etc/passwd", "http://me@127.0.0.1/", "http://10.255.255.1/token", "x"] {
        let registry = behind(door(usize::MAX, Some(realm.to_owned())));
        let error = known(&registry, "a/b").resolve(&tag("latest")).await.expect_err(realm);
        let is_refusal = matches!(error.reason, Reason::Address(_) | Reason::Downgrade { .. });
        assert!(is_refusal, "{realm}: {error:?}");
    }
}

#[tokio::test]
async fn attack_21_a_redirect_to_another_host_carries_no_credentials() {
    let (descriptor, bytes) = blob(MediaType::LayerTar, "some bytes");
    let store = FakeRegistry::start(Referring::Unknown);
    let place = client(&store.host(), "c/d");
    place.push_blob(&descriptor, &mut bytes.clone(), None).await.expect("a push");
    for door in
        [door(usize::MAX, None), Door::Basic { user: "me".into(), password: PASSWORD.into() }]
    {
        let registry = behind(door);
        let client = known(&registry, "a/b");
        client.push_blob(&descriptor, &mut bytes.clone(), None).await.expect("a push");
        let to = store.url(&format!("/v2/c/d/blobs/{}", descriptor.digest));
        registry.fault(Fault::on("GET", "/blobs/", Harm::redirect(&to)));
        assert_eq!(client.blob_bytes(&descriptor, 100).await.expect("a blob"), bytes);
    }
    assert!(store.asked("GET", "/blobs/") >= 2);
    assert!(!was_shown_anything(&store));
}

#[tokio::test]
async fn attack_21_another_host_that_asks_for_credentials_gets_none() {
    let (descriptor, bytes) = blob(MediaType::LayerTar, "some bytes");
    let registry = behind(door(usize::MAX, None));
    let client = known(&registry, "a/b");
    client.push_blob(&descriptor, &mut bytes.clone(), None).await.expect("a push");
    let asking = behind(Door::Basic { user: "me".into(), password: PASSWORD.into() });
    registry.fault(Fault::on("GET", "/blobs/", Harm::redirect(&asking.url("/v2/a/b/blobs/x"))));
    let error = client.blob_bytes(&descriptor, 100).await.expect_err("no way in");
    assert!(!error.reason.may_pass(), "{error:?}");
    assert!(!was_shown_anything(&asking));
    assert_eq!(registry.asked("GET", "/blobs/"), 1, "it is not asked in the other's name");
}

#[tokio::test]
async fn attack_21_redirects_end() {
    let registry = FakeRegistry::start(Referring::Unknown);
    registry.fault(Fault::on("GET", "", Harm::redirect(&registry.url("/v2/round"))));
    let error = client(&registry.host(), "a/b").resolve(&tag("latest")).await.expect_err("round");
    assert!(matches!(error.reason, Reason::RedirectLoop), "{error:?}");
    assert!(registry.requests().len() < 10);
    let registry = FakeRegistry::start(Referring::Unknown);
    registry.fault(Fault::on("GET", "", Harm::redirect("http://10.255.255.1/x")));
    let error = client(&registry.host(), "a/b").resolve(&tag("latest")).await.expect_err("away");
    assert!(matches!(error.reason, Reason::Downgrade { .. }), "{error:?}");
}

#[tokio::test]
async fn attack_21_addresses_that_a_layer_names_are_not_followed() {
    let (registry, other) =
        (FakeRegistry::start(Referring::Unknown), FakeRegistry::start(Referring::Unknown));
    let client = client(&registry.host(), "a/b");
    let image = image("x");
    let text = String::from_utf8(image.manifest.bytes().to_vec()).expect("text");
    let layer = format!("\"{}\"", image.blobs[1].0.digest);
    let urls = format!("{layer},\"urls\":[\"{}\"]", other.url("/layer"));
    let manifest = crate::material::raw(text.replace(&layer, &urls), MediaType::ImageManifest);
    let (_, needed) = manifest.parts();
    let error = client.blob_bytes(needed[1], 100).await.expect_err("it is not there");
    assert!(error.reason.is_not_found(), "{error:?}");
    assert_eq!(other.requests(), []);
}

#[tokio::test]
async fn attack_20_a_token_without_end_is_left() {
    let registry = behind(door(usize::MAX, None));
    registry.fault(Fault::on("GET", "/token", Harm::Endless));
    let error = known(&registry, "a/b").resolve(&tag("latest")).await.expect_err("no end");
    assert!(matches!(error.reason, Reason::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn attack_21_what_a_token_service_says_is_not_repeated() {
    let registry = behind(door(usize::MAX, None));
    registry.fault(Fault::on("GET", "/token", Harm::Body(b"{\"token\": secret-thing".to_vec())));
    let error = known(&registry, "a/b").resolve(&tag("latest")).await.expect_err("no token");
    assert!(matches!(error.reason, Reason::Answer(_)), "{error:?}");
    assert!(!told(&error).contains("secret-thing"));
}

#[tokio::test]
async fn attack_21_nothing_that_is_printed_has_a_credential_in_it() {
    let registry = behind(door(usize::MAX, None));
    let (keychain, _folder) = logged_in(&registry.host(), "me", PASSWORD);
    let host = registry.host().parse().expect("a host");
    let credentials = keychain.credentials(&host).await.expect("a login").expect("a login");
    let settings = Settings { keychain, ..settings().0 };
    let client = client_with(settings.clone(), &registry.host(), "a/b");
    image("x").push(&client).await;
    let printed = format!("{credentials:?} {settings:?} {client:?}");
    assert!(!printed.contains(PASSWORD) && !printed.contains("token-"), "{printed}");
}
