//! Making a base: a Debian of the locked packages by mmdebstrap, rewritten as layers that are the same bytes
//! every time.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use occ_layer::{Compression, EPOCH};

use super::scratch::Scratch;
use super::{CONFIGURE, split, tree};
use crate::cache::{Cache, Layer};
use crate::error::BuildError;
use crate::event::{Event, Observer, Part};
use crate::plan::BasePlan;
use crate::program::Program;
use crate::recipe::Architecture;
use crate::workshop::Workshop;

/// Makes and keeps the layers of a base, lowest first, as [`BasePlan::layers`] names them. Its packages are in
/// the cache.
pub(crate) fn make(
    plan: &BasePlan,
    compression: Compression,
    workshop: &Workshop,
    cache: &Cache<'_>,
) -> Result<Vec<Layer>, BuildError> {
    let (observer, cancel) = cache.context();
    let part = Part::Base(plan.platform);
    let architecture = Architecture::from(plan.platform);
    make_sure_programs_run(architecture, workshop, cancel)?;
    let root = rustix::process::geteuid().is_root();
    let scratch = Scratch::new(workshop, root, cancel)?;
    lay_out(plan, scratch.path(), root, cache)?;

    let work = cache.work_folder()?;
    let archive = work.path().join("base.tar");
    let mut progress = Progress::new(plan);
    let lock = scratch.lock()?;
    Program::new(&workshop.programs.mmdebstrap, "mmdebstrap", cancel)
        .with(|command| {
            command.stdin(lock);
            arguments(command, plan, scratch.path(), root);
            command.arg(&plan.suite).arg(&archive).arg(NO_SOURCE);
        })
        .writes_to(work.path())
        .writes_to(scratch.path())
        .run(|_, line| progress.read(line, &part, observer))?;
    drop(scratch);
    let layers = split::split(tree::read(&archive, &plan.shell)?, &plan.groups)?;
    let named = plan.layers().into_iter().zip(layers);
    named.map(|((_, key), tree)| cache.put(&key, &part, compression, tree)).collect()
}

/// mmdebstrap wants a source; nothing is ever read from it.
const NO_SOURCE: &str = "deb [trusted=yes] copy:/nonexistent ./";

/// Variable with the folder of [`lay_out`].
const LISTS: &str = "OCC_LISTS";

/// The environment of the packages' scripts; nothing of this machine's reaches them. Without a home no dpkg.cfg
/// of the user's is read.
const ENVIRONMENT: &str = "PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/nonexistent LC_ALL=C.UTF-8 \
    PYTHONHASHSEED=0 DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true";

fn arguments(command: &mut Command, plan: &BasePlan, scratch: &Path, root: bool) {
    let architecture = Architecture::from(plan.platform);
    let mut environment = format!("{ENVIRONMENT} SOURCE_DATE_EPOCH={EPOCH}");
    if is_foreign(architecture) && architecture == Architecture::Arm64 {
        // Without it qemu computes signatures of pointers, which takes more time than all the rest.
        environment += " QEMU_CPU=cortex-a72";
    }
    command
        .env("SOURCE_DATE_EPOCH", EPOCH.to_string())
        .env("TMPDIR", scratch)
        .env(LISTS, scratch)
        .args(["--variant=custom", "--mode=auto", "--format=tar"])
        .arg("--skip=update,download,cleanup/apt")
        .arg(format!("--architectures={architecture}"))
        .arg(format!("--customize-hook=env -i {environment} bash \"${LISTS}/configure\" \"$1\""));
    if root {
        // There is no namespace of mounts around it: what is mounted could be left behind.
        command.arg("--skip=chroot/mount");
    } else {
        // It mounts devices, in a namespace of its own, where there is a folder for them.
        command.arg("--setup-hook=mkdir -p \"$1/dev\"");
    }
}

fn is_foreign(architecture: Architecture) -> bool {
    let own = match architecture {
        Architecture::Amd64 => "x86_64",
        Architecture::Arm64 => "aarch64",
    };
    own != std::env::consts::ARCH
}

/// Asks early whether programs of another architecture run here at all.
fn make_sure_programs_run(
    architecture: Architecture,
    workshop: &Workshop,
    cancel: &AtomicBool,
) -> Result<(), BuildError> {
    if !is_foreign(architecture) {
        return Ok(());
    }
    let test = Program::new(&workshop.programs.arch_test, "arch-test", cancel)
        .with(|command| {
            command.arg(architecture.name());
        })
        .run(|_, _| ());
    match test {
        Err(BuildError::ProgramFailed { .. }) => Err(BuildError::MissingProgram {
            name: format!("an emulator of {architecture} that binfmt_misc knows"),
            package: "qemu-user-static binfmt-support",
        }),
        other => other,
    }
}

/// Puts the script into the scratch folder, with its lists: files and patterns, one in a line.
fn lay_out(
    plan: &BasePlan,
    scratch: &Path,
    root: bool,
    cache: &Cache<'_>,
) -> Result<(), BuildError> {
    let folder = scratch.join("packages");
    fs::create_dir(&folder).and_then(|()| open(&folder, 0o755)).map_err(BuildError::at(&folder))?;
    let mut lists = [Vec::new(), Vec::new()];
    for (number, group) in plan.groups.iter().enumerate() {
        for pin in &group.packages {
            let (kept, path) =
                (cache.file_path(&pin.digest), folder.join(format!("{}.deb", pin.name)));
            bring(&kept, &path, root).map_err(BuildError::at(&kept))?;
            lists[number.min(1)].push(path.display().to_string());
        }
    }
    let [mut first, rest] = lists;
    // Links at the top of the tree and the root's name are what all others build on.
    first.sort_by_key(|path| !path.contains("/packages/base-"));
    let list = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect();
    for (name, text) in [
        ("first", list(&first)),
        ("rest", list(&rest)),
        ("exclude", members(plan)),
        ("filters", filters(plan)),
        ("configure", CONFIGURE.to_owned()),
    ] {
        let path = scratch.join(name);
        fs::write(&path, text).and_then(|()| open(&path, 0o644)).map_err(BuildError::at(&path))?;
    }
    Ok(())
}

/// Returns the paths that packages may not bring as tar's `--exclude-from` takes them: members of a package
/// begin with a dot.
fn members(plan: &BasePlan) -> String {
    plan.exclude.iter().map(|pattern| format!(".{pattern}\n")).collect()
}

/// Returns what packages may and may not bring as dpkg.cfg(5) says it.
fn filters(plan: &BasePlan) -> String {
    let exclude = plan.exclude.iter().map(|pattern| format!("path-exclude={pattern}\n"));
    let include = plan.include.iter().map(|pattern| format!("path-include={pattern}\n"));
    exclude.chain(include).collect()
}

/// Makes a kept file readable for mmdebstrap, which unless it is root's is another user's.
fn bring(kept: &Path, path: &Path, root: bool) -> io::Result<()> {
    if root {
        return symlink(kept, path);
    }
    if fs::hard_link(kept, path).is_err() {
        fs::copy(kept, path)?;
    }
    open(path, 0o644)
}

/// Opens a file to every user, whatever this process's umask is.
fn open(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Counts packages in what the script and dpkg print.
struct Progress {
    steps: u32,
    total: u32,
}

impl Progress {
    fn new(plan: &BasePlan) -> Self {
        let total = plan.groups.iter().map(|group| group.packages.len()).sum::<usize>();
        Self { steps: 0, total: u32::try_from(total).unwrap_or(u32::MAX) }
    }

    fn read(&mut self, line: &str, part: &Part, observer: Observer<'_>) {
        let part = || part.clone();
        if let Some(what) = line.strip_prefix("occ: ") {
            observer(Event::Doing { part: part(), what: what.to_owned() });
        } else if line.starts_with("Unpacking ") || line.starts_with("Setting up ") {
            // Every package has both once.
            self.steps += 1;
            let done = (self.steps / 2).min(self.total);
            observer(Event::Count { part: part(), done, total: self.total });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use occ_oci::Platform;

    use super::*;

    #[test]
    fn a_package_is_done_when_it_is_unpacked_and_set_up() {
        let seen = Mutex::new(Vec::new());
        let mut progress = Progress { steps: 0, total: 2 };
        let part = Part::Base(Platform::LinuxAmd64);
        for line in [
            "I: skipping update as requested",
            "occ: unpacking packages",
            "Unpacking dash (0.5.12-12) ...",
            "Unpacking tini (0.19.0-3) ...",
            "Setting up dash (0.5.12-12) ...",
            "Processing triggers for dash (0.5.12-12) ...",
            "Setting up tini (0.19.0-3) ...",
        ] {
            progress.read(line, &part, &|event| seen.lock().expect("one thread").push(event));
        }
        let what = "unpacking packages".to_owned();
        let count = |done| Event::Count { part: part.clone(), done, total: 2 };
        let doing = Event::Doing { part: part.clone(), what };
        let seen = seen.into_inner().expect("one thread");
        assert_eq!(seen, [doing, count(0), count(1), count(1), count(2)]);
    }
}
