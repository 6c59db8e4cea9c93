//! What stages keep between items: by the rule of `Space`, and exactly.

use std::sync::Arc;

use futures_util::future::join_all;
use gristmill_core::model::{Entry, Expected, Quota, Space, StateWrite, Wrote};
use gristmill_core::ports::StageState;
use gristmill_store::MemoryState;

use super::world::World;

const QUOTA: Quota = Quota { keys: 4, bytes: 120 };

fn put(key: &str, value: &[u8], expected: Expected) -> StateWrite {
    StateWrite { key: key.into(), value: Some(value.to_vec().into()), expected, quota: QUOTA }
}

fn delete(key: &str, expected: Expected) -> StateWrite {
    StateWrite { value: None, ..put(key, b"", expected) }
}

fn version(wrote: Wrote) -> u64 {
    match wrote {
        Wrote::Done(version) => version,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn a_value_stays_until_it_is_deleted(world: &World) {
    let store = world.open().await;
    let value: Vec<u8> = (0..=255).chain([b':', 0, b'\n']).collect();
    let quota = Quota { keys: 10, bytes: 1 << 20 };
    let write = StateWrite { quota, ..put("a \u{e4}:b", &value, Expected::Absent) };
    let first = version(store.write_entry("s", write).await.unwrap());
    drop(store);
    let again = world.open().await;
    let found = again.find_entry("s", "a \u{e4}:b").await.unwrap();
    assert_eq!(found, Some(Entry { version: first, value: value.into() }));
    assert_eq!(again.find_entry("s", "a").await.unwrap(), None);
    assert_eq!(again.find_entry("other", "a \u{e4}:b").await.unwrap(), None, "each stage has its own");
    let other = world.open_for(&format!("{}-other", world.pipeline)).await;
    assert_eq!(other.find_entry("s", "a \u{e4}:b").await.unwrap(), None, "and each pipeline");
    version(again.write_entry("s", delete("a \u{e4}:b", Expected::Version(first))).await.unwrap());
    assert_eq!(again.find_entry("s", "a \u{e4}:b").await.unwrap(), None);
    let large = vec![7; 64 << 10];
    let write = StateWrite { quota, ..put(&"k".repeat(256), &large, Expected::Any) };
    version(again.write_entry("s", write).await.unwrap());
    assert_eq!(again.find_entry("s", &"k".repeat(256)).await.unwrap().unwrap().value, large);
}

pub(super) async fn a_write_that_expects_something_else_changes_nothing(world: &World) {
    let store = world.open().await;
    let first = version(store.write_entry("s", put("a", b"1", Expected::Absent)).await.unwrap());
    let there = Wrote::Conflict(Some(Entry { version: first, value: b"1".to_vec().into() }));
    assert_eq!(store.write_entry("s", put("a", b"2", Expected::Absent)).await.unwrap(), there);
    assert_eq!(store.write_entry("s", put("a", b"2", Expected::Version(first + 1))).await.unwrap(), there);
    assert_eq!(store.write_entry("s", delete("a", Expected::Absent)).await.unwrap(), there);
    let nothing = Wrote::Conflict(None);
    assert_eq!(store.write_entry("s", put("b", b"2", Expected::Version(first))).await.unwrap(), nothing);
    let second = version(store.write_entry("s", put("a", b"1", Expected::Version(first))).await.unwrap());
    assert_ne!(first, second, "the same value is another version");
    version(store.write_entry("s", delete("a", Expected::Any)).await.unwrap());
    let third = version(store.write_entry("s", put("a", b"1", Expected::Absent)).await.unwrap());
    assert!(![first, second].contains(&third), "no version comes back, also after a deletion");
}

/// Random writes of two hosts end as in memory, and as the rule says.
pub(super) async fn quotas_are_kept_as_the_rule_says(world: &World) {
    let (one, two) = (world.open().await, world.open().await);
    let memory = MemoryState::default();
    let mut space = Space::default();
    for step in 0..300 {
        let host = if fastrand::bool() { &one } else { &two };
        let key = ["a", "bb", "ccc", "d", "e", "f"][fastrand::usize(0..6)];
        let before = memory.find_entry("s", key).await.unwrap();
        assert_eq!(host.find_entry("s", key).await.unwrap(), before, "step {step}");
        let expected = match (fastrand::u8(0..4), &before) {
            (0, _) => Expected::Absent,
            (1, Some(entry)) => Expected::Version(entry.version),
            (1, None) => Expected::Version(1),
            _ => Expected::Any,
        };
        let write = match fastrand::u8(0..4) {
            0 => delete(key, expected),
            _ => put(key, &vec![b'x'; fastrand::usize(0..60)], expected),
        };
        let by_rule = match expected.is_met_by(before.as_ref().map(|entry| entry.version)) {
            true => space.after(&write, before.map(|entry| entry.value.len())),
            false => None,
        };
        let wrote = memory.write_entry("s", write.clone()).await.unwrap();
        assert_eq!(host.write_entry("s", write.clone()).await.unwrap(), wrote, "step {step}: {write:?}");
        if let Some(after) = by_rule {
            assert_eq!(wrote, Wrote::Done(after.version), "step {step}");
            space = after;
        }
        assert!(space.keys <= QUOTA.keys && space.bytes <= QUOTA.bytes);
    }
}

pub(super) async fn of_hosts_that_expect_the_same_one_is_the_first(world: &World) {
    let hosts = [world.open().await, world.open().await];
    let adding = (0..24).map(|number| {
        let host = Arc::clone(&hosts[number % 2]);
        tokio::spawn(async move {
            loop {
                let found = host.find_entry("s", "n").await.unwrap();
                let expected = found.as_ref().map_or(Expected::Absent, |entry| Expected::Version(entry.version));
                let value = found.map_or(0, |entry| entry.value[0]) + 1;
                match host.write_entry("s", put("n", &[value], expected)).await.unwrap() {
                    Wrote::Done(_) => return,
                    Wrote::Conflict(_) => {}
                    Wrote::Full => panic!("there is room"),
                }
            }
        })
    });
    for added in join_all(adding.collect::<Vec<_>>()).await {
        added.unwrap();
    }
    assert_eq!(hosts[0].find_entry("s", "n").await.unwrap().unwrap().value[..], [24]);
}
