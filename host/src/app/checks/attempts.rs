//! How often, and how long: attempts that multiply, attempts that never begin, and times that end before those within them.

use std::time::Duration;

use gristmill_config::Fault;
use gristmill_core::flow::settings::RetryPolicy;
use gristmill_core::settings::Span;
use gristmill_llm::settings::AliasSettings;

use super::aliases;
use super::stages::{Findings, Stages};

/// How many calls of models one request may cost before that is worth a word. The defaults come to 9.
const MANY_CALLS: u64 = 50;

/// Warns of numbers that hardly anybody means.
pub(super) fn check(stages: &Stages<'_>, findings: &mut Findings) {
    for (index, stage) in stages.pipeline.stages.iter().enumerate() {
        let place = |key: &str| stages.pipeline.place(&format!("/stage/{index}/{key}"));
        let name = &*stage.name;
        if let Some(begun) = begun(&stage.retry) {
            let RetryPolicy { attempts, deadline, .. } = stage.retry;
            let message =
                format!("of the {attempts} attempts of stage {name:?}, only {begun} can begin before its deadline");
            let label = format!(
                "no attempt begins later than {} after the first: raise retry.deadline, or lower the waits",
                Span(deadline)
            );
            findings.warnings.push(Fault::warning(place("retry"), message).label(label));
        }
        for (alias, settings) in aliases::asked(stages, index) {
            let calls = Calls::of(&stage.retry, settings);
            if stage.grants.llm && calls.product() > MANY_CALLS {
                let message = format!("one request of stage {name:?} can call models {} times", calls.product());
                findings.warnings.push(Fault::warning(place("retry"), message).label(calls.label(alias)));
            }
            if let Some(label) = too_late(stage.limits.wall, alias, settings) {
                let message = format!("stage {name:?} is stopped before the model {alias:?} has had its time");
                findings.warnings.push(Fault::warning(place("limits"), message).label(label));
            }
        }
    }
}

/// How many attempts begin before the deadline, if not all of them do: each wait is at least this long.
fn begun(policy: &RetryPolicy) -> Option<u32> {
    let mut spent = Duration::ZERO;
    for attempt in 1..policy.attempts.get() {
        // Dice of 0 and no wish of the stage: the shortest wait that there is.
        match policy.again(attempt, spent, None, 0.0) {
            Some(wait) => spent = spent.saturating_add(wait),
            None => return Some(attempt),
        }
    }
    None
}

/// What multiplies.
struct Calls {
    attempts: u64,
    targets: u64,
    asked: u64,
}

impl Calls {
    fn of(policy: &RetryPolicy, alias: &AliasSettings) -> Self {
        let targets = alias.targets.len().max(1) as u64;
        Self { attempts: policy.attempts.get().into(), targets, asked: 1 + u64::from(alias.reask) }
    }

    fn product(&self) -> u64 {
        self.attempts.saturating_mul(self.targets).saturating_mul(self.asked)
    }

    fn label(&self, alias: &str) -> String {
        let Self { attempts, targets, asked } = self;
        format!(
            "{attempts} attempts × {targets} targets of {alias:?} × {asked} times each by reask, and again if the event is \
             delivered again: lower retry.attempts, or reask of the model"
        )
    }
}

/// A target that may take as long as the whole call: what comes behind it is never asked when it is too slow.
fn too_late(wall: Duration, alias: &str, settings: &AliasSettings) -> Option<String> {
    let slow = settings.targets.iter().find(|target| target.timeout().is_some_and(|timeout| timeout > wall));
    let cut = settings
        .targets
        .split_last()
        .and_then(|(_, before)| before.iter().find(|target| target.timeout().is_some_and(|timeout| timeout >= wall)));
    let (target, then) = match (cut, slow) {
        (Some(target), _) => (target, "the targets behind it are never asked when it is too slow"),
        (None, Some(target)) => (target, "it never gets that long"),
        (None, None) => return None,
    };
    let timeout = Span(target.timeout().unwrap_or_default());
    Some(format!(
        "{} of {alias:?} has a timeout of {timeout}, and limits.wall is {}: {then}",
        target.name(),
        Span(wall)
    ))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn attempts_that_never_begin_are_counted() {
        let policy = RetryPolicy::default();
        assert_eq!(begun(&policy), None, "the defaults all begin");
        let many = RetryPolicy { attempts: NonZeroU32::new(100).unwrap(), ..policy };
        // 2 + 4 + 8 + 16 + 32 s, then 60 s each within 15 minutes.
        assert_eq!(begun(&many), Some(19));
        assert_eq!(begun(&RetryPolicy { deadline: Duration::ZERO, ..policy }), Some(1));
    }
}
