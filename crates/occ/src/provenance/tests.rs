//! Documents about images that were made up.

use occ_policy::{EXAMPLES, Origin, builtin_policy};

use super::*;

fn by_hand() -> Facts {
    Facts::parse(EXAMPLES[0].0, EXAMPLES[0].1).expect("a test reads it")
}

fn document(facts: &Facts) -> (String, Json) {
    let verdicts = builtin_policy().judge(facts);
    let document = Provenance { facts, verdicts: &verdicts, policy: "built in" };
    (document.markdown(), document.json())
}

#[test]
fn sig_014_the_document_of_an_engine_built_by_hand_has_every_section_and_origin() {
    let (text, _) = document(&by_hand());
    insta::assert_snapshot!("engine-built-by-hand", text);
}

#[test]
fn sig_016_sig_017_what_cannot_be_proved_or_rebuilt_says_so_with_what_is_missing() {
    let (text, json) = document(&by_hand());
    for part in [
        "**Status**: NOT VERIFIED, NOT REPRODUCIBLE",
        "- **Reproducible**: NOT REPRODUCIBLE *(declared: no Dockerfile or build script is committed)*",
        "- **Commit**: NOT VERIFIED. Missing: nobody has looked into the image for the commit",
        "- **Signed by**: NOT VERIFIED. Missing: nobody says anything of it",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(json["status"], json!(["NOT VERIFIED", "NOT REPRODUCIBLE"]));
    assert_eq!(json["verdicts"].as_array().map(Vec::len), Some(6));
}

#[test]
fn what_is_verified_and_rebuilt_says_so() {
    let mut facts = by_hand();
    facts.learn("signature.verdict", Value::Text("verified".into()), Origin::Signed);
    facts.learn("build.reproducible", Value::Bool(true), Origin::Observation);
    let (text, _) = document(&facts);
    assert!(text.contains("**Status**: VERIFIED, REPRODUCIBLE\n"), "{text}");
    assert!(text.contains("- **Signatures**: `verified` *(signed provenance)*\n"), "{text}");
}

#[test]
fn sig_020_the_document_tells_how_to_verify_it() {
    let (text, _) = document(&by_hand());
    for command in [
        "docker image ls mova/opencode-engine:11b3927",
        "docker inspect mova/opencode-engine:11b3927 --format '{{.RepoDigests}}'",
        "docker inspect mova/opencode-engine:11b3927 --format '{{.Created}}'",
        "docker history --no-trunc mova/opencode-engine:11b3927",
        "occ identity mova/opencode-engine:11b3927 --expect sha256:0ee686",
    ] {
        assert!(text.contains(command), "{command}: {text}");
    }
}

#[test]
fn sig_018_the_way_out_of_every_prohibition_is_told_once() {
    let (text, _) = document(&by_hand());
    let advice: Vec<&str> = text
        .split("**Recommended path forward**:\n\n")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next())
        .expect("there is one")
        .lines()
        .collect();
    assert_eq!(advice.len(), 6, "{advice:?}");
    for part in ["its digest", "occ secret set", "exact commit", "occ attest NAME --provenance"] {
        assert!(advice.iter().any(|line| line.contains(part)), "{part}: {advice:?}");
    }
}

#[test]
fn what_others_wrote_stays_text() {
    assert_eq!(code("a`b``c"), "``` a`b``c ```");
    assert_eq!(escaped("[x](y) <b> *z*"), "\\[x\\](y) \\<b\\> \\*z\\*");
    assert_eq!(quoted("a; rm -rf '/'"), "'a; rm -rf '\\''/'\\'''");
    let mut facts = by_hand();
    facts.miss("source.commit", "**VERIFIED** [see](x)");
    let (text, _) = document(&facts);
    assert!(text.contains("Missing: \\*\\*VERIFIED\\*\\* \\[see\\](x)"), "{text}");
}

#[test]
fn equal_facts_give_equal_documents() {
    assert_eq!(document(&by_hand()), document(&by_hand()));
}
