//! Holds the documents to the program: every command line of `occ` in them is one that it takes.

use occ::{command, settings};

mod workspace;

use workspace::none_of;

/// What a page writes where a person is to put something of their own.
const PLACEHOLDERS: &[(&str, &str)] =
    &[("COUNT", "10"), ("NAME", "name"), ("PORT", "3000"), ("SECONDS", "10")];

/// Returns every command line of `occ` in a page: lines of its code blocks, and its code spans.
fn command_lines(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, part) in page.split("```").enumerate() {
        if index % 2 == 1 {
            found.extend(part.lines().flat_map(in_shell));
        } else {
            let spans = part.split('`').skip(1).step_by(2);
            found.extend(spans.flat_map(|span| in_shell(&span.replace('\n', " "))));
        }
    }
    found
}

/// Returns the commands of `occ` in a line of shell.
fn in_shell(line: &str) -> Vec<String> {
    let line = line.split(" #").next().unwrap_or_default();
    let pieces = line.split(['|', ';', '>', '&']).map(str::trim);
    pieces.filter(|piece| piece.starts_with("occ ")).map(str::to_owned).collect()
}

/// Whether the words are a command's bare name, as a sentence has it.
fn is_name(words: &[String]) -> bool {
    let program = command();
    let inner = words.iter().skip(1).try_fold(&program, |inner, word| inner.find_subcommand(word));
    inner.is_some()
}

/// Returns why the program would not take a command line, or nothing.
fn complaint(line: &str) -> Option<String> {
    let filled = |word: &str| {
        let known = PLACEHOLDERS.iter().find(|(placeholder, _)| *placeholder == word);
        known.map_or(word, |(_, example)| *example).replace('"', "")
    };
    let words: Vec<String> = line.split_whitespace().map(filled).collect();
    if is_name(&words) {
        return None;
    }
    if let Err(error) = command().try_get_matches_from(&words)
        && error.use_stderr()
    {
        return Some(error.to_string());
    }
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["occ", "config", "get" | "set" | "unset", name, ..]
            if !["name", "password"].contains(&name) =>
        {
            let known = settings().iter().any(|[setting, ..]| setting == name);
            (!known).then(|| format!("there is no setting {name}"))
        }
        _ => None,
    }
}

#[test]
fn command_lines_are_found_in_blocks_and_spans_and_nowhere_else() {
    let page = "Say occ start, or `occ config\nset a b`; `docs/x` and `occ` are none.\n\
        ```\nocc stop   # occ logs comes later\ntar -c x | occ exec -T -- tar -x\nUsage: occ x\n```\n\
        `occ man > occ.1`";
    assert_eq!(
        command_lines(page),
        ["occ config set a b", "occ stop", "occ exec -T -- tar -x", "occ man"]
    );
}

#[test]
fn what_the_program_does_not_take_is_noticed() {
    assert_eq!(complaint("occ start --port PORT --instance NAME"), None);
    assert_eq!(complaint("occ start --help"), None);
    assert_eq!(complaint("occ exec"), None, "a name in a sentence");
    for wrong in [
        "occ begin",
        "occ exec --user root",
        "occ start --prot 3000",
        "occ start --port 70000",
        "occ config set prot 3000",
        "occ config get prot",
    ] {
        assert!(complaint(wrong).is_some(), "{wrong}");
    }
}

#[test]
fn every_command_line_in_the_documents_is_one_that_the_program_takes() {
    let mut offenders = Vec::new();
    let mut count = 0;
    for text in workspace::texts().iter().filter(|text| text.path.rsplit('.').next() == Some("md"))
    {
        for line in command_lines(&text.content) {
            count += 1;
            if let Some(complaint) = complaint(&line) {
                offenders.push(format!("{}: {line}\n{complaint}", text.path));
            }
        }
    }
    assert!(count > 30, "only {count} command lines were found");
    none_of(&offenders, "a page says only what can be typed");
}
