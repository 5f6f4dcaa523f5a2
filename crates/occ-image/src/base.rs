//! Making the base layer: a Debian by mmdebstrap, rewritten as a layer that is the same bytes every time.

use std::io::BufWriter;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use crate::base_tree;
use crate::cache::{Cache, Layer};
use crate::error::BuildError;
use crate::event::{Event, Observer, Phase};
use crate::plan::BuildPlan;
use crate::program::Program;
use crate::pulse::Pulse;
use crate::sources::{self, Sources};
use crate::workshop::Workshop;
use occ_layer::{self as layer, EPOCH};

/// Makes and keeps the base layer.
pub(crate) fn make(
    plan: &BuildPlan,
    workshop: &Workshop,
    cache: &Cache<'_>,
    (observer, cancel): (Observer<'_>, &AtomicBool),
) -> Result<Layer, BuildError> {
    let sources = observe_sources(plan, workshop, cancel)?;
    let work = cache.work_folder()?;
    let archive = work.path().join("base.tar");
    let mut packages = Packages::default();
    Program::new(&workshop.programs.mmdebstrap, "mmdebstrap", cancel)
        .with(|command| arguments(command, plan, workshop, &sources, &archive))
        .writes_to(work.path())
        .writes_to(&workshop.temp_dir)
        .run(|_, line| packages.read(line, observer))?;
    let tree = base_tree::read(&archive)?;
    cache.put(&plan.base_key(), |file| {
        let total = tree.content_size();
        let out = Pulse::new(BufWriter::new(file), Phase::Base, total, (observer, cancel));
        layer::write(tree, out).map_err(BuildError::in_layer(&archive))
    })
}

/// Asks apt where this machine gets its packages. A machine without apt, or with one that fails, is one that
/// knows no Debian archive; mmdebstrap knows one itself.
fn observe_sources(
    plan: &BuildPlan,
    workshop: &Workshop,
    cancel: &AtomicBool,
) -> Result<Sources, BuildError> {
    let programs = &workshop.programs;
    let ask = |program: Program<'_>| match program.output() {
        Err(BuildError::MissingProgram { .. } | BuildError::ProgramFailed { .. }) => {
            Ok(String::new())
        }
        other => other,
    };
    let targets = ask(Program::new(&programs.apt_get, "apt", cancel).with(|command| {
        command.args(["indextargets", "--format", sources::FORMAT, "Created-By: Packages"]);
    }))?;
    let configuration = ask(Program::new(&programs.apt_config, "apt", cancel).with(|command| {
        command.arg("dump");
    }))?;
    let keyring = programs.keyring.to_str().filter(|_| programs.keyring.exists());
    Ok(sources::read(&targets, &configuration, &plan.base.suite, keyring))
}

fn arguments(
    command: &mut Command,
    plan: &BuildPlan,
    workshop: &Workshop,
    sources: &Sources,
    archive: &Path,
) {
    let base = &plan.base;
    command
        .env("SOURCE_DATE_EPOCH", EPOCH.to_string())
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("TMPDIR", &workshop.temp_dir)
        .args(["--mode=auto", "--format=tar", "--verbose"])
        .arg(format!("--variant={}", base.variant))
        .arg(format!("--architectures={}", plan.platform.architecture()))
        .arg(format!("--include={}", base.packages.join(",")));
    for path in &base.exclude {
        command.arg(format!("--dpkgopt=path-exclude={path}"));
    }
    for path in &base.include {
        command.arg(format!("--dpkgopt=path-include={path}"));
    }
    for option in &sources.options {
        command.arg(format!("--aptopt={option}"));
    }
    command.arg(&base.suite).arg(archive).args(&sources.lines);
}

/// Counts packages in what mmdebstrap and apt print.
#[derive(Default)]
struct Packages {
    done: u32,
    total: u32,
}

impl Packages {
    fn read(&mut self, line: &str, observer: Observer<'_>) {
        if let Some(what) = line.strip_prefix("I: ") {
            let what = what.trim_end_matches('.').to_owned();
            observer(Event::Doing { phase: Phase::Base, what });
            return;
        }
        if let Some(more) = newly_installed(line) {
            self.total += more;
        } else if line.starts_with("Setting up ") {
            self.done += 1;
        } else {
            return;
        }
        let (done, total) = (self.done, self.total.max(self.done));
        observer(Event::Packages { done, total });
    }
}

/// Reads `0 upgraded, 59 newly installed, …`.
fn newly_installed(line: &str) -> Option<u32> {
    line.split(", ").find_map(|part| part.strip_suffix(" newly installed"))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn packages_are_counted_over_all_groups_of_them() {
        let seen = Mutex::new(Vec::new());
        let mut packages = Packages::default();
        for line in [
            "I: installing essential packages...",
            "0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.",
            "Unpacking dash (0.5.12-12) ...",
            "Setting up dash (0.5.12-12) ...",
            "0 upgraded, 1 newly installed, 0 to remove and 0 not upgraded.",
            "Setting up tini (0.19.0-3) ...",
        ] {
            packages.read(line, &|event| seen.lock().expect("one thread").push(event));
        }
        let what = "installing essential packages".to_owned();
        assert_eq!(
            *seen.lock().expect("one thread"),
            [
                Event::Doing { phase: Phase::Base, what },
                Event::Packages { done: 0, total: 2 },
                Event::Packages { done: 1, total: 2 },
                Event::Packages { done: 1, total: 3 },
                Event::Packages { done: 2, total: 3 },
            ]
        );
    }
}
