//! Sandboxes on another machine: a real ssh server on loopback, and a daemon of its own behind it.

use occ_opencode::{Client, Credentials, Secret};
use occ_testkit::{Bench, Daemon, Manner, Sshd};

use super::{password, stand_in, wait};
use crate::places::bench_at;

/// A machine that is reached as `far`, and a bench that has no other engine.
struct Far {
    bench: Bench,
    sshd: Sshd,
    _daemon: Daemon,
}

fn far() -> Far {
    let (daemon, sshd) = (Daemon::start(), Sshd::start());
    let mut bench = bench_at(daemon.api());
    bench.set("OCC_SSH_CONFIG", sshd.client_config());
    bench.set("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let host = daemon.api().host();
    let socket = host.strip_prefix("unix://").unwrap();
    bench.run(["host", "add", "far", "ssh://far", "--socket", socket]).success();
    Far { bench, sshd, _daemon: daemon }
}

#[test]
fn a_sandbox_lives_on_another_machine_and_is_proven_ready_and_locked_from_here() {
    let mut far = far();
    stand_in(far.bench.api(), Manner::Good);
    let bench = &mut far.bench;
    let engine = bench.run(["host", "test", "far", "--json"]).success().data();
    assert_eq!(engine["engine"]["local"], false);
    assert_eq!(engine["engine"]["endpoint"], "ssh://far");
    bench.set("OCC_HOST", "far");
    bench.run(["start", "--yes"]).success().says("bring it here: occ host connect far");
    let status = bench.run(["status", "--json"]).success().data();
    assert_eq!(status["health"]["state"], "healthy");
    let hosts = bench.home().join("data/opencode-cloud/hosts/far/instances");
    assert!(hosts.join(bench.instance()).is_dir(), "what is known of it is kept apart");
    assert!(!bench.state_dir().exists(), "nothing is known of one on this machine");

    let secret = Secret::from(password(bench).as_str());
    let mut open = bench.start(["host", "connect", "far"]);
    open.until("Open until Ctrl-C");
    let url = open.stdout().trim().to_owned();
    let address = url.strip_prefix("http://").unwrap().parse().unwrap();
    assert_ne!(url, format!("http://127.0.0.1:{}", bench.port()), "a port of its own");
    let credentials = Credentials { user: "opencode".into(), password: secret };
    let client = Client::new(occ_opencode::Endpoint { address }, Some(credentials));
    wait(async { client.health().await }).unwrap();
    open.interrupt();
    drop(open.finish().success());
    assert!(wait(async { client.health().await }).is_err(), "the way is closed with the command");

    assert_eq!(bench.run(["stop"]).success().stdout, "stopped\n");
    let run = bench.run(["host", "connect", "far"]).code(1).says("not running");
    run.says("occ start --host far");
}

#[test]
fn every_reason_for_there_being_no_way_is_told_apart_and_says_what_to_do() {
    let mut far = far();
    let test = |bench: &Bench| bench.run(["host", "test", "far"]);
    far.sshd.forget_key();
    let run = test(&far.bench).code(6).says("its key is not known on this machine");
    run.says("compare its key and accept it, once: ssh ");
    let far_again = self::far();
    far_again.sshd.refuse_all();
    test(&far_again.bench)
        .code(6)
        .says("Permission denied")
        .says("try by hand until it works: ssh ");
    far.sshd.stop();
    test(&far.bench).code(6).says("nothing answers at 127.0.0.1").says("occ host test far");
    far.bench.set("PATH", "/nowhere");
    test(&far.bench).code(1).says("there is no ssh on this machine").says("openssh-client");
}

#[test]
fn a_machine_without_an_engine_is_named_with_what_to_do_there() {
    let far = far();
    far.bench.run(["host", "add", "bare", "ssh://far", "--socket", "/nowhere.sock"]).success();
    let run = far.bench.run(["host", "test", "bare"]).code(5);
    run.says("no container engine answers on bare").says("docker version").says("--socket PATH");
}

#[test]
fn hosts_are_named_listed_and_forgotten() {
    let far = far();
    let bench = &far.bench;
    bench.run(["host", "add", "far", "ssh://other"]).code(1).says("occ host remove far");
    bench.run(["host", "add", "near", "tcp://10.0.0.1"]).code(2).says("ssh://");
    assert_eq!(bench.run(["host", "list"]).success().stdout, "far ssh://far\n");
    let run = bench.run(["status", "--host", "fat"]).code(2);
    run.says("there is no host of that name: fat").says("known: far");
    bench.run(["host", "remove", "far"]).success();
    assert_eq!(bench.run(["host", "list"]).success().stdout, "");
    bench.run(["status", "--host", "far"]).code(2).says("occ host add far ssh://USER@HOST");
}
