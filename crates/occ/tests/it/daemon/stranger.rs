//! Things under our names that are not ours.

use occ_testkit::{Daemon, Manner};
use serde_json::json;

use super::stand_in;
use crate::places::bench_at;

#[test]
fn a_foreign_container_under_our_name_is_never_touched() {
    let daemon = Daemon::start();
    let bench = bench_at(daemon.api());
    stand_in(bench.api(), Manner::NoServer);
    let image = bench.run(["version", "--json"]).success().data()["image"].clone();
    let create = format!("/containers/create?name={}", bench.container());
    bench.api().post(&create, &json!({ "Image": image, "Labels": { "a": "b" } })).success();
    let start = format!("/containers/{}/start", bench.container());
    bench.api().act(&start);
    let before = bench.inspect();

    let name = bench.container();
    let commands: [&[&str]; 8] = [
        &["start", "--yes"],
        &["stop"],
        &["restart", "--yes"],
        &["status"],
        &["logs"],
        &["exec", "true"],
        &["shell"],
        &["password", "--rotate"],
    ];
    for command in commands {
        let run = bench.run(command).code(1);
        let run = run.says(&format!("a container of that name was made by something else: {name}"));
        run.says(&format!("docker rename {name}"));
    }
    assert_eq!(bench.inspect(), before);
    assert_eq!(bench.api().volumes_of(bench.instance()), Vec::<String>::new());
}

#[test]
fn an_image_under_our_name_that_keeps_another_contract_is_not_run() {
    let daemon = Daemon::start();
    let bench = bench_at(daemon.api());
    let version = bench.run(["version", "--json"]).success().data();
    let image = version["image"].as_str().unwrap();
    let foreign =
        occ_testkit::StandIn { name: image, opencode: "1", manner: Manner::Good, labelled: false };
    foreign.load(bench.api());
    let run =
        bench.run(["start"]).code(2).says("was not made by opencode-cloud").says("occ start --yes");
    assert_eq!(run.stdout, "");
    bench.assert_nothing_left();
    bench.run(["start", "--yes"]).success();
    assert_eq!(bench.run(["status", "--json"]).success().data()["health"]["state"], "healthy");
}
