//! Engines that are not there, may not be used, or speak another language.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

use occ_engine::{ClientSettings, Docker, Engine as _, Error, silent};

use crate::bench::docker;
use crate::server::{Pretender, settings_for};

async fn failure(settings: &ClientSettings) -> Error {
    let engine = Docker::connect(settings).unwrap();
    engine.container("any").await.expect_err("nothing answers")
}

/// Returns settings for a socket on a machine where an engine is installed, or is not.
fn settings(socket: &Path, path: Option<&Path>) -> ClientSettings {
    let search_path = path.map(|path| path.as_os_str().to_owned());
    ClientSettings { search_path, ..settings_for(socket) }
}

#[tokio::test]
async fn no_socket_means_not_installed_unless_a_daemon_is() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    let error = failure(&settings(&socket, Some(dir.path()))).await;
    let expected =
        format!("no container engine is installed (unix://{} does not exist)", socket.display());
    assert_eq!(error.to_string(), expected);
    std::fs::write(dir.path().join("dockerd"), "").unwrap();
    let error = failure(&settings(&socket, Some(dir.path()))).await;
    assert!(matches!(error, Error::NotRunning { source: Some(_), .. }), "{error:?}");
}

#[tokio::test]
async fn a_socket_nobody_listens_to_means_not_running() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let error = failure(&settings(&socket, None)).await;
    assert!(matches!(error, Error::NotRunning { source: Some(_), .. }), "{error:?}");
}

#[tokio::test]
async fn a_port_nobody_listens_to_means_not_running() {
    let docker_host = Some("tcp://127.0.0.1:1".to_owned());
    let error = failure(&ClientSettings { docker_host, ..Default::default() }).await;
    let expected = "the container engine is not running: nothing answers at tcp://127.0.0.1:1";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_socket_that_may_not_be_used_names_its_group() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let socket = dir.path().join("docker.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, Permissions::from_mode(0o600)).unwrap();
    let settings = settings(&socket, None);
    // Only this thread gives up being root; the rest of the process does not notice.
    let asking = std::thread::spawn(move || {
        if rustix::process::geteuid().is_root() {
            let nobody = rustix::process::Uid::from_raw(65_534);
            rustix::thread::set_thread_uid(nobody).unwrap();
        } else {
            let Some(path) = settings.docker_host.as_ref().unwrap().strip_prefix("unix://") else {
                panic!("a socket");
            };
            std::fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(failure(&settings))
    });
    let error = asking.join().unwrap();
    assert!(matches!(error, Error::NoPermission { group: Some(_), .. }), "{error:?}");
}

#[tokio::test]
async fn something_that_is_no_engine_is_told_from_one_that_is_down() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let hangs_up = std::thread::spawn(move || drop(listener.accept().unwrap()));
    let error = failure(&settings(&socket, None)).await;
    assert!(matches!(error, Error::Broken { .. }), "{error:?}");
    hangs_up.join().unwrap();
}

#[tokio::test]
async fn an_engine_that_refuses_old_versions_is_spoken_to_in_a_new_one_and_asked_once() {
    let pretender = Pretender::speaking("1.44", "1.52");
    let engine = Docker::connect(&pretender.settings()).unwrap();
    assert_eq!(pretender.asked(), Vec::<String>::new(), "connecting says nothing");
    assert_eq!(engine.container("box").await.unwrap(), None);
    assert_eq!(engine.volume("box").await.unwrap(), None);
    assert_eq!(pretender.asked(), ["/_ping", "/v1.52/containers/box/json", "/v1.52/volumes/box"]);
}

#[tokio::test]
async fn the_oldest_engine_known_is_spoken_to_in_its_own_version() {
    let pretender = Pretender::speaking("1.12", "1.41");
    let engine = Docker::connect(&pretender.settings()).unwrap();
    assert_eq!(engine.image("box:1").await.unwrap(), None);
    assert_eq!(pretender.asked(), ["/_ping", "/v1.41/images/box:1/json"]);
}

#[tokio::test]
async fn an_engine_from_the_future_is_spoken_to_as_long_as_it_understands_us() {
    let pretender = Pretender::speaking("1.44", "1.70");
    let engine = Docker::connect(&pretender.settings()).unwrap();
    assert_eq!(engine.container("box").await.unwrap(), None);
    assert_eq!(pretender.asked()[2], "/v1.53/containers/box/json");
}

#[tokio::test]
async fn an_engine_that_is_too_old_or_too_new_is_refused_with_both_ranges() {
    for (oldest, newest, offered) in [("1.12", "1.40", "1.40"), ("1.60", "1.70", "1.60 to 1.70")] {
        let error = failure(&Pretender::speaking(oldest, newest).settings()).await;
        let expected = format!("the container engine's API {offered} is outside 1.41 to 1.53");
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn a_container_that_podman_loses_while_it_answers_is_gone() {
    let pretender = Pretender::losing();
    let engine = Docker::connect(&pretender.settings()).unwrap();
    assert_eq!(engine.container("box").await.unwrap(), None);
}

#[tokio::test]
async fn waiting_for_a_container_that_podman_loses_meanwhile_ends_as_for_one_that_was_killed() {
    let pretender = Pretender::losing();
    let engine = Docker::connect(&pretender.settings()).unwrap();
    assert_eq!(engine.wait_container("box").await.unwrap().code, 137);
}

#[tokio::test]
async fn an_archive_that_cannot_be_read_is_our_own_failure() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let bench = docker().await;
    let error = bench.engine.load_image(Box::new(Broken), 1, &silent).await.unwrap_err();
    assert!(matches!(error, Error::Local { .. }), "{error:?}");
    assert_eq!(error.to_string(), "cannot read the image archive");
}
