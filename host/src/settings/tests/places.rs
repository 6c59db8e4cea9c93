//! JSON Pointers and the places they name.

use super::{parse, with};

const CONFIG: &str = r#"[stage.config]
model = "smart"
tasks = [{ name = "title" }, { name = "summary" }]
"a/b" = { "c~d" = 1 }
[[stage]]
name = "chunk"
module = "builtin:chunk"
"#;

#[track_caller]
fn place(stage: usize, pointer: &str) -> String {
    let pipeline = with(CONFIG).unwrap();
    pipeline.place_of(stage, pointer).unwrap().to_string()
}

#[test]
fn a_pointer_into_a_config_is_found_in_the_file() {
    assert_eq!(place(0, "/model"), "pipes/p.toml:14:9");
    assert_eq!(place(0, "/tasks/1"), "pipes/p.toml:15:30");
    assert_eq!(place(0, "/tasks/1/name"), "pipes/p.toml:15:39");
    assert_eq!(place(0, "/a~1b/c~0d"), "pipes/p.toml:16:19");
    assert_eq!(place(0, ""), "pipes/p.toml:13:1");
}

#[test]
fn what_is_not_there_is_shown_at_what_is_around_it() {
    assert_eq!(place(0, "/tasks/7/name"), "pipes/p.toml:15:9");
    assert_eq!(place(0, "/model/x"), "pipes/p.toml:14:9");
    assert_eq!(place(0, "/missing"), "pipes/p.toml:13:1");
    assert_eq!(place(0, "no pointer"), "pipes/p.toml:13:1");
    assert_eq!(place(1, "/missing"), "pipes/p.toml:17:1", "a stage without a config is shown itself");
}

#[test]
fn a_stage_that_is_not_there_has_no_place() {
    assert!(with(CONFIG).unwrap().place_of(2, "/model").is_none());
}

#[test]
fn a_pointer_from_the_root_is_found_too() {
    let pipeline = parse(include_str!("example.toml")).unwrap();
    let place = |pointer| pipeline.place(pointer).line_and_column();
    assert_eq!(place("/stage/1/module"), Some((37, 10)));
    assert_eq!(place("/kafka/properties/sasl.password"), Some((5, 68)));
    assert_eq!(place("/models/test/targets/0/script"), Some((56, 46)));
    assert_eq!(place("/nothing"), None);
    assert_eq!(pipeline.place("").to_string(), "pipes/p.toml");
}
