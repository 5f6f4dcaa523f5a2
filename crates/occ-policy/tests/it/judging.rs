//! Conditions over facts, and what decided.

use occ_policy::{FactName, Facts, Origin, Policy, Truth, Value, Verdict};
use proptest::prelude::*;

/// Returns a policy with one rule for one environment.
pub(crate) fn policy(when: &str) -> Policy {
    let text = format!(
        r#"{{ "version": 1,
            "rules": {{ "the-rule": {{ "when": {when}, "otherwise": "It is not so" }} }},
            "environments": {{ "here": {{ "title": "Here", "requires": ["the-rule"] }} }} }}"#
    );
    Policy::parse("policy.json", &text).unwrap_or_else(|error| panic!("{error}"))
}

fn verdict(when: &str, facts: &Facts) -> Verdict {
    let policy = policy(when);
    policy.judge_for(policy.environment("here").unwrap(), facts)
}

fn truth(when: &str, facts: &Facts) -> Truth {
    verdict(when, facts).rules[0].truth
}

/// Facts that are so, are not so and are not known, in this order.
const YES: &str = r#"{ "fact": "build.recorded", "is": true }"#;
const NO: &str = r#"{ "fact": "build.reproducible", "is": true }"#;
const UNKNOWN: &str = r#"{ "fact": "credentials.inside", "is": true }"#;

fn facts() -> Facts {
    let mut facts = Facts::default();
    facts.learn("build.recorded", Value::Bool(true), Origin::Lock);
    facts.learn("build.reproducible", Value::Bool(false), Origin::Observation);
    facts.learn("image.size", Value::Number(100), Origin::Observation);
    facts.learn("image.name", Value::Text("a/b:1".into()), Origin::Declared);
    facts.learn("image.registries", Value::List(vec!["ghcr.io".into()]), Origin::Observation);
    facts.learn("credentials.found", Value::List(Vec::new()), Origin::Observation);
    facts
}

#[test]
fn combinators_follow_their_truth_tables_the_empty_ones_included() {
    let rows = [
        (r#"{ "all": [] }"#.to_owned(), Truth::Yes),
        (r#"{ "any": [] }"#.to_owned(), Truth::No),
        (r#"{ "none": [] }"#.to_owned(), Truth::Yes),
        (format!(r#"{{ "all": [{YES}, {YES}] }}"#), Truth::Yes),
        (format!(r#"{{ "all": [{YES}, {UNKNOWN}] }}"#), Truth::Unknown),
        (format!(r#"{{ "all": [{NO}, {UNKNOWN}] }}"#), Truth::No),
        (format!(r#"{{ "any": [{NO}, {NO}] }}"#), Truth::No),
        (format!(r#"{{ "any": [{NO}, {UNKNOWN}] }}"#), Truth::Unknown),
        (format!(r#"{{ "any": [{YES}, {UNKNOWN}] }}"#), Truth::Yes),
        (format!(r#"{{ "none": [{NO}, {NO}] }}"#), Truth::Yes),
        (format!(r#"{{ "none": [{NO}, {UNKNOWN}] }}"#), Truth::Unknown),
        (format!(r#"{{ "none": [{YES}, {UNKNOWN}] }}"#), Truth::No),
        (format!(r#"{{ "not": {YES} }}"#), Truth::No),
        (format!(r#"{{ "not": {NO} }}"#), Truth::Yes),
        (format!(r#"{{ "not": {UNKNOWN} }}"#), Truth::Unknown),
        (r#"{ "not": { "all": [] } }"#.to_owned(), Truth::No),
        (r#"{ "all": [{ "any": [] }] }"#.to_owned(), Truth::No),
        (r#"{ "any": [{ "all": [] }] }"#.to_owned(), Truth::Yes),
    ];
    for (when, expected) in rows {
        assert_eq!(truth(&when, &facts()), expected, "{when}");
    }
}

#[test]
fn every_test_of_a_fact_says_yes_and_no() {
    let rows = [
        (r#""image.name", "is": "a/b:1""#, Truth::Yes),
        (r#""image.name", "is": "a/b""#, Truth::No),
        (r#""image.name", "in": ["x", "a/b:1"]"#, Truth::Yes),
        (r#""image.name", "in": []"#, Truth::No),
        (r#""image.name", "known": true"#, Truth::Yes),
        (r#""image.size", "is": 100"#, Truth::Yes),
        (r#""image.size", "is": 101"#, Truth::No),
        (r#""image.size", "atLeast": 100"#, Truth::Yes),
        (r#""image.size", "atLeast": 101"#, Truth::No),
        (r#""image.size", "atMost": 100"#, Truth::Yes),
        (r#""image.size", "atMost": 99"#, Truth::No),
        (r#""image.registries", "contains": "ghcr.io""#, Truth::Yes),
        (r#""image.registries", "contains": "docker.io""#, Truth::No),
        (r#""image.registries", "empty": false"#, Truth::Yes),
        (r#""image.registries", "empty": true"#, Truth::No),
        (r#""credentials.found", "empty": true"#, Truth::Yes),
        (r#""build.reproducible", "is": false"#, Truth::Yes),
        (r#""source.commit", "known": true"#, Truth::Unknown),
        (r#""source.commit", "in": ["x"]"#, Truth::Unknown),
        (r#""provenance.level", "atMost": 9"#, Truth::Unknown),
        (r#""contents.layers", "empty": true"#, Truth::Unknown),
        (r#""contents.layers", "contains": "x""#, Truth::Unknown),
    ];
    for (test, expected) in rows {
        assert_eq!(truth(&format!(r#"{{ "fact": {test} }}"#), &facts()), expected, "{test}");
    }
}

#[test]
fn what_is_said_by_somebody_whose_word_does_not_count_is_not_known() {
    let from =
        |origins: &str| format!(r#"{{ "fact": "image.name", "known": true, "from": {origins} }}"#);
    assert_eq!(truth(&from(r#"["declared"]"#), &facts()), Truth::Yes);
    let hearsay = from(r#"["signed-provenance", "lock"]"#);
    assert_eq!(truth(&hearsay, &facts()), Truth::Unknown);
    assert_eq!(truth(&format!(r#"{{ "not": {hearsay} }}"#), &facts()), Truth::Unknown);
    let verdict = verdict(&hearsay, &facts());
    assert_eq!(
        verdict.rules[0].because[0].to_string(),
        "image.name is a/b:1 (declared); it counts only where image.name is known, from signed provenance or lock"
    );
}

#[test]
fn only_what_came_out_as_the_whole_did_decided_it() {
    let because = |when: &str| -> Vec<String> {
        let verdict = verdict(when, &facts());
        verdict.rules[0].because.iter().map(|decider| decider.fact.name.to_string()).collect()
    };
    let all = format!(r#"{{ "all": [{YES}, {NO}, {UNKNOWN}] }}"#);
    assert_eq!(because(&all), ["build.reproducible"]);
    let any = format!(r#"{{ "any": [{NO}, {YES}, {UNKNOWN}] }}"#);
    assert_eq!(because(&any), ["build.recorded"]);
    let open = format!(r#"{{ "all": [{YES}, {UNKNOWN}] }}"#);
    assert_eq!(because(&open), ["credentials.inside"]);
    let held = format!(r#"{{ "not": {{ "any": [{NO}, {{ "not": {YES} }}] }} }}"#);
    assert_eq!(because(&held), ["build.reproducible", "build.recorded"]);
    assert_eq!(because(r#"{ "any": [] }"#), Vec::<String>::new());
}

#[test]
fn a_reason_names_the_fact_its_value_and_its_origin() {
    let verdict = verdict(NO, &facts());
    assert!(!verdict.is_approved());
    let reasons: Vec<_> = verdict.reasons().collect();
    assert_eq!(reasons.len(), 1);
    assert_eq!(reasons[0].reason(), "It is not so");
    assert_eq!(reasons[0].because[0].to_string(), "build.reproducible is false (observation)");
    let json = serde_json::to_value(&verdict).unwrap();
    assert_eq!(json["verdict"], "prohibited");
    let decider = &json["reasons"][0]["because"][0];
    assert_eq!(
        (&decider["fact"], &decider["value"], &decider["from"], &decider["outcome"]),
        (&"build.reproducible".into(), &false.into(), &"observation".into(), &"no".into())
    );
}

#[test]
fn what_is_not_known_prohibits_and_says_that_it_is_not_known() {
    let mut facts = facts();
    facts.miss("credentials.inside", "nobody has looked");
    let verdict = verdict(UNKNOWN, &facts);
    assert!(!verdict.is_approved());
    assert_eq!(verdict.rules[0].reason(), "It is not so (not known)");
    assert_eq!(
        verdict.rules[0].because[0].to_string(),
        "credentials.inside is not known (nobody has looked)"
    );
}

#[test]
fn an_environment_that_requires_nothing_approves_everything() {
    let text = r#"{ "version": 1, "rules": {},
        "environments": { "anywhere": { "title": "Anywhere", "requires": [] } } }"#;
    let policy = Policy::parse("policy.json", text).unwrap();
    assert!(policy.judge(&Facts::default())[0].is_approved());
}

#[test]
fn a_note_is_left_out_only_where_its_exception_is_known_to_hold() {
    let text = |unless: &str| {
        format!(
            r#"{{ "version": 1, "rules": {{}}, "environments": {{ "here": {{ "title": "Here",
                "requires": [], "notes": ["always", {{ "say": "mind this", "unless": {unless} }}] }} }} }}"#
        )
    };
    let notes = |unless: &str| {
        let policy = Policy::parse("policy.json", &text(unless)).unwrap();
        policy.judge(&facts()).swap_remove(0).notes
    };
    assert_eq!(notes(YES), ["always"]);
    assert_eq!(notes(NO), ["always", "mind this"]);
    assert_eq!(notes(UNKNOWN), ["always", "mind this"]);
}

#[test]
fn an_environment_that_is_not_there_is_named_with_those_that_are() {
    let error = policy(YES).environment("there").unwrap_err().to_string();
    assert_eq!(error, "the policy has no environment \"there\"; it has here");
}

/// Any condition over three facts.
fn condition() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![Just(YES), Just(NO), Just(UNKNOWN)].prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let several = prop::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            (prop_oneof![Just("all"), Just("any"), Just("none")], several)
                .prop_map(|(word, parts)| format!(r#"{{ "{word}": [{}] }}"#, parts.join(", "))),
            inner.prop_map(|part| format!(r#"{{ "not": {part} }}"#)),
        ]
    })
}

proptest! {
    #[test]
    fn taking_a_fact_away_never_decides_otherwise(
        when in condition(),
        values in prop::array::uniform3(any::<Option<bool>>()),
        away in 0_usize..3,
    ) {
        let names = ["build.recorded", "build.reproducible", "credentials.inside"];
        let mut facts = Facts::default();
        for (name, value) in names.iter().zip(values) {
            if let Some(value) = value {
                facts.learn(name, Value::Bool(value), Origin::Declared);
            }
        }
        let before = truth(&when, &facts);
        facts.forget(FactName::parse(names[away]).unwrap());
        let after = truth(&when, &facts);
        prop_assert!(after == before || after == Truth::Unknown, "{before:?} became {after:?}: {when}");
    }
}
