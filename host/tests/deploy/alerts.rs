//! The alert rules: everything that may wake somebody says what to do.

use std::collections::BTreeSet;

use super::{at, text, yaml};

#[test]
fn every_alert_has_its_line_in_the_runbook() {
    let rules = yaml("deploy/prometheus/alerts.yml");
    let groups = at(&rules, "/groups").as_array().unwrap();
    let rules = groups.iter().flat_map(|group| at(group, "/rules").as_array().unwrap());
    let alerts: BTreeSet<String> = rules.map(|rule| at(rule, "/alert").as_str().unwrap().to_owned()).collect();
    let page = text("docs/operations.md");
    let lines = page.lines().filter_map(|line| line.strip_prefix("| `Gristmill")?.split_once('`'));
    let runbook: BTreeSet<String> = lines.map(|(name, _)| format!("Gristmill{name}")).collect();
    assert_eq!(alerts, runbook);
}
