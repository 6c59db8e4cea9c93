//! Resolves how the engine treats jobs: order, delivery, limits, retries, and what is remembered of them.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use gristmill_core::model::{DeadLetterBounds, RetryPolicy};

use super::quantity::{ByteSize, show_duration};
use super::section::{Read, Section, Value};
use super::settings::{Brokers, Delivery, Limits, Order, Store};

const HOUR: Duration = Duration::from_secs(3_600);

/// Which jobs wait for each other.
pub(super) fn order(root: &mut Section<'_>) -> Read<Order> {
    const ORDERS: [(&str, Order); 3] = [("none", Order::None), ("key", Order::Key), ("partition", Order::Partition)];
    root.or("order", Order::None, |value| value.choice("order", "the file", &ORDERS))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    AtLeastOnce,
    ExactlyOnce,
}

/// How outputs are written: the mode at the top level, its numbers in a table of their own. `brokers` are `None` where
/// they are at fault themselves.
pub(super) fn delivery(root: &mut Section<'_>, brokers: Option<&Brokers>) -> Read<Delivery> {
    const MODES: [(&str, Mode); 2] = [("at-least-once", Mode::AtLeastOnce), ("exactly-once", Mode::ExactlyOnce)];
    let mode = root.option("delivery", |value| {
        value.choice("delivery mode", "the file", &MODES).map(|mode| (mode, value.clone()))
    });
    let transactions = root.table_or_default("transactions", "[transactions]", transactions);
    let (most, every) = transactions?;
    match mode? {
        Some((Mode::ExactlyOnce, value)) if brokers == Some(&Brokers::Embedded) => {
            let message = "the embedded broker cannot deliver exactly once: its transactions keep nothing back";
            Err(value.fault(message, "name the brokers of a Kafka cluster, or take this line out"))
        }
        Some((Mode::ExactlyOnce, _)) => Ok(Delivery::ExactlyOnce { most, every }),
        Some((Mode::AtLeastOnce, _)) | None if root.has("transactions") => {
            let message = "[transactions] is there, but outputs are written without transactions".to_owned();
            let label = "add delivery = \"exactly-once\" above the first [table], or take it out".to_owned();
            Err(root.fault_at("transactions", message, label))
        }
        Some((Mode::AtLeastOnce, _)) | None => Ok(Delivery::AtLeastOnce),
    }
}

fn transactions(section: &mut Section<'_>) -> Read<(NonZeroU32, Duration)> {
    let waits = Duration::from_millis(1)..=Duration::from_secs(10);
    let most = section.or("max_jobs", count(1_000), |value| value.count(100_000));
    let every = section.or("max_wait", Duration::from_millis(100), |value| value.duration(waits));
    Ok((most?, every?))
}

/// Bounds of the pipeline as a whole, and of its dead letters.
pub(super) fn limits(section: &mut Section<'_>) -> Read<(Limits, DeadLetterBounds)> {
    let max_in_flight = section.or("max_in_flight", count(64), |value| value.count(10_000));
    let bytes = ByteSize::kib(64)..=ByteSize::mib(16 * 1024);
    let max_in_flight_bytes = section.or("max_in_flight_bytes", ByteSize::mib(64), |value| value.size(bytes.clone()));
    let items_in_flight = section.or("items_in_flight", count(8), |value| value.count(1_000));
    let max_job_bytes = section.or("max_job_bytes", ByteSize::mib(64), |value| value.size(bytes));
    // A member that gives up partitions waits this long inside the rebalance, which Kafka bounds at 5 minutes.
    let drain = Duration::from_millis(100)..=Duration::from_secs(4 * 60);
    let drain_timeout = section.or("drain_timeout", Duration::from_secs(30), |value| value.duration(drain));
    let normal = DeadLetterBounds::default();
    let rate = section.or("max_dead_letter_rate", normal.rate, |value| value.number(0.0..=1.0));
    let in_a_row = section.or("max_dead_letters_in_a_row", normal.in_a_row, |value| value.count(1_000_000));
    let limits = Limits {
        max_in_flight: max_in_flight?,
        max_in_flight_bytes: max_in_flight_bytes?,
        items_in_flight: items_in_flight?,
        max_job_bytes: max_job_bytes?,
        drain_timeout: drain_timeout?,
    };
    Ok((limits, DeadLetterBounds { rate: rate?, in_a_row: in_a_row? }))
}

/// A policy whose values are those of `base` where the table has none.
pub(super) fn retry(section: &mut Section<'_>, base: RetryPolicy) -> Read<RetryPolicy> {
    let waits = Duration::ZERO..=HOUR;
    let attempts = section.or("attempts", base.attempts, |value| value.count(100));
    let first_wait = section.or("first_wait", base.first_wait, |value| value.duration(waits.clone()));
    let longest_wait = section.or("longest_wait", base.longest_wait, |value| value.duration(waits));
    let deadline = section.or("deadline", base.deadline, |value| value.duration(Duration::ZERO..=24 * HOUR));
    let policy =
        RetryPolicy { attempts: attempts?, first_wait: first_wait?, longest_wait: longest_wait?, deadline: deadline? };
    if policy.first_wait > policy.longest_wait {
        let key = if section.has("longest_wait") { "longest_wait" } else { "first_wait" };
        let message = format!("the first wait is longer than the longest in {}", section.title);
        let (first, longest) = (show_duration(policy.first_wait), show_duration(policy.longest_wait));
        let label = format!("first_wait is {first}, longest_wait {longest}: change one");
        return Err(section.fault_at(key, message, label));
    }
    Ok(policy)
}

/// The memory of jobs.
pub(super) fn store(section: &mut Section<'_>) -> Read<Store> {
    let folder: Read<Option<PathBuf>> = section.option("folder", Value::path);
    let spans = Duration::from_secs(60)..=8_760 * HOUR;
    let keep_ended = section.or("keep_ended", 24 * HOUR, |value| value.duration(spans.clone()));
    let keep_unfinished = section.or("keep_unfinished", 168 * HOUR, |value| value.duration(spans));
    let sizes = ByteSize::mib(1)..=ByteSize::mib(1 << 20);
    let max_size = section.or("max_size", ByteSize::mib(16 << 10), |value| value.size(sizes));
    let store =
        Store { folder: folder?, keep_ended: keep_ended?, keep_unfinished: keep_unfinished?, max_size: max_size? };
    if store.keep_ended > store.keep_unfinished {
        let key = if section.has("keep_unfinished") { "keep_unfinished" } else { "keep_ended" };
        let message = "[store] would keep unfinished jobs for a shorter time than ended ones".to_owned();
        let (ended, unfinished) = (show_duration(store.keep_ended), show_duration(store.keep_unfinished));
        let label = format!("keep_ended is {ended}, keep_unfinished {unfinished}: change one");
        return Err(section.fault_at(key, message, label));
    }
    Ok(store)
}

/// A default that is a count.
pub(super) const fn count(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}
