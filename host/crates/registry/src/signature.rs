//! Signatures as `cosign sign --key` makes them: a small JSON document that names the manifest, signed with a key on the
//! curve P-256.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gristmill_core::settings::{ByteSize, read_file};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Public};
use openssl::sign::Verifier;
use serde::{Deserialize, Serialize};

use super::{Digest, PullError};

/// The largest file of a key.
const LARGEST_KEY: ByteSize = ByteSize::kib(64);
/// The largest document that is signed.
pub(crate) const LARGEST_SIGNED: usize = 64 << 10;
/// How many signatures of a manifest are looked at.
pub(crate) const MOST_SIGNATURES: usize = 32;
/// What a layer with a signed document is called, and where its signature is.
pub(crate) const SIGNED: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
pub(crate) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// A public key, `cosign.pub`.
#[derive(Debug, Clone)]
pub struct TrustedKey {
    path: PathBuf,
    key: PKey<Public>,
}

/// A signed document and its signature in Base64.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Signed {
    pub(crate) document: String,
    pub(crate) signature: String,
}

#[derive(Deserialize)]
struct Document {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

impl TrustedKey {
    /// Reads a public key on the curve P-256 in PEM. Blocks.
    ///
    /// # Errors
    /// The file cannot be read, or has no such key.
    pub fn read(path: &Path) -> Result<Self, PullError> {
        let fault = |reason: String| PullError::Key { path: path.to_owned(), reason };
        let pem = read_file(path, LARGEST_KEY).map_err(|error| fault(error.to_string()))?;
        let key = PKey::public_key_from_pem(&pem).map_err(|_| fault("it is no public key in PEM".into()))?;
        match key.ec_key().ok().and_then(|key| key.group().curve_name()) {
            Some(Nid::X9_62_PRIME256V1) => Ok(Self { path: path.to_owned(), key }),
            _ => Err(fault("it is not on the curve P-256, as those of `cosign generate-key-pair` are".into())),
        }
    }

    /// The key's file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Why none of these signatures says that the manifest is good; `Ok` if one does.
    pub(crate) fn check(&self, manifest: &Digest, signatures: &[Signed]) -> Result<(), String> {
        if signatures.is_empty() {
            return Err("the registry has no signature of it".into());
        }
        let mut why = "none of its signatures is of this key";
        for signed in signatures {
            if !self.has_signed(signed) {
                continue;
            }
            let document = serde_json::from_str::<Document>(&signed.document);
            if document.is_ok_and(|document| {
                document.critical.kind == "cosign container image signature"
                    && Digest::parse(&document.critical.image.digest) == Some(*manifest)
            }) {
                return Ok(());
            }
            why = "this key has signed another one in its place";
        }
        Err(why.into())
    }

    fn has_signed(&self, signed: &Signed) -> bool {
        let Ok(signature) = BASE64_STANDARD.decode(&signed.signature) else { return false };
        let verify = || {
            let mut verifier = Verifier::new(MessageDigest::sha256(), &self.key)?;
            verifier.verify_oneshot(&signature, signed.document.as_bytes())
        };
        verify().unwrap_or(false)
    }
}
