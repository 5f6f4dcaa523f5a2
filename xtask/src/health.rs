//! The health check of the image, compiled from `image/health` for each architecture.
//!
//! The results lie in the repository, so that nobody needs a compiler to build an image. `rustc` alone makes
//! them: no package, no C compiler, no linker but its own. The same compiler makes the same bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use occ_image::{Architecture, guest};
use tempfile::TempDir;

use crate::{Outcome, say};

/// The program's first file.
const SOURCE: &str = "image/health/main.rs";
/// How a program says which compiler made it.
const MADE_BY: &str = "rustc version ";

/// Compiles the program and puts it beside the other files of the guest; with `check` it only compares.
pub(crate) fn run(check: bool, root: &Path) -> Outcome {
    let compiler = compiler()?;
    for architecture in [Architecture::Amd64, Architecture::Arm64] {
        let path = root.join(committed(architecture));
        let there = fs::read(&path).unwrap_or_default();
        let by = made_by(&there).unwrap_or_default();
        if check && !(by == compiler && has_core(architecture)?) {
            let path = path.display();
            say(&format!("not compared: {path} was made by rustc {by}, which is not here"));
            continue;
        }
        let made = compile(root, architecture)?;
        match (made == there, check) {
            (true, _) => say(&format!("as it was: {}", path.display())),
            (false, true) => return Err(format!("{} is another", path.display()).into()),
            (false, false) => {
                fs::write(&path, &made)?;
                say(&format!("written: {} ({} bytes)", path.display(), made.len()));
            }
        }
    }
    Ok(())
}

/// Returns where the program for an architecture is.
fn committed(architecture: Architecture) -> PathBuf {
    Path::new("image/guest").join(format!("healthcheck.{}", architecture.name()))
}

/// Returns the compiler's version as it writes it into programs.
fn compiler() -> Outcome<String> {
    let output = Command::new("rustc").arg("--version").output()?;
    let text = String::from_utf8(output.stdout)?;
    let version = text.trim().strip_prefix("rustc ").ok_or("rustc does not say its version")?;
    Ok(version.to_owned())
}

/// Returns how the compiler calls an architecture.
fn target(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "x86_64-unknown-linux-gnu",
        Architecture::Arm64 => "aarch64-unknown-linux-gnu",
    }
}

/// Returns whether the compiler's library for an architecture is installed.
fn has_core(architecture: Architecture) -> Outcome<bool> {
    let words = ["--print", "target-libdir", "--target", target(architecture)];
    let output = Command::new("rustc").args(words).output()?;
    Ok(Path::new(String::from_utf8(output.stdout)?.trim()).exists())
}

/// Returns which compiler made a program.
fn made_by(program: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(program);
    let (_, rest) = text.split_once(MADE_BY)?;
    Some(rest.split('\0').next()?.to_owned())
}

fn compile(root: &Path, architecture: Architecture) -> Outcome<Vec<u8>> {
    let folder = TempDir::new()?;
    let program = folder.path().join("healthcheck");
    let target = target(architecture);
    let mut command = Command::new("rustc");
    // From the top folder: the compiler keeps the paths that it is given.
    command.current_dir(root).args(["--edition=2024", "--crate-name=healthcheck"]);
    command.args(["--crate-type=bin", "--target", target, "-Dwarnings"]);
    for option in [
        "opt-level=z",
        "panic=abort",
        "lto=fat",
        "codegen-units=1",
        "strip=symbols",
        "relocation-model=static",
        "linker=rust-lld",
        "linker-flavor=ld.lld",
        "link-arg=--gc-sections",
    ] {
        command.args(["-C", option]);
    }
    command
        .env("OCC_PORT", guest::PORT.to_string())
        .env("OCC_USER", guest::USER)
        .env("OCC_PASSWORD_FILE", guest::PASSWORD_FILE)
        .env("OCC_HEALTH_PATH", guest::HEALTH_PATH)
        .env("OCC_INSTANCE_PATH", guest::INSTANCE_PATH);
    let output = command.arg(SOURCE).arg("-o").arg(&program).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{said}\nhint: rustup target add {target}").into());
    }
    Ok(fs::read(&program)?)
}
