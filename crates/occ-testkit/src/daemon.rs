//! A container daemon of a test's own, which can be filled, starved and killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::api::Api;
use crate::disk::SmallDisk;
use crate::root::{as_root, do_as_root};

/// A private `dockerd` with nothing in it; needs root. Dropped, it is gone with everything it ran.
#[derive(Debug)]
pub struct Daemon {
    folder: TempDir,
    bridge: Bridge,
    child: Child,
    /// Where everything of it lies, when that is small.
    disk: Option<SmallDisk>,
}

impl Daemon {
    /// Starts a daemon and waits until it answers.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(|_| None)
    }

    /// Starts a daemon whose disk is of this size, such as `200m`.
    #[track_caller]
    pub fn on_small_disk(size: &str) -> Self {
        Self::start_with(|data| Some(SmallDisk::mount(data, size)))
    }

    #[track_caller]
    fn start_with(disk: impl FnOnce(&Path) -> Option<SmallDisk>) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let disk = disk(&folder.path().join("data"));
        fs::write(folder.path().join("daemon.json"), "{}").expect("a file");
        let bridge = Bridge::create();
        let child = spawn(folder.path(), &bridge.name);
        let daemon = Self { folder, bridge, child, disk };
        daemon.await_answer();
        daemon
    }

    /// Returns its API.
    pub fn api(&self) -> Api {
        Api::at(&self.folder.path().join("socket"))
    }

    /// Kills it, with everything it runs, from one moment to the next.
    pub fn kill(&mut self) {
        if let Ok(pid) = fs::read_to_string(self.folder.path().join("unshare.pid")) {
            // Gone already is as good.
            drop(as_root("kill", ["-KILL", pid.trim()]).output());
        }
        drop(self.child.wait());
    }

    /// Starts it once more, with what it had.
    #[track_caller]
    pub fn revive(&mut self) {
        self.child = spawn(self.folder.path(), &self.bridge.name);
        self.await_answer();
    }

    /// Returns its small disk.
    #[track_caller]
    pub fn disk(&self) -> &SmallDisk {
        self.disk.as_ref().expect("started on a small disk")
    }

    #[track_caller]
    fn await_answer(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.api().answers() {
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the private dockerd does not answer:\n{}", log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        drop(as_root("ip", ["link", "delete", &self.bridge.name]).output());
        drop(self.disk.take());
        // Its files belong to root.
        drop(as_root("rm", ["-rf".as_ref(), self.folder.path().as_os_str()]).output());
    }
}

/// A process-id and a mount namespace of its own: whatever ends the daemon ends its containers, and
/// no mount of theirs stays behind.
fn spawn(folder: &Path, bridge: &str) -> Child {
    let at = |name: &str| folder.join(name).display().to_string();
    let dockerd = [
        "dockerd".to_owned(),
        format!("--host=unix://{}", at("socket")),
        format!("--config-file={}", at("daemon.json")),
        format!("--data-root={}", at("data")),
        format!("--exec-root={}", at("exec")),
        format!("--pidfile={}", at("dockerd.pid")),
        format!("--group={}", rustix::process::getegid().as_raw()),
        format!("--bridge={bridge}"),
        // A containerd of the system may be shared; the names in it are not.
        format!("--containerd-namespace={bridge}"),
        format!("--containerd-plugins-namespace={bridge}-plugins"),
        // The host's packet filter is not ours to change: published ports are served by the proxy.
        "--iptables=false".to_owned(),
        "--ip-masq=false".to_owned(),
        "--ip-forward=false".to_owned(),
    ];
    // A daemon that was killed leaves files that would keep the next one from starting.
    let script = format!(
        "rm -rf {0}/dockerd.pid {0}/exec {0}/socket; echo $$ >{0}/unshare.pid; \
         exec unshare --pid --fork --kill-child --mount --mount-proc \"$@\" >>{0}/log 2>&1",
        folder.display()
    );
    let words = ["-ec", &script, "sh"].into_iter().map(str::to_owned).chain(dockerd);
    as_root("sh", words)
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .spawn()
        .expect("a shell")
}

/// A bridge of the host's network, with an address of its own.
#[derive(Debug)]
struct Bridge {
    name: String,
}

impl Bridge {
    /// The kernel says which names are free: of two tests that ask for one, one gets it.
    #[track_caller]
    fn create() -> Self {
        let free = (1..250).find(|number| {
            let name = format!("occ-test{number}");
            let made = as_root("ip", ["link", "add", "name", &name, "type", "bridge"]).output();
            made.expect("ip of iproute2").status.success()
        });
        let number = free.expect("a bridge can be made: is this root, with network rights?");
        let name = format!("occ-test{number}");
        do_as_root("ip", ["address", "add", &format!("10.231.{number}.1/24"), "dev", &name]);
        do_as_root("ip", ["link", "set", &name, "up"]);
        Self { name }
    }
}

/// Returns the path of a program that a test cannot do without.
#[track_caller]
pub(crate) fn needed(name: &str, package: &str) -> PathBuf {
    let path = crate::environment::search_path();
    let path = path.to_string_lossy().into_owned() + ":/usr/sbin:/sbin";
    path.split(':')
        .map(|folder| Path::new(folder).join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is needed: apt-get install {package}"))
}
