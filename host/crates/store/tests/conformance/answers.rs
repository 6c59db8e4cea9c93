//! Answers that any job may reuse.

use std::time::Duration;

use gristmill_core::model::ChatResponse;
use gristmill_core::ports::Kept;

use super::samples::every_kind;
use super::world::{World, key, until};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn answer(text: &str) -> ChatResponse {
    let Some(Kept::Answer(answer)) = every_kind().into_iter().next() else { panic!("the first kind is an answer") };
    ChatResponse { text: text.into(), ..answer }
}

pub(super) async fn an_answer_is_found_until_its_time_is_over(world: &World) {
    let (store, other) = (world.open().await, world.open().await);
    store.keep_answer(key(1), &answer("one"), Duration::from_secs(3)).await.unwrap();
    store.keep_answer(key(2), &answer("two"), DAY).await.unwrap();
    assert_eq!(other.find_answer(key(2)).await.unwrap(), Some(answer("two")), "hosts share them");
    assert_eq!(store.find_answer(key(3)).await.unwrap(), None);
    until(world, &*store, "the answer is too old", async || store.find_answer(key(1)).await.unwrap().is_none()).await;
    assert_eq!(store.find_answer(key(2)).await.unwrap(), Some(answer("two")));
}

pub(super) async fn the_last_answer_counts(world: &World) {
    let store = world.open().await;
    store.keep_answer(key(1), &answer("one"), Duration::from_millis(200)).await.unwrap();
    store.keep_answer(key(1), &answer("two"), DAY).await.unwrap();
    world.pass(Duration::from_secs(1));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(store.find_answer(key(1)).await.unwrap(), Some(answer("two")));
}

pub(super) async fn answers_stay_within_their_bound_and_the_newest_stay(world: &World) {
    const MOST: u64 = 200_000;
    let world = World { max_answers: MOST, keep_ended: Duration::from_secs(1), ..world.again() };
    let store = world.open().await;
    let large = answer(&"x".repeat(10_000));
    for number in 0..60_u64 {
        store.keep_answer(key(number), &large, DAY + Duration::from_secs(number)).await.unwrap();
    }
    let mut found = Vec::new();
    until(&world, &*store, "the answers are within their bound", async || {
        found.clear();
        for number in 0..60 {
            found.push(store.find_answer(key(number)).await.unwrap().is_some());
        }
        found.iter().filter(|is_found| **is_found).count() as u64 * 10_000 <= MOST
    })
    .await;
    let first = found.iter().position(|is_found| *is_found).unwrap();
    assert!(found[first..].iter().all(|is_found| *is_found), "those that soon are too old went first: {found:?}");
    assert!(found.len() - first >= 10, "{} of 10 kB in 200 kB", found.len() - first);
}
