//! A folder of objects: whole or not at all, for its owner alone, and swept by age.

use std::os::unix::fs::PermissionsExt;

use bytes::Bytes;
use futures_util::stream::{self, TryStreamExt};

use super::*;

fn folder() -> (tempfile::TempDir, Folder) {
    let outer = tempfile::tempdir().expect("a folder");
    let folder = Folder::open(&outer.path().join("objects")).expect("a folder of objects");
    (outer, folder)
}

fn name(text: &str) -> ObjectName {
    text.parse().expect("a name")
}

fn bytes_of(chunks: &[&'static str]) -> Chunks {
    let chunks: Vec<io::Result<Bytes>> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect();
    stream::iter(chunks).boxed()
}

async fn read(folder: &Folder, stored: &StoredPayload) -> Result<Vec<u8>, String> {
    let chunks = folder.get(stored).await.map_err(|error| error.to_string())?;
    let all: Vec<Bytes> = chunks.try_collect().await.map_err(|error| error.to_string())?;
    Ok(all.concat())
}

/// All files below, with their modes.
fn files(folder: &Folder) -> Vec<(String, u32)> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.root.clone()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            let mode = path.metadata().expect("metadata").permissions().mode() & 0o777;
            if path.is_dir() {
                assert_eq!(mode, 0o700, "{path:?}");
                folders.push(path);
            } else {
                found.push((path.strip_prefix(&folder.root).expect("below").display().to_string(), mode));
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn what_is_stored_is_read_back_and_nobody_else_may_look() {
    let (_outer, folder) = folder();
    let stored = folder.put(name("p/job/input"), bytes_of(&["one ", "two"]), 7).await.unwrap();
    assert_eq!(stored.size, 7);
    assert_eq!(read(&folder, &stored).await.unwrap(), b"one two");
    assert_eq!(files(&folder), [("p/job/input".to_owned(), 0o600)]);
    assert_eq!(folder.root.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn an_object_of_the_same_name_is_replaced() {
    let (_outer, folder) = folder();
    let before = folder.put(name("a"), bytes_of(&["before"]), 9).await.unwrap();
    let after = folder.put(name("a"), bytes_of(&["after!"]), 9).await.unwrap();
    assert_eq!(read(&folder, &after).await.unwrap(), b"after!");
    let fault = read(&folder, &before).await.unwrap_err();
    assert!(fault.contains("not the one that was stored: digest"), "{fault}");
}

#[tokio::test]
async fn what_is_too_large_or_breaks_off_leaves_nothing() {
    let (_outer, folder) = folder();
    let too_large = folder.put(name("a"), bytes_of(&["1234", "5678"]), 7).await;
    assert!(matches!(too_large, Err(ObjectError::TooLarge { most: 7 })), "{too_large:?}");
    let broken = stream::iter([Ok(Bytes::from_static(b"1234")), Err(io::Error::other("gone"))]).boxed();
    let broken = folder.put(name("a"), broken, 100).await;
    assert!(matches!(broken, Err(ObjectError::Source(_))), "{broken:?}");
    assert!(files(&folder).is_empty());
}

#[tokio::test]
async fn a_call_that_is_dropped_in_the_middle_leaves_nothing_to_read() {
    let (_outer, folder) = folder();
    let endless = stream::iter([Ok(Bytes::from_static(b"1234"))]).chain(stream::pending()).boxed();
    let mut put = folder.put(name("a"), endless, 100);
    let begun = async {
        while files(&folder).is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        _ = &mut put => panic!("the bytes have no end"),
        () = begun => {}
    }
    drop(put);
    assert!(files(&folder).is_empty(), "{:?}", files(&folder));
}

#[tokio::test]
async fn what_was_changed_is_not_taken_for_what_was_stored() {
    let (_outer, folder) = folder();
    let stored = folder.put(name("a"), bytes_of(&["abc"]), 9).await.unwrap();
    std::fs::write(folder.root.join("a"), "abd").unwrap();
    assert!(read(&folder, &stored).await.unwrap_err().contains("digest"));
    std::fs::write(folder.root.join("a"), "abcd").unwrap();
    assert!(read(&folder, &stored).await.unwrap_err().contains("size"));
    std::fs::remove_file(folder.root.join("a")).unwrap();
    assert!(read(&folder, &stored).await.unwrap_err().contains("is not there"));
}

#[tokio::test]
async fn a_folder_is_no_object() {
    let (_outer, folder) = folder();
    let stored = folder.put(name("a/b"), bytes_of(&["abc"]), 9).await.unwrap();
    for other in ["a", "a/b/c"] {
        let fault = folder.get(&StoredPayload { name: name(other), ..stored.clone() }).await.err();
        assert!(matches!(fault, Some(ObjectError::Missing { .. })), "{other}: {fault:?}");
    }
}

#[tokio::test]
async fn only_what_is_old_is_swept_and_what_a_crash_left_too() {
    let (_outer, folder) = folder();
    let old = folder.put(name("p/old/input"), bytes_of(&["abc"]), 9).await.unwrap();
    std::fs::write(folder.root.join(INCOMING).join("half"), "ab").unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    for path in ["p/old/input", "p/old", ".incoming/half", ".incoming"] {
        File::open(folder.root.join(path)).unwrap().set_modified(long_ago).unwrap();
    }
    let new = folder.put(name("p/new/input"), bytes_of(&["abc"]), 9).await.unwrap();
    assert_eq!(folder.sweep(Timestamp(999_000)).await.unwrap(), 0);
    assert_eq!(folder.sweep(Timestamp(1_001_000)).await.unwrap(), 2);
    assert_eq!(read(&folder, &new).await.unwrap(), b"abc");
    assert!(read(&folder, &old).await.unwrap_err().contains("is not there"));
    assert_eq!(files(&folder), [("p/new/input".to_owned(), 0o600)]);
    assert_eq!(folder.sweep(Timestamp(1_001_000)).await.unwrap(), 0);
    folder.put(name("p/old/input"), bytes_of(&["abc"]), 9).await.unwrap();
}

#[test]
fn a_folder_that_cannot_be_written_is_no_folder() {
    let outer = tempfile::tempdir().unwrap();
    std::fs::write(outer.path().join("file"), "").unwrap();
    assert!(Folder::open(&outer.path().join("file")).is_err());
}
