//! A place to try one engine: an image in it, names of its own, and nothing left behind.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use occ_engine::{
    Chunk, ClientSettings, ContainerSpec, Docker, Engine, FakeEngine, ImageId, Isolation, Life,
    Limits, LogRotation, LogsQuery, Mount, Network, Phase, Publish, RestartPolicy, Source, Volumes,
    silent,
};

use crate::archive::saved_image;
use crate::podman::Podman;

/// How long anything in a test may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What happens outside the port, differently for each engine.
pub(crate) trait Outside: Engine + Clone + 'static {
    /// Lets another program hold a port of the host, for as long as the answer lives.
    fn hold_port(&self) -> (u16, Option<TcpListener>);
}

impl Outside for FakeEngine {
    fn hold_port(&self) -> (u16, Option<TcpListener>) {
        self.change(|world| world.take_port(4096));
        (4096, None)
    }
}

impl Outside for Docker {
    fn hold_port(&self) -> (u16, Option<TcpListener>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        (listener.local_addr().unwrap().port(), Some(listener))
    }
}

/// One engine with an image in it.
pub(crate) struct Bench<E: Outside> {
    pub(crate) engine: E,
    pub(crate) image: ImageId,
    pub(crate) image_name: String,
    prefix: String,
    names: Mutex<Vec<String>>,
    /// Dropped last: what was made is removed by the engine first.
    _service: Option<Podman>,
}

/// Returns a bench with an engine in memory.
pub(crate) async fn fake() -> Bench<FakeEngine> {
    Bench::new(FakeEngine::new().on_start(life)).await
}

/// Returns a bench with the Docker daemon of this machine.
pub(crate) async fn docker() -> Bench<Docker> {
    Bench::new(Docker::connect(&local_settings()).unwrap()).await
}

/// Returns what leads to the daemon of this machine.
pub(crate) fn local_settings() -> ClientSettings {
    let docker_host = std::env::var("OCC_TEST_DOCKER_HOST").ok();
    ClientSettings { docker_host, docker_config_dir: "/nonexistent".into(), ..Default::default() }
}

impl<E: Outside> Bench<E> {
    /// Returns a bench with this engine.
    pub(crate) async fn new(engine: E) -> Self {
        Self::with(engine, None).await
    }

    /// Returns a bench with this engine, whose service is ours.
    pub(crate) async fn with(engine: E, service: Option<Podman>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("occ-engine-test-{}-{count}", std::process::id());
        let image_name = format!("{prefix}:first");
        let image = ImageId(String::new());
        let names = Mutex::default();
        let mut bench = Self {
            engine,
            image,
            image_name: image_name.clone(),
            prefix,
            names,
            _service: service,
        };
        bench.image = bench.load(&image_name, &[("made-for", "tests")]).await;
        bench
    }

    /// Loads an image under a name that is removed in the end.
    pub(crate) async fn load(&self, name: &str, labels: &[(&str, &str)]) -> ImageId {
        self.names.lock().unwrap().push(name.to_owned());
        let archive = saved_image(name, &[labels, &[("bench", &self.prefix)]].concat());
        let total = archive.len() as u64;
        let archive = Box::new(std::io::Cursor::new(archive));
        self.engine.load_image(archive, total, &silent).await.unwrap();
        self.engine.image(name).await.unwrap().unwrap().id
    }

    /// Returns a name of its own; whatever gets it is removed in the end.
    pub(crate) fn name(&self, what: &str) -> String {
        let name = format!("{}-{what}", self.prefix);
        self.names.lock().unwrap().push(name.clone());
        name
    }

    /// Returns a container that runs a script of the shell.
    pub(crate) fn spec(&self, what: &str, script: &str) -> ContainerSpec {
        let shell = ["/bin/sh", "-c", script].map(str::to_owned);
        ContainerSpec {
            name: self.name(what),
            image: self.image.clone(),
            hostname: "sandbox".to_owned(),
            user: None,
            entrypoint: None,
            command: Some(shell.into()),
            env: BTreeMap::new(),
            labels: BTreeMap::new(),
            mounts: Vec::new(),
            publish: Vec::new(),
            network: Network::None,
            isolation: Isolation::Strict,
            limits: Limits { memory: None, cpu_millis: None, pids: None },
            restart: RestartPolicy::No,
            logs: LogRotation { max_size: 1 << 20, max_files: 2 },
        }
    }

    /// Returns a container that runs until it is stopped and publishes a port on loopback.
    pub(crate) fn publishing(&self, what: &str, host_port: u16) -> ContainerSpec {
        let address = Ipv4Addr::LOCALHOST.into();
        ContainerSpec {
            publish: vec![Publish { address, host_port, container_port: 80 }],
            network: Network::Default,
            ..self.spec(what, RUNS)
        }
    }

    /// Returns a volume of its own, mounted at `/data`.
    pub(crate) fn volume(&self, what: &str) -> Mount {
        Mount::Volume { name: self.name(what), target: "/data".to_owned(), read_only: false }
    }

    /// Creates and starts a container.
    pub(crate) async fn start(&self, spec: &ContainerSpec) -> String {
        self.engine.create_container(spec).await.unwrap();
        self.engine.start_container(&spec.name).await.unwrap();
        spec.name.clone()
    }

    pub(crate) async fn phase(&self, container: &str) -> Phase {
        self.engine.container(container).await.unwrap().unwrap().phase
    }

    /// Returns the whole of what a log query gives.
    pub(crate) async fn log(&self, container: &str, query: &LogsQuery) -> Vec<(Source, String)> {
        let mut stream = self.engine.logs(container, query).await.unwrap();
        let mut seen: Vec<(Source, String)> = Vec::new();
        let all = async {
            while let Some(chunk) = stream.next().await {
                let Chunk { source, bytes } = chunk.unwrap();
                seen.push((source, String::from_utf8(bytes.to_vec()).unwrap()));
            }
        };
        soon(all).await;
        seen
    }
}

impl<E: Outside> Drop for Bench<E> {
    fn drop(&mut self) {
        let names = std::mem::take(self.names.get_mut().unwrap());
        let engine = self.engine.clone();
        // A runtime of its own: the test's is busy dropping us.
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(clean(&engine, &names));
        });
        cleaning.join().unwrap();
    }
}

async fn clean<E: Engine>(engine: &E, names: &[String]) {
    // Containers first: they hold the rest.
    for name in names {
        drop(engine.remove_container(name).await);
    }
    for name in names {
        drop(engine.remove_volume(name).await);
        drop(engine.remove_image(name).await);
    }
}

/// A script that runs until it is stopped.
pub(crate) const RUNS: &str = "exec sleep 1000";

/// What a script would do, for an engine that runs nothing.
fn life(spec: &ContainerSpec, volumes: &mut Volumes) -> Life {
    let script = spec.command.as_ref().map_or("", |command| &command[2]);
    let mut life = Life::runs();
    for statement in script.split("; ") {
        let words: Vec<&str> = statement.split(' ').collect();
        life = match words[..] {
            ["exec", "sleep", "1000"] => life,
            ["exit", code] => Life { exit: code.parse().ok(), ..life },
            ["echo", text, ">", path] => {
                let (volume, path) = place(spec, path);
                let text = format!("{text}\n").into_bytes();
                volumes.get_mut(&volume).unwrap().insert(path, text);
                life
            }
            ["cat", path] => {
                let (volume, path) = place(spec, path);
                let text = volumes[&volume][&path].clone();
                life.saying(Source::Stdout, &String::from_utf8(text).unwrap())
            }
            ["echo", text, ">&2"] => life.saying(Source::Stderr, &format!("{text}\n")),
            ["echo", text] => life.saying(Source::Stdout, &format!("{text}\n")),
            _ => panic!("the bench does not understand {statement:?}"),
        };
    }
    life
}

/// Returns the volume a path is in, and where there.
fn place(spec: &ContainerSpec, path: &str) -> (String, String) {
    let within = |mount: &Mount| match mount {
        Mount::Volume { name, target, .. } => {
            let rest = path.strip_prefix(target.as_str())?.strip_prefix('/')?;
            Some((name.clone(), rest.to_owned()))
        }
        _ => None,
    };
    spec.mounts.iter().find_map(within).expect("a path in a volume")
}

/// Waits, but not for ever.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("done in time")
}

/// Asks again and again until the answer is the one hoped for.
pub(crate) async fn until<F: Future<Output = bool>>(mut hoped: impl FnMut() -> F) {
    soon(async {
        while !hoped().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
