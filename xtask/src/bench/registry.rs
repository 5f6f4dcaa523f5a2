//! A registry on this machine with an image of half a gigabyte, for whoever pulls and copies.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use occ_image::guest;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::sandbox::{Sandbox, output};
use crate::Outcome;

/// Layers of the image.
const LAYERS: usize = 5;
/// Bytes of one, before they are compressed.
const LAYER: usize = 100_000_000;
const REPOSITORY: &str = "bench/sandbox";

/// The distribution project's registry; dropped, it is gone.
pub(super) struct Registry {
    port: u16,
    child: Child,
    _folder: TempDir,
}

impl Registry {
    /// Starts it.
    pub(super) fn start() -> Outcome<Self> {
        let folder = TempDir::new()?;
        let port = free_port()?;
        Ok(Self { port, child: serve(folder.path(), port)?, _folder: folder })
    }

    /// Returns the name of an image here.
    pub(super) fn name(&self, tag: &str) -> String {
        format!("localhost:{}/{REPOSITORY}:{tag}", self.port)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Returns a port that nobody listens at.
pub(super) fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Serves the folder `data` in a folder at a port of this machine; what is asked is written into `access.log` there.
pub(super) fn serve(folder: &Path, port: u16) -> Outcome<Child> {
    let data = folder.join("data");
    let config = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
         http: {{addr: \"127.0.0.1:{port}\"}}\n",
        data.display()
    );
    let file = folder.join("config.yml");
    fs::write(&file, config)?;
    let log = File::options().create(true).append(true).open(folder.join("access.log"))?;
    let mut command = Command::new("docker-registry");
    command.arg("serve").arg(file).env("OTEL_TRACES_EXPORTER", "none");
    let child = command.stdout(log).stderr(Stdio::null()).spawn();
    let mut child = child.map_err(|error| {
        format!("docker-registry: {error}\nhint: apt-get install docker-registry")
    })?;
    let deadline = Instant::now() + Duration::from_secs(15);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > deadline {
            end(&mut child);
            return Err("docker-registry does not listen".into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(child)
}

/// Ends a registry.
pub(super) fn end(child: &mut Child) {
    // Gone already is as good.
    let _gone = child.kill();
    let _ended = child.wait();
}

/// An image in a registry, signed with a key that the sandbox's user believes.
pub(super) struct Published<'a> {
    sandbox: &'a Sandbox,
    pub(super) registry: Registry,
}

impl<'a> Published<'a> {
    /// Makes `1`, and `2`, whose last layer is another.
    pub(super) fn make(sandbox: &'a Sandbox) -> Outcome<Self> {
        let published = Self { sandbox, registry: Registry::start()? };
        let context = TempDir::new_in(sandbox.folder())?;
        for layer in 0..=LAYERS {
            noise(&context.path().join(layer.to_string()))?;
        }
        let key = sandbox.folder().join("bench.key").display().to_string();
        output(&mut sandbox.occ(&["trust", "key", &key]))?;
        sandbox.believe(&json!({ "keys": [fs::read_to_string(format!("{key}.pub"))?] }))?;
        for tag in ["1", "2"] {
            let name = published.registry.name(tag);
            build(context.path(), &name, if tag == "1" { LAYERS - 1 } else { LAYERS })?;
            output(Command::new("docker").args(["push", "--quiet", &name]))?;
            output(Command::new("docker").args(["rmi", &name]))?;
            output(&mut sandbox.occ(&["sign", &name, "--key", &key]))?;
        }
        Ok(published)
    }

    /// Returns how long `docker pull` takes, with nothing of it there.
    pub(super) fn time_docker_pull(&self) -> Outcome<Duration> {
        let name = self.registry.name("1");
        let begun = Instant::now();
        output(Command::new("docker").args(["pull", "--quiet", &name]))?;
        let took = begun.elapsed();
        output(Command::new("docker").args(["rmi", &name]))?;
        Ok(took)
    }

    /// Returns how long `occ image pull` takes, with nothing of it there.
    pub(super) fn time_pull(&self) -> Outcome<Duration> {
        let begun = Instant::now();
        let pulled = self.pull("1")?;
        let took = begun.elapsed();
        remove(&pulled)?;
        Ok(took)
    }

    /// Returns the bytes that are fetched of the second image where the first is there, and those of the
    /// layer that differs; and the most memory that a pull has used, in bytes.
    pub(super) fn sizes(&self) -> Outcome<[u64; 3]> {
        let mut first = self.sandbox.occ(&["image", "pull", &self.registry.name("1")]);
        let memory = peak(first.stdout(Stdio::null()).stderr(Stdio::null()))?;
        let second = self.pull("2")?;
        let tree =
            output(&mut self.sandbox.occ(&["image", "tree", &self.registry.name("2"), "--json"]))?;
        let inspected = Command::new("skopeo")
            .args(["inspect", "--raw", "--tls-verify=false"])
            .arg(format!("docker://{}", self.registry.name("2")))
            .output()?;
        let manifest: Value = serde_json::from_slice(&inspected.stdout)
            .map_err(|error| format!("skopeo: {error}: {tree}"))?;
        let layer = manifest["layers"][LAYERS - 1]["size"].as_u64().ok_or("a layer has a size")?;
        let first = self.pull("1")?;
        remove(&second)?;
        remove(&first)?;
        Ok([second["bytes"].as_u64().ok_or("a pull says its bytes")?, layer, memory])
    }

    /// Returns how long it takes to copy the image, with its signature, to another registry.
    pub(super) fn time_copy(&self, to: &str) -> Outcome<Duration> {
        let begun = Instant::now();
        output(&mut self.sandbox.occ(&["image", "copy", &self.registry.name("1"), to]))?;
        Ok(begun.elapsed())
    }

    /// Returns how long `skopeo copy` takes for the image alone.
    pub(super) fn time_skopeo(&self, to: &str) -> Outcome<Duration> {
        let flags =
            ["copy", "--quiet", "--all", "--src-tls-verify=false", "--dest-tls-verify=false"];
        let names = [self.registry.name("1"), to.to_owned()].map(|name| format!("docker://{name}"));
        let begun = Instant::now();
        output(Command::new("skopeo").args(flags).args(names))?;
        Ok(begun.elapsed())
    }

    fn pull(&self, tag: &str) -> Outcome<Value> {
        let name = self.registry.name(tag);
        let text = output(&mut self.sandbox.occ(&["image", "pull", &name, "--json"]))?;
        Ok(serde_json::from_str::<Value>(&text)?["data"].take())
    }
}

fn remove(pulled: &Value) -> Outcome {
    let name = pulled["name"].as_str().ok_or("a pull says the name")?;
    output(Command::new("docker").args(["rmi", name])).map(drop)
}

/// Writes a layer's file: noise, each piece of it twice, so that it compresses to about half.
fn noise(path: &Path) -> Outcome {
    let mut random = File::open("/dev/urandom")?;
    let mut file = File::create(path)?;
    let mut piece = vec![0; 10_000];
    for _ in 0..LAYER / (2 * piece.len()) {
        random.read_exact(&mut piece)?;
        file.write_all(&piece)?;
        file.write_all(&piece)?;
    }
    Ok(())
}

/// Builds an image of ours with a layer for each file; `last` is the last one.
fn build(context: &Path, name: &str, last: usize) -> Outcome {
    let (contract, version) = (guest::LABEL_CONTRACT, guest::CONTRACT_VERSION);
    let mut recipe = format!("FROM scratch\nLABEL {contract}={version}\n");
    for layer in (0..LAYERS - 1).chain([last]) {
        recipe += &format!("COPY {layer} /\n");
    }
    let file: PathBuf = context.join("Dockerfile");
    fs::write(&file, recipe)?;
    let folder = context.display().to_string();
    output(Command::new("docker").args(["build", "--quiet", "--tag", name, &folder])).map(drop)
}

/// Runs a command to its end; returns the most memory that it had at once, in bytes.
fn peak(command: &mut Command) -> Outcome<u64> {
    let mut child = command.spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait()?.is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        most = most.max(kilobytes.unwrap_or(0) * 1024);
        thread::sleep(Duration::from_millis(5));
    }
    if child.wait()?.success() { Ok(most) } else { Err("the pull failed".into()) }
}
