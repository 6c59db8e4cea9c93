//! The hash of a job for frontends that read it themselves, as plain text. Its fields are a promise: add some if need be, and
//! change none.

use std::time::{Duration, UNIX_EPOCH};

use super::names::Names;
use super::step::Step;
use gristmill_core::model::{JobRecord, Status, Timestamp};

/// Writes the hash of a job together with its record.
pub(super) fn write(step: &mut Step, names: &Names, pipeline: &str, record: &JobRecord, keep: u64) {
    let key = names.status(&record.job);
    step.does("HSET").word(&key);
    for (field, value) in fields(pipeline, record) {
        step.word(field).word(value);
    }
    step.does("PEXPIRE").word(&key).number(keep);
}

fn fields(pipeline: &str, record: &JobRecord) -> [(&'static str, String); 8] {
    let stage = record.told.stage.as_ref().map(|stage| stage.name.clone());
    let failure = record.told.last_error.as_ref().map(ToString::to_string);
    [
        ("job_id", record.job.to_string()),
        ("pipeline", pipeline.to_owned()),
        ("status", Status::of(record).name().to_owned()),
        ("current_stage", stage.unwrap_or_default()),
        ("progress", record.standing.percent.get().to_string()),
        ("last_error", failure.unwrap_or_default()),
        ("created_at", rfc3339(record.created)),
        ("updated_at", rfc3339(record.updated)),
    ]
}

fn rfc3339(Timestamp(milliseconds): Timestamp) -> String {
    let since = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples::{full, plain};

    #[test]
    fn the_hash_is_plain_text_and_empty_where_there_is_nothing() {
        let shown = |record| fields("p", &record).map(|(field, value)| format!("{field}={value}")).join(" ");
        assert_eq!(
            shown(plain()),
            "job_id=p/in/3/42 pipeline=p status=accepted current_stage= progress=0 last_error= \
             created_at=1970-01-01T00:00:00.000Z updated_at=1970-01-01T00:00:00.000Z"
        );
        assert_eq!(
            shown(full()),
            "job_id=p/in/3/42 pipeline=p status=waiting current_stage=chunk progress=99 last_error=bad: worse \
             created_at=2025-11-26T09:40:00.000Z updated_at=2025-11-26T09:40:00.001Z"
        );
    }
}
