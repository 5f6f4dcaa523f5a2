//! The rendered Dockerfiles, built by the engine's own builder for this machine's architecture.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Outcome;
use crate::bench::builder::Builder;
use crate::bench::docker::{self, VARIANTS};
use crate::bench::sandbox::output;

/// Contexts in a folder, and images that are gone with this value.
pub(super) struct Dockerfiles {
    folder: TempDir,
    arguments: Vec<String>,
    turn: Cell<u32>,
}

impl Dockerfiles {
    /// Builds everything once.
    pub(super) fn prepare(builder: &Builder) -> Outcome<Self> {
        let arguments = docker::arguments()?;
        let this = Self { folder: TempDir::new()?, arguments, turn: Cell::new(0) };
        for variant in VARIANTS {
            let context = this.context(variant);
            builder.dockerfiles(variant, &context)?;
            docker::trust_as_here(&context)?;
        }
        docker::import_debian(this.folder.path(), &name("debian"))?;
        this.build("base", "Dockerfile.base", "debian", "on")?;
        this.build_variants()?;
        Ok(this)
    }

    /// Returns how long the variants take when the step that fetches opencode is another one.
    pub(super) fn time_new_version(&self) -> Outcome<Duration> {
        self.turn.set(self.turn.get() + 1);
        for variant in VARIANTS {
            let path = self.context(variant).join("Dockerfile.variant");
            let text = fs::read_to_string(&path)?;
            fs::write(&path, docker::another_opencode(&text, self.turn.get())?)?;
        }
        let begun = Instant::now();
        self.build_variants()?;
        Ok(begun.elapsed())
    }

    fn build_variants(&self) -> Outcome {
        VARIANTS.iter().try_for_each(|it| self.build(it, "Dockerfile.variant", "on", it))
    }

    fn build(&self, context: &str, file: &str, base: &str, made: &str) -> Outcome {
        let context = self.context(context);
        let mut command = Command::new(docker::client()?);
        command
            .env("DOCKER_BUILDKIT", "1")
            .args(["build", "--network=host", "--tag", &name(made), "--file"])
            .arg(context.join(file))
            .arg(format!("--build-arg=BASE={}", name(base)))
            .args(self.arguments.iter().map(|it| format!("--build-arg={it}")))
            .arg(context);
        output(&mut command).map(drop)
    }

    fn context(&self, variant: &str) -> PathBuf {
        self.folder.path().join(variant)
    }
}

impl Drop for Dockerfiles {
    fn drop(&mut self) {
        let names = VARIANTS.iter().chain(&["on", "debian"]).map(|it| name(it));
        docker::remove(&names.collect::<Vec<_>>());
    }
}

fn name(made: &str) -> String {
    format!("occ-bench-{made}:{}", std::process::id())
}
