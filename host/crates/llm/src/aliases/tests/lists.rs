//! The lists for what is too long or refused, and targets that are paused.

use super::*;

#[tokio::test]
async fn what_is_too_long_or_refused_goes_to_the_targets_that_are_meant_for_it() {
    for (failure, expected) in [(too_long(), "long"), (ChatFailure::ContentFiltered("no".into()), "filtered")] {
        let (usual, usual_calls) = alias(vec![Err(failure), Ok(response("second"))]);
        let other = |text: &str| alias(vec![Ok(response(text))]).0.targets;
        let models = only(usual.with(other("long"), other("filtered")));
        assert_eq!(chat(&models, &request("hello")).await.unwrap().text, expected);
        assert_eq!(usual_calls[1].load(Ordering::Relaxed), 0);
    }
}

#[tokio::test]
async fn a_refused_request_whose_fallback_is_limited_waits_and_whose_fallback_is_down_has_its_attempts() {
    let refused = || ChatFailure::ContentFiltered("no".into());
    for (fallback, expected) in [
        (limited(5), (limited(5), Some(Blame::Limit))),
        (away(), (away(), None)),
        (refused(), (refused(), None)),
        (wrong_key(), (refused(), None)),
    ] {
        let targets = |answer| alias(vec![Err(answer)]).0;
        let models = only(targets(refused()).with(Vec::new(), targets(fallback).targets));
        let failed = models.chat(&caller(1, "s", "a", 0), &request("hello")).await.unwrap_err();
        assert_eq!(unwrapped(failed), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_paused_is_not_asked_and_when_all_are_the_call_fails_at_once_until_the_first_is_free() {
    let (alias, calls) = alias(vec![Err(limited(60)), Err(limited(20))]);
    let models = only(alias);
    assert_eq!(chat(&models, &request("hello")).await, Err(limited(20)));
    tokio::time::advance(Duration::from_secs(5)).await;
    let asked = Instant::now();
    for position in 2..5 {
        let failed = models.chat(&caller(position, "s", "a", 0), &request("hello")).await.unwrap_err();
        assert_eq!(unwrapped(failed), (limited(15), Some(Blame::Limit)));
    }
    assert_eq!(asked.elapsed(), Duration::ZERO);
    let count = || calls.iter().map(|calls| calls.load(Ordering::Relaxed)).collect::<Vec<_>>();
    assert_eq!(count(), [1, 1]);
    tokio::time::advance(Duration::from_secs(15)).await;
    chat(&models, &request("hello")).await.unwrap_err();
    assert_eq!(count(), [1, 2], "the second is asked again, the first not yet");
}
