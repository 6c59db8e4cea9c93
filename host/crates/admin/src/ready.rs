//! Whether a host is ready, and why not: one rule for `/readyz`, the service manager and the metric.

use super::reason::{Code, Reason};
use super::view::{HostView, PauseView, Phase, PipelineState, PipelineView};

/// A pause is a reason from the moment on at which it has lasted this long, or is known to.
pub const LONG_PAUSE_SECONDS: f64 = 60.0;
/// A state store that fails for a moment recovers by itself: not before this is it a reason.
const STORE_PATIENCE_SECONDS: f64 = 1.0;
/// A source says every 5 s that it turns. In between it may wait for its broker, up to 105 s by default: one that is silent for
/// longer hangs.
const SOURCE_PATIENCE_SECONDS: f64 = 120.0;

/// All reasons why a host is not ready; empty if it is. Looks at everything but `reasons`, which is for what comes of it.
#[must_use]
pub fn readiness(host: &HostView) -> Vec<Reason> {
    let of_host = |code, message: &str| vec![Reason { pipeline: None, code, message: message.to_owned() }];
    match host.phase {
        Phase::Starting => of_host(Code::Starting, "stages are being loaded and brokers reached"),
        Phase::Stopping => of_host(Code::Stopping, "the process was asked to stop; jobs in flight may end"),
        Phase::Running => host.pipelines.iter().flat_map(of_pipeline).collect(),
    }
}

fn of_pipeline(pipeline: &PipelineView) -> Vec<Reason> {
    let reason = |code, message: String| Reason { pipeline: Some(pipeline.name.clone()), code, message };
    let end = match pipeline.state {
        PipelineState::Running | PipelineState::Paused => None,
        PipelineState::Stuck => Some((Code::Stuck, "its main loop does not answer")),
        PipelineState::Draining => Some((Code::Restarting, "it takes no new events, and ends when its jobs have")),
        PipelineState::Restarting => Some((Code::Restarting, "it is being started again")),
        PipelineState::Stopped => {
            let why = pipeline.stopped.as_deref().unwrap_or("it has stopped by itself");
            Some((Code::Stopped, why))
        }
    };
    // Nothing else that is known of such a pipeline holds any more.
    if let Some((code, why)) = end {
        return vec![reason(code, why.to_owned())];
    }
    let mut reasons = Vec::new();
    if !pipeline.assigned {
        let group = &pipeline.group;
        reasons.push(reason(Code::NoAssignment, format!("the group {group} has not assigned it any partition yet")));
    }
    if let Some(seconds) = pipeline.broker.lost_seconds {
        let why = pipeline.broker.message.as_deref().unwrap_or("it does not answer");
        reasons.push(reason(Code::BrokerLost, format!("its broker has been lost for {seconds:.0} s: {why}")));
    }
    if let Some(seconds) = pipeline.broker.silent_seconds.filter(|seconds| *seconds >= SOURCE_PATIENCE_SECONDS) {
        reasons.push(reason(Code::Stuck, format!("its source has not turned for {seconds:.0} s: nothing is read")));
    }
    if let Some(seconds) = pipeline.store.failing_seconds.filter(|seconds| *seconds >= STORE_PATIENCE_SECONDS) {
        reasons.push(reason(Code::StoreFailing, format!("its state store has not answered for {seconds:.0} s")));
    }
    for pause in pipeline.pauses.iter().filter(|pause| is_long(pause)) {
        reasons.push(reason(Code::Paused, pause_message(pause)));
    }
    reasons
}

/// Whether a pause has lasted, or will last, so long that others should know.
fn is_long(pause: &PauseView) -> bool {
    let left = pause.left_seconds.unwrap_or(f64::INFINITY);
    pause.since_seconds >= LONG_PAUSE_SECONDS || pause.since_seconds + left >= LONG_PAUSE_SECONDS
}

fn pause_message(PauseView { message, since_seconds, left_seconds, .. }: &PauseView) -> String {
    match left_seconds {
        Some(left) => format!("no events are taken, since {since_seconds:.0} s and for {left:.0} s: {message}"),
        None => format!("no events are taken, since {since_seconds:.0} s: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{BrokerView, PauseKind, StoreView};

    fn good() -> PipelineView {
        PipelineView {
            name: "p".into(),
            state: PipelineState::Running,
            assigned: true,
            group: "g".into(),
            ..PipelineView::default()
        }
    }

    fn codes(pipeline: PipelineView) -> Vec<Code> {
        let host = HostView { phase: Phase::Running, pipelines: vec![good(), pipeline], ..HostView::default() };
        readiness(&host).into_iter().map(|reason| reason.code).collect()
    }

    fn paused(since_seconds: f64, left_seconds: Option<f64>) -> PipelineView {
        let pause = PauseView { reason: PauseKind::Dependency, since_seconds, left_seconds, ..PauseView::default() };
        PipelineView { pauses: vec![pause], ..good() }
    }

    #[test]
    fn a_host_is_ready_when_all_its_pipelines_are() {
        assert!(codes(good()).is_empty());
        let whole = |phase| readiness(&HostView { phase, pipelines: vec![good()], ..HostView::default() });
        assert_eq!(whole(Phase::Starting)[0].code, Code::Starting);
        assert_eq!(whole(Phase::Stopping)[0].code, Code::Stopping);
        assert!(whole(Phase::Running).is_empty());
    }

    #[test]
    fn a_pipeline_that_does_not_work_is_a_reason_by_itself() {
        for (state, code) in [
            (PipelineState::Stuck, Code::Stuck),
            (PipelineState::Draining, Code::Restarting),
            (PipelineState::Restarting, Code::Restarting),
            (PipelineState::Stopped, Code::Stopped),
        ] {
            let pipeline = PipelineView { state, assigned: false, ..paused(100.0, None) };
            assert_eq!(codes(pipeline), [code], "{state:?}");
        }
    }

    #[test]
    fn a_pause_is_a_reason_once_it_has_lasted_or_will_last_a_minute() {
        for (since, left, expected) in [
            (0.0, Some(59.0), false),
            (0.0, Some(60.0), true),
            (1.0, Some(59.0), true),
            (59.0, Some(0.5), false),
            (60.0, Some(0.0), true),
            (0.0, None, true),
        ] {
            assert_eq!(codes(paused(since, left)) == [Code::Paused], expected, "since {since}, {left:?} left");
        }
    }

    #[test]
    fn every_reason_is_told() {
        let pipeline = PipelineView {
            assigned: false,
            broker: BrokerView {
                lost_seconds: Some(0.0),
                message: Some("refused".into()),
                silent_seconds: Some(120.0),
            },
            store: StoreView { failing_seconds: Some(1.0) },
            ..paused(10.0, Some(300.0))
        };
        let all = [Code::NoAssignment, Code::BrokerLost, Code::Stuck, Code::StoreFailing, Code::Paused];
        assert_eq!(codes(pipeline), all);
        let waits =
            PipelineView { broker: BrokerView { silent_seconds: Some(110.0), ..BrokerView::default() }, ..good() };
        assert!(codes(waits).is_empty(), "a source may wait for its broker");
        let blip = PipelineView { store: StoreView { failing_seconds: Some(0.5) }, ..good() };
        assert!(codes(blip).is_empty(), "a store that fails for a moment is none");
    }

    #[test]
    fn codes_are_written_alike_everywhere() {
        for code in [Code::Starting, Code::NoAssignment, Code::BrokerLost, Code::StoreFailing] {
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{code}\""));
        }
    }
}
