//! Cases: what is expected of a policy.

use occ_policy::{Cases, Policy};

use crate::judging::policy;

fn results(expect: &str, policy: &Policy) -> Vec<(bool, String, String)> {
    let text = format!(
        r#"{{ "version": 1, "cases": [{{ "name": "one", "expect": {{ {expect} }},
            "facts": {{ "build.recorded": {{ "value": true, "from": "lock" }} }} }}] }}"#
    );
    let none = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    let cases = Cases::parse("cases.json", &text, &none).unwrap();
    let tested = cases.test(policy).into_iter();
    tested.map(|tested| (tested.passed, tested.expected, tested.got)).collect()
}

const HOLDS: &str = r#"{ "fact": "build.recorded", "is": true }"#;
const FAILS: &str = r#"{ "fact": "build.recorded", "is": false }"#;

#[test]
fn a_case_passes_only_where_the_verdict_is_the_expected_one() {
    let row = |expect: &str, when: &str| results(expect, &policy(when)).swap_remove(0);
    let texts =
        |passed: bool, expected: &str, got: &str| (passed, expected.to_owned(), got.to_owned());
    assert_eq!(row(r#""here": "approved""#, HOLDS), texts(true, "approved", "approved"));
    assert_eq!(
        row(r#""here": "approved""#, FAILS),
        texts(false, "approved", "prohibited by the-rule")
    );
    assert_eq!(row(r#""here": "prohibited""#, FAILS), texts(true, "prohibited", "prohibited"));
    assert_eq!(row(r#""here": "prohibited""#, HOLDS), texts(false, "prohibited", "approved"));
    let by = r#""here": { "prohibited": ["the-rule"] }"#;
    assert!(row(by, FAILS).0 && !row(by, HOLDS).0);
    let by_other = r#""here": { "prohibited": ["another"] }"#;
    assert_eq!(
        row(by_other, FAILS),
        texts(false, "prohibited by another", "prohibited by the-rule")
    );
    assert!(row(r#""here": { "approved": [] }"#, HOLDS).0);
    assert_eq!(
        row(r#""here": { "approved": ["mind"] }"#, HOLDS),
        texts(false, "approved with mind", "approved with nothing")
    );
}

#[test]
fn an_environment_that_the_policy_lacks_fails_its_case() {
    let rows = results(r#""there": "approved", "here": "approved""#, &policy(HOLDS));
    assert_eq!(
        rows[0],
        (
            false,
            "approved".to_owned(),
            "the policy has no environment \"there\"; it has here".to_owned()
        )
    );
    assert!(rows[1].0);
}
