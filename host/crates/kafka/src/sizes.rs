//! How large records may be: a dead letter is its event plus some headers, so its topic has to accept slightly larger
//! records than the source.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};

use super::log::LogOnly;
use super::settings::Settings;
use gristmill_core::ports::{Role, Topic};

/// The longest that looking up the limits takes.
const LONGEST: Duration = Duration::from_secs(3);
/// The topic property that limits its records, in bytes after compression.
pub(super) const LIMIT: &str = "max.message.bytes";
/// The limit of dead-letter topics that we create, in bytes: 18 MiB, a record at the producer's limit of 17 MiB plus
/// what a batch adds. The producer's limit in turn leaves 1 MiB for the headers of a dead letter besides an event of
/// 16 MiB.
pub(super) const DEAD_LETTER_LIMIT: &str = "18874368";

/// A warning for each dead-letter topic that accepts smaller records than a source holds: an event too large for it
/// that fails would stop the pipeline. None where the brokers do not report their limits.
pub(super) async fn warnings(settings: &Settings, topics: &[Topic]) -> Vec<String> {
    let limits = match limits(settings, topics).await {
        Ok(limits) => limits,
        Err(error) => {
            tracing::debug!(%error, "the brokers do not report how large records may be");
            return Vec::new();
        }
    };
    let mut warnings = Vec::new();
    for source in topics.iter().filter(|topic| topic.role == Role::Source) {
        for dead_letters in topics.iter().filter(|topic| topic.role == Role::DeadLetters) {
            let (source, dead_letters) = (&*source.name, &*dead_letters.name);
            if let (Some(&held), Some(&accepted)) = (limits.get(source), limits.get(dead_letters))
                && accepted < held
            {
                warnings.push(format!(
                    "the dead-letter topic {dead_letters} accepts records of up to {accepted} bytes, and {source} holds \
                     up to {held}: a larger event that fails would stop the pipeline; set {LIMIT} of {dead_letters} to \
                     {held} plus room for headers, or to {DEAD_LETTER_LIMIT} for any event"
                ));
            }
        }
    }
    warnings
}

async fn limits(settings: &Settings, topics: &[Topic]) -> anyhow::Result<BTreeMap<String, u64>> {
    let admin: AdminClient<LogOnly> = settings.reader()?.create_with_context(LogOnly)?;
    let asked: Vec<ResourceSpecifier<'_>> = topics
        .iter()
        .filter(|topic| topic.role != Role::Sink)
        .map(|topic| ResourceSpecifier::Topic(&topic.name))
        .collect();
    let options = AdminOptions::new().request_timeout(Some(LONGEST));
    let mut limits = BTreeMap::new();
    for resource in admin.describe_configs(&asked, &options).await? {
        // A topic that we may not describe is left out.
        let Ok(resource) = resource else { continue };
        let limit = resource.get(LIMIT).and_then(|entry| entry.value.as_ref()?.parse().ok());
        if let (rdkafka::admin::OwnedResourceSpecifier::Topic(name), Some(limit)) = (&resource.specifier, limit) {
            limits.insert(name.clone(), limit);
        }
    }
    Ok(limits)
}
