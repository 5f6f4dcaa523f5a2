//! A hermetic place to run `occ` in.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::api::Api;
use crate::environment::{self, free_port};
use crate::pty::Terminal;
use crate::root::is_root;
use crate::run::Run;
use crate::running::Running;
use crate::settled::Settled;

/// The recipe of the image that benches make, committed with its lock.
const RECIPE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recipe/sandbox.toml");
/// User and group that own nothing on this machine.
const NOBODY: u32 = 65_534;

/// What a crate's integration test knows from cargo.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    /// The program: `env!("CARGO_BIN_EXE_occ")`.
    pub occ: &'static str,
    /// A folder that stays from one run to the next: `env!("CARGO_TARGET_TMPDIR")`.
    pub kept: &'static str,
}

/// A home of its own, an instance and a port that nobody else has, a daemon to use.
///
/// Dropped, it removes the containers and volumes of its instance.
#[derive(Debug)]
pub struct Bench {
    folder: TempDir,
    places: Places,
    instance: String,
    port: u16,
    api: Api,
    env: BTreeMap<OsString, OsString>,
    wrapper: Vec<OsString>,
}

impl Bench {
    /// Returns a bench at this machine's daemon. The image's layers are kept in one cache that all
    /// benches share, so that they are made once, and its lock is one that is to be had today.
    pub fn new(places: Places) -> Self {
        Self::at(places, Api::machine())
    }

    /// Returns a bench at another daemon.
    pub fn at(places: Places, api: Api) -> Self {
        let settled = Settled::of(Path::new(RECIPE), Path::new(places.kept));
        let mut bench = Self::set_up(places, api);
        bench.set("OCC_IMAGE_RECIPE", settled.recipe);
        bench
    }

    /// Returns a bench for what makes no image: no archive is asked.
    pub fn without_image(places: Places) -> Self {
        Self::set_up(places, Api::machine())
    }

    fn set_up(places: Places, api: Api) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = TempDir::new().expect("a temporary folder");
        // Other users are to come as far as the home, which has walls of its own.
        open_to_all(folder.path());
        let (instance, port) = (
            format!("t{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)),
            free_port(),
        );
        let mut bench =
            Self { folder, places, instance, port, api, env: BTreeMap::new(), wrapper: Vec::new() };
        fs::create_dir(bench.home()).expect("a folder");
        let kept = Path::new(places.kept);
        bench.set("HOME", bench.home());
        bench.set("XDG_CONFIG_HOME", bench.home().join("config"));
        bench.set("XDG_DATA_HOME", bench.home().join("data"));
        bench.set("XDG_CACHE_HOME", kept.join("occ-cache"));
        bench.set("npm_config_cache", kept.join("npm-cache"));
        bench.set("OCC_INSTANCE", bench.instance.clone());
        bench.set("OCC_PORT", bench.port.to_string());
        // No test of ours waits for a registry of the world outside.
        bench.set("OCC_IMAGE_SOURCE", "build");
        bench.set("OCC_IMAGE_RECIPE", RECIPE);
        bench.set("DOCKER_HOST", bench.api.host());
        if let Some(file) = environment::npm_config() {
            bench.set("npm_config_userconfig", file);
        }
        bench
    }

    /// Sets a variable of the environment for all runs that follow.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.env.insert(name.into(), value.into());
    }

    /// Takes a variable away again.
    pub fn unset(&mut self, name: &str) {
        self.env.remove(OsStr::new(name));
    }

    /// Puts a script first on the search path.
    pub fn fake_program(&mut self, name: &str, script: &str) {
        let folder = self.folder.path().join("bin");
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a mode");
        let mut path = folder.into_os_string();
        path.push(":");
        path.push(environment::search_path());
        self.set("PATH", path);
    }

    /// Lets the runs that follow be those of a user who owns nothing; where the tests do not run as
    /// root their own user is such a one.
    pub fn as_stranger(&mut self) {
        if !is_root() {
            return;
        }
        let program = self.folder.path().join("occ");
        fs::copy(self.places.occ, &program).expect("a copy of the program");
        let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
        let words = ["setpriv", &user, &group, "--clear-groups", "--"];
        self.wrapper = words.iter().map(OsString::from).collect();
        self.wrapper.push(program.into());
    }

    /// Runs the program in a mount namespace of its own, between two shell scripts; what the second
    /// one prints goes to standard error.
    pub fn in_own_mounts(&mut self, before: &str, after: &str) {
        let script =
            format!("{before}\ncode=0; \"$0\" \"$@\" || code=$?\n{{ {after}\n}} >&2\nexit $code");
        let mut words = vec!["unshare", "--mount"];
        if !is_root() {
            words.push("--map-root-user");
        }
        words.extend(["sh", "-ec", &script, self.places.occ]);
        self.wrapper = words.iter().map(OsString::from).collect();
    }

    /// Returns the command with these arguments, ready to be run.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut words = self.wrapper.iter();
        let mut command =
            Command::new(words.next().map_or(OsStr::new(self.places.occ), |word| word));
        command.args(words).args(arguments).env_clear().current_dir(self.home());
        command.envs(environment::passed_on()).envs(&self.env);
        command
    }

    /// Runs `occ` to its end.
    #[track_caller]
    #[must_use = "what a program did is to be looked at: success(), code()"]
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Run {
        self.start(arguments).finish()
    }

    /// Runs `occ` with this standard input to its end.
    #[track_caller]
    #[must_use = "what a program did is to be looked at: success(), code()"]
    pub fn run_with_input<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        stdin: &[u8],
    ) -> Run {
        Running::start(self.command(arguments), stdin).finish()
    }

    /// Runs a script of bash, in which `"$0"` is `occ`.
    #[track_caller]
    #[must_use = "what a program did is to be looked at: success(), code()"]
    pub fn shell(&self, script: &str) -> Run {
        let mut command = Command::new("bash");
        command.args(["-c", script, self.places.occ]).env_clear().current_dir(self.home());
        command.envs(environment::passed_on()).envs(&self.env);
        Running::start(command, b"").finish()
    }

    /// Starts `occ` and comes back at once.
    pub fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Running {
        Running::start(self.command(arguments), b"")
    }

    /// Starts `occ` at a terminal.
    pub fn at_terminal<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Terminal {
        Terminal::start(&self.command(arguments))
    }

    /// Returns the daemon's API.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Returns the name of the instance.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Returns the port on this host.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the name of the sandbox's container.
    pub fn container(&self) -> String {
        format!("{}-{}", occ_image::guest::NAME, self.instance)
    }

    /// Returns the container as the daemon describes it; panics when there is none.
    #[track_caller]
    pub fn inspect(&self) -> serde_json::Value {
        self.api.container(&self.container()).expect("the sandbox has a container")
    }

    /// Returns the folder that stands for the user's home.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Returns a folder of the test's own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the recipe of the image that it makes.
    pub fn recipe(&self) -> &Path {
        let recipe = self.env.get(OsStr::new("OCC_IMAGE_RECIPE"));
        Path::new(recipe.expect("it is set unless a test takes it away"))
    }

    /// Returns the path of the config file.
    pub fn config_file(&self) -> PathBuf {
        self.home().join("config/opencode-cloud/config.json")
    }

    /// Writes the config file.
    pub fn write_config(&self, bytes: impl AsRef<[u8]>) {
        let file = self.config_file();
        fs::create_dir_all(file.parent().expect("it has one")).expect("a folder");
        fs::write(file, bytes).expect("a file");
    }

    /// Returns the folder with the instance's own files.
    pub fn state_dir(&self) -> PathBuf {
        self.home().join("data/opencode-cloud/instances").join(&self.instance)
    }

    /// Returns the folder that all benches keep layers in.
    pub fn shared_cache(&self) -> PathBuf {
        Path::new(self.places.kept).join("occ-cache")
    }

    /// Panics when the daemon has a container or a volume of this instance.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let instance = &self.instance;
        assert_eq!(self.api.containers_of(instance), Vec::<String>::new(), "containers left");
        assert_eq!(self.api.volumes_of(instance), Vec::<String>::new(), "volumes left");
    }
}

fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("a mode");
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.api.sweep(&self.instance);
    }
}
