//! TLS on the TCP listeners: certificate and key from files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

/// A handshake that takes longer is dropped; it holds a seat and no request yet.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// TLS cannot be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file is missing, or no PEM of the right kind.
    #[error("cannot read the TLS {what} from {}: {source}", path.display())]
    Unreadable {
        /// Certificate or key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls_pki_types::pem::Error,
    },
    /// Certificate and key do not go together.
    #[error("cannot use the TLS certificate and key: {0}")]
    Unfit(#[from] rustls::Error),
}

/// Certificate and key, ready for handshakes; clones share them.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<TlsAcceptor>>);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Loads a certificate chain and its key, both PEM. Without a slash in it, a name is a credential
    /// of the unit: a file in `$CREDENTIALS_DIRECTORY`.
    ///
    /// # Errors
    /// [`TlsError`] when a file cannot be read or they do not fit.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(acceptor(certificate, key)?))))
    }

    /// Loads them again, for handshakes from now on. Those that cannot be used change nothing.
    ///
    /// # Errors
    /// As [`Tls::load`].
    pub fn renew(&self, certificate: &Path, key: &Path) -> Result<(), TlsError> {
        let renewed = acceptor(certificate, key)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    /// Shakes hands.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await?
    }
}

fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let unreadable = |what, path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Unreadable { what, path, source }
    };
    let (certificate, key) = (credential(certificate), credential(key));
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect)
        .map_err(unreadable("certificate", &certificate))?;
    let key = PrivateKeyDer::from_pem_file(&key).map_err(unreadable("key", &key))?;
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn credential(path: &Path) -> PathBuf {
    match std::env::var_os("CREDENTIALS_DIRECTORY") {
        Some(directory) if path.components().count() == 1 => Path::new(&directory).join(path),
        Some(_) | None => path.to_owned(),
    }
}
