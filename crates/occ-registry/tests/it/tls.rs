//! Encrypted registries, who vouches for them, and proxies on the way there.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use occ_registry::{Authorities, Client, Proxies, Reason, Scheme, Settings};
use occ_testkit::{FakeRegistry, Fault, Harm, Referring, Registry};
use tempfile::TempDir;

use crate::material::image;
use crate::{client_with, settings, tag};

/// Makes a private authority and a certificate for `localhost` and `registry.example`.
fn certificates() -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let openssl = |arguments: &str| {
        let run = Command::new("openssl").current_dir(&dir).args(arguments.split(' ')).output();
        let run = run.unwrap_or_else(|error| panic!("openssl: {error} (package openssl)"));
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    };
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
    openssl(&format!("{new} -subj /CN=authority -keyout ca-key.pem -out ca.pem"));
    openssl(&format!(
        "{new} -CA ca.pem -CAkey ca-key.pem -subj /CN=server \
         -addext subjectAltName=DNS:localhost,DNS:registry.example \
         -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out server.pem"
    ));
    dir
}

fn encrypted(dir: &Path) -> Registry {
    Registry::start_encrypted(&dir.join("server.pem"), &dir.join("key.pem"))
}

/// A client that asks for encryption, trusting one file.
fn trusting(authorities: Authorities, host: &str) -> Client {
    let schemes = [(host.parse().expect("a host"), Scheme::Https)].into();
    let settings = Settings { authorities, schemes, ..settings().0 };
    client_with(settings, host, "a/b")
}

#[tokio::test]
async fn a_private_authority_in_the_bundle_is_believed_and_no_other() {
    let dir = certificates();
    let registry = encrypted(dir.path());
    let bundle = Authorities::of_file(dir.path().join("ca.pem"));
    let image = image("x");
    image.push(&trusting(bundle.clone(), &registry.host())).await;
    let stranger = certificates();
    let other = Authorities::of_file(stranger.path().join("ca.pem"));
    let client = trusting(other.clone(), &registry.host());
    let error = client.resolve(&tag("latest")).await.expect_err("a stranger");
    assert!(matches!(error.reason, Reason::Untrusted { .. }), "{error:?}");
    // Both together are a bundle as a machine has it.
    let both = other.and(dir.path().join("ca.pem"));
    let client = trusting(both, &registry.host());
    client.manifest(image.manifest.digest()).await.expect("a manifest");
    // The certificate is for the name, not for the address.
    let by_address = registry.host().replace("localhost", "127.0.0.1");
    let client = trusting(bundle, &by_address);
    let error = client.resolve(&tag("latest")).await.expect_err("another name");
    assert!(matches!(error.reason, Reason::Untrusted { .. }), "{error:?}");
}

#[tokio::test]
async fn a_bundle_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("empty.pem"), "nothing").expect("a file");
    for name in ["missing.pem", "empty.pem"] {
        let authorities = Authorities::of_file(dir.path().join(name));
        let client = trusting(authorities, &plain());
        let error = client.resolve(&tag("latest")).await.expect_err("no authorities");
        let is_file = |reason: &Reason| matches!(reason, Reason::Certificates { path, .. } if path.ends_with(name));
        assert!(is_file(&error.reason), "{error:?}");
    }
}

/// Accepts connections and answers in plain text.
fn plain() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n"));
            drop(stream.read(&mut [0; 4096]));
        }
    });
    format!("localhost:{port}")
}

#[tokio::test]
async fn what_speaks_no_tls_is_not_believed() {
    let dir = certificates();
    let client = trusting(Authorities::of_file(dir.path().join("ca.pem")), &plain());
    let error = client.resolve(&tag("latest")).await.expect_err("no TLS");
    assert!(matches!(error.reason, Reason::Untrusted { .. }), "{error:?}");
}

/// A proxy that lets every tunnel end at one place; returns its address.
fn tunnel_to(host: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let host = host.clone();
            thread::spawn(move || relay(stream, &host));
        }
    });
    format!("http://me:pass%3Aword@{address}")
}

fn relay(mut client: TcpStream, host: &str) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    // base64 of me:pass:word
    let is_known = head.contains("Proxy-Authorization: Basic bWU6cGFzczp3b3Jk\r\n");
    if !(head.starts_with("CONNECT registry.example:443 HTTP/1.1\r\n") && is_known) {
        return client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    }
    client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    let mut server = TcpStream::connect(host)?;
    let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || std::io::copy(&mut from, &mut to));
    std::io::copy(&mut client, &mut server).map(|_| ())
}

#[tokio::test]
async fn a_tunnel_through_a_proxy_leads_to_the_registry_and_is_encrypted_to_its_end() {
    let dir = certificates();
    let registry = encrypted(dir.path());
    let proxy = tunnel_to(registry.host());
    let proxies = Proxies::parse(None, Some(&proxy), None).expect("a proxy");
    let authorities = Authorities::of_file(dir.path().join("ca.pem"));
    let settings = Settings { proxies, authorities, ..settings().0 };
    let client = client_with(settings, "registry.example", "a/b");
    let image = image("x");
    image.push(&client).await;
    let back = client.manifest(image.manifest.digest()).await.expect("a manifest");
    assert_eq!(back, image.manifest);
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_without_its_password() {
    let proxy = FakeRegistry::start(Referring::Unknown);
    proxy.fault(Fault::on("CONNECT", "", Harm::status(403)));
    let address = format!("http://me:secret@{}", proxy.host());
    let proxies = Proxies::parse(None, Some(&address), None).expect("a proxy");
    let client = client_with(Settings { proxies, ..settings().0 }, "registry.example", "a/b");
    let error = client.resolve(&tag("latest")).await.expect_err("refused");
    assert!(matches!(error.reason, Reason::Proxy { .. }), "{error:?}");
    let said = crate::told(&error);
    assert!(said.contains("403") && said.contains(&proxy.host()), "{said}");
    assert!(!said.contains("secret"), "{said}");
}

#[tokio::test]
async fn without_encryption_a_proxy_is_told_the_whole_address() {
    let proxy = FakeRegistry::start(Referring::Unknown);
    let proxies = Proxies::parse(Some(&proxy.url("")), None, None).expect("a proxy");
    let host = "registry.example:5000";
    let schemes = [(host.parse().expect("a host"), Scheme::Http)].into();
    let client = client_with(Settings { proxies, schemes, ..settings().0 }, host, "a/b");
    let error = client.resolve(&tag("latest")).await.expect_err("nothing there");
    assert!(error.reason.is_not_found(), "{error:?}");
    let target = &proxy.requests()[0].target;
    assert_eq!(target, "http://registry.example:5000/v2/a/b/manifests/latest");
}
