//! The stage as the host sees it: configuration, media types, attributes, headers and the example documents.

// Clippy allows unwrap only inside test functions, not in their helpers.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use gristmill_sdk::{Item, Outcome, Output, Stage, serde_json};
use gristmill_stage_extract::{Config, Extract};

fn process(payload: impl Into<Vec<u8>>, content_type: Option<&str>) -> Outcome {
    Extract::new(Config::default()).unwrap().process(Item::sample(payload, content_type)).unwrap()
}

fn output(payload: impl Into<Vec<u8>>, content_type: Option<&str>) -> Output {
    match process(payload, content_type) {
        Outcome::Emit(mut outputs) => outputs.remove(0),
        other => panic!("{other:?}"),
    }
}

fn code(payload: impl Into<Vec<u8>>, content_type: Option<&str>) -> String {
    match process(payload, content_type) {
        Outcome::Reject(failure) => failure.code,
        other => panic!("{other:?}"),
    }
}

fn example(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/documents/input");
    std::fs::read(folder.join(name)).unwrap()
}

#[test]
fn the_schema_and_the_configuration_agree() {
    let schema = Extract::describe().config_schema_json.unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let default = &schema["properties"]["max_text_bytes"]["default"];
    assert_eq!(default.as_u64(), u64::try_from(Config::default().max_text_bytes).ok());
    assert_eq!(schema["properties"].as_object().unwrap().len(), 3);
    assert_eq!(schema["properties"]["content"]["default"], "main");
    assert!(gristmill_sdk::configure::<Extract>("{\"content\": \"all\"}").is_ok());
    assert_eq!(schema["properties"]["pdf_layout"]["default"], "text");
    assert!(gristmill_sdk::configure::<Extract>("{\"pdf_layout\": \"markdown\"}").is_ok());
    assert!(gristmill_sdk::configure::<Extract>("{}").is_ok());
    assert!(gristmill_sdk::configure::<Extract>("{\"max_pages\": 3}").is_err());
}

#[test]
fn the_branches_are_declared() {
    let labels: Vec<String> = Extract::describe().branches.into_iter().map(|branch| branch.label).collect();
    assert_eq!(labels, ["needs-ocr", "encrypted"]);
}

#[test]
fn text_is_decoded_by_its_charset() {
    let output = output(b"caf\xE9\r\n".to_vec(), Some("text/plain; charset=iso-8859-1"));
    assert_eq!(output.payload, "café".as_bytes());
    assert_eq!(output.content_type.as_deref(), Some("text/plain"));
    assert_eq!(code(b"\x00\x01\x02\x03\x90".to_vec(), Some("text/plain")), "not-utf8");
}

#[test]
fn a_page_is_decoded_by_the_charset_it_declares() {
    let output = output(b"<meta charset=windows-1251><h1>\xCF\xF0\xE8\xE2\xE5\xF2</h1>".to_vec(), Some("text/html"));
    assert_eq!(output.payload, "# Привет".as_bytes());
}

#[test]
fn markdown_keeps_its_headings_and_has_a_title() {
    let output = output("# Notes\n\n*kept* as it is\n", Some("text/markdown"));
    assert_eq!(output.payload, b"# Notes\n\n*kept* as it is");
    assert_eq!(output.content_type.as_deref(), Some("text/markdown"));
    assert_eq!(output.attributes.last().map(|title| title.value.as_str()), Some("Notes"));
}

#[test]
fn headers_are_kept() {
    let mut item = Item::sample("hello", None);
    item.headers.push(gristmill_sdk::Header { name: "trace".into(), value: None });
    let stage = Extract::new(Config::default()).unwrap();
    let Outcome::Emit(outputs) = stage.process(item.clone()).unwrap() else { panic!() };
    assert_eq!(outputs[0].headers, item.headers);
    assert_eq!(outputs[0].content_type.as_deref(), Some("text/plain"));
}

#[test]
fn documents_without_text_are_empty_and_unknown_types_are_unsupported() {
    assert_eq!(code(" \r\n\t", Some("text/plain")), "empty-document");
    assert_eq!(code("<nav>Home</nav><script>x</script>", Some("text/html")), "empty-document");
    assert_eq!(code("", None), "empty-document");
    assert_eq!(code(b"\x89PNG\r\n\x1a\n\0\0".to_vec(), None), "unsupported-type");
    assert_eq!(code("hello", Some("image/png")), "unsupported-type");
}

#[test]
fn the_example_contract_is_read_page_by_page() {
    let output = output(example("supply-agreement.pdf"), None);
    let text = String::from_utf8(output.payload.clone()).unwrap();
    let pages: Vec<&str> = text.split('\u{C}').collect();
    assert!(output.attributes.iter().any(|a| a.name == "extract.pages" && a.value == pages.len().to_string()));
    assert_eq!(pages.len(), 3);
    assert!(text.contains("t.okafor@northgate-milling.example.com") && text.contains("+49 30 23125 148"), "{text}");
}

#[test]
fn the_example_report_keeps_its_headings() {
    let text = String::from_utf8(output(example("incident-report.docx"), None).payload).unwrap();
    assert!(text.lines().filter(|line| line.starts_with('#')).count() >= 5, "{text}");
    assert!(text.contains("@example.com"), "{text}");
}

#[test]
fn the_example_release_notes_lose_their_clutter() {
    let text = String::from_utf8(output(example("release-notes.html"), None).payload).unwrap();
    assert!(text.starts_with("# "), "{text}");
    assert!(text.contains("\n| "), "{text}");
    for clutter in ["function", "Skip to", "{", "Subscribe"] {
        assert!(!text.contains(clutter), "{clutter}: {text}");
    }
}

#[test]
fn the_example_scan_is_rejected() {
    assert_eq!(code(example("broken-scan.pdf"), Some("application/pdf")), "pdf-no-text");
}
