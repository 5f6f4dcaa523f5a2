//! The policy that is built in, and the engine that was built by hand as its worked example.

use occ_policy::{EXAMPLES, Facts, Policy, Verdict, builtin_cases, builtin_policy};

fn by_hand() -> Facts {
    let (name, text) = EXAMPLES[0];
    Facts::parse(name, text).unwrap()
}

fn verdict(environment: &str) -> Verdict {
    let policy: Policy = builtin_policy();
    policy.judge_for(policy.environment(environment).unwrap(), &by_hand())
}

#[test]
fn the_built_in_policy_comes_to_the_verdicts_of_its_cases() {
    let tested = builtin_cases().test(&builtin_policy());
    assert!(tested.len() > 20, "only {}", tested.len());
    for tested in tested {
        assert!(tested.passed, "{tested:?}");
    }
}

#[test]
fn pol_001_an_engine_built_by_hand_is_approved_for_development_local_tests_and_ci() {
    for environment in ["development", "local-testing", "ci"] {
        assert!(verdict(environment).is_approved(), "{environment}");
    }
    let notes = verdict("ci").notes;
    assert!(
        notes[0].starts_with("Only if the image is available in the CI environment"),
        "{notes:?}"
    );
}

#[test]
fn pol_002_it_is_prohibited_for_production_distribution_and_compliance_with_the_reasons() {
    let rows = [
        ("production", "Image is not reproducibly built", "build.reproducible is false"),
        (
            "public-distribution",
            "Contains unverified auth credentials",
            "credentials.inside is true",
        ),
        ("compliance", "Provenance cannot be verified", "signature.verdict is not-asked"),
    ];
    for (environment, reason, fact) in rows {
        let verdict = verdict(environment);
        assert!(!verdict.is_approved(), "{environment}");
        let first = verdict.reasons().next().unwrap();
        assert_eq!(first.otherwise, reason);
        assert!(first.because[0].to_string().starts_with(fact), "{}", first.because[0]);
    }
}

#[test]
fn pol_003_the_example_carries_what_the_image_saves_its_users_from() {
    let purpose = by_hand();
    let purpose = purpose.iter().find(|fact| fact.name.as_str() == "image.purpose").unwrap();
    let text = purpose.value.to_string();
    for part in ["Manual auth setup", "API key management in .env files", "source builds"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn pol_004_development_is_told_to_verify_periodically_and_to_plan_the_migration() {
    let notes = verdict("development").notes.join("\n");
    for part in ["Development environments only", "Periodically verify", "Plan the migration"] {
        assert!(notes.contains(part), "{notes}");
    }
}

#[test]
fn pol_005_credentials_inside_are_told_wherever_the_image_is_approved() {
    for environment in ["development", "local-testing", "ci"] {
        let notes = verdict(environment).notes;
        assert!(notes.iter().any(|note| note.starts_with("Auth credentials are in")), "{notes:?}");
    }
}
