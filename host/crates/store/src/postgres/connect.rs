//! How a host reaches PostgreSQL: encrypted as the address says, with a pool of connections.

use std::path::Path;
use std::time::Duration;

use deadpool_postgres::{Manager, Pool, Runtime};
use gristmill_core::settings::{ByteSize, read_file};
use native_tls::{Certificate, TlsConnector};
use postgres_native_tls::MakeTlsConnector;
use secrecy::ExposeSecret;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use crate::settings::ServerSettings;
use crate::url::{PostgresUrl, TlsMode};

/// How long a connection may take, unless the address says otherwise.
const CONNECT: Duration = Duration::from_secs(5);
/// How long to wait for a free connection, or for a new one.
const WAIT: Duration = Duration::from_secs(10);
/// A peer that has confirmed nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(30);
/// More certificates than that mean a wrong path.
const LARGEST_CA: ByteSize = ByteSize::mib(1);

/// A database, and how to reach it.
#[derive(Clone)]
pub(super) struct Database {
    config: Config,
    tls: MakeTlsConnector,
}

impl Database {
    /// # Errors
    /// The address or the certificates cannot be used.
    pub(super) fn new(url: &PostgresUrl, settings: &ServerSettings) -> Result<Self, String> {
        let mut config = url.config().map_err(|error| format!("store.url cannot be used ({error})"))?;
        if let Some(password) = &settings.password {
            config.password(password.expose_secret());
        }
        if config.get_application_name().is_none() {
            config.application_name("gristmill");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        let mode = decide(url.mode(), settings.ca.is_some());
        config.ssl_mode(match mode {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => SslMode::Require,
        });
        Ok(Self { config, tls: connector(mode, settings.ca.as_deref())? })
    }

    /// A pool of at most so many connections, which are opened when they are needed.
    ///
    /// # Errors
    /// The pool cannot be built, which is a bug.
    pub(super) fn pool(&self, connections: usize) -> Result<Pool, String> {
        let builder = Pool::builder(Manager::new(self.config.clone(), self.tls.clone()))
            .max_size(connections)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .recycle_timeout(Some(WAIT))
            .runtime(Runtime::Tokio1);
        builder.build().map_err(|error| error.to_string())
    }
}

/// As libpq decides: certificates that were named are to be used.
fn decide(mode: Option<TlsMode>, has_ca: bool) -> TlsMode {
    match (mode, has_ca) {
        (None, false) => TlsMode::Prefer,
        (None, true) => TlsMode::VerifyFull,
        (Some(TlsMode::Require), true) => TlsMode::VerifyCa,
        (Some(mode), _) => mode,
    }
}

fn connector(mode: TlsMode, ca: Option<&Path>) -> Result<MakeTlsConnector, String> {
    let mut builder = TlsConnector::builder();
    let (any_authority, any_host) = match mode {
        TlsMode::Disable | TlsMode::Prefer | TlsMode::Require => (true, true),
        TlsMode::VerifyCa => (false, true),
        TlsMode::VerifyFull => (false, false),
    };
    builder.danger_accept_invalid_certs(any_authority).danger_accept_invalid_hostnames(any_host);
    if let Some(ca) = ca {
        let unusable = |reason: String| format!("the certificates in {} cannot be used: {reason}", ca.display());
        let pem = read_file(ca, LARGEST_CA).map_err(|error| unusable(error.to_string()))?;
        let certificates = Certificate::stack_from_pem(&pem).map_err(|error| unusable(error.to_string()))?;
        if certificates.is_empty() {
            return Err(unusable("there are none; name a file of certificates in PEM form (store.ca)".to_owned()));
        }
        builder.disable_built_in_roots(true);
        for certificate in certificates {
            builder.add_root_certificate(certificate);
        }
    }
    let connector = builder.build().map_err(|error| format!("TLS cannot be set up ({error})"))?;
    Ok(MakeTlsConnector::new(connector))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_that_were_named_are_used() {
        assert_eq!(decide(None, false), TlsMode::Prefer);
        assert_eq!(decide(None, true), TlsMode::VerifyFull);
        assert_eq!(decide(Some(TlsMode::Require), false), TlsMode::Require);
        assert_eq!(decide(Some(TlsMode::Require), true), TlsMode::VerifyCa);
        assert_eq!(decide(Some(TlsMode::Disable), true), TlsMode::Disable);
    }

    #[test]
    fn certificates_that_cannot_be_used_are_told_with_their_file() {
        let folder = tempfile::tempdir().unwrap();
        let (empty, missing) = (folder.path().join("empty.pem"), folder.path().join("missing.pem"));
        std::fs::write(&empty, "no certificate").unwrap();
        for file in [empty, missing] {
            let error = connector(TlsMode::VerifyFull, Some(&file)).err().unwrap();
            assert!(error.contains(&file.display().to_string()), "{error}");
        }
    }
}
