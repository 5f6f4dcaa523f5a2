//! Recipes and locks that are not as they should be: no daemon is asked and nothing is built.

use std::fs;
use std::path::{Path, PathBuf};

use occ_testkit::{Bench, Run};

use crate::places::bench;

/// Puts the small recipe with its lock into a folder of the bench.
fn recipe(bench: &Bench) -> PathBuf {
    let folder = bench.folder().join("recipe");
    fs::create_dir(&folder).unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../occ-testkit/recipe");
    for name in ["sandbox.toml", "sandbox.lock"] {
        fs::copy(kept.join(name), folder.join(name)).unwrap();
    }
    folder.join("sandbox.toml")
}

fn change(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

fn plan(bench: &Bench, recipe: &Path) -> Run {
    bench.run(["image", "plan", "--recipe", recipe.to_str().unwrap()])
}

#[test]
fn a_recipe_without_a_lock_is_told_how_to_get_one() {
    let bench = bench();
    let recipe = recipe(&bench);
    plan(&bench, &recipe).success();
    let lock = recipe.with_extension("lock");
    fs::remove_file(&lock).unwrap();
    plan(&bench, &recipe)
        .code(4)
        .says(&format!("{} has no lock yet: {}", recipe.display(), lock.display()))
        .says("hint: make it: occ image lock");
}

#[test]
fn a_lock_of_another_recipe_is_stale() {
    let bench = bench();
    let recipe = recipe(&bench);
    change(&recipe, "\"jq\",", "\"jq\",\n  \"tree\",");
    plan(&bench, &recipe).code(4).says("hint: bring it up to date: occ image lock");
}

#[test]
fn a_lock_that_was_edited_by_hand_is_refused_with_the_place() {
    let bench = bench();
    let recipe = recipe(&bench);
    let lock = recipe.with_extension("lock");
    change(&lock, "version = \"", "version = \"9");
    plan(&bench, &recipe).code(4).says(&format!("{}:", lock.display())).says("changed by hand");
}

#[test]
fn a_mistake_in_a_recipe_is_said_with_file_line_and_column() {
    let bench = bench();
    let recipe = recipe(&bench);
    change(&recipe, "version = 1", "version = 2");
    let place = format!("{}:2:11: this is version 1 of the grammar", recipe.display());
    plan(&bench, &recipe).code(4).says(&place);
    change(&recipe, "version = 2", "version = 1");
    bench
        .run(["image", "plan", "--variant", "nosuch", "--recipe", recipe.to_str().unwrap()])
        .code(2)
        .says("the recipe has no variant \"nosuch\"; it has base");
}
