//! `[api]` of the host file.

use std::path::PathBuf;

use gristmill_core::flow::settings::{Recorded, Results};
use gristmill_core::settings::{ByteSize, Listen, SecretRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The HTTP API, which accepts jobs and lets their owners follow them. Without this table there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiSettings {
    /// `"IP:PORT"`, for example `"127.0.0.1:8080"`. `--api` and `GRISTMILL_API` override it.
    pub listen: Listen,
    /// Lets everybody in who reaches an address that other machines can reach, without `[auth]`. Such an address is refused
    /// otherwise.
    #[serde(default)]
    pub anyone: bool,
    /// The largest body of a request.
    #[serde(default = "max_body")]
    #[schemars(extend("x-min" = "1KiB", "x-max" = "1024GiB"))]
    pub max_body: ByteSize,
    /// Which jobs have records, and can be asked for.
    #[serde(default)]
    pub record: Recorded,
    /// What becomes of the bytes of outputs, beside the sink.
    #[serde(default)]
    pub results: Results,
    /// The web sites whose pages may call the API.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cors: Vec<CorsOrigin>,
    /// Answers in HTTPS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSettings>,
    /// A file to which every change is appended, as a line of JSON. Without the key they are lines of the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-path" = true, "x-show" = "the log"))]
    pub audit: Option<PathBuf>,
}

/// The certificate of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// A file with the certificate and those that it depends on (PEM). Read again when it changes.
    #[schemars(length(min = 1), extend("x-path" = true))]
    pub certificate: PathBuf,
    /// Its private key (PKCS #8, PEM), a secret.
    pub key: SecretRef,
}

/// A web site, as browsers send it: scheme, host, and port if it is not the usual one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline, extend(
    "pattern" = r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$",
    "x-noun" = "web site",
    "x-form" = "write scheme and host in lower case, for example https://app.example.com"
))]
pub struct CorsOrigin(pub String);

impl ApiSettings {
    /// Everything as it is where nobody says otherwise, on this address.
    #[must_use]
    pub fn on(listen: Listen) -> Self {
        Self {
            listen,
            anyone: false,
            max_body: max_body(),
            record: Recorded::default(),
            results: Results::default(),
            cors: Vec::new(),
            tls: None,
            audit: None,
        }
    }
}

/// The largest body if nobody says otherwise.
fn max_body() -> ByteSize {
    ByteSize::mib(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_address_has_to_be_said() {
        let settings: ApiSettings = toml::from_str("listen = \"127.0.0.1:8080\"").unwrap();
        assert_eq!(settings.record, Recorded::All);
        assert_eq!(settings.results, Results::Keep);
        assert!(!settings.anyone && settings.tls.is_none());
        assert_eq!(settings, ApiSettings::on(settings.listen));
        assert!(toml::from_str::<ApiSettings>("").is_err());
    }
}
