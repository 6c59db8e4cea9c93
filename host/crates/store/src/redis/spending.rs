//! What was spent on models: a hash with a field for each sum.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use redis::{Cmd, Script};

use super::names::Names;
use super::scripts::call;
use crate::request::Request;
use gristmill_core::model::{Day, Spent, SpentOn, Usd};

/// How long to remember how far a host has added, in milliseconds. A host that could not add anything for longer adds
/// its last notes twice.
const REMEMBERED: u128 = Duration::from_secs(7 * 24 * 60 * 60).as_millis();

/// The names of the sums, in the order of [`amounts`].
const SUMS: [&str; 6] = ["calls", "input", "cached-input", "output", "nano-usd", "unpriced"];

/// Adds the notes of the batch, if there are any.
pub(super) fn add(script: &Script, names: &Names, host: &str, batch: &[Request]) -> Option<Cmd> {
    let mut add = call(script, &[&names.spent(), &names.added(host)]);
    add.arg(REMEMBERED.to_string());
    let mut is_empty = true;
    for request in batch {
        let Request::Spent { on, spent, number } = request else { continue };
        is_empty = false;
        add.arg(*number);
        for (sum, amount) in SUMS.iter().zip(amounts(spent)) {
            add.arg(field(on, sum)).arg(amount.min(i64::MAX.unsigned_abs()));
        }
    }
    (!is_empty).then_some(add)
}

fn amounts(spent: &Spent) -> [u64; 6] {
    // In full, so that a new field does not compile before it has a sum.
    let Spent { calls, input_tokens, cache_read_input_tokens, output_tokens, cost, unpriced } = *spent;
    [calls, input_tokens, cache_read_input_tokens, output_tokens, cost.get(), unpriced]
}

fn field(on: &SpentOn, sum: &str) -> String {
    let SpentOn { day, stage, alias, target } = on;
    let plain = |text: &str| text.replace('\0', "\u{fffd}");
    format!("{}\0{}\0{}\0{}\0{sum}", day.0, plain(stage), plain(alias), plain(target))
}

/// Everything that was spent, by all fields of the hash, the oldest day first.
pub(super) fn all(fields: &HashMap<String, u64>) -> Vec<(SpentOn, Spent)> {
    let mut rows: BTreeMap<SpentOn, Spent> = BTreeMap::new();
    for (field, amount) in fields {
        let parts: Vec<&str> = field.split('\0').collect();
        // What another version has written besides is not ours to sum up.
        let [day, stage, alias, target, sum] = parts[..] else { continue };
        let Ok(day) = day.parse().map(Day) else { continue };
        let on = SpentOn { day, stage: stage.into(), alias: alias.into(), target: target.into() };
        let spent = rows.entry(on).or_default();
        match sum {
            "calls" => spent.calls = *amount,
            "input" => spent.input_tokens = *amount,
            "cached-input" => spent.cache_read_input_tokens = *amount,
            "output" => spent.output_tokens = *amount,
            "nano-usd" => spent.cost = Usd::nano(*amount),
            "unpriced" => spent.unpriced = *amount,
            _ => {}
        }
    }
    rows.into_iter().collect()
}
