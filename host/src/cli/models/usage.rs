//! `gristmill models usage`.

use std::fmt::Write;

use gristmill_core::model::{Spent, SpentOn, printable};
use serde_json::json;

use super::args::Usage;
use crate::app::{self, Failure};
use crate::console;

/// Prints what the pipeline has spent.
pub(super) async fn usage(args: &Usage) -> Result<(), Failure> {
    let pipeline = args.of.pipeline()?;
    let spent = app::spending(&pipeline).await?;
    console::print(&if args.json { lines(&pipeline.name, &spent) } else { text(&spent) })?;
    Ok(())
}

const HEAD: [&str; 8] = ["day", "stage", "alias", "target", "calls", "input tokens", "output tokens", "cost"];

fn text(spent: &[(SpentOn, Spent)]) -> String {
    if spent.is_empty() {
        return "nothing yet\n".to_owned();
    }
    let row = |[day, stage, alias, target]: [String; 4], spent: &Spent| {
        let unknown = match spent.unpriced {
            0 => String::new(),
            calls => format!(" and {calls} calls of unknown cost"),
        };
        let input = match spent.cache_read_input_tokens {
            0 => spent.input_tokens.to_string(),
            cached => format!("{} ({cached} cached)", spent.input_tokens),
        };
        let cost = format!("{}{unknown}", spent.cost);
        [day, stage, alias, target, spent.calls.to_string(), input, spent.output_tokens.to_string(), cost]
    };
    let mut rows = vec![HEAD.map(str::to_owned)];
    for (on, spent) in spent {
        let on = [on.day.to_string(), printable(&on.stage), printable(&on.alias), printable(&on.target)];
        rows.push(row(on, spent));
    }
    let sum = spent.iter().fold(Spent::default(), |sum, (_, spent)| sum.plus(*spent));
    rows.push(row(["total".into(), String::new(), String::new(), String::new()], &sum));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

fn lines(pipeline: &str, spent: &[(SpentOn, Spent)]) -> String {
    let mut lines = String::new();
    for (on, spent) in spent {
        let line = json!({
            "pipeline": pipeline,
            "day": on.day.to_string(),
            "stage": &*on.stage,
            "alias": &*on.alias,
            "target": &*on.target,
            "calls": spent.calls,
            "input_tokens": spent.input_tokens,
            "cache_read_input_tokens": spent.cache_read_input_tokens,
            "output_tokens": spent.output_tokens,
            "cost_usd": spent.cost.number(),
            "unpriced_calls": spent.unpriced,
        });
        let _ = writeln!(lines, "{line}");
    }
    lines
}

#[cfg(test)]
mod tests {
    use gristmill_core::model::{Day, Usd};

    use super::*;

    fn spent() -> Vec<(SpentOn, Spent)> {
        let on = |day, target: &str| SpentOn {
            day: Day(day),
            stage: "enrich".into(),
            alias: "smart".into(),
            target: target.into(),
        };
        let priced = Spent { calls: 2, input_tokens: 1_000, output_tokens: 10, cost: Usd::nano(7), ..Spent::default() };
        let unpriced = Spent { calls: 1, cache_read_input_tokens: 3, input_tokens: 5, unpriced: 1, ..Spent::default() };
        vec![(on(20_784, "openai/m"), priced), (on(20_785, "-"), unpriced)]
    }

    #[test]
    fn spending_is_a_table_with_a_total() {
        let expected = "\
day         stage   alias  target    calls  input tokens     output tokens  cost
2026-11-27  enrich  smart  openai/m  2      1000             10             0.000000007 USD
2026-11-28  enrich  smart  -         1      5 (3 cached)     0              0 USD and 1 calls of unknown cost
total                                3      1005 (3 cached)  10             0.000000007 USD and 1 calls of unknown cost
";
        assert_eq!(text(&spent()), expected);
        assert_eq!(text(&[]), "nothing yet\n");
    }

    #[test]
    fn json_has_a_line_for_each_sum() {
        let lines = lines("p", &spent());
        let second: serde_json::Value = serde_json::from_str(lines.lines().nth(1).unwrap()).unwrap();
        assert_eq!((&second["day"], &second["cost_usd"]), (&json!("2026-11-28"), &json!("0")));
        assert_eq!((&second["unpriced_calls"], &second["pipeline"]), (&json!(1), &json!("p")));
    }
}
