//! The deployments of a running pipeline: the one that serves, at most one on trial, and those whose jobs have not ended.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::deployment::{Canary, Deployment};
use super::handle::{CanaryEnd, CanaryEnded, CanaryStatus, Change, LiveDeployment};
use super::jobs::Ended;
use super::pipeline::Pipeline;
use super::replay::Origin;
use super::settings::Order;
use crate::model::{Event, EventId, JobEnd, JobId, Judge, Judgement, Portion, Salt, Side};

/// Which deployments there are. Owned by the main loop.
pub(super) struct Deployments {
    stable: Arc<Deployment>,
    trial: Option<Trial>,
    /// How many jobs run the stages of each version.
    running: BTreeMap<u64, usize>,
    /// What the models were told last.
    portion: Portion,
}

/// A deployment on trial.
struct Trial {
    canary: Canary,
    salt: Salt,
    judge: Judge,
    began: Instant,
    /// Its jobs that run, and since when.
    running: HashMap<EventId, Instant>,
    told: oneshot::Sender<CanaryEnd>,
}

impl Deployments {
    pub(super) fn new(stable: Arc<Deployment>) -> Self {
        // Said, because other members of the group may have everything.
        stable.share(Portion::NONE);
        Self { stable, trial: None, running: BTreeMap::new(), portion: Portion::NONE }
    }

    /// The one of a side; the one that serves if none is on trial.
    pub(super) fn of(&self, side: Side) -> &Arc<Deployment> {
        match (side, &self.trial) {
            (Side::Canary, Some(trial)) => &trial.canary.deployment,
            _ => &self.stable,
        }
    }

    /// Which one an event's job runs: the same for each run of a job as long as the trial lasts, and for all events with one
    /// key if these are in order.
    pub(super) fn side(&self, event: &Event, pipeline: &Pipeline) -> Side {
        let Some(trial) = &self.trial else { return Side::Stable };
        let takes = |id: &[u8]| trial.canary.share.takes(&trial.salt, id);
        let is_taken = match (pipeline.order, &event.key, Origin::named_job(event)) {
            (Order::Key, Some(key), _) => takes(key),
            (_, _, Some(job)) => takes(job.as_bytes()),
            _ => takes(JobId::new(&pipeline.name, &event.id).as_str().as_bytes()),
        };
        if is_taken { Side::Canary } else { Side::Stable }
    }

    /// Jobs begin.
    pub(super) fn begin<'e>(&mut self, side: Side, events: impl ExactSizeIterator<Item = &'e EventId>) {
        *self.running.entry(self.of(side).version).or_default() += events.len();
        if let (Side::Canary, Some(trial)) = (side, &mut self.trial) {
            let now = Instant::now();
            trial.running.extend(events.map(|event| (event.clone(), now)));
        }
    }

    /// A job has ended, or was given up.
    pub(super) fn end(&mut self, ended: &Ended) {
        if let Some(running) = self.running.get_mut(&ended.version) {
            *running = running.saturating_sub(1);
        }
        self.running.retain(|_, running| *running > 0);
        let Some(trial) = &mut self.trial else { return };
        let side = match ended.version {
            version if version == trial.canary.deployment.version => Side::Canary,
            version if version == self.stable.version => Side::Stable,
            _ => return,
        };
        if side == Side::Canary {
            trial.running.remove(&ended.event);
        }
        if let Some(done) = &ended.done {
            let is_failed = done.end() != JobEnd::Good;
            trial.judge.note(side, trial.began.elapsed(), done.elapsed(), is_failed);
        }
    }

    /// Asks whether the trial is over.
    pub(super) fn judge(&mut self) {
        let Some(trial) = &mut self.trial else { return };
        match trial.judge.judge(trial.began.elapsed(), trial.running.values().map(Instant::elapsed)) {
            Judgement::Continue => {}
            Judgement::Promote(reason) => {
                self.promote(CanaryEnded::Promoted(reason));
            }
            Judgement::RollBack(reason) => {
                self.give_way(CanaryEnded::RolledBack(reason));
            }
        }
    }

    /// Runs a command. The answer is dropped if nobody waits for it.
    pub(super) fn change(&mut self, change: Change) {
        match change {
            Change::Swap(deployment, done) => {
                self.give_way(CanaryEnded::Replaced);
                tracing::info!(from = self.stable.version, to = deployment.version, "new jobs use the new deployment");
                self.stable = deployment;
                self.stable.share(self.portion);
                let _ = done.send(());
            }
            Change::Canary(canary, done) => {
                self.give_way(CanaryEnded::Replaced);
                let _ = done.send(self.begin_trial(canary));
            }
            Change::Promote(done) => {
                let _ = done.send(self.promote(CanaryEnded::Promoted("by an operator".into())));
            }
            Change::Withdraw(done) => {
                let _ = done.send(self.give_way(CanaryEnded::Withdrawn));
            }
        }
    }

    fn begin_trial(&mut self, canary: Canary) -> oneshot::Receiver<CanaryEnd> {
        let (told, ending) = oneshot::channel();
        let version = canary.deployment.version;
        tracing::info!(serving = self.stable.version, canary = version, share = %canary.share, "a deployment is on trial");
        canary.deployment.share(self.portion);
        let salt = Salt::of(canary.deployment.steps.iter().map(|step| &*step.digest));
        let judge = Judge::new(canary.terms);
        let running = HashMap::new();
        self.trial = Some(Trial { canary, salt, judge, began: Instant::now(), running, told });
        ending
    }

    /// The deployment on trial serves from now on. Returns its version, if there is one.
    fn promote(&mut self, how: CanaryEnded) -> Option<u64> {
        let trial = self.trial.take()?;
        let version = trial.canary.deployment.version;
        tracing::info!(from = self.stable.version, to = version, "the deployment on trial serves: {how}");
        self.stable = trial.canary.deployment;
        let _ = trial.told.send(CanaryEnd { version, how });
        Some(version)
    }

    /// No new job runs the deployment on trial. Returns its version, if there is one.
    fn give_way(&mut self, how: CanaryEnded) -> Option<u64> {
        let trial = self.trial.take()?;
        let version = trial.canary.deployment.version;
        let serving = self.stable.version;
        match &how {
            CanaryEnded::RolledBack(_) => tracing::warn!(serving, canary = version, "no longer on trial: {how}"),
            _ => tracing::info!(serving, canary = version, "no longer on trial: {how}"),
        }
        let _ = trial.told.send(CanaryEnd { version, how });
        Some(version)
    }

    /// Tells the models how much of the group's work is done here.
    pub(super) fn share(&mut self, portion: Portion) {
        self.portion = portion;
        self.stable.share(portion);
        if let Some(trial) = &self.trial {
            trial.canary.deployment.share(portion);
        }
    }

    /// The version that serves.
    pub(super) fn version(&self) -> u64 {
        self.stable.version
    }

    pub(super) fn canary(&self) -> Option<CanaryStatus> {
        let trial = self.trial.as_ref()?;
        let (stable, canary) = trial.judge.tallies();
        let (version, share) = (trial.canary.deployment.version, trial.canary.share);
        Some(CanaryStatus { version, share, stable, canary })
    }

    /// Those that new jobs may run, and those whose jobs have not ended, by version.
    pub(super) fn live(&self) -> Vec<LiveDeployment> {
        let mut live = self.running.clone();
        for side in [Side::Stable, Side::Canary] {
            live.entry(self.of(side).version).or_default();
        }
        live.into_iter().map(|(version, jobs)| LiveDeployment { version, jobs }).collect()
    }
}
