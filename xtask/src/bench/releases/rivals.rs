//! Two ways with Dockerfiles, built by the engine's own builder for this machine's architecture and pushed by it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::place::{Bytes, Place};
use super::recipes::{Recipe, Recipes};
use super::single;
use crate::bench::docker::{self, VARIANTS};
use crate::bench::sandbox::output;
use crate::{Outcome, say};

/// Contexts, registries and images of both schemes; the images are gone with this value.
pub(super) struct Rivals<'a> {
    recipes: &'a Recipes,
    folder: &'a Path,
    /// Where one Dockerfile for all goes.
    single: Place,
    /// Where base and variants go.
    split: Place,
    /// What packages clients in a build are told.
    arguments: Vec<String>,
}

/// How long something took, and what it moved.
pub(super) type Taken = (Duration, Bytes);

/// An image that is built.
struct Wanted<'a> {
    context: &'a Path,
    file: &'a str,
    base: &'a str,
    more: &'a [String],
    name: &'a str,
}

impl<'a> Rivals<'a> {
    /// Prepares both: Debian is in both registries, and the split scheme has its base and one version of all variants.
    pub(super) fn prepare(recipes: &'a Recipes, folder: &'a Path) -> Outcome<Self> {
        let place = |name: &str| Place::start(folder.join(name));
        let (single, split) = (place("single")?, place("split")?);
        let arguments = docker::arguments()?;
        let rivals = Self { recipes, folder, single, split, arguments };
        for recipe in [&recipes.before, &recipes.after, &recipes.base] {
            rivals.render(recipe)?;
        }
        let debian = rivals.split("debian");
        docker::import_debian(folder, &debian)?;
        output(Command::new("docker").args(["tag", &debian, &rivals.single("debian")]))?;
        push(&debian)?;
        push(&rivals.single("debian"))?;
        rivals.build_base(&recipes.before)?;
        rivals.build_variants(&recipes.before)?;
        Ok(rivals)
    }

    /// Releases a new version with one Dockerfile: the steps of it that no earlier turn had.
    pub(super) fn single_new_version(&self, turn: usize) -> Outcome<Taken> {
        let recipe = &self.recipes.after;
        let context = self.context(recipe, VARIANTS[3]);
        let read = |name: &str| fs::read_to_string(context.join(name));
        let version = format!("{}-{turn}", recipe.opencode);
        let text = single::join(&read("Dockerfile.base")?, &read("Dockerfile.variant")?, &version)?;
        fs::write(context.join("Dockerfile"), text)?;
        timed(&self.single, || self.build_single(recipe))
    }

    /// Releases what [`Self::single_new_version`] released once more.
    pub(super) fn single_nothing(&self) -> Outcome<Taken> {
        timed(&self.single, || self.build_single(&self.recipes.after))
    }

    /// Releases a new version on a base that is there, with steps that no earlier turn had.
    pub(super) fn split_new_version(&self, turn: usize) -> Outcome<Taken> {
        for variant in VARIANTS {
            let path = self.context(&self.recipes.after, variant).join("Dockerfile.variant");
            let text = fs::read_to_string(&path)?;
            let turn = u32::try_from(turn)?;
            fs::write(&path, docker::another_opencode(&text, turn)?)?;
        }
        timed(&self.split, || self.build_variants(&self.recipes.after))
    }

    /// Releases what [`Self::split_new_version`] released once more.
    pub(super) fn split_nothing(&self) -> Outcome<Taken> {
        timed(&self.split, || self.build_variants(&self.recipes.after))
    }

    /// Releases with another base.
    pub(super) fn split_base_change(&self) -> Outcome<Taken> {
        timed(&self.split, || {
            self.build_base(&self.recipes.base)?;
            self.build_variants(&self.recipes.base)
        })
    }

    /// Writes the Dockerfiles of a recipe, for every variant.
    fn render(&self, recipe: &Recipe) -> Outcome {
        for variant in VARIANTS {
            let context = self.context(recipe, variant);
            recipe.builder.dockerfiles(variant, &context)?;
            docker::trust_as_here(&context)?;
            let base = context.join("Dockerfile.base");
            fs::write(&base, docker::marked(&fs::read_to_string(&base)?, &word())?)?;
        }
        Ok(())
    }

    fn build_single(&self, recipe: &Recipe) -> Outcome {
        let context = self.context(recipe, VARIANTS[3]);
        for variant in VARIANTS {
            let name = self.single(variant);
            self.build(&Wanted {
                context: &context,
                file: "Dockerfile",
                base: &self.single("debian"),
                more: &single::arguments(variant),
                name: &name,
            })?;
            push(&name)?;
        }
        Ok(())
    }

    fn build_base(&self, recipe: &Recipe) -> Outcome {
        let (context, name) = (self.context(recipe, VARIANTS[0]), self.split("on"));
        self.build(&Wanted {
            context: &context,
            file: "Dockerfile.base",
            base: &self.split("debian"),
            more: &[],
            name: &name,
        })?;
        push(&name)
    }

    fn build_variants(&self, recipe: &Recipe) -> Outcome {
        for variant in VARIANTS {
            let name = self.split(variant);
            self.build(&Wanted {
                context: &self.context(recipe, variant),
                file: "Dockerfile.variant",
                base: &self.split("on"),
                more: &[],
                name: &name,
            })?;
            push(&name)?;
        }
        Ok(())
    }

    fn build(&self, wanted: &Wanted<'_>) -> Outcome {
        let mut command = Command::new(docker::client()?);
        command
            .env("DOCKER_BUILDKIT", "1")
            .args(["build", "--network=host", "--tag", wanted.name, "--file"])
            .arg(wanted.context.join(wanted.file))
            .arg(format!("--build-arg=BASE={}", wanted.base))
            .args(self.arguments.iter().map(|it| format!("--build-arg={it}")))
            .args(wanted.more)
            .arg(wanted.context);
        output(&mut command).map(drop)
    }

    fn context(&self, recipe: &Recipe, variant: &str) -> PathBuf {
        let of = recipe.file.parent().and_then(Path::file_name).unwrap_or_default();
        self.folder.join("contexts").join(of).join(variant)
    }

    fn single(&self, tag: &str) -> String {
        format!("{}:{tag}", self.single.repository("single"))
    }

    fn split(&self, tag: &str) -> String {
        format!("{}:{tag}", self.split.repository("split"))
    }
}

impl Drop for Rivals<'_> {
    fn drop(&mut self) {
        let images = [self.single.repository("single"), self.split.repository("split")];
        let removed = images.iter().try_for_each(|name| docker::remove_all(name));
        if let Err(error) = removed.and_then(|()| docker::forget(&word())) {
            say(&format!("warning: the engine keeps what was built: {error}"));
        }
    }
}

/// Returns what this run's steps are found by.
fn word() -> String {
    format!("occ-bench-{}", std::process::id())
}

fn push(name: &str) -> Outcome {
    output(Command::new("docker").args(["push", "--quiet", name])).map(drop)
}

/// Does something, and looks at what it made of a registry.
fn timed(place: &Place, work: impl Fn() -> Outcome) -> Outcome<Taken> {
    let before = place.bytes()?;
    let begun = Instant::now();
    work()?;
    let took = begun.elapsed();
    Ok((took, place.bytes()?.since(before)))
}
