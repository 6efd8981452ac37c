//! TLS for the public listener: 1.2 and 1.3 with forward secrecy, and a certificate that follows its file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use openssl::error::ErrorStack;
use openssl::ssl::{SniError, SslAcceptor, SslAcceptorBuilder, SslContext, SslFiletype, SslMethod};
use tokio::task::JoinHandle;

use crate::config::Tls;

/// How often the files are looked at.
const TICK: Duration = Duration::from_secs(5);

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Certificate or key cannot be read, or do not go together.
    #[error("cannot use certificate {certificate} with key {key}: {source}", certificate = certificate.display(), key = key.display())]
    Files {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why.
        source: ErrorStack,
    },
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
    let load = || {
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        builder.set_certificate_chain_file(&files.certificate)?;
        builder.set_private_key_file(&files.key, SslFiletype::PEM)?;
        builder.check_private_key()?;
        Ok(builder)
    };
    load().map_err(|source| TlsError::Files {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        source,
    })
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
