//! A host at one moment as its admin server tells of it.

use std::sync::Arc;
use std::time::Duration;

use gristmill_admin::{
    BrokerView, CanaryView, HostView, InFlight, LimitView, LiveView, ModelView, PartitionView, PauseKind, PauseView,
    Phase, PipelineState, PipelineView, Recent, SandboxView, StageView, StoreView, TallyView, Tapped, TappedItem,
    TargetState, TargetView, Totals, Warning,
};
use gristmill_core::flow::{CanaryStatus, Intake, LiveDeployment, Status};
use gristmill_core::model::Tally;
use gristmill_core::ports::PauseReason;
use gristmill_llm::{Asked, TargetNow};
use gristmill_telemetry::metrics::{Moment, Pause};
use gristmill_telemetry::taps::{Sample, Shape};

use crate::app::running::{Refusal, Refused};
use crate::app::snapshot::{PipelineNow, Snapshot, Topics};

/// A host, without the reasons why it is not ready.
pub(super) fn host(phase: Phase, uptime: Duration, snapshot: Option<&Snapshot>) -> HostView {
    let mut view = HostView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: uptime.as_secs_f64(),
        phase,
        ..HostView::default()
    };
    let Some(snapshot) = snapshot else { return view };
    view.pipelines.extend(snapshot.pipelines.iter().map(pipeline));
    if let Some(name) = &snapshot.restarting {
        view.pipelines.push(ended(name, PipelineState::Restarting, None));
    }
    for (name, why) in &snapshot.stopped {
        view.pipelines.push(ended(name, PipelineState::Stopped, Some(why.clone())));
    }
    view.pipelines.sort_by(|one, other| one.name.cmp(&other.name));
    // One that is being drained for a restart is there twice: as long as it runs, that counts.
    view.pipelines.dedup_by(|later, earlier| later.name == earlier.name);
    view.warnings = snapshot.refused.iter().map(warning).collect();
    view.targets = snapshot.targets.iter().map(target).collect();
    let instances = snapshot.instances;
    view.sandbox =
        SandboxView { running: number(instances.running), idle: number(instances.idle), most: number(instances.most) };
    view
}

fn warning((refused, refusal): (&Refused, &Refusal)) -> Warning {
    let (pipeline, stage) = match refused {
        Refused::Files => (None, None),
        Refused::Pipeline(pipeline) => (Some(pipeline.to_string()), None),
        Refused::Stage(pipeline, stage) => (Some(pipeline.to_string()), Some(stage.to_string())),
    };
    Warning { pipeline, stage, message: refusal.why.clone() }
}

fn live(live: &LiveDeployment) -> LiveView {
    LiveView { deployment: live.version, jobs: number(live.jobs) }
}

fn canary(canary: &CanaryStatus) -> CanaryView {
    let tally = |tally: &Tally| TallyView {
        jobs: tally.jobs,
        failed: tally.failed,
        p95_seconds: tally.p95.map(|p95| p95.as_secs_f64()),
    };
    CanaryView {
        deployment: canary.version,
        share: canary.share.to_string(),
        canary: tally(&canary.canary),
        serving: tally(&canary.stable),
    }
}

fn ended(name: &Arc<str>, state: PipelineState, stopped: Option<String>) -> PipelineView {
    PipelineView { name: name.to_string(), state, stopped, ..PipelineView::default() }
}

fn pipeline(now: &PipelineNow) -> PipelineView {
    let PipelineNow { topics, deployment, status, moment } = now;
    let Topics { source, group, sink, dead_letters } = topics;
    let totals = moment.totals;
    let ends = moment.lately.ends;
    PipelineView {
        name: moment.name.to_string(),
        state: status.as_ref().map_or(PipelineState::Stuck, state),
        stopped: None,
        deployment: status.as_ref().map_or(deployment.version, |status| status.deployment),
        live: status.as_ref().map(|status| status.live.iter().map(live).collect()).unwrap_or_default(),
        canary: status.as_ref().and_then(|status| status.canary.as_ref()).map(canary),
        source: source.clone(),
        group: group.clone(),
        sink: sink.clone(),
        dead_letters: dead_letters.clone(),
        stages: deployment.steps.iter().map(|step| stage(&step.name, &step.digest, moment)).collect(),
        assigned: moment.all.is_some(),
        partitions: status.as_ref().map(|status| partitions(status, moment)).unwrap_or_default(),
        partitions_in_all: number(moment.all.unwrap_or(0)),
        in_flight: status.as_ref().map(in_flight).unwrap_or_default(),
        pauses: moment.pauses.iter().map(pause).collect(),
        totals: Totals {
            events: totals.events,
            emitted: totals.emitted,
            records: totals.records,
            deleted: totals.deleted,
            dropped: totals.dropped,
            dead_lettered: totals.dead_lettered,
            stale: totals.stale,
        },
        recent: Recent {
            seconds: moment.lately.over.as_secs_f64(),
            emitted: ends.emitted,
            dead_lettered: ends.dead_lettered,
            success_rate: ends.success_rate(),
        },
        dead_letters_by_reason: moment.reasons.iter().map(|(reason, count)| (reason.to_string(), *count)).collect(),
        models: moment
            .models
            .iter()
            .map(|model| ModelView {
                alias: model.alias.to_string(),
                target: model.target.to_string(),
                answered: model.answered,
                failed: model.failed,
                input_tokens: model.input_tokens,
                output_tokens: model.output_tokens,
                cost_usd: model.cost_usd,
            })
            .collect(),
        broker: broker(moment),
        store: StoreView { failing_seconds: moment.store_failing.map(|since| since.as_secs_f64()) },
    }
}

fn broker(moment: &Moment) -> BrokerView {
    let (since, why) = moment.lost.clone().unzip();
    let seconds = |time: Duration| time.as_secs_f64();
    BrokerView { lost_seconds: since.map(seconds), message: why, silent_seconds: moment.silent.map(seconds) }
}

fn state(status: &Status) -> PipelineState {
    match status.intake {
        Intake::Open => PipelineState::Running,
        Intake::Paused => PipelineState::Paused,
        Intake::Draining => PipelineState::Draining,
    }
}

fn stage(name: &Arc<str>, digest: &Arc<str>, moment: &Moment) -> StageView {
    let mut view = StageView { name: name.to_string(), digest: digest.to_string(), ..StageView::default() };
    if let Some(calls) = moment.stages.iter().find(|calls| calls.name == *name) {
        (view.attempts, view.failed, view.seconds) = (calls.attempts, calls.failed, calls.took.as_secs_f64());
    }
    view
}

fn partitions(status: &Status, moment: &Moment) -> Vec<PartitionView> {
    let view = |owned: &gristmill_core::flow::PartitionStatus| {
        let behind = moment.behind.get(&owned.partition).copied().unwrap_or_default();
        PartitionView {
            topic: owned.partition.topic.to_string(),
            partition: owned.partition.index,
            generation: owned.generation.0,
            settled: owned.settled.map(|next| gristmill_core::model::Position(next.0).to_string()),
            lag: behind.lag,
            backlog: behind.backlog.or(behind.lag),
        }
    };
    status.partitions.iter().map(view).collect()
}

fn in_flight(status: &Status) -> InFlight {
    let queues = status.queues;
    InFlight {
        jobs: number(queues.jobs),
        bytes: number(queues.bytes),
        waiting_for_order: number(queues.waiting_for_order),
        waiting_for_transaction: number(queues.waiting_for_transaction),
        held: number(status.held),
    }
}

fn pause(pause: &Pause) -> PauseView {
    let (reason, stage) = match &pause.why {
        PauseReason::Operator => (PauseKind::Operator, None),
        PauseReason::Dependency { stage, .. } => (PauseKind::Dependency, Some(stage.to_string())),
        PauseReason::Store(_) => (PauseKind::Store, None),
        PauseReason::DeadLetters(_) => (PauseKind::DeadLetters, None),
        PauseReason::Objects(_) => (PauseKind::Objects, None),
    };
    PauseView {
        reason,
        stage,
        message: pause.why.to_string(),
        since_seconds: pause.since.as_secs_f64(),
        left_seconds: pause.left.map(|left| left.as_secs_f64()),
    }
}

fn target(now: &TargetNow) -> TargetView {
    let (state, left) = match now.asked {
        Asked::Open => (TargetState::Open, None),
        Asked::Limited(left) => (TargetState::Limited, Some(left)),
        Asked::Away(left) => (TargetState::Away, Some(left)),
    };
    let limit = |(name, limit, left): &(&'static str, f64, f64)| LimitView {
        name: (*name).to_owned(),
        limit: *limit,
        left: *left,
    };
    TargetView {
        address: now.address.clone(),
        model: now.model.clone(),
        state,
        left_seconds: left.map(|left| left.as_secs_f64()),
        limits: now.limits.iter().map(limit).collect(),
    }
}

/// A sample of a call.
pub(super) fn tapped(sample: Sample) -> Tapped {
    let Sample { stage, job, attempt, item, took, outcome, code, outputs, output_count, skipped } = sample;
    Tapped {
        stage,
        job,
        item: shown(item),
        attempt,
        seconds: took.as_secs_f64(),
        outcome: outcome.to_owned(),
        code,
        outputs: outputs.into_iter().map(shown).collect(),
        output_count,
        skipped,
    }
}

fn shown(shape: Shape) -> TappedItem {
    let Shape { id, content_type, bytes, payload } = shape;
    TappedItem { id, content_type, bytes, payload }
}

fn number(count: usize) -> u64 {
    count as u64
}
