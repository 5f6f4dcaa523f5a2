//! The program in the image that asks the server inside, on servers that work and on those that do not.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use occ_image::guest::{HEALTH_CODE, HEALTH_FINDINGS};
use occ_opencode::fake::{FakeServer, Manner, Script};
use tempfile::TempDir;

/// The password of the fake server.
const PASSWORD: &str = "the fake's password";

/// A check against one port, with a password file of its own.
struct Check {
    folder: TempDir,
    port: u16,
}

impl Check {
    fn of(port: u16, password: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("password"), password).expect("a file");
        Self { folder, port }
    }

    /// Runs the program for one architecture; what is not this machine's is emulated.
    fn run(&self, architecture: &str, options: &[&str]) -> Output {
        let program = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../../image/guest/healthcheck.{architecture}"));
        let mut command = match (architecture, std::env::consts::ARCH) {
            ("amd64", "x86_64") | ("arm64", "aarch64") => Command::new(program),
            ("amd64", _) => emulated("qemu-x86_64-static", program),
            _ => emulated("qemu-aarch64-static", program),
        };
        command.env_clear().args(options);
        command.args(["--port", &self.port.to_string(), "--password-file"]);
        command.arg(self.folder.path().join("password"));
        command.output().expect("it runs (package qemu-user-static)")
    }

    /// The program for each architecture finds the same: 0 is that all is well.
    fn finds(&self, code: i32) {
        for architecture in ["amd64", "arm64"] {
            let output = self.run(architecture, &[HEALTH_CODE]);
            let said = String::from_utf8(output.stderr).expect("a text");
            let known = HEALTH_FINDINGS.iter().find(|(known, _)| *known == code);
            let sentence = known.map_or(String::new(), |(_, sentence)| format!("{sentence}\n"));
            assert_eq!((output.status.code(), &*said), (Some(code), &*sentence), "{architecture}");
            assert!(output.stdout.is_empty());
            // An engine only ever sees these two.
            let plain = self.run(architecture, &[]);
            assert_eq!(plain.status.code(), Some(i32::from(code != 0)), "{architecture}");
        }
    }
}

fn emulated(by: &str, program: PathBuf) -> Command {
    let mut command = Command::new(by);
    command.arg(program);
    command
}

/// Starts a server that behaves so; it answers to the end of the test.
fn server(manner: Manner) -> (Arc<FakeServer>, u16) {
    let (tell, started) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let server = FakeServer::start(Script::healthy().with(manner)).await;
            tell.send(Arc::new(server.expect("a server"))).expect("somebody waits");
            std::future::pending::<()>().await;
        });
    });
    let server = started.recv().expect("a server");
    let port = server.endpoint().address.port();
    (server, port)
}

#[test]
fn a_server_that_works_is_healthy() {
    let (server, port) = server(Manner::Healthy);
    Check::of(port, PASSWORD).finds(0);
    // The file may have been written by an editor.
    Check::of(port, &format!("{PASSWORD}\n")).finds(0);
    assert!(server.requests().contains(&"GET /path".to_owned()), "{:?}", server.requests());
}

#[test]
fn a_port_where_nobody_listens_is_told() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it").port();
    Check::of(port, PASSWORD).finds(11);
}

#[test]
fn a_server_that_never_answers_is_left_within_the_time_that_an_engine_gives() {
    let (_server, port) = server(Manner::NeverAnswers);
    let check = Check::of(port, PASSWORD);
    let begun = Instant::now();
    check.run("amd64", &[]);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    check.finds(12);
}

#[test]
fn a_first_question_that_is_never_answered_is_asked_again() {
    let (server, port) = server(Manner::SwallowsFirst(1));
    let output = Check::of(port, PASSWORD).run("amd64", &[]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(server.requests(), ["GET /global/health", "GET /global/health", "GET /path"]);
}

#[test]
fn another_password_is_refused() {
    let (_server, port) = server(Manner::Healthy);
    Check::of(port, "another password").finds(13);
    Check::of(port, "").finds(13);
    Check::of(port, &"x".repeat(2000)).finds(16);
}

#[test]
fn a_broken_configuration_is_told_from_a_broken_server() {
    let (_server, port) = server(Manner::BrokenInstance);
    Check::of(port, PASSWORD).finds(14);
}

#[test]
fn a_server_that_says_so_itself_is_not_healthy() {
    let (_server, port) = server(Manner::Unhealthy);
    Check::of(port, PASSWORD).finds(10);
}

#[test]
fn a_web_page_is_not_opencode() {
    let (_server, port) = server(Manner::HtmlEverywhere);
    Check::of(port, PASSWORD).finds(15);
}

/// Answers every connection with these bytes, and then keeps it open or not.
fn answering(bytes: &'static [u8], keeps: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut request = [0; 4096];
            drop(stream.read(&mut request));
            drop(stream.write_all(bytes));
            kept.extend(keeps.then_some(stream));
        }
    });
    port
}

#[test]
fn what_is_no_http_or_no_whole_answer_is_told() {
    for bytes in [b"".as_slice(), b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Ty"] {
        Check::of(answering(bytes, false), PASSWORD).finds(15);
    }
    Check::of(answering(b"HTTP/1.1 200 OK\r\n", true), PASSWORD).finds(12);
    let failing = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    Check::of(answering(failing, false), PASSWORD).finds(10);
    // A head without end fills the room that there is.
    let endless: &'static [u8] = Box::leak(vec![b'x'; 100_000].into_boxed_slice());
    Check::of(answering(endless, true), PASSWORD).finds(15);
}

#[test]
fn without_a_file_the_password_is_the_environments() {
    let (_server, port) = server(Manner::Healthy);
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../image/guest/healthcheck.amd64");
    let run = |password: &str| {
        let mut command = Command::new(&program);
        command.env_clear().env("OPENCODE_SERVER_PASSWORD", password);
        command.args(["--port", &port.to_string(), "--password-file", "/nonexistent"]);
        command.output().expect("it runs").status.code()
    };
    assert_eq!((run(PASSWORD), run("another")), (Some(0), Some(1)));
}

#[test]
fn wrong_options_are_a_usage_error() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../image/guest/healthcheck.amd64");
    for words in [["--codes"].as_slice(), &["--port"], &["--port", "x"], &["--port", "65536"]] {
        let output = Command::new(&program).args(words).output().expect("it runs");
        assert_eq!(output.status.code(), Some(64), "{words:?}");
        assert!(output.stderr.starts_with(b"usage: "));
    }
}

#[test]
fn both_programs_are_small_and_need_nothing() {
    for architecture in ["amd64", "arm64"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../../image/guest/healthcheck.{architecture}"));
        let bytes = std::fs::read(path).expect("the program");
        assert!(bytes.len() < 20_000, "{architecture}: {} bytes", bytes.len());
        // No segment names a loader (ELF, `PT_INTERP`).
        let segments = u64::from_le_bytes(bytes[32..40].try_into().expect("eight"));
        let segments = usize::try_from(segments).expect("small");
        let count = u16::from_le_bytes([bytes[56], bytes[57]]);
        let is_loader = |number: u16| bytes[segments + usize::from(number) * 56] == 3;
        assert!(!(0..count).any(is_loader), "{architecture}");
    }
}
