//! Files that say what cannot be: each mistake with its place.

use occ_policy::{Cases, DocumentError, Facts, Policy};

const RULE: &str = r#"{ "when": { "all": [] }, "otherwise": "no" }"#;

/// Returns the mistakes of a policy, as `line:column what`.
fn mistakes(text: &str) -> Vec<String> {
    listed(&Policy::parse("policy.json", text).err().unwrap_or_else(|| panic!("taken: {text}")))
}

fn listed(error: &DocumentError) -> Vec<String> {
    let line = |p: &occ_policy::Problem| format!("{}:{} {}", p.line, p.column, p.what);
    error.problems.iter().map(line).collect()
}

/// Returns the mistakes of a condition, which stands in line 2 from column 1 on.
fn mistake_in(condition: &str) -> String {
    let text = format!(
        "{{ \"version\": 1, \"rules\": {{ \"a\": {{ \"otherwise\": \"no\", \"when\":\n{condition}\n}} }},
        \"environments\": {{ \"here\": {{ \"title\": \"Here\", \"requires\": [\"a\"] }} }} }}"
    );
    let mistakes = mistakes(&text);
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    mistakes.into_iter().next().unwrap()
}

/// Returns the mistakes of an environment, which stands in line 2 from column 1 on.
fn mistakes_of(environment: &str) -> Vec<String> {
    let rules = format!("{{ \"a\": {RULE}, \"b\": {RULE} }}");
    mistakes(&format!(
        "{{ \"version\": 1, \"rules\": {rules}, \"environments\": {{ \"all\": {{ \"title\": \"All\", \"requires\": [\"a\", \"b\"] }}, \"here\":\n{environment}\n}} }}"
    ))
}

#[test]
fn what_is_no_json_is_said_with_its_place() {
    for (text, place) in [
        ("", "1:1 the file is empty, and an object { } is expected"),
        ("// nothing\n", "1:1 the file is empty, and an object { } is expected"),
        ("[]", "1:1 an object { } is expected, not a list"),
        ("null", "1:1 an object { } is expected, not null"),
        ("{ \"version\": 1 \"rules\": {} }", "1:"),
        ("{ \"version\": 1, ", "1:"),
        ("{ version: 1 }", "1:"),
        ("{ 'version': 1 }", "1:"),
        ("{ \"version\": 0x1 }", "1:"),
    ] {
        let found = mistakes(text);
        assert_eq!(found.len(), 1, "{text:?}: {found:?}");
        assert!(found[0].starts_with(place), "{text:?}: {found:?}");
    }
    let deep = format!("{{ \"version\": 1, \"rules\": {}", "[".repeat(100_000));
    assert_eq!(mistakes(&deep).len(), 1);
    let nots = format!("{}{}{}", "{ \"not\": ".repeat(5000), RULE, " }".repeat(5000));
    assert!(mistake_in(&nots).contains("nesting depth"), "{}", mistake_in(&nots));
}

#[test]
fn the_version_is_there_and_is_ours() {
    assert_eq!(mistakes("{}"), ["1:1 \"version\" is missing"]);
    assert_eq!(
        mistakes("{ \"version\": 2, \"anything\": 1 }"),
        ["1:14 this is version 1 of the grammar"]
    );
    assert_eq!(mistakes("{ \"version\": \"1\" }"), ["1:14 a whole number is expected, not \"1\""]);
    assert_eq!(
        mistakes("{ \"version\": -1 }"),
        ["1:14 a whole number, at least 0, is expected, not -1"]
    );
}

#[test]
fn an_unknown_field_is_named_with_its_place_and_a_suggestion() {
    let text = "{\n  \"version\": 1,\n  // ours\n  \"ruels\": {},\n  \"environments\": {}\n}";
    assert_eq!(
        mistakes(text),
        ["1:1 \"rules\" is missing", "4:3 unknown field \"ruels\"; did you mean \"rules\"?",]
    );
    assert_eq!(
        mistake_in(r#"{ "fact": "image.id", "known": true, "form": ["lock"] }"#),
        "2:38 unknown field \"form\"; did you mean \"from\"?"
    );
    assert_eq!(
        mistakes_of(r#"{ "title": "Here", "requires": [], "note": [] }"#),
        ["2:36 unknown field \"note\"; did you mean \"notes\"?"]
    );
}

#[test]
fn all_mistakes_are_said_at_once_in_the_order_of_the_lines() {
    let text = "{\n\"version\": 1,\n\"rules\": {\n\"A\": { \"when\": { \"all\": 1 } },\n\"b\": 1\n},\n\"environments\": {\n\"x\": { \"requires\": [\"c\"] }\n}\n}";
    assert_eq!(
        mistakes(text),
        [
            "4:1 \"A\" is not a name of a rule: small letters, digits and hyphens",
            "4:1 no environment requires \"A\"",
            "4:6 \"otherwise\" is missing",
            "4:25 a list [ ] is expected, not 1",
            "5:1 no environment requires \"b\"",
            "5:6 an object { } is expected, not 1",
            "8:6 \"title\" is missing",
            "8:21 there is no rule \"c\"; did you mean \"A\"?",
        ]
    );
}

#[test]
fn a_name_stands_only_once() {
    assert_eq!(
        mistakes_of(r#"{ "title": "Here", "title": "There", "requires": [] }"#),
        ["2:20 \"title\" stands here twice"]
    );
    let twice = format!(
        "{{ \"version\": 1, \"rules\": {{ \"a\": {RULE},\n\"a\": {RULE} }},
        \"environments\": {{ \"here\": {{ \"title\": \"Here\", \"requires\": [\"a\"] }} }} }}"
    );
    assert_eq!(mistakes(&twice), ["2:1 \"a\" stands here twice"]);
}

#[test]
fn a_condition_is_exactly_one_thing() {
    let one = "2:1 a condition has exactly one of: all, any, none, not, fact";
    assert_eq!(mistake_in("{}"), one);
    assert_eq!(mistake_in(r#"{ "all": [], "any": [] }"#), one);
    assert_eq!(mistake_in(r#"{ "not": { "all": [] }, "fact": "image.id", "known": true }"#), one);
    assert_eq!(mistake_in("true"), "2:1 an object { } is expected, not true");
    assert_eq!(mistake_in(r#"{ "not": [] }"#), "2:10 an object { } is expected, not a list");
    assert_eq!(mistake_in(r#"{ "any": {} }"#), "2:10 a list [ ] is expected, not an object");
}

#[test]
fn a_fact_is_one_that_there_is_and_is_tested_once() {
    assert_eq!(
        mistake_in(r#"{ "fact": "build.reproducable", "is": true }"#),
        "2:11 there is no fact \"build.reproducable\"; did you mean \"build.reproducible\"?"
    );
    let once = "2:1 image.size is tested by exactly one of: known, is, in, atLeast, atMost, contains, empty";
    assert_eq!(mistake_in(r#"{ "fact": "image.size" }"#), once);
    assert_eq!(mistake_in(r#"{ "fact": "image.size", "atLeast": 1, "atMost": 2 }"#), once);
    assert_eq!(mistake_in(r#"{ "fact": 7, "is": 1 }"#), "2:11 a text is expected, not 7");
}

#[test]
fn a_test_fits_the_kind_of_its_fact() {
    let rows = [
        (r#""build.reproducible", "is": "yes""#, "true or false is expected, not \"yes\""),
        (r#""build.reproducible", "is": null"#, "true or false is expected, not null"),
        (
            r#""build.reproducible", "in": ["x"]"#,
            "\"in\" tests a text, and build.reproducible is true or false",
        ),
        (r#""image.size", "is": 1.5"#, "a whole number, at least 0, is expected, not 1.5"),
        (
            r#""image.size", "is": 99999999999999999999"#,
            "a whole number, at least 0, is expected, not 99999999999999999999",
        ),
        (
            r#""image.size", "contains": "x""#,
            "\"contains\" tests a list of texts, and image.size is a whole number",
        ),
        (
            r#""image.name", "atLeast": 1"#,
            "\"atLeast\" tests a whole number, and image.name is a text",
        ),
        (
            r#""image.name", "atMost": 1"#,
            "\"atMost\" tests a whole number, and image.name is a text",
        ),
        (
            r#""image.name", "empty": true"#,
            "\"empty\" tests a list of texts, and image.name is a text",
        ),
        (r#""image.name", "is": """#, "a text of one line is expected, not \"\""),
        (r#""image.name", "in": "x""#, "a list [ ] is expected, not \"x\""),
        (
            r#""image.tags", "is": ["x"]"#,
            "image.tags is a list; test it with \"contains\" or \"empty\"",
        ),
        (r#""image.tags", "empty": 0"#, "true or false is expected, not 0"),
        (
            r#""image.tags", "known": false"#,
            "only true can be asked for: what is not known approves nothing",
        ),
        (
            r#""image.tags", "known": true, "from": ["lable"]"#,
            "there is no origin \"lable\"; did you mean \"label\"?",
        ),
        (
            r#""image.tags", "known": true, "from": ["hearsay"]"#,
            "there is no origin \"hearsay\"; there are signed-provenance, lock, observation, label, declared, unknown",
        ),
        (
            r#""image.tags", "known": true, "from": []"#,
            "nobody's word would count; leave \"from\" out for everybody's",
        ),
        (
            r#""image.tags", "known": true, "from": ["unknown"]"#,
            "\"unknown\" is nobody, whose word cannot count",
        ),
    ];
    for (test, expected) in rows {
        let mistake = mistake_in(&format!("{{ \"fact\": {test} }}"));
        let what = mistake.split_once(' ').unwrap();
        assert!(what.0.starts_with("2:"), "{mistake}");
        assert_eq!(what.1, expected, "{test}");
    }
}

#[test]
fn an_environment_names_rules_that_there_are_each_once() {
    assert_eq!(
        mistakes_of(r#"{ "title": "Here", "requires": ["a", "x1y2z3", "a"] }"#),
        ["2:38 there is no rule \"x1y2z3\"", "2:48 \"a\" is required twice"]
    );
    assert_eq!(mistakes_of(r#"{ "title": "Here" }"#), ["2:1 \"requires\" is missing"]);
    assert_eq!(mistakes_of(r#"{ "requires": [] }"#), ["2:1 \"title\" is missing"]);
    assert_eq!(
        mistakes(r#"{ "version": 1, "rules": {}, "environments": {} }"#),
        ["1:46 at least one environment is expected"]
    );
    let unused = format!(
        "{{ \"version\": 1, \"rules\": {{ \"a\": {RULE} }},
        \"environments\": {{ \"here\": {{ \"title\": \"Here\", \"requires\": [] }} }} }}"
    );
    assert_eq!(mistakes(&unused), ["1:28 no environment requires \"a\""]);
}

#[test]
fn texts_are_printed_and_so_have_one_line_and_nothing_that_moves_a_cursor() {
    for title in [r#""""#, r#""  ""#, r#""a\nb""#, r#""\u001b[2J""#, r#""\u0007""#] {
        let found = mistakes_of(&format!("{{ \"title\": {title}, \"requires\": [] }}"));
        assert_eq!(found.len(), 1, "{title}: {found:?}");
        assert!(found[0].contains("a text of one line is expected"), "{title}: {found:?}");
    }
    assert_eq!(
        mistakes_of(r#"{ "title": "Here", "requires": [], "notes": [7, {}] }"#),
        ["2:46 an object { } is expected, not 7", "2:49 \"say\" is missing"]
    );
}

#[test]
fn mistakes_in_facts_are_said_with_their_place() {
    let mistakes = |fact: &str| {
        let text = format!("{{ \"version\": 1, \"facts\": {{\n{fact}\n}} }}");
        listed(&Facts::parse("facts.json", &text).expect_err(fact))
    };
    let rows = [
        (
            r#""image.nam": { "value": "x", "from": "label" }"#,
            "2:1 there is no fact \"image.nam\"; did you mean \"image.name\"?",
        ),
        (r#""image.name": "x""#, "2:15 an object { } is expected, not \"x\""),
        (r#""image.name": { "from": "label" }"#, "2:15 \"value\" is missing"),
        (r#""image.name": { "value": "x" }"#, "2:15 \"from\" is missing"),
        (r#""image.name": { "value": 1, "from": "label" }"#, "2:26 a text is expected, not 1"),
        (r#""image.tags": { "value": [1], "from": "label" }"#, "2:27 a text is expected, not 1"),
        (
            r#""image.name": { "value": null, "from": "label" }"#,
            "2:26 what is not known is from \"unknown\", not \"label\"",
        ),
        (
            r#""image.name": { "value": "x", "from": "unknown" }"#,
            "2:26 a value that nobody says is null",
        ),
        (
            r#""image.name": { "value": "x", "from": "lock", "notes": "y" }"#,
            "2:47 unknown field \"notes\"; did you mean \"note\"?",
        ),
        (
            r#""image.name": { "value": "x", "from": "lock", "note": 1 }"#,
            "2:55 a text is expected, not 1",
        ),
    ];
    for (fact, expected) in rows {
        assert_eq!(mistakes(fact), [expected], "{fact}");
    }
}

#[test]
fn mistakes_in_cases_are_said_with_their_place() {
    let read = |name: &str| match name {
        "good" => Ok(r#"{ "version": 1, "facts": {} }"#.to_owned()),
        "bad" => Ok("{ \"version\": 1,\n\"fact\": {} }".to_owned()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    let mistakes = |case: &str| {
        let text = format!("{{ \"version\": 1, \"cases\": [\n{case}\n] }}");
        listed(&Cases::parse("cases.json", &text, &read).expect_err(case))
    };
    let rows = [
        ("", "1:26 without a case nothing is tested"),
        (r#"{ "file": "good", "expect": { "x": "approved" } }"#, "2:1 \"name\" is missing"),
        (r#"{ "name": "n", "file": "good" }"#, "2:1 \"expect\" is missing"),
        (
            r#"{ "name": "n", "file": "good", "expect": {} }"#,
            "2:42 a case expects something of at least one environment",
        ),
        (
            r#"{ "name": "n", "expect": { "x": "approved" } }"#,
            "2:1 a case has either \"facts\" or a \"file\" of them",
        ),
        (
            r#"{ "name": "n", "file": "good", "facts": {}, "expect": { "x": "approved" } }"#,
            "2:1 a case has either \"facts\" or a \"file\" of them",
        ),
        (
            r#"{ "name": "n", "file": "gone", "expect": { "x": "approved" } }"#,
            "2:24 cannot read gone: entity not found",
        ),
        (
            r#"{ "name": "n", "file": "good", "expect": { "x": "fine" } }"#,
            "2:49 \"approved\" or \"prohibited\" is expected, not \"fine\"",
        ),
        (
            r#"{ "name": "n", "file": "good", "expect": { "x": {} } }"#,
            "2:49 either \"approved\" with notes or \"prohibited\" with rules is expected",
        ),
        (
            r#"{ "name": "n", "file": "good", "expect": { "x": 1 } }"#,
            "2:49 an object { } is expected, not 1",
        ),
    ];
    for (case, expected) in rows {
        assert_eq!(mistakes(case), [expected], "{case}");
    }
    let bad = mistakes(r#"{ "name": "n", "file": "bad", "expect": { "x": "approved" } }"#);
    assert_eq!(
        bad,
        ["2:24 the file of facts bad is invalid: line 1, column 1: \"facts\" is missing"]
    );
}

#[test]
fn an_error_names_the_file_and_lists_the_places() {
    let error = Policy::parse("policy.json", "{ \"version\": 1 }").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the policy policy.json is invalid:\n  line 1, column 1: \"rules\" is missing\n  line 1, column 1: \"environments\" is missing"
    );
}
