//! A tenth of the cases of documents, in the sandbox; all of them run natively in `host/tests/cases`.

use std::collections::BTreeMap;

use gristmill_cases::{Case, Output};
use gristmill_core::model::{Attribute, DocumentId, Item, ItemId, Outcome};

use crate::harness::{Loaded, Sandbox, standard};

/// The stages of the cases, each loaded once for a configuration.
#[derive(Default)]
struct Stages(BTreeMap<(String, String), Loaded>);

#[tokio::test(flavor = "multi_thread")]
async fn every_tenth_document_becomes_what_its_case_says() {
    let cases = gristmill_cases::read(&gristmill_cases::documents()).unwrap();
    let (mut stages, mut faults) = (Stages::default(), Vec::new());
    for case in cases.iter().step_by(10) {
        faults.extend(case.fault(&stages.run(case).await));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

impl Stages {
    async fn run(&mut self, case: &Case) -> Result<Vec<Output>, String> {
        let mut items = vec![Item {
            id: ItemId::root(&DocumentId::named(case.name.as_bytes())),
            key: None,
            payload: case.payload.clone().into(),
            content_type: case.content_type.clone(),
            headers: Vec::new(),
            attributes: Vec::new(),
        }];
        for (name, config) in case.stages() {
            let stage = self.get(name, config).await;
            let mut next = Vec::new();
            for item in items {
                match stage.run_item(item.clone()).await {
                    Ok(Outcome::Emit(outputs)) => {
                        let children = outputs.into_iter().enumerate();
                        next.extend(children.map(|(ordinal, output)| item.child(name, ordinal, output)));
                    }
                    Ok(Outcome::Drop(_)) => {}
                    Ok(Outcome::Reject(failure)) => return Err(format!("{}: {}", failure.code, failure.message)),
                    Err(error) => return Err(format!("{error:?}")),
                }
            }
            items = next;
        }
        Ok(items.into_iter().map(output).collect())
    }

    async fn get(&mut self, name: &str, config: String) -> &Loaded {
        let key = (name.to_owned(), config);
        if !self.0.contains_key(&key) {
            let config = serde_json::from_str(&key.1).unwrap();
            let loaded = Sandbox::new().load(standard(name), config).await.unwrap();
            self.0.insert(key.clone(), loaded);
        }
        &self.0[&key]
    }
}

fn output(item: Item) -> Output {
    let pair = |Attribute { name, value }| (name, value);
    Output {
        text: String::from_utf8_lossy(&item.payload).into_owned(),
        attributes: item.attributes.into_iter().map(pair).collect(),
    }
}
