//! Faults of stages.

use super::{LEAST, parse, replaced, shown, with};

#[test]
fn an_unknown_grant_is_told_the_closed_list() {
    let expected = r#"
error: unknown grant "lmm" for stage "extract"
  --> pipes/p.toml:13:11
   |
13 | grants = ["lmm"]
   |           ^^^^^ did you mean "llm"? grants are: llm, embeddings, state, metrics
"#;
    assert_eq!(shown(with("grants = [\"lmm\"]\n")), expected);
    let expected = r#"
error: "grants" in stage "extract" must be an array, not a string
  --> pipes/p.toml:13:10
   |
13 | grants = "llm"
   |          ^^^^^ for example grants = ["llm"]
"#;
    assert_eq!(shown(with("grants = \"llm\"\n")), expected);
}

#[test]
fn what_is_wrong_within_a_grant_is_told_where_it_stands() {
    for (grants, expected) in [
        ("[{ http = [] }]", "\"http\""),
        ("[{ http = [\"https://a.example/*\"], jurnal = true }]", "did you mean \"journal\"?"),
        ("[{ http = [\"https://a.example/*\"], timeout = \"11m\" }]", "100ms to 10m"),
        ("[{ htpp = [\"https://a.example/*\"] }]", "http"),
        (
            "[{ http = [\"https://a.example/*\"], secrets = { k = { from = \"x\", hosts = [\"a.example\"] } } }]",
            "is a secret",
        ),
        ("[{ state = { keys = 0 } }]", "out of range"),
        ("[{ state = { bytes = \"2GiB\" } }]", "out of range"),
        ("[7]", "table"),
    ] {
        let shown = shown(with(&format!("grants = {grants}\n")));
        assert!(shown.contains(expected) && shown.contains("p.toml:13:"), "{grants}: {shown}");
    }
    assert!(with("grants = [\"state\", { http = [\"https://a.example/*\"] }, \"metrics\"]\n").is_ok());
}

#[test]
fn a_grant_for_models_needs_a_model() {
    let expected = r#"
error: stage "extract" may ask models, but there are none
  --> pipes/p.toml:13:10
   |
13 | grants = ["llm"]
   |          ^^^^^^^ add [models.NAME] with targets, or take the grant away
"#;
    assert_eq!(shown(with("grants = [\"llm\"]\n")), expected);
}

#[test]
fn a_grant_for_vectors_needs_a_model_that_makes_them() {
    let model = |provider: &str| {
        let target = format!("{{ provider = \"{provider}\", model = \"x\" }}");
        with(&format!("grants = [\"embeddings\"]\n[models.m]\ntargets = [{target}]\n"))
    };
    let expected = r#"
error: stage "extract" may ask for vectors, but no model's first target makes any
  --> pipes/p.toml:13:10
   |
13 | grants = ["embeddings"]
   |          ^^^^^^^^^^^^^^ add [models.NAME] with a target of openai, gemini or ollama first
"#;
    assert_eq!(shown(model("anthropic")), expected);
    assert!(model("gemini").is_ok());
    assert!(shown(with("grants = [\"embeddings\"]\n")).contains("may ask models, but there are none"));
}

#[test]
fn limits_of_a_stage_have_bounds() {
    let expected = r#"
error: "memory" in limits of stage "extract" is out of range
  --> pipes/p.toml:13:21
   |
13 | limits = { memory = "2GiB", cpu = "soon", stack = 1 }
   |                     ^^^^^^ from 1MiB to 1GiB

error: "cpu" in limits of stage "extract" is not a duration: "soon"
  --> pipes/p.toml:13:35
   |
13 | limits = { memory = "2GiB", cpu = "soon", stack = 1 }
   |                                   ^^^^^^ durations look like "500ms", "2s", "1m30s", "1h" or "30d"

error: unknown key "stack" in limits of stage "extract"
  --> pipes/p.toml:13:43
   |
13 | limits = { memory = "2GiB", cpu = "soon", stack = 1 }
   |                                           ^^^^^ keys here are: memory, cpu, wall, output
"#;
    assert_eq!(shown(with("limits = { memory = \"2GiB\", cpu = \"soon\", stack = 1 }\n")), expected);
}

#[test]
fn a_stage_is_named_once() {
    let expected = r#"
error: two stages are named "extract"
  --> pipes/p.toml:14:8
   |
14 | name = "extract"
   |        ^^^^^^^^^ the other is at pipes/p.toml:11:8; rename one
"#;
    assert_eq!(shown(with("[[stage]]\nname = \"extract\"\nmodule = \"a.wasm\"\n")), expected);
}

#[test]
fn a_stage_without_a_name_is_called_by_its_number() {
    let more = "[[stage]]\nname = \"a b\"\nmodule = \"https://x/y.wasm\"\n[[stage]]\nmodule = \"builtin:Nope\"\n";
    let expected = r#"
error: "name" in stage 2 is not a name: "a b"
  --> pipes/p.toml:14:8
   |
14 | name = "a b"
   |        ^^^^^ names have 1 to 64 of a-z, 0-9 and "-"

error: "module" in stage 2 is an address
  --> pipes/p.toml:15:10
   |
15 | module = "https://x/y.wasm"
   |          ^^^^^^^^^^^^^^^^^^ modules are files, "builtin:NAME", or in a registry, "oci://REGISTRY/NAME@sha256:…"

error: stage 3 has no "name"
  --> pipes/p.toml:16:1
   |
16 | [[stage]]
   | ^^^^^^^^^ add name = "…"

error: "module" in stage 3 names no builtin stage
  --> pipes/p.toml:17:10
   |
17 | module = "builtin:Nope"
   |          ^^^^^^^^^^^^^^ for example "builtin:extract"
"#;
    assert_eq!(shown(with(more)), expected);
}

#[test]
fn stages_are_an_array_of_at_least_one_table() {
    let expected = r#"
error: "stage" in the file must be an array, not a table
  --> pipes/p.toml:10:1
   |
10 | [stage]
   | ^^^^^^^ write [[stage]], once for each stage
"#;
    assert_eq!(shown(replaced("[[stage]]", "[stage]")), expected);
    let (rest, _) = LEAST.split_once("[[stage]]").unwrap();
    let expected = r#"
error: "stage" in the file is empty
 --> pipes/p.toml:1:9
  |
1 | stage = []
  |         ^^ add [[stage]] with name and module, once for each stage
"#;
    assert_eq!(shown(parse(&format!("stage = []\n{rest}"))), expected);
    let expected = r#"
error: an element of "stage" in the file must be a table, not an integer
 --> pipes/p.toml:1:10
  |
1 | stage = [1]
  |          ^ write { key = value }, or a [header] and the keys below it
"#;
    assert_eq!(shown(parse(&format!("stage = [1]\n{rest}"))), expected);
}

#[test]
fn a_config_is_a_table_that_json_can_hold() {
    let expected = r#"
error: "config" in stage "extract" must be a table, not an array
  --> pipes/p.toml:13:10
   |
13 | config = [1]
   |          ^^^ write { key = value }, or a [header] and the keys below it
"#;
    assert_eq!(shown(with("config = [1]\n")), expected);
    let expected = r#"
error: an element of an element of "a" in config of stage "extract" is a number that JSON cannot hold
  --> pipes/p.toml:13:18
   |
13 | config = { a = [[nan]] }
   |                  ^^^ write a finite number
"#;
    assert_eq!(shown(with("config = { a = [[nan]] }\n")), expected);
    let expected = r#"
error: "n" in config of stage "extract" is a number that does not fit 64 bits
  --> pipes/p.toml:14:5
   |
14 | n = 9223372036854775808
   |     ^^^^^^^^^^^^^^^^^^^ write it as a string
"#;
    assert_eq!(shown(with("[stage.config]\nn = 9223372036854775808\n")), expected);
}

#[test]
fn a_file_has_at_most_256_stages_and_one_of_thousands_is_refused_at_once() {
    let more = |count: usize| -> String {
        (0..count).map(|number| format!("[[stage]]\nname = \"s{number}\"\nmodule = \"builtin:extract\"\n")).collect()
    };
    assert_eq!(with(&more(255)).unwrap().stages.len(), 256);
    let begun = std::time::Instant::now();
    let refused = shown(with(&more(8_000).replace("s7", "s6")));
    assert!(refused.contains("has 8001 elements") && refused.contains("at most 256"), "{refused}");
    assert!(begun.elapsed().as_secs() < 60, "every stage was looked at: {:?}", begun.elapsed());
}
