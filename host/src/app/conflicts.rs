//! What pipelines in one process must not share.

use std::collections::BTreeMap;

use gristmill_config::{ConfigError, Fault};

use crate::settings::Pipeline;

use super::failure::Failure;

/// Checks that pipelines can run in one process.
///
/// # Errors
/// What they would take from each other, at its places.
pub fn check_together(pipelines: &[&Pipeline]) -> Result<(), Failure> {
    Ok(ConfigError::check(conflicts(pipelines))?)
}

/// Names distinguish job ids and logs, so each is used once; and members of one group share the events of a topic, so two
/// pipelines would each see a part of them.
fn conflicts(pipelines: &[&Pipeline]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let (mut names, mut readers) = (BTreeMap::new(), BTreeMap::new());
    for pipeline in pipelines {
        let place = pipeline.place("/name");
        if let Some(other) = names.insert(&*pipeline.name, place.clone()) {
            let message = format!("two pipelines are named {:?}", &*pipeline.name);
            faults.push(Fault::at(place, message).label(format!("the other is at {other}; rename one")));
            continue;
        }
        let source = &pipeline.source;
        let place = pipeline.place("/source/topic");
        if let Some(other) = readers.insert((&*source.topic, pipeline.group()), place.clone()) {
            let message =
                format!("two pipelines read the topic {:?} with the group {:?}", &*source.topic, pipeline.group());
            let label = format!("each would get a part of the events: give this one or {other} another group");
            faults.push(Fault::at(place, message).label(label));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn pipeline(file: &str, name: &str, source: &str) -> Pipeline {
        let text = format!(
            "name = {name:?}\nkafka = {{ brokers = \"embedded\" }}\nsource = {{ {source} }}\n\
             sink = {{ topic = \"out\" }}\ndead_letter = {{ topic = \"dead\" }}\nstage = [{{ name = \"a\", module = \"builtin:extract\" }}]\n"
        );
        Pipeline::parse(&text, Path::new(file)).unwrap()
    }

    fn shown(pipelines: &[Pipeline]) -> Vec<String> {
        conflicts(&pipelines.iter().collect::<Vec<_>>()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn two_pipelines_of_one_name_are_refused_by_both_places() {
        let faults = shown(&[pipeline("a.toml", "x", "topic = \"i\""), pipeline("b.toml", "x", "topic = \"j\"")]);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].contains("two pipelines are named \"x\"") && faults[0].contains("b.toml:1:8"), "{faults:?}");
        assert!(faults[0].contains("the other is at a.toml:1:8"), "{faults:?}");
    }

    #[test]
    fn one_topic_is_read_by_several_groups_but_not_twice_by_one() {
        let (one, two) = (pipeline("a.toml", "a", "topic = \"i\""), pipeline("b.toml", "b", "topic = \"i\""));
        assert!(shown(&[one.clone(), two]).is_empty());
        let faults = shown(&[one, pipeline("b.toml", "b", "topic = \"i\", group = \"a\"")]);
        assert!(faults[0].contains("with the group \"a\"") && faults[0].contains("another group"), "{faults:?}");
        let other = [
            pipeline("a.toml", "a", "topic = \"i\", group = \"g\""),
            pipeline("b.toml", "b", "topic = \"j\", group = \"g\""),
        ];
        assert!(shown(&other).is_empty(), "one group may read two topics");
    }
}
