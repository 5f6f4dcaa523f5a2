//! Where credentials are looked for, and in which order.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use occ_oci::Host;
use occ_registry::{Credentials, EnvironmentLogin, Keychain, KeychainError, Secret};
use serde_json::json;

use crate::keychain;

fn host(text: &str) -> Host {
    text.parse().expect("a host")
}

/// Makes a helper of this name that runs a script.
fn helper(folder: &Path, name: &str, script: &str) {
    let path = folder.join(format!("docker-credential-{name}"));
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
}

fn from_environment(named: &str) -> Option<EnvironmentLogin> {
    let named = named.to_owned();
    let login = EnvironmentLogin::parse(move |name| match name {
        "OCC_REGISTRY_HOST" => Some(named.clone()),
        "OCC_REGISTRY_USERNAME" => Some("environment".to_owned()),
        "OCC_REGISTRY_PASSWORD" => Some("e".to_owned()),
        _ => None,
    });
    login.expect("a login")
}

fn user(credentials: Result<Option<Credentials>, KeychainError>) -> Option<String> {
    match credentials.expect("an answer")? {
        Credentials::Password { user, .. } => Some(user),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn attack_21_docker_s_configuration_comes_before_a_helper_and_that_before_the_environment() {
    let all = json!({
        "auths": { "both.example": { "username": "configuration", "password": "c" } },
        "credsStore": "test",
    });
    let (mut keychain, folder) = keychain(&all);
    helper(
        folder.path(),
        "test",
        r#"read host; case $host in both.example|helper.example) echo '{"ServerURL":"","Username":"helper","Secret":"h"}';;
           *) echo "credentials not found in native keychain"; exit 1;; esac"#,
    );
    keychain.search_path = Some(folder.path().into());
    for (name, expected) in [
        ("both.example", Some("configuration")),
        ("helper.example", Some("helper")),
        ("environment.example", Some("environment")),
    ] {
        keychain.environment = from_environment(name);
        let found = user(keychain.credentials(&host(name)).await);
        assert_eq!(found.as_deref(), expected, "{name}");
    }
    assert_eq!(user(keychain.credentials(&host("other.example")).await), None);
}

#[tokio::test]
async fn a_helper_is_asked_for_docker_hub_by_its_old_name() {
    let (mut keychain, folder) = keychain(&json!({ "credHelpers": { "docker.io": "hub" } }));
    helper(
        folder.path(),
        "hub",
        r#"read host; printf '{"Username":"<token>","Secret":"%s"}' "$1 $host""#,
    );
    keychain.search_path = Some(folder.path().into());
    let found = keychain.credentials(&host("docker.io")).await.expect("an answer");
    let said = Secret::new("get https://index.docker.io/v1/");
    assert_eq!(found, Some(Credentials::Identity(said)));
    assert_eq!(keychain.credentials(&host("ghcr.io")).await.expect("an answer"), None);
}

#[tokio::test]
async fn attack_21_a_helper_that_hangs_is_ended() {
    let (mut keychain, folder) = keychain(&json!({ "credsStore": "slow" }));
    helper(folder.path(), "slow", "exec sleep 600");
    keychain.search_path = Some(folder.path().into());
    keychain.helper_limit = Some(Duration::from_millis(300));
    let error = keychain.credentials(&host("a.example")).await.expect_err("too slow");
    assert!(matches!(error, KeychainError::HelperSlow { .. }), "{error:?}");
}

#[tokio::test]
async fn attack_21_what_a_helper_says_when_it_fails_is_not_repeated() {
    for (name, script) in [
        ("loud", "echo the-secret; echo the-secret >&2; exit 3"),
        ("odd", "echo '{\"Username\": \"me\", \"Secret\": the-secret'"),
        ("killed", "echo the-secret; kill -9 $$"),
    ] {
        let (mut keychain, folder) = keychain(&json!({ "credsStore": name }));
        helper(folder.path(), name, script);
        keychain.search_path = Some(folder.path().into());
        let error = keychain.credentials(&host("a.example")).await.expect_err("a failure");
        assert!(!format!("{error:?} {error}").contains("the-secret"), "{error:?}");
        let is_known = matches!(
            error,
            KeychainError::HelperFailed { .. } | KeychainError::HelperAnswer { .. }
        );
        assert!(is_known, "{error:?}");
    }
}

#[tokio::test]
async fn attack_21_a_helpers_name_cannot_lead_to_another_program() {
    for name in ["../../bin/sh", "a/b", "a b", "x;y", "$(x)", "\u{e9}"] {
        let (mut keychain, folder) = keychain(&json!({ "credsStore": name }));
        keychain.search_path = Some(folder.path().into());
        let error = keychain.credentials(&host("a.example")).await.expect_err(name);
        assert!(matches!(error, KeychainError::HelperName { .. }), "{error:?}");
    }
    let (mut keychain, folder) = keychain(&json!({ "credsStore": "missing" }));
    keychain.search_path = Some(folder.path().into());
    let error = keychain.credentials(&host("a.example")).await.expect_err("missing");
    assert!(matches!(error, KeychainError::HelperMissing { .. }), "{error:?}");
}

#[tokio::test]
async fn attack_21_a_configuration_that_cannot_be_read_is_an_error_and_not_repeated() {
    let (keychain, folder) = keychain(&json!({}));
    let file = folder.path().join("config.json");
    std::fs::write(&file, r#"{"auths": {"a.example": {"auth": the-secret}}}"#).expect("a file");
    let error = keychain.credentials(&host("a.example")).await.expect_err("no JSON");
    assert!(matches!(error, KeychainError::Shape { .. }), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("the-secret"), "{error:?}");
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(keychain.credentials(&host("a.example")).await.expect("an answer"), None);
    assert_eq!(Keychain::default().credentials(&host("a.example")).await.expect("one"), None);
}
