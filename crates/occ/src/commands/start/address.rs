//! The sandbox's address, for people and browsers.

use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};

use occ_sandbox::reachable;

use crate::context::Context;

/// Returns the address to type into a browser.
pub(crate) fn url(bind: IpAddr, port: u16) -> String {
    format!("http://{}", SocketAddr::new(reachable(bind), port))
}

/// Opens the address in a browser, or says that there is none.
pub(super) fn open(url: &str, context: &Context) {
    let opener = ["xdg-open", "open"].into_iter().find_map(|name| context.env.program(name));
    let child = opener.map(|program| {
        let null = Stdio::null;
        Command::new(program).arg(url).stdin(null()).stdout(null()).stderr(null()).spawn()
    });
    if !matches!(child, Some(Ok(_))) {
        context.terminal.warn(&format!("no browser could be opened; the address is {url}"));
    }
}
