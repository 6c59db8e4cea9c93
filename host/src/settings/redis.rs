//! Which broker a pipeline has, and what Redis cannot do.

use gristmill_config::Draft;
use gristmill_core::flow::settings::{DeliveryMode, Order, SinkKey};
use gristmill_redis::{Addresses, Tls};

use super::file::PipelineFile;

/// What a file asks for that Redis cannot do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit {
    /// Where, as a JSON Pointer.
    pub pointer: &'static str,
    /// What and why.
    pub message: &'static str,
    /// How to fix it.
    pub label: &'static str,
}

/// What Redis cannot do of this.
#[must_use]
pub fn unfit(order: Order, delivery: DeliveryMode, key: SinkKey) -> Vec<Unfit> {
    let mut unfit = Vec::new();
    if order != Order::None {
        unfit.push(Unfit {
            pointer: "/order",
            message: "Redis keeps no order: each entry of a stream goes to the host that asks first",
            label: "take this line out, or use Kafka",
        });
    }
    if delivery == DeliveryMode::ExactlyOnce {
        unfit.push(Unfit {
            pointer: "/delivery",
            message: "Redis cannot deliver exactly once: an acknowledgement and outputs are no transaction that is fenced",
            label: "take this line out, or use Kafka",
        });
    }
    if key == SinkKey::Item {
        unfit.push(Unfit {
            pointer: "/sink/key",
            message: "items cannot be the keys of the sink on Redis: that takes jobs of one document in order",
            label: "take this line out, or use Kafka",
        });
    }
    unfit
}

/// Reports a file with no broker or two, and what does not fit Redis.
pub(super) fn check(file: &mut Draft<PipelineFile>) {
    match (file.has("/kafka"), file.has("/redis")) {
        (true, true) => {
            file.report(
                "/redis",
                "the file has [kafka] and [redis]",
                "a pipeline has one broker: take one of them out",
            );
        }
        (false, false) => {
            let label = "add [kafka] with brokers = \"embedded\", or [redis] with url = \"redis://host:6379\"";
            file.report("/kafka", "the file has neither \"kafka\" nor \"redis\"", label);
        }
        (true, false) => {}
        (false, true) => fit(file),
    }
}

fn fit(file: &mut Draft<PipelineFile>) {
    let order = file.part("/order").unwrap_or_default();
    let delivery = file.part("/delivery").unwrap_or_default();
    let key = file.part("/sink/key").unwrap_or_default();
    for Unfit { pointer, message, label } in unfit(order, delivery, key) {
        file.report(pointer, message, label);
    }
    let url: Option<Addresses> = file.part("/redis/url");
    if let (Some(url), Some(tls)) = (url, file.part::<Tls>("/redis/tls"))
        && let Some(fault) = tls.fault(&url)
    {
        file.report(&format!("/redis{}", fault.pointer()), "these files for TLS do not fit", fault.to_string());
    }
}
