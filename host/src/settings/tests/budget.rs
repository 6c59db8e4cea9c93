//! Budgets, and models whose cost nobody knows.

use super::*;

fn file(budget: &str, stage: &str, target: &str) -> String {
    format!(
        r#"name = "p"
kafka = {{ brokers = "h:1" }}
source = {{ topic = "in" }}
sink = {{ topic = "out" }}
dead_letter = {{ topic = "dead" }}
{budget}
models.smart.targets = [{{ {target} }}]
stage = [{{ name = "a", module = "builtin:enrich", grants = ["llm"] {stage} }}]
"#
    )
}

fn told(budget: &str, stage: &str, target: &str) -> String {
    match Pipeline::parse(&file(budget, stage, target), Path::new("p.toml")) {
        Ok(_) => "good".into(),
        Err(error) => error.to_string(),
    }
}

const OWN: &str = r#"provider = "openai", model = "mine", base_url = "http://h/v1""#;
const PRICE: &str = r#"price = { input = "1 USD", output = "2.5 USD" }"#;

#[test]
fn a_budget_needs_to_know_what_a_call_may_cost() {
    let day = "budget.day = \"20 USD\"";
    let unknown = told(day, "", OWN);
    assert!(unknown.contains("p.toml:7:") && unknown.contains("has no price that is known"), "{unknown}");
    assert!(unknown.contains("add price = {"), "{unknown}");
    assert!(told("", r#", budget = { day = "1 USD" }"#, OWN).contains("has no price that is known"));
    let endless = told(day, "", &format!("{OWN}, {PRICE}"));
    assert!(endless.contains("can answer at any length") && endless.contains("max_output_tokens"), "{endless}");
    for (budget, target) in [
        ("", OWN.to_owned()),
        (day, format!("{OWN}, {PRICE}, max_output_tokens = 1000")),
        (day, r#"provider = "openai", model = "gpt-5-mini", max_output_tokens = 1000"#.to_owned()),
        (day, r#"provider = "anthropic", model = "claude-haiku-4-5""#.to_owned()),
        (day, r#"provider = "ollama", model = "llama3.2""#.to_owned()),
        (day, r#"provider = "scripted", script = "answers.toml""#.to_owned()),
    ] {
        assert_eq!(told(budget, "", &target), "good", "{budget} {target}");
    }
}

#[test]
fn budgets_are_amounts_with_their_currency() {
    let text = file(
        "budget = { job = \"0.05 USD\", day = \"20 USD\", total = \"1000 USD\" }",
        r#", budget = { total = "1.5 USD" }"#,
        r#"provider = "ollama", model = "m""#,
    );
    let budgets = Pipeline::parse(&text, Path::new("p.toml")).unwrap().budgets();
    let nano = |amount: Option<gristmill_core::model::Usd>| amount.map(gristmill_core::model::Usd::get);
    assert_eq!(nano(budgets.pipeline.job), Some(50_000_000));
    assert_eq!(nano(budgets.stages["a"].total), Some(1_500_000_000));
    assert!(told("budget.day = 5", "", OWN).contains("must be a string"));
    for amount in ["\"5\"", "\"5 EUR\"", "\"-1 USD\"", "\"0.0000000001 USD\""] {
        let told = told(&format!("budget.day = {amount}"), "", OWN);
        assert!(told.contains("p.toml:6:") && told.contains("0.05 USD"), "{amount}: {told}");
    }
}
