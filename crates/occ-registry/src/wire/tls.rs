//! Who may vouch for a registry: the machine's own bundle of authorities, private ones included.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::error::Reason;

/// Where systems keep their bundle: Debian and its relatives, Red Hat's, and macOS. A private
/// authority that the machine's owner has installed is in it.
pub const SYSTEM_BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Files of certificates in PEM form; they are read when the first encrypted connection is opened.
#[derive(Debug, Clone)]
pub struct Authorities {
    /// Taken from the first that is there.
    bundles: Vec<PathBuf>,
    /// Taken as well; each must be there.
    more: Vec<PathBuf>,
}

impl Authorities {
    /// Returns the system's own.
    pub fn of_system() -> Self {
        Self { bundles: SYSTEM_BUNDLES.map(PathBuf::from).to_vec(), more: Vec::new() }
    }

    /// Returns those of one file instead, the one that `SSL_CERT_FILE` names.
    pub fn of_file(path: impl Into<PathBuf>) -> Self {
        Self { bundles: Vec::new(), more: vec![path.into()] }
    }

    /// Returns the same and those of one more file.
    #[must_use]
    pub fn and(mut self, path: impl Into<PathBuf>) -> Self {
        self.more.push(path.into());
        self
    }

    /// Reads the files.
    pub(super) fn client(&self) -> Result<Arc<ClientConfig>, Reason> {
        let mut roots = RootCertStore::empty();
        let bundle = self.bundles.iter().find(|path| path.exists());
        for path in bundle.into_iter().chain(&self.more) {
            // Real bundles have a few certificates that are not understood; they vouch for nobody.
            let (added, _) = roots.add_parsable_certificates(certificates(path)?);
            if added == 0 {
                let source = io::Error::new(io::ErrorKind::InvalidData, "there are none in it");
                return Err(Reason::Certificates { path: path.clone(), source });
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Reason::Broken(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Reason> {
    let unusable = |source| Reason::Certificates { path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(unusable)?;
    CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(io::Error::new(io::ErrorKind::InvalidData, error)))
}
