//! Settings that are lists: every entry speaks of one thing, and a later entry takes the place of an earlier one.

use occ_sandbox::{MountWish, check_places, parse_secret, parse_variable};
use serde_json::Value;

use super::key::Kind;

/// Returns what is wrong with one entry, or nothing. It may be a secret, and is not repeated.
pub(crate) fn check_entry(kind: Kind, entry: &str) -> Result<(), String> {
    match kind {
        Kind::Mounts => entry.parse::<MountWish>().map(drop).map_err(|error| error.to_string()),
        Kind::Variables => parse_variable(entry).map(drop).map_err(|error| error.to_string()),
        Kind::Secrets => parse_secret(entry).map(drop).map_err(|error| error.to_string()),
        _ => Ok(()),
    }
}

/// Returns what is wrong with a list, or nothing.
pub(crate) fn check(kind: Kind, value: &Value) -> Result<(), String> {
    let expected = || "a list of texts in quotes is expected".to_owned();
    let entries = value.as_array().ok_or_else(expected)?;
    let mut mounts = Vec::new();
    for entry in entries {
        let entry = entry.as_str().ok_or_else(expected)?;
        check_entry(kind, entry)?;
        mounts.extend(entry.parse::<MountWish>().ok().filter(|_| kind == Kind::Mounts));
    }
    check_places(&mounts).map_err(|error| error.to_string())
}

/// Returns what an entry speaks of: the place inside of a mount, the name of a variable.
pub(crate) fn subject(kind: Kind, entry: &str) -> String {
    let name = || entry.split('=').next().unwrap_or(entry).to_owned();
    match kind {
        Kind::Mounts => entry.parse::<MountWish>().map_or_else(|_| name(), |wish| wish.target),
        _ => name(),
    }
}

/// Lays entries over others, in the order of the things they speak of first.
pub(crate) fn overlay(kind: Kind, lower: &[String], upper: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for entry in lower.iter().chain(upper) {
        let about = subject(kind, entry);
        match all.iter_mut().find(|other| subject(kind, other) == about) {
            Some(other) => other.clone_from(entry),
            None => all.push(entry.clone()),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts(entries: &[&str]) -> Vec<String> {
        entries.iter().map(|entry| (*entry).to_owned()).collect()
    }

    #[test]
    fn pw_010_the_last_of_several_values_for_one_name_wins() {
        let all = overlay(Kind::Variables, &texts(&["A=1", "B=1", "A=2"]), &texts(&["B=", "C=1"]));
        assert_eq!(all, ["A=2", "B=", "C=1"]);
    }

    #[test]
    fn a_mount_takes_the_place_of_another_by_where_it_is_inside() {
        let lower = texts(&["/a:/x", "/b:/y:ro"]);
        let all = overlay(Kind::Mounts, &lower, &texts(&["/c:/x/", "/b:/z"]));
        assert_eq!(all, ["/c:/x/", "/b:/y:ro", "/b:/z"]);
    }

    #[test]
    fn a_list_with_a_bad_entry_is_refused_and_a_secret_is_not_repeated() {
        assert_eq!(check(Kind::Variables, &json!(["A=1", "A=2"])), Ok(()));
        for value in [json!("A=1"), json!([1]), json!({ "A": 1 })] {
            assert!(check(Kind::Variables, &value).is_err(), "{value}");
        }
        let taken = check(Kind::Mounts, &json!(["/a:/x", "/b:/x"])).expect_err("one place");
        assert!(taken.ends_with(": /x"), "{taken}");
        let written = check(Kind::Secrets, &json!(["TOKEN=hunter2"])).expect_err("a value");
        assert!(written.contains("TOKEN") && !written.contains("hunter2"), "{written}");
    }
}
