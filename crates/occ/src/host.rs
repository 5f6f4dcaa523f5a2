//! Facts of this host that the plan asks for: ports, addresses, processors, folders.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use occ_sandbox::PortState;

/// Returns whether `wished` can be bound, and who holds it if not.
pub(crate) fn port(wished: SocketAddr) -> PortState {
    match TcpListener::bind(wished) {
        Ok(_) => PortState::Free,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            PortState::Taken { by: holder(wished.port()), next_free: next_free(wished) }
        }
        // A port below 1024, or an address of another host: the engine has the last word.
        Err(_) => PortState::Unknown,
    }
}

fn next_free(taken: SocketAddr) -> Option<u16> {
    let last = taken.port().saturating_add(100);
    (taken.port().saturating_add(1)..=last)
        .find(|port| TcpListener::bind(SocketAddr::new(taken.ip(), *port)).is_ok())
}

/// Returns the process that listens on a TCP port, as far as this user may see; proc(5).
fn holder(port: u16) -> Option<(String, u32)> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening(&table, port))
        .collect();
    let sockets: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let mut files = fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        let holds = files.any(|file| {
            fs::read_link(file.path())
                .is_ok_and(|link| sockets.iter().any(|socket| link.as_os_str() == socket.as_str()))
        });
        let name = || fs::read_to_string(entry.path().join("comm")).ok();
        holds.then(name).flatten().map(|name| (name.trim().to_owned(), pid))
    })
}

/// Returns the inodes of sockets listening (state 0A) on a port in a table of proc(5).
fn listening(table: &str, port: u16) -> Vec<String> {
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|columns| columns.len() > 9 && columns[1].ends_with(&suffix) && columns[3] == "0A")
        .map(|columns| columns[9].to_owned())
        .collect()
}

/// Returns this host's own IPv4 addresses (proc(5), the trie of the routing table).
pub(crate) fn addresses() -> Vec<IpAddr> {
    fs::read_to_string("/proc/net/fib_trie").map(|trie| local(&trie)).unwrap_or_default()
}

fn local(trie: &str) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    let mut last: Option<Ipv4Addr> = None;
    for line in trie.lines() {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line.starts_with("/32 host LOCAL")
            && let Some(address) = last
            && !addresses.contains(&IpAddr::V4(address))
        {
            addresses.push(IpAddr::V4(address));
        }
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_held_by_this_very_process_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let PortState::Taken { by, next_free } = port(address) else { panic!("not taken") };
        assert_eq!(by.map(|(_, pid)| pid), Some(std::process::id()));
        assert!(next_free.is_some_and(|free| free > address.port()));
    }

    #[test]
    fn only_local_addresses_are_taken_from_the_trie() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 172.17.0.1\n        /32 host LOCAL\n     |-- 172.17.255.255\n        /32 link BROADCAST\n";
        assert_eq!(local(trie), ["172.17.0.1".parse::<IpAddr>().expect("address")]);
    }
}
