//! Facts, in files and out of them.

use occ_policy::{CATALOGUE, FactName, Facts, Kind, Origin, Value};

#[test]
fn facts_are_written_as_they_are_read() {
    let mut facts = Facts::default();
    for name in FactName::all() {
        let value = match name.known().kind {
            Kind::Bool => Value::Bool(true),
            Kind::Number => Value::Number(7),
            Kind::Text => Value::Text("x \"y\"".into()),
            Kind::List => Value::List(vec!["a".into(), "b".into()]),
        };
        facts.learn(name.as_str(), value, Origin::Label).note = Some("so it says".into());
    }
    facts.miss("source.commit", "no label names it");
    let text = facts.to_json().to_string();
    assert_eq!(Facts::parse("facts.json", &text).unwrap(), facts);
}

#[test]
fn of_a_fact_that_nobody_mentions_nothing_is_known() {
    let facts = Facts::parse("facts.json", r#"{ "version": 1, "facts": {} }"#).unwrap();
    for name in FactName::all() {
        let fact = facts.get(name);
        assert_eq!((fact.value, fact.origin), (Value::Unknown, Origin::Unknown));
    }
}

#[test]
fn the_catalogue_has_every_name_once_and_says_what_each_means() {
    for (index, known) in CATALOGUE.iter().enumerate() {
        assert!(
            CATALOGUE[..index].iter().all(|before| before.name != known.name),
            "{}",
            known.name
        );
        assert!(known.meaning.ends_with('.'), "{}", known.name);
        assert_eq!(FactName::parse(known.name).unwrap().as_str(), known.name);
    }
    let error = FactName::parse("build.reproducable").unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no fact \"build.reproducable\"; did you mean \"build.reproducible\"?"
    );
}

#[test]
fn every_origin_has_a_word_of_its_own() {
    for origin in Origin::ALL {
        assert_eq!(Origin::of(origin.word()), Some(origin));
    }
    assert_eq!(Origin::of("hearsay"), None);
}
