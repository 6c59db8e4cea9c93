//! HTTPS: a certificate that is read again when it changes, and handshakes that nobody waits for.

use std::time::Duration;

use gristmill_core::settings::{ByteSize, ReadError, SecretError, read_file};
use native_tls::{Identity, Protocol};
use openssl::pkey::PKey;
use openssl::x509::X509;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_native_tls::{TlsAcceptor, TlsStream};
use tracing::{info, warn};

use super::settings::TlsSettings;

/// How long a client may take to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);
/// A certificate and those it depends on are some KiB.
const LARGEST: ByteSize = ByteSize::kib(256);

/// Why there is no HTTPS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate cannot be read.
    #[error("api.tls.certificate: {path} cannot be read: {reason}")]
    Certificate {
        /// The file.
        path: String,
        /// The cause.
        reason: ReadError,
    },
    /// The key cannot be read.
    #[error("api.tls.key: {0}")]
    Key(#[from] SecretError),
    /// They do not belong together. OpenSSL finds that with the first client only.
    #[error(
        "api.tls: the key does not belong to the first certificate in {path}; put the certificate of this server first"
    )]
    OtherKey {
        /// The certificate.
        path: String,
    },
    /// They are in another format.
    #[error(
        "api.tls: {path} and its key cannot be used: {reason}; both are PEM, the certificate of this server first, the key PKCS #8 \
         (\"BEGIN PRIVATE KEY\"; \"openssl pkcs8 -topk8 -nocrypt\" makes one)"
    )]
    Unusable {
        /// The certificate.
        path: String,
        /// The cause.
        reason: native_tls::Error,
    },
}

/// Why a connection is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// It took longer than 10 s.
    #[error("the handshake took longer than {} s", HANDSHAKE.as_secs())]
    TooSlow,
    /// They did not agree.
    #[error("the handshake failed: {0}")]
    Failed(#[from] native_tls::Error),
}

/// What was read. Compared, so that only a change is taken over.
struct Files {
    certificate: Vec<u8>,
    key: SecretString,
}

impl Files {
    fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let certificate = read_file(&settings.certificate, LARGEST)
            .map_err(|reason| TlsError::Certificate { path: settings.certificate.display().to_string(), reason })?;
        Ok(Self { certificate, key: settings.key.read()? })
    }

    fn acceptor(&self, settings: &TlsSettings) -> Result<TlsAcceptor, TlsError> {
        let path = || settings.certificate.display().to_string();
        let key = self.key.expose_secret().as_bytes();
        let acceptor = Identity::from_pkcs8(&self.certificate, key).and_then(|identity| {
            native_tls::TlsAcceptor::builder(identity).min_protocol_version(Some(Protocol::Tlsv12)).build()
        });
        let acceptor = acceptor.map_err(|reason| TlsError::Unusable { path: path(), reason })?;
        let belongs = X509::from_pem(&self.certificate)
            .and_then(|certificate| Ok(certificate.public_key()?.public_eq(&*PKey::private_key_from_pem(key)?)));
        match belongs {
            Ok(true) => Ok(TlsAcceptor::from(acceptor)),
            Ok(false) | Err(_) => Err(TlsError::OtherKey { path: path() }),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.certificate == other.certificate && self.key.expose_secret() == other.key.expose_secret()
    }
}

/// Accepts connections in TLS 1.2 and later.
pub(crate) struct Acceptor {
    settings: TlsSettings,
    first: Files,
    current: watch::Sender<TlsAcceptor>,
}

impl Acceptor {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// If they cannot be read, or do not belong together.
    pub(crate) fn of(settings: &TlsSettings) -> Result<Self, TlsError> {
        let first = Files::read(settings)?;
        let current = watch::Sender::new(first.acceptor(settings)?);
        Ok(Self { settings: settings.clone(), first, current })
    }

    /// Agrees on keys with a client, within 10 s. To be called in the task of the connection, so that others are accepted
    /// meanwhile. Cancel-safe: the connection is closed.
    ///
    /// # Errors
    /// If that fails or takes too long.
    pub(crate) async fn accept(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let acceptor = self.current.borrow().clone();
        match timeout(HANDSHAKE, acceptor.accept(stream)).await {
            Ok(accepted) => Ok(accepted?),
            Err(_) => Err(HandshakeError::TooSlow),
        }
    }

    /// Takes over what changes in the files, every 10 s, for ever. What cannot be used is said once in the log, and the old
    /// certificate stays. May be dropped at any time.
    pub(crate) async fn keep_up(&self) {
        let mut last: Option<Files> = None;
        loop {
            sleep(LOOK).await;
            last = self.look(last).await;
        }
    }

    /// Looks at the files once; `last` is what they were when they were last different from the first.
    async fn look(&self, last: Option<Files>) -> Option<Files> {
        let settings = self.settings.clone();
        // A file system over a network may take long.
        let read = match tokio::task::spawn_blocking(move || Files::read(&settings)).await {
            Ok(Ok(read)) => read,
            // Half of a renewal: the next look finds both.
            Ok(Err(error)) => {
                warn!(%error, "the API keeps its certificate");
                return last;
            }
            Err(_) => return last,
        };
        if read.is_same(last.as_ref().unwrap_or(&self.first)) {
            return last;
        }
        match read.acceptor(&self.settings) {
            Ok(acceptor) => {
                self.current.send_replace(acceptor);
                info!(certificate = %self.settings.certificate.display(), "the API has a new certificate");
            }
            Err(error) => warn!(%error, "the API keeps its certificate"),
        }
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use gristmill_core::settings::SecretRef;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A certificate of this name and its key. `false` if there is no `openssl` here.
    fn certificate(folder: &Path, name: &str) -> bool {
        let subject = format!("/CN={name}");
        let openssl = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", &subject])
            .args(["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "certificate.pem"])
            .current_dir(folder)
            .output();
        match openssl {
            Ok(output) => {
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                true
            }
            Err(_) => {
                eprintln!("skipped: there is no openssl here");
                false
            }
        }
    }

    fn settings(folder: &Path) -> TlsSettings {
        TlsSettings { certificate: folder.join("certificate.pem"), key: SecretRef::File(folder.join("key.pem")) }
    }

    /// The certificate that a client is shown.
    async fn shown(
        acceptor: &Acceptor,
        oldest: Protocol,
        newest: Option<Protocol>,
    ) -> Result<Vec<u8>, native_tls::Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.write_all(b"x").await;
                let _ = stream.shutdown().await;
            }
        };
        let client = async {
            let connector = native_tls::TlsConnector::builder()
                .danger_accept_invalid_certs(true)
                .min_protocol_version(Some(oldest))
                .max_protocol_version(newest)
                .build()?;
            let stream = TcpStream::connect(address).await.unwrap();
            let mut stream = tokio_native_tls::TlsConnector::from(connector).connect("localhost", stream).await?;
            let mut read = Vec::new();
            let _ = stream.read_to_end(&mut read).await;
            assert_eq!(read, b"x");
            stream.get_ref().peer_certificate()?.unwrap().to_der()
        };
        tokio::join!(server, client).1
    }

    #[tokio::test]
    async fn a_new_certificate_is_taken_over_and_a_bad_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        if !certificate(folder.path(), "first") {
            return;
        }
        let acceptor = Acceptor::of(&settings(folder.path())).unwrap();
        let any = Protocol::Tlsv12;
        let first = shown(&acceptor, any, None).await.unwrap();
        let last = acceptor.look(None).await;
        assert!(last.is_none());
        std::fs::write(folder.path().join("certificate.pem"), "no certificate").unwrap();
        let last = acceptor.look(last).await;
        assert_eq!(shown(&acceptor, any, None).await.unwrap(), first);
        certificate(folder.path(), "second");
        let last = acceptor.look(last).await;
        let second = shown(&acceptor, any, None).await.unwrap();
        assert_ne!(second, first);
        std::fs::remove_file(folder.path().join("key.pem")).unwrap();
        acceptor.look(last).await;
        assert_eq!(shown(&acceptor, any, None).await.unwrap(), second);
    }

    /// By our bound, and where OpenSSL is 3.0 or later by its own level of security, too: it holds without ours there.
    #[tokio::test]
    async fn what_is_older_than_tls_1_2_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        if !certificate(folder.path(), "first") {
            return;
        }
        let acceptor = Acceptor::of(&settings(folder.path())).unwrap();
        assert!(shown(&acceptor, Protocol::Tlsv12, Some(Protocol::Tlsv12)).await.is_ok());
        assert!(shown(&acceptor, Protocol::Tlsv10, Some(Protocol::Tlsv11)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        if !certificate(folder.path(), "first") {
            return;
        }
        let acceptor = Acceptor::of(&settings(folder.path())).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        assert!(matches!(acceptor.accept(stream).await, Err(HandshakeError::TooSlow)));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused_with_the_way_out() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        if !certificate(folder.path(), "first") || !certificate(other.path(), "second") {
            return;
        }
        std::fs::copy(other.path().join("key.pem"), folder.path().join("key.pem")).unwrap();
        let error = Acceptor::of(&settings(folder.path())).err().unwrap().to_string();
        assert!(error.starts_with("api.tls: the key does not belong to the first certificate"), "{error}");
        std::fs::write(folder.path().join("key.pem"), "-----BEGIN RSA PRIVATE KEY-----\nAA==\n").unwrap();
        let error = Acceptor::of(&settings(folder.path())).err().unwrap().to_string();
        assert!(error.contains("certificate.pem and its key cannot be used") && error.contains("PKCS #8"), "{error}");
    }
}
