//! With Debian's real archive: what apt, mmdebstrap and dpkg make of small recipes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use occ_image::{
    Architecture, BuildError, BuildPlan, Event, Image, Lock, LockRequest, Part, Recipe, Release,
    Target, Upgrade, Workshop, build, resolve,
};
use occ_oci::Platform;
use tempfile::TempDir;

/// A workshop with folders of its own and the machine's programs.
pub(crate) struct Shop {
    folder: TempDir,
    pub(crate) workshop: Workshop,
    pub(crate) cancel: AtomicBool,
    pub(crate) events: Mutex<Vec<Event>>,
}

impl Shop {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path();
        let workshop = Workshop::new(path.join("cache"), path.join("a temp"));
        fs::create_dir(&workshop.temp_dir).unwrap();
        Self { folder, workshop, cancel: AtomicBool::new(false), events: Mutex::default() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a program that is used instead of a real one.
    pub(crate) fn script(&self, name: &str, body: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    pub(crate) fn lock(
        &self,
        recipe: &Recipe,
        kept: Option<&Lock>,
        upgrade: Upgrade,
    ) -> Result<Lock, BuildError> {
        let request = LockRequest { upgrade, with: Vec::new(), patience: Duration::ZERO };
        let observer = |event| self.events.lock().unwrap().push(event);
        resolve(recipe, kept, &request, &self.workshop, &observer, &self.cancel)
    }

    pub(crate) fn build(&self, plan: BuildPlan) -> Result<Image, BuildError> {
        let observer = |event| self.events.lock().unwrap().push(event);
        let images = build(&[plan], None, &self.workshop, &observer, &self.cancel)?;
        Ok(images.into_iter().next().unwrap())
    }
}

/// A recipe of a base and nothing else.
pub(crate) fn recipe(groups: &[(&str, &[&str])]) -> Recipe {
    let mut text = "version = 1\n[base]\ndistribution = \"debian\"\nsuite = \"trixie\"\n\
        exclude = [\"/usr/share/man/*\", \"/usr/share/doc/*\"]\n\
        include = [\"/usr/share/doc/*/copyright\"]\n"
        .to_owned();
    for (name, packages) in groups {
        text += &format!("[[base.group]]\nname = {name:?}\npackages = {packages:?}\n");
    }
    text += "[system]\nshell = \"/bin/bash\"\nlang = \"C.UTF-8\"\ntimezone = \"UTC\"\n\
        [variant]\nbase = []\n";
    Recipe::parse("test", &text, &|_| unreachable!()).unwrap()
}

fn versions(lock: &Lock, architecture: Architecture) -> BTreeMap<&str, (&str, &str)> {
    let pins = |group| Lock::groups(lock, architecture).find(|it| it.group == group).unwrap();
    let all = lock.groups(architecture).map(|it| it.group.as_str()).flat_map(|group| {
        pins(group)
            .packages
            .iter()
            .map(move |pin| (pin.name.as_str(), (group, pin.version.as_str())))
    });
    all.collect()
}

#[test]
fn every_package_is_locked_once_in_the_group_that_needs_it_first() {
    let shop = Shop::new();
    let recipe = recipe(&[("first", &["jq"]), ("second", &["tini", "libjq1"])]);
    let lock = shop.lock(&recipe, None, Upgrade::Needed).unwrap();
    for architecture in [Architecture::Amd64, Architecture::Arm64] {
        let packages = versions(&lock, architecture);
        assert_eq!(packages["tini"].0, "second");
        for first in ["jq", "libjq1", "libonig5", "apt", "dpkg", "libc6", "tzdata"] {
            assert_eq!(packages[first].0, "first", "{first} for {architecture}");
        }
        let all: usize = lock.groups(architecture).map(|group| group.packages.len()).sum();
        assert_eq!(all, packages.len());
        for pin in lock.groups(architecture).flat_map(|group| &group.packages) {
            assert!(pin.architecture.is_none_or(|own| own == architecture), "{pin:?}");
            let file = format!("cache/workshop-v3/files/sha256-{}", pin.digest.hex());
            assert_eq!(fs::metadata(shop.path(&file)).unwrap().len(), pin.size, "{pin:?}");
        }
    }
    let events = shop.events.lock().unwrap();
    let part = Part::Packages("Debian");
    let fetched = |event: &Event| matches!(event, Event::Bytes { part: it, done, total } if *it == part && done == total);
    assert!(events.iter().any(fetched), "{events:?}");
    assert!(!lock.render().contains("http"), "the lock says where packages come from");
    assert_eq!(Lock::parse("lock", &lock.render()).unwrap(), lock);
}

/// All files of an image's layers with the numbers of the layers they are in; folders too.
fn files(image: &Image) -> BTreeMap<String, Vec<(usize, tar::Header, Vec<u8>)>> {
    let mut files: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (number, layer) in image.layers.iter().enumerate() {
        let mut archive = tar::Archive::new(File::open(&layer.blob.path).unwrap());
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.entry(path).or_default().push((number, entry.header().clone(), bytes));
        }
    }
    files
}

fn plan(recipe: &Recipe, lock: &Lock) -> BuildPlan {
    let target = Target::new(Platform::LinuxAmd64, "base");
    BuildPlan::new(recipe, lock, &target, &Release::default()).unwrap()
}

fn empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[test]
fn a_base_is_the_same_bytes_again_and_every_path_is_in_one_layer() {
    let shop = Shop::new();
    let recipe = recipe(&[("first", &["jq"]), ("second", &["python3-minimal", "ca-certificates"])]);
    let lock = shop.lock(&recipe, None, Upgrade::Needed).unwrap();
    let image = shop.build(plan(&recipe, &lock)).unwrap();
    let files = files(&image);
    assert!(empty(&shop.workshop.temp_dir) && empty(&shop.path("cache/workshop-v3/work")));

    // Two groups, what scripts made, and the guest's files.
    assert_eq!(image.layers.len(), 4);
    let base = 0..3_usize;
    for (path, places) in &files {
        let in_base: Vec<_> = places.iter().filter(|it| base.contains(&it.0)).collect();
        if !path.ends_with('/') {
            assert!(in_base.len() <= 1, "{path} is there {} times", in_base.len());
        }
        let folders: BTreeSet<_> =
            in_base.iter().map(|it| (it.1.mode().unwrap(), it.1.uid().unwrap())).collect();
        assert!(folders.len() <= 1, "{path} differs between layers");
    }
    let text = |path: &str| String::from_utf8(files[path][0].2.clone()).unwrap();
    for (path, layer) in [
        ("usr/bin/jq", 0),
        ("usr/bin/bash", 0),
        ("var/lib/dpkg/info/jq.md5sums", 0),
        ("usr/sbin/update-ca-certificates", 1),
        ("usr/lib/python3.13/abc.py", 1),
        ("usr/lib/python3.13/__pycache__/abc.cpython-313.pyc", 1),
        ("etc/ssl/certs/ca-certificates.crt", 2),
        ("etc/passwd", 2),
        ("var/lib/dpkg/status", 2),
    ] {
        assert_eq!(files[path][0].0, layer, "{path}");
    }

    let status = text("var/lib/dpkg/status");
    let pins = lock.groups(Architecture::Amd64).flat_map(|group| &group.packages);
    let mut listed = 0;
    for pin in pins {
        let ours = |it: &&str| it.starts_with(&format!("Package: {}\n", pin.name));
        let paragraph = status.split("\n\n").find(ours).unwrap();
        assert!(paragraph.contains("\nStatus: install ok installed\n"), "{paragraph}");
        let plain = format!("var/lib/dpkg/info/{}.list", pin.name);
        let list = if files.contains_key(&plain) {
            plain
        } else {
            format!("var/lib/dpkg/info/{}:amd64.list", pin.name)
        };
        for path in text(&list).lines().map(|line| line.trim_start_matches('/')) {
            let left_out = path.starts_with("usr/share/man/") || path.starts_with("usr/share/doc/");
            let there = files.contains_key(path) || files.contains_key(&format!("{path}/"));
            assert!(there || left_out || path == ".", "{path} of {} is lost", pin.name);
            listed += 1;
        }
    }
    assert!(listed > 3000, "only {listed} paths are listed");
    assert!(files.contains_key("usr/share/doc/jq/copyright"));
    assert!(!files.contains_key("usr/share/doc/jq/changelog.Debian.gz"));
    assert!(text("etc/apt/sources.list.d/debian.sources").contains("\nComponents: main\n"));
    assert!(!files.contains_key("etc/apt/sources.list"));
    assert!(
        text("etc/passwd").ends_with("\nopencode:x:1000:1000:opencode:/home/opencode:/bin/bash\n")
    );

    // Again, on a machine with other habits.
    fs::remove_dir_all(shop.path("cache/workshop-v3/layers")).unwrap();
    let mut other = Shop::new();
    other.workshop.cache_dir = shop.workshop.cache_dir.clone();
    other.workshop.programs.mmdebstrap = shop.script(
        "mmdebstrap",
        "umask 077\nexport TZ=Asia/Tokyo LANG=de_DE.UTF-8 PERL_HASH_SEED=7\nexec mmdebstrap \"$@\"",
    );
    let again = other.build(plan(&recipe, &lock)).unwrap();
    let ids = |image: &Image| image.layers.iter().map(|it| it.diff_id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&image));
}
