//! What was spent and what is reserved, by job, stage, pipeline and day. Pure: the day is passed in.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gristmill_core::model::{BudgetScope, Day, JobId, MOST_MOMENTS, Spent, SpentOn, Usd};
use gristmill_core::ports::ModelCall;

use super::together::{Missing, Pot as Counted};
use crate::settings::{BudgetSettings, Budgets};

/// The most jobs whose accounts are open. Above it the oldest are closed: jobs of partitions that were given away.
const MOST_JOBS: usize = 65_536;

/// An amount that is spent, and one that calls in flight may still spend.
#[derive(Debug, Clone, Copy, Default)]
struct Pot {
    spent: Usd,
    reserved: Usd,
    /// What this host may spend in all, where hosts count together: what it has taken.
    granted: Usd,
}

impl Pot {
    /// What would be used with so much more.
    fn with(self, wanted: Usd) -> Usd {
        self.spent.plus(self.reserved).plus(wanted)
    }

    /// Takes back what is granted and not needed while no call is in flight.
    fn idle(&mut self) -> Usd {
        let idle = match self.reserved == Usd::ZERO {
            true => self.granted.minus(self.spent),
            false => Usd::ZERO,
        };
        self.granted = self.granted.minus(idle);
        idle
    }

    fn settle(&mut self, reserved: Usd, spent: Usd) {
        self.reserved = self.reserved.minus(reserved);
        self.spent = self.spent.plus(spent);
    }
}

/// Of a pipeline or a stage.
#[derive(Debug, Clone, Copy, Default)]
struct Pots {
    total: Pot,
    today: Pot,
}

#[derive(Debug, Default)]
struct JobAccount {
    age: u64,
    pot: Pot,
    spent: Spent,
    /// The calls since somebody asked for them.
    calls: Vec<ModelCall>,
}

/// A budget that a call does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shortage {
    pub(super) scope: BudgetScope,
    /// The key in the pipeline file, for messages.
    pub(super) key: String,
    pub(super) limit: Usd,
    pub(super) spent: Usd,
    /// What the call may cost.
    pub(super) wanted: Usd,
    /// Whether it would fit if the calls in flight cost nothing.
    pub(super) may_fit: bool,
    /// What this host has to take first, where hosts count together.
    pub(super) missing: Option<Missing>,
    /// Whether calls of this host hold some of it.
    pub(super) is_held: bool,
}

/// Who counts what is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Counting {
    /// This host by itself.
    #[default]
    Alone,
    /// All hosts together: this one spends only what it was granted.
    Together,
}

/// All accounts of a pipeline.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    budgets: Budgets,
    pub(super) counting: Counting,
    day: Day,
    pipeline: Pots,
    stages: HashMap<Arc<str>, Pots>,
    jobs: HashMap<JobId, JobAccount>,
    /// The same jobs by age.
    ages: BTreeMap<u64, JobId>,
    next_age: u64,
}

impl Accounts {
    /// With what was spent before.
    pub(super) fn new(budgets: Budgets, today: Day, before: Vec<(SpentOn, Spent)>) -> Self {
        let mut accounts = Self { budgets, day: today, ..Self::default() };
        for (on, spent) in before {
            for pots in [&mut accounts.pipeline, accounts.stages.entry(on.stage).or_default()] {
                pots.total.settle(Usd::ZERO, spent.cost);
                pots.total.granted = pots.total.spent;
                if on.day == today {
                    pots.today.settle(Usd::ZERO, spent.cost);
                    pots.today.granted = pots.today.spent;
                }
            }
        }
        accounts
    }

    /// Whether nothing bounds what is spent.
    pub(super) fn is_unbounded(&self) -> bool {
        self.budgets.is_empty()
    }

    /// Replaces the budgets. What was spent of one that is new was not taken from anything: it is told as spent.
    pub(super) fn allow(&mut self, budgets: Budgets) {
        let before = std::mem::replace(&mut self.budgets, budgets);
        let is_new = |before: Option<Usd>, now: Option<Usd>| before.is_none() && now.is_some();
        let (old, new) = (before.pipeline, self.budgets.pipeline);
        let mut pots = vec![(is_new(old.total, new.total), &mut self.pipeline.total)];
        pots.push((is_new(old.day, new.day), &mut self.pipeline.today));
        for (stage, Pots { total, today }) in &mut self.stages {
            let of = |budgets: &Budgets| budgets.stages.get(stage).copied().unwrap_or_default();
            let (old, new) = (of(&before), of(&self.budgets));
            pots.push((is_new(old.total, new.total), total));
            pots.push((is_new(old.day, new.day), today));
        }
        for (_, pot) in pots.into_iter().filter(|(is_new, _)| *is_new) {
            pot.granted = pot.spent;
        }
    }

    /// Whether the account of a job is open.
    pub(super) fn knows(&self, job: &JobId) -> bool {
        self.jobs.contains_key(job)
    }

    /// Opens the account of a job that has spent this in earlier runs.
    pub(super) fn open(&mut self, job: &JobId, before: Spent) {
        let account = self.job(job);
        if account.spent.calls == 0 {
            account.spent = before;
            account.pot.spent = account.pot.spent.plus(before.cost);
        }
    }

    /// Forgets a job that has ended.
    pub(super) fn forget(&mut self, job: &JobId) {
        if let Some(account) = self.jobs.remove(job) {
            self.ages.remove(&account.age);
        }
    }

    /// What a job has spent; `None` if it has made no call.
    pub(super) fn spent(&self, job: &JobId) -> Option<Spent> {
        self.jobs.get(job).map(|account| account.spent).filter(|spent| spent.calls > 0)
    }

    /// Reserves an amount in every budget, or in none. What costs nothing fits into any. Returns the day it counts for.
    pub(super) fn reserve(
        &mut self,
        now: Day,
        job: &JobId,
        stage: &Arc<str>,
        wanted: Usd,
    ) -> Result<Day, Box<Shortage>> {
        self.turn(now);
        if wanted > Usd::ZERO
            && let Some(shortage) = self.shortage(job, stage, wanted)
        {
            return Err(Box::new(shortage));
        }
        for pot in self.pots(self.day, job, stage) {
            pot.reserved = pot.reserved.plus(wanted);
        }
        Ok(self.day)
    }

    /// Replaces a reservation by what was spent. `None` if the call certainly cost nothing.
    pub(super) fn settle(&mut self, day: Day, job: &JobId, stage: &Arc<str>, reserved: Usd, spent: Option<Spent>) {
        let cost = spent.map_or(Usd::ZERO, |spent| spent.cost);
        for pot in self.pots(day, job, stage) {
            pot.settle(reserved, cost);
        }
        if let Some(spent) = spent {
            let account = self.job(job);
            account.spent = account.spent.plus(spent);
        }
    }

    /// Remembers a call of a job for its history, unless there are so many that nobody asks.
    pub(super) fn remember(&mut self, job: &JobId, call: ModelCall) {
        if let Some(account) = self.jobs.get_mut(job).filter(|account| account.calls.len() < MOST_MOMENTS) {
            account.calls.push(call);
        }
    }

    /// The calls of a job since the last question.
    pub(super) fn take_calls(&mut self, job: &JobId) -> Vec<ModelCall> {
        self.jobs.get_mut(job).map(|account| std::mem::take(&mut account.calls)).unwrap_or_default()
    }

    /// This host may spend so much more of a pot. Of an earlier day it may not.
    pub(super) fn grant(&mut self, pot: &Counted, amount: Usd) {
        if let Some(pot) = self.counted(pot) {
            pot.granted = pot.granted.plus(amount);
        }
    }

    /// What of the pots of a call this host has been granted and does not need. It is not granted any more.
    pub(super) fn idle(&mut self, day: Day, stage: &Arc<str>) -> Vec<(Counted, Usd)> {
        if self.counting == Counting::Alone {
            return Vec::new();
        }
        let of_stage = self.budgets.stages.get(stage).copied().unwrap_or_default();
        let BudgetSettings { day: of_day, total, .. } = self.budgets.pipeline;
        let (stage_total, stage_day) = (Arc::clone(stage), Arc::clone(stage));
        let pots = [
            (total, Counted::Total),
            (of_day, Counted::Day(day)),
            (of_stage.total, Counted::StageTotal(stage_total)),
            (of_stage.day, Counted::StageDay(stage_day, day)),
        ];
        let bounded = pots.into_iter().filter(|(limit, _)| limit.is_some());
        let idle = bounded.filter_map(|(_, pot)| Some((pot.clone(), self.counted(&pot)?.idle())));
        idle.filter(|(_, amount)| *amount > Usd::ZERO).collect()
    }

    fn counted(&mut self, pot: &Counted) -> Option<&mut Pot> {
        let today = self.day;
        match pot {
            Counted::Total => Some(&mut self.pipeline.total),
            Counted::Day(day) => Some(&mut self.pipeline.today).filter(|_| *day == today),
            Counted::StageTotal(stage) => self.stages.get_mut(stage).map(|pots| &mut pots.total),
            Counted::StageDay(stage, day) => {
                self.stages.get_mut(stage).map(|pots| &mut pots.today).filter(|_| *day == today)
            }
        }
    }

    /// A new day begins with nothing spent. A clock that was set back does not bring an old one back.
    fn turn(&mut self, now: Day) {
        if now > self.day {
            self.day = now;
            for pots in self.stages.values_mut().chain([&mut self.pipeline]) {
                pots.today = Pot::default();
            }
        }
    }

    /// The first budget that is too small: of those that are used up if there is one.
    fn shortage(&self, job: &JobId, stage: &Arc<str>, wanted: Usd) -> Option<Shortage> {
        let of_job = self.jobs.get(job).map(|account| account.pot).unwrap_or_default();
        let of_stage = self.stages.get(stage).copied().unwrap_or_default();
        let stage_budget = self.budgets.stages.get(stage).copied().unwrap_or_default();
        let pipeline = &self.budgets.pipeline;
        let key = |key: &str| format!("the key `budget.{key}` of stage {stage:?}");
        let mut found: Option<Shortage> = None;
        let (total, day) = (Counted::Total, Counted::Day(self.day));
        let (stage_total, stage_day) =
            (Counted::StageTotal(Arc::clone(stage)), Counted::StageDay(Arc::clone(stage), self.day));
        for (scope, limit, pot, key, counted) in [
            (BudgetScope::Job, pipeline.job, of_job, "the key `job` of [budget]".to_owned(), None),
            (
                BudgetScope::Pipeline,
                pipeline.total,
                self.pipeline.total,
                "the key `total` of [budget]".to_owned(),
                Some(total),
            ),
            (BudgetScope::Stage, stage_budget.total, of_stage.total, key("total"), Some(stage_total)),
            (BudgetScope::Day, pipeline.day, self.pipeline.today, "the key `day` of [budget]".to_owned(), Some(day)),
            (BudgetScope::Stage, stage_budget.day, of_stage.today, key("day"), Some(stage_day)),
        ] {
            let Some(limit) = limit else { continue };
            let Pot { spent, reserved, granted } = pot;
            let counted = counted.filter(|_| self.counting == Counting::Together);
            let fits = pot.with(wanted) <= limit;
            if fits && (counted.is_none() || pot.with(wanted) <= granted) {
                continue;
            }
            let may_fit = spent.plus(wanted) <= limit;
            if found.as_ref().is_none_or(|found| found.may_fit && !may_fit) {
                let amount = pot.with(wanted).minus(granted);
                let missing = counted.filter(|_| fits).map(|pot| Missing { pot, limit, spent, amount });
                let is_held = reserved > Usd::ZERO;
                found = Some(Shortage { scope, key, limit, spent, wanted, may_fit, missing, is_held });
            }
        }
        found
    }

    /// Every pot that a call counts in. One of an earlier day counts for today no more.
    fn pots<'a>(&'a mut self, day: Day, job: &JobId, stage: &Arc<str>) -> impl Iterator<Item = &'a mut Pot> {
        self.job(job);
        let is_today = day == self.day;
        let stage = self.stages.entry(Arc::clone(stage)).or_default();
        let pots = [&mut self.pipeline, stage].into_iter();
        let pots = pots.flat_map(move |Pots { total, today }| [Some(total), is_today.then_some(today)]);
        pots.flatten().chain(self.jobs.get_mut(job).map(|account| &mut account.pot))
    }

    fn job(&mut self, job: &JobId) -> &mut JobAccount {
        if !self.jobs.contains_key(job) {
            self.ages.insert(self.next_age, job.clone());
            self.jobs.insert(job.clone(), JobAccount { age: self.next_age, ..JobAccount::default() });
            self.next_age += 1;
            if self.jobs.len() > MOST_JOBS
                && let Some((_, oldest)) = self.ages.pop_first()
            {
                self.jobs.remove(&oldest);
            }
        }
        self.jobs.entry(job.clone()).or_default()
    }
}

#[cfg(test)]
mod tests;
