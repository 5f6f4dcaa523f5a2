//! What follows from how much of an image is what recipe and lock give.

use std::collections::BTreeMap;

use occ_engine::{ImageDetails, ImageFacts, ImageId};
use occ_image::secrets::{Found, LayerSearch};
use occ_image::{BuildPlan, Lock, Recipe, Release, Target};
use occ_oci::{Digest, Platform};
use occ_policy::FactName;

use super::*;

fn own(fit: Fit) -> OwnImage {
    let (recipe, lock) = (Recipe::embedded().expect("valid"), Lock::embedded().expect("valid"));
    let target = Target::new(Platform::LinuxAmd64, "base");
    let plan = BuildPlan::new(&recipe, &lock, &target, &Release::default()).expect("a plan");
    let binary = Err("not looked for".to_owned());
    OwnImage { plan, lock: Digest::sha256(b"lock"), fit, binary }
}

fn identity(labels: BTreeMap<String, String>) -> Identity {
    let facts = ImageFacts {
        id: ImageId("sha256:1".into()),
        tags: Vec::new(),
        digests: Vec::new(),
        labels,
        architecture: "amd64".into(),
        size: 1,
        created: None,
        layers: Vec::new(),
    };
    let details = ImageDetails {
        facts,
        os: "linux".into(),
        variant: None,
        author: None,
        entrypoint: Vec::new(),
        command: vec![String::new()],
        env: Vec::new(),
        user: None,
        working_dir: None,
        ports: Vec::new(),
        volumes: Vec::new(),
        stop_signal: None,
        health_check: Vec::new(),
        history: Vec::new(),
    };
    Identity::of("a:1", details)
}

fn all(fit: Option<Fit>, signed: &Signed) -> Facts {
    let own = fit.map(own);
    let labels = own.as_ref().map(|own| own.plan.labels()).unwrap_or_default();
    let identity = identity(labels);
    facts(&Sources {
        identity: &identity,
        own: own.as_ref(),
        places: &[],
        signed,
        by_id: false,
        built_here: false,
    })
}

fn fact(facts: &Facts, name: &str) -> (Value, Origin) {
    let fact = facts.get(FactName::parse(name).expect("a fact"));
    (fact.value, fact.origin)
}

const NOT_ASKED: Signed = Signed::NotAsked("no registry has it");

#[test]
fn a_secret_in_a_layer_is_a_credential_inside_and_a_search_is_not_claimed_without_one() {
    let mut identity = identity(BTreeMap::new());
    let inside = |identity: &Identity| {
        let mut facts = Facts::default();
        credentials(&mut facts, identity);
        let fact = facts.get(FactName::parse("credentials.inside").expect("a fact"));
        (fact.value.clone(), fact.note.clone().expect("a note"))
    };
    let (value, note) = inside(&identity);
    assert_eq!(value, Value::Bool(false));
    assert!(note.contains("files of layers were not searched"), "{note}");
    identity.layer_search = Some(LayerSearch::default());
    let (value, note) = inside(&identity);
    assert_eq!(value, Value::Bool(false));
    assert!(note.contains("the files of all layers"), "{note}");
    let found = Found {
        number: 1,
        layer: Digest::sha256(b"layer"),
        path: "/root/.netrc".to_owned(),
        kind: "netrc",
        hint: "a.example".to_owned(),
        removed_later: false,
    };
    identity.layer_search = Some(LayerSearch { found: vec![found], ..LayerSearch::default() });
    assert_eq!(inside(&identity).0, Value::Bool(true));
}

#[test]
fn only_equal_layers_prove_that_an_image_can_be_built_again() {
    let reproducible = |fit| fact(&all(Some(fit), &NOT_ASKED), "build.reproducible");
    assert_eq!(reproducible(Fit::Proved), (Value::Bool(true), Origin::Observation));
    assert_eq!(reproducible(Fit::Refuted), (Value::Bool(false), Origin::Observation));
    assert_eq!(reproducible(Fit::Said), (Value::Unknown, Origin::Unknown));
    assert_eq!(reproducible(Fit::Other), (Value::Unknown, Origin::Unknown));
    assert_eq!(fact(&all(None, &NOT_ASKED), "build.reproducible").0, Value::Unknown);
}

#[test]
fn the_lock_speaks_only_for_an_image_that_was_built_from_it() {
    for (fit, speaks) in
        [(Fit::Proved, true), (Fit::Said, true), (Fit::Refuted, false), (Fit::Other, false)]
    {
        let facts = all(Some(fit.clone()), &NOT_ASKED);
        for name in ["contents.locked", "contents.tools", "opencode.digest", "build.recorded"] {
            let by_lock = fact(&facts, name).1 == Origin::Lock;
            assert_eq!(by_lock, speaks, "{fit:?}: {name}");
        }
        // What only its labels say stays what its labels say.
        let version = fact(&facts, "opencode.version").1;
        assert_eq!(version, if speaks { Origin::Lock } else { Origin::Label }, "{fit:?}");
    }
}

#[test]
fn what_could_not_be_asked_is_not_known_and_says_why() {
    let facts = all(None, &Signed::Failed("the registry\nis asleep".to_owned()));
    let verdict = facts.get(FactName::parse("signature.verdict").expect("a fact"));
    assert_eq!(verdict.value, Value::Unknown);
    assert_eq!(verdict.note.as_deref(), Some("the registry\\nis asleep"));
    let unsigned = Signed::Asked(Box::new(Verdict::Unsigned));
    let verdict = fact(&all(None, &unsigned), "signature.verdict");
    assert_eq!(verdict, (Value::Text("unsigned".to_owned()), Origin::Observation));
}

#[test]
fn all_that_is_gathered_can_be_written_to_a_file_and_read_again() {
    let facts = all(Some(Fit::Proved), &NOT_ASKED);
    let read = Facts::parse("facts.json", &facts.to_json().to_string()).expect("valid");
    assert_eq!(read, facts);
}

#[test]
fn the_endpoints_are_those_of_the_table_of_operations_for_the_line_of_opencode() {
    let (Value::List(said), Origin::Lock) =
        fact(&all(Some(Fit::Said), &NOT_ASKED), "contents.endpoints")
    else {
        panic!("they are known")
    };
    for operation in Operation::ALL {
        let request = operation.request(ServerLine::V1).to_string();
        assert!(said.iter().any(|line| line.starts_with(&request)), "{request}: {said:?}");
    }
    assert!(said[0].starts_with("GET /global/health"), "{said:?}");
    let mut facts = Facts::default();
    endpoints(&mut facts, "2.0.0");
    assert_eq!(fact(&facts, "contents.endpoints").0, Value::Unknown);
}
