//! Objects in a bucket of S3, or of a server that speaks like it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::TryStreamExt;
use gristmill_core::model::{ObjectName, StoredPayload, Timestamp};
use gristmill_core::ports::{Chunks, ObjectError, Objects};
use gristmill_core::settings::{SecretError, SecretRef};
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential};
use object_store::client::HttpConnector;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart};
use secrecy::ExposeSecret;

use super::crypto::Crypto;
use super::measure::{Incoming, verified};
use super::settings::BucketSettings;
use super::uploads::Uploads;
use super::web::{Connector, repeats};

/// The size of a part, in bytes, unless an object may need more than [`PARTS`] of them.
const PART: usize = 8 << 20;
/// How many parts S3 takes for an object.
const PARTS: u64 = 10_000;
/// How many parts are sent at a time, beside the one that fills.
const AT_ONCE: usize = 2;
/// How much of a server's words is shown.
const SHOWN: usize = 300;

/// A bucket.
#[derive(Debug)]
pub struct Bucket {
    store: Arc<AmazonS3>,
    uploads: Uploads,
    prefix: Option<ObjectName>,
}

/// Why there is no bucket.
#[derive(Debug, thiserror::Error)]
pub enum BadBucket {
    /// A secret cannot be read.
    #[error("the key to the bucket cannot be read")]
    Secret(#[from] SecretError),
    /// It would name objects that could lie elsewhere.
    #[error("prefix is no beginning of a name: use a-z, 0-9, \"-\", \"_\", \".\" and \"/\"")]
    Prefix,
    /// It is no address.
    #[error("endpoint is no address of a server: write http://HOST:PORT or https://HOST")]
    Endpoint,
    /// It cannot be built.
    #[error("the bucket cannot be used")]
    Settings(#[from] Error),
}

impl Bucket {
    /// Reads its keys. Nothing is asked of the server.
    ///
    /// # Errors
    /// A key that cannot be read, an address that is none.
    pub fn new(settings: &BucketSettings) -> Result<Self, BadBucket> {
        let read = |key: &SecretRef| key.read().map(|key| key.expose_secret().to_owned());
        let credential =
            AwsCredential { key_id: read(&settings.access_key)?, secret_key: read(&settings.secret_key)?, token: None };
        let prefix =
            settings.prefix.as_deref().map(|prefix| prefix.trim_matches('/')).filter(|prefix| !prefix.is_empty());
        let prefix = prefix.map(str::parse).transpose().map_err(|()| BadBucket::Prefix)?;
        let region = settings.region.as_deref().unwrap_or("us-east-1");
        let endpoint = match settings.endpoint.as_deref() {
            Some(endpoint) => address(endpoint).ok_or(BadBucket::Endpoint)?,
            None => format!("https://s3.{region}.amazonaws.com"),
        };
        let store = AmazonS3Builder::new()
            .with_bucket_name(&settings.bucket)
            .with_region(region)
            .with_endpoint(&endpoint)
            .with_allow_http(endpoint.starts_with("http://"))
            .with_access_key_id(&credential.key_id)
            .with_secret_access_key(&credential.secret_key)
            .with_crypto_provider(Arc::new(Crypto))
            .with_http_connector(Connector)
            .with_retry(repeats())
            // Not every server knows how to delete many at once.
            .with_disable_bulk_delete(true)
            .build()?;
        let client = Connector.connect(&object_store::ClientOptions::default())?;
        let uploads = Uploads::new(client, format!("{endpoint}/{}", settings.bucket), region.to_owned(), credential);
        Ok(Self { store: Arc::new(store), uploads, prefix })
    }

    fn path(&self, name: &ObjectName) -> Path {
        match &self.prefix {
            Some(prefix) => Path::from_iter(prefix.as_str().split('/').chain(name.as_str().split('/'))),
            None => Path::from_iter(name.as_str().split('/')),
        }
    }

    /// All of a small object in one request; a large one in parts.
    async fn write(&self, path: &Path, incoming: &mut Incoming, part: usize) -> Result<(), ObjectError> {
        let mut begin: Vec<Bytes> = Vec::new();
        let mut size = 0;
        while size <= part {
            match incoming.next().await? {
                Some(chunk) => {
                    size += chunk.len();
                    begin.push(chunk);
                }
                None => {
                    let payload = PutPayload::from_iter(begin);
                    return self.store.put(path, payload).await.map(drop).map_err(|error| failed(path, error));
                }
            }
        }
        let upload = self.store.put_multipart(path).await.map_err(|error| failed(path, error))?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, part);
        match fill(&mut upload, begin, incoming).await {
            // It is aborted by itself if it cannot be completed.
            Ok(()) => upload.finish().await.map(drop).map_err(|error| failed(path, error)),
            Err(fault) => {
                if let Err(error) = upload.abort().await {
                    tracing::warn!(%path, error = %short(&error), "a broken upload could not be aborted; it is swept later");
                }
                Err(match fault {
                    Fault::Source(fault) => fault,
                    Fault::Store(error) => failed(path, error),
                })
            }
        }
    }
}

/// Why an upload breaks off.
enum Fault {
    Source(ObjectError),
    Store(Error),
}

async fn fill(upload: &mut WriteMultipart, begin: Vec<Bytes>, incoming: &mut Incoming) -> Result<(), Fault> {
    for chunk in begin {
        upload.wait_for_capacity(AT_ONCE).await.map_err(Fault::Store)?;
        upload.put(chunk);
    }
    while let Some(chunk) = incoming.next().await.map_err(Fault::Source)? {
        upload.wait_for_capacity(AT_ONCE).await.map_err(Fault::Store)?;
        // Copied: many small pieces of other buffers would be kept whole until their part is sent.
        upload.write(&chunk);
    }
    Ok(())
}

/// The size of parts of an object with at most so many bytes.
fn part_of(most: u64) -> usize {
    PART.max(usize::try_from(most.div_ceil(PARTS)).unwrap_or(usize::MAX))
}

/// An address without a path.
fn address(endpoint: &str) -> Option<String> {
    let url = reqwest::Url::parse(endpoint).ok()?;
    let is_bare = matches!(url.scheme(), "http" | "https")
        && url.host_str().is_some_and(|host| !host.is_empty())
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    is_bare.then(|| endpoint.trim_end_matches('/').to_owned())
}

#[async_trait]
impl Objects for Bucket {
    async fn put(&self, name: ObjectName, bytes: Chunks, most: u64) -> Result<StoredPayload, ObjectError> {
        let mut incoming = Incoming::new(bytes, most);
        self.write(&self.path(&name), &mut incoming, part_of(most)).await?;
        Ok(incoming.stored(name))
    }

    async fn get(&self, stored: &StoredPayload) -> Result<Chunks, ObjectError> {
        let path = self.path(&stored.name);
        let name = || stored.name.as_str().to_owned();
        let found = match self.store.get(&path).await {
            Err(Error::NotFound { .. }) => return Err(ObjectError::Missing { name: name() }),
            found => found.map_err(|error| failed(&path, error))?,
        };
        if found.meta.size != stored.size {
            return Err(ObjectError::Other { name: name(), difference: "size" });
        }
        Ok(verified(found.into_stream(), stored))
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, ObjectError> {
        let prefix = self.prefix.as_ref().map(|prefix| Path::from_iter(prefix.as_str().split('/')));
        let shown = prefix.clone().unwrap_or_default();
        let mut listed = self.store.list(prefix.as_ref());
        let mut deleted = 0;
        while let Some(found) = listed.try_next().await.map_err(|error| failed(&shown, error))? {
            // Objects of others in this bucket are none of ours.
            let is_ours = found.location.as_ref().parse::<ObjectName>().is_ok();
            if is_ours && found.last_modified.timestamp_millis() < before.0 {
                match self.store.delete(&found.location).await {
                    Ok(()) => deleted += 1,
                    // Another host was first.
                    Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(failed(&found.location, error)),
                }
            }
        }
        let prefix = self.prefix.as_ref().map(|prefix| format!("{}/", prefix.as_str())).unwrap_or_default();
        Ok(deleted + self.uploads.sweep(&self.store, &prefix, before).await.map_err(|error| failed(&shown, error))?)
    }
}

fn failed(path: &Path, error: Error) -> ObjectError {
    let refused = || ObjectError::Refused {
        reason: "the key is not good, or may not do that: look at objects.s3 and the rights in the bucket".to_owned(),
    };
    match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => refused(),
        // Of a list, the client says that only in its text.
        Error::Generic { .. } if short(&error).contains("status code: 403") => refused(),
        // Of a request that names no object: the bucket.
        Error::NotFound { .. } => {
            ObjectError::Refused { reason: "there is no such bucket: look at objects.s3.bucket".to_owned() }
        }
        error => {
            tracing::debug!(%path, %error, "the bucket does not do its work");
            ObjectError::Transient { reason: short(&error) }
        }
    }
}

/// The beginning of an error: servers can send pages.
fn short(error: &Error) -> String {
    let text: String = error.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_any_size_has_no_more_parts_than_s3_takes() {
        for most in [0, 64 << 20, 80 << 30, 1024 << 30] {
            let part = part_of(most) as u64;
            assert!(part >= PART as u64 && most.div_ceil(part) <= PARTS, "{most}");
        }
        assert_eq!(part_of(64 << 30), PART);
    }

    #[test]
    fn an_endpoint_is_an_address_without_secrets() {
        assert_eq!(address("http://minio:9000/").as_deref(), Some("http://minio:9000"));
        for wrong in ["minio:9000", "ftp://minio", "http://user:canary@minio", "http://minio?x=1", "http://"] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }
}
