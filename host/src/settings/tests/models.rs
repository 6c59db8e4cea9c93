//! Faults of models, and secrets that must not show.

use super::{replaced, shown, with};

#[test]
fn an_unknown_provider_is_told_the_known_ones() {
    let expected = r#"
error: unknown provider "opnai" for target 1 of [models.smart]
  --> pipes/p.toml:14:25
   |
14 | targets = [{ provider = "opnai", model = "x" }]
   |                         ^^^^^^^ did you mean "openai"? providers are: openai, anthropic, gemini, ollama, scripted
"#;
    assert_eq!(shown(with("[models.smart]\ntargets = [{ provider = \"opnai\", model = \"x\" }]\n")), expected);
}

#[test]
fn each_provider_needs_its_own_keys() {
    let models = r#"[models.smart]
targets = [
  { provider = "openai" },
  { provider = "scripted", model = "x" },
  { model = "x" },
]
"#;
    let expected = r#"
error: target 1 of [models.smart] has no "model"
  --> pipes/p.toml:15:3
   |
15 |   { provider = "openai" },
   |   ^^^^^^^^^^^^^^^^^^^^^^^ add model = "…", the model's name at the provider

error: target 2 of [models.smart] has no "script"
  --> pipes/p.toml:16:3
   |
16 |   { provider = "scripted", model = "x" },
   |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ add script = "answers.toml"

error: unknown key "model" in target 2 of [models.smart]
  --> pipes/p.toml:16:28
   |
16 |   { provider = "scripted", model = "x" },
   |                            ^^^^^ keys here are: provider, script, price

error: target 3 of [models.smart] has no "provider"
  --> pipes/p.toml:17:3
   |
17 |   { model = "x" },
   |   ^^^^^^^^^^^^^^^ add provider = "openai" or "anthropic" or "gemini" or "ollama" or "scripted"
"#;
    assert_eq!(shown(with(models)), expected);
}

#[test]
fn every_setting_of_a_target_is_checked() {
    let models = r#"[models.smart]
max_concurrent = 0
[[models.smart.targets]]
provider = "openai"
model = "m"
base_url = "localhost:8080"
structured = "json"
max_output_tokens = -1
temperature = 2.5
options = "effort"
timeout = "1ms"
"#;
    let expected = r#"
error: "max_concurrent" in [models.smart] is out of range
  --> pipes/p.toml:14:18
   |
14 | max_concurrent = 0
   |                  ^ from 1 to 1000

error: "base_url" in target 1 of [models.smart] is not the address of an API
  --> pipes/p.toml:18:12
   |
18 | base_url = "localhost:8080"
   |            ^^^^^^^^^^^^^^^^ for example "https://models.example.com/v1", without a query

error: unknown structured form "json" for target 1 of [models.smart]
  --> pipes/p.toml:19:14
   |
19 | structured = "json"
   |              ^^^^^^ structured forms are: json_schema, json_object_schema, json_object, prompt

error: "max_output_tokens" in target 1 of [models.smart] is out of range
  --> pipes/p.toml:20:21
   |
20 | max_output_tokens = -1
   |                     ^^ from 1 to 1000000

error: "temperature" in target 1 of [models.smart] is out of range
  --> pipes/p.toml:21:15
   |
21 | temperature = 2.5
   |               ^^^ from 0 to 2

error: "options" in target 1 of [models.smart] must be an array, not a string
  --> pipes/p.toml:22:11
   |
22 | options = "effort"
   |           ^^^^^^^^ names of options, for example ["reasoning_effort"]

error: "timeout" in target 1 of [models.smart] is out of range
  --> pipes/p.toml:23:11
   |
23 | timeout = "1ms"
   |           ^^^^^ from 100ms to 30m
"#;
    assert_eq!(shown(with(models)), expected);
}

#[test]
fn every_provider_has_its_own_settings_and_bounds() {
    let models = r#"[models.smart]
targets = [
  { provider = "anthropic", model = "a", temperature = 1.5, api_version = "1" },
  { provider = "anthropic", model = "a", structured = "json_object", thinking = "on" },
  { provider = "gemini", model = "models/g", base_url = "generativelanguage.googleapis.com" },
  { provider = "ollama", model = "o", context = 100, thinking = "maybe" },
  { provider = "openai", model = "m", context = 8192, api_version = "a b" },
]
"#;
    let expected = r#"
error: unknown key "api_version" in target 1 of [models.smart]
  --> pipes/p.toml:15:61
   |
15 |   { provider = "anthropic", model = "a", temperature = 1.5, api_version = "1" },
   |                                                             ^^^^^^^^^^^ keys here are: provider, model, base_url, key, headers, timeout, stream, first_byte, idle, limits, structured, max_output_tokens, thinking, headroom, temperature, options, price
"#;
    let shown = shown(with(models));
    assert!(shown.contains(expected), "{shown}");
    for (fault, form) in [
        ("\"temperature\" in target 1 of [models.smart] is out of range", "from 0 to 1"),
        ("unknown structured form \"json_object\" for target 2", "structured forms are: json_schema, tool, prompt"),
        ("\"model\" in target 3 of [models.smart] is not the name of a model", "without \"models/\""),
        ("\"base_url\" in target 3 of [models.smart] is not the address of an API", "without a query"),
        ("\"context\" in target 4 of [models.smart] is out of range", "from 256 to 10000000"),
        ("unknown thinking level \"maybe\" for target 4", "off, minimal, low, medium, high"),
        ("unknown value \"on\" for target 2", "off, minimal, low, medium, high"),
        (
            "unknown key \"context\" in target 5 of [models.smart]",
            "keys here are: provider, model, base_url, key, key_header",
        ),
        ("\"api_version\" in target 5 of [models.smart] is not a version", "\"2024-10-21\""),
    ] {
        assert!(shown.contains(fault) && shown.contains(form), "{fault}: {shown}");
    }
}

#[test]
fn headers_are_texts_or_secrets_and_are_not_shown() {
    let target =
        r#"targets = [{ provider = "openai", model = "m", headers = { x-a = "canary", x-b = 1, "x c" = "canary" } }]"#;
    let shown = shown(with(&format!("[models.smart]\n{target}\n")));
    let value = "error: \"x-b\" in headers of target 1 of [models.smart] is not the value of a header";
    assert!(shown.contains(value) && shown.contains(r#"or { env = "NAME" } or { file = "path" }"#), "{shown}");
    assert!(shown.contains("\"x c\" in headers of target 1 of [models.smart] is not a name"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn an_alias_has_a_name_and_a_target() {
    let models = "[models.\"GPT 4\"]\ntargets = []\n[models.none]\n";
    let expected = r#"
error: "GPT 4" in [models] is not a name
  --> pipes/p.toml:13:9
   |
13 | [models."GPT 4"]
   |         ^^^^^^^ names have 1 to 64 of a-z, 0-9 and "-"

error: "targets" in [models.GPT 4] is empty
  --> pipes/p.toml:14:11
   |
14 | targets = []
   |           ^^ add targets = [{ provider = "openai", model = "…", key = { env = "…" } }]

error: [models.none] has no "targets"
  --> pipes/p.toml:15:1
   |
15 | [models.none]
   | ^^^^^^^^^^^^^ add targets = [{ provider = "openai", model = "…", key = { env = "…" } }]
"#;
    assert_eq!(shown(with(models)), expected);
}

#[test]
fn a_key_in_the_file_is_refused_and_not_shown() {
    let target = r#"targets = [{ provider = "openai", model = "m", key = "canary", timeout = 5 }]"#;
    let expected = r#"
error: "key" in target 1 of [models.smart] is a secret and must not stand in the file
  --> pipes/p.toml:14:54
   |
14 | targets = [{ provider = "openai", model = "m", key = "******", timeout = 5 }]
   |                                                      ^^^^^^^^ write { env = "NAME" } or { file = "path" }

error: "timeout" in target 1 of [models.smart] must be a duration, not an integer
  --> pipes/p.toml:14:74
   |
14 | targets = [{ provider = "openai", model = "m", key = "******", timeout = 5 }]
   |                                                                          ^ durations look like "500ms", "2s", "1m30s", "1h" or "30d"
"#;
    assert_eq!(shown(with(&format!("[models.smart]\n{target}\n"))), expected);
}

#[test]
fn no_message_shows_a_secret_that_stands_beside_its_place() {
    let files = [
        with("[models.a]\ntargets = [{ provider = \"openai\", model = \"m\", base_url = \"https://me:canary@h/v1\" }]"),
        with("[models.a]\ntargets = [{ provider = \"openai\", key = '''\ncanary''', x = 1 }]"),
        with("[models.a]\ntargets = [{ provider = \"openai\", key = \"ä\\\"canary\", x = 1 }]"),
        with("[models.a]\ntargets = [{ provider = \"openai\", key = \"canary\" }"),
        with("[models.a]\ntargets = [{ provider = \"ollama\", model = \"m\", headers = { a = \"canary\" }, x = 1 }]"),
        replaced("[source]", "properties = { \"sasl.password\" = \"canary\", x = [1] }\n[source]"),
        replaced("[source]", "properties.sasl.password = \"canary\" # \u{1b}\n[source]"),
    ];
    for file in files {
        let error = file.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}
