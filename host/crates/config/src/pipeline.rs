//! Resolves the file as a whole: cluster, topics, and what must fit together.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use toml::de::DeValue;

use gristmill_core::model::{Plan, RetryPolicy};

use super::engine::{delivery, limits, order, retry, store};
use super::models::models;
use super::plan::plan;
use super::section::{Faults, Read, Section, Value};
use super::settings::{
    Alias, BROKERS_FORM, BadBrokers, Brokers, CreateTopics, DeadLetter, Delivery, Grant, Kafka, Limits, Order,
    Property, Sink, Source, Stage, Start, Store,
};
use super::stages::stages;

/// What a pipeline file says.
pub(super) struct Resolved {
    pub(super) name: Arc<str>,
    pub(super) kafka: Kafka,
    pub(super) source: Source,
    pub(super) sink: Sink,
    pub(super) dead_letter: DeadLetter,
    pub(super) limits: Limits,
    pub(super) delivery: Delivery,
    pub(super) order: Order,
    pub(super) store: Store,
    pub(super) stages: Vec<Stage>,
    pub(super) plan: Arc<Plan>,
    pub(super) models: BTreeMap<Arc<str>, Alias>,
}

/// Reads everything before it gives up anything, so that one run tells all faults.
pub(super) fn pipeline(root: &mut Section<'_>) -> Read<Resolved> {
    let name = root.required("name", "name = \"…\" as its first line", Value::name);
    let kafka = root.required("kafka", "[kafka] with brokers = \"embedded\"", |value| value.table("[kafka]", kafka));
    let group = name.as_deref().unwrap_or_default();
    let source = root.required("source", "[source] with topic = \"…\", where events come from", |value| {
        value.table("[source]", |section| source(section, group))
    });
    let sink = root.required("sink", "[sink] with topic = \"…\", where results go", |value| {
        value.table("[sink]", |section| section.required("topic", "topic = \"…\"", Value::topic))
    });
    let dead_letter =
        root.required("dead_letter", "[dead_letter] with topic = \"…\", where failed jobs go", |value| {
            value.table("[dead_letter]", dead_letter)
        });
    let order = order(root);
    let delivery = delivery(root, kafka.as_ref().ok().map(|kafka| &kafka.brokers));
    let limits = root.table_or_default("limits", "[limits]", limits);
    let policy = root.table_or_default("retry", "[retry]", |section| retry(section, RetryPolicy::default()));
    let store = root.table_or_default("store", "[store]", store);
    let base = policy.as_ref().copied().unwrap_or_default();
    let stages =
        root.required("stage", "[[stage]] with name and module, once for each stage", |value| stages(value, base));
    let models = root.option("models", |value| value.table("[models]", models)).map(Option::unwrap_or_default);

    let topics = [
        ("source", source.as_ref().ok().map(|source| &source.topic)),
        ("sink", sink.as_ref().ok()),
        ("dead_letter", dead_letter.as_ref().ok().map(|(topic, _)| topic)),
    ];
    let apart = topics_apart(&topics, root.faults());
    let answered = match (&stages, &models) {
        (Ok((stages, _)), Ok(models)) => models_for_grants(stages, models, root.faults()),
        _ => Ok(()),
    };
    let (stages, ways) = stages?;
    let names: Vec<Arc<str>> = stages.iter().map(|stage| Arc::clone(&stage.name)).collect();
    let reserved = [("events", topics[0].1), ("dead letters", topics[2].1)];
    let plan = plan(&names, &ways, &reserved, root.faults());
    policy?;
    apart?;
    answered?;
    let (limits, bounds) = limits?;
    let (letters, connect_headers) = dead_letter?;
    Ok(Resolved {
        name: name?,
        kafka: kafka?,
        source: source?,
        sink: Sink { topic: sink? },
        dead_letter: DeadLetter { topic: letters, bounds, connect_headers },
        limits,
        delivery: delivery?,
        order: order?,
        store: store?,
        stages,
        plan: Arc::new(plan?),
        models: models?,
    })
}

/// The topic, and whether Kafka Connect's header names are wanted too.
fn dead_letter(section: &mut Section<'_>) -> Read<(Arc<str>, bool)> {
    let topic = section.required("topic", "topic = \"…\"", Value::topic);
    let connect_headers = section.or("connect_headers", false, |value| match value.toml.get_ref() {
        DeValue::Boolean(wanted) => Ok(*wanted),
        _ => Err(value.wrong_type("a boolean", "write true for the header names of Kafka Connect too")),
    });
    Ok((topic?, connect_headers?))
}

fn kafka(section: &mut Section<'_>) -> Read<Kafka> {
    let brokers = section.required("brokers", "brokers = \"embedded\", or \"host:port\"", |value| {
        let text = value.text()?;
        Brokers::from_str(text).map_err(|BadBrokers(bad)| value.fault(format!("\"{bad}\" is no broker"), BROKERS_FORM))
    });
    let mut properties = BTreeMap::new();
    let read = section.option("properties", |value| {
        value.table("[kafka.properties]", |section| read_properties(section, "", &mut properties))
    });
    let create_topics = section.option("create_topics", |value| value.table("create_topics", create_topics));
    read?;
    Ok(Kafka { brokers: brokers?, properties, create_topics: create_topics? })
}

/// `a.b = "c"` without quotes is a table in a table for TOML, and the property "a.b" for us.
fn read_properties(section: &mut Section<'_>, prefix: &str, properties: &mut BTreeMap<String, Property>) -> Read<()> {
    let mut all = Ok(());
    for (key, _, value) in section.entries() {
        let name = format!("{prefix}{key}");
        let property = match value.toml.get_ref() {
            DeValue::Table(table) if !table.contains_key("env") && !table.contains_key("file") => {
                let nested = format!("{name}.");
                let read = value.table("[kafka.properties]", |section| read_properties(section, &nested, properties));
                all = all.and(read);
                continue;
            }
            DeValue::Table(_) => value.secret().map(Property::Secret),
            DeValue::String(text) => Ok(Property::Plain(text.to_string())),
            DeValue::Integer(integer) if integer.radix() == 10 => Ok(Property::Plain(integer.as_str().to_owned())),
            DeValue::Float(float) => Ok(Property::Plain(float.as_str().to_owned())),
            DeValue::Boolean(boolean) => Ok(Property::Plain(boolean.to_string())),
            _ => {
                Err(value
                    .wrong_type("a string, number or boolean", "or a secret: { env = \"NAME\" }, { file = \"path\" }"))
            }
        };
        match property {
            Ok(property) => {
                if properties.insert(name.clone(), property).is_some() {
                    let message = format!("the property \"{name}\" is there twice, with dots and in quotes");
                    all = Err(value.fault(message, "keep one of them"));
                }
            }
            Err(reported) => all = Err(reported),
        }
    }
    all
}

fn create_topics(section: &mut Section<'_>) -> Read<CreateTopics> {
    let partitions = section.required("partitions", "partitions = 6, say", |value| value.count(10_000));
    let replication = section.required("replication", "replication = 3, or 1 on one broker", |value| value.count(100));
    Ok(CreateTopics { partitions: partitions?, replication: replication? })
}

fn source(section: &mut Section<'_>, default_group: &str) -> Read<Source> {
    const STARTS: [(&str, Start); 2] = [("earliest", Start::Earliest), ("latest", Start::Latest)];
    let topic = section.required("topic", "topic = \"…\", whose records are the events", Value::topic);
    let group = section.or("group", default_group.to_owned(), |value| {
        let text = value.text()?;
        match text.contains(char::is_control) {
            true => Err(value.fault(format!("{} has control characters", value.what), "take them out")),
            false => Ok(text.to_owned()),
        }
    });
    let start = section.or("start", Start::Earliest, |value| value.choice("start", "[source]", &STARTS));
    let content_type =
        section.option("content_type", |value| {
            let text = value.text()?;
            match text.split_once('/') {
                Some((_, subtype)) if !subtype.is_empty() && text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) => {
                    Ok(text.to_owned())
                }
                _ => Err(value
                    .fault(format!("{} is not a media type: \"{text}\"", value.what), "for example application/json")),
            }
        });
    Ok(Source { topic: topic?, group: group?, start: start?, content_type: content_type? })
}

fn topics_apart(topics: &[(&str, Option<&Arc<str>>)], faults: &Faults) -> Read<()> {
    let mut all = Ok(());
    for (index, (section, topic)) in topics.iter().enumerate() {
        let before = topics[..index].iter().find(|(_, other)| topic.is_some() && other == topic);
        if let (Some((other, _)), Some(topic)) = (before, topic) {
            let message = format!("[{section}] and [{other}] are the same topic \"{topic}\"");
            let label = match *other {
                "source" => "the pipeline would read what it writes, without end: name another topic",
                _ => "nobody could tell results from failed jobs: name another topic",
            };
            all = Err(faults.report_at(&format!("/{section}/topic"), message, label));
        }
    }
    all
}

fn models_for_grants(stages: &[Stage], models: &BTreeMap<Arc<str>, Alias>, faults: &Faults) -> Read<()> {
    let mut all = Ok(());
    for (index, stage) in stages.iter().enumerate() {
        if models.is_empty() && stage.grants.contains(&Grant::Llm) {
            let message = format!("stage \"{}\" may ask language models, but there are none", stage.name);
            let label = "add [models.NAME] with targets, or take the grant away";
            all = Err(faults.report_at(&format!("/stage/{index}/grants"), message, label));
        }
    }
    all
}
