//! librdkafka's log lines as ours.

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Logs one line. `facility` is librdkafka's short name of what the line is about.
pub(super) fn line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    // Consumers and producers share one map of properties, so each ignores some, which is expected.
    let level = if facility == "CONFWARN" { RDKafkaLogLevel::Debug } else { level };
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

/// The context of a client that only has to log.
#[derive(Clone, Copy)]
pub(super) struct LogOnly;

impl ClientContext for LogOnly {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if is_end(&error) {
            return;
        }
        tracing::warn!(target: "librdkafka", %error, "{reason}");
    }
}

impl rdkafka::consumer::ConsumerContext for LogOnly {}

/// Readers ask to be told of the ends of partitions, and librdkafka calls that an error. Most come with the records; some come
/// here, too.
fn is_end(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_partition_is_nothing_to_warn_of() {
        assert!(is_end(&KafkaError::Global(RDKafkaErrorCode::PartitionEOF)));
        assert!(!is_end(&KafkaError::Global(RDKafkaErrorCode::AllBrokersDown)));
    }
}
