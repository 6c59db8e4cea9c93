//! What a file may say but hardly means.

use super::{LEAST, parse};

/// The stages of a pipeline: the name, which is also that of its builtin module, and further lines.
fn warnings(stages: &[(&str, &str)]) -> Vec<String> {
    let (mut text, _) = LEAST.split_once("[[stage]]").map(|(head, rest)| (head.to_owned(), rest)).unwrap();
    for (name, more) in stages {
        let module = name.trim_end_matches(char::is_numeric);
        text.push_str(&format!("[[stage]]\nname = \"{name}\"\nmodule = \"builtin:{module}\"\n{more}\n"));
    }
    parse(&text).unwrap().warnings().iter().map(ToString::to_string).collect()
}

#[test]
fn a_sanitizer_after_a_cut_is_warned_of_at_its_place() {
    let shown = warnings(&[("extract", ""), ("chunk", ""), ("sanitize", "")]);
    let expected = r#"warning: stage "sanitize" sanitizes what stage "chunk" has cut
  --> pipes/p.toml:20:10
   |
20 | module = "builtin:sanitize"
   |          ^^^^^^^^^^^^^^^^^^ of a number that a cut goes through, the rest stays: put it before "chunk""#;
    assert_eq!(shown, [expected]);
}

#[test]
fn a_sanitizer_before_the_cut_is_right_and_may_be_followed_by_another() {
    assert!(warnings(&[("sanitize", ""), ("chunk", "")]).is_empty());
    assert!(warnings(&[("sanitize1", ""), ("chunk", ""), ("enrich", ""), ("sanitize2", "")]).is_empty());
}

#[test]
fn the_route_decides_and_not_the_order_in_the_file() {
    // The items of `chunk` go past the sanitizer.
    let past = [
        ("language", "branches = { de = \"chunk\" }\nnext = \"sanitize\""),
        ("chunk", "next = \"sink\""),
        ("sanitize", ""),
    ];
    assert!(warnings(&past).is_empty());
    // One of two ways to `chunk` has no sanitizer before it.
    let around = [("language", "branches = { de = \"chunk\" }"), ("sanitize1", ""), ("chunk", ""), ("sanitize2", "")];
    assert_eq!(warnings(&around).len(), 1);
    let rescued = [("chunk", ""), ("enrich", "on_failure = \"rescue:sanitize\""), ("sanitize", "")];
    assert_eq!(warnings(&rescued).len(), 1);
}
