//! What a stage is and costs, as `build` and `inspect` show it.

use std::fmt::Write;
use std::time::Duration;

use gristmill_core::settings::ByteSize;
use gristmill_wasm::{Description, Grant, Grants, Interfaces, Start};
use serde_json::{Value, json};

use super::subject::Found;
use crate::app::{Failure, Ran, Sandbox, SandboxItem, SandboxStage};

/// So many instances and calls are timed; the one in the middle counts.
const TIMED: usize = 15;

/// What a stage is and costs.
pub(super) struct Portrait {
    shown: String,
    size: ByteSize,
    digest: String,
    interfaces: Interfaces,
    description: Description,
    schema: Option<String>,
    instance: Result<Instance, String>,
    memory: ByteSize,
    call: Option<Timed>,
}

/// What an instance is and costs.
struct Instance {
    took: Duration,
    /// The largest, with what a timed call added.
    bytes: ByteSize,
    start: Start,
}

/// An item whose call is timed.
pub(super) struct Sample {
    /// What it is called.
    pub(super) name: String,
    /// The item.
    pub(super) item: SandboxItem,
}

struct Timed {
    name: String,
    took: Duration,
    asked: u64,
}

impl Portrait {
    /// Looks at a stage with this configuration, and runs the sample in it.
    pub(super) async fn of(found: &Found, stage: SandboxStage, sample: Option<Sample>) -> Result<Self, Failure> {
        let unusable = |reason| Failure::Setup(anyhow::anyhow!("{} {reason}", found.shown));
        let interfaces = found.module.interfaces().map_err(unusable)?;
        let sandbox = Sandbox::new()?;
        let (description, schema) = sandbox.describe(stage.clone()).await?;
        let mut portrait = Self {
            shown: found.shown.clone(),
            size: found.module.size(),
            digest: found.module.digest().to_owned(),
            interfaces,
            description,
            schema,
            instance: Err(String::new()),
            memory: sandbox.memory(),
            call: None,
        };
        let loaded = match sandbox.load(stage).await {
            Ok(loaded) => loaded,
            Err(refused) => {
                portrait.instance = Err(refused.to_string());
                return Ok(portrait);
            }
        };
        let mut instances = Vec::with_capacity(TIMED);
        for _ in 0..TIMED {
            instances.push(loaded.stage.time_instance().await.map_err(unusable)?);
        }
        if let Some(Sample { name, item }) = sample {
            let mut calls = Vec::with_capacity(TIMED);
            let mut asked = 0;
            for _ in 0..TIMED {
                let ran: Ran = loaded.run(item.clone()).await;
                calls.push(ran.took);
                asked = ran.asked;
            }
            portrait.call = Some(Timed { name, took: median(calls), asked });
        }
        portrait.instance = Ok(Instance {
            took: median(instances),
            bytes: ByteSize::bytes(loaded.stage.largest_instance() as u64),
            start: loaded.stage.start().clone(),
        });
        Ok(portrait)
    }

    /// The contract's version that it was built for, and the smallest world that it fits.
    fn contract(&self) -> (String, &'static str) {
        let version = |export: &String| export.strip_prefix("gristmill:stage/handler@").map(str::to_owned);
        let version = self.interfaces.exports.iter().find_map(version).unwrap_or_default();
        let takes_batches = self.interfaces.exports.iter().any(|export| export.contains("/batch-handler@"));
        let grants = self.grants();
        let world = match (grants.as_slice(), takes_batches) {
            ([], false) => "stage",
            ([], true) => "batch-stage",
            ([Grant::Llm], false) => "llm-stage",
            _ => "full-stage",
        };
        (version, world)
    }

    fn grants(&self) -> Vec<Grant> {
        Grants::needed_by(&self.interfaces).into()
    }

    /// Their names, as a pipeline file writes them.
    fn grant_names(&self) -> Vec<Value> {
        self.grants().iter().filter_map(|grant| serde_json::to_value(grant).ok()).collect()
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let (version, world) = self.contract();
        let Description { name, version: own, description, accepts, branches, max_batch } = &self.description;
        let micros = |took: &Duration| took.as_secs_f64() * 1e6;
        let instance = match &self.instance {
            Err(why) => json!({ "error": why }),
            Ok(Instance { took, bytes, start }) => json!({
                "micros": micros(took),
                "bytes": bytes.get(),
                "snapshot": *start == Start::Snapshot,
                "why_no_snapshot": match start { Start::Init { why } => Some(why), Start::Snapshot => None },
            }),
        };
        json!({
            "name": name,
            "version": own,
            "description": description,
            "component": self.shown,
            "bytes": self.size.get(),
            "sha256": self.digest,
            "functions": self.interfaces.functions,
            "code_bytes": self.interfaces.code,
            "contract": version,
            "world": world,
            "imports": self.interfaces.imports,
            "exports": self.interfaces.exports,
            "grants": self.grant_names(),
            "accepts": accepts,
            "branches": branches,
            "max_batch": max_batch,
            "config_schema": self.schema.as_deref().map(|schema| serde_json::from_str(schema).unwrap_or(Value::Null)),
            "limits": { "memory": self.memory.get() },
            "instance": instance,
            "call": self.call.as_ref().map(|call| json!({
                "item": call.name, "micros": micros(&call.took), "model_calls": call.asked,
            })),
        })
    }

    /// For people; a schema follows if it is asked for.
    pub(super) fn text(&self, schema: Schema) -> String {
        let (version, world) = self.contract();
        let Description { name, version: own, description, accepts, branches, max_batch } = &self.description;
        let mut text = format!("{name} {own}: {description}\n");
        let mut line = |label: &str, value: String| {
            let _ = writeln!(text, "  {label:<11} {value}");
        };
        line("component", format!("{}, {}, sha256:{}", self.shown, amount(self.size), &self.digest[..12]));
        line("contract", format!("gristmill:stage@{version}, world {world}"));
        line("imports", self.imports());
        let grants = self.grant_names();
        line("grants", if grants.is_empty() { "none".into() } else { format!("grants = {}", Value::Array(grants)) });
        line("accepts", if accepts.is_empty() { "everything".into() } else { accepts.join(", ") });
        if !branches.is_empty() {
            line("branches", branches.join(", "));
        }
        if *max_batch > 1 {
            line("batches", format!("up to {max_batch} items"));
        }
        let code = ByteSize::bytes(self.interfaces.code as u64);
        line("code", format!("{} in {} functions", amount(code), self.interfaces.functions));
        match &self.instance {
            Err(why) => line("instance", format!("not made: {why}")),
            Ok(Instance { took, bytes, start }) => {
                let how = match start {
                    Start::Snapshot => "begins where init ended".to_owned(),
                    Start::Init { why } => format!("calls init each time: {why}"),
                };
                let memory = self.memory;
                line("instance", format!("{}, {} of {memory}; {how}", shown(*took), amount(*bytes)));
            }
        }
        if let Some(Timed { name, took, asked }) = &self.call {
            let asked = match asked {
                0 => String::new(),
                times => format!(", asks a model {times} times"),
            };
            line("call", format!("{} with {name}{asked}", shown(*took)));
        }
        if schema == Schema::Shown {
            line("config", if self.schema.is_some() { "by this schema:".into() } else { "none".into() });
            for part in self.schema.as_deref().map(indented).unwrap_or_default().lines() {
                let _ = writeln!(text, "    {part}");
            }
        }
        text
    }

    /// The interfaces of the contract by their names, and the packages of WASI.
    fn imports(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for import in &self.interfaces.imports {
            let path = import.split('@').next().unwrap_or(import);
            let name = match path.strip_prefix("gristmill:stage/") {
                Some("types" | "llm-types") => continue,
                Some(interface) => interface,
                None => path.split('/').next().unwrap_or(path),
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    }
}

/// Whether the schema of the configuration is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schema {
    Shown,
    Hidden,
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A short time in the unit that fits.
pub(super) fn shown(took: Duration) -> String {
    let micros = took.as_secs_f64() * 1e6;
    match micros {
        ..1_000.0 => format!("{micros:.0} µs"),
        ..1_000_000.0 => format!("{:.1} ms", micros / 1e3),
        _ => format!("{:.1} s", micros / 1e6),
    }
}

/// A size to three digits.
pub(super) fn amount(size: ByteSize) -> String {
    let kib = size.get() as f64 / 1024.0;
    match kib {
        ..1.0 => format!("{} bytes", size.get()),
        ..10.0 => format!("{kib:.1} KiB"),
        ..1024.0 => format!("{kib:.0} KiB"),
        _ => format!("{:.1} MiB", kib / 1024.0),
    }
}

fn indented(schema: &str) -> String {
    let value: Result<Value, _> = serde_json::from_str(schema);
    value.ok().and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| schema.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_shown_in_the_unit_that_fits() {
        assert_eq!(
            [17, 1_700, 1_700_000].map(|micros| shown(Duration::from_micros(micros))),
            ["17 µs", "1.7 ms", "1.7 s"]
        );
        assert_eq!(
            [900, 9_000, 90_000, 9_000_000].map(|size| amount(ByteSize::bytes(size))),
            ["900 bytes", "8.8 KiB", "88 KiB", "8.6 MiB"]
        );
    }
}
