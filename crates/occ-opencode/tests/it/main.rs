//! The client against the fake server, and one suite against both the fake and the real opencode.
//!
//! The real one is fetched with npm; a machine without npm fails these tests, it never skips.

mod client;
mod conformance;
mod door;
mod ready;
mod real;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use occ_opencode::fake::{FakeServer, Manner, Script};
use occ_opencode::{Client, Credentials};

/// Starts a fake and makes a client that has its password.
async fn fake(manner: Manner) -> (FakeServer, Client) {
    let script = Script::healthy().with(manner);
    let credentials = script.credentials.clone();
    let server = FakeServer::start(script).await.expect("loopback has a free port");
    let client = Client::new(server.endpoint(), credentials).within(Duration::from_secs(5));
    (server, client)
}

/// What the server was asked, each thing once: on a busy machine a probe may have been sent twice.
fn asked(server: &FakeServer) -> Vec<String> {
    let mut asked = Vec::new();
    for request in server.requests() {
        if !asked.contains(&request) {
            asked.push(request);
        }
    }
    asked
}

fn credentials(password: &str) -> Credentials {
    Credentials { user: "opencode".into(), password: password.into() }
}

/// An address of loopback where nobody listens at this moment.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address")
}
