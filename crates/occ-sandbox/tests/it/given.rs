//! What a sandbox is given of its host, through the whole of a start.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use occ_engine::{ContainerSpec, Engine as _, FakeEngine, GuestFile, Mount, Phase};
use occ_image::guest;
use occ_sandbox::{
    Access, ApplyError, Certificates, Consent, Decision, Drift, FolderMount, FolderProblem, Found,
    GitIdentity, Given, Owner, Proxy, Question, Refusal, SandboxSpec, SshAgent, Step, Workspace,
};
use proptest::prelude::*;

use crate::stage::{Stage, programs, wish};

/// A user that is not root: whoever runs the tests, or somebody whom root can give files to.
fn somebody() -> Owner {
    let me = rustix::process::geteuid().as_raw();
    if me == 0 {
        Owner { uid: 1234, gid: 1234 }
    } else {
        Owner { uid: me, gid: rustix::process::getegid().as_raw() }
    }
}

/// Does what the probe's script would do in the folders that can be written to.
fn probe(spec: &ContainerSpec) {
    if !spec.name.ends_with("-probe") {
        return;
    }
    for mount in &spec.mounts {
        if let Mount::Bind { source, read_only: false, .. } = mount {
            let file = source.join(format!(".{}", spec.name));
            std::fs::write(&file, "").expect("a file");
            if rustix::process::geteuid().is_root() {
                std::os::unix::fs::chown(&file, Some(somebody().uid), None).expect("chown");
            }
        }
    }
}

fn stage() -> Stage {
    let stage = Stage::with_image();
    // The engine is shared: this is its life, too.
    drop(stage.engine.clone().on_start(|spec, volumes| {
        probe(spec);
        programs(spec, volumes)
    }));
    stage
}

fn mount(folder: &Path, target: &str, access: Access) -> FolderMount {
    FolderMount { source: folder.to_owned(), target: target.to_owned(), access, owner: somebody() }
}

fn given(given: Given) -> SandboxSpec {
    SandboxSpec { given, ..wish() }
}

fn with_mounts(mounts: Vec<FolderMount>) -> SandboxSpec {
    given(Given { mounts, ..Given::default() })
}

fn with_secrets(secrets: &[(&str, &str)]) -> SandboxSpec {
    let secrets =
        secrets.iter().map(|(name, from)| ((*name).to_owned(), from.parse().expect("a reference")));
    given(Given { secrets: secrets.collect(), ..Given::default() })
}

fn uploaded(stage: &Stage, path: &str) -> Option<GuestFile> {
    stage.engine.uploads(&wish().instance.container()).into_iter().find(|file| file.path == path)
}

fn drifts(decision: Decision) -> Vec<String> {
    let Decision::Ask(Question::Replace { drift }) = decision else {
        panic!("not asked: {decision:?}")
    };
    let name = |drift| match drift {
        Drift::Setting { name, .. } => name,
        other @ Drift::Image { .. } => panic!("{other:?}"),
    };
    drift.into_iter().map(name).collect()
}

#[tokio::test]
async fn pm_001_mounts_are_proved_by_one_container_before_the_sandbox_is_made() {
    let (one, two) = (tempfile::tempdir().expect("tempdir"), tempfile::tempdir().expect("tempdir"));
    let spec = with_mounts(vec![
        mount(one.path(), "/data", Access::ReadWrite),
        mount(two.path(), "/docs", Access::ReadOnly),
    ]);
    let stage = stage();
    let plan = stage.plan(&spec).await;
    let prove = plan.steps.iter().position(|step| matches!(step, Step::ProveMounts { .. }));
    let create = plan.steps.iter().position(|step| matches!(step, Step::CreateContainer { .. }));
    assert!(prove.expect("proved") < create.expect("created"));
    stage.apply(&spec, &plan).await.expect("start");
    let made = stage.engine.spec(&spec.instance.container()).expect("made");
    let bind = |source: &Path, target: &str, read_only| Mount::Bind {
        source: source.to_owned(),
        target: target.to_owned(),
        read_only,
    };
    assert!(made.mounts.contains(&bind(one.path(), "/data", false)), "{:?}", made.mounts);
    assert!(made.mounts.contains(&bind(two.path(), "/docs", true)), "{:?}", made.mounts);
    assert_eq!(
        std::fs::read_dir(one.path()).expect("a folder").count(),
        0,
        "the proof left something"
    );
}

#[tokio::test]
async fn a_sandbox_takes_the_number_of_whoever_owns_what_it_may_write_to() {
    let dir = tempfile::tempdir().expect("tempdir");
    let read = with_mounts(vec![mount(dir.path(), "/data", Access::ReadOnly)]);
    assert_eq!(read.owner(), Owner::GUEST);
    let write = with_mounts(vec![mount(dir.path(), "/data", Access::ReadWrite)]);
    assert_eq!(write.owner(), somebody());
    let path = dir.path().to_owned();
    let workspace = Workspace::Folder { path, owner: Owner { uid: 77, gid: 77 } };
    assert_eq!(SandboxSpec { workspace, ..write }.owner().uid, 77);
}

#[tokio::test]
async fn a_mount_whose_files_belong_to_somebody_else_outside_is_found_out_and_nothing_is_made() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut wrong = mount(dir.path(), "/data", Access::ReadWrite);
    wrong.owner.uid += 1;
    let spec = with_mounts(vec![wrong]);
    let stage = stage();
    let error = stage.start(&spec).await.expect_err("it was ignored");
    assert!(matches!(error, ApplyError::Probe(_)), "{error:?}");
    assert_eq!(stage.things(&spec).await, Vec::<String>::new());
}

#[tokio::test]
async fn pm_005_one_folder_can_be_at_two_places() {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |target: &str| mount(dir.path(), target, Access::ReadWrite);
    let spec = with_mounts(vec![at("/one"), at("/two")]);
    let stage = stage();
    stage.start(&spec).await.expect("start");
    let made = stage.engine.spec(&spec.instance.container()).expect("made");
    let at = |target: &str| made.mounts.iter().any(|mount| mount.target() == target);
    assert!(at("/one") && at("/two"));
}

#[tokio::test]
async fn pm_006_mounts_are_there_after_every_kind_of_start() {
    let dir = tempfile::tempdir().expect("tempdir");
    let spec = with_mounts(vec![mount(dir.path(), "/data", Access::ReadWrite)]);
    let (stage, name) = (stage(), spec.instance.container());
    let has = |stage: &Stage| {
        let made = stage.engine.spec(&name).expect("made");
        made.mounts.iter().any(|mount| mount.target() == "/data")
    };
    stage.start(&spec).await.expect("start");
    stage.engine.stop_container(&name, Duration::ZERO).await.expect("stop");
    stage.start(&spec).await.expect("start again");
    assert!(has(&stage));
    stage.engine.change(|world| world.remove(&name));
    stage.start(&spec).await.expect("made anew");
    assert!(has(&stage));
    let other = SandboxSpec { port: 3005, ..spec.clone() };
    stage.start(&other).await.expect("replaced");
    assert!(has(&stage));
}

#[tokio::test]
async fn a_changed_mount_variable_or_secret_asks_before_it_replaces_what_runs_and_is_named() {
    let dir = tempfile::tempdir().expect("tempdir");
    let stage = stage();
    stage.start(&wish()).await.expect("start");
    let none = Consent::none();
    let mounts = with_mounts(vec![mount(dir.path(), "/data", Access::ReadOnly)]);
    assert_eq!(drifts(stage.decide(&mounts, &none).await), ["mounts"]);
    let env = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
    let env = given(Given { env, ..Given::default() });
    assert_eq!(drifts(stage.decide(&env, &none).await), ["container_env"]);
    let secrets = with_secrets(&[("TOKEN", "file:/token")]);
    assert_eq!(drifts(stage.decide(&secrets, &none).await), ["secrets"]);
    let identity = GitIdentity { name: Some("Ann".into()), email: None };
    let identity = given(Given { git_identity: Found::There(identity), ..Given::default() });
    assert_eq!(drifts(stage.decide(&identity, &none).await), ["git_identity"]);
}

#[tokio::test]
async fn a_secret_is_in_a_file_of_the_user_and_in_nothing_that_the_engine_shows() {
    let stage = stage();
    stage.secrets.0.lock().expect("lock").insert("cmd:pass x".into(), "hunter2".into());
    let spec = with_secrets(&[("TOKEN", "cmd:pass x")]);
    stage.start(&spec).await.expect("start");
    let file = uploaded(&stage, "/run/opencode-cloud/secrets/TOKEN").expect("put in");
    assert_eq!(file.bytes, b"hunter2");
    assert_eq!((file.mode, file.owner), (0o400, (guest::UID, guest::GID)));
    let folder = uploaded(&stage, "/run/opencode-cloud/secrets/").expect("put in");
    assert_eq!((folder.mode, folder.owner), (0o700, (guest::UID, guest::GID)));
    let name = spec.instance.container();
    let state = stage.engine.container(&name).await.expect("look").expect("there");
    let record = std::fs::read_to_string(stage.home.record_path()).expect("a record");
    let events = format!("{:?}", stage.events.lock().expect("lock"));
    let (made, calls) = (stage.engine.spec(&name), stage.engine.calls());
    let shown = format!("{state:?} {made:?} {calls:?} {record} {events} {spec:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn a_secret_that_cannot_be_had_is_named_before_anything_is_touched() {
    let stage = stage();
    stage.start(&wish()).await.expect("start");
    let before = stage.things(&wish()).await;
    let spec = with_secrets(&[("TOKEN", "env:TOKEN")]);
    let error = stage.start(&spec).await.expect_err("it was ignored");
    assert_eq!(error.to_string(), "the secret TOKEN cannot be had: there is no such thing");
    assert_eq!(stage.things(&wish()).await, before);
    assert_eq!(before[0], "opencode-cloud-sandbox: Running");
}

#[tokio::test]
async fn a_stopped_sandbox_starts_with_the_values_of_now_and_a_running_one_asks_for_none() {
    let stage = stage();
    let (spec, name) = (with_secrets(&[("TOKEN", "env:TOKEN")]), wish().instance.container());
    let set = |value: Option<&str>| {
        let mut values = stage.secrets.0.lock().expect("lock");
        values.clear();
        values.extend(value.map(|value| ("env:TOKEN".to_owned(), value.to_owned())));
    };
    set(Some("old"));
    stage.start(&spec).await.expect("start");
    set(None);
    stage.start(&spec).await.expect("nothing to do");
    set(Some("new"));
    stage.engine.stop_container(&name, Duration::ZERO).await.expect("stop");
    stage.start(&spec).await.expect("start");
    let file = uploaded(&stage, "/run/opencode-cloud/secrets/TOKEN").expect("put in");
    assert_eq!(file.bytes, b"new");
}

#[tokio::test]
async fn the_hosts_certificates_come_after_those_of_the_image() {
    let block =
        |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
    let stage = stage();
    let (name, image) = (wish().instance.container(), block("AAAA"));
    stage.engine.after(occ_engine::Op::CreateContainer, move |world| {
        let path = guest::SYSTEM_CERTIFICATES.to_owned();
        let file = GuestFile { path, bytes: image.into_bytes(), mode: 0o644, owner: (0, 0) };
        world.write_file(&name, file);
    });
    let certificates =
        Certificates { sources: vec!["/ca.pem".into()], blocks: vec![block("BBBB")] };
    let spec = given(Given { certificates: Found::There(certificates), ..Given::default() });
    stage.start(&spec).await.expect("start");
    let file = uploaded(&stage, guest::CERTIFICATES_FILE).expect("put in");
    assert_eq!(String::from_utf8_lossy(&file.bytes), block("AAAA") + &block("BBBB"));
    assert_eq!((file.mode, file.owner), (0o644, (0, 0)));
    let made = stage.engine.spec(&wish().instance.container()).expect("made");
    for name in ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE"] {
        assert_eq!(made.env[name], guest::CERTIFICATES_FILE);
    }
}

fn proxied(address: &str) -> SandboxSpec {
    let look = Proxy::find(|name| (name == "HTTPS_PROXY").then(|| address.to_owned()));
    given(Given { proxy: look.proxy.map_or(Found::Missing, Found::There), ..Given::default() })
}

#[tokio::test]
async fn a_proxy_that_is_another_one_today_replaces_what_is_stopped_and_not_what_runs() {
    let stage = stage();
    stage.start(&proxied("http://office:3128")).await.expect("start");
    let name = wish().instance.container();
    let made = stage.engine.spec(&name).expect("made");
    assert_eq!(made.env["https_proxy"], "http://office:3128");
    assert_eq!(made.env["NO_PROXY"], "localhost,127.0.0.1,::1");
    let home = proxied("http://localhost:1");
    let Decision::Ready(plan) = stage.decide(&home, &Consent::none()).await else {
        panic!("asked")
    };
    assert!(!plan.changes_something(), "{plan:?}");
    // Whoever wants none any more is told what that takes.
    assert_eq!(drifts(stage.decide(&wish(), &Consent::none()).await), ["proxy"]);
    stage.engine.stop_container(&name, Duration::ZERO).await.expect("stop");
    stage.start(&home).await.expect("start");
    let made = stage.engine.spec(&name).expect("made");
    assert_eq!(made.env.get("https_proxy"), None);
}

#[tokio::test]
async fn a_proxys_password_is_for_the_server_alone() {
    let stage = stage();
    let spec = proxied("http://ann:hunter2@office:3128");
    stage.start(&spec).await.expect("start");
    let file = uploaded(&stage, "/run/opencode-cloud/secrets/HTTPS_PROXY").expect("put in");
    assert_eq!(file.bytes, b"http://ann:hunter2@office:3128");
    let name = spec.instance.container();
    let shown = format!("{:?} {:?}", stage.engine.spec(&name), stage.engine.calls());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn a_mount_that_cannot_work_is_explained_before_anything_starts() {
    let folder = |uid, access| {
        let mut folder = mount(Path::new("/srv/data"), "/data", access);
        folder.owner = Owner { uid, gid: uid };
        with_mounts(vec![folder])
    };
    let facts = FakeEngine::new().facts().await.expect("facts");
    let at = |change: fn(&mut occ_engine::EngineFacts)| {
        let mut facts = facts.clone();
        change(&mut facts);
        Stage::new(FakeEngine::new().with_facts(facts))
    };
    let (write, read) = (Access::ReadWrite, Access::ReadOnly);
    for (stage, spec, why) in [
        (at(|_| ()), folder(0, write), FolderProblem::OwnedByRoot),
        (at(|f| f.rootless = true), folder(1000, write), FolderProblem::RootlessEngine),
        (at(|f| f.local = false), folder(1000, read), FolderProblem::RemoteEngine),
    ] {
        let decision = stage.decide(&spec, &Consent::yes()).await;
        let path = "/srv/data".into();
        assert_eq!(decision, Decision::Refuse(Refusal::Mount { path, why }));
    }
    for stage in [at(|_| ()), at(|f| f.rootless = true)] {
        let decision = stage.decide(&folder(0, read), &Consent::yes()).await;
        assert!(matches!(decision, Decision::Ready(_)), "{decision:?}");
    }
}

#[tokio::test]
async fn an_agent_that_would_not_answer_is_refused_and_another_is_at_a_stable_place() {
    let dir = tempfile::tempdir().expect("tempdir");
    let agent = |uid| {
        let agent = SshAgent { socket: dir.path().to_owned(), owner: Owner { uid, gid: uid } };
        given(Given { ssh_agent: Found::There(agent), ..Given::default() })
    };
    let stage = stage();
    let refused = |agent, why| Decision::Refuse(Refusal::SshAgent { agent, user: guest::UID, why });
    let consent = Consent::yes();
    assert_eq!(stage.decide(&agent(1234), &consent).await, refused(1234, None));
    let root = refused(0, Some(FolderProblem::OwnedByRoot));
    assert_eq!(stage.decide(&agent(0), &consent).await, root);
    stage.start(&agent(guest::UID)).await.expect("start");
    let made = stage.engine.spec(&wish().instance.container()).expect("made");
    assert_eq!(made.env["SSH_AUTH_SOCK"], guest::SSH_AGENT);
    assert!(made.mounts.iter().any(|mount| mount.target() == guest::SSH_AGENT));
}

#[tokio::test]
async fn nothing_of_a_person_is_given_unless_it_is_wanted() {
    let stage = stage();
    stage.start(&wish()).await.expect("start");
    let name = wish().instance.container();
    let made = stage.engine.spec(&name).expect("made");
    assert_eq!(made.env, BTreeMap::new());
    assert!(made.mounts.iter().all(|mount| matches!(mount, Mount::Volume { .. })));
    assert_eq!(stage.engine.uploads(&name).len(), 1);
    let identity = GitIdentity { name: Some("Ann".into()), email: Some("ann@example.com".into()) };
    let wanted = given(Given { git_identity: Found::There(identity), ..Given::default() });
    stage.start(&wanted).await.expect("start");
    let file = uploaded(&stage, guest::GIT_IDENTITY_FILE).expect("put in");
    let text = "[user]\n\tname = \"Ann\"\n\temail = \"ann@example.com\"\n";
    assert_eq!(String::from_utf8_lossy(&file.bytes), text);
    assert!(
        matches!(stage.engine.container(&name).await, Ok(Some(state)) if state.phase == Phase::Running)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is given: once it is true, there is nothing left to do.
    #[test]
    fn a_second_plan_after_a_start_with_anything_given_changes_nothing(
        env in prop::collection::btree_map("[A-Z]{2,5}_", "[ -~]{0,8}", 0..3),
        targets in prop::collection::btree_set("/[a-z]{9}", 0..3),
        read_only: bool,
        proxy in prop::option::of("http://[a-z]{3,8}(:[a-z]{2}@proxy)?:3128"),
        secret: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let dir = tempfile::tempdir().expect("tempdir");
            let access = if read_only { Access::ReadOnly } else { Access::ReadWrite };
            let mut spec = with_mounts(targets.iter().map(|at| mount(dir.path(), at, access)).collect());
            spec.given.env = env;
            if let Some(address) = proxy {
                spec.given.proxy = proxied(&address).given.proxy;
            }
            let stage = stage();
            if secret {
                stage.secrets.0.lock().expect("lock").insert("env:X".into(), "value".into());
                spec.given.secrets = with_secrets(&[("TOKEN", "env:X")]).given.secrets;
            }
            stage.start(&spec).await.expect("start");
            let again = stage.decide(&spec, &Consent::none()).await;
            let Decision::Ready(plan) = again else { panic!("asked: {again:?}") };
            prop_assert!(!plan.changes_something(), "{plan:?}");
            Ok(())
        })?;
    }
}
