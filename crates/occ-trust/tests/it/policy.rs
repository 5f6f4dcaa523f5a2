//! How names are written and compared.

use occ_trust::{Claims, Mode, Policy, PolicyError, Rule, Signer, SigningKey, Text};
use serde_json::json;

const WORKFLOW: &str = "https://github.com/acme/sandbox/.github/workflows/release.yml";

#[test]
fn the_one_pattern_is_anchored_on_both_sides() {
    let rule: Rule = format!("{WORKFLOW}@refs/tags/v<semver>").parse().expect("a rule");
    for good in ["1.2.3", "0.0.1", "1.2.3-rc.1"] {
        assert!(rule.fits(&format!("{WORKFLOW}@refs/tags/v{good}")), "{good}");
    }
    for bad in [
        format!("{WORKFLOW}@refs/tags/v1.2"),
        format!("{WORKFLOW}@refs/tags/v01.2.3"),
        format!("{WORKFLOW}@refs/tags/v1.2.3/evil"),
        format!("{WORKFLOW}@refs/tags/v1.2.3 "),
        format!("{WORKFLOW}@refs/tags/v1.2.3\n"),
        format!("{WORKFLOW}@refs/heads/v1.2.3"),
        format!("{WORKFLOW}@refs/tags/1.2.3"),
        format!("x{WORKFLOW}@refs/tags/v1.2.3"),
        format!("{}@refs/tags/v1.2.3", WORKFLOW.replace("acme", "acme-evil")),
        format!("{WORKFLOW}.evil@refs/tags/v1.2.3"),
    ] {
        assert!(!rule.fits(&bad), "{bad}");
    }
}

#[test]
fn what_is_meant_as_another_pattern_is_refused() {
    for text in [
        "^https://github.com/acme/.*",
        "https://github.com/acme/*",
        "https://github.com/acme/sandbox@refs/tags/v<semver>/x",
        "https://github.com/acme/<any>",
        "refs/tags/v<semver>refs/tags/v<semver>",
        "(a|b)",
        "",
        "two words",
    ] {
        assert!(matches!(text.parse::<Rule>(), Err(PolicyError::Pattern(_))), "{text}");
    }
    assert!("*".parse::<Text>().is_err());
}

#[test]
fn a_policy_is_read_strictly_and_written_as_it_was() {
    let (key, _) = SigningKey::generate().expect("a key");
    let text = json!({
        "mode": "enforce",
        "binding": "where-signed",
        "identities": [{
            "issuer": "https://token.actions.githubusercontent.com",
            "subject": format!("{WORKFLOW}@refs/tags/v<semver>"),
            "sourceRepositoryId": "4242",
        }],
        "keys": [key.public().pem()],
    });
    let policy: Policy = serde_json::from_value(text.clone()).expect("a policy");
    assert_eq!(policy.mode, Mode::Enforce);
    assert_eq!(serde_json::to_value(&policy).expect("JSON"), text);
    assert!(policy.names(&Signer::Key { id: key.public().id() }));
    let other = SigningKey::generate().expect("a key").0;
    assert!(!policy.names(&Signer::Key { id: other.public().id() }));
    for (field, value) in [("modee", json!("off")), ("keys", json!(["no key"]))] {
        let mut wrong = text.clone();
        wrong[field] = value;
        assert!(serde_json::from_value::<Policy>(wrong).is_err(), "{field}");
    }
    let mut wrong = text;
    wrong["identities"][0]["sourceRepositoryID"] = json!("4242");
    assert!(serde_json::from_value::<Policy>(wrong).is_err(), "a field that is misspelled");
}

#[test]
fn nobody_is_named_by_nobody() {
    let claims = Box::new(Claims::default());
    let (issuer, subject) = (String::new(), String::new());
    let signer = Signer::Certificate { issuer, subject, claims };
    assert!(!Policy::default().names(&signer));
    assert_eq!(Policy::default().mode, Mode::Warn);
}
