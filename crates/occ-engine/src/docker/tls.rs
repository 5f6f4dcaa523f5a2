//! Certificates of a TLS connection to an engine.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::endpoint::TlsFiles;
use crate::error::Error;

/// Reads the files and returns what shakes hands, and the name the engine must prove.
///
/// # Errors
/// [`Error::ClientConfig`] naming the file that cannot be used.
pub(super) fn connector(
    host: &str,
    files: &TlsFiles,
) -> Result<(TlsConnector, ServerName<'static>), Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca)? {
        roots.add(certificate).map_err(|error| unusable(&files.ca, error))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&files.ca, error))?
        .with_root_certificates(roots);
    let config = match &files.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let secret =
                PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| unusable(key, error))?;
            builder
                .with_client_auth_cert(certificates(certificate)?, secret)
                .map_err(|error| unusable(certificate, error))?
        }
    };
    let name = ServerName::try_from(host.to_owned()).map_err(|error| Error::Endpoint {
        origin: "the engine's address".to_owned(),
        value: host.to_owned(),
        why: error.to_string(),
    })?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(path, error))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::ClientConfig { path: path.to_owned(), source })
}

fn unusable(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    let source = io::Error::new(io::ErrorKind::InvalidData, error);
    Error::ClientConfig { path: path.to_owned(), source }
}
