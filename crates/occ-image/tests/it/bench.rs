//! A workshop whose programs are scripts, so that they can be made to fail.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use occ_image::{
    BuildError, BuildPlan, Cpu, Event, Image, Lock, Programs, Recipe, Target, Workshop, build,
};
use occ_oci::{Algorithm, Digest, Hasher, Platform};
use tempfile::TempDir;

pub(crate) const BINARY: &[u8] = b"#!/bin/sh\necho 1.18.33\n";

pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) plan: BuildPlan,
    pub(crate) workshop: Workshop,
}

impl Bench {
    /// Sets up a workshop in which everything works.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let tarball = tarball(BINARY);
        fs::write(folder.path().join("opencode.tgz"), &tarball).unwrap();
        fs::write(folder.path().join("base.tar"), base()).unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        let mut plan = BuildPlan::new(
            &Recipe::embedded().unwrap(),
            &Lock::embedded().unwrap(),
            Target { platform: Platform::LinuxAmd64, cpu: Cpu::Modern },
            "1.0.0",
        )
        .unwrap();
        let mut hasher = Hasher::new(Algorithm::Sha512);
        hasher.update(&tarball);
        plan.opencode.integrity = hasher.finish();
        plan.opencode.size = tarball.len() as u64;
        plan.opencode.binary = Digest::sha256(BINARY);
        plan.opencode.binary_size = BINARY.len() as u64;
        let workshop = Workshop {
            cache_dir: folder.path().join("cache"),
            temp_dir: folder.path().join("tmp"),
            programs: Programs {
                mmdebstrap: folder.path().join("mmdebstrap"),
                npm: folder.path().join("npm"),
                apt_get: folder.path().join("apt-get"),
                apt_config: folder.path().join("apt-config"),
                keyring: folder.path().join("keyring"),
            },
        };
        let bench = Self { folder, plan, workshop };
        bench.script("apt-get", "echo 'http://me:secret@mirror.test/debian/|Debian|Debian'");
        bench.script("apt-config", "echo 'Acquire::http::Proxy \"http://proxy.test\";'");
        bench.script("mmdebstrap", &bench.working_mmdebstrap());
        bench.script("npm", &bench.working_npm());
        bench
    }

    /// Records its arguments and copies a prepared archive to where it is told.
    pub(crate) fn working_mmdebstrap(&self) -> String {
        let folder = self.folder.path().display();
        format!(
            "printf '%s\\n' \"$@\" > {folder}/arguments\n\
             for argument; do case $argument in */base.tar) cp {folder}/base.tar \"$argument\";; esac; done"
        )
    }

    /// Copies a prepared tarball to the folder after `--pack-destination`.
    pub(crate) fn working_npm(&self) -> String {
        let folder = self.folder.path().display();
        format!(
            "while [ \"$1\" != --pack-destination ]; do shift; done\ncp {folder}/opencode.tgz \"$2\""
        )
    }

    pub(crate) fn script(&self, name: &str, body: &str) {
        let path = self.path(name);
        // Written elsewhere first: a file that is open for writing in any process cannot be run.
        let half = path.with_extension("half");
        fs::write(&half, format!("#!/bin/sh\nset -e\n{body}\n")).unwrap();
        fs::set_permissions(&half, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&half, &path).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn build(&self) -> (Result<Image, BuildError>, Vec<Event>) {
        let events = Mutex::new(Vec::new());
        let observer = |event| events.lock().unwrap().push(event);
        let result = build(&self.plan, &self.workshop, &observer, &AtomicBool::new(false));
        (result, events.into_inner().unwrap())
    }

    /// Returns the names in the cache, sorted.
    pub(crate) fn kept(&self) -> Vec<String> {
        names(&self.workshop.cache_dir.join("layers-v1"))
    }
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Returns an error with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

pub(crate) fn tarball(binary: &[u8]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    append(&mut archive, "package/package.json", tar::EntryType::Regular, b"{}");
    append(&mut archive, "package/bin/opencode", tar::EntryType::Regular, binary);
    archive.into_inner().unwrap().finish().unwrap()
}

/// A Debian as small as a test needs it, with the leftovers a real one has.
fn base() -> Vec<u8> {
    use tar::EntryType::{Char, Directory, Regular};
    let mut archive = tar::Builder::new(Vec::new());
    append(&mut archive, "./", Directory, b"");
    append(&mut archive, "./dev/", Directory, b"");
    append(&mut archive, "./dev/null", Char, b"");
    append(&mut archive, "./etc/passwd", Regular, b"root:x:0:0:root:/root:/bin/bash\n");
    append(&mut archive, "./etc/group", Regular, b"root:x:0:\n");
    append(&mut archive, "./etc/shadow", Regular, b"root:*:1:0:99999:7:::\n");
    append(&mut archive, "./etc/resolv.conf", Regular, b"nameserver 10.0.0.1\n");
    append(&mut archive, "./etc/hostname", Regular, b"build-machine\n");
    append(
        &mut archive,
        "./etc/apt/apt.conf.d/99mmdebstrap",
        Regular,
        b"Acquire::http::Proxy \"x\";\n",
    );
    append(
        &mut archive,
        "./etc/apt/sources.list",
        Regular,
        b"deb http://me:secret@mirror.test/debian/ trixie main\n",
    );
    append(&mut archive, "./var/log/apt/", Directory, b"");
    append(&mut archive, "./var/log/apt/term.log", Regular, b"noise\n");
    append(&mut archive, "./usr/share/big", Regular, &vec![7; 3 << 20]);
    archive
        .append_pax_extensions([("SCHILY.xattr.security.capability", &b"\x01\0\0\x02"[..])])
        .unwrap();
    append(&mut archive, "./usr/bin/ping", Regular, b"ping");
    archive.into_inner().unwrap()
}

fn append(
    archive: &mut tar::Builder<impl std::io::Write>,
    path: &str,
    kind: tar::EntryType,
    bytes: &[u8],
) {
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(5_000_000_000);
    header.set_size(bytes.len() as u64);
    header.set_cksum();
    archive.append(&header, bytes).unwrap();
}
