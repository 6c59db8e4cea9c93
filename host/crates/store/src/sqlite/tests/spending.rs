//! What was spent on models: summed up, and as durable as the answers it was spent on.

use super::*;
use crate::{MemorySpending, spending_of};
use gristmill_core::model::{Day, Spent, SpentOn, Usd};
use gristmill_core::ports::{KeepOne, Spending};

fn on(day: u32, stage: &str) -> SpentOn {
    SpentOn { day: Day(day), stage: stage.into(), alias: "smart".into(), target: "openai/m".into() }
}

fn spent(nano: u64) -> Spent {
    let cost = Usd::nano(nano);
    Spent { calls: 1, input_tokens: 10, cache_read_input_tokens: 4, output_tokens: 3, cost, unpriced: 0 }
}

fn answer(nano: u64) -> Kept {
    let Some(Kept::Answer(answer)) = every_kind().into_iter().next() else { panic!("no answer") };
    let usage = Usage { input_tokens: Some(10), output_tokens: Some(3), cost_nano_usd: Some(nano), ..Usage::default() };
    Kept::Answer(ChatResponse { usage, ..answer })
}

async fn sums(spending: &dyn Spending) {
    for (day, stage, nano) in [(2, "b", 5), (1, "b", 7), (2, "b", u64::MAX), (2, "a", 1), (2, "b", 6)] {
        spending.note(on(day, stage), spent(nano)).unwrap();
    }
}

#[tokio::test]
async fn spending_is_summed_up_by_day_stage_alias_and_target() {
    let memory = MemorySpending::default();
    sums(&memory).await;
    let all = memory.all().await.unwrap();
    assert_eq!(all.iter().map(|(on, _)| on.clone()).collect::<Vec<_>>(), [on(1, "b"), on(2, "a"), on(2, "b")]);
    assert_eq!((all[2].1.calls, all[2].1.input_tokens, all[2].1.cost), (3, 30, Usd::nano(u64::MAX)));

    let harness = Harness::new();
    let store = harness.open();
    sums(&store).await;
    drop(store);
    let kept = harness.open().all().await.unwrap();
    assert_eq!(kept[..2], all[..2]);
    let most = Usd::nano(i64::MAX.unsigned_abs());
    assert_eq!(kept[2], (on(2, "b"), Spent { cost: most, ..all[2].1 }), "a sum stops at the largest number");
}

#[tokio::test]
async fn what_was_spent_on_a_kept_answer_is_on_the_disk_with_it() {
    let harness = Harness::new();
    let store = harness.open();
    store.note(on(1, "a"), spent(5)).unwrap();
    store.keep(&job(1), key(0), &answer(5)).await.unwrap();
    // Another connection sees it: it was committed, although nobody waited for it.
    assert_eq!(spending_of(&harness.folder.path().join("state"), "p").unwrap(), [(on(1, "a"), spent(5))]);
    drop(store);
}

#[tokio::test]
async fn the_answers_kept_of_a_job_say_what_it_has_spent() {
    let harness = Harness::new();
    let store = harness.open();
    for (byte, kept) in [answer(5), text("no answer"), answer(7)].iter().enumerate() {
        store.keep(&job(1), key(byte as u8), kept).await.unwrap();
    }
    store.keep(&job(2), key(0), &answer(100)).await.unwrap();
    let expected = Spent { calls: 2, input_tokens: 20, output_tokens: 6, cost: Usd::nano(12), ..Spent::default() };
    assert_eq!(store.of_job(&job(1)).await.unwrap(), expected);
    assert_eq!(store.of_job(&job(3)).await.unwrap(), Spent::default());
}

#[test]
fn a_store_that_is_not_there_or_older_has_nothing_spent() {
    let harness = Harness::new();
    let folder = harness.folder.path().join("state");
    assert_eq!(spending_of(&folder, "p").unwrap(), []);
    assert!(!harness.file().exists(), "looking creates nothing");
    drop(harness.open());
    Connection::open(harness.file())
        .unwrap()
        .execute_batch(
            "DROP TABLE spent; DROP TABLE answer; DROP TABLE record; DROP TABLE attribute; DROP TABLE once;
             DROP TABLE moment; DROP TABLE act; DROP TABLE delivery; PRAGMA user_version = 1",
        )
        .unwrap();
    assert_eq!(spending_of(&folder, "p").unwrap(), []);
    drop(harness.open());
    assert_eq!(spending_of(&folder, "p").unwrap(), [], "opening it has added the table");
}
