//! References to secrets. Secrets are read once, at startup, and are never part of the settings.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::file::{ReadError, read_file};
use super::quantity::ByteSize;

/// A secret is a password, a key, or a few certificates; a larger file means a wrong path.
const LARGEST_SECRET: ByteSize = ByteSize::kib(64);

/// Where a secret is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(extend(
    "x-noun" = "secret",
    "x-fault" = "is a secret and must not stand in the file",
    "x-form" = r#"write { env = "NAME" } or { file = "path" }"#
))]
pub enum SecretRef {
    /// The name of an environment variable.
    Env(
        #[schemars(length(min = 1), extend(
            "pattern" = r"^[^=\u0000]*$",
            "x-fault" = "is not the name of a variable",
            "x-form" = "for example OPENAI_API_KEY"
        ))]
        String,
    ),
    /// A file that holds nothing else.
    File(#[schemars(length(min = 1), extend("x-path" = true))] PathBuf),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

/// Why a secret could not be read. Nothing that was read is shown.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set.
    #[error("{origin} is not set; set it")]
    Missing {
        /// Where the secret should be.
        origin: SecretRef,
    },
    /// There is only white space.
    #[error("{origin} is empty; put the secret there")]
    Empty {
        /// Where the secret should be.
        origin: SecretRef,
    },
    /// The content is not text, or far too long.
    #[error("{origin} does not hold a secret: a secret is text of at most 64KiB; check that it is the right one")]
    NotASecret {
        /// Where the secret should be.
        origin: SecretRef,
    },
    /// The file cannot be read.
    #[error("{origin} cannot be read: {reason}; check its path and permissions")]
    Unreadable {
        /// Where the secret should be.
        origin: SecretRef,
        /// The cause.
        reason: ReadError,
    },
}

/// Whether others than its owner may read a file: its group, or everybody. `false` for one that cannot be looked at.
#[must_use]
pub fn is_open_to_others(file: &Path) -> bool {
    const READ_BY_GROUP_OR_OTHERS: u32 = 0o044;
    std::fs::metadata(file).is_ok_and(|file| file.mode() & READ_BY_GROUP_OR_OTHERS != 0)
}

impl SecretRef {
    /// Reads the secret: text of at most 64 KiB, possibly on several lines, as in a certificate. Line breaks around it
    /// are trimmed; other white space is kept, because a password may begin or end with it.
    ///
    /// # Errors
    /// If there is no secret, or it is not text of at most 64 KiB.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let origin = || self.clone();
        let text = match self {
            Self::Env(name) => match std::env::var(name) {
                Ok(text) => text,
                Err(std::env::VarError::NotPresent) => return Err(SecretError::Missing { origin: origin() }),
                Err(std::env::VarError::NotUnicode(_)) => return Err(SecretError::NotASecret { origin: origin() }),
            },
            Self::File(path) => {
                let bytes = match read_file(path, LARGEST_SECRET) {
                    Ok(bytes) => bytes,
                    Err(ReadError::TooLarge { .. }) => return Err(SecretError::NotASecret { origin: origin() }),
                    Err(reason) => return Err(SecretError::Unreadable { origin: origin(), reason }),
                };
                // Not `from_utf8(..)?`: its error would carry the bytes.
                match String::from_utf8(bytes) {
                    Ok(text) => text,
                    Err(_) => return Err(SecretError::NotASecret { origin: origin() }),
                }
            }
        };
        let secret = text.trim_matches(['\r', '\n']);
        if secret.trim().is_empty() {
            return Err(SecretError::Empty { origin: origin() });
        }
        if secret.len() > LARGEST_SECRET.as_usize() || secret.contains(is_binary) {
            return Err(SecretError::NotASecret { origin: origin() });
        }
        Ok(SecretString::from(secret))
    }
}

fn is_binary(character: char) -> bool {
    character.is_control() && !matches!(character, '\n' | '\r' | '\t')
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    fn file(content: &[u8]) -> (tempfile::TempDir, SecretRef) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, content).unwrap();
        (folder, SecretRef::File(path))
    }

    #[test]
    fn a_file_may_end_in_a_newline() {
        let (_folder, source) = file(b"canary with a blank \r\n");
        assert_eq!(source.read().unwrap().expose_secret(), "canary with a blank ");
    }

    #[test]
    fn a_certificate_has_several_lines() {
        let (_folder, source) = file(b"-----BEGIN-----\ncanary\n-----END-----\n");
        assert_eq!(source.read().unwrap().expose_secret(), "-----BEGIN-----\ncanary\n-----END-----");
    }

    #[test]
    fn a_secret_comes_from_the_environment() {
        // Set by cargo for every test, because tests must not change the environment.
        let source = SecretRef::Env("CARGO_PKG_NAME".into());
        assert_eq!(source.read().unwrap().expose_secret(), "gristmill-core");
    }

    #[test]
    fn errors_name_the_place_and_never_the_content() {
        let (_a, control) = file(b"canary\x00other");
        let (_b, binary) = file(b"canary\xff");
        let (_c, empty) = file(b" \n");
        let (_d, large) = file(&vec![b'a'; 70_000]);
        for (source, expected) in [
            (control, "does not hold a secret"),
            (binary, "does not hold a secret"),
            (large, "does not hold a secret"),
            (empty, "is empty"),
            (SecretRef::File(Path::new("/nonexistent/key").into()), "the file /nonexistent/key cannot be read"),
            (
                SecretRef::Env("GRISTMILL_NO_SUCH_KEY".into()),
                "the environment variable GRISTMILL_NO_SUCH_KEY is not set",
            ),
        ] {
            let error = source.read().unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn a_file_is_open_if_its_group_or_everybody_may_read_it() {
        let (_folder, source) = file(b"canary");
        let SecretRef::File(path) = source else { panic!() };
        for (mode, open) in [(0o600, false), (0o400, false), (0o611, false), (0o640, true), (0o604, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_open_to_others(&path), open, "{mode:o}");
        }
        assert!(!is_open_to_others(Path::new("/nonexistent/key")));
    }

    #[test]
    fn a_reference_is_written_as_a_table() {
        let read = |json: &str| serde_json::from_str::<SecretRef>(json).ok();
        assert_eq!(read(r#"{"env": "KEY"}"#), Some(SecretRef::Env("KEY".into())));
        assert_eq!(read(r#"{"file": "a/b"}"#), Some(SecretRef::File("a/b".into())));
        assert_eq!(read("\"KEY\""), None);
    }
}
