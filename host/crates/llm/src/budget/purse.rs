//! The money of a pipeline: reserved before each call, settled after it, remembered beyond the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gristmill_core::model::meter::Taken;
use gristmill_core::model::{Blame, BudgetScope, ChatFailure, Day, ItemId, JobId, Spent, SpentOn, Timestamp, Usd};
use gristmill_core::ports::{self, Caller, Counters, ModelCall, ModelError, Spending, StoreError};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::accounts::{Accounts, Counting, Shortage};
use super::together::{Pot, Together};
use crate::settings::Budgets;

/// Returns the current wall-clock time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The target of what may have been paid without an answer.
const NO_TARGET: &str = "-";

/// What a pipeline has spent on models and may still spend. Shared by all its deployments.
pub struct Purse {
    /// Locked because the calls of many jobs share it; never held across a wait.
    accounts: Mutex<Accounts>,
    /// Told when something was settled or a budget changed.
    freed: Notify,
    clock: Clock,
    /// `None`: nothing outlives this process.
    spending: Option<Arc<dyn Spending>>,
    /// `None`: this host counts by itself.
    together: Option<Arc<Together>>,
    /// What each target has answered today before this process, until somebody takes it.
    earlier: Mutex<BTreeMap<Arc<str>, Spent>>,
}

impl Purse {
    /// A purse that remembers nothing beyond this process.
    #[must_use]
    pub fn new(budgets: Budgets, clock: Clock) -> Self {
        let accounts = Accounts::new(budgets, Day::of(clock()), Vec::new());
        Self {
            accounts: Mutex::new(accounts),
            freed: Notify::new(),
            clock,
            spending: None,
            together: None,
            earlier: Mutex::default(),
        }
    }

    /// A purse with what was spent before.
    ///
    /// # Errors
    /// If that cannot be read.
    pub async fn open(budgets: Budgets, clock: Clock, spending: Arc<dyn Spending>) -> Result<Self, StoreError> {
        let (today, before) = (Day::of(clock()), spending.all().await?);
        let mut earlier = BTreeMap::<Arc<str>, Spent>::new();
        for (on, spent) in before.iter().filter(|(on, _)| on.day == today) {
            let so_far = earlier.entry(Arc::clone(&on.target)).or_default();
            *so_far = so_far.plus(*spent);
        }
        let (accounts, freed) = (Mutex::new(Accounts::new(budgets, today, before)), Notify::new());
        let (spending, earlier) = (Some(spending), Mutex::new(earlier));
        Ok(Self { accounts, freed, clock, spending, together: None, earlier })
    }

    /// The same, and budgets of days, of stages and of the pipeline are those of all hosts with these counters that run the
    /// pipeline of this name. That of a job stays with the host that has it.
    #[must_use]
    pub fn together(self, pipeline: &str, counters: Arc<dyn Counters>) -> Self {
        self.accounts().counting = Counting::Together;
        Self { together: Some(Arc::new(Together::new(counters, pipeline))), ..self }
    }

    /// What each target has answered today before this process. Only the first who asks gets it: the next ones are built
    /// when this process counts already.
    pub(crate) fn take_earlier(&self) -> BTreeMap<Arc<str>, Spent> {
        std::mem::take(&mut *self.earlier.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What tells its time.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Replaces the budgets. Calls that wait look again.
    pub fn allow(&self, budgets: Budgets) {
        self.accounts().allow(budgets);
        self.freed.notify_waiters();
    }

    /// Whether there is any budget.
    pub(crate) fn is_bounded(&self) -> bool {
        !self.accounts().is_unbounded()
    }

    /// Opens the account of a job before its first call: with what its kept answers took. Cancel-safe.
    pub(crate) async fn begin(&self, job: &JobId) -> Result<(), StoreError> {
        if self.accounts().knows(job) {
            return Ok(());
        }
        let before = match &self.spending {
            Some(spending) => spending.of_job(job).await?,
            None => Spent::default(),
        };
        // Another call of the job may have been faster; then this changes nothing.
        let mut accounts = self.accounts();
        if !accounts.knows(job) {
            accounts.open(job, before);
        }
        Ok(())
    }

    pub(crate) fn forget(&self, job: &JobId) {
        self.accounts().forget(job);
    }

    /// Reserves what a call may cost; `None` if that is not known, which no budget allows for. Waits at most `within` for
    /// calls in flight that hold what is left: most cost less than they have reserved. Cancel-safe.
    ///
    /// # Errors
    /// A budget is used up, or held by others for all that time; or the store that counts it for all hosts does not answer.
    pub(crate) async fn reserve<'p>(
        &'p self,
        caller: &Caller,
        alias: &str,
        estimate: Option<Usd>,
        within: Duration,
    ) -> Result<Reservation<'p>, ModelError> {
        let until = Instant::now() + within;
        let wanted = estimate.unwrap_or_default();
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Before the look: what is settled right after it must not be missed.
            freed.as_mut().enable();
            let today = Day::of((self.clock)());
            let reserved = self.accounts().reserve(today, &caller.job, &caller.stage, wanted);
            let mut shortage = match reserved {
                Ok(day) => {
                    let (stage, alias) = (Arc::clone(&caller.stage), alias.into());
                    let on = SpentOn { day, stage, alias, target: NO_TARGET.into() };
                    let (item, begun) = (Arc::clone(&caller.item), Instant::now());
                    return Ok(Reservation {
                        purse: self,
                        job: caller.job.clone(),
                        on,
                        estimate,
                        open: true,
                        item,
                        begun,
                    });
                }
                Err(shortage) => shortage,
            };
            if let (Some(missing), Some(together)) = (shortage.missing.take(), &self.together) {
                match together.take(&missing).await? {
                    Taken::Granted { amount, .. } => {
                        self.accounts().grant(&missing.pot, Usd::nano(amount));
                        continue;
                    }
                    Taken::Short { used, .. } => {
                        shortage.spent = Usd::nano(used);
                        shortage.may_fit = shortage.is_held;
                    }
                }
            }
            if !shortage.may_fit {
                return Err(used_up(&shortage, today));
            }
            if timeout_at(until, freed).await.is_err() {
                return Err(held(&shortage));
            }
        }
    }

    /// Gives back to the other hosts what this one does not need. Nobody waits for it; what gets lost counts as spent.
    fn give_back(&self, idle: Vec<(Pot, Usd)>) {
        let (Some(together), false) = (&self.together, idle.is_empty()) else { return };
        // At the end of a process a call may be dropped where nothing runs any more.
        let Ok(runtime) = Handle::try_current() else { return };
        let together = Arc::clone(together);
        runtime.spawn(async move {
            for (pot, amount) in idle {
                if let Err(error) = together.give_back(&pot, amount).await {
                    tracing::debug!(%pot, %amount, %error, "a part of a budget could not be given back");
                }
            }
        });
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        // Nothing panics midway through a change, so poisoned accounts are still consistent.
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ports::Accounts for Purse {
    fn spent(&self, job: &JobId) -> Option<Spent> {
        self.accounts().spent(job)
    }

    fn take_calls(&self, job: &JobId) -> Vec<ModelCall> {
        self.accounts().take_calls(job)
    }
}

/// A job's own budget fails the job; any other is a limit that all items meet, so the pipeline waits.
fn used_up(shortage: &Shortage, today: Day) -> ModelError {
    let Shortage { scope, key, limit, spent, wanted, .. } = shortage;
    let fix = match scope {
        BudgetScope::Day => format!("it ends on {}T00:00:00Z; or raise it and reload", today.next()),
        _ => "raise it and reload".to_owned(),
    };
    let message = format!("{key} is used up: {spent} of {limit} are spent, and this call may cost {wanted}; {fix}");
    let blame = (*scope != BudgetScope::Job).then_some(Blame::Limit);
    ModelError::Chat { failure: ChatFailure::BudgetExhausted { scope: *scope, message }, blame }
}

/// Nobody knows yet whether the call fits, so it fails nothing.
fn held(shortage: &Shortage) -> ModelError {
    let Shortage { key, limit, spent, wanted, .. } = shortage;
    let message = format!(
        "{key} is held by calls in flight: {spent} of {limit} are spent, and this call may cost {wanted}; it is made when \
         they have cost less than they may"
    );
    ModelError::Chat { failure: ChatFailure::RateLimited { message, after: None }, blame: Some(Blame::Limit) }
}

/// What a call may spend. Dropped without a word, as with the call itself, it counts as spent: it may have been paid.
pub(crate) struct Reservation<'p> {
    purse: &'p Purse,
    job: JobId,
    on: SpentOn,
    estimate: Option<Usd>,
    open: bool,
    item: Arc<str>,
    begun: Instant,
}

impl Reservation<'_> {
    /// A call was answered by this target. A cost that nobody told counts as it was estimated.
    pub(crate) fn answered(mut self, target: &str, spent: Spent) -> Result<(), StoreError> {
        self.on.target = target.into();
        let spent = match (spent.unpriced, self.estimate) {
            (1.., Some(estimate)) => Spent { cost: estimate, unpriced: 0, ..spent },
            _ => spent,
        };
        self.settle(Some(spent))
    }

    /// A call was not answered, but may have been paid for: it counts as it was estimated.
    pub(crate) fn lost(mut self) -> Result<(), StoreError> {
        let spent = self.unknown();
        self.settle(Some(spent))
    }

    /// A call was not made, or was turned away.
    pub(crate) fn unspent(mut self) {
        // Nothing is noted, so nothing can fail.
        let _ = self.settle(None);
    }

    fn unknown(&self) -> Spent {
        let cost = self.estimate.unwrap_or_default();
        Spent { calls: 1, cost, unpriced: u64::from(self.estimate.is_none()), ..Spent::default() }
    }

    fn call(&self, spent: Spent) -> ModelCall {
        ModelCall {
            at: (self.purse.clock)(),
            stage: Arc::clone(&self.on.stage),
            item: ItemId::recorded(self.item.to_string()),
            alias: Arc::clone(&self.on.alias),
            target: Arc::clone(&self.on.target),
            milliseconds: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            spent,
        }
    }

    fn settle(&mut self, spent: Option<Spent>) -> Result<(), StoreError> {
        self.open = false;
        let reserved = self.estimate.unwrap_or_default();
        let idle = {
            let mut accounts = self.purse.accounts();
            accounts.settle(self.on.day, &self.job, &self.on.stage, reserved, spent);
            if let Some(spent) = spent {
                accounts.remember(&self.job, self.call(spent));
            }
            accounts.idle(self.on.day, &self.on.stage)
        };
        self.purse.give_back(idle);
        self.purse.freed.notify_waiters();
        match (&self.purse.spending, spent) {
            (Some(spending), Some(spent)) => spending.note(self.on.clone(), spent),
            _ => Ok(()),
        }
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if self.open {
            let spent = self.unknown();
            // A store that has failed says so to the next call.
            let _ = self.settle(Some(spent));
        }
    }
}
