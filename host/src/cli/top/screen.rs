//! What `top` shows of a host, as text in tables: pure, so that it is the same on a terminal and on paper.

use std::time::Duration;

use gristmill_admin::{
    HostView, ModelView, PauseKind, PipelineState, PipelineView, StageView, TargetState, TargetView,
};
use gristmill_core::model::printable;

/// A host, and when it was so.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// Since some moment that all samples share.
    pub(super) at: Duration,
    pub(super) host: HostView,
}

/// Everything that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Screen {
    pub(super) title: String,
    /// What is wrong, a line each.
    pub(super) alarms: Vec<String>,
    /// All pipelines.
    pub(super) pipelines: Table,
    /// Which of them the other tables are about.
    pub(super) selected: usize,
    pub(super) details: Vec<Table>,
}

/// A table. The first column is text, the others are numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

/// Two samples of one host, for rates.
struct Span<'a> {
    now: &'a HostView,
    before: Option<&'a HostView>,
    seconds: f64,
}

impl Screen {
    /// What is shown now, with the rates since an earlier sample.
    pub(super) fn of(now: &Sample, before: Option<&Sample>, selected: usize) -> Self {
        let seconds = before.map_or(0.0, |before| now.at.saturating_sub(before.at).as_secs_f64());
        let span = Span { now: &now.host, before: before.map(|before| &before.host), seconds };
        let selected = selected.min(now.host.pipelines.len().saturating_sub(1));
        let mut details = Vec::new();
        if let Some(pipeline) = now.host.pipelines.get(selected) {
            details.push(span.partitions(pipeline));
            details.push(span.stages(pipeline));
            details.push(span.models(pipeline));
        }
        details.push(targets(&now.host));
        details.retain(|table| !table.rows.is_empty());
        let sandbox = now.host.sandbox;
        let title = format!(
            "gristmill {}  up {}  instances {} of {}",
            printable(&now.host.version),
            time(now.host.uptime_seconds),
            sandbox.running,
            sandbox.most
        );
        Self { title, alarms: alarms(&now.host), pipelines: span.pipelines(), selected, details }
    }
}

impl Table {
    /// How wide each column is, in characters.
    pub(super) fn widths(&self) -> Vec<usize> {
        let column = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            widest.max(self.head[column].chars().count())
        };
        (0..self.head.len()).map(column).collect()
    }
}

impl Span<'_> {
    /// How many times in a second something that is counted has happened. Without an earlier sample nobody knows.
    fn rate(&self, now: u64, before: Option<u64>) -> String {
        match before {
            // A host that was started again counts from the beginning.
            Some(before) if self.seconds > 0.0 => {
                let more = if now >= before { now - before } else { now };
                let rate = more as f64 / self.seconds;
                if rate > 0.0 && rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
            }
            _ => "-".to_owned(),
        }
    }

    fn earlier(&self, pipeline: &PipelineView) -> Option<&PipelineView> {
        self.before?.pipelines.iter().find(|earlier| earlier.name == pipeline.name)
    }

    fn pipelines(&self) -> Table {
        let row = |pipeline: &PipelineView| {
            let earlier = self.earlier(pipeline).map(|earlier| earlier.totals);
            let totals = pipeline.totals;
            let settled = |totals: gristmill_admin::Totals| {
                totals.emitted + totals.deleted + totals.dropped + totals.dead_lettered
            };
            vec![
                printable(&pipeline.name),
                state(pipeline),
                format!("{}/{}", pipeline.partitions.len(), pipeline.partitions_in_all),
                self.rate(settled(totals), earlier.map(settled)),
                self.rate(totals.dead_lettered, earlier.map(|totals| totals.dead_lettered)),
                pipeline.in_flight.jobs.to_string(),
                sum(pipeline.partitions.iter().map(|partition| partition.backlog.or(partition.lag))),
                pipeline.recent.success_rate.map_or_else(|| "-".to_owned(), |rate| format!("{:.1}%", rate * 100.0)),
                pipeline.deployment.to_string(),
            ]
        };
        Table {
            name: "pipelines".into(),
            head: vec!["", "state", "partitions", "jobs/s", "dead/s", "in flight", "backlog", "good", "version"],
            rows: self.now.pipelines.iter().map(row).collect(),
        }
    }

    fn partitions(&self, pipeline: &PipelineView) -> Table {
        let or_dash = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let mut partitions: Vec<_> = pipeline.partitions.iter().collect();
        // Those that are behind are what one looks for.
        partitions.sort_by_key(|partition| std::cmp::Reverse(partition.backlog.or(partition.lag)));
        let row = |partition: &&gristmill_admin::PartitionView| {
            vec![
                format!("{}/{}", printable(&partition.topic), partition.partition),
                partition.settled.as_deref().map_or_else(|| "-".to_owned(), printable),
                or_dash(partition.lag),
                or_dash(partition.backlog),
            ]
        };
        Table {
            name: format!("partitions of {}", printable(&pipeline.name)),
            head: vec!["", "settled below", "lag", "backlog"],
            rows: partitions.iter().map(row).collect(),
        }
    }

    fn stages(&self, pipeline: &PipelineView) -> Table {
        let earlier = self.earlier(pipeline);
        let row = |stage: &StageView| {
            let before = earlier.and_then(|earlier| earlier.stages.iter().find(|before| before.name == stage.name));
            let (calls, seconds) = match before {
                Some(before) if stage.attempts >= before.attempts => {
                    (stage.attempts - before.attempts, stage.seconds - before.seconds)
                }
                _ => (stage.attempts, stage.seconds),
            };
            vec![
                printable(&stage.name),
                self.rate(stage.attempts, before.map(|before| before.attempts)),
                if calls == 0 { "-".to_owned() } else { format!("{:.1}", seconds * 1e3 / calls as f64) },
                stage.failed.to_string(),
            ]
        };
        Table {
            name: format!("stages of {}", printable(&pipeline.name)),
            head: vec!["", "calls/s", "ms/call", "failed"],
            rows: pipeline.stages.iter().map(row).collect(),
        }
    }

    fn models(&self, pipeline: &PipelineView) -> Table {
        let earlier = self.earlier(pipeline);
        let row = |model: &ModelView| {
            let is_it = |before: &&ModelView| before.alias == model.alias && before.target == model.target;
            let before = earlier.and_then(|earlier| earlier.models.iter().find(is_it));
            let tokens = |model: &ModelView| model.input_tokens + model.output_tokens;
            vec![
                format!("{} {}", printable(&model.alias), printable(&model.target)),
                self.rate(model.answered, before.map(|before| before.answered)),
                self.rate(tokens(model), before.map(tokens)),
                model.failed.to_string(),
                format!("{:.4}", model.cost_usd),
            ]
        };
        Table {
            name: format!("models of {}", printable(&pipeline.name)),
            head: vec!["", "answers/s", "tokens/s", "failed", "USD"],
            rows: pipeline.models.iter().map(row).collect(),
        }
    }
}

/// The servers of models, and how much of their limits is left.
fn targets(host: &HostView) -> Table {
    let row = |target: &TargetView| {
        let state = match target.state {
            TargetState::Open => "open",
            TargetState::Limited => "limited",
            TargetState::Away => "away",
        };
        let left = target.left_seconds.map(|left| format!(" for {}", time(left))).unwrap_or_default();
        let limits = target
            .limits
            .iter()
            .map(|limit| format!("{} {:.0} of {:.0}", printable(&limit.name), limit.left.max(0.0), limit.limit));
        vec![
            format!("{} {}", printable(&target.address), printable(&target.model)),
            format!("{state}{left}"),
            limits.collect::<Vec<_>>().join(", "),
        ]
    };
    Table {
        name: "model servers".into(),
        head: vec!["", "state", "left of its limits"],
        rows: host.targets.iter().map(row).collect(),
    }
}

fn state(pipeline: &PipelineView) -> String {
    let state = match pipeline.state {
        PipelineState::Stuck => "stuck",
        PipelineState::Running if pipeline.pauses.is_empty() => "running",
        PipelineState::Running | PipelineState::Paused => "paused",
        PipelineState::Draining => "draining",
        PipelineState::Restarting => "restarting",
        PipelineState::Stopped => "stopped",
    };
    state.to_owned()
}

/// What is wrong: reasons against readiness, and pauses, which are none at first.
fn alarms(host: &HostView) -> Vec<String> {
    let mut alarms = Vec::new();
    for reason in &host.reasons {
        let of = reason.pipeline.as_deref().map(|name| format!("{}: ", printable(name))).unwrap_or_default();
        alarms.push(format!("not ready: {of}{}", printable(&reason.message)));
    }
    for pipeline in &host.pipelines {
        for pause in &pipeline.pauses {
            let why = match pause.reason {
                PauseKind::Operator => "an operator",
                PauseKind::Dependency => "a dependency",
                PauseKind::Store => "the state store",
                PauseKind::DeadLetters => "the dead letters",
                PauseKind::Objects => "the object store",
            };
            let left = match pause.left_seconds {
                Some(left) => format!("for {} more", time(left)),
                None => "until it is resumed".to_owned(),
            };
            let since = time(pause.since_seconds);
            let (name, message) = (printable(&pipeline.name), printable(&pause.message));
            alarms.push(format!("{name} is paused by {why} since {since}, {left}: {message}"));
        }
    }
    alarms
}

/// The sum of what is known; a dash if nothing is.
fn sum(numbers: impl Iterator<Item = Option<u64>>) -> String {
    let known: Vec<u64> = numbers.flatten().collect();
    if known.is_empty() { "-".to_owned() } else { known.iter().sum::<u64>().to_string() }
}

/// "12 s", "3 min", "2 h 5 min", "4 d 3 h".
fn time(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use gristmill_admin::{InFlight, LimitView, PartitionView, PauseView, Recent, SandboxView, Totals};

    use super::*;

    fn host(done: u64) -> HostView {
        let partition = |partition, backlog| PartitionView {
            topic: "in".into(),
            partition,
            settled: Some("812".into()),
            lag: backlog,
            backlog,
            ..PartitionView::default()
        };
        let pipeline = PipelineView {
            name: "contracts".into(),
            state: PipelineState::Running,
            deployment: 2,
            partitions: vec![partition(0, Some(3)), partition(1, Some(40)), partition(2, None)],
            partitions_in_all: 6,
            in_flight: InFlight { jobs: 64, ..InFlight::default() },
            totals: Totals { emitted: done, dead_lettered: done / 100, ..Totals::default() },
            recent: Recent { success_rate: Some(0.9875), ..Recent::default() },
            stages: vec![StageView {
                name: "enrich".into(),
                attempts: done,
                failed: 3,
                seconds: done as f64 / 4.0,
                ..StageView::default()
            }],
            pauses: vec![PauseView {
                reason: PauseKind::Dependency,
                message: "429\x1b[2J".into(),
                since_seconds: 3.2,
                left_seconds: Some(130.0),
                ..PauseView::default()
            }],
            models: vec![ModelView {
                alias: "smart".into(),
                target: "openai/m".into(),
                answered: done,
                input_tokens: 300 * done,
                cost_usd: 0.25,
                ..ModelView::default()
            }],
            ..PipelineView::default()
        };
        let target = TargetView {
            address: "https://api.example.com/v1".into(),
            model: "m".into(),
            state: TargetState::Limited,
            left_seconds: Some(12.5),
            limits: vec![LimitView { name: "requests_per_minute".into(), limit: 500.0, left: 120.4 }],
        };
        HostView {
            version: "0.1.0".into(),
            uptime_seconds: 7_500.0,
            pipelines: vec![pipeline],
            targets: vec![target],
            sandbox: SandboxView { running: 8, idle: 2, most: 512 },
            ..HostView::default()
        }
    }

    pub(in super::super) fn screen() -> Screen {
        let sample = |seconds, done| Sample { at: Duration::from_secs(seconds), host: host(done) };
        Screen::of(&sample(12, 1_200), Some(&sample(10, 1_000)), 7)
    }

    #[test]
    fn rates_are_differences_of_two_samples() {
        let screen = screen();
        assert_eq!(screen.title, "gristmill 0.1.0  up 2 h 5 min  instances 8 of 512");
        assert_eq!(screen.selected, 0, "there are not so many pipelines");
        let row = &screen.pipelines.rows[0];
        assert_eq!(*row, ["contracts", "paused", "3/6", "101", "1.0", "64", "43", "98.8%", "2"]);
        let details: Vec<(&str, &[String])> =
            screen.details.iter().map(|table| (&*table.name, &*table.rows[0])).collect();
        let text = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<String>>();
        assert_eq!(details[0], ("partitions of contracts", &*text(&["in/1", "812", "40", "40"])));
        assert_eq!(details[1], ("stages of contracts", &*text(&["enrich", "100", "250.0", "3"])));
        assert_eq!(details[2], ("models of contracts", &*text(&["smart openai/m", "100", "30000", "0", "0.2500"])));
        let server = ["https://api.example.com/v1 m", "limited for 12 s", "requests_per_minute 120 of 500"];
        assert_eq!(details[3], ("model servers", &*text(&server)));
        let alarm = "contracts is paused by a dependency since 3 s, for 2 min more: 429\u{fffd}[2J";
        assert_eq!(screen.alarms, [alarm], "a message cannot control the terminal");
    }

    #[test]
    fn one_sample_has_no_rates_and_a_restarted_host_no_negative_ones() {
        let sample = |seconds, done| Sample { at: Duration::from_secs(seconds), host: host(done) };
        let first = Screen::of(&sample(1, 1_000), None, 0);
        assert_eq!(first.pipelines.rows[0][3..5], ["-", "-"]);
        let restarted = Screen::of(&sample(2, 100), Some(&sample(1, 1_000)), 0);
        assert_eq!(restarted.pipelines.rows[0][3], "101");
        let empty = Sample { at: Duration::ZERO, host: HostView::default() };
        assert!(Screen::of(&empty, None, 3).details.is_empty());
    }

    #[test]
    fn times_are_short() {
        assert_eq!([0.4, 59.9, 60.0, 7_500.0, 356_400.0].map(time), ["0 s", "59 s", "1 min", "2 h 5 min", "4 d 3 h"]);
    }
}
