//! Every case, through the stages as they are compiled for this machine. The sandbox runs a tenth of them.

// Clippy allows unwrap only inside test functions, not in their helpers.
#![allow(clippy::unwrap_used)]

use std::env;
use std::path::PathBuf;

use gristmill_cases::{Case, Output};
use gristmill_sdk::{Attribute, Item, Outcome, Stage, StageError, configure};
use gristmill_stage_chunk::Chunk;
use gristmill_stage_extract::Extract;
use gristmill_stage_language::Detect;
use gristmill_stage_sanitize::Sanitize;

/// Another folder of cases to run, in place of those of this crate.
const FOLDER: &str = "GRISTMILL_CASES";

#[test]
fn every_document_becomes_what_its_case_says() {
    let folder = env::var_os(FOLDER).map_or_else(gristmill_cases::documents, PathBuf::from);
    let cases = gristmill_cases::read(&folder).unwrap();
    assert!(!cases.is_empty(), "{} has no case", folder.display());
    let faults: Vec<String> = cases.iter().filter_map(|case| case.fault(&run(case))).collect();
    assert!(faults.is_empty(), "{} of {} cases:\n{}", faults.len(), cases.len(), faults.join("\n"));
}

fn run(case: &Case) -> Result<Vec<Output>, String> {
    let mut items = vec![Item::sample(case.payload.clone(), case.content_type.as_deref())];
    for (stage, config) in case.stages() {
        let mut next = Vec::new();
        for item in items {
            next.extend(process(stage, &config, item)?);
        }
        items = next;
    }
    Ok(items.into_iter().map(output).collect())
}

fn process(stage: &str, config: &str, item: Item) -> Result<Vec<Item>, String> {
    match stage {
        "extract" => through::<Extract>(config, item),
        "chunk" => through::<Chunk>(config, item),
        "language" => through::<Detect>(config, item),
        "sanitize" => through::<Sanitize>(config, item),
        other => panic!("no stage {other}"),
    }
}

/// Passes an item through a stage as the host does: types that it does not accept are refused, attributes are inherited.
fn through<S: Stage>(config: &str, item: Item) -> Result<Vec<Item>, String> {
    let accepts = S::describe().accepts;
    if let Some(media_type) = item.media_type()
        && !accepts.is_empty()
        && !accepts.iter().any(|accepted| matches(accepted, &media_type))
    {
        return Err(format!("unsupported-media-type: {media_type}"));
    }
    let inherited = item.attributes.clone();
    let stage: S = configure(config).unwrap();
    let outputs = match stage.process(item) {
        Ok(Outcome::Emit(outputs)) => outputs,
        Ok(Outcome::Drop(_)) => Vec::new(),
        Ok(Outcome::Reject(failure)) | Err(StageError::Permanent(failure)) => {
            return Err(format!("{}: {}", failure.code, failure.message));
        }
        other => panic!("{other:?}"),
    };
    Ok(outputs.into_iter().map(|output| next(output, &inherited)).collect())
}

fn matches(accepted: &str, media_type: &str) -> bool {
    match accepted.strip_suffix('*') {
        Some(start) => media_type.starts_with(start),
        None => accepted == media_type,
    }
}

fn next(output: gristmill_sdk::Output, inherited: &[Attribute]) -> Item {
    let mut item = Item::sample(output.payload, output.content_type.as_deref());
    item.attributes = inherited.to_vec();
    item.attributes.retain(|old| output.attributes.iter().all(|new| new.name != old.name));
    item.attributes.extend(output.attributes);
    item
}

fn output(item: Item) -> Output {
    Output {
        text: String::from_utf8_lossy(&item.payload).into_owned(),
        attributes: item.attributes.into_iter().map(|attribute| (attribute.name, attribute.value)).collect(),
    }
}
