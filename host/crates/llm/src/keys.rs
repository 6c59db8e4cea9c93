//! Provider keys: secrets that fit into a header.

use anyhow::bail;
use gristmill_core::settings::SecretRef;
use secrecy::{ExposeSecret, SecretString};

/// Longer than any provider's key, in bytes; anything larger means the path is wrong.
const LONGEST_KEY: usize = 16 << 10;

/// Reads a key; surrounding whitespace is ignored.
///
/// # Errors
/// The key is missing or is not one line of visible ASCII. The error never shows any part of it.
pub(crate) fn read(origin: &SecretRef) -> anyhow::Result<SecretString> {
    let secret = match origin.read() {
        Ok(secret) => secret,
        Err(error) => bail!("{error}; or remove `key` if the server needs none"),
    };
    let key = secret.expose_secret().trim();
    if key.len() > LONGEST_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("{origin} does not hold a key: a key is one line of visible ASCII; check that it is the right one");
    }
    Ok(SecretString::from(key))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn file(content: &[u8]) -> (tempfile::TempDir, SecretRef) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, content).unwrap();
        (folder, SecretRef::File(path))
    }

    #[test]
    fn a_key_file_may_end_in_a_newline() {
        let (_folder, source) = file(b"  sk-canary\r\n");
        assert_eq!(read(&source).unwrap().expose_secret(), "sk-canary");
    }

    #[test]
    fn a_key_comes_from_the_environment() {
        // Cargo sets it for every test: tests must not change the environment.
        let source = SecretRef::Env("CARGO_PKG_NAME".into());
        assert_eq!(read(&source).unwrap().expose_secret(), "gristmill-llm");
    }

    #[test]
    fn errors_name_the_place_and_never_the_content() {
        let (_a, two_lines) = file(b"sk-canary\nsk-other");
        let (_b, binary) = file(b"sk-canary\xff");
        let (_c, empty) = file(b" \n");
        let (_d, large) = file(&vec![b'a'; 20_000]);
        for (source, expected) in [
            (two_lines, "does not hold a key"),
            (binary, "does not hold a secret"),
            (large, "does not hold a key"),
            (empty, "is empty"),
            (SecretRef::File(Path::new("/nonexistent/key").into()), "the file /nonexistent/key cannot be read"),
            (
                SecretRef::Env("GRISTMILL_NO_SUCH_KEY".into()),
                "the environment variable GRISTMILL_NO_SUCH_KEY is not set",
            ),
        ] {
            let error = read(&source).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }
}
