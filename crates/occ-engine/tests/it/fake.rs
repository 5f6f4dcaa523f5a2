//! What only the engine in memory can do: faults, and a world that changes behind our back.

use occ_engine::{Engine as _, Error, FakeEngine, Life, Op, Phase, World};

use crate::bench::{Bench, RUNS, fake};

#[tokio::test]
async fn a_fault_strikes_once_and_leaves_everything_as_it_was() {
    let bench = fake().await;
    let spec = bench.spec("box", RUNS);
    bench
        .engine
        .fail_next(Op::CreateContainer, Error::Refused { status: 507, message: "x".into() });
    let error = bench.engine.create_container(&spec).await.unwrap_err();
    assert!(matches!(error, Error::Refused { status: 507, .. }), "{error:?}");
    assert_eq!(bench.engine.container(&spec.name).await.unwrap(), None);
    bench.engine.create_container(&spec).await.unwrap();
}

#[tokio::test]
async fn a_daemon_that_vanishes_during_a_start_has_started_the_container_and_cannot_say_so() {
    let bench = fake().await;
    let spec = bench.spec("box", RUNS);
    bench.engine.create_container(&spec).await.unwrap();
    bench.engine.after(Op::StartContainer, World::vanish);
    let error = bench.engine.start_container(&spec.name).await.unwrap_err();
    assert!(matches!(error, Error::NotRunning { .. }), "{error:?}");
    assert!(bench.engine.container(&spec.name).await.is_err());
    bench.engine.change(World::come_back);
    assert_eq!(bench.phase(&spec.name).await, Phase::Running);
}

#[tokio::test]
async fn hooks_act_behind_our_back_and_calls_are_noted() {
    let bench = fake().await;
    let spec = bench.spec("box", RUNS);
    let name = spec.name.clone();
    bench.engine.create_container(&spec).await.unwrap();
    bench.engine.after(Op::StartContainer, move |world| world.exit(&name, 9));
    bench.engine.start_container(&spec.name).await.unwrap();
    assert_eq!(bench.phase(&spec.name).await, Phase::Exited);
    let name = spec.name.clone();
    bench.engine.before(Op::StartContainer, move |world| world.remove(&name));
    let error = bench.engine.start_container(&spec.name).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    let start = format!("start_container {}", spec.name);
    let starts = bench.engine.calls().into_iter().filter(|call| *call == start).count();
    assert_eq!(starts, 2);
}

#[tokio::test]
async fn a_containers_program_changes_what_is_in_its_volumes_and_they_go_with_their_names() {
    let engine = FakeEngine::new().on_start(|spec, volumes| {
        let text = volumes["from"]["a"].clone();
        volumes.get_mut("to").unwrap().insert(spec.name.clone(), text);
        Life::exits(0)
    });
    let bench = Bench::new(engine).await;
    for name in ["from", "to"] {
        bench.engine.create_volume(name, &[]).await.unwrap();
    }
    bench.engine.change(|world| world.files_mut("from").insert("a".to_owned(), b"x".to_vec()));
    let spec = bench.spec("box", RUNS);
    bench.start(&spec).await;
    let copied = bench.engine.change(|world| world.files("to").get(&spec.name).cloned());
    assert_eq!(copied.as_deref(), Some(b"x".as_slice()));
    bench.engine.remove_volume("to").await.unwrap();
    assert_eq!(bench.engine.files("to"), None);
}

#[tokio::test]
async fn a_full_disk_stops_what_takes_space_and_nothing_else() {
    let engine = FakeEngine::new().with_full_disk(|op, name| {
        op == Op::CreateVolume && name == "large" || op == Op::RemoveVolume
    });
    engine.create_volume("small", &[]).await.unwrap();
    let error = engine.create_volume("large", &[]).await.unwrap_err();
    assert!(matches!(error, Error::Refused { status: 500, .. }), "{error:?}");
    assert_eq!(engine.volume("large").await.unwrap(), None);
    engine.remove_volume("small").await.unwrap();
    engine.change(|world| world.fill_disk(|_, _| false));
    engine.create_volume("large", &[]).await.unwrap();
}
