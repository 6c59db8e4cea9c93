//! How fast stores keep values on the disk of the temporary folder. Figures, not a proof.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gristmill_core::ports::{JobState, KeepOne};
use gristmill_test_servers::{Postgres, Redis};

use super::place::Place;
use super::{job, kept, key};

/// The size of one value: a model's answer of some length.
const BYTES: usize = 2_000;
const SPAN: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "figures: cargo test -p gristmill-store --test durability figures -- --ignored --nocapture"]
async fn figures() {
    for (keepers, hosts) in [(1, 1), (64, 1), (1_000, 1), (64, 2)] {
        let folder = tempfile::tempdir().unwrap();
        let redis = Redis::start().await;
        let places = [
            ("SQLite", Place::Folder(folder.path().into())),
            ("PostgreSQL", Place::Server(Postgres::shared().await.database().await)),
            ("Redis", Place::Server(redis.url().to_owned())),
        ];
        for (name, place) in places {
            measure(name, &place, keepers, hosts).await;
        }
    }
}

async fn measure(name: &str, place: &Place, keepers: usize, hosts: usize) {
    let mut stores = Vec::new();
    for _ in 0..hosts {
        stores.push(place.open().await);
    }
    let until = Instant::now() + SPAN;
    let mut tasks = Vec::new();
    for keeper in 0..keepers {
        let store = Arc::clone(&stores[keeper % hosts]);
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            let first = keeper as u64 * 1_000_000;
            while Instant::now() < until {
                let number = first + times.len() as u64;
                let begun = Instant::now();
                store.recall(&job(number), key(number)).await.unwrap();
                store.keep(&job(number), key(number), &kept(number, BYTES)).await.unwrap();
                times.push(begun.elapsed());
                store.ended(&job(number), JobState::Emitted).unwrap();
            }
            times
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    drop(stores);
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 1_000].as_secs_f64() * 1e3;
    println!(
        "{name:>10}, {keepers:>5} keepers on {hosts} hosts: {:>6.0} keeps/s; a recall and a keep take {:.1} ms, p99 {:.1}, \
         worst {:.1}",
        times.len() as f64 / SPAN.as_secs_f64(),
        at(500),
        at(990),
        at(1_000),
    );
}
