//! What `verify-output` prints.

use std::fmt::Write;

use gristmill_core::model::printable;
use serde_json::json;

use super::count::Totals;

/// For people: one figure on a line, under the names that `--json` uses.
pub(super) fn text(totals: &Totals) -> String {
    let rate = totals.rate().map_or_else(|| "-".to_owned(), |rate| format!("{rate:.4}"));
    let dead: u64 = totals.dead_lettered.values().sum();
    let mut text = String::new();
    let mut line = |name: &str, value: String, note: &str| {
        let _ = writeln!(text, "{}", format!("{name:<19} {value:>10}  {note}").trim_end());
    };
    let number = |number: u64| number.to_string();
    line("events", number(totals.events), "");
    line("enriched_count", number(totals.enriched), "");
    line("enrichment_rate", rate, "");
    let reasons: Vec<String> =
        totals.dead_lettered.iter().map(|(reason, count)| format!("{count} {}", printable(reason))).collect();
    line("dead_lettered", number(dead), &reasons.join(", "));
    line("missing", number(totals.missing), if totals.missing > 0 { MISSING } else { "" });
    line("dropped", number(totals.dropped), if totals.dropped > 0 { DROPPED } else { "" });
    line("deletes", number(totals.deletes), "");
    line("replays", number(totals.replays), "");
    line("outputs", number(totals.outputs), "");
    line("repeats", number(totals.repeats), "");
    line("differing_repeats", number(totals.differing_repeats), "");
    line("gone", number(totals.gone), if totals.gone > 0 { GONE } else { "" });
    for event in &totals.missing_events {
        let _ = writeln!(text, "missing: {event}");
    }
    let unnamed = totals.missing - totals.missing_events.len() as u64;
    if unnamed > 0 && !totals.missing_events.is_empty() {
        let _ = writeln!(text, "missing: and {unnamed} more");
    }
    text
}

const MISSING: &str = "no output and no dead letter: dropped by a stage (--expect-dropped), not yet processed, or lost";
const DROPPED: &str = "no output and no dead letter, as --expect-dropped says";
const GONE: &str = "jobs with outputs whose event is not in the source topic any more";

/// For programs: one object.
pub(super) fn json(pipeline: &str, totals: &Totals) -> String {
    let missing: Vec<String> = totals.missing_events.iter().map(ToString::to_string).collect();
    let object = json!({
        "pipeline": pipeline,
        "events": totals.events,
        "enriched_count": totals.enriched,
        "enrichment_rate": totals.rate(),
        "dead_lettered": totals.dead_lettered.values().sum::<u64>(),
        "dead_lettered_by_reason": totals.dead_lettered,
        "missing": totals.missing,
        "missing_events": missing,
        "dropped": totals.dropped,
        "deletes": totals.deletes,
        "replays": totals.replays,
        "outputs": totals.outputs,
        "repeats": totals.repeats,
        "differing_repeats": totals.differing_repeats,
        "gone": totals.gone,
    });
    format!("{object}\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gristmill_core::model::{EventId, Partition, Position};

    use super::*;

    fn totals() -> Totals {
        let event = EventId { partition: Partition { topic: "in".into(), index: 2 }, position: Position(17) };
        Totals {
            events: 10_000,
            enriched: 9_500,
            dead_lettered: BTreeMap::from([("llm-timeout".into(), 400), ("trap".into(), 80)]),
            missing: 20,
            missing_events: vec![event],
            outputs: 9_512,
            repeats: 12,
            ..Totals::default()
        }
    }

    #[test]
    fn figures_are_lines_for_people() {
        let expected = "\
events                   10000
enriched_count            9500
enrichment_rate         0.9500
dead_lettered              480  400 llm-timeout, 80 trap
missing                     20  no output and no dead letter: dropped by a stage (--expect-dropped), not yet processed, or lost
dropped                      0
deletes                      0
replays                      0
outputs                   9512
repeats                     12
differing_repeats            0
gone                         0
missing: in/2/17
missing: and 19 more
";
        assert_eq!(text(&totals()), expected);
    }

    #[test]
    fn figures_are_an_object_for_programs() {
        let object: serde_json::Value = serde_json::from_str(&json("p", &totals())).unwrap();
        assert_eq!((&object["enriched_count"], &object["enrichment_rate"]), (&json!(9_500), &json!(0.95)));
        assert_eq!(object["missing_events"], json!(["in/2/17"]));
        assert_eq!(object["dead_lettered_by_reason"], json!({ "llm-timeout": 400, "trap": 80 }));
        let none: serde_json::Value = serde_json::from_str(&super::json("p", &Totals::default())).unwrap();
        assert_eq!(none["enrichment_rate"], json!(null), "of no events there is no share");
    }
}
