//! The real opencode, from its npm package, as a child process with a home of its own.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use occ_opencode::{
    Client, DoorError, Endpoint, Error, Exchange, Expect, NotReady, Operation, ServerLine, Stage,
    Witness, prove_locked, wait_ready,
};

use crate::{credentials, free_address};

#[cfg(target_arch = "x86_64")]
const PACKAGE: (&str, &str) = ("opencode-linux-x64", "1.18.33");
#[cfg(target_arch = "aarch64")]
const PACKAGE: (&str, &str) = ("opencode-linux-arm64", "1.18.18");

pub(crate) const VERSION: &str = PACKAGE.1;
pub(crate) const PASSWORD: &str = "a test's password";
const LISTENING: &str = "opencode server listening on ";

/// Returns the unpacked program, fetched once for each build folder.
fn program() -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let place = cache.join(format!("{}-{VERSION}", PACKAGE.0));
    if !place.exists() {
        let temporary = tempfile::tempdir_in(cache).expect("the build folder is writable");
        let name = format!("{}@{VERSION}", PACKAGE.0);
        let mut pack = Command::new("npm");
        pack.args(["pack", &name, "--silent", "--pack-destination"]).arg(temporary.path());
        run(pack.current_dir(temporary.path()));
        let tarball = temporary.path().join(format!("{}-{VERSION}.tgz", PACKAGE.0));
        run(Command::new("tar").arg("-xzf").arg(tarball).arg("-C").arg(temporary.path()));
        // Another test may have been faster; its copy is as good.
        if let Err(error) = std::fs::rename(temporary.path().join("package"), &place) {
            assert!(place.exists(), "{error}");
        }
    }
    place.join("bin/opencode")
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A running opencode; dropping it kills it.
pub(crate) struct RealServer {
    child: Child,
    address: SocketAddr,
    listening: mpsc::Receiver<Instant>,
    _home: tempfile::TempDir,
}

impl RealServer {
    /// Starts one and does not wait for it.
    pub(crate) fn start(environment: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let work = home.path().join("work");
        std::fs::create_dir(&work).expect("a folder");
        let address = free_address();
        let mut child = Command::new(program())
            .args(["serve", "--hostname", "127.0.0.1", "--port", &address.port().to_string()])
            .current_dir(&work)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", home.path())
            .env("SHELL", "/bin/sh")
            .env("OPENCODE_DISABLE_MODELS_FETCH", "1")
            .env("OPENCODE_DISABLE_AUTOUPDATE", "1")
            // It would install a package of 60 MB into every home; a port where nobody listens
            // keeps it from that.
            .env("npm_config_registry", "http://127.0.0.1:9/")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let (said, listening) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if line.starts_with(LISTENING) {
                    // Nobody may be interested.
                    let _ = said.send(Instant::now());
                }
            }
        });
        Self { child, address, listening, _home: home }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(Endpoint { address: self.address }, Some(credentials(PASSWORD)))
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        // Already dead is dead enough.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn soon(seconds: u64) -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(seconds)
}

#[tokio::test]
async fn a_cold_start_is_noticed_without_a_hang() {
    for _ in 0..3 {
        let begun = Instant::now();
        let server = RealServer::start(&[("OPENCODE_SERVER_PASSWORD", PASSWORD)]);
        let stages = Mutex::new(Vec::new());
        let expect = Expect { version: Some(VERSION.into()) };
        wait_ready(&server.client(), &expect, soon(60), &|event| {
            if let occ_opencode::Event::Reached { stage, elapsed } = event {
                let reached = format!("{stage} after {} ms", elapsed.as_millis());
                stages.lock().expect("no panic holds it").push(reached);
            }
        })
        .await
        .expect("it is ready");
        let ready = Instant::now();
        let said = server.listening.recv_timeout(Duration::from_secs(5)).expect("it listens");
        println!(
            "listening after {} ms, ready {} ms later: {}",
            (said - begun).as_millis(),
            ready.saturating_duration_since(said).as_millis(),
            stages.into_inner().expect("no panic holds it").join(", "),
        );
    }
}

#[tokio::test]
async fn a_broken_configuration_leaves_health_green_and_is_found_all_the_same() {
    let server = RealServer::start(&[
        ("OPENCODE_SERVER_PASSWORD", PASSWORD),
        ("OPENCODE_CONFIG_CONTENT", "{ this is no JSON"),
    ]);
    let client = server.client();
    let give_up = soon(60);
    while client.within(Duration::from_millis(500)).health().await.is_err() {
        assert!(tokio::time::Instant::now() < give_up, "health never came");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let outcome = wait_ready(&client, &Expect::default(), soon(5), &|_| {}).await;
    let Err(NotReady::Missing { stage, last_error: Some(error), .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(stage, Stage::Instance);
    assert!(matches!(*error, Error::Status { status: 400, .. }), "{error:?}");
    assert!(client.health().await.expect("health answers").healthy);
}

#[tokio::test]
async fn a_server_without_a_password_is_an_open_door() {
    let server = RealServer::start(&[]);
    wait_ready(&server.client(), &Expect::default(), soon(60), &|_| {}).await.expect("ready");
    let error = prove_locked(server.address, Duration::from_secs(10)).await.expect_err("open");
    assert!(matches!(&error, DoorError::Open(open) if open.status == 200), "{error:?}");
}

#[tokio::test]
async fn a_commands_code_is_told_whatever_it_prints_and_where() {
    let server = RealServer::start(&[("OPENCODE_SERVER_PASSWORD", PASSWORD)]);
    let client = server.client().within(Duration::from_secs(30));
    wait_ready(&client, &Expect::default(), soon(60), &|_| {}).await.expect("ready");
    let session = client.create_session().await.expect("a session").id;
    let cases = [
        ("printf 'no end'", 0, "no end"),
        ("echo out; echo err >&2; exit 3", 3, "out\nerr\n"),
        ("kill -9 $$", 137, ""),
        ("x=\"it's\"; echo [$x]; false", 1, "[it's]\n"),
        ("occ-no-such-program", 127, "sh: 1: occ-no-such-program: not found\n"),
    ];
    for (command, code, output) in cases {
        let ran = client.command(&session, command).await.expect("it runs");
        let shown = ran.output.replace("Killed\n", "");
        assert_eq!((shown.as_str(), ran.code), (output, code), "{command}");
    }
}

#[tokio::test]
async fn files_are_read_and_listed_and_a_missing_one_is_no_empty_one() {
    let server = RealServer::start(&[("OPENCODE_SERVER_PASSWORD", PASSWORD)]);
    let client = server.client().within(Duration::from_secs(30));
    wait_ready(&client, &Expect::default(), soon(60), &|_| {}).await.expect("ready");
    let session = client.create_session().await.expect("a session").id;
    let write = "mkdir 'a b' && printf 'some words\n' >'a b/ä&c.txt' && : >empty";
    assert_eq!(client.command(&session, write).await.expect("it runs").code, 0);

    assert_eq!(client.read_file("a b/ä&c.txt").await.expect("it is there"), "some words");
    assert_eq!(client.read_file("empty").await.expect("it is there"), "");
    for missing in ["a b/none", "none", "none/none"] {
        let error = client.read_file(missing).await.expect_err(missing);
        assert!(matches!(&error, Error::NoFile { path } if path == missing), "{error:?}");
    }
    let entries = client.list_files("a b").await.expect("a list");
    assert_eq!((entries.len(), entries[0].name.as_str()), (1, "ä&c.txt"));

    // The server takes any folder: it is no jail, and ours need not be the one it began in.
    let other = client.in_folder(Path::new("/"));
    assert!(other.list_files("etc").await.expect("a list").iter().any(|one| one.name == "passwd"));
}

#[tokio::test]
async fn every_operation_of_the_table_is_in_the_servers_own_description() {
    let server = RealServer::start(&[("OPENCODE_SERVER_PASSWORD", PASSWORD)]);
    let (said, heard) = mpsc::channel();
    let witness = Witness::new(move |exchange: Exchange| drop(said.send(exchange)));
    let client = server.client().within(Duration::from_secs(30)).before(witness);
    wait_ready(&client, &Expect::default(), soon(60), &|_| {}).await.expect("ready");
    let answer = client.ask("GET", "/doc", None).await.expect("an answer");
    assert!(answer.is("application/json"));
    let description: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    for operation in Operation::ALL {
        let request = operation.request(ServerLine::V1);
        let path = request.path.split('?').next().expect("a path").replace(":id", "{sessionID}");
        let method = request.method.to_lowercase();
        assert!(
            description["paths"][&path][&method].is_object(),
            "{}: {request}",
            operation.name()
        );
    }
    let last = heard.try_iter().last().expect("it was told");
    assert_eq!((last.method.as_str(), last.path.as_str(), last.outcome), ("GET", "/doc", Ok(200)));
}

#[tokio::test]
async fn a_terminal_computes_and_opens_to_nobody_else() {
    let server = RealServer::start(&[("OPENCODE_SERVER_PASSWORD", PASSWORD)]);
    let client = server.client().within(Duration::from_secs(30));
    wait_ready(&client, &Expect::default(), soon(60), &|_| {}).await.expect("ready");
    let terminal = client.start_terminal().await.expect("a terminal");
    let refused = client.as_somebody(None).terminal_line(&terminal).await.expect_err("locked");
    assert!(matches!(refused, Error::Unauthorized { .. }), "{refused:?}");
    let mut line = client.terminal_line(&terminal).await.expect("a line");
    line.type_in("echo sum-$((40+2))\r").await.expect("typed");
    let shown = line.shows("sum-42", Duration::from_secs(20)).await.expect("it computes");
    assert!(shown.contains("sum-42"));
    let error = line.shows("never shown", Duration::from_millis(200)).await.expect_err("silence");
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    client.end_terminal(&terminal).await.expect("it ends");
}

#[tokio::test]
async fn a_prompt_that_no_model_answers_says_so_inside_the_success_or_fails() {
    let server = RealServer::start(&[
        ("OPENCODE_SERVER_PASSWORD", PASSWORD),
        ("OPENCODE_CONFIG_CONTENT", r#"{"model":"none/none","disabled_providers":["opencode"]}"#),
    ]);
    let client = server.client().within(Duration::from_secs(30));
    wait_ready(&client, &Expect::default(), soon(60), &|_| {}).await.expect("ready");
    let session = client.create_session().await.expect("a session").id;
    match client.prompt(&session, "hello").await {
        Ok(answer) => assert!(answer.info.error.is_some(), "{answer:?}"),
        Err(error) => assert!(matches!(error, Error::Status { .. }), "{error:?}"),
    }
    let messages = client.messages(&session).await.expect("a list");
    assert!(messages.iter().any(|one| one.info.role == "user" && one.text() == "hello"));
    client.abort(&session).await.expect("nothing to abort is no failure");
    client.dispose().await.expect("the folder is forgotten");
    assert_eq!(client.messages(&session).await.expect("the session stays").len(), messages.len());
    assert!(client.at_work().await.expect("a list").is_empty());
}
