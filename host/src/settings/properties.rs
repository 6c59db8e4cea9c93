//! Kafka properties: each by itself, and how they fit each other and the pipeline.

use gristmill_config::{Draft, nearest};
use gristmill_core::flow::settings::{DeliveryMode, Limits, Transactions};
use gristmill_kafka::{Brokers, Fit, Properties, PropertyFault, PropertyReason, settable};

use super::file::PipelineFile;

/// Where they stand in the file.
const TABLE: &str = "/kafka/properties";

/// Reports everything that is wrong with the properties, each at its line. Contacts nothing and loads nothing.
pub(super) fn check(file: &mut Draft<PipelineFile>) {
    let Some(table) = file.written(TABLE).and_then(|table| table.as_object()).cloned() else { return };
    for (name, pointer) in Properties::written_twice(&table) {
        let message = format!("the property \"{name}\" is there twice, with dots and in quotes");
        file.report(&format!("{TABLE}{pointer}"), message, "keep one of them");
    }
    let pointers = Properties::pointers(&table);
    // Where some are no values, the others are still looked at.
    let sound = |name: &String| pointers.get(name).is_some_and(|pointer| file.is_sound(&format!("{TABLE}{pointer}")));
    let mut properties = Properties::of(&table);
    properties.0.retain(|name, _| sound(name));

    let bad = properties.faults();
    for fault in &bad {
        report(file, pointers.get(&fault.property), fault);
        properties.0.remove(&fault.property);
    }
    let settings = properties.plain();
    let misfits = settings.misfits(fit(file));
    for fault in &misfits {
        report(file, pointers.get(&fault.property), fault);
    }
    if bad.is_empty() && misfits.is_empty() && file.is_sound(TABLE) && let Err(error) = settings.rehearse() {
        file.report(TABLE, "these Kafka properties contradict each other", error.to_string());
    }
}

fn fit(file: &Draft<PipelineFile>) -> Fit {
    let limits: Limits = file.part("/limits").unwrap_or_default();
    let transactions: Transactions = file.part("/transactions").unwrap_or_default();
    let exactly_once = file.part("/delivery") == Some(DeliveryMode::ExactlyOnce);
    Fit {
        embedded: matches!(file.part("/kafka/brokers"), Some(Brokers::Embedded { .. })),
        drain_timeout: limits.drain_timeout,
        transactions: exactly_once.then_some(transactions.max_wait),
    }
}

/// `None` for a property that is not in the file: its default does not fit.
fn report(file: &mut Draft<PipelineFile>, pointer: Option<&String>, fault: &PropertyFault) {
    let pointer = format!("{TABLE}{}", pointer.map_or("", String::as_str));
    let name = &fault.property;
    let (message, label) = match &fault.reason {
        PropertyReason::Unknown => {
            let label = match nearest(name, settable()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "docs/pipeline-file.md lists those that can be set".to_owned(),
            };
            (format!("unknown Kafka property \"{name}\""), label)
        }
        PropertyReason::Refused(reason) => {
            (format!("the Kafka property \"{name}\" cannot be set"), (*reason).to_owned())
        }
        PropertyReason::Invalid { value, reason } => {
            (format!("the Kafka property \"{name}\" cannot be {value:?}"), reason.clone())
        }
        PropertyReason::Unfit(reason) => (format!("the Kafka property \"{name}\" does not fit"), reason.clone()),
    };
    file.report(&pointer, message, label);
}
