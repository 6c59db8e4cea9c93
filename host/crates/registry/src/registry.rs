//! Takes components: from the cache, or over the network.

use std::path::PathBuf;

use bytes::Bytes;

use super::cache::Cache;
use super::client::{Client, Wanted, http};
use super::manifest::{ACCEPT, LARGEST_MANIFEST, Manifest};
use super::signature::{LARGEST_SIGNED, MOST_SIGNATURES, SIGNATURE, SIGNED, Signed};
use super::{Credentials, Digest, PullError, Reference, TrustedKey};

/// Whether something may be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// What is not in the cache is fetched.
    #[default]
    Online,
    /// Only the cache is looked at.
    Offline,
}

/// Takes components from registries into a cache. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry {
    cache: Cache,
    credentials: Credentials,
    network: Network,
}

impl Registry {
    /// With its cache in this folder, which is made when something is kept.
    #[must_use]
    pub fn new(cache: PathBuf, credentials: Credentials, network: Network) -> Self {
        Self { cache: Cache::new(cache), credentials, network }
    }

    /// The component that a reference names, of at most 64 MiB, and only if one of its signatures is of the key, where one is
    /// given. What is in the cache is not asked for again. Cancel-safe: what is whole is kept.
    ///
    /// # Errors
    /// It cannot be had, is not what its digest says, is no component, or is not signed.
    pub async fn component(&self, reference: &Reference, key: Option<&TrustedKey>) -> Result<Bytes, PullError> {
        let client = http().map_err(|error| PullError::Connection {
            what: reference.to_string(),
            reason: format!("no HTTP client can be made: {error}"),
        })?;
        let (credentials, registry) = (self.credentials.clone(), reference.registry().to_owned());
        let account = blocking(move || credentials.of(&registry)).await.flatten();
        let source = Source { registry: self, reference, client: Client::new(&client, reference, account) };
        let bytes = source.manifest().await?;
        if let Some(key) = key {
            source.check_signature(key).await?;
        }
        let fault = |reason| PullError::NotAComponent { reference: reference.to_string(), reason };
        let (digest, size) = Manifest::read(&bytes).and_then(|manifest| manifest.component()).map_err(fault)?;
        source.blob(digest, size, &format!("the component of {reference}")).await
    }
}

/// Where one component comes from.
struct Source<'s> {
    registry: &'s Registry,
    reference: &'s Reference,
    client: Client<'s>,
}

impl Source<'_> {
    async fn manifest(&self) -> Result<Bytes, PullError> {
        let digest = self.reference.digest();
        let what = format!("the manifest of {}", self.reference);
        let path = format!("manifests/{digest}");
        self.content(digest, &Wanted { path: &path, what: &what, accept: Some(ACCEPT), most: LARGEST_MANIFEST }).await
    }

    /// What has this digest, of at most so many bytes.
    async fn blob(&self, digest: Digest, most: usize, what: &str) -> Result<Bytes, PullError> {
        let path = format!("blobs/{digest}");
        self.content(digest, &Wanted { path: &path, what, accept: None, most }).await
    }

    async fn content(&self, digest: Digest, wanted: &Wanted<'_>) -> Result<Bytes, PullError> {
        let cache = self.registry.cache.clone();
        if let Some(kept) = blocking(move || cache.get(&digest)).await.flatten() {
            return Ok(kept);
        }
        self.may_fetch()?;
        let bytes = self.client.get(wanted).await?;
        let found = Digest::of(&bytes);
        if found != digest {
            return Err(PullError::WrongDigest { what: wanted.what.to_owned(), wanted: digest, found });
        }
        let (cache, kept) = (self.registry.cache.clone(), bytes.clone());
        blocking(move || cache.put(&digest, &kept)).await.unwrap_or(Ok(()))?;
        Ok(bytes)
    }

    async fn check_signature(&self, key: &TrustedKey) -> Result<(), PullError> {
        let digest = self.reference.digest();
        let cache = self.registry.cache.clone();
        let kept = blocking(move || cache.signatures(&digest)).await.flatten();
        let kept: Vec<Signed> = kept.and_then(|kept| serde_json::from_slice(&kept).ok()).unwrap_or_default();
        // What is kept may be older than the signature of this key.
        if key.check(&digest, &kept).is_ok() {
            return Ok(());
        }
        self.may_fetch()?;
        let found = self.signatures().await?;
        let not_signed =
            |reason| PullError::NotSigned { reference: self.reference.to_string(), key: key.path().to_owned(), reason };
        key.check(&digest, &found).map_err(not_signed)?;
        let cache = self.registry.cache.clone();
        let written = blocking(move || match serde_json::to_vec(&found) {
            Ok(bytes) => cache.put_signatures(&digest, &bytes),
            Err(_) => Ok(()),
        });
        written.await.unwrap_or(Ok(()))
    }

    /// The signatures that the registry has, where cosign puts them: beside the manifest, by a tag made of its digest.
    async fn signatures(&self) -> Result<Vec<Signed>, PullError> {
        let digest = self.reference.digest();
        let path = format!("manifests/sha256-{}.sig", digest.digits());
        let what = format!("the signatures of {}", self.reference);
        let wanted = Wanted { path: &path, what: &what, accept: Some(ACCEPT), most: LARGEST_MANIFEST };
        let manifest = match self.client.get(&wanted).await {
            Err(PullError::NotFound { .. }) => return Ok(Vec::new()),
            other => other?,
        };
        let fault = |reason| PullError::NotAComponent { reference: what.clone(), reason };
        let manifest = Manifest::read(&manifest).map_err(fault)?;
        let mut signatures = Vec::new();
        for layer in manifest.layers.iter().filter(|layer| layer.media_type == SIGNED).take(MOST_SIGNATURES) {
            let Some(signature) = layer.annotations.get(SIGNATURE) else { continue };
            let size = usize::try_from(layer.size).unwrap_or(usize::MAX).min(LARGEST_SIGNED);
            let document = self.blob(layer.digest().map_err(fault)?, size, &what).await?;
            // Signed is the text as it is.
            let Ok(document) = String::from_utf8(document.into()) else { continue };
            signatures.push(Signed { document, signature: signature.clone() });
        }
        Ok(signatures)
    }

    fn may_fetch(&self) -> Result<(), PullError> {
        match self.registry.network {
            Network::Online => Ok(()),
            Network::Offline => Err(PullError::Offline { reference: self.reference.to_string() }),
        }
    }
}

/// What a thread for such work makes of it; `None` if the process ends.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
