//! The daemon of this machine, reached the long way round: through `ssh` and through TLS.
//!
//! The other side is played by the test, so that neither a server nor a key has to be installed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use occ_engine::{ClientSettings, Docker, Endpoint, Engine as _, Error};
use tokio::net::{TcpListener, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::bench::{local_settings, soon};

/// Plays `ssh`: notes its arguments and carries bytes to the socket, as `dial-stdio` would.
const SSH: &str = r#"#!/usr/bin/perl
use strict; use IO::Socket::UNIX;
open(my $note, '>', "DIR/arguments"); print $note join(' ', @ARGV); close($note);
my $engine = IO::Socket::UNIX->new(Peer => "SOCKET") or die "no engine here\n";
my $child = fork();
my ($from, $to) = $child ? (\*STDIN, $engine) : ($engine, \*STDOUT);
while (sysread($from, my $piece, 65536)) { syswrite($to, $piece) or last }
$child ? shutdown($engine, 1) : exit(0);
waitpid($child, 0);
"#;

fn socket() -> String {
    match local_settings().choose().unwrap().endpoint {
        Endpoint::Unix(path) => path.display().to_string(),
        other => panic!("the daemon under test listens on a socket, not on {other}"),
    }
}

fn ssh(dir: &Path, socket: &str) -> ClientSettings {
    let program = dir.join("ssh");
    let script = SSH.replace("DIR", &dir.display().to_string()).replace("SOCKET", socket);
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    ClientSettings {
        docker_host: Some("ssh://me@far.example:2222".to_owned()),
        search_path: Some(dir.as_os_str().to_owned()),
        ..ClientSettings::default()
    }
}

#[tokio::test]
async fn an_engine_is_reached_through_the_users_own_ssh() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Docker::connect(&ssh(dir.path(), &socket())).unwrap();
    let facts = soon(engine.facts()).await.unwrap();
    assert_eq!(facts.endpoint, "ssh://me@far.example:2222");
    assert_eq!((facts.os.as_str(), facts.local), ("linux", false));
    assert_eq!(
        fs::read_to_string(dir.path().join("arguments")).unwrap(),
        "-T -o ConnectTimeout=30 -l me -p 2222 -- far.example docker system dial-stdio"
    );
}

#[tokio::test]
async fn what_ssh_complains_about_is_the_cause() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Docker::connect(&ssh(dir.path(), "/nowhere")).unwrap();
    let error = soon(engine.facts()).await.unwrap_err();
    let Error::NotRunning { source: Some(source), .. } = error else { panic!("{error:?}") };
    assert_eq!(source.to_string(), "no engine here");
}

/// Makes an authority, and a certificate for each side, in the folder.
fn certificates(dir: &Path) {
    let openssl = |arguments: &str| {
        let run = Command::new("openssl").current_dir(dir).args(arguments.split(' ')).output();
        let run = run.unwrap_or_else(|error| panic!("openssl: {error} (package openssl)"));
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    };
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
    openssl(&format!("{new} -subj /CN=authority -keyout ca-key.pem -out ca.pem"));
    for (name, key) in [("server", "server-key.pem"), ("cert", "key.pem")] {
        openssl(&format!(
            "{new} -CA ca.pem -CAkey ca-key.pem -subj /CN={name} -addext subjectAltName=IP:127.0.0.1 \
             -addext basicConstraints=critical,CA:FALSE -keyout {key} -out {name}.pem"
        ));
    }
}

/// Listens with TLS, asks for a certificate, and passes everything on to the daemon.
async fn guarded_engine(dir: &Path) -> u16 {
    let chain = |name: &str| -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_file_iter(dir.join(name)).unwrap().map(Result::unwrap).collect()
    };
    let mut roots = RootCertStore::empty();
    roots.add(chain("ca.pem").remove(0)).unwrap();
    let key = PrivateKeyDer::from_pem_file(dir.join("server-key.pem")).unwrap();
    let config = ServerConfig::builder()
        .with_client_cert_verifier(WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap())
        .with_single_cert(chain("server.pem"), key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that may not come in is turned away, and the next one is served.
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut engine = UnixStream::connect(socket()).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut stream, &mut engine).await);
            });
        }
    });
    port
}

fn tls(dir: &Path, port: u16) -> ClientSettings {
    ClientSettings {
        docker_host: Some(format!("tcp://127.0.0.1:{port}")),
        docker_tls_verify: Some("1".to_owned()),
        docker_cert_path: Some(dir.to_owned()),
        ..ClientSettings::default()
    }
}

#[tokio::test]
async fn an_engine_behind_tls_is_reached_when_both_sides_prove_who_they_are() {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    let port = guarded_engine(dir.path()).await;
    let engine = Docker::connect(&tls(dir.path(), port)).unwrap();
    let facts = soon(engine.facts()).await.unwrap();
    assert_eq!(facts.endpoint, format!("tcp://127.0.0.1:{port}"));
    assert!(!facts.local);
}

#[tokio::test]
async fn an_engine_that_another_authority_vouches_for_is_not_spoken_to() {
    let (dir, stranger) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certificates(dir.path());
    certificates(stranger.path());
    let port = guarded_engine(stranger.path()).await;
    let engine = Docker::connect(&tls(dir.path(), port)).unwrap();
    let error = soon(engine.facts()).await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error:?}");
}

#[test]
fn a_certificate_that_is_missing_or_broken_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for text in [None, Some("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")] {
        if let Some(text) = text {
            fs::write(dir.path().join("ca.pem"), text).unwrap();
        }
        let error = Docker::connect(&tls(dir.path(), 1)).unwrap_err();
        assert!(
            matches!(&error, Error::ClientConfig { path, .. } if path.ends_with("ca.pem")),
            "{error:?}"
        );
    }
}
