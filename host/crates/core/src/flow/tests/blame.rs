//! Whose fault is it? Outages that cost no event, and events that cost no outage.

use std::ops::Range;
use std::time::Duration;

use super::play::{Arrive, Assign, Moment, Play, Stop, Wait};
use super::seconds;
use crate::flow::settings::Order;

const NEVER: Range<Duration> = Duration::ZERO..Duration::ZERO;

/// The second of each line that contains this.
fn seconds_of(what: &str, effects: &[String]) -> Vec<u64> {
    let of = |line: &String| line.split('s').next().unwrap().parse().unwrap();
    effects.iter().filter(|line| line.contains(what)).map(of).collect()
}

/// Events that ask the server, from this position on.
fn asking(positions: Range<u128>) -> impl Iterator<Item = Moment> {
    positions.map(|position| Arrive(0, position, "ask"))
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_any_length_dead_letters_nothing_and_ends_by_itself() {
    for length in [5, 60, 300] {
        // It begins while some are answered, some are under way and some are still to come.
        let away = Duration::from_millis(10_020)..seconds(10 + length);
        let history: Vec<Moment> = [Assign(0)]
            .into_iter()
            .chain(asking(0..20))
            .chain([Wait(seconds(10))])
            .chain(asking(20..40))
            .chain([Wait(seconds(1))])
            .chain(asking(40..60))
            .chain([Wait(seconds(2_000)), Stop])
            .collect();
        let effects = Play { away, ..Play::default() }.effects(&history).await;
        assert_eq!(seconds_of("dead", &effects), [0; 0], "{length} s: {effects:?}");
        let out = seconds_of("out ask", &effects);
        assert_eq!(out.len(), 60, "{length} s: {effects:?}");
        // Waits grow to 60 s and a quarter.
        assert!(out[59] <= 10 + length + 76, "{length} s: the last at {}", out[59]);
        assert!(effects.iter().any(|line| line.ends_with("below 60")), "{length} s: {effects:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_that_gets_through_wakes_the_others() {
    let history: Vec<Moment> =
        [Assign(0)].into_iter().chain(asking(0..60)).chain([Wait(seconds(1_000)), Stop]).collect();
    let play = Play { away: Duration::ZERO..seconds(300), watched: true, ..Play::default() };
    let effects = play.effects(&history).await;
    let out = seconds_of("out ask", &effects);
    assert!(out[59] - out[0] <= 1, "the others sleep on after the first: {out:?}");
    let told = seconds_of("paused for a time: stage s0: away", &effects).len();
    assert!((2..=11).contains(&told), "told {told} times in 300 s");
    assert_eq!(seconds_of("over: stage s0: away", &effects).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_fails_while_others_are_answered_is_one_dead_letter_and_holds_nothing_up() {
    for (jobs, order) in [(64, Order::None), (8, Order::None), (2, Order::None), (1, Order::None), (64, Order::Key)] {
        for poison in ["refused", "breaks"] {
            let history: Vec<Moment> = [Assign(0)]
                .into_iter()
                .chain(asking(0..100))
                .chain([Arrive(0, 100, poison)])
                .chain(asking(101..1_000))
                .chain([Wait(seconds(3_000)), Stop])
                .collect();
            let effects = Play { jobs, order, away: NEVER, log_calls: true, ..Play::default() }.effects(&history).await;
            let case = format!("{poison}, {jobs} in flight");
            assert_eq!(seconds_of("dead", &effects).len(), 1, "{case}");
            assert_eq!(seconds_of("out ask", &effects).len(), 999, "{case}");
            assert!(effects.iter().any(|line| line.contains(" below 1000")), "{case}: the offset does not move on");
            assert!(effects.iter().any(|line| line.ends_with(&format!("call {poison} #3"))), "{case}: fewer attempts");
            assert!(seconds_of("dead", &effects)[0] < 120, "{case}: {effects:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn poison_that_fills_all_places_lets_a_witness_in() {
    let history = [Assign(0), Arrive(0, 0, "refused"), Arrive(0, 1, "refused")].into_iter();
    let history: Vec<Moment> = history.chain(asking(2..100)).chain([Wait(seconds(3_000)), Stop]).collect();
    // In transactions what is done stays in flight as long as something before it is held.
    for transactions in [None, Some((10, 0))] {
        let effects = Play { jobs: 2, transactions, ..Play::default() }.effects(&history).await;
        let written = |words: &str| effects.join(" ").matches(words).count();
        assert_eq!((written("dead refused"), written("out ask")), (2, 98), "{transactions:?}: {effects:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn in_an_outage_only_one_event_more_than_allowed_is_taken() {
    let history: Vec<Moment> =
        [Assign(0)].into_iter().chain(asking(0..20)).chain([Wait(seconds(1_000)), Stop]).collect();
    let away = Duration::ZERO..seconds(300);
    let effects = Play { jobs: 4, away, watched: true, ..Play::default() }.effects(&history).await;
    let most = effects.iter().filter_map(|line| line.strip_suffix(" jobs in flight")?.split(' ').next_back());
    assert_eq!(most.map(|jobs| jobs.parse::<u32>().unwrap()).max(), Some(5), "{effects:?}");
    assert_eq!(seconds_of("out ask", &effects).len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_everyone_gets_is_waited_out_without_end() {
    let history = [Assign(0), Arrive(0, 0, "refused"), Arrive(0, 1, "refused"), Wait(seconds(10_000)), Stop];
    let effects = Play::default().effects(&history).await;
    assert_eq!(effects, ["10000s closed"], "a wrong key dead-letters nothing");
}

#[tokio::test(start_paused = true)]
async fn a_limit_for_one_request_alone_ends_at_the_deadline_and_one_for_all_does_not() {
    // Others come all the time, for 20 minutes.
    let others = (1..1_200).flat_map(|position| [Arrive(0, position, "ask"), Wait(seconds(1))]);
    let history: Vec<Moment> =
        [Assign(0), Arrive(0, 0, "limited-alone")].into_iter().chain(others).chain([Wait(seconds(99)), Stop]).collect();
    let effects = Play::default().effects(&history).await;
    let dead = seconds_of("dead limited-alone limited", &effects);
    assert!(dead.len() == 1 && dead[0] > 850, "{dead:?}");
    let alone = [Assign(0), Arrive(0, 0, "limited-alone"), Wait(seconds(10_000)), Stop];
    assert_eq!(Play::default().effects(&alone).await, ["10030s closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_asks_to_wait_for_no_time_does_not_spin() {
    let play = Play { log_calls: true, watched: true, ..Play::default() };
    let effects = play.effects(&[Assign(0), Arrive(0, 1, "limited 0"), Wait(seconds(20)), Stop]).await;
    let calls = seconds_of("call limited", &effects).len();
    assert!((10..20).contains(&calls), "{calls} in 10 s");
    assert_eq!(seconds_of("paused for a time", &effects), [0], "told once");
    assert_eq!(seconds_of("over: stage s0: limited", &effects), [10]);
}
