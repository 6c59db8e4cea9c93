//! Accounts at registries, as Docker's configuration has them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gristmill_core::settings::{ByteSize, read_file};
use secrecy::SecretString;
use serde::Deserialize;

/// The largest configuration.
const LARGEST: ByteSize = ByteSize::mib(1);

/// Where accounts at registries are looked up.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    file: Option<PathBuf>,
}

/// A name and its password or token.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) password: SecretString,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    auth: Option<String>,
}

impl Credentials {
    /// Nobody's: only what everybody may take.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Those in a file of Docker's form, `{"auths": {"registry": {"auth": "base64 of name:password"}}}`, if it is there.
    #[must_use]
    pub fn in_file(file: PathBuf) -> Self {
        Self { file: Some(file) }
    }

    /// The account at a registry. A file that cannot be read has none, which is said. Blocks.
    pub(crate) fn of(&self, registry: &str) -> Option<Account> {
        let path = self.file.as_ref().filter(|path| path.exists())?;
        let bytes = match read_file(path, LARGEST) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::warn!(path = %path.display(), "no account at registries: {error}");
                return None;
            }
        };
        let Ok(file) = serde_json::from_slice::<File>(&bytes) else {
            tracing::warn!(path = %path.display(), "no account at registries: this is not Docker's configuration");
            return None;
        };
        let keys = [registry.to_owned(), format!("https://{registry}"), format!("https://{registry}/v1/")];
        let entry = keys.iter().find_map(|key| file.auths.get(key))?;
        let decoded = BASE64_STANDARD.decode(entry.auth.as_ref()?).ok()?;
        let (name, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some(Account { name: name.into(), password: password.to_owned().into() })
    }
}
