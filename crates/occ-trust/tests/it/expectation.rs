//! What is remembered, and the file that it is in.

use jiff::SignedDuration;
use occ_testkit::{Draft, Referring};
use occ_trust::{Decision, Expectations, Proof, Verdict};

use crate::bed::{Bed, NAME, now, releaser, repository, statement};

fn proof(bed: &Bed, version: &str, seq: u64) -> Proof {
    let draft = Draft::of(&releaser(), &statement(&bed.image.manifest, version, seq));
    let admission = bed.verdict(&[bed.bundle(&draft)]);
    let Some(Verdict::Verified(proof)) = admission.verdict else { panic!("{admission:?}") };
    assert!(matches!(admission.decision, Decision::Admitted(_)));
    *proof
}

#[tokio::test]
async fn the_newest_is_remembered_and_comes_back_from_the_file() {
    let bed = Bed::unsigned(Referring::Api).await;
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("deep/trust.json");
    let (mut known, warning) = Expectations::load(&path);
    assert!(warning.is_none());
    let name = repository(NAME);
    known.remember(&name, &proof(&bed, "1.2.3", 7), now());
    known.remember(&name, &proof(&bed, "1.3.0", 9), now());
    known.remember(&name, &proof(&bed, "1.2.9", 8), now());
    let seen = known.of(&name).expect("it was seen");
    assert_eq!((seen.seq, seen.version.as_deref()), (Some(9), Some("1.3.0")));
    known.pin(&repository("ghcr.io/acme/other"), now());
    known.save(&path).expect("it is written");
    let (again, warning) = Expectations::load(&path);
    assert!(warning.is_none(), "{warning:?}");
    assert_eq!(again, known);
    let names: Vec<_> = again.all().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names, ["ghcr.io/acme/other", NAME]);
    let mut again = again;
    assert!(again.forget(&name).is_some());
    assert!(again.of(&name).is_none());
    let left: Vec<_> =
        std::fs::read_dir(path.parent().expect("a folder")).expect("it is read").collect();
    assert_eq!(left.len(), 1, "no temporary file stays: {left:?}");
}

#[test]
fn a_file_that_cannot_be_read_remembers_nothing_and_that_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("trust.json");
    for text in ["", "{", r#"{"version":2,"repositories":{}}"#, r#"{"version":1}"#] {
        std::fs::write(&path, text).expect("it is written");
        let (known, warning) = Expectations::load(&path);
        assert_eq!(known, Expectations::default());
        let warning = warning.expect(text).to_string();
        assert!(warning.contains("trust.json"), "{warning}");
    }
}

#[tokio::test]
async fn versions_are_ordered_by_their_numbers_and_a_letter() {
    let bed = Bed::unsigned(Referring::Api).await;
    let mut known = Expectations::default();
    let name = repository(NAME);
    let mut seen = proof(&bed, "1.10.0b", 7);
    seen.annotations.remove("seq");
    known.remember(&name, &seen, now());
    let expected = known.of(&name).expect("it was seen");
    for (version, is_older) in [
        ("1.9.0", true),
        ("1.10.0", true),
        ("1.10.0a", true),
        ("1.10.0b", false),
        ("1.10.0c", false),
        ("1.10.0b-omos", false),
        ("1.10.1", false),
        ("garbage", true),
    ] {
        let mut other = seen.clone();
        other.annotations.insert("version".to_owned(), version.to_owned());
        assert_eq!(expected.is_older(&other), is_older, "{version}");
    }
    let mut without = seen.clone();
    without.annotations.remove("version");
    assert!(expected.is_older(&without), "who named versions once does not stop");
}

#[tokio::test]
async fn what_was_seen_within_the_hour_is_not_worth_a_write_and_anything_new_is() {
    let bed = Bed::unsigned(Referring::Api).await;
    let (mut known, name) = (Expectations::default(), repository(NAME));
    let seen = proof(&bed, "1.3.0", 9);
    assert!(!known.knows(&name, &seen, now()), "it was never seen");
    known.remember(&name, &seen, now());
    let later = |minutes| now() + SignedDuration::from_mins(minutes);
    assert!(known.knows(&name, &seen, now()));
    assert!(known.knows(&name, &seen, later(59)));
    assert!(!known.knows(&name, &seen, later(60)));
    assert!(!known.knows(&name, &seen, later(-1)), "the clock was set back");
    assert!(!known.knows(&name, &proof(&bed, "1.4.0", 10), later(1)));
    assert!(known.knows(&name, &proof(&bed, "1.2.0", 8), later(1)), "older ones change nothing");
}
