//! Which letters are meant, and which of them may be replayed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::args::Filters;
use super::letter::{Letter, Place};
use gristmill_core::model::JobId;

/// The filters with their times resolved. What is not given lets everything through.
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

    pub(super) fn takes(&self, letter: &Letter) -> bool {
        let is = |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|wanted| wanted == has);
        (self.reasons.is_empty() || self.reasons.contains(&letter.reason))
            && (self.places.is_empty() || self.places.contains(&letter.place))
            && is(&self.stage, &letter.stage)
            && is(&self.job, &letter.job)
            && self.since.is_none_or(|since| letter.last_attempt >= since)
            && self.until.is_none_or(|until| letter.last_attempt < until)
    }
}

/// What bounds a replay.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds<'a> {
    pub(super) pipeline: &'a str,
    pub(super) max_replays: u32,
    pub(super) limit: usize,
    /// Whether letters are taken that were replayed since.
    pub(super) again: bool,
}

/// What is replayed, and what is not.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// One for each job, the oldest first.
    pub(super) letters: Vec<Letter>,
    /// Further letters of the same jobs: a job that failed twice because of a crash is replayed once.
    pub(super) repeats: Vec<Letter>,
    pub(super) of_others: usize,
    pub(super) replayed_since: usize,
    pub(super) too_often: usize,
    pub(super) beyond_limit: usize,
}

/// Chooses among letters in the order of their last attempts.
pub(super) fn choose(letters: Vec<Letter>, replayed: &BTreeSet<Place>, bounds: Bounds<'_>) -> Chosen {
    let mut chosen = Chosen::default();
    let mut newest: BTreeMap<String, usize> = BTreeMap::new();
    for letter in letters {
        if JobId::replayed(bounds.pipeline, &letter.job).is_none() {
            chosen.of_others += 1;
        } else if replayed.contains(&letter.place) && !bounds.again {
            chosen.replayed_since += 1;
        } else if letter.replays >= bounds.max_replays {
            chosen.too_often += 1;
        } else if let Some(&index) = newest.get(&letter.job) {
            let older = std::mem::replace(&mut chosen.letters[index], letter);
            chosen.repeats.push(older);
        } else if chosen.letters.len() >= bounds.limit {
            chosen.beyond_limit += 1;
        } else {
            newest.insert(letter.job.clone(), chosen.letters.len());
            chosen.letters.push(letter);
        }
    }
    chosen
}

impl Chosen {
    /// What is not replayed and why; empty when nothing is left out.
    pub(super) fn left_out(&self, bounds: Bounds<'_>) -> String {
        let parts = [
            (self.replayed_since, "replayed since (--again takes them)".to_owned()),
            (self.too_often, format!("replayed {} times or more before (--max-replays)", bounds.max_replays)),
            (self.of_others, format!("not of the pipeline {}", bounds.pipeline)),
            (self.beyond_limit, "beyond --limit".to_owned()),
        ];
        let told: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} {why}")).collect();
        if told.is_empty() { String::new() } else { format!("; skipped: {}", told.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(place: &str, job: &str) -> Letter {
        Letter {
            place: place.parse().unwrap(),
            job: job.into(),
            reason: "trap".into(),
            stage: "a".into(),
            attempts: 2,
            replays: 0,
            first_attempt: None,
            last_attempt: 1_000,
            error: String::new(),
        }
    }

    const BOUNDS: Bounds<'_> = Bounds { pipeline: "p", max_replays: 3, limit: usize::MAX, again: false };

    #[test]
    fn a_filter_takes_what_fits_all_of_it() {
        let now = SystemTime::UNIX_EPOCH;
        let takes = |filters: Filters, places: &[&str]| {
            let places: Vec<Place> = places.iter().map(|place| place.parse().unwrap()).collect();
            Filter::new(&filters, &places, now).takes(&letter("0/1", "p/in/0/1"))
        };
        let all = Filters::default;
        assert!(takes(all(), &[]) && takes(all(), &["0/2", "0/1"]) && !takes(all(), &["0/2"]));
        assert!(takes(Filters { reason: vec!["x".into(), "trap".into()], ..all() }, &[]));
        assert!(!takes(Filters { reason: vec!["x".into()], ..all() }, &[]));
        assert!(!takes(Filters { stage: Some("b".into()), ..all() }, &[]));
        assert!(!takes(Filters { job: Some("p/in/0".into()), ..all() }, &[]), "a job is named whole");
        let at = |text: &str| Some(text.parse().unwrap());
        assert!(takes(Filters { since: at("1970-01-01T00:00:01Z"), ..all() }, &[]));
        assert!(!takes(Filters { until: at("1970-01-01T00:00:01Z"), ..all() }, &[]));
        let both = Filters { stage: Some("a".into()), reason: vec!["x".into()], ..all() };
        assert!(!takes(both, &[]));
    }

    #[test]
    fn a_job_that_failed_twice_is_replayed_once_by_its_newest_letter() {
        let letters = vec![letter("0/1", "p/in/0/1"), letter("0/2", "p/in/0/2"), letter("1/3", "p/in/0/1")];
        let chosen = choose(letters, &BTreeSet::new(), BOUNDS);
        let places = |letters: &[Letter]| letters.iter().map(|letter| letter.place.to_string()).collect::<Vec<_>>();
        assert_eq!(
            (places(&chosen.letters), places(&chosen.repeats)),
            (vec!["1/3".into(), "0/2".into()], vec!["0/1".into()])
        );
        assert_eq!(chosen.left_out(BOUNDS), "");
    }

    #[test]
    fn what_is_left_out_is_counted_by_its_reason() {
        let often = Letter { replays: 3, ..letter("0/1", "p/in/0/1") };
        let letters = vec![
            often,
            letter("0/2", "other/in/0/2"),
            letter("0/3", ""),
            letter("0/4", "p/in/0/4"),
            letter("0/5", "p/in/0/5"),
            letter("0/6", "p/in/0/6"),
        ];
        let replayed = BTreeSet::from(["0/4".parse().unwrap()]);
        let bounds = Bounds { limit: 1, ..BOUNDS };
        let chosen = choose(letters.clone(), &replayed, bounds);
        assert_eq!(chosen.letters, [letter("0/5", "p/in/0/5")]);
        let expected = "; skipped: 1 replayed since (--again takes them), 1 replayed 3 times or more before \
                        (--max-replays), 2 not of the pipeline p, 1 beyond --limit";
        assert_eq!(chosen.left_out(bounds), expected);
        let again = choose(letters, &replayed, Bounds { again: true, ..bounds });
        assert_eq!(again.letters, [letter("0/4", "p/in/0/4")]);
    }
}
