//! What was spent on models.

use gristmill_core::model::{ChatResponse, Day, Spent, SpentOn, Usage, Usd};
use gristmill_core::ports::{KeepOne, Kept};

use super::samples::every_kind;
use super::world::{World, job, key, text};

pub(super) fn on(day: u32, stage: &str) -> SpentOn {
    SpentOn { day: Day(day), stage: stage.into(), alias: "smart".into(), target: "openai/m".into() }
}

pub(super) fn spent(nano: u64) -> Spent {
    let cost = Usd::nano(nano);
    Spent { calls: 1, input_tokens: 10, cache_read_input_tokens: 4, output_tokens: 3, cost, unpriced: 0 }
}

fn answer(nano: u64) -> Kept {
    let Some(Kept::Answer(answer)) = every_kind().into_iter().next() else { panic!("no answer") };
    let usage = Usage { input_tokens: Some(10), output_tokens: Some(3), cost_nano_usd: Some(nano), ..Usage::default() };
    Kept::Answer(ChatResponse { usage, ..answer })
}

pub(super) async fn spending_is_summed_up_over_hosts(world: &World) {
    let (one, two) = (world.open().await, world.open().await);
    for (day, stage, nano) in [(2, "b", 5), (1, "b", 7), (2, "a", 1), (2, "b", 6)] {
        one.note(on(day, stage), spent(nano)).unwrap();
        two.note(on(day, stage), spent(nano)).unwrap();
    }
    one.keep(&job(1), key(0), &text("x")).await.unwrap();
    two.keep(&job(2), key(0), &text("x")).await.unwrap();
    let all = one.all().await.unwrap();
    assert_eq!(all.iter().map(|(on, _)| on.clone()).collect::<Vec<_>>(), [on(1, "b"), on(2, "a"), on(2, "b")]);
    let expected = Spent {
        calls: 4,
        input_tokens: 40,
        cache_read_input_tokens: 16,
        output_tokens: 12,
        cost: Usd::nano(22),
        unpriced: 0,
    };
    assert_eq!(all[2].1, expected);
    assert_eq!(two.all().await.unwrap(), all);
}

pub(super) async fn a_sum_stops_at_the_largest_number(world: &World) {
    let store = world.open().await;
    for nano in [5, u64::MAX, 6] {
        store.note(on(1, "a"), spent(nano)).unwrap();
        store.keep(&job(u128::from(nano % 100)), key(0), &text("x")).await.unwrap();
    }
    let all = store.all().await.unwrap();
    assert_eq!((all[0].1.cost, all[0].1.calls), (Usd::nano(i64::MAX.unsigned_abs()), 3));
}

pub(super) async fn what_was_spent_on_a_kept_answer_is_there_with_it(world: &World) {
    let (store, other) = (world.open().await, world.open().await);
    for round in 1..=20 {
        store.note(on(1, "a"), spent(5)).unwrap();
        store.keep(&job(round), key(0), &answer(5)).await.unwrap();
        assert_eq!(other.all().await.unwrap()[0].1.calls, u64::try_from(round).unwrap());
    }
}

pub(super) async fn the_answers_kept_of_a_job_say_what_it_has_spent(world: &World) {
    let store = world.open().await;
    for (number, kept) in (0..).zip([answer(5), text("no answer"), answer(7)]) {
        store.keep(&job(1), key(number), &kept).await.unwrap();
    }
    store.keep(&job(2), key(0), &answer(100)).await.unwrap();
    let expected = Spent { calls: 2, input_tokens: 20, output_tokens: 6, cost: Usd::nano(12), ..Spent::default() };
    assert_eq!(store.of_job(&job(1)).await.unwrap(), expected);
    assert_eq!(store.of_job(&job(3)).await.unwrap(), Spent::default());
}
