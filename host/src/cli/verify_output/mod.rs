//! `gristmill verify-output`: what became of the events in the source topic, by what is in the topics of the outputs.

mod args;
mod count;
mod expected;
mod report;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gristmill_core::model::{Event, Partition, Position};
use gristmill_core::ports::{Broker, Browse, From, Until};
use tokio::time::{Instant, sleep};

pub(super) use args::VerifyOutput;

use self::count::{Bounds, Count, Totals};
use self::expected::Expected;
use crate::app::{self, Failure};
use crate::console;
use crate::settings::Pipeline;

/// How long `--wait` waits before it looks again.
const AGAIN: Duration = Duration::from_secs(1);

/// Prints what became of the events. Fails if too few have an output.
pub(super) async fn verify_output(args: &VerifyOutput) -> Result<(), Failure> {
    let pipeline = Pipeline::load_to_reach(&args.pipeline)?;
    let broker = app::reach(args.brokers.as_deref(), Some(&pipeline))?;
    let bounds = Bounds { outputs: args.max_outputs.get(), missing: args.missing };
    let until = args.wait.map(|wait| Instant::now() + wait);
    let totals = loop {
        let totals = look(&*broker, &pipeline, bounds, &args.expected).await?;
        let is_over = until.is_none_or(|until| Instant::now() + AGAIN > until);
        if is_over || is_enough(&totals, args.min_rate) {
            break totals;
        }
        sleep(AGAIN).await;
    };
    console::print(&if args.json { report::json(&pipeline.name, &totals) } else { report::text(&totals) })?;
    match totals.rate() {
        _ if is_enough(&totals, args.min_rate) => Ok(()),
        Some(rate) => {
            Err(anyhow::anyhow!("only {rate:.4} of the events have an output; --min-rate is {}", args.min_rate))
        }
        None if totals.dropped > 0 => Err(anyhow::anyhow!(
            "the topic {} has no events but those that are expected to be dropped",
            &*pipeline.source.topic
        )),
        None => Err(anyhow::anyhow!("the topic {} has no events", &*pipeline.source.topic)),
    }
    .map_err(Failure::Running)
}

fn is_enough(totals: &Totals, least: f64) -> bool {
    totals.rate().is_some_and(|rate| rate >= least)
}

/// Reads all topics of the pipeline. Only events that were there before the outputs were read count: they had the time
/// to become one.
async fn look(
    broker: &dyn Broker,
    pipeline: &Pipeline,
    bounds: Bounds,
    expected: &[Expected],
) -> anyhow::Result<Totals> {
    let source = pipeline.source.topic.shared();
    let mut ends: BTreeMap<Partition, Position> = BTreeMap::new();
    each(broker, &source, |event| {
        ends.insert(event.id.partition.clone(), event.id.position);
        Ok(())
    })
    .await?;
    let mut count = Count::new(&pipeline.name, bounds, expected);
    for topic in pipeline.plan.ends() {
        let topic = topic.unwrap_or_else(|| pipeline.sink.topic.shared());
        each(broker, &topic, |output| Ok(count.output(output)?)).await?;
    }
    let dead_letters = pipeline.dead_letter.topic.shared();
    each(broker, &dead_letters, |letter| Ok(count.dead_letter(letter)?)).await?;
    each(broker, &source, |event| {
        if ends.get(&event.id.partition).is_some_and(|end| event.id.position <= *end) {
            count.event(event);
        }
        Ok(())
    })
    .await?;
    Ok(count.end())
}

/// All records of a topic, up to its end.
async fn each(
    broker: &dyn Broker,
    topic: &Arc<str>,
    mut take: impl FnMut(&Event) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let browse = Browse { topic: Arc::clone(topic), from: From::Start, until: Until::End };
    let mut records = broker.browse(browse).await?;
    while let Some(record) = records.next().await {
        take(&record?)?;
    }
    Ok(())
}
