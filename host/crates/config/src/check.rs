//! Checks a file against its schema and explains every fault: what it is, where it is, and how to fix it.

use std::sync::Arc;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::{Map, Value};

use super::document::{Document, Place, member};
use super::error::{Fault, MOST_FAULTS};
use super::json::is_date;
use super::schema::Rules;
use super::suggest::nearest;
use super::words::{TABLE_FORM, title, what};

/// A fault, and the JSON Pointer of the value at fault.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) pointer: String,
    pub(super) fault: Fault,
}

/// The faults of a file: the first hundred with their places, the others only counted. To find a place the file is
/// parsed again, and nobody reads more.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    pub(super) listed: Vec<Found>,
    pub(super) unlisted: usize,
}

impl Faults {
    pub(super) fn add(&mut self, fault: impl FnOnce() -> Found) {
        if self.listed.len() < MOST_FAULTS {
            self.listed.push(fault());
        } else {
            self.unlisted += 1;
        }
    }
}

/// Everything that the schema rejects, each fault once.
pub(super) fn check(rules: &Rules, file: &Value, document: &Arc<Document>) -> Faults {
    let mut check = Check { rules, file, document, found: Faults::default() };
    for error in rules.validator.iter_errors(file) {
        check.explain(&error);
    }
    check.found
}

struct Check<'c> {
    rules: &'c Rules,
    file: &'c Value,
    document: &'c Arc<Document>,
    found: Faults,
}

static NOTHING: Value = Value::Null;

impl<'c> Check<'c> {
    fn report(&mut self, pointer: &str, message: String, label: &str) {
        let document = self.document;
        self.report_at(|| Place::of_pointer(document, pointer), pointer, message, label);
    }

    fn report_at(&mut self, place: impl FnOnce() -> Place, pointer: &str, message: String, label: &str) {
        // Several keywords can report the same fault for one value.
        let is_known = |found: &Found| found.pointer == pointer && found.fault.message() == message;
        if !self.found.listed.iter().any(is_known) {
            self.found.add(|| Found { pointer: pointer.to_owned(), fault: Fault::at(place(), message).label(label) });
        }
    }

    fn what(&self, pointer: &str) -> String {
        what(self.file, pointer)
    }

    /// The part of the schema that contains the keyword of an error.
    fn node(&self, error: &ValidationError<'_>) -> &'c Value {
        let keyword = error.schema_path().as_str();
        let node = keyword.rsplit_once('/').and_then(|(node, _)| self.rules.schema.pointer(node));
        node.unwrap_or(&NOTHING)
    }

    fn explain(&mut self, error: &ValidationError<'_>) {
        let pointer = error.instance_path().as_str();
        let node = self.node(error);
        let instance: &Value = error.instance();
        match error.kind() {
            Kind::Type { .. } => self.wrong_type(pointer, node, instance),
            Kind::Required { property } => self.missing(pointer, node, property.as_str().unwrap_or_default()),
            Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
                for key in unexpected {
                    self.unknown_key(pointer, node, key);
                }
            }
            Kind::PropertyNames { error } => {
                let key = error.instance().as_str().unwrap_or_default();
                let document = self.document;
                let place = || Place::of_key(document, pointer, key);
                let message = format!("\"{key}\" in {} is not a name", title(self.file, pointer));
                self.report_at(place, &member(pointer, key), message, word(self.node(error), "x-form"));
            }
            Kind::Minimum { .. }
            | Kind::Maximum { .. }
            | Kind::ExclusiveMinimum { .. }
            | Kind::ExclusiveMaximum { .. } => {
                self.out_of_range(pointer, node);
            }
            Kind::Custom { keyword, .. } if keyword == "x-whole" => self.wrong_type(pointer, node, instance),
            Kind::Custom { .. } => self.out_of_range(pointer, node),
            Kind::MinItems { .. } | Kind::MinLength { .. } | Kind::MinProperties { .. } => self.empty(pointer, node),
            Kind::MaxItems { limit } => {
                let count = instance.as_array().map_or(0, Vec::len);
                self.report(
                    pointer,
                    format!("{} has {count} elements", self.what(pointer)),
                    &format!("at most {limit}"),
                );
            }
            Kind::Enum { options } => {
                let words: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                self.choice(pointer, word(node, "x-noun"), &words, instance);
            }
            Kind::OneOfNotValid { context } => self.no_branch(pointer, node, "oneOf", instance, context),
            Kind::AnyOf { context } => self.no_branch(pointer, node, "anyOf", instance, context),
            _ if instance.as_str().is_some_and(str::is_empty) => self.empty(pointer, node),
            _ => self.rejected(pointer, node, instance),
        }
    }

    /// A value of the right type that its schema rejects.
    fn rejected(&mut self, pointer: &str, node: &Value, instance: &Value) {
        let shown = instance.as_str().map(|text| format!("\"{text}\"")).unwrap_or_else(|| instance.to_string());
        let fault = match (word(node, "x-fault"), word(node, "x-noun")) {
            ("", "") => "is not allowed here".to_owned(),
            ("", noun) => format!("is not {} {noun}: {shown}", article(noun)),
            (fault, _) => fault.replace("{value}", &shown),
        };
        let form = word(node, "x-form");
        let words: Vec<&str> =
            node.get("x-words").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        // Someone who writes "rescu" means "rescue:STAGE".
        let known = words.iter().map(|word| word.split(':').next().unwrap_or(word));
        let near = instance.as_str().and_then(|text| nearest(text, known));
        let label = match near.and_then(|near| words.iter().find(|word| word.split(':').next() == Some(near))) {
            Some(near) => format!("did you mean \"{near}\"? {form}"),
            None => form.to_owned(),
        };
        self.report(pointer, format!("{} {fault}", self.what(pointer)), &label);
    }

    fn empty(&mut self, pointer: &str, node: &Value) {
        let label = match word(node, "x-add") {
            "" => "give it a value".to_owned(),
            add => format!("add {add}"),
        };
        self.report(pointer, format!("{} is empty", self.what(pointer)), &label);
    }

    fn wrong_type(&mut self, pointer: &str, node: &Value, instance: &Value) {
        let form = word(node, "x-form");
        let types: Vec<&str> = match node.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let range = range(node);
        let (wanted, label) = match (types.as_slice(), word(node, "format")) {
            (_, "span" | "size") => (format!("a {}", word(node, "x-noun")), form),
            (["string"], _) => ("a string".to_owned(), "write it in quotes"),
            (["integer"], _) => ("a whole number".to_owned(), range.as_deref().unwrap_or(form)),
            (["number"], _) => ("a number".to_owned(), range.as_deref().unwrap_or(form)),
            (["boolean"], _) => ("a boolean".to_owned(), or(form, "write true or false")),
            (["array"], _) => ("an array".to_owned(), or(form, "write [ … ]")),
            (["object"], _) => ("a table".to_owned(), or(form, TABLE_FORM)),
            ([first @ .., last], _) => (format!("a {} or {last}", first.join(", ")), form),
            ([], _) => ("something else".to_owned(), form),
        };
        let message = format!("{} must be {wanted}, not {}", self.what(pointer), kind_of(instance));
        self.report(pointer, message, label);
    }

    fn missing(&mut self, pointer: &str, node: &Value, key: &str) {
        let property = node.get("properties").and_then(|properties| properties.get(key)).unwrap_or(&NOTHING);
        let add = match word(property, "x-add") {
            "" => format!("{key} = …"),
            add => add.to_owned(),
        };
        let message = format!("{} has no \"{key}\"", title(self.file, pointer));
        let document = self.document;
        // The missing key is at fault, not the whole table: the other keys are still usable.
        self.report_at(|| Place::of_pointer(document, pointer), &member(pointer, key), message, &format!("add {add}"));
    }

    fn unknown_key(&mut self, pointer: &str, node: &Value, key: &str) {
        let properties = node.get("properties").and_then(Value::as_object);
        let known: Vec<&str> = properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
        let list = format!("keys here are: {}", known.join(", "));
        let label = match nearest(key, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"? {list}"),
            None => list,
        };
        let document = self.document;
        let place = || Place::of_key(document, pointer, key);
        let message = format!("unknown key \"{key}\" in {}", title(self.file, pointer));
        self.report_at(place, &member(pointer, key), message, &label);
    }

    fn out_of_range(&mut self, pointer: &str, node: &Value) {
        let message = format!("{} is out of range", self.what(pointer));
        self.report(pointer, message, range(node).as_deref().unwrap_or_default());
    }

    /// Reports a value that is not in a closed list of words.
    fn choice(&mut self, pointer: &str, noun: &str, words: &[&str], instance: &Value) {
        let Some(text) = instance.as_str() else {
            let message = format!("{} must be a string, not {}", self.what(pointer), kind_of(instance));
            return self.report(pointer, message, "write it in quotes");
        };
        if text.is_empty() {
            return self.empty(pointer, &NOTHING);
        }
        let noun = or(noun, "value");
        let list = format!("{noun}s are: {}", words.join(", "));
        let label = match nearest(text, words.iter().copied()) {
            // A list of one is its own suggestion.
            Some(near) if words.len() > 1 => format!("did you mean \"{near}\"? {list}"),
            _ => list,
        };
        let owner = title(self.file, &owner(self.file, pointer));
        self.report(pointer, format!("unknown {noun} \"{text}\" for {owner}"), &label);
    }

    /// Handles a value that matches no branch: picks the branch that was meant and reports what is wrong with it.
    fn no_branch(
        &mut self,
        pointer: &str,
        node: &'c Value,
        keyword: &str,
        instance: &Value,
        context: &[Vec<ValidationError<'static>>],
    ) {
        let branches = node.get(keyword).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let branches: Vec<&Value> = branches.iter().map(|branch| self.rules.follow(branch).unwrap_or(branch)).collect();
        let words: Vec<&str> = branches.iter().flat_map(|branch| words(branch)).collect();
        if words.len() >= branches.len() && !words.is_empty() {
            return self.choice(pointer, word(node, "x-noun"), &words, instance);
        }
        if let Some((key, tags)) = discriminator(&branches) {
            return self.tagged(pointer, &key, &tags, instance, context);
        }
        let keys: Vec<&str> = branches.iter().filter_map(|branch| only_required(branch)).collect();
        if keys.len() == branches.len() {
            return self.keyed(pointer, node, &keys, instance, context);
        }
        self.rejected(pointer, node, instance);
    }

    /// Handles branches that are distinguished by the value of a key.
    fn tagged(
        &mut self,
        pointer: &str,
        key: &str,
        tags: &[&str],
        instance: &Value,
        context: &[Vec<ValidationError<'static>>],
    ) {
        if !instance.is_object() || is_date(instance) {
            let message = format!("{} must be a table, not {}", self.what(pointer), kind_of(instance));
            return self.report(pointer, message, TABLE_FORM);
        }
        let Some(tag) = instance.get(key) else {
            let quoted: Vec<String> = tags.iter().map(|tag| format!("\"{tag}\"")).collect();
            let message = format!("{} has no \"{key}\"", title(self.file, pointer));
            return self.report(pointer, message, &format!("add {key} = {}", quoted.join(" or ")));
        };
        match tags.iter().position(|known| tag.as_str() == Some(known)) {
            Some(branch) => context.get(branch).into_iter().flatten().for_each(|error| self.explain(error)),
            None => self.choice(&member(pointer, key), key, tags, tag),
        }
    }

    /// Handles branches that are distinguished by the one key that each requires.
    fn keyed(
        &mut self,
        pointer: &str,
        node: &Value,
        keys: &[&str],
        instance: &Value,
        context: &[Vec<ValidationError<'static>>],
    ) {
        let Some(table) = instance.as_object().filter(|_| !is_date(instance)) else {
            return self.rejected(pointer, node, instance);
        };
        let present: Vec<usize> = (0..keys.len()).filter(|index| table.contains_key(keys[*index])).collect();
        match present.as_slice() {
            [branch] => context.get(*branch).into_iter().flatten().for_each(|error| self.explain(error)),
            _ => {
                let quoted: Vec<String> = keys.iter().map(|key| format!("\"{key}\"")).collect();
                let message = format!("{} must have one of {}", self.what(pointer), quoted.join(" and "));
                self.report(pointer, message, word(node, "x-form"));
            }
        }
    }
}

/// The nearest table around a value.
fn owner(file: &Value, pointer: &str) -> String {
    let mut owner = pointer;
    while let Some((around, _)) = owner.rsplit_once('/') {
        owner = around;
        if file.pointer(owner).is_some_and(Value::is_object) {
            break;
        }
    }
    owner.to_owned()
}

/// An extension keyword's text, or "".
fn word<'v>(node: &'v Value, keyword: &str) -> &'v str {
    node.get(keyword).and_then(Value::as_str).unwrap_or_default()
}

fn or<'v>(text: &'v str, other: &'v str) -> &'v str {
    if text.is_empty() { other } else { text }
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// The words that a branch accepts, if it is a closed list.
fn words(branch: &Value) -> Vec<&str> {
    match (branch.get("const"), branch.get("enum")) {
        (Some(Value::String(word)), _) => vec![word],
        (_, Some(Value::Array(words))) => words.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The key whose constant distinguishes the branches, and the constants.
fn discriminator<'v>(branches: &[&'v Value]) -> Option<(String, Vec<&'v str>)> {
    let constant = |branch: &&'v Value, key: &str| branch.get("properties")?.get(key)?.get("const")?.as_str();
    let keys = branches.first()?.get("properties")?.as_object()?.keys();
    for key in keys {
        let tags: Vec<&str> = branches.iter().filter_map(|branch| constant(branch, key)).collect();
        if tags.len() == branches.len() {
            return Some((key.clone(), tags));
        }
    }
    None
}

fn only_required(branch: &Value) -> Option<&str> {
    match branch.get("required")?.as_array()?.as_slice() {
        [key] => key.as_str(),
        _ => None,
    }
}

/// The bounds of a number, a duration or a size: "from 1 to 100".
fn range(node: &Value) -> Option<String> {
    let bound = |own: &str, plain: &str| match node.get(own).and_then(Value::as_str) {
        Some(text) => Some(text.to_owned()),
        None => node.get(plain).map(number),
    };
    match (bound("x-min", "minimum"), bound("x-max", "maximum")) {
        (Some(least), Some(most)) => Some(format!("from {least} to {most}")),
        (Some(least), None) => Some(format!("at least {least}")),
        (None, Some(most)) => Some(format!("at most {most}")),
        (None, None) => None,
    }
}

fn number(value: &Value) -> String {
    match value.as_f64() {
        Some(number) => number.to_string(),
        None => value.to_string(),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        value if is_date(value) => "a date",
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a float",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "a table",
    }
}
