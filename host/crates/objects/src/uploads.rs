//! Uploads in parts that never ended: what a host that died has left in a bucket, where it costs money and nobody sees it.

use object_store::aws::{AmazonS3, AwsAuthorizer, AwsCredential};
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{Error, Result};

use chrono::DateTime;
use gristmill_core::model::{ObjectName, Timestamp};

use super::crypto::Crypto;

/// Where uploads are looked for. The library that sends them cannot list them.
#[derive(Debug)]
pub(crate) struct Uploads {
    client: HttpClient,
    /// The bucket's address.
    bucket: String,
    region: String,
    credential: AwsCredential,
}

/// An upload that has not ended.
#[derive(Debug, PartialEq, Eq)]
struct Upload {
    key: String,
    id: String,
    /// When it was begun.
    begun: Timestamp,
}

impl Uploads {
    pub(crate) fn new(client: HttpClient, bucket: String, region: String, credential: AwsCredential) -> Self {
        Self { client, bucket, region, credential }
    }

    /// Aborts uploads below a prefix that were begun before a moment, at most 1,000: others are found the next time. Returns
    /// how many.
    pub(crate) async fn sweep(&self, store: &AmazonS3, prefix: &str, before: Timestamp) -> Result<u64> {
        let mut aborted = 0;
        for Upload { key, id, begun } in listed(&self.list(prefix).await?) {
            let is_ours = key.parse::<ObjectName>().is_ok();
            if is_ours && begun < before {
                match store.abort_multipart(&Path::from_iter(key.split('/')), &id).await {
                    Ok(()) => aborted += 1,
                    // Another host was first.
                    Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(aborted)
    }

    async fn list(&self, prefix: &str) -> Result<String> {
        // Parameters are signed in their order, with the "/" of the prefix encoded.
        let url = format!("{}?prefix={}&uploads=", self.bucket, prefix.replace('/', "%2F"));
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.uri_mut() = url.parse().map_err(|error| generic(format!("{error}")))?;
        AwsAuthorizer::new(&self.credential, "s3", &self.region)
            .with_crypto(&Crypto)
            .try_authorize(&mut request, None)?;
        let answer = self.client.execute(request).await.map_err(|error| generic(error.to_string()))?;
        let status = answer.status();
        if !status.is_success() {
            let source = format!("listing uploads: {status}").into();
            return Err(match status.as_u16() {
                401 | 403 => Error::PermissionDenied { path: self.bucket.clone(), source },
                404 => Error::NotFound { path: self.bucket.clone(), source },
                _ => Error::Generic { store: "S3", source },
            });
        }
        let body = answer.into_body().bytes().await.map_err(|error| generic(error.to_string()))?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

fn generic(text: String) -> Error {
    Error::Generic { store: "S3", source: text.into() }
}

/// The uploads of an answer. Our keys and the ids of uploads have no characters that XML writes otherwise; what has, is not
/// ours.
fn listed(xml: &str) -> Vec<Upload> {
    let upload = |element: &str| {
        let begun = DateTime::parse_from_rfc3339(text(element, "Initiated")?).ok()?;
        Some(Upload {
            key: text(element, "Key")?.to_owned(),
            id: text(element, "UploadId")?.to_owned(),
            begun: Timestamp(begun.timestamp_millis()),
        })
    };
    xml.split("<Upload>").skip(1).filter_map(upload).collect()
}

/// The text of the first element of this name.
fn text<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    (!text.contains(['<', '&'])).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_read_from_what_s3_answers() {
        let xml = "<?xml version=\"1.0\"?><ListMultipartUploadsResult xmlns=\"x\"><Bucket>b</Bucket><KeyMarker></KeyMarker>\
                   <Upload><Key>p/job/input</Key><UploadId>Vbc.-_1</UploadId><Owner><ID>o</ID></Owner>\
                   <Initiated>1970-01-01T00:00:02.500Z</Initiated></Upload>\
                   <Upload><Key>not &lt;ours</Key><UploadId>2</UploadId><Initiated>1970-01-01T00:00:02Z</Initiated></Upload>\
                   <Upload><Key>p/undated</Key><UploadId>3</UploadId></Upload></ListMultipartUploadsResult>";
        let upload = Upload { key: "p/job/input".into(), id: "Vbc.-_1".into(), begun: Timestamp(2_500) };
        assert_eq!(listed(xml), [upload]);
        assert!(listed("").is_empty());
    }
}
