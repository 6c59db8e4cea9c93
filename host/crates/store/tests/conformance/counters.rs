//! What hosts count together: by the rule of `Meter`, and exactly.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use gristmill_core::model::meter::{Bound, Meter, Taken, Want};
use gristmill_core::ports::{Counter, Counters};
use gristmill_store::{Postgres, Redis, ServerSettings, StoreUrl};
use gristmill_test_servers as servers;

async fn open(url: &str) -> Arc<dyn Counters> {
    match url.parse().unwrap() {
        StoreUrl::Postgres(url) => Arc::new(Postgres::open(&url, ServerSettings::new("p")).await.unwrap()),
        StoreUrl::Redis(url) => Arc::new(Redis::open(&url, ServerSettings::new("p")).await.unwrap()),
    }
}

/// Unique, also on a server that outlives the test.
fn counter(name: &str, bound: Bound) -> Counter {
    Counter { name: format!("{name}-{:x}", fastrand::u64(..)).into(), bound, keep: Some(Duration::from_secs(600)) }
}

fn want(least: u64, most: u64) -> Want {
    Want { least, most, within: Duration::ZERO }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_counts_exactly_for_all_hosts() {
    let url = servers::Postgres::shared().await.database().await;
    check(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_counts_exactly_for_all_hosts() {
    let redis = servers::Redis::start().await;
    check(redis.url()).await;
}

async fn check(url: &str) {
    let (one, two) = (open(url).await, open(url).await);
    agrees_with_the_rule(&*one, &*two).await;
    hosts_together_take_no_more_than_there_is(&one, &two).await;
    frees_with_time(&*one, &*two).await;
    is_forgotten(&*one).await;
}

/// Without time, the rule is the same to the unit.
async fn agrees_with_the_rule(one: &dyn Counters, two: &dyn Counters) {
    let bound = Bound { most: 1_000, per_minute: 0 };
    let counter = counter("rule", bound);
    let mut meter = Meter::default();
    for step in 0..300 {
        let host = if fastrand::bool() { one } else { two };
        match fastrand::u8(0..4) {
            0 | 1 => {
                let least = fastrand::u64(0..60);
                let wanted = want(least, least + fastrand::u64(0..60));
                let taken = host.take(&counter, wanted).await.unwrap();
                assert_eq!(taken, meter.take(bound, wanted, Duration::ZERO), "step {step}: {wanted:?}");
            }
            2 => {
                let change = fastrand::i64(-150..60);
                host.settle(&counter, change).await.unwrap();
                meter.settle(bound, change, Duration::ZERO);
            }
            _ => {
                let used = fastrand::u64(0..300);
                host.raise(&counter, used).await.unwrap();
                meter.raise(bound, used, Duration::ZERO);
            }
        }
    }
}

async fn hosts_together_take_no_more_than_there_is(one: &Arc<dyn Counters>, two: &Arc<dyn Counters>) {
    let counter = counter("all", Bound { most: 1_000, per_minute: 0 });
    let takers = (0..40).map(|number| {
        let (host, counter) = (Arc::clone(if number % 2 == 0 { one } else { two }), counter.clone());
        tokio::spawn(async move {
            let mut sum = 0;
            while let Taken::Granted { amount, .. } = host.take(&counter, want(1, 7)).await.unwrap() {
                sum += amount;
            }
            sum
        })
    });
    let sums = join_all(takers.collect::<Vec<_>>()).await;
    assert_eq!(sums.into_iter().map(Result::unwrap).sum::<u64>(), 1_000);
}

async fn frees_with_time(one: &dyn Counters, two: &dyn Counters) {
    // A hundred in a second.
    let counter = counter("time", Bound { most: 100, per_minute: 6_000 });
    assert_eq!(
        one.take(&counter, want(100, 100)).await.unwrap(),
        Taken::Granted { amount: 100, after: Duration::ZERO }
    );
    let ahead = Want { least: 50, most: 50, within: Duration::from_secs(10) };
    match two.take(&counter, ahead).await.unwrap() {
        Taken::Granted { amount: 50, after } => assert!(after <= Duration::from_millis(500), "{after:?}"),
        other => panic!("{other:?}"),
    }
    let all = Want { least: 10_000, most: 10_000, within: Duration::ZERO };
    match one.take(&counter, all).await.unwrap() {
        Taken::Short { used, free_in: Some(free_in) } => {
            assert!(used <= 150 && free_in > Duration::from_secs(90), "{used} {free_in:?}");
        }
        other => panic!("{other:?}"),
    }
    loop {
        match two.take(&counter, want(1, 1)).await.unwrap() {
            Taken::Granted { .. } => break,
            Taken::Short { free_in, .. } => tokio::time::sleep(free_in.unwrap()).await,
        }
    }
}

async fn is_forgotten(one: &dyn Counters) {
    let counter = Counter { keep: Some(Duration::from_secs(1)), ..counter("old", Bound { most: 10, per_minute: 0 }) };
    one.take(&counter, want(10, 10)).await.unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        // Asking changes it, so not too often.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        if matches!(one.take(&counter, want(1, 1)).await.unwrap(), Taken::Granted { .. }) {
            return;
        }
        assert!(std::time::Instant::now() < deadline);
    }
}
