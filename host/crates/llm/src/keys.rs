//! Keys of providers: read once, and never shown.

use std::fmt;
use std::io::Read;

use super::settings::KeySource;

/// A key is a line of text; a larger file is a wrong path.
const LARGEST_KEY: u64 = 16 << 10;

/// A key. Neither `Debug` nor `Display` shows any part of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The key itself, for the one header that carries it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Nothing is there.
    #[error("{origin} is not set; set it to the provider's key, or take `key` away if the server wants none")]
    Missing {
        /// Where it was looked for.
        origin: KeySource,
    },
    /// Only white space is there.
    #[error("{origin} is empty; put the provider's key there, or take `key` away if the server wants none")]
    Empty {
        /// Where it was looked for.
        origin: KeySource,
    },
    /// What is there is no key: not one line of visible ASCII, or far too long.
    #[error(
        "{origin} does not hold a key: a key is one line of visible ASCII characters; check that it is the right one"
    )]
    NotAKey {
        /// Where it was looked for.
        origin: KeySource,
    },
    /// The file cannot be read.
    #[error("{origin} cannot be read; check its path and permissions")]
    Unreadable {
        /// Where it was looked for.
        origin: KeySource,
        /// Why.
        source: std::io::Error,
    },
}

/// Reads a key; white space around it does not count.
pub(super) fn read(origin: &KeySource) -> Result<Secret, KeyError> {
    let text = match origin {
        KeySource::Env(name) => match std::env::var(name) {
            Ok(text) => text,
            Err(std::env::VarError::NotPresent) => return Err(KeyError::Missing { origin: origin.clone() }),
            Err(std::env::VarError::NotUnicode(_)) => return Err(KeyError::NotAKey { origin: origin.clone() }),
        },
        KeySource::File(path) => {
            let unreadable = |source| KeyError::Unreadable { origin: origin.clone(), source };
            let file = std::fs::File::open(path).map_err(unreadable)?;
            let mut bytes = Vec::new();
            file.take(LARGEST_KEY).read_to_end(&mut bytes).map_err(unreadable)?;
            // Not `from_utf8(..)?`: its error would carry the bytes.
            match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(_) => return Err(KeyError::NotAKey { origin: origin.clone() }),
            }
        }
    };
    let key = text.trim();
    if key.is_empty() {
        return Err(KeyError::Empty { origin: origin.clone() });
    }
    if key.len() as u64 >= LARGEST_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(KeyError::NotAKey { origin: origin.clone() });
    }
    Ok(Secret(key.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn file(content: &[u8]) -> (tempfile::TempDir, KeySource) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, content).unwrap();
        (folder, KeySource::File(path))
    }

    #[test]
    fn a_key_file_may_end_in_a_newline() {
        let (_folder, source) = file(b"  sk-canary\r\n");
        assert_eq!(read(&source).unwrap().expose(), "sk-canary");
    }

    #[test]
    fn a_key_comes_from_the_environment() {
        // Set by cargo for every test: no test may change the environment.
        let source = KeySource::Env("CARGO_PKG_NAME".into());
        assert_eq!(read(&source).unwrap().expose(), "gristmill-llm");
    }

    #[test]
    fn a_secret_is_never_shown() {
        let (_folder, source) = file(b"sk-canary");
        let secret = read(&source).unwrap();
        let shown = format!("{secret} {secret:?} {secret:#?} {:?}", Some(&secret));
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn errors_name_the_place_and_never_the_content() {
        let (_a, two_lines) = file(b"sk-canary\nsk-other");
        let (_b, binary) = file(b"sk-canary\xff");
        let (_c, empty) = file(b" \n");
        let (_d, large) = file(&vec![b'a'; 20_000]);
        for (source, expected) in [
            (two_lines, "does not hold a key"),
            (binary, "does not hold a key"),
            (large, "does not hold a key"),
            (empty, "is empty"),
            (KeySource::File(Path::new("/nonexistent/key").into()), "the file /nonexistent/key cannot be read"),
            (
                KeySource::Env("GRISTMILL_NO_SUCH_KEY".into()),
                "the environment variable GRISTMILL_NO_SUCH_KEY is not set",
            ),
        ] {
            let error = read(&source).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }
}
