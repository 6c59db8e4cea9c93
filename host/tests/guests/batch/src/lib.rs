//! A stage that handles items in batches, and breaks the contract of batches on command.

use gristmill_sdk::llm::{Host, Message, Model, Request};
use gristmill_sdk::{ConfigFault, Descriptor, Item, NoConfig, Outcome, Output, Stage, StageError};

/// Tells of each item in which call it came.
#[derive(Debug, Clone, Copy)]
pub struct Batch;

impl Stage for Batch {
    type Config = NoConfig;

    fn describe() -> Descriptor {
        Descriptor::new("batch", env!("CARGO_PKG_VERSION"), "Tells how many items came together")
            .accepts(&["text/*"])
            .max_batch(4)
    }

    fn new(_: NoConfig) -> Result<Self, Vec<ConfigFault>> {
        Ok(Self)
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        told(&item, 1)
    }

    fn process_batch(&self, items: Vec<Item>) -> Vec<Result<Outcome, StageError>> {
        let count = items.len();
        let mut results: Vec<_> = items.iter().map(|item| told(item, count)).collect();
        match items.iter().filter_map(Item::text).next_back() {
            Some("short") => drop(results.pop()),
            Some("long") => results.push(Err(StageError::permanent("surplus", "for no item"))),
            Some("panic") => panic!("told to panic in a batch"),
            _ => {}
        }
        results
    }
}

fn told(item: &Item, together: usize) -> Result<Outcome, StageError> {
    let text = item.text().unwrap_or_default();
    let answer = match text.split_once(' ') {
        Some(("retry", rest)) if item.attempt == 1 => return Err(StageError::retryable("told-to", rest, Some(1))),
        Some(("ask", rest)) => Host.chat(Request::new(vec![Message::user(rest)]).for_item(&item.id))?.text,
        Some(("ask-for-nobody", rest)) => Host.chat(Request::new(vec![Message::user(rest)]))?.text,
        Some(("ask-for-another", rest)) => Host.chat(Request::new(vec![Message::user(rest)]).for_item("another"))?.text,
        Some(("much", rest)) => "x".repeat(rest.parse().unwrap_or(0)),
        _ => format!("{text}, one of {together}"),
    };
    Ok(Outcome::one(Output::from(item).payload(answer)))
}

gristmill_sdk::stage!(Batch);
