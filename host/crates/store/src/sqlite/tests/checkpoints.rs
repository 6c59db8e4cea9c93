//! The log of the file: copied beside the writes, and never much longer than it has to be.

use super::*;

/// What is written, in pieces of a MiB without a pause.
const PIECES: u8 = 240;
/// The longest log: what it is to be, what nobody has begun to copy, and what is written meanwhile.
const LONGEST: u64 = 144 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_begins_anew_though_nobody_stops_to_write() {
    let harness = Harness::new();
    let store = harness.open();
    let log = harness.file().with_extension("sqlite-wal");
    let size = || log.metadata().map_or(0, |log| log.len());
    let large = text(&"x".repeat(1 << 20));
    let piece = async |number: u8| store.keep(&job(number.into()), key(number), &large).await.unwrap();
    let mut longest = 0;
    for begin in (0..PIECES).step_by(4) {
        let kept = join_all((begin..begin + 4).map(piece)).await;
        assert!(kept.iter().all(Option::is_none));
        longest = longest.max(size());
    }
    assert!(longest < LONGEST, "the log has had {longest} bytes");
    drop(store);
    assert_eq!(size(), 0, "it goes with the store");
    let store = harness.open();
    for number in 0..PIECES {
        assert!(store.recall(&job(number.into()), key(number)).await.unwrap().is_some(), "{number} is lost");
    }
}
