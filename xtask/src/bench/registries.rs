//! The figures of `docs/benchmarks-registries.md`: what it costs to get an image out of a registry, to copy and to
//! verify it, beside who else does so.
//!
//! Like their sisters they are for reading, and nothing here judges them.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::figure::Figure;
use super::machine::Machine;
use super::registry::{Published, Registry};
use super::sandbox::Sandbox;
use super::timing::{hyperfine, interleaved};
use super::{page, release_build};
use crate::{Outcome, say};

/// What to measure, and when it is.
#[derive(Args)]
pub(crate) struct RegistriesArgs {
    /// The day that goes into the page, such as 2026-01-31
    #[arg(long)]
    date: String,
    /// The program to measure; the release build beside this one when not given
    #[arg(long, value_name = "PATH")]
    occ: Option<PathBuf>,
    /// Turns of each kind
    #[arg(long, default_value_t = 7)]
    turns: usize,
}

/// Where the figures go.
const PAGE: &str = "docs/benchmarks-registries.md";

const METHOD: &str = "\
## Method

- The program is the release build; the registry is the distribution project's (`docker-registry`), on this
  machine and without encryption.
- The image has five layers of 100 MB that compress to about half, and is signed with a key. It is pulled with
  nothing of it there, in turns with `docker pull` (A B A B …), the first turn of both left out; `occ` also asks
  who signed it, and compares every layer with what the image says.
- The second image differs from the first in its last layer.
- Memory is the most that the process of a pull had at once.
- `occ image verify` is timed by [hyperfine](https://github.com/sharkdp/hyperfine) without a shell, from the
  start of its process to its verdict; the registry is asked each time, and nothing else.
- Copies go to an empty registry on this machine, in turns with `skopeo copy`, which leaves the signature behind.
- A figure is the median; in brackets the quartiles. *Used* is its share of the budget.

Measured with `just bench-registries`. No test depends on these figures.
";

/// Measures, and writes the page.
pub(crate) fn run(args: &RegistriesArgs, root: &Path) -> Outcome {
    let occ = args.occ.clone().map_or_else(release_build, Ok)?;
    say("Starting a sandbox of its own for the measurements");
    let sandbox = Sandbox::start(&occ)?;
    let status = sandbox.status()?;
    let machine = Machine::look(&status["cli_version"], &status["health"]["opencode_version"])?;
    sandbox.stop()?;
    let figures = measure(&sandbox, args.turns)?;
    let text = page::render("Benchmarks of registries", METHOD, &args.date, &machine, &figures);
    fs::write(root.join(PAGE), &text)?;
    say(&format!("written: {PAGE}"));
    say(&page::table(&figures));
    Ok(())
}

/// What it costs to get an image out of a registry, beside who else does so.
fn measure(sandbox: &Sandbox, turns: usize) -> Outcome<[Figure; 5]> {
    say("Publishing an image of 500 MB");
    let image = Published::make(sandbox)?;
    let name = image.registry.name("1");
    say("Measuring occ image verify");
    let verified = hyperfine(sandbox, &["image", "verify", &name], 60)?;
    say(&format!("Measuring {turns} pulls in turns"));
    let [pull, docker] =
        interleaved(turns, || Ok(()), [&|| image.time_pull(), &|| image.time_docker_pull()])?;
    let [fetched, layer, memory] = image.sizes()?;
    say(&format!("Measuring {turns} copies in turns"));
    let to = Cell::new(None);
    // Whoever copies finds an empty registry.
    let empty = || {
        to.set(Some(Registry::start()?));
        Ok(())
    };
    let copied = |copy: &dyn Fn(&str) -> Outcome<Duration>| {
        let registry = to.take().ok_or("it was prepared")?;
        copy(&registry.name("1"))
    };
    let [copy, skopeo] = interleaved(
        turns,
        empty,
        [&|| copied(&|to| image.time_copy(to)), &|| copied(&|to| image.time_skopeo(to))],
    )?;
    Ok([
        Figure::ratio("pull of an image of 500 MB, verified", &pull, ("`docker pull`", &docker)),
        Figure::share("bytes fetched where one layer changed", fetched, ("the layer", layer)),
        Figure::size("memory of that pull", memory, 100),
        Figure::time("`occ image verify`, registry on this machine", &verified, None, 25.0),
        Figure::ratio(
            "copy between two registries, with signature",
            &copy,
            ("`skopeo copy`", &skopeo),
        ),
    ])
}
