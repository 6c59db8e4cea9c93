//! The schema: the faults it finds, their places and their messages.

use super::*;

fn compile(schema: Value) -> Result<Schema, ConfigFault> {
    Schema::compile(&schema, Formats::Annotate)
}

/// The details of the rejection as pairs of pointer and message; empty if the item fits.
fn faults(schema: Value, item: Value) -> Vec<(String, String)> {
    faults_with(Formats::Annotate, schema, item)
}

fn faults_with(formats: Formats, schema: Value, item: Value) -> Vec<(String, String)> {
    let mut faults = Faults::default();
    Schema::compile(&schema, formats).unwrap().check(&item, &mut faults);
    let details = faults.rejection().and_then(|failure| failure.details_json);
    let details: Vec<Value> = serde_json::from_str(&details.unwrap_or_else(|| "[]".into())).unwrap();
    let text = |fault: &Value, key: &str| fault[key].as_str().unwrap().to_owned();
    details.iter().map(|fault| (text(fault, "pointer"), text(fault, "message"))).collect()
}

#[test]
fn every_fault_is_found_at_its_place() {
    let schema = json!({
        "type": "object",
        "properties": {
            "id": { "type": "integer" },
            "tags": { "type": "array", "items": { "maxLength": 3 } },
        },
        "required": ["id", "name"],
    });
    let found = faults(schema, json!({"id": "x", "tags": ["ok", "longer"]}));
    let mut pointers: Vec<_> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["", "/id", "/tags/1"]);
}

#[test]
fn a_name_in_a_pointer_is_escaped() {
    let schema = json!({"additionalProperties": {"type": "string"}});
    assert_eq!(faults(schema, json!({"a/b~c": 1}))[0].0, "/a~1b~0c");
}

#[test]
fn no_message_repeats_a_value() {
    let secret = "jane@example.org";
    let schemas = [
        json!({"type": "integer"}),
        json!({"type": ["integer", "null"]}),
        json!({"enum": ["a"]}),
        json!({"const": "a"}),
        json!({"pattern": "^[0-9]+$"}),
        json!({"maxLength": 2}),
        json!({"minLength": 200}),
        json!({"format": "ipv4"}),
        json!({"anyOf": [{"type": "integer"}, {"maxLength": 1}]}),
        json!({"oneOf": [{"type": "integer"}, {"maxLength": 1}]}),
        json!({"oneOf": [{}, {"type": "string"}]}),
        json!({"not": {"type": "string"}}),
        json!({"allOf": [false]}),
        json!({"if": {"type": "string"}, "then": {"maxLength": 1}}),
    ];
    for schema in schemas {
        let found = faults_with(Formats::Assert, schema.clone(), json!(secret));
        assert!(!found.is_empty(), "{schema}");
        for (_, message) in found {
            assert!(!message.contains("jane"), "{schema}: {message}");
        }
    }
}

#[test]
fn no_message_repeats_a_value_of_a_list_or_object() {
    let cases = [
        (json!({"contains": {"type": "integer"}}), json!(["jane"])),
        (json!({"uniqueItems": true}), json!(["jane", "jane"])),
        (json!({"maxItems": 0}), json!(["jane"])),
        (json!({"minItems": 3}), json!(["jane"])),
        (json!({"prefixItems": [{}], "items": false}), json!([1, "jane"])),
        (json!({"unevaluatedItems": false}), json!(["jane"])),
        (json!({"maxProperties": 0}), json!({"a": "jane"})),
        (json!({"minProperties": 3}), json!({"a": "jane"})),
        (json!({"additionalProperties": false}), json!({"a": "jane"})),
        (json!({"unevaluatedProperties": false}), json!({"a": "jane"})),
        (json!({"propertyNames": {"maxLength": 2}}), json!({"jane": 1})),
        (json!({"propertyNames": {"propertyNames": {}, "pattern": "^[0-9]+$"}}), json!({"jane": 1})),
        (json!({"dependentRequired": {"a": ["b"]}}), json!({"a": "jane"})),
    ];
    for (schema, item) in cases {
        let found = faults(schema.clone(), item);
        assert!(!found.is_empty(), "{schema}");
        for (pointer, message) in found {
            assert!(!message.contains("jane"), "{schema}: {pointer}: {message}");
        }
    }
}

#[test]
fn a_format_is_an_annotation_unless_it_is_checked() {
    let schema = json!({"format": "email"});
    assert!(faults_with(Formats::Annotate, schema.clone(), json!("no address")).is_empty());
    assert_eq!(faults_with(Formats::Assert, schema, json!("no address")).len(), 1);
}

#[test]
fn a_reference_inside_the_schema_is_followed() {
    let tree =
        json!({"$defs": {"n": {"type": "object", "additionalProperties": {"$ref": "#/$defs/n"}}}, "$ref": "#/$defs/n"});
    assert!(faults(tree.clone(), json!({"a": {"b": {}}})).is_empty());
    assert_eq!(faults(tree, json!({"a": {"b": 1}}))[0].0, "/a/b");
}

#[test]
fn a_reference_to_another_document_is_rejected() {
    for target in ["https://example.org/other.json", "file:///etc/schema.json", "other.json#/a"] {
        let fault = compile(json!({"$ref": target})).unwrap_err();
        assert_eq!(fault.pointer, "/schema");
        assert!(fault.message.contains("`$defs`"), "{fault:?}");
    }
}

#[test]
fn the_meta_schema_needs_no_network() {
    let meta = json!({"$ref": "https://json-schema.org/draft/2020-12/schema"});
    assert!(faults(meta.clone(), json!({"type": "string"})).is_empty());
    assert!(!faults(meta, json!({"type": "text"})).is_empty());
}

/// The pointers of the faults that the host finds in a configuration with this schema.
fn host_faults(schema: Value) -> Vec<String> {
    let config_schema: Value = serde_json::from_str(include_str!("../../config.schema.json")).unwrap();
    let validator = jsonschema::options().offline().build(&config_schema).unwrap();
    let config = json!({ "schema": schema });
    validator.iter_errors(&config).map(|error| error.instance_path().to_string()).collect()
}

#[test]
fn a_bad_schema_is_found_by_the_config_schema() {
    let cases = [
        (json!({"type": "text"}), "/schema/type"),
        (json!({"properties": {"a": {"minLength": -1}}}), "/schema/properties/a/minLength"),
        (json!({"$defs": {"unused": {"multipleOf": 0}}}), "/schema/$defs/unused/multipleOf"),
        (json!({"required": "a"}), "/schema/required"),
        (json!("text"), "/schema"),
        (json!({"$schema": "http://json-schema.org/draft-03/schema#"}), "/schema/$schema"),
    ];
    for (schema, pointer) in cases {
        let faults = host_faults(schema);
        assert!(!faults.is_empty() && faults.iter().all(|fault| fault == pointer), "{pointer}: {faults:?}");
    }
    let good = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "items": {"type": "string"}});
    assert_eq!(host_faults(good), [""; 0]);
    assert_eq!(host_faults(json!(false)), [""; 0]);
}

#[test]
fn faults_that_the_config_schema_cannot_express_are_found_when_compiling() {
    let cases = [
        (json!({"properties": {"a": {"pattern": "("}}}), "/schema/properties/a/pattern"),
        (json!({"$ref": "#/$defs/none"}), "/schema"),
        (json!({"$ref": "#none"}), "/schema"),
        (json!({"$schema": "http://json-schema.org/draft-07/schema#", "items": {"type": "text"}}), "/schema/items"),
        (json!({"$schema": "http://json-schema.org/draft-04/schema#", "required": []}), "/schema/required"),
    ];
    for (schema, pointer) in cases {
        assert_eq!(host_faults(schema.clone()), [""; 0]);
        assert_eq!(compile(schema).unwrap_err().pointer, pointer);
    }
}

#[test]
fn a_schema_may_have_an_id_and_parts_with_ids() {
    let schema = json!({
        "$id": "https://example.org/order",
        "$defs": { "line": { "$id": "line", "$anchor": "top", "type": "object", "required": ["sku"] } },
        "items": { "$ref": "line#top" },
    });
    assert!(faults(schema.clone(), json!([{"sku": 1}])).is_empty());
    assert_eq!(faults(schema, json!([{}]))[0].0, "/0");
}

#[test]
fn an_id_may_be_only_a_fragment_in_older_drafts() {
    for (draft, keyword) in [("04", "id"), ("06", "$id"), ("07", "$id")] {
        for id in ["#", "", "#order"] {
            let schema = json!({
                "$schema": format!("http://json-schema.org/draft-{draft}/schema#"), keyword: id,
                "properties": { "n": { "$ref": "#/definitions/n" } }, "definitions": { "n": { "type": "integer" } },
            });
            assert_eq!(host_faults(schema.clone()), [""; 0]);
            assert_eq!(faults(schema, json!({"n": "x"}))[0].0, "/n", "{draft} {id}");
        }
    }
}

#[test]
fn keywords_of_2020_12_work() {
    let schema = json!({
        "prefixItems": [{"type": "integer"}],
        "unevaluatedItems": false,
        "allOf": [{"properties": {"a": {}}}],
        "unevaluatedProperties": false,
        "dependentRequired": {"a": ["b"]},
    });
    assert_eq!(faults(schema.clone(), json!([1, 2])).len(), 1);
    assert_eq!(faults(schema.clone(), json!(["x"])).len(), 1);
    assert_eq!(faults(schema, json!({"a": 1, "c": 1})).len(), 2);
}

#[test]
fn a_pattern_may_look_ahead_but_not_run_forever() {
    assert!(faults(json!({"pattern": "^(?!test)"}), json!("live")).is_empty());
    let endless = json!({"pattern": "^(?:(a+)+)\\1$"});
    assert_eq!(faults(endless, json!("a".repeat(40) + "!")).len(), 1);
}

#[test]
fn a_schema_is_read_by_the_draft_that_it_names() {
    let drafts = [
        ("http://json-schema.org/draft-04/schema#", 1),
        ("http://json-schema.org/draft-06/schema", 1),
        ("http://json-schema.org/draft-07/schema#", 1),
        ("https://json-schema.org/draft/2019-09/schema", 1),
        ("https://json-schema.org/draft/2020-12/schema", 0),
    ];
    for (draft, expected) in drafts {
        let tuple = json!({"$schema": draft, "additionalItems": false, "properties": {"a": {"type": "null"}}});
        let mut old = tuple.clone();
        old["items"] = json!([{"type": "integer"}]);
        let schema = if expected == 1 { old } else { tuple };
        assert_eq!(host_faults(schema.clone()), [""; 0], "{draft}");
        assert_eq!(faults(schema.clone(), json!([1, 2])).len(), expected, "{draft}");
        assert_eq!(faults(schema, json!({"a": 1})).len(), 1, "{draft}");
    }
}

#[test]
fn keywords_of_draft_7_work() {
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "https://example.org/order",
        "definitions": { "status": { "enum": ["open", null] } },
        "properties": { "status": { "$ref": "#/definitions/status", "type": "integer" }, "other": { "$ref": "order#/definitions/status" } },
        "dependencies": { "a": ["b"] },
        "if": { "required": ["a"] }, "then": { "required": ["c"] },
    });
    assert_eq!(faults(schema.clone(), json!({"status": null, "other": "open"})), []);
    assert_eq!(faults(schema.clone(), json!({"status": "shut", "other": 1})).len(), 2);
    assert_eq!(faults(schema, json!({"a": 1})).len(), 2);
}

#[test]
fn numbers_beyond_64_bits_and_null_are_values_of_a_schema() {
    let schema: Value = serde_json::from_str(r#"{"enum": [null, 1], "maximum": 18446744073709551616}"#).unwrap();
    assert_eq!(host_faults(schema.clone()), [""; 0]);
    assert_eq!(faults(schema.clone(), json!(null)), []);
    assert_eq!(faults(schema, json!(1e30)).len(), 2);
}
