//! Podman's service, started by a test with a storage, a network and a socket of its own.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use occ_engine::{ClientSettings, Docker, Engine as _};
use rustix::process::{Pid, Signal, geteuid, kill_process, test_kill_process};

use crate::bench::{Bench, PATIENCE};

/// Somebody without rights: the user `nobody` of every Linux.
const NOBODY: u32 = 65534;

/// Podman's service; dropped, it ends and nothing of it is left.
pub(crate) struct Podman {
    dir: tempfile::TempDir,
    service: Child,
}

impl Podman {
    /// Starts the service and waits for its socket.
    fn start(program: fn(&Path) -> Command) -> Self {
        let dir = tempfile::tempdir().unwrap();
        configure(dir.path());
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let at = |name: &str| dir.path().join(name);
        let service = program(dir.path())
            .env("CONTAINERS_CONF", at("containers.conf"))
            .arg("--root")
            .arg(at("root"))
            .arg("--runroot")
            .arg(at("run"))
            .arg("--tmpdir")
            .arg(at("tmp"))
            .arg("--network-config-dir")
            .arg(at("networks"))
            // Copies where others mount: it works on every file system and leaves no mount behind.
            .args(["--storage-driver", "vfs", "system", "service", "--time", "0"])
            .arg(format!("unix://{}", at("socket").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("podman: {error} (packages podman and netavark)"));
        let mut podman = Self { dir, service };
        podman.wait();
        podman
    }

    fn wait(&mut self) {
        let begun = Instant::now();
        while UnixStream::connect(self.socket()).is_err() {
            let ended = self.service.try_wait().unwrap();
            let said = fs::read_to_string(self.dir.path().join("log")).unwrap();
            assert!(
                ended.is_none(),
                "this machine cannot run Podman's service ({ended:?}):\n{said}"
            );
            assert!(begun.elapsed() < PATIENCE, "Podman's service does not come up:\n{said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // Without root it is a child that serves, and somebody else's that holds its namespace.
        let threads = fs::read_dir(format!("/proc/{}/task", self.service.id()));
        let threads = threads.into_iter().flatten().flatten();
        let mut ids: Vec<_> =
            threads.flat_map(|thread| pids(&thread.path().join("children"))).collect();
        ids.extend(pids(&self.dir.path().join("tmp/pause.pid")));
        ids.push(Pid::from_child(&self.service));
        for id in &ids {
            // One that has ended already hears nothing, and needs not.
            let _gone = kill_process(*id, Signal::TERM);
        }
        drop(self.service.wait());
        let begun = Instant::now();
        let is_there = |id: &Pid| test_kill_process(*id).is_ok();
        while ids.iter().any(is_there) && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Reads numbers of processes.
fn pids(file: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
}

/// A network of its own: bridge, addresses and rules of one service are nothing to another. Its name is its
/// own too, because the names of the rules are made of it.
fn configure(dir: &Path) {
    let id = std::process::id();
    let subnet = format!("10.{}.{}", 100 + id / 250 % 100, id % 250);
    let network = serde_json::json!({
        "name": format!("occ{id}"), "id": format!("{id:064x}"), "driver": "bridge",
        "network_interface": format!("occ{id}"), "created": "2026-01-01T00:00:00Z",
        "subnets": [{ "subnet": format!("{subnet}.0/24"), "gateway": format!("{subnet}.1") }],
        "ipv6_enabled": false, "internal": false, "dns_enabled": false,
        "ipam_options": { "driver": "host-local" },
    });
    fs::create_dir(dir.join("networks")).unwrap();
    fs::write(dir.join(format!("networks/occ{id}.json")), network.to_string()).unwrap();
    let conf = format!(
        "[network]\nnetwork_backend = \"netavark\"\ndefault_network = \"occ{id}\"\n\
         [engine]\nevents_logger = \"file\"\n"
    );
    fs::write(dir.join("containers.conf"), conf).unwrap();
}

fn as_we_are(_: &Path) -> Command {
    Command::new("podman")
}

/// Gives a folder to nobody, and returns what runs Podman as nobody in it, with what every user has.
fn as_nobody(dir: &Path) -> Command {
    let (home, runtime) = (dir.join("home"), dir.join("runtime"));
    for folder in [&home, &runtime] {
        fs::create_dir(folder).unwrap();
    }
    for path in [dir, &home, &runtime, &dir.join("networks"), &dir.join("containers.conf")] {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let nobody = NOBODY.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups", "podman"]);
    command.env("HOME", home).env("XDG_RUNTIME_DIR", runtime);
    command
}

/// Returns a bench with a Podman of its own.
pub(crate) async fn podman() -> Bench<Docker> {
    bench(Podman::start(as_we_are)).await
}

/// Returns a bench with a Podman of its own that has no rights. Somebody who is not root has no other.
pub(crate) async fn rootless() -> Bench<Docker> {
    bench(Podman::start(if geteuid().is_root() { as_nobody } else { as_we_are })).await
}

async fn bench(service: Podman) -> Bench<Docker> {
    let docker_host = Some(format!("unix://{}", service.socket().display()));
    let settings = ClientSettings { docker_host, ..ClientSettings::default() };
    Bench::with(Docker::connect(&settings).unwrap(), Some(service)).await
}

#[tokio::test]
async fn podman_is_known_by_its_name() {
    let facts = podman().await.engine.facts().await.unwrap();
    assert_eq!((facts.product.as_str(), facts.local), ("Podman", true));
}
