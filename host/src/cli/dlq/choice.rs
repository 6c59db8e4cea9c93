//! Selects dead letters, and decides which of them may be replayed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::args::Filters;
use super::dead_letter::{DeadLetter, Place};
use gristmill_core::model::JobId;

/// The filters with their times resolved. A filter that is not set matches everything.
#[derive(Debug, Default)]
pub(super) struct Filter {
    reasons: Vec<String>,
    stage: Option<String>,
    job: Option<String>,
    since: Option<i64>,
    until: Option<i64>,
    places: BTreeSet<Place>,
}

impl Filter {
    pub(super) fn new(filters: &Filters, places: &[Place], now: SystemTime) -> Self {
        Self {
            reasons: filters.reason.clone(),
            stage: filters.stage.clone(),
            job: filters.job.clone(),
            since: filters.since.map(|moment| moment.resolve(now)),
            until: filters.until.map(|moment| moment.resolve(now)),
            places: places.iter().copied().collect(),
        }
    }

    pub(super) fn matches(&self, dead_letter: &DeadLetter) -> bool {
        let is = |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|wanted| wanted == has);
        (self.reasons.is_empty() || self.reasons.contains(&dead_letter.reason))
            && (self.places.is_empty() || self.places.contains(&dead_letter.place))
            && is(&self.stage, &dead_letter.stage)
            && is(&self.job, &dead_letter.job)
            && self.since.is_none_or(|since| dead_letter.last_attempt >= since)
            && self.until.is_none_or(|until| dead_letter.last_attempt < until)
    }
}

/// The bounds of a replay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds<'a> {
    pub(super) pipeline: &'a str,
    pub(super) max_replays: u32,
    pub(super) limit: usize,
    /// Whether to include dead letters that were replayed since.
    pub(super) again: bool,
}

/// What is replayed, and what is skipped.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// One per job, oldest first.
    pub(super) dead_letters: Vec<DeadLetter>,
    /// Further dead letters of the same jobs: a job that failed twice because of a crash is replayed once.
    pub(super) repeats: Vec<DeadLetter>,
    pub(super) of_others: usize,
    pub(super) replayed_since: usize,
    pub(super) too_often: usize,
    pub(super) beyond_limit: usize,
}

/// Chooses among dead letters, which are in the order of their last attempts.
pub(super) fn choose(dead_letters: Vec<DeadLetter>, replayed: &BTreeSet<Place>, bounds: Bounds<'_>) -> Chosen {
    let mut chosen = Chosen::default();
    let mut newest: BTreeMap<String, usize> = BTreeMap::new();
    for dead_letter in dead_letters {
        if JobId::replayed(bounds.pipeline, dead_letter.named_place()).is_none() {
            chosen.of_others += 1;
        } else if replayed.contains(&dead_letter.place) && !bounds.again {
            chosen.replayed_since += 1;
        } else if dead_letter.replays >= bounds.max_replays {
            chosen.too_often += 1;
        } else if let Some(&index) = newest.get(&dead_letter.job) {
            let older = std::mem::replace(&mut chosen.dead_letters[index], dead_letter);
            chosen.repeats.push(older);
        } else if chosen.dead_letters.len() >= bounds.limit {
            chosen.beyond_limit += 1;
        } else {
            newest.insert(dead_letter.job.clone(), chosen.dead_letters.len());
            chosen.dead_letters.push(dead_letter);
        }
    }
    chosen
}

impl Chosen {
    /// How many are skipped and why; empty if none.
    pub(super) fn skipped(&self, bounds: Bounds<'_>) -> String {
        let parts = [
            (self.replayed_since, "replayed since (--again includes them)".to_owned()),
            (self.too_often, format!("replayed {} times or more before (--max-replays)", bounds.max_replays)),
            (self.of_others, format!("not of the pipeline {}", bounds.pipeline)),
            (self.beyond_limit, "beyond --limit".to_owned()),
        ];
        let skipped: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} {why}")).collect();
        if skipped.is_empty() { String::new() } else { format!("; skipped: {}", skipped.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead_letter(place: &str, job: &str) -> DeadLetter {
        DeadLetter {
            place: place.parse().unwrap(),
            job: job.into(),
            reason: "trap".into(),
            stage: "a".into(),
            attempts: 2,
            replays: 0,
            first_attempt: None,
            last_attempt: 1_000,
            error: String::new(),
            first_place: None,
        }
    }

    const BOUNDS: Bounds<'_> = Bounds { pipeline: "p", max_replays: 3, limit: usize::MAX, again: false };

    #[test]
    fn a_filter_matches_only_if_all_its_parts_match() {
        let now = SystemTime::UNIX_EPOCH;
        let matches = |filters: Filters, places: &[&str]| {
            let places: Vec<Place> = places.iter().map(|place| place.parse().unwrap()).collect();
            Filter::new(&filters, &places, now).matches(&dead_letter("0/1", "p/in/0/1"))
        };
        let all = Filters::default;
        assert!(matches(all(), &[]) && matches(all(), &["0/2", "0/1"]) && !matches(all(), &["0/2"]));
        assert!(matches(Filters { reason: vec!["x".into(), "trap".into()], ..all() }, &[]));
        assert!(!matches(Filters { reason: vec!["x".into()], ..all() }, &[]));
        assert!(!matches(Filters { stage: Some("b".into()), ..all() }, &[]));
        assert!(!matches(Filters { job: Some("p/in/0".into()), ..all() }, &[]), "a job matches by its whole id");
        let at = |text: &str| Some(text.parse().unwrap());
        assert!(matches(Filters { since: at("1970-01-01T00:00:01Z"), ..all() }, &[]));
        assert!(!matches(Filters { until: at("1970-01-01T00:00:01Z"), ..all() }, &[]));
        let both = Filters { stage: Some("a".into()), reason: vec!["x".into()], ..all() };
        assert!(!matches(both, &[]));
    }

    #[test]
    fn a_job_that_failed_twice_is_replayed_once_by_its_newest_dead_letter() {
        let dead_letters =
            vec![dead_letter("0/1", "p/in/0/1"), dead_letter("0/2", "p/in/0/2"), dead_letter("1/3", "p/in/0/1")];
        let chosen = choose(dead_letters, &BTreeSet::new(), BOUNDS);
        let places = |dead_letters: &[DeadLetter]| {
            dead_letters.iter().map(|dead_letter| dead_letter.place.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            (places(&chosen.dead_letters), places(&chosen.repeats)),
            (vec!["1/3".into(), "0/2".into()], vec!["0/1".into()])
        );
        assert_eq!(chosen.skipped(BOUNDS), "");
    }

    #[test]
    fn skipped_dead_letters_are_counted_by_reason() {
        let often = DeadLetter { replays: 3, ..dead_letter("0/1", "p/in/0/1") };
        let dead_letters = vec![
            often,
            dead_letter("0/2", "other/in/0/2"),
            dead_letter("0/3", ""),
            dead_letter("0/4", "p/in/0/4"),
            dead_letter("0/5", "p/in/0/5"),
            dead_letter("0/6", "p/in/0/6"),
        ];
        let replayed = BTreeSet::from(["0/4".parse().unwrap()]);
        let bounds = Bounds { limit: 1, ..BOUNDS };
        let chosen = choose(dead_letters.clone(), &replayed, bounds);
        assert_eq!(chosen.dead_letters, [dead_letter("0/5", "p/in/0/5")]);
        let expected = "; skipped: 1 replayed since (--again includes them), 1 replayed 3 times or more before \
                        (--max-replays), 2 not of the pipeline p, 1 beyond --limit";
        assert_eq!(chosen.skipped(bounds), expected);
        let again = choose(dead_letters, &replayed, Bounds { again: true, ..bounds });
        assert_eq!(again.dead_letters, [dead_letter("0/4", "p/in/0/4")]);
    }
}
