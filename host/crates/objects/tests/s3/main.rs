//! A bucket against a server that speaks like S3, checks every signature by itself, and misbehaves on request.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod double;
mod signature;

use std::time::Duration;

use bytes::Bytes;
use double::{Double, Fault, KEY, SECRET};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use gristmill_core::model::{ObjectName, StoredPayload, Timestamp};
use gristmill_core::ports::{Chunks, ObjectError, Objects};
use gristmill_core::settings::SecretRef;
use gristmill_objects::{Bucket, BucketSettings};

/// A bucket on this server, whose keys are in files.
fn bucket_with(double: &Double, prefix: Option<&str>, secret: &str) -> (tempfile::TempDir, Bucket) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        SecretRef::File(path)
    };
    let settings = BucketSettings {
        bucket: "bucket".to_owned(),
        prefix: prefix.map(str::to_owned),
        region: Some("eu-test-1".to_owned()),
        endpoint: Some(double.url()),
        access_key: file("key", KEY),
        secret_key: file("secret", secret),
    };
    let bucket = Bucket::new(&settings).unwrap();
    (folder, bucket)
}

fn bucket(double: &Double) -> (tempfile::TempDir, Bucket) {
    bucket_with(double, None, SECRET)
}

fn name(text: &str) -> ObjectName {
    text.parse().unwrap()
}

fn bytes_of(chunks: Vec<Vec<u8>>) -> Chunks {
    stream::iter(chunks).map(|chunk| Ok(Bytes::from(chunk))).boxed()
}

async fn read(bucket: &Bucket, stored: &StoredPayload) -> Result<Vec<u8>, String> {
    let chunks = bucket.get(stored).await.map_err(|error| error.to_string())?;
    let all: Vec<Bytes> = chunks.try_collect().await.map_err(|error| error.to_string())?;
    Ok(all.concat())
}

#[tokio::test]
async fn a_small_object_is_one_request_and_comes_back() {
    let double = Double::start().await;
    let (_keys, bucket) = bucket_with(&double, Some("of/ours/"), SECRET);
    let stored = bucket.put(name("p/job/input"), bytes_of(vec![b"one ".to_vec(), b"two".to_vec()]), 100).await.unwrap();
    assert_eq!(double.keys(), ["of/ours/p/job/input"]);
    assert_eq!(double.requests("POST"), 0);
    assert_eq!(read(&bucket, &stored).await.unwrap(), b"one two");
    assert_eq!(double.refused(), 0);
}

#[tokio::test]
async fn an_empty_object_is_one_too() {
    let double = Double::start().await;
    let (_keys, bucket) = bucket(&double);
    let stored = bucket.put(name("empty"), bytes_of(Vec::new()), 0).await.unwrap();
    assert_eq!(read(&bucket, &stored).await.unwrap(), b"");
}

#[tokio::test]
async fn a_large_object_goes_in_parts_and_an_end_at_a_part_is_no_fault() {
    let double = Double::start().await;
    let (_keys, bucket) = bucket(&double);
    for size in [(8 << 20) - 1, 8 << 20, (8 << 20) + 1, 16 << 20, 20_000_000] {
        let whole: Vec<u8> = (0..size).map(|place: usize| (place / 7 % 251) as u8).collect();
        let chunks = whole.chunks(1_000_003).map(<[u8]>::to_vec).collect();
        let stored = bucket.put(name("large"), bytes_of(chunks), 1 << 30).await.unwrap();
        assert_eq!(stored.size, size as u64);
        assert!(read(&bucket, &stored).await.unwrap() == whole, "{size}");
    }
    assert!(double.uploads().is_empty());
    assert_eq!(double.refused(), 0);
}

#[tokio::test]
async fn whatever_breaks_an_upload_aborts_it_and_leaves_nothing_to_read() {
    let double = Double::start().await;
    let (_keys, bucket) = bucket(&double);
    let part = || vec![1_u8; 8 << 20];
    let too_large = bucket.put(name("a"), bytes_of(vec![part(), part(), part()]), 20 << 20).await;
    assert!(matches!(too_large, Err(ObjectError::TooLarge { most }) if most == 20 << 20), "{too_large:?}");
    let broken = stream::iter([Ok(Bytes::from(part())), Ok(Bytes::from(part())), Err(std::io::Error::other("gone"))]);
    let broken = bucket.put(name("a"), broken.boxed(), 1 << 30).await;
    assert!(matches!(broken, Err(ObjectError::Source(_))), "{broken:?}");
    double.fail("PUT", Fault::Status(500));
    let failed = bucket.put(name("a"), bytes_of(vec![part(), part()]), 1 << 30).await;
    assert!(matches!(failed, Err(ObjectError::Transient { .. })), "{failed:?}");
    assert!(double.keys().is_empty() && double.uploads().is_empty(), "{:?}", double.uploads());
    assert_eq!(double.requests("DELETE"), 3);
}

#[tokio::test]
async fn a_bucket_that_does_not_let_us_is_told_from_one_that_is_busy() {
    let double = Double::start().await;
    let (_keys, good) = bucket(&double);
    let stored = good.put(name("a"), bytes_of(vec![b"x".to_vec()]), 9).await.unwrap();
    let (_keys, wrong) = bucket_with(&double, None, "another secret");
    for refused in [wrong.get(&stored).await.err(), wrong.sweep(Timestamp(0)).await.err()] {
        let refused = refused.unwrap();
        assert!(matches!(&refused, ObjectError::Refused { reason } if reason.contains("objects.s3")), "{refused:?}");
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }
    assert!(double.refused() > 0);
    double.fail("GET", Fault::Status(503));
    let busy = good.get(&stored).await.err().unwrap();
    assert!(matches!(&busy, ObjectError::Transient { reason } if reason.contains("503")), "{busy:?}");
    double.mend();
    assert_eq!(read(&good, &stored).await.unwrap(), b"x");
}

#[tokio::test]
async fn a_server_that_is_busy_once_is_asked_again() {
    let double = Double::start().await;
    let (_keys, bucket) = bucket(&double);
    double.fail_once("PUT", Fault::Status(503));
    let stored = bucket.put(name("a"), bytes_of(vec![b"x".to_vec()]), 9).await.unwrap();
    double.fail_once("GET", Fault::Status(503));
    assert_eq!(read(&bucket, &stored).await.unwrap(), b"x");
}

#[tokio::test]
async fn nobody_answers_is_transient() {
    let double = Double::start().await;
    let (_keys, bucket) = bucket(&double);
    let stored = bucket.put(name("a"), bytes_of(vec![b"x".to_vec()]), 9).await.unwrap();
    drop(double);
    let away = bucket.get(&stored).await.err().unwrap();
    assert!(matches!(away, ObjectError::Transient { .. }), "{away:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let double = Double::start().await;
    let other = Double::start().await;
    let (_keys, bucket) = bucket(&double);
    let stored = bucket.put(name("a"), bytes_of(vec![b"x".to_vec()]), 9).await.unwrap();
    double.fail("GET", Fault::Redirect(other.url()));
    assert!(bucket.get(&stored).await.is_err());
    assert_eq!(other.requests("GET"), 0);
}

#[tokio::test]
async fn what_was_changed_is_not_taken_for_what_was_stored() {
    let double = Double::start().await;
    let (_keys, bucket) = bucket(&double);
    let stored = bucket.put(name("a"), bytes_of(vec![b"abc".to_vec()]), 9).await.unwrap();
    double.replace("a", b"abd");
    assert!(read(&bucket, &stored).await.unwrap_err().contains("digest"));
    double.replace("a", b"abcd");
    assert!(read(&bucket, &stored).await.unwrap_err().contains("size"));
    double.remove("a");
    assert!(read(&bucket, &stored).await.unwrap_err().contains("is not there"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_an_error() {
    let double = Double::start().await;
    let (_keys, bucket) = bucket(&double);
    let stored = bucket.put(name("a"), bytes_of(vec![vec![7; 100_000]]), 1 << 20).await.unwrap();
    double.fail("GET", Fault::BreakOff);
    let read = tokio::time::timeout(Duration::from_secs(120), read(&bucket, &stored)).await.unwrap();
    assert!(read.is_err());
}

#[tokio::test]
async fn only_what_is_old_and_ours_is_swept_and_broken_uploads_too() {
    let double = Double::start().await;
    let (_keys, bucket) = bucket_with(&double, Some("ours"), SECRET);
    let put = async |text: &str| bucket.put(name(text), bytes_of(vec![b"x".to_vec()]), 9).await.unwrap();
    let (old, new) = (put("p/old/input").await, put("p/new/input").await);
    double.put_foreign("others/old");
    double.put_foreign("ours/Of Somebody");
    let endless = stream::iter([Ok(Bytes::from(vec![1; 9 << 20]))]).chain(stream::pending()).boxed();
    let mut endless = bucket.put(name("p/half"), endless, 1 << 30);
    let begun = async {
        while double.uploads().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = &mut endless => panic!("the bytes have no end"),
        () = begun => {}
    }
    drop(endless);
    double.age(&["ours/p/old/input", "others/old", "ours/Of Somebody"], 1_000);
    assert_eq!(bucket.sweep(Timestamp(1_000)).await.unwrap(), 0, "what is as old as that stays");
    assert_eq!(bucket.sweep(Timestamp(2_000)).await.unwrap(), 1);
    assert_eq!(read(&bucket, &new).await.unwrap(), b"x");
    assert!(read(&bucket, &old).await.is_err());
    assert_eq!(double.keys(), ["others/old", "ours/Of Somebody", "ours/p/new/input"]);
    assert_eq!(double.uploads(), ["ours/p/half"], "it is not old");
    double.age_uploads(1_000);
    assert_eq!(bucket.sweep(Timestamp(2_000)).await.unwrap(), 1);
    assert!(double.uploads().is_empty());
    assert_eq!(double.refused(), 0);
}
