//! The rule row by row, and what holds whatever happens.

use proptest::prelude::*;

use super::*;
use crate::model::{EventId, Partition, Position};

fn job(position: u128) -> JobId {
    let partition = Partition { topic: "in".into(), index: 0 };
    JobId::new("p", &EventId { partition, position: Position(position) })
}

fn who(position: u128) -> Requester {
    Requester { job: job(position), stage: "enrich".into(), item: "item".into() }
}

/// A request that begins and is answered.
fn passes(ledger: &mut Ledger, position: u128) {
    let turn = ledger.begin(&who(position));
    ledger.answered(&who(position), turn);
}

/// A request that begins and fails.
fn fails(ledger: &mut Ledger, position: u128, sign: Sign) -> Blame {
    let turn = ledger.begin(&who(position));
    ledger.failed(&who(position), turn, sign)
}

#[test]
fn every_sign_is_judged_by_what_others_get() {
    for (sign, others, expected) in [
        (Sign::Unreached, Others::Silent, Blame::Dependency),
        (Sign::Unreached, Others::Answered, Blame::Dependency),
        (Sign::Unreached, Others::Absent, Blame::Dependency),
        (Sign::Broken, Others::Silent, Blame::Dependency),
        (Sign::Broken, Others::Answered, Blame::Request),
        (Sign::Broken, Others::Absent, Blame::Request),
        (Sign::Refused, Others::Silent, Blame::Dependency),
        (Sign::Refused, Others::Answered, Blame::Request),
        (Sign::Refused, Others::Absent, Blame::Request),
        (Sign::Limited, Others::Silent, Blame::Limit),
        (Sign::Limited, Others::Answered, Blame::UnevenLimit),
        (Sign::Limited, Others::Absent, Blame::Limit),
    ] {
        assert_eq!(sign.judge(others), expected, "{sign:?} {others:?}");
    }
}

#[test]
fn an_answer_from_before_the_request_began_is_no_evidence() {
    let mut ledger = Ledger::default();
    passes(&mut ledger, 1);
    assert_eq!(fails(&mut ledger, 2, Sign::Refused), Blame::Dependency);
}

#[test]
fn an_answer_to_a_request_that_began_earlier_is_no_evidence_however_late_it_comes() {
    let mut ledger = Ledger::default();
    let (early, poisoned) = (ledger.begin(&who(1)), ledger.begin(&who(2)));
    ledger.answered(&who(1), early);
    assert_eq!(ledger.failed(&who(2), poisoned, Sign::Refused), Blame::Dependency);
}

#[test]
fn an_answer_to_someone_else_who_began_later_is_evidence() {
    let mut ledger = Ledger::default();
    let poisoned = ledger.begin(&who(2));
    passes(&mut ledger, 1);
    assert_eq!(ledger.failed(&who(2), poisoned, Sign::Refused), Blame::Request);
}

#[test]
fn the_answers_of_the_item_itself_are_no_evidence() {
    let mut ledger = Ledger::default();
    let poisoned = ledger.begin(&who(2));
    passes(&mut ledger, 2);
    passes(&mut ledger, 2);
    assert_eq!(ledger.failed(&who(2), poisoned, Sign::Refused), Blame::Dependency);
}

#[test]
fn another_item_of_the_same_job_is_someone_else() {
    let mut ledger = Ledger::default();
    let poisoned = ledger.begin(&who(2));
    let sibling = Requester { item: "sibling".into(), ..who(2) };
    let turn = ledger.begin(&sibling);
    ledger.answered(&sibling, turn);
    assert_eq!(ledger.failed(&who(2), poisoned, Sign::Refused), Blame::Request);
}

#[test]
fn every_time_at_fault_takes_evidence_of_its_own_while_others_ask() {
    let mut ledger = Ledger::default();
    assert_eq!(fails(&mut ledger, 2, Sign::Refused), Blame::Dependency);
    passes(&mut ledger, 1);
    assert_eq!(fails(&mut ledger, 2, Sign::Refused), Blame::Request);
    fails(&mut ledger, 1, Sign::Refused);
    assert_eq!(fails(&mut ledger, 2, Sign::Refused), Blame::Dependency, "someone has asked since, and got nothing");
    passes(&mut ledger, 1);
    assert_eq!(fails(&mut ledger, 2, Sign::Refused), Blame::Request);
}

#[test]
fn what_was_found_at_fault_stays_so_while_nobody_else_asks() {
    let mut ledger = Ledger::default();
    assert_eq!(fails(&mut ledger, 2, Sign::Refused), Blame::Dependency);
    passes(&mut ledger, 1);
    for _ in 0..3 {
        assert_eq!(fails(&mut ledger, 2, Sign::Refused), Blame::Request);
    }
    assert_eq!(fails(&mut ledger, 2, Sign::Unreached), Blame::Dependency);
    assert_eq!(fails(&mut ledger, 2, Sign::Limited), Blame::Limit);
}

#[test]
fn who_was_under_way_when_its_target_went_down_is_at_fault_once_at_most() {
    let mut ledger = Ledger::default();
    let long = ledger.begin(&who(2));
    passes(&mut ledger, 1);
    assert_eq!(ledger.failed(&who(2), long, Sign::Broken), Blame::Request);
    for _ in 0..3 {
        assert_eq!(fails(&mut ledger, 2, Sign::Broken), Blame::Dependency, "nobody was answered after it had failed");
    }
}

#[test]
fn an_answer_that_takes_longer_than_several_tries_is_not_missed() {
    let mut ledger = Ledger::default();
    assert_eq!(fails(&mut ledger, 2, Sign::Broken), Blame::Dependency);
    let long = ledger.begin(&who(1));
    assert_eq!(fails(&mut ledger, 2, Sign::Broken), Blame::Dependency);
    assert_eq!(fails(&mut ledger, 2, Sign::Broken), Blame::Dependency);
    ledger.answered(&who(1), long);
    assert_eq!(fails(&mut ledger, 2, Sign::Broken), Blame::Request);
}

#[test]
fn requests_of_one_item_that_run_side_by_side_are_judged_alike() {
    let mut ledger = Ledger::default();
    let (one, two) = (ledger.begin(&who(2)), ledger.begin(&who(2)));
    passes(&mut ledger, 1);
    assert_eq!(ledger.failed(&who(2), one, Sign::Refused), Blame::Request);
    assert_eq!(ledger.failed(&who(2), two, Sign::Refused), Blame::Request, "it failed with the other, not after it");
}

#[test]
fn an_item_that_was_answered_starts_anew() {
    let mut ledger = Ledger::default();
    assert_eq!(fails(&mut ledger, 2, Sign::Refused), Blame::Dependency);
    passes(&mut ledger, 1);
    passes(&mut ledger, 2);
    assert_eq!(fails(&mut ledger, 2, Sign::Refused), Blame::Dependency, "the evidence is from before");
}

#[test]
fn an_outage_blames_nobody_however_long_it_is() {
    let mut ledger = Ledger::default();
    (0..60).for_each(|position| passes(&mut ledger, position));
    for _ in 0..100 {
        for position in 0..60 {
            assert_eq!(fails(&mut ledger, position, Sign::Broken), Blame::Dependency);
        }
    }
}

#[test]
fn nothing_is_left_of_a_forgotten_job() {
    let mut ledger = Ledger::default();
    fails(&mut ledger, 1, Sign::Refused);
    fails(&mut ledger, 2, Sign::Refused);
    ledger.forget(&job(1));
    assert_eq!(ledger.failed.keys().collect::<Vec<_>>(), [&who(2)]);
}

#[test]
fn a_ledger_remembers_a_bounded_number_of_failures_and_forgets_the_oldest() {
    let mut ledger = Ledger::default();
    for position in 0..MOST as u128 + 10 {
        fails(&mut ledger, position, Sign::Refused);
    }
    assert_eq!(ledger.failed.len(), MOST);
    assert!(!ledger.failed.contains_key(&who(9)) && ledger.failed.contains_key(&who(10)));
}

/// One thing that happens at a target with few requesters.
#[derive(Debug, Clone)]
enum Happens {
    Begin(u128),
    /// One of the requests under way is answered.
    Answer(prop::sample::Index),
    /// One of them fails.
    Fail(prop::sample::Index, Sign),
    Forget(u128),
}

fn happens() -> impl Strategy<Value = Happens> {
    let sign = prop::sample::select(vec![Sign::Unreached, Sign::Broken, Sign::Refused, Sign::Limited]);
    prop_oneof![
        4 => (0..4_u128).prop_map(Happens::Begin),
        2 => any::<prop::sample::Index>().prop_map(Happens::Answer),
        3 => (any::<prop::sample::Index>(), sign).prop_map(|(index, sign)| Happens::Fail(index, sign)),
        1 => (0..4_u128).prop_map(Happens::Forget),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// Keeps the whole history beside the ledger, which keeps two turns.
    #[test]
    fn a_request_is_at_fault_only_if_someone_else_was_answered_who_began_later(
        history in prop::collection::vec(happens(), 1..60),
    ) {
        let mut ledger = Ledger::default();
        let mut under_way: Vec<(u128, Turn)> = Vec::new();
        let (mut begun, mut answers) = (Vec::new(), Vec::new());
        // What is remembered of each requester that failed: the first turn that did, and the last turn of all when it
        // was last found at fault, and when it failed last.
        let mut first: HashMap<u128, Turn> = HashMap::new();
        let mut blamed: HashMap<u128, Turn> = HashMap::new();
        let mut last: HashMap<u128, Turn> = HashMap::new();
        for event in history {
            match event {
                Happens::Begin(position) => {
                    let turn = ledger.begin(&who(position));
                    under_way.push((position, turn));
                    begun.push((position, turn));
                }
                Happens::Answer(index) if !under_way.is_empty() => {
                    let (position, turn) = under_way.swap_remove(index.index(under_way.len()));
                    ledger.answered(&who(position), turn);
                    answers.push((position, turn));
                    for memory in [&mut first, &mut blamed, &mut last] {
                        memory.remove(&position);
                    }
                }
                Happens::Fail(index, sign) if !under_way.is_empty() => {
                    let (position, turn) = under_way.swap_remove(index.index(under_way.len()));
                    let blame = ledger.failed(&who(position), turn, sign);
                    let since = *first.entry(position).and_modify(|first| *first = (*first).min(turn)).or_insert(turn);
                    let others_in = |all: &[(u128, Turn)], than: Turn| {
                        all.iter().any(|(other, begun)| *other != position && *begun > than)
                    };
                    let beside = last.get(&position).is_some_and(|last| turn <= *last);
                    match blame {
                        Blame::Request | Blame::UnevenLimit => {
                            prop_assert!(others_in(&answers, since), "nobody was answered who began after {position}");
                            prop_assert_ne!(sign, Sign::Unreached);
                            let than = blamed.get(&position).copied().unwrap_or(since);
                            let alone = !others_in(&begun, than);
                            prop_assert!(beside || alone || others_in(&answers, than), "old evidence, and others ask");
                            blamed.insert(position, Turn(ledger.turns));
                        }
                        Blame::Dependency | Blame::Limit => {
                            let than = blamed.get(&position).copied().unwrap_or(turn).max(turn);
                            let unclear = beside || sign == Sign::Unreached;
                            prop_assert!(unclear || !others_in(&answers, than), "others were answered");
                        }
                    }
                    last.insert(position, Turn(ledger.turns));
                }
                Happens::Forget(position) => {
                    ledger.forget(&job(position));
                    for memory in [&mut first, &mut blamed, &mut last] {
                        memory.remove(&position);
                    }
                }
                _ => {}
            }
        }
    }
}
