//! Numbers of a stage's own in the host's metrics. Needs the grant "metrics".

#[cfg(target_arch = "wasm32")]
use crate::bindings::gristmill::stage::metrics::{self as host, Label};
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::outside::count;

/// Something that counts: [`Host`], or one of your own.
pub trait Meter {
    /// Adds to a counter. Labels say what kind of thing it was, and nothing that differs from item to item.
    fn add(&self, counter: &str, delta: u64, labels: &[(&str, &str)]);

    /// Adds a value to a histogram.
    fn observe(&self, histogram: &str, value: f64, labels: &[(&str, &str)]);
}

/// The host; in unit tests [`testing::Host`](crate::testing::Host).
#[derive(Debug, Clone, Copy, Default)]
pub struct Host;

#[cfg(target_arch = "wasm32")]
impl Meter for Host {
    fn add(&self, counter: &str, delta: u64, labels: &[(&str, &str)]) {
        host::add(counter, delta, &told(labels));
    }

    fn observe(&self, histogram: &str, value: f64, labels: &[(&str, &str)]) {
        host::observe(histogram, value, &told(labels));
    }
}

#[cfg(target_arch = "wasm32")]
fn told(labels: &[(&str, &str)]) -> Vec<Label> {
    labels.iter().map(|(name, value)| Label { name: (*name).into(), value: (*value).into() }).collect()
}

#[cfg(not(target_arch = "wasm32"))]
impl Meter for Host {
    fn add(&self, counter: &str, delta: u64, labels: &[(&str, &str)]) {
        count(counter, delta as f64, labels);
    }

    fn observe(&self, histogram: &str, value: f64, labels: &[(&str, &str)]) {
        count(histogram, value, labels);
    }
}
