//! What every engine must do.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use occ_engine::{
    ContainerSpec, Error, Event, ExecIo, ExecSpec, FileChange, FileChangeKind, GuestFile,
    HealthCheck, Isolation, Limits, LogsQuery, Mount, Network, Phase, RestartPolicy, Source,
    read_log, silent,
};

use crate::archive::{
    architecture, packed, saved_image, saved_without_layers, senseless, sha256, unpacked,
};
use crate::bench::{Bench, Outside, RUNS, soon, until};

const AT_ONCE: Duration = Duration::ZERO;

macro_rules! assert_error {
    ($result:expr, $pattern:pat) => {
        let error = $result.err().expect("an error");
        assert!(matches!(error, $pattern), "{error:?}");
    };
}

fn exec_of(program: &str) -> ExecSpec {
    ExecSpec { command: vec![program.to_owned()], ..ExecSpec::default() }
}

fn no_io() -> ExecIo<'static> {
    ExecIo {
        stdin: None,
        stdout: Box::new(tokio::io::sink()),
        stderr: Box::new(tokio::io::sink()),
        size: None,
    }
}

fn secret(path: &str) -> GuestFile {
    GuestFile {
        path: path.to_owned(),
        bytes: b"geheim\n".to_vec(),
        mode: 0o440,
        owner: (1000, 1001),
    }
}

pub(crate) async fn absence_is_an_answer_and_removing_nothing_succeeds<E: Outside>(
    bench: &Bench<E>,
) {
    let name = bench.name("absent");
    assert_eq!(bench.engine.image(&name).await.unwrap(), None);
    assert_eq!(bench.engine.image_details(&name).await.unwrap(), None);
    assert_eq!(bench.engine.volume(&name).await.unwrap(), None);
    assert_eq!(bench.engine.container(&name).await.unwrap(), None);
    bench.engine.remove_image(&name).await.unwrap();
    bench.engine.remove_volume(&name).await.unwrap();
    bench.engine.remove_container(&name).await.unwrap();
}

pub(crate) async fn acting_on_a_container_that_is_not_there_is_not_found<E: Outside>(
    bench: &Bench<E>,
) {
    let (engine, name) = (&bench.engine, bench.name("absent"));
    assert_error!(engine.start_container(&name).await, Error::NotFound { .. });
    assert_error!(engine.stop_container(&name, AT_ONCE).await, Error::NotFound { .. });
    assert_error!(engine.pause_container(&name).await, Error::NotFound { .. });
    assert_error!(engine.unpause_container(&name).await, Error::NotFound { .. });
    let other = bench.name("other");
    assert_error!(engine.rename_container(&name, &other).await, Error::NotFound { .. });
    assert_error!(engine.stats(&name).await, Error::NotFound { .. });
    assert_error!(engine.read_archive(&name, "/run").await, Error::NotFound { .. });
    let empty = Box::new(std::io::empty());
    assert_error!(engine.write_archive(&name, "/run", empty).await, Error::NotFound { .. });
    assert_error!(engine.wait_container(&name).await, Error::NotFound { .. });
    assert_error!(engine.logs(&name, &LogsQuery::default()).await, Error::NotFound { .. });
    assert_error!(engine.upload(&name, &[secret("/run/x")]).await, Error::NotFound { .. });
    assert_error!(engine.download(&name, "/run/x").await, Error::NotFound { .. });
    assert_error!(engine.changes(&name).await, Error::NotFound { .. });
    assert_error!(engine.exec(&name, &exec_of("true"), no_io()).await, Error::NotFound { .. });
}

pub(crate) async fn an_engine_says_what_it_is<E: Outside>(bench: &Bench<E>) {
    let facts = bench.engine.facts().await.unwrap();
    assert!(!facts.product.is_empty() && !facts.version.is_empty(), "{facts:?}");
    assert!(facts.api_version.starts_with("1."), "{facts:?}");
    assert_eq!(facts.os, "linux");
    assert_eq!(facts.architecture, architecture());
    assert!(["1", "2"].contains(&facts.cgroup_version.as_str()), "{facts:?}");
    assert!(facts.local && facts.endpoint.starts_with("unix:///"), "{facts:?}");
    assert!(facts.memory > 64 << 20 && facts.cpus > 0, "{facts:?}");
}

pub(crate) async fn a_loaded_image_is_found_by_name_and_by_id_with_its_labels<E: Outside>(
    bench: &Bench<E>,
) {
    let by_name = bench.engine.image(&bench.image_name).await.unwrap().unwrap();
    let by_id = bench.engine.image(&bench.image.0).await.unwrap().unwrap();
    assert_eq!(by_name, by_id);
    assert_eq!(by_name.tags, std::slice::from_ref(&bench.image_name));
    assert_eq!(by_name.labels.get("made-for").map(String::as_str), Some("tests"));
    assert_eq!(by_name.architecture, architecture());
    assert!(by_name.id.0.starts_with("sha256:") && by_name.id.0.len() == 71, "{}", by_name.id);
    assert!(by_name.size > 100_000, "{}", by_name.size);
    assert_eq!(by_name.created.as_deref(), Some("2026-01-01T00:00:00Z"));
}

pub(crate) async fn an_image_is_exported_as_it_was_loaded<E: Outside>(bench: &Bench<E>) {
    let there = bench.engine.image(&bench.image_name).await.unwrap().unwrap();
    for name in [&bench.image_name, &bench.image.0] {
        let archive = bench.engine.save_image(name).await.unwrap().expect("an archive");
        let archive: Vec<Bytes> = archive.try_collect().await.unwrap();
        let files = unpacked(&archive.concat());
        let saved: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        assert_eq!(saved.as_array().unwrap().len(), 1, "{saved}");
        let file = |path: &serde_json::Value| &files[path.as_str().unwrap()];
        let config: serde_json::Value = serde_json::from_slice(file(&saved[0]["Config"])).unwrap();
        assert_eq!(config["config"]["Labels"]["made-for"], "tests");
        let layers = saved[0]["Layers"].as_array().unwrap();
        let layers = layers.iter().map(|path| format!("sha256:{}", sha256(file(path))));
        assert_eq!(layers.collect::<Vec<_>>(), there.layers);
    }
    assert!(bench.engine.save_image(&bench.name("absent")).await.unwrap().is_none());
}

pub(crate) async fn an_image_is_told_with_its_configuration_and_its_history<E: Outside>(
    bench: &Bench<E>,
) {
    let facts = bench.engine.image(&bench.image_name).await.unwrap().unwrap();
    let details = bench.engine.image_details(&bench.image_name).await.unwrap().unwrap();
    assert_eq!(bench.engine.image_details(&facts.id.0).await.unwrap().unwrap(), details);
    assert_eq!((details.facts, details.os.as_str()), (facts, "linux"));
    assert_eq!(details.author.as_deref(), Some("somebody"));
    assert_eq!((details.entrypoint, details.command), (vec![], vec!["/bin/sh".to_owned()]));
    assert_eq!(details.env, ["PATH=/bin", "FROM_IMAGE=yes"]);
    assert_eq!(details.ports, ["4096/tcp", "4097/tcp"]);
    assert_eq!((details.user, details.working_dir.as_deref()), (None, Some("/tmp")));
    let [step] = details.history.as_slice() else { panic!("{:?}", details.history) };
    assert_eq!((step.created_by.as_str(), step.created), ("test", Some(1_767_225_600)));
}

pub(crate) async fn what_became_of_a_containers_files_is_told<E: Outside>(bench: &Bench<E>) {
    let (engine, spec) = (&bench.engine, bench.spec("box", RUNS));
    engine.create_container(&spec).await.unwrap();
    engine.upload(&spec.name, &[secret("/etc/b")]).await.unwrap();
    engine.start_container(&spec.name).await.unwrap();
    let changes = engine.changes(&spec.name).await.unwrap();
    let added = FileChange { path: "/etc/b".to_owned(), kind: FileChangeKind::Added };
    assert!(changes.contains(&added), "{changes:?}");
    assert!(changes.iter().all(|change| !change.path.starts_with("/bin/")), "{changes:?}");
}

pub(crate) async fn loading_tells_how_far_it_is<E: Outside>(bench: &Bench<E>) {
    let archive = saved_image(&bench.name("image:again"), &[("again", "yes")]);
    let total = archive.len() as u64;
    let seen = Mutex::new(Vec::new());
    let observer = |event: Event| seen.lock().unwrap().push(event);
    let archive = Box::new(std::io::Cursor::new(archive));
    bench.engine.load_image(archive, total, &observer).await.unwrap();
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen.last(), Some(&Event::Unpacking), "{seen:?}");
    assert!(seen.contains(&Event::Sent { bytes: total, total }), "{seen:?}");
}

pub(crate) async fn layers_that_are_there_need_not_be_in_an_archive_where_the_engine_says_so<
    E: Outside,
>(
    bench: &Bench<E>,
) {
    let there = bench.engine.image(&bench.image_name).await.unwrap().unwrap().layers;
    assert!(!there.is_empty() && there[0].starts_with("sha256:"), "{there:?}");
    let name = bench.name("image:without-its-layer");
    let archive = saved_without_layers(&name, &there);
    let total = archive.len() as u64;
    let archive = Box::new(std::io::Cursor::new(archive));
    let loaded = bench.engine.load_image(archive, total, &silent).await;
    let found = bench.engine.image(&name).await.unwrap();
    if bench.engine.facts().await.unwrap().skips_layers {
        loaded.unwrap();
        assert_eq!(found.unwrap().layers, there);
    } else {
        assert!(matches!(loaded, Err(Error::Refused { .. })), "{loaded:?}");
        assert_eq!(found, None);
    }
}

pub(crate) async fn an_archive_without_a_manifest_is_refused<E: Outside>(bench: &Bench<E>) {
    let archive = senseless();
    let total = archive.len() as u64;
    let archive = Box::new(std::io::Cursor::new(archive));
    assert_error!(bench.engine.load_image(archive, total, &silent).await, Error::Refused { .. });
}

pub(crate) async fn a_name_moves_from_one_image_to_another<E: Outside>(bench: &Bench<E>) {
    let second = bench.name("image:second");
    let other = bench.load(&second, &[("other", "yes")]).await;
    assert_ne!(other, bench.image);
    let moving = bench.name("image:moving");
    for id in [&bench.image, &other] {
        bench.engine.tag_image(id, &moving).await.unwrap();
        assert_eq!(bench.engine.image(&moving).await.unwrap().unwrap().id, *id);
    }
    let first = bench.engine.image(&bench.image.0).await.unwrap().unwrap();
    assert_eq!(first.tags, std::slice::from_ref(&bench.image_name));
}

pub(crate) async fn an_image_goes_with_its_last_name<E: Outside>(bench: &Bench<E>) {
    let (engine, second) = (&bench.engine, bench.name("image:second"));
    engine.tag_image(&bench.image, &second).await.unwrap();
    engine.remove_image(&second).await.unwrap();
    assert!(engine.image(&bench.image.0).await.unwrap().is_some());
    engine.remove_image(&bench.image_name).await.unwrap();
    assert_eq!(engine.image(&bench.image.0).await.unwrap(), None);
}

pub(crate) async fn an_image_in_use_stays<E: Outside>(bench: &Bench<E>) {
    bench.start(&bench.spec("box", RUNS)).await;
    let result = bench.engine.remove_image(&bench.image_name).await;
    assert_error!(result, Error::Conflict { .. });
    assert!(bench.engine.image(&bench.image_name).await.unwrap().is_some());
}

pub(crate) async fn a_container_is_created_started_stopped_and_removed_and_saying_it_twice_is_fine<
    E: Outside,
>(
    bench: &Bench<E>,
) {
    let (engine, spec) = (&bench.engine, bench.spec("box", RUNS));
    let name = &spec.name;
    let id = engine.create_container(&spec).await.unwrap();
    let created = engine.container(name).await.unwrap().unwrap();
    assert_eq!((created.phase, created.exit, created.started_at), (Phase::Created, None, None));
    assert_eq!(engine.container(&id.0).await.unwrap().unwrap().name, *name);
    for _ in 0..2 {
        engine.start_container(name).await.unwrap();
        let running = engine.container(name).await.unwrap().unwrap();
        assert_eq!((running.phase, running.exit), (Phase::Running, None));
        assert!(running.started_at.is_some_and(|date| date.starts_with("20")));
    }
    for _ in 0..2 {
        engine.stop_container(name, AT_ONCE).await.unwrap();
        let stopped = engine.container(name).await.unwrap().unwrap();
        assert_eq!(stopped.phase, Phase::Exited);
        assert!(stopped.exit.is_some_and(|exit| exit.code != 0 && !exit.oom_killed));
        assert!(stopped.finished_at.is_some());
    }
    engine.start_container(name).await.unwrap();
    assert_eq!(bench.phase(name).await, Phase::Running);
    for _ in 0..2 {
        engine.remove_container(name).await.unwrap();
        assert_eq!(engine.container(name).await.unwrap(), None);
    }
}

pub(crate) async fn a_name_that_is_taken_is_a_conflict<E: Outside>(bench: &Bench<E>) {
    let spec = bench.spec("box", RUNS);
    let first = bench.engine.create_container(&spec).await.unwrap();
    assert_error!(bench.engine.create_container(&spec).await, Error::Conflict { .. });
    assert_eq!(bench.engine.container(&spec.name).await.unwrap().unwrap().id, first);
}

pub(crate) async fn an_image_that_is_missing_is_not_found<E: Outside>(bench: &Bench<E>) {
    let image = occ_engine::ImageId(format!("sha256:{}", "0".repeat(64)));
    let spec = ContainerSpec { image, ..bench.spec("box", RUNS) };
    assert_error!(bench.engine.create_container(&spec).await, Error::NotFound { .. });
    assert_error!(
        bench.engine.tag_image(&spec.image, &bench.image_name).await,
        Error::NotFound { .. }
    );
}

pub(crate) async fn labels_environment_and_mounts_come_back_as_they_were_wished<E: Outside>(
    bench: &Bench<E>,
) {
    let folder = tempfile::tempdir().unwrap();
    let volume =
        Mount::Volume { name: bench.name("volume"), target: "/data".to_owned(), read_only: false };
    let bind = Mount::Bind {
        source: folder.path().to_owned(),
        target: "/folder".to_owned(),
        read_only: true,
    };
    let memory = Mount::Tmpfs { target: "/tmp".to_owned(), size: 1 << 20, owner: None };
    let wished = vec![volume, bind, memory];
    let spec = ContainerSpec {
        env: BTreeMap::from([("A".to_owned(), "b=c".to_owned())]),
        labels: BTreeMap::from([("org.example.a".to_owned(), "ä \"b\"".to_owned())]),
        mounts: wished.clone(),
        ..bench.spec("box", RUNS)
    };
    bench.start(&spec).await;
    let state = bench.engine.container(&spec.name).await.unwrap().unwrap();
    assert_eq!(state.labels.get("org.example.a").map(String::as_str), Some("ä \"b\""));
    assert_eq!(state.labels.get("made-for").map(String::as_str), Some("tests"), "of the image");
    assert_eq!(state.env.get("A").map(String::as_str), Some("b=c"));
    assert_eq!(state.env.get("FROM_IMAGE").map(String::as_str), Some("yes"));
    assert_eq!(state.mounts, wished);
    assert_eq!((state.image, state.health), (bench.image.clone(), HealthCheck::None));
    assert_eq!((state.restarts, state.privileged, state.publish), (0, false, vec![]));
}

pub(crate) async fn waiting_returns_the_exit_code<E: Outside>(bench: &Bench<E>) {
    for code in [0, 3, 125] {
        let name = bench.start(&bench.spec(&format!("exit-{code}"), &format!("exit {code}"))).await;
        for _ in 0..2 {
            let exit = soon(bench.engine.wait_container(&name)).await.unwrap();
            assert_eq!((exit.code, exit.oom_killed, exit.error), (code, false, None));
        }
        let state = bench.engine.container(&name).await.unwrap().unwrap();
        assert_eq!(state.exit.unwrap().code, code);
    }
}

pub(crate) async fn waiting_ends_when_the_container_is_stopped_or_removed<E: Outside>(
    bench: &Bench<E>,
) {
    for removed in [false, true] {
        let name = bench.start(&bench.spec(&format!("box-{removed}"), RUNS)).await;
        let end = async {
            // The wait should be on its way first; when it is not, it still has to end.
            tokio::time::sleep(Duration::from_millis(100)).await;
            if removed {
                bench.engine.remove_container(&name).await
            } else {
                bench.engine.stop_container(&name, AT_ONCE).await
            }
        };
        let (exit, ended) =
            soon(async { tokio::join!(bench.engine.wait_container(&name), end) }).await;
        ended.unwrap();
        assert_ne!(exit.unwrap().code, 0);
    }
}

pub(crate) async fn the_log_keeps_both_streams_apart_and_in_order<E: Outside>(bench: &Bench<E>) {
    let spec = bench.spec("box", "echo one; echo two; echo three >&2; exit 0");
    let name = bench.start(&spec).await;
    soon(bench.engine.wait_container(&name)).await.unwrap();
    let log = bench.log(&name, &LogsQuery::default()).await;
    let of = |wanted| -> String {
        let pieces = log.iter().filter(|(source, _)| *source == wanted);
        pieces.map(|(_, text)| text.as_str()).collect()
    };
    assert_eq!(of(Source::Stdout), "one\ntwo\n");
    assert_eq!(of(Source::Stderr), "three\n");
}

pub(crate) async fn the_log_can_be_cut_and_dated<E: Outside>(bench: &Bench<E>) {
    let name = bench.start(&bench.spec("box", "echo one; echo two; echo three; exit 0")).await;
    soon(bench.engine.wait_container(&name)).await.unwrap();
    let text = async |query: LogsQuery| -> String {
        bench.log(&name, &query).await.into_iter().map(|(_, text)| text).collect()
    };
    assert_eq!(text(LogsQuery::last(2)).await, "two\nthree\n");
    let read = read_log(&bench.engine, &name, &LogsQuery::last(2)).await;
    assert_eq!(read.unwrap(), "two\nthree\n");
    let none = LogsQuery { tail: Some(0), ..LogsQuery::default() };
    assert_eq!(text(none).await, "");
    // The year 2100 does not fit into 32 bits.
    let future = LogsQuery { since: Some(4_102_444_800), ..LogsQuery::default() };
    assert_eq!(text(future).await, "");
    let past = LogsQuery { since: Some(1_000_000_000), ..LogsQuery::default() };
    assert_eq!(text(past).await, "one\ntwo\nthree\n");
    let dated = LogsQuery { timestamps: true, tail: Some(1), ..LogsQuery::default() };
    let dated = text(dated).await;
    assert!(dated.starts_with("20") && dated.ends_with("Z three\n"), "{dated:?}");
}

pub(crate) async fn following_a_log_ends_with_the_container<E: Outside>(bench: &Bench<E>) {
    let name = bench.start(&bench.spec("box", &format!("echo ready; {RUNS}"))).await;
    let query = LogsQuery { follow: true, ..LogsQuery::default() };
    let mut log = bench.engine.logs(&name, &query).await.unwrap();
    let first = soon(log.next()).await.unwrap().unwrap();
    assert_eq!(first.bytes, "ready\n");
    let quiet = tokio::time::timeout(Duration::from_millis(100), log.next()).await;
    assert!(quiet.is_err(), "the log goes on as long as the container runs");
    bench.engine.stop_container(&name, AT_ONCE).await.unwrap();
    assert!(soon(log.next()).await.is_none());
}

pub(crate) async fn a_port_held_by_another_program_is_named<E: Outside>(bench: &Bench<E>) {
    let (port, _held) = bench.engine.hold_port();
    let spec = bench.publishing("box", port);
    bench.engine.create_container(&spec).await.unwrap();
    let error = bench.engine.start_container(&spec.name).await.unwrap_err();
    assert!(matches!(error, Error::PortTaken { port: named, .. } if named == port), "{error:?}");
    let state = bench.engine.container(&spec.name).await.unwrap().unwrap();
    assert_eq!((&state.phase, state.publish.len()), (&Phase::Created, 0));
}

pub(crate) async fn a_container_that_could_not_start_remembers_why<E: Outside>(bench: &Bench<E>) {
    let (port, _held) = bench.engine.hold_port();
    let spec = bench.publishing("box", port);
    bench.engine.create_container(&spec).await.unwrap();
    assert!(bench.engine.start_container(&spec.name).await.is_err());
    let state = bench.engine.container(&spec.name).await.unwrap().unwrap();
    assert!(state.exit.is_some_and(|exit| exit.error.is_some()), "why it could not start");
}

pub(crate) async fn a_port_held_by_another_container_is_named<E: Outside>(bench: &Bench<E>) {
    let first = bench.start(&bench.publishing("first", 0)).await;
    let state = bench.engine.container(&first).await.unwrap().unwrap();
    let port = state.publish[0].host_port;
    let second = bench.publishing("second", port);
    bench.engine.create_container(&second).await.unwrap();
    let error = bench.engine.start_container(&second.name).await.unwrap_err();
    assert!(matches!(error, Error::PortTaken { port: named, .. } if named == port), "{error:?}");
    bench.engine.stop_container(&first, AT_ONCE).await.unwrap();
    bench.engine.start_container(&second.name).await.unwrap();
}

pub(crate) async fn a_port_left_to_the_engine_is_told_while_it_runs<E: Outside>(bench: &Bench<E>) {
    let spec = bench.publishing("box", 0);
    let name = bench.start(&spec).await;
    let publish = bench.engine.container(&name).await.unwrap().unwrap().publish;
    assert_eq!(publish.len(), 1);
    assert_ne!(publish[0].host_port, 0);
    assert_eq!((publish[0].address, publish[0].container_port), (spec.publish[0].address, 80));
    bench.engine.stop_container(&name, AT_ONCE).await.unwrap();
    assert_eq!(bench.engine.container(&name).await.unwrap().unwrap().publish, []);
}

pub(crate) async fn a_volume_is_created_once_and_survives_its_container<E: Outside>(
    bench: &Bench<E>,
) {
    let (engine, name) = (&bench.engine, bench.name("volume"));
    let labels = [("a".to_owned(), "b".to_owned())];
    assert!(engine.create_volume(&name, &labels).await.unwrap());
    assert!(!engine.create_volume(&name, &[]).await.unwrap());
    let mount = Mount::Volume { name: name.clone(), target: "/data".to_owned(), read_only: false };
    let spec = ContainerSpec { mounts: vec![mount], ..bench.spec("box", RUNS) };
    bench.start(&spec).await;
    engine.remove_container(&spec.name).await.unwrap();
    let volume = engine.volume(&name).await.unwrap().unwrap();
    assert_eq!((volume.name.as_str(), volume.labels), (name.as_str(), labels.into()));
    engine.remove_volume(&name).await.unwrap();
    assert_eq!(engine.volume(&name).await.unwrap(), None);
}

pub(crate) async fn a_volume_in_use_stays<E: Outside>(bench: &Bench<E>) {
    let name = bench.name("volume");
    let mount = Mount::Volume { name: name.clone(), target: "/data".to_owned(), read_only: false };
    let spec = ContainerSpec { mounts: vec![mount], ..bench.spec("box", RUNS) };
    bench.engine.create_container(&spec).await.unwrap();
    assert_error!(bench.engine.remove_volume(&name).await, Error::Conflict { .. });
    assert!(bench.engine.volume(&name).await.unwrap().is_some());
}

pub(crate) async fn a_folder_that_does_not_exist_is_refused_and_not_created<E: Outside>(
    bench: &Bench<E>,
) {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("missing");
    let mount =
        Mount::Bind { source: source.clone(), target: "/data".to_owned(), read_only: false };
    let spec = ContainerSpec { mounts: vec![mount], ..bench.spec("box", RUNS) };
    let result = bench.engine.create_container(&spec).await;
    assert_error!(result, Error::Refused { status: 400, .. });
    assert!(!source.exists());
    assert_eq!(bench.engine.container(&spec.name).await.unwrap(), None);
}

pub(crate) async fn too_little_memory_is_refused<E: Outside>(bench: &Bench<E>) {
    let limits = Limits { memory: Some(1 << 20), cpu_millis: None, pids: None };
    let spec = ContainerSpec { limits, ..bench.spec("box", RUNS) };
    let result = bench.engine.create_container(&spec).await;
    assert_error!(result, Error::Refused { status: 400, .. });
}

pub(crate) async fn a_file_put_in_can_be_taken_out_before_and_after_the_start<E: Outside>(
    bench: &Bench<E>,
) {
    let (engine, spec) = (&bench.engine, bench.spec("box", RUNS));
    let name = &spec.name;
    engine.create_container(&spec).await.unwrap();
    assert_eq!(engine.download(name, "/run/a").await.unwrap(), None);
    engine.upload(name, &[secret("/run/a"), secret("/etc/b")]).await.unwrap();
    let expected = Some(b"geheim\n".to_vec());
    assert_eq!(engine.download(name, "/run/a").await.unwrap(), expected);
    engine.start_container(name).await.unwrap();
    assert_eq!(engine.download(name, "/etc/b").await.unwrap(), expected);
    assert_eq!(engine.download(name, "/etc/c").await.unwrap(), None);
}

pub(crate) async fn a_paused_container_is_seen_and_woken<E: Outside>(bench: &Bench<E>) {
    let engine = &bench.engine;
    let name = bench.start(&bench.spec("box", RUNS)).await;
    engine.pause_container(&name).await.unwrap();
    assert_eq!(bench.phase(&name).await, Phase::Paused);
    assert_error!(engine.start_container(&name).await, Error::Conflict { .. });
    assert_error!(engine.exec(&name, &exec_of("true"), no_io()).await, Error::Conflict { .. });
    engine.unpause_container(&name).await.unwrap();
    assert_eq!(bench.phase(&name).await, Phase::Running);
    assert!(engine.unpause_container(&name).await.is_err());
    engine.stop_container(&name, AT_ONCE).await.unwrap();
    assert_error!(engine.pause_container(&name).await, Error::Conflict { .. });
}

pub(crate) async fn a_paused_container_can_be_stopped_and_removed<E: Outside>(bench: &Bench<E>) {
    let engine = &bench.engine;
    for stopped in [true, false] {
        let name = bench.start(&bench.spec(&format!("box-{stopped}"), RUNS)).await;
        engine.pause_container(&name).await.unwrap();
        if stopped {
            engine.stop_container(&name, AT_ONCE).await.unwrap();
            assert_eq!(bench.phase(&name).await, Phase::Exited);
        }
        engine.remove_container(&name).await.unwrap();
        assert_eq!(engine.container(&name).await.unwrap(), None);
    }
}

pub(crate) async fn a_container_that_fails_is_started_again_by_its_policy<E: Outside>(
    bench: &Bench<E>,
) {
    let restart = RestartPolicy::OnFailure(0);
    let name = bench.start(&ContainerSpec { restart, ..bench.spec("box", "exit 3") }).await;
    until(async || bench.engine.container(&name).await.unwrap().unwrap().restarts > 0).await;
    let succeeds = bench.start(&ContainerSpec { restart, ..bench.spec("fine", "exit 0") }).await;
    soon(bench.engine.wait_container(&succeeds)).await.unwrap();
    let state = bench.engine.container(&succeeds).await.unwrap().unwrap();
    assert_eq!((state.phase, state.restarts), (Phase::Exited, 0));
}

pub(crate) async fn a_container_is_not_restarted_once_it_was_stopped<E: Outside>(bench: &Bench<E>) {
    let restart = RestartPolicy::UnlessStopped;
    let name = bench.start(&ContainerSpec { restart, ..bench.spec("box", RUNS) }).await;
    bench.engine.stop_container(&name, AT_ONCE).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(bench.phase(&name).await, Phase::Exited);
}

pub(crate) async fn a_program_cannot_run_in_a_container_that_does_not<E: Outside>(
    bench: &Bench<E>,
) {
    let spec = ContainerSpec {
        isolation: Isolation::Strict,
        network: Network::None,
        ..bench.spec("box", RUNS)
    };
    bench.engine.create_container(&spec).await.unwrap();
    let result = bench.engine.exec(&spec.name, &exec_of("true"), no_io()).await;
    assert_error!(result, Error::Conflict { .. });
}

pub(crate) async fn a_container_gets_another_name_whether_it_runs_or_not<E: Outside>(
    bench: &Bench<E>,
) {
    let engine = &bench.engine;
    for running in [false, true] {
        let spec = bench.spec(&format!("old-{running}"), RUNS);
        let id = engine.create_container(&spec).await.unwrap();
        if running {
            engine.start_container(&spec.name).await.unwrap();
        }
        let phase = bench.phase(&spec.name).await;
        let new = bench.name(&format!("new-{running}"));
        engine.rename_container(&spec.name, &new).await.unwrap();
        assert_eq!(engine.container(&spec.name).await.unwrap(), None);
        let state = engine.container(&new).await.unwrap().unwrap();
        assert_eq!((&state.id, &state.name, &state.phase), (&id, &new, &phase));
        // The old name is free again, and the id still leads to the container.
        engine.create_container(&spec).await.unwrap();
        assert_error!(engine.rename_container(&id.0, &spec.name).await, Error::Conflict { .. });
        engine.remove_container(&spec.name).await.unwrap();
        engine.rename_container(&id.0, &spec.name).await.unwrap();
        assert_eq!(engine.container(&spec.name).await.unwrap().unwrap().id, id);
    }
}

pub(crate) async fn everything_with_a_label_is_listed_and_nothing_else<E: Outside>(
    bench: &Bench<E>,
) {
    let engine = &bench.engine;
    let label = bench.name("label").replace('-', ".");
    let labels = BTreeMap::from([(label.clone(), "some value".to_owned())]);
    assert_eq!(engine.containers(&label).await.unwrap(), []);
    let mut expected = Vec::new();
    for (what, running) in [("b", true), ("a", false), ("c", false)] {
        let spec = ContainerSpec { labels: labels.clone(), ..bench.spec(what, RUNS) };
        engine.create_container(&spec).await.unwrap();
        if running {
            engine.start_container(&spec.name).await.unwrap();
        }
        expected.push(engine.container(&spec.name).await.unwrap().unwrap());
    }
    engine.create_container(&bench.spec("without", RUNS)).await.unwrap();
    expected.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(engine.containers(&label).await.unwrap(), expected);
    assert_eq!(engine.containers(&format!("{label}=some value")).await.unwrap(), []);

    let labelled = [bench.name("volume-1"), bench.name("volume-2")];
    for name in labelled.iter().rev() {
        let labels = [(label.clone(), String::new())];
        engine.create_volume(name, &labels).await.unwrap();
    }
    engine.create_volume(&bench.name("volume-3"), &[]).await.unwrap();
    let volumes = engine.volumes(&label).await.unwrap();
    let names: Vec<_> = volumes.iter().map(|volume| volume.name.clone()).collect();
    assert_eq!(names, labelled);
    assert!(volumes.iter().all(|volume| volume.labels.contains_key(&label)));

    let image = bench.load(&bench.name("image:1"), &[(&label, "x")]).await;
    let images = engine.images(&label).await.unwrap();
    assert_eq!(images, [engine.image(&image.0).await.unwrap().unwrap()]);
}

pub(crate) async fn what_is_written_to_a_volume_is_there_for_the_next_container<E: Outside>(
    bench: &Bench<E>,
) {
    let mounts = vec![bench.volume("data")];
    let script = "echo kept > /data/x; exit 0";
    let write = ContainerSpec { mounts: mounts.clone(), ..bench.spec("one", script) };
    bench.start(&write).await;
    assert_eq!(soon(bench.engine.wait_container(&write.name)).await.unwrap().code, 0);
    let found = bench.engine.download(&write.name, "/data/x").await.unwrap();
    assert_eq!(found, Some(b"kept\n".to_vec()));
    bench.engine.remove_container(&write.name).await.unwrap();
    let read = ContainerSpec { mounts, ..bench.spec("two", "cat /data/x; exit 0") };
    bench.start(&read).await;
    soon(bench.engine.wait_container(&read.name)).await.unwrap();
    let log = bench.log(&read.name, &LogsQuery::default()).await;
    assert_eq!(log, [(Source::Stdout, "kept\n".to_owned())]);
}

pub(crate) async fn what_is_in_a_volume_is_copied_out_and_in_without_anything_running<
    E: Outside,
>(
    bench: &Bench<E>,
) {
    let engine = &bench.engine;
    let full = ContainerSpec { mounts: vec![bench.volume("full")], ..bench.spec("one", RUNS) };
    engine.create_container(&full).await.unwrap();
    let big = vec![b'x'; 3 << 20];
    let files = [("a.txt", b"one".as_slice()), ("deep/er/b", &big)];
    let sent = Box::new(std::io::Cursor::new(packed(&files)));
    engine.write_archive(&full.name, "/data", sent).await.unwrap();
    let archive = read_whole(engine, &full.name, "/data").await;
    let found = unpacked(&archive);
    assert_eq!(found["a.txt"], b"one");
    assert_eq!(found["deep/er/b"], big);
    assert_eq!(found.len(), 2);

    let copy = ContainerSpec { mounts: vec![bench.volume("copy")], ..bench.spec("two", RUNS) };
    engine.create_container(&copy).await.unwrap();
    let sent = Box::new(std::io::Cursor::new(archive));
    engine.write_archive(&copy.name, "/data", sent).await.unwrap();
    assert_eq!(unpacked(&read_whole(engine, &copy.name, "/data").await), found);
    let deep = unpacked(&read_whole(engine, &copy.name, "/data/deep").await);
    assert_eq!(deep, BTreeMap::from([("er/b".to_owned(), big)]));
}

pub(crate) async fn a_path_that_is_missing_is_neither_read_nor_made<E: Outside>(bench: &Bench<E>) {
    let engine = &bench.engine;
    let spec = ContainerSpec { mounts: vec![bench.volume("data")], ..bench.spec("box", RUNS) };
    engine.create_container(&spec).await.unwrap();
    assert!(engine.read_archive(&spec.name, "/data/missing").await.unwrap().is_none());
    let sent = Box::new(std::io::Cursor::new(packed(&[("a", b"x")])));
    let written = engine.write_archive(&spec.name, "/data/missing", sent).await;
    assert_error!(written, Error::NotFound { .. });
    assert!(engine.read_archive(&spec.name, "/data/missing").await.unwrap().is_none());
}

pub(crate) async fn an_archive_that_cannot_be_read_is_our_own_failure<E: Outside>(
    bench: &Bench<E>,
) {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is on fire"))
        }
    }
    let spec = ContainerSpec { mounts: vec![bench.volume("data")], ..bench.spec("box", RUNS) };
    bench.engine.create_container(&spec).await.unwrap();
    let written = bench.engine.write_archive(&spec.name, "/data", Box::new(Broken)).await;
    assert_error!(written, Error::Local { .. });
}

pub(crate) async fn what_a_container_uses_is_told_while_it_runs<E: Outside>(bench: &Bench<E>) {
    let facts = bench.engine.facts().await.unwrap();
    let limits = Limits { memory: Some(64 << 20), cpu_millis: None, pids: None };
    let spec = ContainerSpec { limits, ..bench.spec("box", RUNS) };
    bench.engine.create_container(&spec).await.unwrap();
    assert_eq!(bench.engine.stats(&spec.name).await.unwrap(), None);
    bench.engine.start_container(&spec.name).await.unwrap();
    let stats = bench.engine.stats(&spec.name).await.unwrap().unwrap();
    assert!(stats.memory <= 64 << 20 && stats.memory_limit <= facts.memory, "{stats:?}");
    if facts.can_limit.memory {
        assert_eq!(stats.memory_limit, 64 << 20);
    }
    assert!(stats.pids >= 1 && !stats.cpu.is_zero(), "{stats:?}");
    bench.engine.stop_container(&spec.name, AT_ONCE).await.unwrap();
    assert_eq!(bench.engine.stats(&spec.name).await.unwrap(), None);
}

pub(crate) async fn volumes_are_measured<E: Outside>(bench: &Bench<E>) {
    let engine = &bench.engine;
    let (full, empty) = (bench.volume("full"), bench.name("empty"));
    let spec = ContainerSpec { mounts: vec![full], ..bench.spec("box", RUNS) };
    engine.create_container(&spec).await.unwrap();
    engine.create_volume(&empty, &[]).await.unwrap();
    let sent = Box::new(std::io::Cursor::new(packed(&[("a", &vec![b'x'; 2 << 20])])));
    engine.write_archive(&spec.name, "/data", sent).await.unwrap();
    let sizes = engine.volume_sizes().await.unwrap();
    let size = sizes[&bench.name("full")];
    assert!((2 << 20..3 << 20).contains(&size), "{size}");
    assert!(sizes[&empty] < 1 << 20);
}

pub(crate) async fn several_may_measure_at_the_same_time<E: Outside>(bench: &Bench<E>) {
    let volume = bench.name("one");
    bench.engine.create_volume(&volume, &[]).await.unwrap();
    let measuring = (0..8).map(|_| bench.engine.volume_sizes());
    let sizes = futures_util::future::try_join_all(measuring).await.unwrap();
    assert!(sizes.iter().all(|sizes| sizes.contains_key(&volume)), "{sizes:?}");
}

/// Returns the whole archive of a folder that is there.
async fn read_whole<E: Outside>(engine: &E, container: &str, path: &str) -> Vec<u8> {
    let stream = engine.read_archive(container, path).await.unwrap().expect("a folder");
    let read = stream.try_fold(Vec::new(), async |all, piece| Ok([all, piece.to_vec()].concat()));
    soon(read).await.unwrap()
}
