//! Events handed in on an embedded broker: no more than its readers can read before it drops them.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::guard::{self, Unread, may_append};
use super::readers;
use super::settings::Settings;
use gristmill_core::model::Size;
use gristmill_core::ports::{Record, Sink, SinkError};

/// A sink that refuses what the embedded broker could not keep until everybody who reads the topic has read it. To be tried
/// again later: readers make room.
pub(super) struct GuardedSink {
    settings: Settings,
    sink: Arc<dyn Sink>,
    /// By topic. Locked while it is looked up, so that one call does that for all.
    topics: Mutex<BTreeMap<Arc<str>, Seen>>,
}

/// What is known of a topic.
#[derive(Default)]
struct Seen {
    /// At the last look; `None` before the first.
    unread: Option<Unread>,
    /// What was acknowledged since then. The partitions are not known, so it counts for each.
    since: usize,
    /// What is on its way.
    in_flight: usize,
}

impl GuardedSink {
    pub(super) fn new(settings: Settings, sink: Arc<dyn Sink>) -> Self {
        Self { settings, sink, topics: Mutex::default() }
    }

    /// Makes room for all of these, or for none.
    async fn reserve(&self, costs: &BTreeMap<Arc<str>, usize>) -> Result<(), SinkError> {
        let mut topics = self.topics.lock().await;
        for (topic, cost) in costs {
            let unavailable = |source| SinkError::Unavailable { topic: Arc::clone(topic), source };
            let seen = topics.entry(Arc::clone(topic)).or_default();
            let fits = |seen: &Seen| {
                let unread = seen.unread.as_ref()?;
                Some(may_append(topic, unread, seen.since + seen.in_flight, *cost))
            };
            if !matches!(fits(seen), Some(Ok(()))) {
                seen.unread = Some(self.look(topic).await.map_err(unavailable)?);
                seen.since = 0;
                if let Some(Err(full)) = fits(seen) {
                    return Err(unavailable(anyhow::Error::new(full)));
                }
            }
        }
        for (topic, cost) in costs {
            topics.entry(Arc::clone(topic)).or_default().in_flight += cost;
        }
        Ok(())
    }

    async fn look(&self, topic: &Arc<str>) -> anyhow::Result<Unread> {
        let (settings, topic) = (self.settings.clone(), Arc::clone(topic));
        let looked = move || guard::by_any(&settings, &topic, &readers::of(&settings, &topic)?);
        tokio::task::spawn_blocking(looked).await?
    }
}

#[async_trait]
impl Sink for GuardedSink {
    async fn deliver(&self, records: Vec<Record>) -> Result<(), SinkError> {
        let mut costs: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for record in &records {
            *costs.entry(Arc::clone(&record.topic)).or_default() += guard::cost(record.size());
        }
        self.reserve(&costs).await?;
        let delivered = self.sink.deliver(records).await;
        // After a failure some may have arrived. A call that was dropped before leaves its share in flight: then less is
        // taken than could be, until the pipeline is started again.
        let mut topics = self.topics.lock().await;
        for (topic, cost) in costs {
            let seen = topics.entry(topic).or_default();
            seen.in_flight = seen.in_flight.saturating_sub(cost);
            seen.since += cost;
        }
        delivered
    }
}
