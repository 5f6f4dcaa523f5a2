//! Three recipes that differ as releases differ: another opencode, then another base.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::bench::builder::Builder;
use crate::bench::sandbox::output;
use crate::bench::text;

/// What `image/rehearsal.toml` leaves open: the packages that `scripts/rehearsal` fills in too.
const PACKAGES: &str = r#""ca-certificates", "curl", "git", "jq", "openssh-client", "procps", "ripgrep", "sudo", "tini""#;
/// A package that no recipe has and hardly anything needs.
const ONE_MORE: &str = "bc";

/// What each release is made from, locked.
pub(super) struct Recipes {
    /// The version that is there already.
    pub(super) before: Recipe,
    /// A newer opencode, nothing else.
    pub(super) after: Recipe,
    /// That, with one Debian package more.
    pub(super) base: Recipe,
}

/// A recipe with its lock beside it.
pub(super) struct Recipe {
    /// The version of opencode.
    pub(super) opencode: String,
    /// The recipe's file.
    pub(super) file: PathBuf,
    /// `occ` with this recipe.
    pub(super) builder: Builder,
}

/// From what recipes are made.
pub(super) struct Ground<'a> {
    /// The program.
    pub(super) occ: &'a Path,
    /// The recipe that they are variations of.
    pub(super) recipe: &'a Path,
    /// Where the program keeps packages and layers.
    pub(super) cache: &'a Path,
    /// Where recipes are written.
    pub(super) folder: &'a Path,
}

impl Recipes {
    /// Writes and locks them. Every file of others is in the cache afterwards.
    pub(super) fn lock(ground: &Ground<'_>, versions: [&str; 2]) -> Outcome<Self> {
        let [before, after] = versions;
        let first = ground.recipe("before", before, None, None)?;
        // What is locked stays as it is: releases differ in what was meant and in nothing else.
        let lock = Some(first.lock_file());
        let second = ground.recipe("after", after, None, lock.as_deref())?;
        let third = ground.recipe("base", after, Some(ONE_MORE), lock.as_deref())?;
        Ok(Self { before: first, after: second, base: third })
    }
}

impl Ground<'_> {
    fn recipe(
        &self,
        name: &str,
        opencode: &str,
        package: Option<&str>,
        lock: Option<&Path>,
    ) -> Outcome<Recipe> {
        let folder = self.folder.join(name);
        let beside = self.recipe.parent().ok_or("a recipe lies in a folder")?;
        // A recipe names files beside it.
        output(Command::new("cp").arg("-a").arg(beside).arg(&folder))?;
        let file = folder.join("sandbox.toml");
        fs::write(&file, varied(&fs::read_to_string(self.recipe)?, opencode, package)?)?;
        let own = folder.join("sandbox.lock");
        match lock {
            Some(lock) => {
                fs::copy(lock, &own)?;
            }
            None if own.exists() => fs::remove_file(&own)?,
            None => {}
        }
        let builder = Builder::new(self.occ, &file, self.cache)?;
        builder.time(&["image", "lock"])?;
        Ok(Recipe { opencode: opencode.to_owned(), file, builder })
    }
}

impl Recipe {
    /// Returns its name in a release.
    pub(super) fn version(&self) -> String {
        format!("v{}", self.opencode)
    }

    /// Takes opencode's layers out of the cache.
    pub(super) fn forget_opencode(&self) -> Outcome {
        self.builder.forget(|layer| layer.name == "tool/opencode")
    }

    /// Takes the layers of the base out of the cache.
    pub(super) fn forget_base(&self) -> Outcome {
        self.builder.forget(|layer| layer.name.starts_with("base/"))
    }

    /// Takes opencode's packages out of the cache.
    pub(super) fn forget_packages(&self) -> Outcome {
        let path = self.lock_file();
        let lock = occ_image::Lock::parse(text(&path)?, &fs::read_to_string(&path)?)?;
        let tool = lock.tools.get("opencode").ok_or("opencode is in no lock")?;
        for pin in &tool.packages {
            let name = format!("files/{}-{}", pin.digest.algorithm().name(), pin.digest.hex());
            fs::remove_file(self.builder.workshop().join(name))?;
        }
        Ok(())
    }

    fn lock_file(&self) -> PathBuf {
        self.file.with_file_name("sandbox.lock")
    }
}

/// Returns a recipe with this opencode, and with a package more.
fn varied(recipe: &str, opencode: &str, package: Option<&str>) -> Outcome<String> {
    let (head, tail) = recipe.split_once("\n[tool.opencode]\n").ok_or("no [tool.opencode]")?;
    let (tool, rest) = tail.split_once("\n[").ok_or("nothing behind [tool.opencode]")?;
    let tool: String = tool
        .lines()
        .filter(|line| !line.starts_with("version"))
        .map(|it| format!("{it}\n"))
        .collect();
    let head = head.replace("PACKAGES", PACKAGES);
    let head = match package {
        Some(package) => {
            let (before, after) = head.split_once("packages = [").ok_or("no packages")?;
            format!("{before}packages = [\"{package}\", {}", after.trim_start())
        }
        None => head,
    };
    Ok(format!("{head}\n[tool.opencode]\nversion = \"{opencode}\"\n{tool}\n[{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: &str = "[[base.group]]\npackages = [PACKAGES]\n\n[tool.opencode]\nsource = \"npm\"\n\
        version = \"OPENCODE\"\n\n[tool.pi]\nversion = \"1\"\n";

    #[test]
    fn recipes_differ_in_what_was_meant_only() {
        let first = varied(RECIPE, "1.2.3", None).expect("a recipe");
        assert!(first.contains("packages = [\"ca-certificates\""), "{first}");
        assert!(
            first.contains("[tool.opencode]\nversion = \"1.2.3\"\nsource = \"npm\"\n"),
            "{first}"
        );
        assert!(
            first.contains("[tool.pi]\nversion = \"1\"\n") && !first.contains("OPENCODE"),
            "{first}"
        );
        let other = varied(RECIPE, "1.2.4", None).expect("a recipe");
        assert_eq!(other, first.replace("1.2.3", "1.2.4"));
        let more = varied(RECIPE, "1.2.3", Some("bc")).expect("a recipe");
        assert_eq!(more, first.replace("packages = [", "packages = [\"bc\", "));
        assert!(varied("[tool.pi]\n", "1.2.3", None).is_err());
    }

    #[test]
    fn the_recipe_of_the_images_can_be_varied_too() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../image/sandbox.toml");
        let text = fs::read_to_string(path).expect("there");
        let varied = varied(&text, "1.2.3", Some("bc")).expect("a recipe");
        assert_eq!(varied.matches("version = \"1.2.3\"").count(), 1);
        assert_eq!(varied.matches("\"bc\"").count(), 1);
    }
}
