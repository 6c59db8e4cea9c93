//! What names documents, what becomes of tombstones, and what the keys of the sink need.

use gristmill_core::flow::settings::{DocumentName, SinkKey, Tombstones};

use super::{LEAST, parse, replaced, shown};

#[test]
fn documents_are_named_by_key_header_or_pointer() {
    let named = |line: &str| replaced("[sink]", &format!("{line}\n[sink]")).unwrap().source.document.clone();
    assert_eq!(named(""), DocumentName::Key);
    assert_eq!(named("document = \"key\""), DocumentName::Key);
    assert_eq!(named("document = { header = \"doc\" }"), DocumentName::Header("doc".into()));
    assert_eq!(named("document = { pointer = \"/meta/id\" }"), DocumentName::Pointer("/meta/id".into()));
}

#[test]
fn what_names_no_document_is_a_fault() {
    for (line, part) in [
        ("document = \"value\"", "\"value\""),
        ("document = { pointer = \"id\" }", "pointer"),
        ("document = { header = \"\" }", "header"),
        ("document = { header = \"a\", pointer = \"/b\" }", "document"),
        ("tombstones = \"keep\"", "\"keep\""),
    ] {
        let shown = shown(replaced("[sink]", &format!("{line}\n[sink]")));
        assert!(shown.contains("pipes/p.toml:6:") && shown.contains(part), "{line}: {shown}");
    }
}

#[test]
fn tombstones_pass_unless_the_file_says_otherwise() {
    let chosen = |line: &str| replaced("[sink]", &format!("{line}\n[sink]")).unwrap().source.tombstones;
    assert_eq!(chosen(""), Tombstones::Pass);
    assert_eq!(chosen("tombstones = \"drop\""), Tombstones::Drop);
    assert_eq!(chosen("tombstones = \"dead-letter\""), Tombstones::DeadLetter);
}

#[test]
fn items_as_keys_need_jobs_that_do_not_overtake_each_other() {
    let by_item = LEAST.replace("\"analysed\"", "\"analysed\"\nkey = \"item\"");
    let shown = |text: String| shown(parse(&text));
    assert!(shown(by_item.clone()).contains("could overtake each other"), "{}", shown(by_item.clone()));
    let ordered = format!("order = \"key\"\n{by_item}");
    assert_eq!(parse(&ordered).unwrap().sink.key, SinkKey::Item);
    let by_header = ordered.replace("[sink]", "document = { header = \"doc\" }\n[sink]");
    assert!(shown(by_header.clone()).contains("named by something else"), "{}", shown(by_header.clone()));
    assert!(parse(&by_header.replace("order = \"key\"", "order = \"partition\"")).is_ok());
}
