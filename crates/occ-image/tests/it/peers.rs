//! Programs of others that judge what we write.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

/// What the judges need of `PyPI`; the schemas of `CycloneDX` come in the first.
const PACKAGES: [&str; 1] = ["cyclonedx-python-lib[json-validation]==11.12.0"];

/// Runs a program to a good end and returns what it printed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    run_in(Path::new("."), program, arguments)
}

pub(crate) fn run_in(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    let output = command.args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\n{printed}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    printed
}

/// Runs a Python script that fails, or prints what is wrong, line by line.
pub(crate) fn judge(script: &str, arguments: &[&str]) -> String {
    let python = environment("judges", &PACKAGES).join("bin/python");
    run(python.to_str().unwrap(), &[&["-c", script], arguments].concat())
}

/// Returns a folder with packages from `PyPI`, made once for all tests.
pub(crate) fn environment(name: &str, packages: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (lock, done) = (folder.with_extension("lock"), folder.join("done"));
    let lock = fs::File::create(lock).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let wanted = packages.join("\n");
    if fs::read_to_string(&done).ok().as_ref() != Some(&wanted) {
        let python = folder.join("bin/python");
        run("python3", &["-m", "venv", "--clear", folder.to_str().unwrap()]);
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(python.to_str().unwrap(), &[&install, packages].concat());
        fs::write(done, wanted).unwrap();
    }
    folder
}

/// Returns the folder of the JSON schemas of the OCI image specification, as Debian has them.
pub(crate) fn oci_schemas() -> PathBuf {
    const PACKAGE: &str = "golang-github-opencontainers-image-spec-dev";
    const INSIDE: &str = "usr/share/gocode/src/github.com/opencontainers/image-spec/schema";
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oci-schemas");
    let lock = fs::File::create(folder.with_extension("lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    if !folder.join("done").exists() {
        fs::remove_dir_all(&folder).ok();
        fs::create_dir(&folder).unwrap();
        run_in(&folder, "apt-get", &["download", PACKAGE]);
        let archive = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        run("dpkg", &["-x", archive.to_str().unwrap(), folder.to_str().unwrap()]);
        fs::write(folder.join("done"), "").unwrap();
    }
    folder.join(INSIDE)
}
