//! Programs inside a container of a real daemon.

use std::time::Duration;

use occ_engine::{ContainerSpec, Docker, Engine as _, Error, ExecIo, ExecSpec, TerminalSize};
use tokio::io::AsyncRead;
use tokio::sync::watch;

use crate::bench::{Bench, RUNS, docker, soon};

struct Ran {
    code: i64,
    stdout: String,
    stderr: String,
}

type Input = Option<Box<dyn AsyncRead + Send + Unpin>>;

fn shell(script: &str) -> ExecSpec {
    ExecSpec { command: ["sh", "-c", script].map(str::to_owned).into(), ..ExecSpec::default() }
}

async fn run(bench: &Bench<Docker>, container: &str, spec: &ExecSpec, stdin: Input) -> Ran {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let io =
        ExecIo { stdin, stdout: Box::new(&mut stdout), stderr: Box::new(&mut stderr), size: None };
    let code = soon(bench.engine.exec(container, spec, io)).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code, stdout: text(stdout), stderr: text(stderr) }
}

async fn running() -> (Bench<Docker>, String) {
    let bench = docker().await;
    let name = bench.start(&bench.spec("box", RUNS)).await;
    (bench, name)
}

#[tokio::test]
async fn a_program_gives_its_exit_code_and_both_streams() {
    let (bench, name) = running().await;
    let ran = run(&bench, &name, &shell("echo out; echo err >&2; exit 7"), None).await;
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (7, "out\n", "err\n"));
}

#[tokio::test]
async fn a_program_that_does_not_exist_gives_the_shells_code_for_it() {
    let (bench, name) = running().await;
    let spec = ExecSpec { command: vec!["nonesuch".to_owned()], ..ExecSpec::default() };
    let io = ExecIo {
        stdin: None,
        stdout: Box::new(tokio::io::sink()),
        stderr: Box::new(tokio::io::sink()),
        size: None,
    };
    match soon(bench.engine.exec(&name, &spec, io)).await {
        Ok(code) => assert!([126, 127].contains(&code), "{code}"),
        // Engines from 25.0 on say so before they begin.
        Err(error) => assert!(matches!(error, Error::Refused { .. }), "{error:?}"),
    }
}

#[tokio::test]
async fn user_folder_and_environment_are_those_asked_for() {
    let (bench, name) = running().await;
    let spec = ExecSpec {
        user: Some("1000:1001".to_owned()),
        working_dir: Some("/etc".to_owned()),
        env: vec!["GREETING=hello you".to_owned()],
        ..shell("id -u; id -g; pwd; echo \"$GREETING\"")
    };
    let ran = run(&bench, &name, &spec, None).await;
    assert_eq!(ran.stdout, "1000\n1001\n/etc\nhello you\n");
}

#[tokio::test]
async fn input_reaches_the_program_and_its_end_does_too() {
    let (bench, name) = running().await;
    let long = "0123456789abcdef".repeat(256 * 1024);
    let input: Input = Some(Box::new(std::io::Cursor::new(long.clone())));
    let ran = run(&bench, &name, &shell("cat"), input).await;
    assert_eq!((ran.code, ran.stdout.len()), (0, long.len()));
    assert!(ran.stdout == long, "every byte in its place");
    let ran = run(&bench, &name, &shell("cat; echo end"), None).await;
    assert_eq!(ran.stdout, "end\n", "no input ends at once");
}

#[tokio::test]
async fn a_program_that_ends_does_not_wait_for_our_input() {
    let (bench, name) = running().await;
    let (never, _open) = tokio::io::duplex(16);
    let ran = run(&bench, &name, &shell("echo done"), Some(Box::new(never))).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "done\n"));
}

#[tokio::test]
async fn a_terminal_has_our_size_follows_it_and_shows_every_byte() {
    let (bench, name) = running().await;
    let (resize, size) = watch::channel(TerminalSize { columns: 91, rows: 17 });
    let mut stdout = Vec::new();
    // The first bytes of the output look like a frame of the protocol, which terminals do not use.
    let script = "printf '\\001\\000\\000\\000\\377\\377\\377\\377'; \
                  sleep 1; stty size; sleep 2; stty size";
    let spec = ExecSpec { terminal: true, ..shell(script) };
    let io = ExecIo {
        stdin: None,
        stdout: Box::new(&mut stdout),
        stderr: Box::new(tokio::io::sink()),
        size: Some(size),
    };
    let resizing = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        resize.send(TerminalSize { columns: 120, rows: 40 }).unwrap();
        // The channel stays open until the program has ended.
        std::future::pending::<()>().await;
    };
    let code = tokio::select! {
        code = soon(bench.engine.exec(&name, &spec, io)) => code.unwrap(),
        () = resizing => unreachable!("it never ends"),
    };
    assert_eq!(code, 0);
    let (head, text) = stdout.split_at(8);
    assert_eq!(head, [1, 0, 0, 0, 255, 255, 255, 255]);
    assert_eq!(std::str::from_utf8(text), Ok("17 91\r\n40 120\r\n"));
}

#[tokio::test]
async fn output_that_nobody_takes_is_our_own_failure() {
    struct Closed;
    impl tokio::io::AsyncWrite for Closed {
        fn poll_write(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &[u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            std::task::Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()))
        }
        fn poll_flush(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Ok(()))
        }
        fn poll_shutdown(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Ok(()))
        }
    }
    let (bench, name) = running().await;
    let io = ExecIo {
        stdin: None,
        stdout: Box::new(Closed),
        stderr: Box::new(tokio::io::sink()),
        size: None,
    };
    let error = soon(bench.engine.exec(&name, &shell("echo x"), io)).await.unwrap_err();
    let Error::Local { source, .. } = error else { panic!("{error:?}") };
    assert_eq!(source.kind(), std::io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn a_file_put_in_has_the_owner_and_the_mode_asked_for() {
    let bench = docker().await;
    let spec = ContainerSpec { user: Some("1000:1001".to_owned()), ..bench.spec("box", RUNS) };
    bench.engine.create_container(&spec).await.unwrap();
    let file = |path: &str, mode, owner| occ_engine::GuestFile {
        path: path.to_owned(),
        bytes: b"geheim".to_vec(),
        mode,
        owner,
    };
    let files = [file("/run/ours", 0o400, (1000, 1001)), file("/run/theirs", 0o400, (0, 0))];
    bench.engine.upload(&spec.name, &files).await.unwrap();
    bench.engine.start_container(&spec.name).await.unwrap();
    let script = "stat -c '%u:%g %a' /run/ours /run/theirs; cat /run/ours; cat /run/theirs";
    let ran = run(&bench, &spec.name, &shell(script), None).await;
    assert_eq!(ran.stdout, "1000:1001 400\n0:0 400\ngeheim");
    assert_ne!(ran.code, 0, "{}", ran.stderr);
}
