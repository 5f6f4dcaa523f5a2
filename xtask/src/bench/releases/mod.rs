//! The figures of `docs/benchmarks-releases.md`: what a release costs, beside the same images
//! released with Dockerfiles.
//!
//! Like their sisters they are for reading, and nothing here judges them.

mod page;
mod place;
mod press;
mod recipes;
mod rivals;
mod single;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use tempfile::TempDir;

use self::page::{Row, Who};
use self::press::{Press, Steps};
use self::recipes::{Ground, Recipes};
use self::rivals::{Rivals, Taken};
use super::machine::{self, Machine};
use super::release_build;
use crate::{Outcome, say};

/// What to measure, and when it is.
#[derive(Args)]
pub(crate) struct ReleasesArgs {
    /// The day that goes into the page, such as 2026-01-31
    #[arg(long)]
    date: String,
    /// The program to measure; the release build beside this one when not given
    #[arg(long, value_name = "PATH")]
    occ: Option<PathBuf>,
    /// The recipe that all of them build; image/sandbox.toml takes hours in place of a quarter of one
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// The opencode that is released already
    #[arg(long, value_name = "VERSION", default_value = "1.18.15")]
    before: String,
    /// The new one
    #[arg(long, value_name = "VERSION", default_value = "1.18.18")]
    after: String,
    /// Folder that keeps packages and layers from one run to the next; without it there is none afterwards
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Turns of what takes seconds
    #[arg(long, default_value_t = 3)]
    turns: usize,
    /// Turns of what takes minutes
    #[arg(long, default_value_t = 1)]
    long_turns: usize,
    /// Measure nothing but a new version by occ, say where its time goes, and write no page
    #[arg(long)]
    steps: bool,
}

/// Where the figures go.
const PAGE: &str = "docs/benchmarks-releases.md";

/// Measures, and writes the page.
pub(crate) fn run(args: &ReleasesArgs, root: &Path) -> Outcome {
    let occ = args.occ.clone().map_or_else(release_build, Ok)?;
    let occ = fs::canonicalize(&occ).map_err(|error| {
        let hint = "hint: cargo build --release -p occ";
        format!("no program to measure: {}: {error}\n{hint}", occ.display())
    })?;
    let recipe = args.recipe.clone().unwrap_or_else(|| root.join("image/rehearsal.toml"));
    let folder = TempDir::new()?;
    let cache = args.cache.clone().unwrap_or_else(|| folder.path().join("cache"));
    let before = machine::load()?;
    say("Locking three recipes: one, another opencode, another base");
    let ground = Ground { occ: &occ, recipe: &recipe, cache: &cache, folder: folder.path() };
    let recipes = Recipes::lock(&ground, [&args.before, &args.after])?;
    let builder = &recipes.after.builder;
    if args.steps {
        return where_time_goes(args, &occ, &recipes, folder.path());
    }
    let machine = Machine::look(&builder.version()?, &builder.opencode()?)?;
    let (mut rows, mut steps) = (rivals(args, &recipes, folder.path())?, Vec::new());
    say(&page::table(&rows));
    for who in [Who::Gzip, Who::Zstd] {
        let place = folder.path().join(who.form());
        let press = Press::prepare(&occ, builder.cache(), &place, who.form())?;
        let (ours, took) = ours(args, press, &recipes, who)?;
        rows.extend(ours);
        steps.push((who, took));
    }
    let loads = [before.as_str(), &machine::load()?];
    let name = recipe.file_name().unwrap_or_default().display().to_string();
    let page = page::render(&args.date, &machine, loads, &name, &rows, &steps);
    fs::write(root.join(PAGE), page)?;
    say(&format!("written: {PAGE}"));
    say(&page::table(&rows));
    Ok(())
}

/// A new version alone, for whoever makes it faster.
fn where_time_goes(args: &ReleasesArgs, occ: &Path, recipes: &Recipes, folder: &Path) -> Outcome {
    for who in [Who::Gzip, Who::Zstd] {
        let place = folder.join(who.form());
        let cache = recipes.after.builder.cache();
        let mut press = Press::prepare(occ, cache, &place, who.form())?;
        press.release(&recipes.before, &recipes.before.version())?;
        press.keep("before")?;
        let (taken, steps) = new_version(args, &mut press, recipes)?;
        say(&page::table(&[Row::new(page::NEW, who, taken)]));
        say(&page::shares(&[(who, steps)]));
    }
    Ok(())
}

/// Releases a new version whose packages are there, in turns; the first of all is warm-up.
fn new_version(
    args: &ReleasesArgs,
    press: &mut Press<'_>,
    recipes: &Recipes,
) -> Outcome<(Vec<Taken>, Vec<Steps>)> {
    let after = &recipes.after;
    let mut release = |_| {
        press.go_back("before")?;
        after.forget_opencode()?;
        press.release(after, &after.version())
    };
    let both = (0..=args.turns).map(&mut release).collect::<Outcome<Vec<_>>>()?;
    Ok(both.into_iter().skip(1).unzip())
}

/// Both ways with Dockerfiles.
fn rivals(args: &ReleasesArgs, recipes: &Recipes, folder: &Path) -> Outcome<Vec<Row>> {
    say("Building and pushing a base and the variants with docker, so that everything is cached");
    let rivals = Rivals::prepare(recipes, folder)?;
    let (long, quick) = (1..=args.long_turns, 1..=args.turns);
    say("Measuring a new version with one Dockerfile");
    let single = turns(long.clone(), |turn| rivals.single_new_version(turn))?;
    say("Measuring a new version on a split base");
    let split = turns(long, |turn| rivals.split_new_version(turn))?;
    say("Measuring both with nothing new");
    let single_again = turns(quick.clone(), |_| rivals.single_nothing())?;
    let split_again = turns(quick, |_| rivals.split_nothing())?;
    say("Measuring another base, split");
    let base = rivals.split_base_change()?;
    Ok(vec![
        Row::new(page::NEW, Who::Single, single),
        Row::new(page::NEW, Who::Split, split),
        Row::new(page::BASE, Who::Split, vec![base]),
        Row::new(page::NOTHING, Who::Single, single_again),
        Row::new(page::NOTHING, Who::Split, split_again),
    ])
}

/// Ours, with layers of one form; and how long the steps of a new version took, turn by turn.
fn ours(
    args: &ReleasesArgs,
    mut press: Press<'_>,
    recipes: &Recipes,
    who: Who,
) -> Outcome<(Vec<Row>, Vec<Steps>)> {
    let Recipes { before, after, base } = recipes;
    let further = format!("{}b", after.version());
    say(&format!(
        "Releasing {} with {}, so that everything is there",
        before.version(),
        who.form()
    ));
    press.release(before, &before.version())?;
    press.keep("before")?;
    say("Measuring a new version, its packages there");
    let (new, steps) = new_version(args, &mut press, recipes)?;
    say("Measuring a new version, its packages fetched");
    let fetched = turns(1..=args.turns, |_| {
        press.go_back("before")?;
        after.forget_opencode()?;
        after.forget_packages()?;
        Ok(press.release(after, &after.version())?.0)
    })?;
    say("Measuring a new version with every image tried");
    let tested = turns(1..=args.long_turns, |_| {
        press.go_back("before")?;
        after.forget_opencode()?;
        press.release_tested(after, &after.version())
    })?;
    press.keep("after")?;
    say("Measuring nothing new");
    let same = turns(1..=args.turns, |_| Ok(press.release(after, &after.version())?.0))?;
    let again = turns(1..=args.turns, |_| {
        press.go_back("after")?;
        Ok(press.release(after, &further)?.0)
    })?;
    let mut rows = vec![
        Row::new(page::NEW, who, new),
        Row::new(page::FETCHED, who, fetched),
        Row::new(page::TESTED, who, tested),
        Row::new(page::NOTHING, who, same),
        Row::new(page::FURTHER, who, again),
    ];
    // What takes long there is the same whatever compresses it.
    if who == Who::Gzip {
        say("Measuring another base");
        press.go_back("after")?;
        base.forget_base()?;
        rows.push(Row::new(page::BASE, who, vec![press.release(base, &further)?.0]));
    }
    Ok((rows, steps))
}

/// Does something in turns.
fn turns(
    which: impl Iterator<Item = usize>,
    work: impl FnMut(usize) -> Outcome<Taken>,
) -> Outcome<Vec<Taken>> {
    which.map(work).collect()
}
