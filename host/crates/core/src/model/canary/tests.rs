//! The judge against versions that are as good, worse and better. The dice are seeded.

use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A version: which share of its jobs fails, and how long they take, in milliseconds.
#[derive(Clone, Copy)]
struct Version {
    fails: f64,
    millis: f64,
}

const USUAL: Version = Version { fails: 0.01, millis: 20.0 };

/// A trial of so many seconds with so many jobs in each, of which a share is on trial, judged every second. Returns the
/// second of the first judgement and what it was.
fn trial(dice: &mut fastrand::Rng, terms: CanaryTerms, [stable, canary]: [Version; 2], share: f64) -> (u64, Judgement) {
    let mut judge = Judge::new(terms);
    for second in 0..600 {
        for _ in 0..100 {
            let (side, version) = if dice.f64() < share { (Side::Canary, canary) } else { (Side::Stable, stable) };
            // With a long tail, as times have.
            let took = Duration::from_secs_f64(version.millis / 1_000.0 * (1.0 - dice.f64().ln()));
            judge.note(side, seconds(second), took, dice.f64() < version.fails);
        }
        match judge.judge(seconds(second + 1), std::iter::empty()) {
            Judgement::Continue => {}
            judgement => return (second + 1, judgement),
        }
    }
    (600, Judgement::Continue)
}

#[test]
fn a_version_that_is_as_good_is_hardly_ever_rolled_back() {
    let mut dice = fastrand::Rng::with_seed(7);
    let mut wrong = 0;
    for fails in [0.0, 0.001, 0.01, 0.1, 0.5] {
        for share in [0.05, 0.5] {
            for _ in 0..20 {
                let version = Version { fails, ..USUAL };
                let (_, judgement) = trial(&mut dice, CanaryTerms::default(), [version, version], share);
                wrong += u32::from(judgement != Judgement::Continue);
            }
        }
    }
    // None of 4,000 in a longer run of the same.
    assert!(wrong <= 1, "{wrong} of 200 trials over 600 looks each");
}

#[test]
fn a_version_that_fails_or_is_slow_is_rolled_back_soon() {
    let mut dice = fastrand::Rng::with_seed(7);
    for (canary, share, within, why) in [
        (Version { fails: 1.0, ..USUAL }, 0.05, 20, "failed"),
        (Version { fails: 0.2, ..USUAL }, 0.05, 60, "failed"),
        (Version { fails: 0.05, ..USUAL }, 0.5, 60, "failed"),
        (Version { millis: 200.0, ..USUAL }, 0.05, 30, "took longer"),
        (Version { millis: 60.0, ..USUAL }, 0.05, 120, "took longer"),
    ] {
        let (second, judgement) = trial(&mut dice, CanaryTerms::default(), [USUAL, canary], share);
        let Judgement::RollBack(reason) = judgement else { panic!("{why}: {judgement:?}") };
        assert!(second <= within && reason.contains(why), "after {second}s: {reason}");
    }
}

#[test]
fn what_is_tolerated_is_not_rolled_back_and_a_better_one_takes_over_when_it_is_asked_to() {
    let mut dice = fastrand::Rng::with_seed(7);
    let promote = Some(Promotion { jobs: 500, after: seconds(60) });
    let terms = CanaryTerms { promote, ..CanaryTerms::default() };
    for (stable, canary) in
        [(USUAL, Version { fails: 0.015, millis: 24.0 }), (Version { fails: 1.0, millis: 500.0 }, USUAL)]
    {
        let (second, judgement) = trial(&mut dice, terms, [stable, canary], 0.05);
        assert!(matches!(judgement, Judgement::Promote(_)), "{judgement:?}");
        assert!((60..200).contains(&second), "500 jobs of 5 a second: {second}");
    }
    let (_, judgement) = trial(&mut dice, terms, [USUAL, Version { fails: 0.9, ..USUAL }], 0.05);
    assert!(matches!(judgement, Judgement::RollBack(_)), "{judgement:?}");
}

#[test]
fn too_few_jobs_of_either_decide_nothing() {
    let terms = CanaryTerms { promote: Some(Promotion { jobs: 0, after: seconds(0) }), ..CanaryTerms::default() };
    for (stable, canary) in [(49, 1_000), (1_000, 49), (0, 0)] {
        let mut judge = Judge::new(terms);
        (0..stable).for_each(|_| judge.note(Side::Stable, seconds(0), seconds(1), false));
        (0..canary).for_each(|_| judge.note(Side::Canary, seconds(0), seconds(9), true));
        assert_eq!(judge.judge(seconds(1), std::iter::empty()), Judgement::Continue, "{stable} {canary}");
    }
}

#[test]
fn jobs_that_never_end_count_as_slow() {
    let mut judge = Judge::new(CanaryTerms::default());
    (0..200).for_each(|_| judge.note(Side::Stable, seconds(0), Duration::from_millis(20), false));
    let hanging = |age| std::iter::repeat_n(age, 60);
    assert_eq!(judge.judge(seconds(1), hanging(Duration::from_millis(20))), Judgement::Continue);
    assert!(matches!(judge.judge(seconds(9), hanging(seconds(8))), Judgement::RollBack(_)));
}

#[test]
fn what_is_before_the_window_is_forgotten() {
    let mut judge = Judge::new(CanaryTerms::default());
    (0..100).for_each(|_| judge.note(Side::Canary, seconds(0), seconds(1), true));
    (0..100).for_each(|_| judge.note(Side::Stable, seconds(600), seconds(1), false));
    assert_eq!(judge.tallies().1.jobs, 100);
    (0..100).for_each(|_| judge.note(Side::Stable, seconds(700), seconds(1), false));
    assert_eq!((judge.tallies().0.jobs, judge.tallies().1), (200, Tally::default()));
}
