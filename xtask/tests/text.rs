//! Holds the text of the repository to its promises: one home for each effect, and no place of a
//! package registry or of a developer's machine anywhere.

mod workspace;

use std::path::Path;

use workspace::{Text, none_of};

/// Hosts of package registries, put together here so that this file does not name one either.
const REGISTRY_HOSTS: &[&str] = &[
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("registry.", "npmjs.org"),
    concat!("registry.", "yarnpkg.com"),
    concat!("pypi", ".org"),
    concat!("files.", "pythonhosted.org"),
    concat!("deb.", "debian.org"),
    concat!("ftp.", "debian.org"),
    concat!("security.", "debian.org"),
    concat!("snapshot.", "debian.org"),
    concat!("archive.", "ubuntu.com"),
    concat!("ports.", "ubuntu.com"),
    concat!("security.", "ubuntu.com"),
];

/// A folder that exists only where this was written.
const MACHINE_PATH: &str = concat!("/wo", "rk/");

const ENVIRONMENT: &[&str] =
    &["env::var", "env::set_var", "env::remove_var", "env::home_dir", "env::temp_dir"];

const PRINTING: &[&str] = &["println!", "print!", "eprintln!", "eprint!", "dbg!"];

/// Whether `word` stands in `line` with nothing before it that would make it part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let joins = |before: char| before.is_alphanumeric() || "_-.".contains(before);
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(joins))
}

/// The lines that are not comments, each with where it stands.
fn code(text: &Text) -> impl Iterator<Item = (String, &str)> {
    let lines = text.content.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (format!("{}:{}", text.path, index + 1), line))
}

/// Where the shipped code, that is `crates/*/src` but for the test kit, has one of `words`.
fn shipped_code_with(words: &[&str], is_home: impl Fn(&str) -> bool) -> Vec<String> {
    let is_shipped = |text: &&Text| {
        text.path.starts_with("crates/")
            && text.path.contains("/src/")
            && Path::new(&text.path).extension().is_some_and(|extension| extension == "rs")
            && !text.path.starts_with("crates/occ-testkit/")
    };
    let texts = workspace::texts();
    let elsewhere = texts.iter().filter(is_shipped).filter(|text| !is_home(&text.path));
    elsewhere
        .flat_map(code)
        .filter(|(_, line)| words.iter().any(|word| has_word(line, word)))
        .map(|(place, line)| format!("{place}: {}", line.trim()))
        .collect()
}

#[test]
fn a_word_is_found_only_where_it_begins() {
    assert!(has_word("let x = std::env::var(name)", "env::var"));
    assert!(has_word("    println!()", "println!"));
    assert!(!has_word("eprintln!()", "println!"));
    assert!(has_word(&format!("see {MACHINE_PATH}x"), MACHINE_PATH));
    assert!(!has_word(&format!("/home/ann{MACHINE_PATH}x"), MACHINE_PATH));
}

#[test]
fn the_environment_is_read_in_one_file_only() {
    let offenders = shipped_code_with(ENVIRONMENT, |path| path == "crates/occ/src/env.rs");
    none_of(&offenders, "only crates/occ/src/env.rs reads the environment");
}

#[test]
fn only_the_terminal_prints() {
    let offenders = shipped_code_with(PRINTING, |path| path.starts_with("crates/occ/src/terminal"));
    none_of(&offenders, "only crates/occ/src/terminal prints");
}

#[test]
fn only_the_workshop_runs_the_package_clients() {
    let clients = ["Command::new(\"mmdebstrap\")", "Command::new(\"npm\")"];
    let offenders = shipped_code_with(&clients, |path| path.starts_with("crates/occ-image/"));
    none_of(&offenders, "only occ-image runs mmdebstrap and npm");
}

#[test]
fn no_file_names_the_host_of_a_package_registry() {
    let texts = workspace::texts();
    let mut offenders = Vec::new();
    for text in texts.iter().filter(|text| !text.path.ends_with("Cargo.lock")) {
        let named = REGISTRY_HOSTS.iter().filter(|host| text.content.contains(**host));
        offenders.extend(named.map(|host| format!("{}: {host}", text.path)));
    }
    none_of(&offenders, "the package clients know their registries, we do not");
}

#[test]
fn no_file_names_a_path_of_the_machine_it_was_written_on() {
    let texts = workspace::texts();
    let named = texts.iter().filter(|text| has_word(&text.content, MACHINE_PATH));
    none_of(
        &named.map(|text| text.path.clone()).collect::<Vec<_>>(),
        "a path holds on any machine",
    );
}

#[test]
fn no_script_of_the_image_is_longer_than_fifty_lines() {
    let texts = workspace::texts();
    let scripts: Vec<_> = texts
        .iter()
        .filter(|text| text.path.starts_with("image/") && is_shell(text))
        .map(|text| (text.path.as_str(), text.content.lines().count()))
        .collect();
    assert!(scripts.len() > 5, "only {scripts:?}");
    let long = scripts.iter().filter(|(_, lines)| *lines > 50);
    none_of(
        &long.map(|(path, lines)| format!("{path}: {lines} lines")).collect::<Vec<_>>(),
        "what is longer becomes a part of the program",
    );
}

fn is_shell(text: &Text) -> bool {
    let interpreter = text.content.lines().next().unwrap_or_default();
    let by_name = ["zshrc", "zprofile"].iter().any(|name| text.path.ends_with(name));
    by_name || (interpreter.starts_with("#!") && interpreter.ends_with("sh"))
}

#[test]
fn every_file_of_code_is_part_of_a_crate() {
    let texts = workspace::texts();
    let names = |text: &Text, name: &str| {
        let declaration = format!("mod {name};");
        text.content
            .lines()
            .any(|line| line.split_once(&declaration).is_some_and(|it| it.1.is_empty()))
    };
    let mut orphans = Vec::new();
    for text in &texts {
        let path = Path::new(&text.path);
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let mut folder = path.parent().expect("a file is in a folder");
        let mut name = path.file_stem().expect("it has a name");
        if name == "mod" {
            (name, folder) =
                (folder.file_name().expect("a name"), folder.parent().expect("it has one"));
        }
        // Cargo knows these by where they are.
        let is_root = ["lib", "main", "build"].iter().any(|root| name == *root)
            || ["tests", "examples", "benches"].iter().any(|it| folder.ends_with(it))
                && !text.path.contains("/src/");
        let file = folder.with_extension("rs");
        let is_near = |other: &&Text| {
            Path::new(&other.path) == file || Path::new(&other.path).parent() == Some(folder)
        };
        let name = name.to_string_lossy();
        if !is_root && !texts.iter().filter(is_near).any(|near| names(near, &name)) {
            orphans.push(text.path.clone());
        }
    }
    none_of(&orphans, "a file that no `mod` names is not compiled, and its tests are never run");
}
