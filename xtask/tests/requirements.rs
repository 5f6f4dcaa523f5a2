//! Holds `docs/requirements.md` to its promise: every requirement of its sections is in the name of a test,
//! or in the page with the reason why not.

mod workspace;

use std::collections::BTreeSet;

use workspace::none_of;

const PAGE: &str = "docs/requirements.md";

/// Reads `ACQ-016` as section and number.
fn parse(identifier: &str) -> Option<(&str, u32)> {
    let (section, number) = identifier.trim().split_once('-')?;
    let is_section = (2..=3).contains(&section.len())
        && section.chars().all(|letter| letter.is_ascii_uppercase());
    (is_section && number.len() == 3).then_some(())?;
    Some((section, number.parse().ok()?))
}

/// Returns every identifier of the sections in the page's first table, whose second column is the last one.
fn all(page: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for line in page.lines() {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let (Some(section), Some(last)) = (cells.next(), cells.next()) else { continue };
        if let Some((of, count)) = parse(last)
            && of == section
        {
            all.extend((1..=count).map(|number| format!("{section}-{number:03}")));
        }
    }
    all
}

/// Returns the identifiers that the page has a row for, with what stands beside them.
fn explained(page: &str) -> Vec<(String, String)> {
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.trim_end_matches('|').split('|').map(str::trim);
        let (identifier, reason) = (cells.next()?, cells.next()?);
        parse(identifier).map(|_| (identifier.to_owned(), reason.to_owned()))
    });
    rows.collect()
}

/// Returns the identifiers in a test's name, such as `lif_018_cfg_006_a_prebuilt_image_is_pulled`.
fn named(function: &str) -> Vec<String> {
    let words: Vec<&str> = function.split('_').collect();
    let pairs = words.windows(2).filter_map(|pair| {
        let identifier = format!("{}-{}", pair[0].to_uppercase(), pair[1]);
        parse(&identifier).is_some().then_some(identifier)
    });
    pairs.collect()
}

/// Returns every identifier in a test's name anywhere in the workspace.
fn tested() -> BTreeSet<String> {
    let texts = workspace::texts();
    let rust = texts.iter().filter(|text| text.path.rsplit('.').next() == Some("rs"));
    let lines = rust.flat_map(|text| text.content.lines());
    let functions = lines.filter_map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ")?.split(['(', '<']).next()
    });
    functions.flat_map(named).collect()
}

fn page() -> String {
    let texts = workspace::texts();
    let page = texts.into_iter().find(|text| text.path == PAGE);
    page.expect("the page is part of the repository").content
}

#[test]
fn identifiers_are_read_from_names_rows_and_ranges() {
    assert_eq!(named("lif_018_cfg_006_a_prebuilt_image"), ["LIF-018", "CFG-006"]);
    assert_eq!(named("a_port_from_1_to_65535"), Vec::<String>::new());
    let page = "| PM | PM-002 | mounts |\n\n| PM-002 | said elsewhere |\n| section | last |\n";
    assert_eq!(all(page).into_iter().collect::<Vec<_>>(), ["PM-001", "PM-002"]);
    assert_eq!(explained(page), [("PM-002".to_owned(), "said elsewhere".to_owned())]);
}

#[test]
fn every_requirement_is_in_the_name_of_a_test_or_in_the_page_with_the_reason() {
    let page = page();
    let (all, tested, explained) = (all(&page), tested(), explained(&page));
    assert!(all.len() > 100, "only {} identifiers were found", all.len());
    let in_page: BTreeSet<&String> = explained.iter().map(|(identifier, _)| identifier).collect();
    let missing: Vec<String> = all
        .iter()
        .filter(|identifier| !tested.contains(*identifier) && !in_page.contains(identifier))
        .cloned()
        .collect();
    none_of(&missing, "a requirement is tested, or docs/requirements.md says why not");
    let unknown = explained.iter().filter(|(identifier, _)| !all.contains(identifier));
    let bare = explained.iter().filter(|(_, reason)| reason.len() < 10);
    let wrong: Vec<String> =
        unknown.chain(bare).map(|(identifier, _)| identifier.clone()).collect();
    none_of(&wrong, "every row of docs/requirements.md is one of its sections, with a reason");
}
