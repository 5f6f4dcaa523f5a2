//! Programs that a user installs: they work, outlive the container, and hide nothing of the image's.

use std::process::Command;

use occ_image::guest::OWN_PROGRAMS;

use super::check::{Check, has, is, run, succeeds};

/// A volume that is gone when this is dropped.
struct Volume(String);

impl Volume {
    fn create(image: &str) -> Self {
        let name =
            format!("occ-image-own-{}-{}", std::process::id(), image.replace([':', '/'], "-"));
        docker(&["volume", "create", &name]);
        Self(name)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        docker(&["volume", "rm", "--force", &self.0]);
    }
}

fn docker(arguments: &[&str]) {
    let status = Command::new("docker").args(arguments).output().unwrap().status;
    assert!(status.success(), "docker {arguments:?}: {status}");
}

/// A package of npm's with two commands, one of which has the name of a program of the image.
const PACKAGE: &str = r#"
mkdir /tmp/npm && cd /tmp/npm
cat >package.json <<'END'
{ "name": "greeter", "version": "1.0.0", "bin": { "greet": "greet.js", "prettier": "greet.js" } }
END
printf '#!/usr/bin/env node\nconsole.log("greetings")\n' >greet.js
npm pack --silent
"#;

/// A wheel (PEP 427) with one command.
const WHEEL: &str = r#"cd /tmp && python3 - <<'END'
import zipfile
info = 'saluter-1.0.dist-info/'
with zipfile.ZipFile('saluter-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('saluter.py', 'def main(): print("salutations")\n')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\nName: saluter\nVersion: 1.0\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
    wheel.writestr(info + 'entry_points.txt', '[console_scripts]\nsalute = saluter:main\n')
    wheel.writestr(info + 'RECORD', '')
END"#;

/// A module of Go's with one command.
const MODULE: &str = r#"
mkdir /tmp/ahoy && cd /tmp/ahoy
printf 'module ahoy\ngo 1.21\n' >go.mod
printf 'package main\nfunc main() { println("ahoy") }\n' >main.go
"#;

/// Proves that every package client puts programs on the volume of a user's own programs.
pub(crate) fn own_programs(image: &str) {
    let volume = Volume::create(image);
    let mount = format!("{}:{OWN_PROGRAMS}", volume.0);
    let with_volume = ["--volume", &mount, image];
    run(&install(), &with_volume);
    run(&still_there(), &with_volume);
}

fn install() -> Vec<Check> {
    let wheel = "/tmp/saluter-1.0-py3-none-any.whl";
    vec![
        has("npm", "npm ls --global", "(empty)"),
        succeeds("npm", PACKAGE),
        succeeds("npm", "npm install --global --offline /tmp/npm/greeter-1.0.0.tgz"),
        succeeds("pnpm", "pnpm add --global --offline /tmp/npm/greeter-1.0.0.tgz"),
        succeeds("pip", WHEEL),
        // Inside of a virtual environment, and outside, where Debian's own pip would refuse.
        succeeds(
            "pip",
            format!("python3 -m venv /tmp/v && /tmp/v/bin/pip install --no-index {wheel}"),
        ),
        succeeds("pip", "/tmp/v/bin/salute && ! command -v salute"),
        succeeds("pip", format!("pip install --no-index {wheel}")),
        succeeds("uv", format!("uv tool install --offline {wheel}")),
        succeeds("cargo", "cd /tmp && cargo new hail && cargo install --offline --path hail"),
        succeeds("go", format!("{MODULE}go install .")),
        succeeds("git", "git config --global user.name Me"),
    ]
}

/// In another container with the same volume.
fn still_there() -> Vec<Check> {
    let own = |path: &str| format!("{OWN_PROGRAMS}/{path}");
    vec![
        is("npm", "command -v greet; greet", &format!("{} greetings", own("npm/bin/greet"))),
        has("npm", "npm ls --global", "greeter@1.0.0"),
        // It is there, and does not win.
        is("npm", own("npm/bin/prettier"), "greetings"),
        is("npm", "command -v prettier", "/usr/local/bin/prettier"),
        is("pnpm", own("pnpm/bin/greet"), "greetings"),
        is("pip", own("python/bin/salute"), "salutations"),
        is("uv", "command -v salute; salute", &format!("{} salutations", own("bin/salute"))),
        is("cargo", "command -v hail; hail", &format!("{} Hello, world!", own("cargo/bin/hail"))),
        is("go", "command -v ahoy; ahoy", &format!("{} ahoy", own("go/bin/ahoy"))),
        is("git", "git config user.name", "Me"),
    ]
}
