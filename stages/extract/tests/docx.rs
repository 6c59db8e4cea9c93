//! Word files through the stage.

// Clippy allows unwrap only inside test functions, not in their helpers.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use gristmill_sdk::{Item, Outcome, Output, Stage};
use gristmill_stage_extract::{Config, Extract};

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)).unwrap()
}

fn process(payload: Vec<u8>, config: Config) -> Outcome {
    Extract::new(config).unwrap().process(Item::sample(payload, Some(DOCX))).unwrap()
}

fn output(payload: Vec<u8>) -> Output {
    match process(payload, Config::default()) {
        Outcome::Emit(mut outputs) => outputs.remove(0),
        other => panic!("{other:?}"),
    }
}

fn code(outcome: Outcome) -> String {
    match outcome {
        Outcome::Reject(failure) => failure.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn headings_lists_tables_boxes_changes_and_notes_are_read() {
    let output = output(file("features.docx"));
    assert_eq!(
        String::from_utf8(output.payload.clone()).unwrap(),
        "# The whole\n\n# First part\n\n## A clause\n\nFish & chips € 5\n\n1. one\n   - deep\n2. two\n\n\
         Price: 12\tEUR\nnet[^2]\n\nIn a box\n\nAround\n\n\
         | Name | Phone |\n| --- | --- |\n| Ana Dias | 1\\|2 x y |\n\nEnd\n\n[^2]: A note below."
    );
    assert_eq!(output.content_type.as_deref(), Some("text/markdown"));
    let attributes: Vec<_> = output.attributes.iter().map(|a| (a.name.as_str(), a.value.as_str())).collect();
    assert_eq!(attributes, [("extract.source-type", DOCX), ("extract.title", "Lists & tables")]);
}

#[test]
fn a_file_with_a_password_is_rejected_as_encrypted() {
    assert_eq!(code(process(file("encrypted.docx"), Config::default())), "docx-encrypted");
}

#[test]
fn a_truncated_file_is_broken() {
    let whole = file("features.docx");
    for end in [0, 1, 30, whole.len() / 2, whole.len() - 1] {
        assert_eq!(code(process(whole[..end].to_vec(), Config::default())), "docx-broken", "{end}");
    }
}

#[test]
fn a_file_whose_bytes_were_changed_is_broken_or_read_but_never_panics() {
    let whole = file("features.docx");
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x55;
        match process(damaged, Config::default()) {
            Outcome::Reject(failure) => {
                let known = ["docx-broken", "docx-encrypted", "too-large", "empty-document"];
                assert!(known.contains(&failure.code.as_str()), "{failure:?}");
            }
            Outcome::Emit(_) => {}
            Outcome::Drop(code) => panic!("{code}"),
        }
    }
}

#[test]
fn parts_that_unpack_beyond_the_limit_are_too_large() {
    assert_eq!(code(process(file("features.docx"), Config { max_text_bytes: 100, ..Config::default() })), "too-large");
}

#[test]
fn a_file_that_is_not_an_archive_is_broken() {
    assert_eq!(code(process(b"hello".to_vec(), Config::default())), "docx-broken");
}
