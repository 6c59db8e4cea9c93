//! What one item costs in each standard stage, in the sandbox and without a broker: `just bench stages`.

use std::fmt::Write;

use gristmill_core::flow::Step;
use gristmill_core::flow::settings::Checkpoint;
use gristmill_core::model::{
    DocumentGeneration, DocumentId, EventId, Item, ItemId, JobId, Partition, Position, Stamp, Timestamp, TraceContext,
};
use gristmill_core::ports::{Call, Edition};
use gristmill_wasm::Isolation;

use super::rows::document_of_4_kb;
use super::{cpu_time, flow, load};

/// How many items share a call in a batch.
const BATCH: usize = 32;
/// Items of one round.
const ITEMS: usize = 64 * BATCH;

/// A stage with what it gets.
struct Subject {
    name: &'static str,
    stage: String,
    content_type: &'static str,
    payload: String,
}

/// Prints the median CPU time per item, of so many rounds; "-" where a stage takes no such batches.
pub(crate) async fn measure(rounds: usize) {
    println!("load average before: {}", load());
    println!("us of CPU per item, median of {rounds} rounds of {ITEMS} items of 4 KB");
    println!("{:<10} {:>10} {:>10} {:>10}", "", "fresh", "batch", "shared");
    for subject in subjects() {
        let mut line = format!("{:<10}", subject.name);
        for isolation in [Isolation::Item, Isolation::Batch, Isolation::Shared] {
            let steps = flow::load(&subject.stage, isolation, Checkpoint::Never).await;
            if isolation == Isolation::Batch && steps[0].stage.batching().most < BATCH {
                line.push_str("          -");
                continue;
            }
            let each = median(&steps[0], isolation, &subject.call(), rounds).await;
            let _ = write!(line, " {each:>10.1}");
        }
        println!("{line}");
    }
    println!("load average after: {}", load());
}

async fn median(step: &Step, isolation: Isolation, call: &Call, rounds: usize) -> f64 {
    let calls: Vec<Call> = vec![call.clone(); BATCH];
    let mut each = Vec::new();
    for round in 0..=rounds {
        let begun = cpu_time();
        for _ in 0..ITEMS / BATCH {
            if isolation == Isolation::Batch {
                let results = step.stage.run_batch(&calls).await.expect("a batch broke");
                assert!(results.iter().all(Result::is_ok), "{results:?}");
            } else {
                for call in &calls {
                    step.stage.run(call).await.expect("a stage failed");
                }
            }
        }
        // The first one warms up.
        if round > 0 {
            each.push((cpu_time() - begun).as_secs_f64() * 1e6 / ITEMS as f64);
        }
    }
    each.sort_by(f64::total_cmp);
    each[each.len() / 2]
}

fn subjects() -> Vec<Subject> {
    let builtin = |name: &'static str, config: &str, content_type, payload| {
        let stage = format!("[[stage]]\nname = \"{name}\"\nmodule = \"builtin:{name}\"\nconfig = {config}\n");
        Subject { name, stage, content_type, payload }
    };
    let text = document_of_4_kb(7);
    let paragraphs = "<p>A paragraph with <b>some</b> words.</p>".repeat(97);
    let json = serde_json::json!({ "text": "x".repeat(1_000), "summary": "y".repeat(3_000) }).to_string();
    vec![
        Subject { name: "pass", stage: flow::pass_stage(), content_type: "text/plain", payload: text.clone() },
        builtin("sanitize", flow::SANITIZE_TOML, "text/plain", text.clone()),
        builtin("chunk", flow::CHUNK_TOML, "text/plain", text.clone()),
        builtin("language", "{}", "text/plain", text),
        builtin("extract", "{}", "text/html", format!("<html><body>{paragraphs}</body></html>")),
        builtin(
            "validate",
            "{ require = [\"/text\"], schema = { type = \"object\", properties = { text = { type = \"string\", \
             maxLength = 5000 }, summary = { type = \"string\" } }, required = [\"text\", \"summary\"] } }",
            "application/json",
            json,
        ),
    ]
}

impl Subject {
    fn call(&self) -> Call {
        let event = EventId { partition: Partition { topic: "bench".into(), index: 0 }, position: Position(7) };
        let (job, document) = (JobId::new("bench", &event), DocumentId::unnamed(&event));
        let record = Stamp { place: event.clone(), time: Timestamp(0) };
        let item = Item {
            id: ItemId::root(&document),
            key: None,
            payload: self.payload.clone().into(),
            content_type: Some(self.content_type.into()),
            headers: Vec::new(),
            attributes: Vec::new(),
        };
        Call {
            trace: TraceContext::of_job(&job),
            span: TraceContext::of_job(&job),
            job,
            event,
            document,
            generation: DocumentGeneration::of(&record),
            timestamp: Timestamp(0),
            item,
            attempt: 1,
            edition: Edition::default(),
        }
    }
}
