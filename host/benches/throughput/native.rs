//! Stages without a sandbox: the code of the standard stages, called directly.

use async_trait::async_trait;
use bytes::Bytes;
use gristmill_core::model::{Attribute, Failure, Header, Item, Outcome, Output};
use gristmill_core::ports::{Call, Stage, StageError};
use gristmill_sdk as sdk;

/// A stage as a native library, configured once and used for every item.
pub(crate) struct Native<S>(S);

impl<S: sdk::Stage> Native<S> {
    pub(crate) fn new(config: &str) -> Self {
        Self(sdk::configure(config).unwrap())
    }
}

#[async_trait]
impl<S: sdk::Stage + Send + Sync> Stage for Native<S> {
    async fn run(&self, call: &Call) -> Result<Outcome, StageError> {
        match self.0.process(sdk_item(call)) {
            Ok(sdk::Outcome::Emit(outputs)) => Ok(Outcome::Emit(outputs.into_iter().map(output).collect())),
            Ok(sdk::Outcome::Drop(code)) => Ok(Outcome::Drop(code)),
            Ok(sdk::Outcome::Reject(failure)) => Ok(Outcome::Reject(Failure::new(failure.code, failure.message))),
            Err(error) => Err(StageError::Host(anyhow::anyhow!("{error:?}"))),
        }
    }
}

/// A stage that changes nothing and copies nothing.
pub(crate) struct Pass;

#[async_trait]
impl Stage for Pass {
    async fn run(&self, call: &Call) -> Result<Outcome, StageError> {
        let Item { payload, content_type, headers, .. } = call.item.clone();
        let output = Output { payload, content_type, key: None, headers, attributes: Vec::new(), branch: None };
        Ok(Outcome::Emit(vec![output]))
    }
}

fn sdk_item(call: &Call) -> sdk::Item {
    let item = &call.item;
    let bytes = |bytes: &Bytes| bytes.to_vec();
    let mut made = sdk::Item::sample(item.payload.to_vec(), item.content_type.as_deref());
    made.id = item.id.as_str().into();
    made.job_id = call.job.as_str().into();
    made.key = item.key.as_ref().map(bytes);
    let header =
        |header: &Header| sdk::Header { name: header.name.to_string(), value: header.value.as_ref().map(bytes) };
    made.headers = item.headers.iter().map(header).collect();
    let attribute = |old: &Attribute| sdk::Attribute { name: old.name.clone(), value: old.value.clone() };
    made.attributes = item.attributes.iter().map(attribute).collect();
    made
}

fn output(output: sdk::Output) -> Output {
    let header = |header: sdk::Header| Header { name: header.name.into(), value: header.value.map(Bytes::from) };
    let attribute = |new: sdk::Attribute| Attribute { name: new.name, value: new.value };
    Output {
        payload: output.payload.into(),
        content_type: output.content_type,
        key: output.key.map(Bytes::from),
        headers: output.headers.into_iter().map(header).collect(),
        attributes: output.attributes.into_iter().map(attribute).collect(),
        branch: output.branch,
    }
}
