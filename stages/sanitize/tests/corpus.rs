//! Recall and precision on the labelled texts in `corpus`, printed by kind.

// Clippy allows unwrap only inside test functions, not in their helpers.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use gristmill_sdk::{Item, Outcome, Output, Stage, configure};
use gristmill_stage_sanitize::Sanitize;
use serde::Deserialize;

/// What the corpus must give: the share of the labelled data that is found, and of the other texts that are hit.
const LEAST_RECALL: f64 = 0.92;
const MOST_HIT: f64 = 0.03;

#[derive(Deserialize)]
struct Entry {
    text: String,
    spans: Vec<Span>,
    #[serde(rename = "type")]
    media_type: Option<String>,
}

#[derive(Deserialize)]
struct Span {
    kind: String,
    value: String,
}

#[derive(Deserialize)]
struct Finding {
    kind: String,
    at: Option<String>,
    start: usize,
    end: usize,
}

#[derive(Default)]
struct Score {
    labelled: usize,
    found: usize,
    of_its_kind: usize,
    missed: Vec<String>,
}

fn output(config: &str, entry: &Entry) -> Output {
    let stage: Sanitize = configure(config).unwrap();
    let media_type = entry.media_type.as_deref().unwrap_or("text/plain");
    match stage.process(Item::sample(entry.text.as_str(), Some(media_type))).unwrap() {
        Outcome::Emit(mut outputs) => outputs.remove(0),
        other => panic!("{}: {other:?}", entry.text),
    }
}

fn findings(entry: &Entry) -> Vec<Finding> {
    let output = output(r#"{"mode":"report"}"#, entry);
    let attribute = output.attributes.iter().find(|attribute| attribute.name == "sanitize.findings").unwrap();
    serde_json::from_str(&attribute.value).unwrap()
}

/// The kinds that differ only in what a country uses its number for.
fn family(kind: &str) -> &str {
    match kind {
        "tax-id" | "ssn" => "national-id",
        kind => kind,
    }
}

/// Whether the letters and digits of a range are all in one of the findings.
fn covers(text: &str, range: &Range<usize>, findings: &[&Finding]) -> bool {
    text[range.clone()].char_indices().filter(|(_, c)| c.is_alphanumeric()).all(|(at, _)| {
        let at = range.start + at;
        findings.iter().any(|finding| (finding.start..finding.end).contains(&at))
    })
}

fn entries(kind: &str) -> Vec<Entry> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(kind).with_extension("jsonl");
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_corpus_is_found_and_other_texts_are_left_alone() {
    let kinds =
        ["email", "phone", "iban", "card", "ip", "mac", "ssn", "national-id", "tax-id", "url-credentials", "secret"];
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    let (mut texts, mut false_findings, mut true_findings) = (0, Vec::new(), 0);
    for kind in kinds {
        for entry in entries(kind) {
            texts += 1;
            let all = findings(&entry);
            let clean = String::from_utf8(output("{}", &entry).payload).unwrap();
            let mut spans = Vec::new();
            for span in &entry.spans {
                let score = scores.entry(kind).or_default();
                score.labelled += 1;
                // In JSON and CSV, findings have places of their own; there the value must be gone.
                let range = entry.text.find(&span.value).map(|start| start..start + span.value.len());
                let is_found = match (&entry.media_type, &range) {
                    (None, Some(range)) => covers(&entry.text, range, &all.iter().collect::<Vec<_>>()),
                    _ => !clean.contains(&span.value),
                };
                score.found += usize::from(is_found);
                score.of_its_kind +=
                    usize::from(is_found && all.iter().any(|found| family(&found.kind) == family(&span.kind)));
                if !is_found {
                    score.missed.push(entry.text.clone());
                }
                spans.extend(range);
            }
            for found in all {
                let overlaps = spans.iter().any(|span| found.start < span.end && span.start < found.end);
                match found.at.is_some() || overlaps {
                    true => true_findings += 1,
                    false => false_findings.push(format!("{} in {}", found.kind, entry.text)),
                }
            }
        }
    }
    let negatives = entries("negative");
    let mut hit = Vec::new();
    for entry in &negatives {
        let all = findings(entry);
        if let Some(first) = all.first() {
            hit.push(format!("{} in {}", first.kind, entry.text));
        }
        false_findings.extend(all.into_iter().map(|found| format!("{} in {}", found.kind, entry.text)));
    }
    println!("| kind | labelled | found | recall | of its kind |");
    println!("| --- | --: | --: | --: | --: |");
    let (mut labelled, mut found) = (0, 0);
    for (kind, score) in &scores {
        println!(
            "| {kind} | {} | {} | {:.3} | {} |",
            score.labelled,
            score.found,
            share(score.found, score.labelled),
            score.of_its_kind
        );
        labelled += score.labelled;
        found += score.found;
    }
    let recall = share(found, labelled);
    let hits = share(hit.len(), negatives.len());
    println!("| all | {labelled} | {found} | {recall:.3} | |\n");
    println!("texts {}, negatives {}, of them hit {} ({hits:.3})", texts + negatives.len(), negatives.len(), hit.len());
    println!("precision {:.3}\n", share(true_findings, true_findings + false_findings.len()));
    for (kind, score) in &scores {
        score.missed.iter().for_each(|text| println!("missed {kind}: {text}"));
    }
    false_findings.iter().for_each(|text| println!("false {text}"));
    assert!(recall >= LEAST_RECALL, "recall {recall:.3}");
    assert!(hits <= MOST_HIT, "hit {hits:.3}: {hit:#?}");
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
