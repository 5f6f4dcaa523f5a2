//! With a container daemon: this machine's own, or one that the test starts for itself.

mod archive;
mod bad_image;
mod browser;
mod build;
mod change;
mod choice;
mod diagnose;
mod doctor;
mod exec;
mod folder;
mod foreground;
mod given;
mod identity;
mod interrupt;
mod keep;
mod life;
mod lock;
mod logs;
mod output;
mod prebuilt;
mod provenance;
mod pull;
mod remote;
mod setup;
mod smoke;
mod soak;
mod stranger;
mod update;
mod walls;
mod watch;

use std::future::Future;
use std::net::SocketAddr;

use occ_opencode::{Client, Credentials, Secret};
use occ_testkit::{Api, Bench, Manner, StandIn};

use crate::places::bench;

/// Returns a bench whose sandbox runs the real opencode.
fn running() -> Bench {
    let bench = bench();
    drop(bench.run(["start", "--yes"]).success());
    bench
}

fn address(bench: &Bench) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], bench.port()))
}

fn password(bench: &Bench) -> String {
    bench.run(["password"]).success().stdout.trim_end().to_owned()
}

fn client(bench: &Bench) -> Client {
    client_with(bench, &password(bench))
}

fn client_with(bench: &Bench, password: &str) -> Client {
    let password = Secret::from(password);
    let credentials = Credentials { user: "opencode".into(), password };
    Client::new(address(bench).into(), Some(credentials))
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(future)
}

/// Puts a stand-in under the name that this program's own image has in a daemon.
fn stand_in(api: &Api, manner: Manner) {
    let version = bench().run(["version", "--json"]).success().data();
    let text = |name: &str| version[name].as_str().unwrap().to_owned();
    let (name, opencode) = (text("image"), text("opencode"));
    StandIn { name: &name, opencode: &opencode, manner, labelled: true }.load(api);
}
