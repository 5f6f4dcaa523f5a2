//! The sandbox's address, for people and browsers.

use std::net::IpAddr;
use std::process::{Command, Stdio};

use crate::context::Context;

/// Returns the address to type into a browser.
pub(crate) fn url(bind: IpAddr, port: u16) -> String {
    match bind {
        bind if bind.is_unspecified() => format!("http://127.0.0.1:{port}"),
        IpAddr::V4(v4) => format!("http://{v4}:{port}"),
        IpAddr::V6(v6) => format!("http://[{v6}]:{port}"),
    }
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
