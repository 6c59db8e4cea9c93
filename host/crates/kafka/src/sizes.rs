//! How large records may be: a dead letter is its event and some headers, so its topic has to take a little more than
//! the topic the event came from.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};

use super::admin::{LONGEST, Role, Topic};
use super::log::LogOnly;
use super::settings::Settings;

/// The property of a topic that says how large its records may be, in bytes and as they are compressed.
pub(super) const LIMIT: &str = "max.message.bytes";
/// What a dead-letter topic takes that we create: 18 MiB, a record at the producer's limit of 17 and what a batch adds.
/// The producer's limit in turn has 1 MiB for the headers of a dead letter besides an event of 16.
pub(super) const LETTER_LIMIT: &str = "18874368";

/// A dead-letter topic that takes smaller records than a source holds. An event too large for it that fails would stop
/// the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tight {
    /// The source.
    pub source: String,
    /// The largest record it holds, in bytes.
    pub source_bytes: u64,
    /// The dead-letter topic.
    pub dead_letters: String,
    /// The largest record that takes, in bytes.
    pub dead_letter_bytes: u64,
}

impl fmt::Display for Tight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, source_bytes, dead_letters, dead_letter_bytes } = self;
        write!(
            f,
            "the dead-letter topic {dead_letters} takes records of {dead_letter_bytes} bytes at most, and {source} holds \
             up to {source_bytes}: a larger event that fails would stop the pipeline; set {LIMIT} of {dead_letters} to \
             {source_bytes} and room for headers, {LETTER_LIMIT} for any event",
        )
    }
}

/// Asks the brokers how large records may be. Where they do not tell there is nothing to say.
pub(super) async fn tight(settings: &Settings, topics: &[Topic<'_>]) -> Vec<Tight> {
    let limits = match limits(settings, topics).await {
        Ok(limits) => limits,
        Err(error) => {
            tracing::debug!(%error, "the brokers do not tell how large records may be");
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for source in topics.iter().filter(|topic| topic.role == Role::Source) {
        for letters in topics.iter().filter(|topic| topic.role == Role::DeadLetters) {
            if let (Some(&source_bytes), Some(&dead_letter_bytes)) = (limits.get(source.name), limits.get(letters.name))
                && dead_letter_bytes < source_bytes
            {
                let (source, dead_letters) = (source.name.into(), letters.name.into());
                found.push(Tight { source, source_bytes, dead_letters, dead_letter_bytes });
            }
        }
    }
    found
}

async fn limits(settings: &Settings, topics: &[Topic<'_>]) -> anyhow::Result<BTreeMap<String, u64>> {
    let admin: AdminClient<LogOnly> = settings.reader()?.create_with_context(LogOnly)?;
    let asked: Vec<ResourceSpecifier<'_>> = topics
        .iter()
        .filter(|topic| topic.role != Role::Sink)
        .map(|topic| ResourceSpecifier::Topic(topic.name))
        .collect();
    let options = AdminOptions::new().request_timeout(Some(LONGEST));
    let mut limits = BTreeMap::new();
    for resource in admin.describe_configs(&asked, &options).await? {
        // A topic that we may not describe tells nothing.
        let Ok(resource) = resource else { continue };
        let limit = resource.get(LIMIT).and_then(|entry| entry.value.as_ref()?.parse().ok());
        if let (rdkafka::admin::OwnedResourceSpecifier::Topic(name), Some(limit)) = (&resource.specifier, limit) {
            limits.insert(name.clone(), limit);
        }
    }
    Ok(limits)
}
