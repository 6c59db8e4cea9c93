//! How many partitions the topics of a source have, those of other members among them.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;

use super::reports::Member;

/// How long the lookup of a topic may take. It is made while the group waits for an answer to a rebalance.
const LOOKUP: Duration = Duration::from_secs(5);

/// What is known of the extent of some topics.
pub(super) struct Extent {
    topics: Vec<Arc<str>>,
    /// What was found last.
    known: Option<usize>,
}

impl Extent {
    pub(super) fn of(topics: &[Arc<str>]) -> Self {
        Self { topics: topics.to_vec(), known: None }
    }

    /// Counts the partitions at the broker. If it does not answer, what was found before counts; `None` if that is nothing.
    pub(super) fn count(&mut self, consumer: &Member) -> Option<usize> {
        match look_up(consumer, &self.topics) {
            Ok(count) => self.known = Some(count),
            Err(error) => tracing::warn!(%error, known = self.known, "cannot count the partitions of the topics"),
        }
        self.known
    }
}

fn look_up(consumer: &Member, topics: &[Arc<str>]) -> KafkaResult<usize> {
    let mut count = 0;
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(&**topic), LOOKUP)?;
        count += metadata.topics().iter().map(|topic| topic.partitions().len()).sum::<usize>();
    }
    Ok(count)
}
