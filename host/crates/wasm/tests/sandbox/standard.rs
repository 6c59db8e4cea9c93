//! The standard stages in the sandbox: native tests cannot show that the components run at all.

use std::path::Path;

use gristmill_core::model::{Attribute, DocumentId, Item, ItemId, Outcome, Output};
use serde_json::{Value, json};

use crate::harness::{Loaded, Sandbox, always, standard};

async fn stage(name: &str, config: Value) -> Loaded {
    let answers = always(r#"{ "summary": "short" }"#);
    Sandbox::new().model(answers).load(standard(name), config).await.unwrap()
}

async fn outputs(stage: &Loaded, bytes: &[u8], content_type: &str) -> Vec<Output> {
    match stage.run_bytes(bytes.to_vec(), Some(content_type)).await.unwrap() {
        Outcome::Emit(outputs) => outputs,
        other => panic!("expected outputs, got {other:?}"),
    }
}

async fn rejection(stage: &Loaded, bytes: &[u8], content_type: &str) -> String {
    match stage.run_bytes(bytes.to_vec(), Some(content_type)).await.unwrap() {
        Outcome::Reject(failure) => failure.code,
        other => panic!("expected a rejection, got {other:?}"),
    }
}

fn text(output: &Output) -> &str {
    std::str::from_utf8(&output.payload).unwrap()
}

fn attribute<'a>(output: &'a Output, name: &str) -> &'a str {
    let found = output.attributes.iter().find(|attribute| attribute.name == name);
    found.map_or("", |attribute| attribute.value.as_str())
}

fn document(name: &str) -> Vec<u8> {
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../examples/documents/input");
    std::fs::read(documents.join(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn extract_reads_every_kind_of_document() {
    let stage = stage("extract", json!({})).await;
    let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    for (name, content_type, expected) in [
        ("supply-agreement.pdf", "application/pdf", "agreement"),
        ("incident-report.docx", docx, "# Incident report"),
        ("release-notes.html", "text/html", "# "),
    ] {
        let outputs = outputs(&stage, &document(name), content_type).await;
        assert!(text(&outputs[0]).to_lowercase().contains(&expected.to_lowercase()), "{name}: {}", text(&outputs[0]));
        assert_eq!(attribute(&outputs[0], "extract.source-type"), content_type);
    }
    assert_eq!(rejection(&stage, &document("broken-scan.pdf"), "application/pdf").await, "pdf-no-text");
    assert_eq!(rejection(&stage, b"%PDF-1.7 and then nothing", "application/pdf").await, "pdf-broken");
}

#[tokio::test(flavor = "multi_thread")]
async fn extract_hands_a_scan_over_where_somebody_takes_it() {
    let (scan, routes) = (document("broken-scan.pdf"), ["needs-ocr"]);
    let stage = Sandbox::new().routed(&routes).load(standard("extract"), json!({})).await.unwrap();
    let outputs = outputs(&stage, &scan, "application/pdf").await;
    assert_eq!((outputs[0].branch.as_deref(), outputs[0].payload.as_ref()), (Some("needs-ocr"), scan.as_slice()));
    assert_eq!(attribute(&outputs[0], "extract.pages-without-text"), "1-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_give_back_the_text() {
    let stage = stage("chunk", json!({ "size": 40 })).await;
    let whole = "# One\n\nA sentence of some length. Another one, e\u{301}tude.\n\n# Two\n\nThe end of it all. \u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}\n";
    let chunks = outputs(&stage, whole.as_bytes(), "text/markdown").await;
    assert!(chunks.len() > 2);
    assert_eq!(chunks.iter().map(text).collect::<String>(), whole);
    assert_eq!(attribute(chunks.last().unwrap(), "chunk.heading-path"), "Two");
    assert_eq!(attribute(&chunks[0], "chunk.count"), chunks.len().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn language_routes_text_by_what_it_is_written_in() {
    let stage = Sandbox::new().routed(&["de"]).load(standard("language"), json!({})).await.unwrap();
    for (text, language, branch) in [
        (
            "Der Kunde bezahlt die Rechnung innerhalb von vierzehn Tagen, nachdem er sie erhalten hat. Die Frist beginnt mit dem Tag, an dem die Ware geliefert wurde, und endet auch dann, wenn er sie nicht abholt.",
            "de",
            Some("de"),
        ),
        (
            "The customer shall pay the invoice within fourteen days of its receipt. The period begins on the day on which the goods were delivered, and it ends even if they are not collected.",
            "en",
            None,
        ),
        ("14.", "und", None),
    ] {
        let outputs = outputs(&stage, text.as_bytes(), "text/plain").await;
        assert_eq!(attribute(&outputs[0], "language"), language, "{text}");
        assert_eq!((outputs[0].branch.as_deref(), outputs[0].payload.as_ref()), (branch, text.as_bytes()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sanitize_hides_what_is_personal_and_counts_it() {
    let stage = stage("sanitize", json!({})).await;
    let outputs = outputs(&stage, b"Ada, ada@example.com, DE89 3704 0044 0532 0130 00", "text/plain").await;
    assert_eq!(text(&outputs[0]), "Ada, [EMAIL], [IBAN]");
    assert_eq!((attribute(&outputs[0], "sanitize.email"), attribute(&outputs[0], "sanitize.total")), ("1", "2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn enrich_asks_the_model_and_merges_the_answer() {
    let stage = stage("enrich", json!({ "tasks": ["summary"] })).await;
    let outputs = outputs(&stage, br#"{"n": 1.50, "text": "a long story"}"#, "application/json").await;
    let value: Value = serde_json::from_slice(&outputs[0].payload).unwrap();
    assert_eq!(value["ai_enrichment"]["summary"], "short");
    assert!(text(&outputs[0]).contains("1.50"), "numbers stay as they were written: {}", text(&outputs[0]));
    assert_eq!(attribute(&outputs[0], "enrich.model"), "test/scripted");
}

#[tokio::test(flavor = "multi_thread")]
async fn rescue_mends_what_failed_and_leaves_the_rest() {
    let answers = always(r#"{"say": "he said \"no\" to it"}"#);
    let stage = Sandbox::new().model(answers).load(standard("rescue"), json!({ "mend": ["json"] })).await.unwrap();
    let failed = |text: &str| {
        let told = [("stage", "validate"), ("code", "invalid-json"), ("message", "why")];
        let named =
            |(what, value): (&str, &str)| Attribute { name: format!("sys.failure.{what}"), value: value.into() };
        Item {
            id: ItemId::root(&DocumentId::named(b"d")),
            key: None,
            payload: text.as_bytes().to_vec().into(),
            content_type: Some("application/json".into()),
            headers: Vec::new(),
            attributes: told.map(named).to_vec(),
        }
    };
    let mended = async |broken: &str| match stage.run_item(failed(broken)).await.unwrap() {
        Outcome::Emit(outputs) => text(&outputs[0]).to_owned(),
        Outcome::Reject(failure) => failure.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(mended("{'n': 1.50,}").await, "{\"n\": 1.50}");
    assert_eq!(mended("{\"say\": \"he said \"no\" to it\"}").await, r#"{"say": "he said \"no\" to it"}"#);
    assert_eq!(mended("{\"n\": [1, 2").await, "not-mended");
}

#[tokio::test(flavor = "multi_thread")]
async fn validate_passes_what_fits_and_rejects_the_rest() {
    let schema =
        json!({ "type": "object", "properties": { "n": { "type": "integer", "minimum": 1 } }, "required": ["n"] });
    let stage = stage("validate", json!({ "schema": schema, "allowed": { "/s": ["a", "b"] } })).await;
    let good = br#"{ "n": 1, "s": "a" }"#;
    assert_eq!(&*outputs(&stage, good, "application/json").await[0].payload, good);
    assert_eq!(rejection(&stage, br#"{ "n": 0, "s": "c" }"#, "application/json").await, "validation-failed");
}
