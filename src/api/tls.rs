//! TLS for the public listener: 1.2 and 1.3 with forward secrecy, and a certificate that follows its file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{SniError, SslAcceptor, SslAcceptorBuilder, SslContext, SslMethod};
use tokio::task::JoinHandle;

use crate::config::Tls;

/// How often the files are looked at.
const TICK: Duration = Duration::from_secs(5);

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}", path = .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds no certificate.
    #[error("{path} is not a certificate in PEM: {source}", path = .path.display())]
    Certificate {
        /// Which.
        path: PathBuf,
        /// Why.
        source: ErrorStack,
    },
    /// A file holds no key that could be used.
    #[error("{path} is not a private key in PEM, or needs a password: {source}", path = .path.display())]
    Key {
        /// Which.
        path: PathBuf,
        /// Why.
        source: ErrorStack,
    },
    /// The key is another's.
    #[error("{key} is not the key of the certificate {certificate}", key = .key.display(), certificate = .certificate.display())]
    OtherKey {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// OpenSSL failed.
    #[error("{0}")]
    OpenSsl(#[from] ErrorStack),
}

/// What handshakes use. Looks for a new certificate until it is dropped.
pub(super) struct Certificate {
    current: Arc<RwLock<SslContext>>,
    watcher: JoinHandle<()>,
}

impl Drop for Certificate {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

impl Certificate {
    /// Uses `context`, which is that of `files`, and what replaces it there later. Needs a tokio runtime.
    pub(super) fn replace(&mut self, files: &Tls, context: SslContext) {
        self.watcher.abort();
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = context;
        self.watcher = watch(files.clone(), Arc::clone(&self.current));
    }
}

/// A listener's TLS: the certificate in `files`, and what replaces it later. Needs a tokio runtime.
pub(super) fn acceptor(files: &Tls) -> Result<(SslAcceptorBuilder, Certificate), TlsError> {
    let current = Arc::new(RwLock::new(context(files)?));
    let mut builder = load(files)?;
    let offered = Arc::clone(&current);
    // OpenSSL asks on every handshake, whether or not the client names a server.
    builder.set_servername_callback(move |ssl, _| {
        let context = offered.read().unwrap_or_else(PoisonError::into_inner);
        ssl.set_ssl_context(&context).map_err(|_| SniError::ALERT_FATAL)
    });
    let watcher = watch(files.clone(), Arc::clone(&current));
    Ok((builder, Certificate { current, watcher }))
}

fn watch(files: Tls, current: Arc<RwLock<SslContext>>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut seen = stamps(&files);
        loop {
            tokio::time::sleep(TICK).await;
            let found = stamps(&files);
            if found == seen {
                continue;
            }
            match context(&files) {
                Ok(context) => {
                    *current.write().unwrap_or_else(PoisonError::into_inner) = context;
                    seen = found;
                    tracing::info!(certificate = %files.certificate.display(), "a new certificate is in use");
                }
                // Certificate and key are replaced one after the other: the next look finds both.
                Err(error) => tracing::warn!(%error, "the certificate changed, and the old one stays in use"),
            }
        }
    })
}

fn load(files: &Tls) -> Result<SslAcceptorBuilder, TlsError> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    let (certificate, key) = (&files.certificate, &files.key);
    let read =
        |path: &PathBuf| fs::read(path).map_err(|source| TlsError::Unreadable { path: path.clone(), source });
    read(certificate)?;
    let pem = read(key)?;
    builder
        .set_certificate_chain_file(certificate)
        .map_err(|source| TlsError::Certificate { path: certificate.clone(), source })?;
    // Given no password, OpenSSL would ask whoever sits at the terminal.
    let private = PKey::private_key_from_pem_passphrase(&pem, b"")
        .map_err(|source| TlsError::Key { path: key.clone(), source })?;
    let other = |_| TlsError::OtherKey { certificate: certificate.clone(), key: key.clone() };
    builder.set_private_key(&private).map_err(other)?;
    builder.check_private_key().map_err(other)?;
    Ok(builder)
}

/// What a handshake with the certificate in `files` uses.
pub(super) fn context(files: &Tls) -> Result<SslContext, TlsError> {
    Ok(load(files)?.build().into_context())
}

/// When the files were last written.
fn stamps(files: &Tls) -> [Option<SystemTime>; 2] {
    let stamp = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    [stamp(&files.certificate), stamp(&files.key)]
}
