//! What an operator says of Redis, and the same with its secrets read.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use gristmill_core::settings::{ByteSize, ReadError, SecretError, SecretRef, Span, read_file, span};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::address::Addresses;

/// How long an entry is left to the host that has it, by default.
const CLAIM_AFTER: Duration = Duration::from_secs(60);
/// How long a record may take to be written, as with Kafka.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(120);
/// How long leaving may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// A certificate or a chain of them.
const LARGEST_CERTIFICATE: ByteSize = ByteSize::mib(1);
/// Where Linux says what the machine is called.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// The Redis server or cluster whose streams are the topics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// `"redis://host:port"`, or `rediss://` for TLS, with `/1` behind it for another database than 0. Several nodes,
    /// separated by commas, are a cluster. `GRISTMILL_BROKERS` overrides it in `run`, `send`, `tail` and `dlq`.
    #[schemars(extend("x-add" = r#"url = "redis://host:6379""#))]
    pub url: Addresses,
    /// The user, where Redis has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub username: Option<String>,
    /// The password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretRef>,
    /// `{ ca = "ca.pem", certificate = "client.pem", key = "client.key" }`, each if needed: certificates of authorities
    /// other than the system's, and what this client shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// What this host is called in its consumer group. Without the key it is the name of the machine, and a second host there
    /// adds `-2`. A name that is written here must be used by one host alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend(
        "pattern" = "^[A-Za-z0-9._-]{1,128}$",
        "x-show" = "the name of the machine",
        "x-fault" = "is no name of a consumer: {value}",
        "x-form" = "they have 1 to 128 of a-z, A-Z, 0-9, \".\", \"_\" and \"-\""
    ))]
    pub consumer: Option<String>,
    /// How long a host may be silent before others take over its entries. A host that lives says so all the time, however long
    /// its jobs take.
    #[serde(default = "claim_after", with = "span")]
    #[schemars(with = "Span", extend("x-min" = "5s", "x-max" = "24h"))]
    pub claim_after: Duration,
    /// About how many entries the streams of outputs and dead letters keep: the oldest beyond that are deleted, read or not.
    /// Without the key they keep all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_len: Option<NonZeroU64>,
    /// Whether missing streams are created. With `false`, a stream that is not there is an error.
    #[serde(default)]
    pub create_streams: Creation,
}

/// Files for encrypted connections, in PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Certificates of the authorities that are trusted, in place of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-path" = true))]
    pub ca: Option<PathBuf>,
    /// The client's own certificate, and those between it and its authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-path" = true))]
    pub certificate: Option<PathBuf>,
    /// Its key, as PKCS #8: the file begins with `BEGIN PRIVATE KEY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-path" = true))]
    pub key: Option<PathBuf>,
}

/// What happens to streams that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(from = "bool", into = "bool")]
#[schemars(with = "bool", inline)]
pub enum Creation {
    /// They are created.
    #[default]
    Missing,
    /// They are an error.
    Never,
}

impl From<bool> for Creation {
    fn from(create: bool) -> Self {
        if create { Self::Missing } else { Self::Never }
    }
}

impl From<Creation> for bool {
    fn from(creation: Creation) -> Self {
        creation == Creation::Missing
    }
}

fn claim_after() -> Duration {
    CLAIM_AFTER
}

/// What a host is called in its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consumer {
    /// This, and another host that is called so is an error.
    Exactly(String),
    /// This, or with a number behind it, if another host is called so.
    Numbered(String),
}

impl Consumer {
    /// By the name of this machine.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let named = std::fs::read_to_string(HOST_NAME).ok().or_else(|| std::env::var("HOSTNAME").ok());
        let name = named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        Self::Numbered(name.unwrap_or_else(|| "gristmill".to_owned()))
    }
}

/// How to reach Redis, and how entries are read and written.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is.
    pub addresses: Addresses,
    /// The user; `None` is Redis's default user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
    /// The content of the files, in PEM.
    pub certificates: Option<Certificates>,
    /// What this host is called in its group.
    pub consumer: Consumer,
    /// How long a host may be silent before others take over its entries. At least 100 ms.
    pub claim_after: Duration,
    /// About how many entries streams of outputs keep.
    pub max_len: Option<NonZeroU64>,
    /// Whether streams are created.
    pub creation: Creation,
    /// How long a record may take to be written, while Redis cannot be reached or takes none.
    pub delivery_timeout: Duration,
    /// How long a source may take to report what was settled and to leave its group.
    pub close_timeout: Duration,
}

/// What [`Tls`] names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// Of the authorities that are trusted.
    pub ca: Option<Vec<u8>>,
    /// The client's certificate and its key.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

/// Why settings cannot be used. Names the key under `[redis]`.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The password cannot be read.
    #[error("the password of Redis cannot be read")]
    Password(#[source] SecretError),
    /// A file cannot be read.
    #[error("{} cannot be read", file.display())]
    File {
        /// Its key in `tls`.
        key: &'static str,
        /// Its path.
        file: PathBuf,
        /// Why.
        source: ReadError,
    },
    /// The keys of `tls` do not fit each other or the address.
    #[error("{reason}")]
    Tls {
        /// The key in `tls`.
        key: &'static str,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// The client refuses them.
    #[error("these settings of Redis cannot be used: {0}")]
    Client(String),
}

impl SettingsError {
    /// The JSON Pointer to what is wrong, from the section.
    #[must_use]
    pub fn pointer(&self) -> String {
        match self {
            Self::Password(_) => "/password".to_owned(),
            Self::File { key, .. } | Self::Tls { key, .. } => format!("/tls/{key}"),
            Self::Client(_) => String::new(),
        }
    }
}

impl Redis {
    /// Redis at this address, with the defaults.
    #[must_use]
    pub fn new(url: Addresses) -> Self {
        Self {
            url,
            username: None,
            password: None,
            tls: None,
            consumer: None,
            claim_after: CLAIM_AFTER,
            max_len: None,
            create_streams: Creation::default(),
        }
    }

    /// The settings with all secrets and files read.
    ///
    /// # Errors
    /// What cannot be read, or does not fit.
    pub fn settings(&self) -> Result<Settings, SettingsError> {
        let password = self.password.as_ref().map(SecretRef::read).transpose().map_err(SettingsError::Password)?;
        let certificates = self.tls.as_ref().map(|tls| tls.read(&self.url)).transpose()?;
        Ok(Settings {
            username: self.username.clone(),
            password,
            certificates,
            consumer: self.consumer.clone().map_or_else(Consumer::of_this_machine, Consumer::Exactly),
            claim_after: self.claim_after,
            max_len: self.max_len,
            creation: self.create_streams,
            ..Settings::new(self.url.clone())
        })
    }
}

impl Tls {
    /// What is wrong with the keys beside each other and the address, without reading a file.
    #[must_use]
    pub fn fault(&self, addresses: &Addresses) -> Option<SettingsError> {
        let fault = |key, reason| Some(SettingsError::Tls { key, reason });
        let (some, client) = (self.ca.is_some(), (self.certificate.is_some(), self.key.is_some()));
        match client {
            (true, false) => return fault("certificate", "a certificate needs its key: add key = \"client.key\""),
            (false, true) => return fault("key", "a key needs its certificate: add certificate = \"client.pem\""),
            (true, true) | (false, false) => {}
        }
        let key = if some { "ca" } else { "certificate" };
        if (some || client.0) && !addresses.are_encrypted() {
            return fault(key, "the connection is not encrypted: write rediss:// in url, or take tls out");
        }
        if (some || client.0) && addresses.are_cluster() {
            return fault(
                key,
                "nodes of a cluster are checked by the system's authorities only: set SSL_CERT_FILE to the file of yours, and \
                 take tls out",
            );
        }
        None
    }

    fn read(&self, addresses: &Addresses) -> Result<Certificates, SettingsError> {
        if let Some(fault) = self.fault(addresses) {
            return Err(fault);
        }
        let read = |key, file: &PathBuf| {
            let unreadable = |source| SettingsError::File { key, file: file.clone(), source };
            read_file(file, LARGEST_CERTIFICATE).map_err(unreadable)
        };
        let ca = self.ca.as_ref().map(|file| read("ca", file)).transpose()?;
        let client = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some((read("certificate", certificate)?, read("key", key)?)),
            _ => None,
        };
        Ok(Certificates { ca, client })
    }
}

impl Settings {
    /// The defaults for Redis at this address.
    #[must_use]
    pub fn new(addresses: Addresses) -> Self {
        Self {
            addresses,
            username: None,
            password: None,
            certificates: None,
            consumer: Consumer::of_this_machine(),
            claim_after: CLAIM_AFTER,
            max_len: None,
            creation: Creation::default(),
            delivery_timeout: DELIVERY_TIMEOUT,
            close_timeout: CLOSE_TIMEOUT,
        }
    }

    /// How often a host says that it lives. Three times that without a word, its name is free.
    pub(super) fn beat(&self) -> Duration {
        (self.claim_after / 12).clamp(Duration::from_millis(25), Duration::from_secs(2))
    }

    /// How long a name is kept for a host that has fallen silent.
    pub(super) fn name_kept(&self) -> Duration {
        self.beat() * 3
    }

    /// How often entries in work are said to be in work.
    pub(super) fn renewal(&self) -> Duration {
        self.claim_after / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(ca: bool, certificate: bool, key: bool) -> Tls {
        let path = |some: bool| some.then(|| PathBuf::from("x.pem"));
        Tls { ca: path(ca), certificate: path(certificate), key: path(key) }
    }

    #[test]
    fn files_for_tls_fit_each_other_and_the_address() {
        let fault = |url: &str, tls: Tls| tls.fault(&url.parse().unwrap()).map(|fault| fault.pointer());
        assert_eq!(fault("rediss://a", tls(true, true, true)), None);
        assert_eq!(fault("rediss://a", tls(true, false, false)), None);
        assert_eq!(fault("rediss://a", tls(true, true, false)).as_deref(), Some("/tls/certificate"));
        assert_eq!(fault("rediss://a", tls(false, false, true)).as_deref(), Some("/tls/key"));
        assert_eq!(fault("redis://a", tls(true, false, false)).as_deref(), Some("/tls/ca"));
        assert_eq!(fault("rediss://a,b", tls(true, false, false)).as_deref(), Some("/tls/ca"));
        assert_eq!(fault("redis://a,b", tls(false, false, false)), None);
    }

    #[test]
    fn a_host_that_lives_is_heard_well_before_it_is_taken_for_dead() {
        for seconds in [1, 5, 60, 86_400] {
            let settings =
                Settings { claim_after: Duration::from_secs(seconds), ..Settings::new("redis://a".parse().unwrap()) };
            assert!(settings.renewal() * 3 < settings.claim_after);
            assert!(settings.name_kept() < settings.claim_after);
        }
    }
}
