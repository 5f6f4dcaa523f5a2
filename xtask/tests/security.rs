//! Holds `docs/security.md` to its promise: every attack has a row, and the test it names exists.

mod workspace;

use std::collections::BTreeSet;

use workspace::none_of;

const PAGE: &str = "docs/security.md";
/// How many attacks there are.
const ATTACKS: usize = 26;

/// Returns the rows: number and test.
fn rows(page: &str) -> Vec<(usize, String)> {
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> =
            line.strip_prefix("| ")?.trim_end_matches(" |").split(" | ").collect();
        let [number, _, _, test] = cells.as_slice() else { return None };
        Some((number.parse().ok()?, test.trim_matches('`').to_owned()))
    });
    rows.collect()
}

/// Returns the number in a test's name, such as `attack_05_who_cannot_say`.
fn number(test: &str) -> Option<usize> {
    test.strip_prefix("attack_")?.split('_').next()?.parse().ok()
}

/// Returns the names of all tests of attacks.
fn tests() -> BTreeSet<String> {
    let texts = workspace::texts();
    let rust = texts.iter().filter(|text| text.path.rsplit('.').next() == Some("rs"));
    let lines = rust.flat_map(|text| text.content.lines());
    let functions = lines.filter_map(|line| {
        let line = line.trim_start();
        let name = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
        Some(name.split('(').next()?.to_owned())
    });
    functions.filter(|name| number(name).is_some()).collect()
}

fn page() -> String {
    let page = workspace::texts().into_iter().find(|text| text.path == PAGE);
    page.expect("the page is there").content
}

#[test]
fn every_attack_has_a_row_in_order() {
    let numbers: Vec<usize> = rows(&page()).into_iter().map(|row| row.0).collect();
    assert_eq!(numbers, (1..=ATTACKS).collect::<Vec<_>>());
}

#[test]
fn every_row_names_a_test_of_its_number_that_exists() {
    let tests = tests();
    let wrong: Vec<String> = rows(&page())
        .into_iter()
        .filter(|(row, test)| number(test) != Some(*row) || !tests.contains(test))
        .map(|(row, test)| format!("{row}: {test}"))
        .collect();
    none_of(&wrong, "a row of docs/security.md names a test that exists");
}

#[test]
fn no_test_is_of_an_attack_that_has_no_row() {
    let wrong: Vec<String> = tests()
        .into_iter()
        .filter(|test| number(test).is_none_or(|number| !(1..=ATTACKS).contains(&number)))
        .collect();
    none_of(&wrong, "docs/security.md has a row for every attack that is tested");
}
