//! Faults of the file itself: not TOML, unknown keys, missing parts, and how they look.

use std::path::Path;

use super::{LEAST, parse, replaced, shown, with};
use crate::settings::Pipeline;
use gristmill_config::{ConfigError, Fault, Style};

/// The keys of the file as a whole.
const KEYS: &str = "name, kafka, redis, source, sink, dead_letter, order, delivery, transactions, limits, retry, store, budget, requires, stage, models";

#[test]
fn all_that_is_not_toml_is_shown_at_once() {
    let expected = r#"
error: this is not TOML
 --> pipes/p.toml:1:10
  |
1 | name = "x
  |          ^ invalid basic string, expected `"`

error: this is not TOML
 --> pipes/p.toml:2:7
  |
2 | [kafka
  |       ^ unclosed table, expected `]`
"#;
    assert_eq!(shown(parse("name = \"x\n[kafka\n")), expected);
}

#[test]
fn what_is_missing_at_the_end_is_missed_behind_the_last_character() {
    let expected = r#"
error: this is not TOML
 --> pipes/p.toml:1:8
  |
1 | a = [1,
  |        ^ unclosed array, expected `]`
"#;
    assert_eq!(shown(parse("a = [1,\n\n\n")), expected);
    let expected = r#"
error: this is not TOML
 --> pipes/p.toml:1:9
  |
1 | a = """x
  |         ^ invalid multi-line basic string, expected `"`
"#;
    assert_eq!(shown(parse("a = \"\"\"x\n\n\n")), expected);
}

#[test]
fn an_unknown_key_has_a_suggestion_and_the_keys_there_are() {
    let expected = r#"
error: [source] has no "topic"
 --> pipes/p.toml:4:1
  |
4 | [source]
  | ^^^^^^^^ add topic = "…", whose records are the events

error: unknown key "topics" in [source]
 --> pipes/p.toml:5:1
  |
5 | topics = "documents"
  | ^^^^^^ did you mean "topic"? keys here are: topic, group, start, content_type, document, tombstones

error: unknown key "x" in [source]
 --> pipes/p.toml:6:1
  |
6 | x = 1
  | ^ keys here are: topic, group, start, content_type, document, tombstones
"#;
    assert_eq!(shown(replaced("topic = \"documents\"", "topics = \"documents\"\nx = 1")), expected);
}

#[test]
fn an_unknown_section_is_an_unknown_key_of_the_file() {
    let expected = r#"
error: unknown key "limit" in the file
  --> pipes/p.toml:13:2
   |
13 | [limit]
   |  ^^^^^ did you mean "limits"? keys here are: KEYS
"#;
    assert_eq!(shown(with("[limit]\nmax_in_flight = 1\n")), expected.replace("KEYS", KEYS));
}

#[test]
fn an_empty_file_is_told_all_that_it_lacks() {
    let expected = r#"
error: the file has no "name"
--> pipes/p.toml
 = add name = "…" as its first line

error: the file has no "source"
--> pipes/p.toml
 = add [source] with topic = "…", where events come from

error: the file has no "sink"
--> pipes/p.toml
 = add [sink] with topic = "…", where results go

error: the file has no "dead_letter"
--> pipes/p.toml
 = add [dead_letter] with topic = "…", where failed jobs go

error: the file has no "stage"
--> pipes/p.toml
 = add [[stage]] with name and module, once for each stage

error: the file has neither "kafka" nor "redis"
--> pipes/p.toml
 = add [kafka] with brokers = "embedded", or [redis] with url = "redis://host:6379"
"#;
    assert_eq!(shown(parse("")), expected);
}

#[test]
fn a_value_of_another_type_is_told_which() {
    let expected = r#"
error: "name" in the file must be a string, not an integer
 --> pipes/p.toml:1:8
  |
1 | name = 7
  |        ^ write it in quotes
"#;
    assert_eq!(shown(replaced("\"contracts\"", "7")), expected);
    let expected = r#"
error: "sink" in the file must be a table, not a string
 --> pipes/p.toml:1:8
  |
1 | sink = "analysed"
  |        ^^^^^^^^^^ write { key = value }, or a [header] and the keys below it
"#;
    let text = format!("sink = \"analysed\"\n{}", LEAST.replace("[sink]\ntopic = \"analysed\"\n", ""));
    assert_eq!(shown(parse(&text)), expected);
}

#[test]
fn a_name_has_a_small_alphabet() {
    let expected = r#"
error: "name" in the file is not a name: "Verträge"
 --> pipes/p.toml:1:8
  |
1 | name = "Verträge"
  |        ^^^^^^^^^^ names have 1 to 64 of a-z, 0-9 and "-"
"#;
    assert_eq!(shown(replaced("\"contracts\"", "\"Verträge\"")), expected);
}

#[test]
fn the_caret_follows_tabs() {
    let expected = "
error: unknown key \"nme\" in the file
 --> pipes/p.toml:1:2
  |
1 | \tnme = 1
  | \t^^^ did you mean \"name\"? keys here are: KEYS
";
    assert_eq!(shown(parse(&format!("\tnme = 1\n{LEAST}"))), expected.replace("KEYS", KEYS));
}

#[test]
fn a_terminal_obeys_neither_a_file_nor_a_stage() {
    let file = shown(parse("name = \"x\" # \u{1b}[31m\n"));
    assert!(file.contains("\u{fffd}[31m") && !file.contains('\u{1b}'), "{file}");

    let stage = Fault::at(parse(LEAST).unwrap().place("/name"), "a stage says \u{1b}[31m\nthis").label("\u{7}");
    let stage = stage.to_string();
    assert!(stage.starts_with("error: a stage says \u{fffd}[31m this\n"), "{stage}");
    assert!(stage.ends_with("^ \u{fffd}"), "{stage}");
}

#[test]
fn line_ends_of_windows_do_not_show() {
    let shown = shown(parse(&LEAST.replace("[source]", "[sauce]").replace('\n', "\r\n")));
    assert!(shown.contains("4 | [sauce]\n"), "{shown}");
}

#[test]
fn colours_only_add_to_the_text() {
    let error = parse("").unwrap_err();
    let plain = error.render(Style::Plain);
    let mut coloured = error.render(Style::Coloured);
    assert_ne!(coloured, plain);
    for code in ["\x1b[1;31m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"] {
        coloured = coloured.replace(code, "");
    }
    assert_eq!(coloured, plain);
}

#[test]
fn faults_of_others_join_in_the_order_of_the_file() {
    let pipeline = with("").unwrap();
    let late = Fault::at(pipeline.place("/stage/0/module"), "no such builtin stage");
    let early = Fault::at(pipeline.place("/kafka/brokers"), "cannot be reached");
    let expected = r#"error: cannot be reached
 --> pipes/p.toml:3:11
  |
3 | brokers = "embedded"
  |           ^^^^^^^^^^

error: no such builtin stage
  --> pipes/p.toml:12:10
   |
12 | module = "builtin:extract"
   |          ^^^^^^^^^^^^^^^^^"#;
    assert_eq!(ConfigError::check(vec![late, early]).unwrap_err().to_string(), expected);
    ConfigError::check(Vec::new()).unwrap();
}

#[test]
fn a_file_that_cannot_be_read_is_told_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.toml");
    let load = |path: &Path| Pipeline::load(path).unwrap_err().to_string();

    let missing = load(&path);
    let expected = format!("\n--> {}\n = check the path", path.display());
    assert!(missing.starts_with("error: the file cannot be read: "), "{missing}");
    assert!(missing.ends_with(&expected), "{missing}");

    std::fs::write(&path, b"name = \"\xff\"").unwrap();
    assert!(load(&path).starts_with("error: the file is not UTF-8 text\n"));

    std::fs::write(&path, vec![b'\n'; (1 << 20) + 1]).unwrap();
    assert!(load(&path).starts_with("error: the file is larger than 1MiB\n"));
    std::fs::write(&path, format!("{LEAST}{}", "\n".repeat((1 << 20) - LEAST.len()))).unwrap();
    Pipeline::load(&path).unwrap();
}
