//! The schemas against the parsers, with an implementation of JSON schema that is not ours as the judge.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use occ_policy::{
    Cases, EXAMPLES, Facts, Policy, builtin_text, cases_schema, facts_schema, policy_schema,
};
use serde_json::Value;

/// What the judge needs of `PyPI`.
const PACKAGE: &str = "jsonschema==4.25.1";

/// Prints `ok`, or where it is wrong, for each of some documents.
const JUDGE: &str = r#"
import json, sys
from jsonschema import Draft202012Validator

schema, documents = (json.load(open(path)) for path in sys.argv[1:])
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema)
for document in documents:
    error = next(validator.iter_errors(document), None)
    print("/".join(map(str, error.absolute_path)) or "/" if error else "ok")
"#;

fn run(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {out}{err}", program.display());
    out.into_owned()
}

/// Returns a Python with the judge's package.
fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("judge");
    let (python, done) = (folder.join("bin/python"), folder.join("done"));
    if fs::read_to_string(&done).ok().as_deref() != Some(PACKAGE) {
        run(Path::new("python3"), &["-m", "venv", "--clear", folder.to_str().unwrap()]);
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE];
        run(&python, &install);
        fs::write(done, PACKAGE).unwrap();
    }
    python
}

fn verdicts(schema: &Value, name: &str, texts: &[String]) -> Vec<String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (schema_path, input) =
        (folder.join(format!("{name}.schema")), folder.join(format!("{name}.input")));
    let documents: Vec<Value> = texts
        .iter()
        .map(|text| {
            let options = jsonc_parser::ParseOptions::default();
            jsonc_parser::parse_to_serde_value(text, &options).unwrap()
        })
        .collect();
    fs::write(&schema_path, schema.to_string()).unwrap();
    fs::write(&input, Value::from(documents).to_string()).unwrap();
    let printed =
        run(&python(), &["-c", JUDGE, schema_path.to_str().unwrap(), input.to_str().unwrap()]);
    printed.lines().map(str::to_owned).collect()
}

fn with_condition(condition: &str) -> String {
    format!(
        r#"{{ "version": 1, "rules": {{ "a": {{ "when": {condition}, "otherwise": "no" }} }},
            "environments": {{ "here": {{ "title": "Here", "requires": ["a"] }} }} }}"#
    )
}

fn with_environment(environment: &str) -> String {
    format!(
        r#"{{ "version": 1, "rules": {{ "a": {{ "when": {{ "all": [] }}, "otherwise": "no" }} }},
            "environments": {{ "all": {{ "title": "All", "requires": ["a"] }}, "here": {environment} }} }}"#
    )
}

fn with_fact(fact: &str) -> String {
    format!(r#"{{ "version": 1, "facts": {{ {fact} }} }}"#)
}

fn with_case(case: &str) -> String {
    format!(r#"{{ "version": 1, "cases": [{case}] }}"#)
}

#[test]
fn parsers_and_schemas_agree_on_what_is_valid_and_what_is_not() {
    policies();
    facts();
    cases();
}

fn policies() {
    let good = [
        builtin_text().to_owned(),
        with_condition(r#"{ "none": [] }"#),
        with_condition(r#"{ "not": { "any": [{ "fact": "image.name", "in": [] }] } }"#),
        with_condition(
            r#"{ "fact": "image.size", "atLeast": 0, "from": ["observation", "lock"] }"#,
        ),
        with_condition(r#"{ "fact": "image.tags", "empty": false }"#),
        with_condition(r#"{ "fact": "build.recorded", "known": true }"#),
        with_environment(r#"{ "title": "x", "requires": [], "notes": [] }"#),
        with_environment(
            r#"{ "title": "x", "requires": [], "notes": ["a", { "say": "b" }, { "say": "c", "unless": { "any": [] } }] }"#,
        ),
    ];
    let bad = [
        r#"{ "version": 2, "rules": {}, "environments": { "x": { "title": "x", "requires": [] } } }"#.to_owned(),
        r#"{ "version": 1, "rules": {}, "environments": {} }"#.to_owned(),
        r#"{ "version": 1, "rules": {} }"#.to_owned(),
        r#"{ "version": 1, "rules": {}, "rule": {}, "environments": { "x": { "title": "x", "requires": [] } } }"#.to_owned(),
        with_condition("{}"),
        with_condition("[]"),
        with_condition(r#"{ "all": [], "any": [] }"#),
        with_condition(r#"{ "all": {} }"#),
        with_condition(r#"{ "not": [] }"#),
        with_condition(r#"{ "fact": "image.nam", "known": true }"#),
        with_condition(r#"{ "fact": "image.name" }"#),
        with_condition(r#"{ "fact": "image.name", "known": false }"#),
        with_condition(r#"{ "fact": "image.name", "is": 1 }"#),
        with_condition(r#"{ "fact": "image.name", "is": "" }"#),
        with_condition(r#"{ "fact": "image.name", "is": "a\nb" }"#),
        with_condition(r#"{ "fact": "image.name", "atLeast": 1 }"#),
        with_condition(r#"{ "fact": "image.size", "is": -1 }"#),
        with_condition(r#"{ "fact": "image.size", "atLeast": 1, "atMost": 2 }"#),
        with_condition(r#"{ "fact": "image.tags", "is": ["x"] }"#),
        with_condition(r#"{ "fact": "image.tags", "contains": 1 }"#),
        with_condition(r#"{ "fact": "image.tags", "empty": true, "from": [] }"#),
        with_condition(r#"{ "fact": "image.tags", "empty": true, "from": ["unknown"] }"#),
        with_condition(r#"{ "fact": "image.tags", "empty": true, "form": ["lock"] }"#),
        with_environment(r#"{ "requires": [] }"#),
        with_environment(r#"{ "title": "x" }"#),
        with_environment(r#"{ "title": " ", "requires": [] }"#),
        with_environment(r#"{ "title": "x", "requires": ["a", "a"] }"#),
        with_environment(r#"{ "title": "x", "requires": [], "note": [] }"#),
        with_environment(r#"{ "title": "x", "requires": [], "notes": [{}] }"#),
        with_environment(r#"{ "title": "x", "requires": [], "notes": [{ "say": "x", "if": 1 }] }"#),
        with_condition(r#"{ "all": [] }"#).replace("here", "He re"),
    ];
    for text in &good {
        Policy::parse("p", text).unwrap_or_else(|error| panic!("{error}: {text}"));
    }
    for text in &bad {
        assert!(Policy::parse("p", text).is_err(), "the parser takes it: {text}");
    }
    compare(&policy_schema(), "policy", &good, &bad);
}

fn facts() {
    let good = [
        EXAMPLES[0].1.to_owned(),
        with_fact(""),
        with_fact(r#""image.name": { "value": null, "from": "unknown", "note": "x" }"#),
        with_fact(r#""image.tags": { "value": [], "from": "label" }"#),
    ];
    let bad = [
        r#"{ "version": 1 }"#.to_owned(),
        with_fact(r#""image.nam": { "value": "x", "from": "label" }"#),
        with_fact(r#""image.name": { "value": 1, "from": "label" }"#),
        with_fact(r#""image.name": { "value": null, "from": "label" }"#),
        with_fact(r#""image.name": { "value": "x", "from": "unknown" }"#),
        with_fact(r#""image.name": { "value": "x", "from": "hearsay" }"#),
        with_fact(r#""image.name": { "value": "x" }"#),
        with_fact(r#""image.name": { "value": "x", "from": "label", "notes": "x" }"#),
        with_fact(r#""image.size": { "value": -1, "from": "label" }"#),
        with_fact(r#""image.tags": { "value": "x", "from": "label" }"#),
        with_fact(r#""image.pinned": { "value": "true", "from": "label" }"#),
    ];
    for text in &good {
        Facts::parse("f", text).unwrap_or_else(|error| panic!("{error}: {text}"));
    }
    for text in &bad {
        assert!(Facts::parse("f", text).is_err(), "the parser takes it: {text}");
    }
    compare(&facts_schema(), "facts", &good, &bad);
}

fn cases() {
    let read = |_: &str| Ok(with_fact(""));
    let good = [
        with_case(r#"{ "name": "n", "file": "x", "expect": { "y": "approved" } }"#),
        with_case(r#"{ "name": "n", "facts": {}, "expect": { "y": "prohibited" } }"#),
        with_case(r#"{ "name": "n", "facts": {}, "expect": { "y": { "approved": ["z"] } } }"#),
        with_case(r#"{ "name": "n", "facts": {}, "expect": { "y": { "prohibited": [] } } }"#),
    ];
    let bad = [
        with_case(""),
        with_case(r#"{ "file": "x", "expect": { "y": "approved" } }"#),
        with_case(r#"{ "name": "n", "expect": { "y": "approved" } }"#),
        with_case(r#"{ "name": "n", "file": "x", "facts": {}, "expect": { "y": "approved" } }"#),
        with_case(r#"{ "name": "n", "file": "x", "expect": {} }"#),
        with_case(r#"{ "name": "n", "file": "x", "expect": { "y": "fine" } }"#),
        with_case(r#"{ "name": "n", "file": "x", "expect": { "y": {} } }"#),
        with_case(r#"{ "name": "n", "file": "x", "expects": { "y": "approved" } }"#),
    ];
    for text in &good {
        Cases::parse("c", text, &read).unwrap_or_else(|error| panic!("{error}: {text}"));
    }
    for text in &bad {
        assert!(Cases::parse("c", text, &read).is_err(), "the parser takes it: {text}");
    }
    compare(&cases_schema(), "cases", &good, &bad);
}

fn compare(schema: &Value, name: &str, good: &[String], bad: &[String]) {
    assert_eq!(verdicts(schema, name, good), vec!["ok"; good.len()], "{name}");
    for (verdict, text) in verdicts(schema, name, bad).iter().zip(bad) {
        assert_ne!(verdict, "ok", "the schema takes it: {text}");
    }
}
