//! What no single key can be wrong about: keys that must fit each other.

use std::collections::BTreeMap;

use gristmill_config::Draft;
use gristmill_core::flow::names::is_our_name;
use gristmill_core::flow::settings::{DeliveryMode, DocumentName, Order, RetryPolicy, SinkKey, Tombstones};
use gristmill_core::model::Plan;
use gristmill_core::settings::{Name, Span, TopicName};
use gristmill_kafka::Brokers;
use gristmill_llm::settings::{AliasSettings, TargetSettings};

use super::file::{MOST_STAGES, PipelineFile};
use super::grants::Grants;
use super::host::HostFile;
use super::plan::plan;
use super::properties;
use super::redis;
use super::requires;
use super::stage::{Module, StageSettings};
use super::store;

type File = Draft<PipelineFile>;

/// Fills in what stages have from the pipeline, reports everything that does not fit, and draws the plan. Looks only at
/// what is good by itself: nothing that follows from another fault is reported.
pub(super) fn check(file: &mut File, host: Option<&HostFile>) -> Option<Plan> {
    let stages = file.len_of("/stage");
    // Reported by the schema. To look at each of many thousands would take minutes.
    if stages > MOST_STAGES {
        return None;
    }
    redis::check(file);
    properties::check(file);
    topics_apart(file);
    delivery(file);
    keys(file);
    waits(file, "/retry");
    for index in 0..stages {
        let retry = format!("/stage/{index}/retry");
        if file.is_sound("/retry") {
            file.inherit(&retry, "/retry");
        }
        if file.has(&retry) {
            waits(file, &retry);
        }
    }
    store::check(file);
    names_once(file, stages);
    signatures(file, stages);
    if host.is_some_and(|host| host.models.is_empty()) {
        models_for_grants(file, stages);
        vectors_for_grants(file, stages);
    }

    let stages: Option<Vec<StageSettings>> = (0..stages).map(|index| file.part(&format!("/stage/{index}"))).collect();
    match stages {
        Some(stages) if !stages.is_empty() => {
            let plan = plan(file, &stages)?;
            requires::check(file, &plan, &stages);
            Some(plan)
        }
        _ => None,
    }
}

fn topics_apart(file: &mut File) {
    let sections = ["source", "sink", "dead_letter"];
    let topics: Vec<Option<TopicName>> =
        sections.iter().map(|section| file.part(&format!("/{section}/topic"))).collect();
    for (index, topic) in topics.iter().enumerate() {
        let Some(topic) = topic else { continue };
        let Some(other) = topics[..index].iter().position(|other| other.as_ref() == Some(topic)) else { continue };
        let (section, other) = (sections[index], sections[other]);
        let message = format!("[{section}] and [{other}] are the same topic \"{topic}\"");
        let label = match other {
            "source" => "the pipeline would read what it writes, without end: name another topic",
            _ => "nobody could tell results from failed jobs: name another topic",
        };
        file.report(&format!("/{section}/topic"), message, label);
    }
}

fn delivery(file: &mut File) {
    let brokers: Option<Brokers> = file.part("/kafka/brokers");
    match file.part("/delivery") {
        Some(DeliveryMode::ExactlyOnce) if matches!(brokers, Some(Brokers::Embedded { .. })) => {
            let message = "the embedded broker cannot deliver exactly once: its transactions keep nothing back";
            file.report("/delivery", message, "name the brokers of a Kafka cluster, or take this line out");
        }
        Some(DeliveryMode::ExactlyOnce) => {}
        Some(DeliveryMode::AtLeastOnce) | None => {
            if file.is_sound("/delivery") && file.has("/transactions") {
                let message = "[transactions] is there, but outputs are written without transactions";
                let label = "add delivery = \"exactly-once\" above the first [table], or take it out";
                file.report("/transactions", message, label);
            }
        }
    }
}

/// Generations of a document are written one after the other only if their jobs are.
fn keys(file: &mut File) {
    let order: Option<Order> = file.part("/order");
    let by_item = file.part("/sink/key") == Some(SinkKey::Item);
    // On Redis there is no order, which is told instead.
    if by_item && matches!(order, None | Some(Order::None)) && file.is_sound("/order") && !file.has("/redis") {
        let message = "items are the keys of the sink, but jobs of one document could overtake each other";
        file.report("/sink/key", message, "add order = \"key\" above the first [table], or order = \"partition\"");
    }
    if let Some(DocumentName::Header(header)) = file.part("/source/document")
        && is_our_name(&header)
    {
        let message = format!("documents cannot be named by the header {header:?}");
        file.report("/source/document", message, "dead letters and replays replace headers of that name: use another");
    }
    if by_item
        && matches!(file.part("/source/document"), Some(DocumentName::Pointer(_)))
        && matches!(file.part("/source/tombstones"), None | Some(Tombstones::Pass))
        && file.is_sound("/source/tombstones")
    {
        let message = "a record that deletes has no payload, so a pointer into it cannot name the document";
        let label = "name documents by the key or a header, or add tombstones = \"drop\" or \"dead-letter\"";
        file.report("/source/document", message, label);
    }
    if by_item
        && order == Some(Order::Key)
        && file.part::<DocumentName>("/source/document").is_some_and(|name| name != DocumentName::Key)
    {
        let message = "jobs are in order by their record's key, but documents are named by something else";
        file.report("/source/document", message, "use order = \"partition\", or take this line out");
    }
}

/// The first wait of a policy is not longer than the longest.
fn waits(file: &mut File, pointer: &str) {
    let Some(policy) = file.part::<RetryPolicy>(pointer) else { return };
    if policy.first_wait > policy.longest_wait {
        let longest = format!("{pointer}/longest_wait");
        let at = if file.has(&longest) { longest } else { format!("{pointer}/first_wait") };
        let message = format!("the first wait is longer than the longest in {}", file.title(pointer));
        let (first, longest) = (Span(policy.first_wait), Span(policy.longest_wait));
        file.report(&at, message, format!("first_wait is {first}, longest_wait {longest}: change one"));
    }
}

fn names_once(file: &mut File, stages: usize) {
    let mut first: BTreeMap<Name, String> = BTreeMap::new();
    for index in 0..stages {
        let pointer = format!("/stage/{index}/name");
        let Some(name) = file.part::<Name>(&pointer) else { continue };
        match first.get(&name) {
            Some(other) => {
                let label = format!("the other is at {}; rename one", file.place(other));
                file.report(&pointer, format!("two stages are named \"{name}\""), label);
            }
            None => {
                first.insert(name, pointer);
            }
        }
    }
}

/// Only what comes from a registry has signatures.
fn signatures(file: &mut File, stages: usize) {
    for index in 0..stages {
        let pointer = format!("/stage/{index}/signed_by");
        let module = file.part::<Module>(&format!("/stage/{index}/module"));
        if file.has(&pointer) && module.is_some_and(|module| !matches!(module, Module::Registry(_))) {
            let title = file.title(&format!("/stage/{index}"));
            let message = format!("{title} has a key, but its module is in no registry");
            file.report(&pointer, message, "take it away, or name the module as oci://REGISTRY/NAME@sha256:…");
        }
    }
}

fn models_for_grants(file: &mut File, stages: usize) {
    let models = file.written("/models").and_then(|models| models.as_object());
    if models.is_some_and(|models| !models.is_empty()) || !file.is_sound("/models") {
        return;
    }
    for index in 0..stages {
        let pointer = format!("/stage/{index}/grants");
        if file.part::<Grants>(&pointer).is_some_and(|grants| grants.asks_models()) {
            let message = format!("{} may ask models, but there are none", file.title(&format!("/stage/{index}")));
            file.report(&pointer, message, "add [models.NAME] with targets, or take the grant away");
        }
    }
}

/// Of an alias, the first target decides whether it makes vectors.
fn vectors_for_grants(file: &mut File, stages: usize) {
    let models = file.written("/models").and_then(|models| models.as_object());
    let names: Vec<String> = models.into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let aliases = names.iter().map(|name| file.part::<AliasSettings>(&format!("/models/{name}")));
    let Some(aliases) = aliases.collect::<Option<Vec<_>>>() else { return };
    let embeds = |alias: &AliasSettings| alias.targets.first().is_some_and(TargetSettings::embeds);
    if aliases.is_empty() || aliases.iter().any(embeds) {
        return;
    }
    for index in 0..stages {
        let pointer = format!("/stage/{index}/grants");
        if file.part::<Grants>(&pointer).is_some_and(|grants| grants.embeddings) {
            let title = file.title(&format!("/stage/{index}"));
            let message = format!("{title} may ask for vectors, but no model's first target makes any");
            file.report(&pointer, message, "add [models.NAME] with a target of openai, gemini or ollama first");
        }
    }
}
