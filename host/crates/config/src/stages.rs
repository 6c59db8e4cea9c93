//! Resolves the stages of a pipeline.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeValue;

use gristmill_core::model::RetryPolicy;

use super::document::Place;
use super::engine::retry;
use super::plan::{Ways, ways};
use super::quantity::ByteSize;
use super::section::{Read, Section, TABLE_FORM, Value};
use super::settings::{Checkpoint, Grant, Isolation, Module, Stage, StageLimits};
use super::value::is_name;

const GRANTS: [(&str, Grant); 1] = [("llm", Grant::Llm)];
const CHECKPOINTS: [(&str, Checkpoint); 3] =
    [("auto", Checkpoint::Auto), ("always", Checkpoint::Always), ("never", Checkpoint::Never)];
const ISOLATIONS: [(&str, Isolation); 2] = [("item", Isolation::Item), ("shared", Isolation::Shared)];
/// Words that `next` and `branches` have another meaning for.
const NO_STAGE_NAMES: [&str; 2] = ["sink", "drop"];

/// All stages and the ways out of each; at least one, each name once.
pub(super) fn stages<'a>(value: &Value<'a>, base: RetryPolicy) -> Read<(Vec<Stage>, Vec<Ways<'a>>)> {
    let tables = value.list("write [[stage]], once for each stage")?;
    if tables.is_empty() {
        return Err(value.fault("there is no stage", "write [[stage]] with name and module, once for each stage"));
    }
    let (mut stages, mut all_ways) = (Vec::new(), Vec::new());
    let mut names: BTreeMap<Arc<str>, Place> = BTreeMap::new();
    let mut all = Ok(());
    for (index, table) in tables.iter().enumerate() {
        let title = title(index, table);
        match table.table(&title, |section| stage(section, &mut names, base)) {
            Ok((stage, ways)) => {
                stages.push(stage);
                all_ways.push(ways);
            }
            Err(reported) => all = Err(reported),
        }
    }
    all.map(|()| (stages, all_ways))
}

/// What messages call a stage: its name if it can be read, else its number.
fn title(index: usize, table: &Value<'_>) -> String {
    let name = match table.toml.get_ref() {
        DeValue::Table(table) => table.get("name").and_then(|name| name.get_ref().as_str()),
        _ => None,
    };
    match name.filter(|name| is_name(name)) {
        Some(name) => format!("stage \"{name}\""),
        None => format!("stage {}", index + 1),
    }
}

fn stage<'a>(
    section: &mut Section<'a>,
    names: &mut BTreeMap<Arc<str>, Place>,
    base: RetryPolicy,
) -> Read<(Stage, Ways<'a>)> {
    let title = section.title.clone();
    let name = section.required("name", "name = \"…\"", |value| unique_name(value, names));
    let module = section.required("module", "module = \"builtin:NAME\" or a file", module);
    let grants = section.or("grants", BTreeSet::new(), |value| {
        let mut grants = BTreeSet::new();
        for element in value.list("for example grants = [\"llm\"]")? {
            grants.insert(element.choice("grant", &title, &GRANTS)?);
        }
        Ok(grants)
    });
    let config =
        section.or("config", serde_json::Value::Object(serde_json::Map::new()), |value| match value.toml.get_ref() {
            DeValue::Table(_) => json(value),
            _ => Err(value.wrong_type("a table", TABLE_FORM)),
        });
    let policy = section.table_or_default("retry", &format!("retry of {title}"), |section| retry(section, base));
    let limits = section.table_or_default("limits", &format!("limits of {title}"), limits);
    let checkpoint =
        section.or("checkpoint", Checkpoint::Auto, |value| value.choice("checkpoint", &title, &CHECKPOINTS));
    let isolation = section.or("isolation", Isolation::Item, |value| value.choice("isolation", &title, &ISOLATIONS));
    let ways = ways(section);
    let stage = Stage {
        name: name?,
        module: module?,
        grants: grants?,
        config: config?,
        retry: policy?,
        limits: limits?,
        checkpoint: checkpoint?,
        isolation: isolation?,
    };
    Ok((stage, ways?))
}

fn unique_name(value: &Value<'_>, names: &mut BTreeMap<Arc<str>, Place>) -> Read<Arc<str>> {
    let name = value.name()?;
    if NO_STAGE_NAMES.contains(&&*name) {
        let message = format!("no stage can be named \"{name}\"");
        return Err(value.fault(message, "in next and branches it means something else; name the stage otherwise"));
    }
    if let Some(first) = names.get(&name) {
        let label = format!("the other is at {first}; rename one");
        return Err(value.fault(format!("two stages are named \"{name}\""), label));
    }
    names.insert(Arc::clone(&name), value.place());
    Ok(name)
}

fn module(value: &Value<'_>) -> Read<Module> {
    let text = value.text()?;
    match text.strip_prefix("builtin:") {
        Some(name) if is_name(name) => Ok(Module::Builtin(name.to_owned())),
        Some(_) => {
            Err(value.fault(format!("{} names no builtin stage", value.what), "for example \"builtin:extract\""))
        }
        None if text.contains("://") => {
            Err(value.fault(format!("{} is an address", value.what), "modules are files, or \"builtin:NAME\""))
        }
        None => value.path().map(Module::File),
    }
}

fn limits(section: &mut Section<'_>) -> Read<StageLimits> {
    let (milliseconds, seconds) = (Duration::from_millis, Duration::from_secs);
    let memory = section.or("memory", ByteSize::mib(64), |value| value.size(ByteSize::mib(1)..=ByteSize::mib(1024)));
    let cpu = section.or("cpu", seconds(5), |value| value.duration(milliseconds(10)..=seconds(600)));
    let wall = section.or("wall", seconds(120), |value| value.duration(milliseconds(10)..=seconds(3_600)));
    let output = section.or("output", ByteSize::mib(8), |value| value.size(ByteSize::kib(1)..=ByteSize::mib(256)));
    Ok(StageLimits { memory: memory?, cpu: cpu?, wall: wall?, output: output? })
}

/// The JSON of a TOML value; dates become strings.
fn json(value: &Value<'_>) -> Read<serde_json::Value> {
    let inner = |toml| json(&Value { toml, ..value.clone() });
    Ok(match value.toml.get_ref() {
        DeValue::String(text) => serde_json::Value::from(text.as_ref()),
        DeValue::Boolean(boolean) => serde_json::Value::from(*boolean),
        DeValue::Datetime(date) => serde_json::Value::from(date.to_string()),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => serde_json::Value::from(number),
            Err(_) => {
                let message = format!("{} has a number that does not fit 64 bits", value.what);
                return Err(value.fault(message, "write it as a string"));
            }
        },
        DeValue::Float(float) => match float.as_str().parse().ok().and_then(serde_json::Number::from_f64) {
            Some(number) => serde_json::Value::Number(number),
            None => {
                let message = format!("{} has a number that JSON cannot hold", value.what);
                return Err(value.fault(message, "write a finite number"));
            }
        },
        DeValue::Array(array) => {
            let elements: Read<Vec<_>> = array.iter().map(inner).collect();
            serde_json::Value::Array(elements?)
        }
        DeValue::Table(table) => {
            let mut object = serde_json::Map::new();
            for (key, toml) in table {
                object.insert(key.get_ref().to_string(), inner(toml)?);
            }
            serde_json::Value::Object(object)
        }
    })
}
