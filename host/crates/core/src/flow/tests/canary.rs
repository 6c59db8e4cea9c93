//! A deployment on trial: who runs it, and how the trial ends. The stages of version 2 append "v2" to what they emit.

use std::collections::BTreeMap;

use super::play::{
    Arrive, ArriveTogether, Assign, Letter, Moment, Play, Promote, Replay, Stop, Swap, Try, Wait, Withdraw,
};
use super::seconds;
use crate::flow::settings::Order;

/// So many events at these positions that arrive together, each with what `payload` makes of its number.
fn together(first: u128, count: u128, payload: impl Fn(u128) -> String) -> Moment {
    let payloads: Vec<&'static str> = (first..first + count).map(|number| &*payload(number).leak()).collect();
    ArriveTogether(0, first, payloads.leak())
}

/// By the first word of each output, whether version 2 made it.
fn versions(effects: &[String]) -> BTreeMap<String, bool> {
    let mut versions = BTreeMap::new();
    for line in effects {
        let Some((_, output)) = line.split_once(" out ") else { continue };
        let name = output.split(' ').next().unwrap().to_owned();
        assert_eq!(versions.insert(name, output.ends_with("v2")), None, "done twice: {line}");
    }
    versions
}

fn second(effects: &[String], what: &str) -> u64 {
    let line = effects.iter().find(|line| line.contains(what)).unwrap_or_else(|| panic!("no {what:?} in {effects:?}"));
    line.split_once('s').unwrap().0.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_share_of_the_jobs_runs_the_version_on_trial_and_none_runs_both() {
    let history = [Assign(0), Try("20", None), together(0, 500, |job| format!("{job}")), Wait(seconds(9)), Stop];
    let versions = versions(&Play { stages: 2, ..Play::default() }.effects(&history).await);
    let second = versions.values().filter(|is_second| **is_second).count();
    assert_eq!(versions.len(), 500);
    assert!((60..150).contains(&second), "{second} of 500");
}

#[tokio::test(start_paused = true)]
async fn events_of_one_key_stay_with_one_version_where_they_are_in_order() {
    let events = together(0, 400, |job| format!("{job}@key{}", job % 20));
    let history = [Assign(0), Try("50", None), events, Wait(seconds(9)), Stop];
    let play = Play { order: Order::Key, ..Play::default() };
    let mut by_key: BTreeMap<u32, Vec<bool>> = BTreeMap::new();
    for (job, is_second) in versions(&play.effects(&history).await) {
        by_key.entry(job.parse::<u32>().unwrap() % 20).or_default().push(is_second);
    }
    assert!(by_key.values().all(|jobs| jobs.len() == 20 && jobs.iter().all(|second| *second == jobs[0])), "{by_key:?}");
    let second = by_key.values().filter(|jobs| jobs[0]).count();
    assert!((3..17).contains(&second), "{second} of 20 keys");
}

#[tokio::test(start_paused = true)]
async fn a_replay_stays_with_the_version_that_its_job_had() {
    let run = [Assign(0), Try("50", None), together(0, 40, |job| format!("{job}")), Wait(seconds(9)), Stop];
    let first = versions(&Play::default().effects(&run).await);
    let header = |job: u128| [&*format!("gristmill-job-id=p/in/0/{job}").leak(), "failure_reason=trap"];
    let payload = |job: u128| &*job.to_string().leak();
    let letters: Vec<Letter> = (0..40).map(|job| (job, payload(job), &*header(job).to_vec().leak())).collect();
    let replays = (0..40).map(|job| {
        let of = &*format!("gristmill-replay-of=dead/0/{job}").leak();
        Replay(0, 1_000 + job, payload(job), vec![of, header(job)[0]].leak())
    });
    let history: Vec<Moment> =
        [Assign(0), Try("50", None)].into_iter().chain(replays).chain([Wait(seconds(9)), Stop]).collect();
    let second = versions(&Play { letters, ..Play::default() }.effects(&history).await);
    assert_eq!(first, second);
    assert!(first.values().any(|second| *second) && !first.values().all(|second| *second), "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn a_version_that_fails_is_rolled_back_and_the_other_one_goes_on() {
    let worse = |job| format!("worse {job}");
    let history = [
        Assign(0),
        Try("20", None),
        together(0, 400, worse),
        Wait(seconds(3)),
        together(400, 400, worse),
        Wait(seconds(9)),
        Stop,
    ];
    let effects = Play::default().effects(&history).await;
    assert!(second(&effects, "rolled back: ") <= 2, "{effects:?}");
    assert!(effects.iter().any(|line| line.contains("of its last") && line.contains("jobs failed, 0 of")));
    let count = |second: &str, what: &str| {
        effects.iter().filter(|line| line.starts_with(second) && line.contains(what)).count()
    };
    assert!(count("0s", " dead ") > 40 && count("0s", " out ") > 200, "{effects:?}");
    assert_eq!((count("3s", " dead "), count("3s", " out ")), (0, 400), "nothing runs it any more");
}

#[tokio::test(start_paused = true)]
async fn a_version_whose_jobs_never_end_is_rolled_back_although_it_fills_the_pipeline() {
    let history = [Assign(0), Try("50", None), together(0, 400, |job| format!("stuck {job}")), Wait(seconds(9)), Stop];
    let effects = Play { jobs: 40, ..Play::default() }.effects(&history).await;
    assert!(second(&effects, "rolled back: ") <= 4, "{effects:?}");
    assert!(effects.iter().any(|line| line.contains("took longer")), "{effects:?}");
}

#[tokio::test(start_paused = true)]
async fn a_good_version_takes_over_after_as_many_jobs_as_its_terms_say() {
    let history = [
        Assign(0),
        Try("20", Some(60)),
        together(0, 400, |job| format!("{job}")),
        Wait(seconds(3)),
        together(400, 50, |job| format!("{job}")),
        Wait(seconds(9)),
        Stop,
    ];
    let effects = Play::default().effects(&history).await;
    assert!(second(&effects, "promoted: ") <= 2, "{effects:?}");
    assert!(versions(&effects).iter().all(|(job, second)| job.parse::<u32>().unwrap() < 400 || *second));
}

#[tokio::test(start_paused = true)]
async fn an_operator_ends_a_trial_in_either_way_and_a_swap_does() {
    for (how, told, after) in [
        (Promote, "promoted: by an operator", "b v2"),
        (Withdraw, "withdrawn by an operator", "b"),
        (Swap, "replaced by another deployment", "b v2"),
        (Try("0.01", None), "replaced by another deployment", "b"),
    ] {
        // The first event is in a share of 99%.
        let history = [
            Assign(0),
            Try("99", None),
            Arrive(0, 1, "slow 5"),
            Wait(seconds(1)),
            how,
            Wait(seconds(1)),
            Arrive(0, 2, "b"),
            Wait(seconds(9)),
            Stop,
        ];
        let effects = Play::default().effects(&history).await;
        assert_eq!(second(&effects, told), 1);
        assert!(effects.contains(&format!("2s out {after}")), "{effects:?}");
        assert!(effects.contains(&"5s out slow 5 v2".into()), "it ends with what it began with: {effects:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_trial_ends_with_its_pipeline() {
    let effects = Play::default().effects(&[Assign(0), Try("5", None), Wait(seconds(1)), Stop]).await;
    assert!(effects.contains(&"1s closed".into()), "{effects:?}");
}
