//! Locks whose files are to be had today.
//!
//! Archives move on: what a committed lock names may be gone on the day somebody runs the tests. So they are
//! asked once, by the first test that builds, and what is gone is locked anew for all tests together, as
//! `occ image lock` does it. A committed lock that is out of date makes no test fail and no test slow.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use occ_image::{Lock, LockRequest, Recipe, Workshop, lock_changes, resolve};
use occ_oci::Digest;
use rustix::fs::{FlockOperation, flock};

/// How long an answer of the archives counts.
const FRESH: Duration = Duration::from_secs(3 * 60 * 60);
/// How long to wait for a file that a registry names and does not have yet.
const PATIENCE: Duration = Duration::from_secs(60);

/// A recipe with a lock that can be built from.
#[derive(Debug, Clone)]
pub struct Settled {
    /// A copy of the recipe, with the lock beside it; files that a recipe names are not copied.
    pub recipe: PathBuf,
    /// The committed lock, or what follows from it.
    pub lock: Lock,
    /// What had to move, one line each; nothing where all of the committed lock is still to be had.
    pub moved: Vec<String>,
}

impl Settled {
    /// Settles a committed recipe with its lock; `kept` is [`Places::kept`](crate::Places::kept).
    ///
    /// Files that have to be fetched come into the cache of layers that all tests share.
    pub fn of(recipe: &Path, kept: &Path) -> Self {
        let text = read(recipe);
        let committed = read(&recipe.with_extension("lock"));
        let lock = parse(recipe, &committed);
        let parsed = Recipe::load(recipe).unwrap_or_else(|error| panic!("{error}"));
        lock.answers(&parsed).expect("the committed lock answers the committed recipe");
        let folder = folder(kept, &text, &committed);
        fs::create_dir_all(&folder).expect("a folder");
        // Whoever comes second waits, and finds everything done.
        let _settling = hold(&folder.join("settling"));
        if !is_fresh(&folder.join(MOVED)) {
            settle(&parsed, &text, &lock, kept, &folder);
        }
        let settled = Self::read(&folder);
        tell(recipe, &settled.moved);
        settled
    }

    fn read(folder: &Path) -> Self {
        let recipe = folder.join(RECIPE);
        let lock = parse(&recipe, &read(&folder.join(LOCK)));
        let moved: Vec<String> = read(&folder.join(MOVED)).lines().map(str::to_owned).collect();
        Self { recipe, lock, moved }
    }
}

/// Names in a folder of something settled; the last is written last, and its age is that of the answer.
const RECIPE: &str = "sandbox.toml";
const LOCK: &str = "sandbox.lock";
const MOVED: &str = "moved";

/// Other texts have another folder, so that a change of what is committed is settled anew.
fn folder(kept: &Path, recipe: &str, lock: &str) -> PathBuf {
    let digest = Digest::sha256(format!("{recipe}\0{lock}").as_bytes());
    kept.join("settled").join(&digest.hex()[..16])
}

fn settle(recipe: &Recipe, text: &str, committed: &Lock, kept: &Path, folder: &Path) {
    let cache = kept.join("occ-cache/opencode-cloud");
    let workshop = Workshop::new(cache, PathBuf::from("/tmp"));
    let request =
        LockRequest { with: with(recipe, committed), patience: PATIENCE, ..LockRequest::default() };
    let never = AtomicBool::new(false);
    let lock = resolve(recipe, Some(committed), &request, &workshop, &|_| (), &never);
    let lock = lock.unwrap_or_else(|error| panic!("the archives cannot be asked: {error}"));
    let changes = lock_changes(Some(committed), &lock);
    let moved: String = changes.iter().map(|change| format!("{change}\n")).collect();
    for (name, text) in [(RECIPE, text), (LOCK, lock.render().as_str()), (MOVED, moved.as_str())] {
        replace(&folder.join(name), text);
    }
}

/// Returns the features that no variant has to have and that are locked all the same.
fn with(recipe: &Recipe, committed: &Lock) -> Vec<String> {
    let is_locked = |tools: &Vec<String>| tools.iter().any(|it| committed.tools.contains_key(it));
    let locked = recipe.features.iter().filter(|(_, tools)| is_locked(tools));
    locked.map(|(name, _)| name.clone()).collect()
}

#[expect(clippy::print_stderr, reason = "a test's own output is where its reader looks")]
fn tell(recipe: &Path, moved: &[String]) {
    if !moved.is_empty() {
        eprintln!(
            "The archives have moved on, and tests with them; the committed lock is renewed by"
        );
        eprintln!("occ image lock --recipe {}", recipe.display());
        for line in moved {
            eprintln!("  {line}");
        }
    }
}

fn is_fresh(stamp: &Path) -> bool {
    let age = |metadata: fs::Metadata| metadata.modified().ok()?.elapsed().ok();
    fs::metadata(stamp).ok().and_then(age).is_some_and(|age| age < FRESH)
}

/// Programs of other tests may be reading it.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).and_then(|()| fs::rename(&new, path)).expect("a file");
}

fn hold(path: &Path) -> File {
    let file = File::create(path).expect("a file");
    flock(&file, FlockOperation::LockExclusive).map_err(io::Error::from).expect("a lock");
    file
}

fn parse(recipe: &Path, lock: &str) -> Lock {
    let name = recipe.with_extension("lock").display().to_string();
    Lock::parse(&name, lock).unwrap_or_else(|error| panic!("{error}"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recipe/sandbox.toml");

    #[test]
    fn the_committed_lock_of_the_small_recipe_answers_it_and_names_no_place() {
        let text = read(&Path::new(COMMITTED).with_extension("lock"));
        let lock = parse(Path::new(COMMITTED), &text);
        let recipe = Recipe::load(Path::new(COMMITTED)).expect("it is written well");
        assert_eq!(lock.answers(&recipe), Ok(()));
        assert_eq!(lock.render(), text);
        assert!(!text.contains("://"), "an address is in the lock");
    }

    #[test]
    fn what_was_settled_a_moment_ago_is_not_asked_about_again() {
        let kept = tempfile::TempDir::new().expect("a folder");
        let (text, lock) =
            (read(Path::new(COMMITTED)), read(&Path::new(COMMITTED).with_extension("lock")));
        let folder = folder(kept.path(), &text, &lock);
        fs::create_dir_all(&folder).expect("a folder");
        for (name, text) in [(RECIPE, &text), (LOCK, &lock), (MOVED, &"jq 1 -> 2\n".to_owned())] {
            replace(&folder.join(name), text);
        }
        let settled = Settled::of(Path::new(COMMITTED), kept.path());
        assert_eq!(settled.moved, ["jq 1 -> 2"]);
        assert_eq!(settled.recipe, folder.join(RECIPE));
        assert!(!kept.path().join("occ-cache").exists(), "nothing was asked");
    }
}
