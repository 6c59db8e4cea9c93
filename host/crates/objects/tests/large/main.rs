//! Large objects pass in constant memory. In a process of its own, whose memory is nobody else's.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

#[path = "../s3/double.rs"]
mod double;
#[path = "../s3/signature.rs"]
mod signature;

use bytes::Bytes;
use double::{Double, KEY, SECRET};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use gristmill_core::model::{ObjectName, StoredPayload};
use gristmill_core::ports::{Chunks, Objects};
use gristmill_core::settings::SecretRef;
use gristmill_objects::{Bucket, BucketSettings, Folder};

/// The size of a large object.
const LARGE: u64 = 1 << 30;
/// How much the process may grow: some parts of 8 MiB, on both sides, and what the allocator keeps.
const ROOM: u64 = 160 << 20;
const CHUNK: usize = 1 << 20;

fn zeros(size: u64) -> Chunks {
    static ZEROS: [u8; CHUNK] = [0; CHUNK];
    stream::iter(0..size / CHUNK as u64).map(|_| Ok(Bytes::from_static(&ZEROS))).boxed()
}

fn name(text: &str) -> ObjectName {
    text.parse().unwrap()
}

/// The most memory that this process has had since it began, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Counts the bytes of an object without keeping them.
async fn count(objects: &dyn Objects, stored: &StoredPayload) -> u64 {
    let chunks = objects.get(stored).await.unwrap();
    chunks.try_fold(0, async |sum, chunk| Ok(sum + chunk.len() as u64)).await.unwrap()
}

async fn passes_in_constant_memory(objects: &dyn Objects) {
    // What every upload needs, once.
    let small = objects.put(name("small"), zeros(64 << 20), LARGE).await.unwrap();
    assert_eq!(count(objects, &small).await, 64 << 20);
    let before = peak();
    let stored = objects.put(name("large"), zeros(LARGE), LARGE).await.unwrap();
    assert_eq!((stored.size, count(objects, &stored).await), (LARGE, LARGE));
    let grown = peak() - before;
    assert!(grown < ROOM, "{} MiB more", grown >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_passes_through_a_bucket_and_a_folder_in_constant_memory() {
    let double = Double::start().await;
    let outer = tempfile::tempdir().unwrap();
    let key = |name: &str, text: &str| {
        let path = outer.path().join(name);
        std::fs::write(&path, text).unwrap();
        SecretRef::File(path)
    };
    let settings = BucketSettings {
        bucket: "bucket".to_owned(),
        prefix: None,
        region: None,
        endpoint: Some(double.url()),
        access_key: key("key", KEY),
        secret_key: key("secret", SECRET),
    };
    passes_in_constant_memory(&Bucket::new(&settings).unwrap()).await;
    let folder = Folder::open(&outer.path().join("objects")).unwrap();
    passes_in_constant_memory(&folder).await;
}
