//! What a host keeps of its jobs, for people and programs that follow them.

use std::sync::Arc;

use gristmill_config::Fault;
use gristmill_core::flow::settings::{Recorded, Results};
use gristmill_core::flow::{Offload, Recording};
use gristmill_kafka::Property;

use super::failure::Failure;
use super::store::Stores;
use crate::settings::Pipeline;

/// What a host keeps of its jobs. By default nothing: nobody follows them.
#[derive(Clone, Default)]
pub struct Following {
    /// Which jobs have records. `None` if nobody can ask for them.
    pub records: Option<RecordSettings>,
    /// Where large payloads are.
    pub offload: Option<Offload>,
}

/// What is recorded of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordSettings {
    /// Of which.
    pub which: Recorded,
    /// What becomes of the bytes of their outputs.
    pub results: Results,
}

/// The property that limits what a producer sends, in bytes.
const LARGEST: &str = "message.max.bytes";
/// What a record has beside its payload, in bytes: room for its headers.
const HEADERS: usize = 64 << 10;

impl Following {
    /// Whether a pipeline can send what is not kept elsewhere.
    ///
    /// # Errors
    /// Its file allows smaller records, at the place of the property.
    pub(super) fn check(&self, file: &Pipeline) -> Result<(), Failure> {
        let Some(offload) = &self.offload else { return Ok(()) };
        let properties = file.kafka.as_ref().map(|kafka| &kafka.properties.0);
        let Some(Property::Plain(largest)) = properties.and_then(|properties| properties.get(LARGEST)) else {
            return Ok(());
        };
        match largest.parse::<usize>() {
            Ok(bytes) if bytes < offload.inline_max.saturating_add(HEADERS) => {
                let place = file.place(&format!("/kafka/properties/{LARGEST}"));
                let message = format!("records with payloads of up to {} bytes would be refused", offload.inline_max);
                let label = "objects.inline_max of the host file, and 64 KiB for headers, must fit: raise this one or lower that";
                Err(Failure::Config(Fault::at(place, message).label(label).into()))
            }
            _ => Ok(()),
        }
    }

    /// How a pipeline with these stores records its jobs.
    pub(super) fn recording(&self, stores: &Stores) -> Option<Recording> {
        let (settings, records) = (self.records?, stores.records.as_ref()?);
        let RecordSettings { which, results } = settings;
        Some(Recording { jobs: Arc::clone(&records.jobs), acts: Arc::clone(&records.acts), which, results })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use async_trait::async_trait;
    use gristmill_core::model::{ObjectName, StoredPayload, Timestamp};
    use gristmill_core::ports::{Chunks, ObjectError, Objects};

    use super::*;

    struct NoObjects;

    #[async_trait]
    impl Objects for NoObjects {
        async fn put(&self, _: ObjectName, _: Chunks, most: u64) -> Result<StoredPayload, ObjectError> {
            Err(ObjectError::TooLarge { most })
        }

        async fn get(&self, stored: &StoredPayload) -> Result<Chunks, ObjectError> {
            Err(ObjectError::Missing { name: stored.name.as_str().to_owned() })
        }

        async fn sweep(&self, _: Timestamp) -> Result<u64, ObjectError> {
            Ok(0)
        }
    }

    #[test]
    fn a_producer_must_be_able_to_send_what_stays_in_records() {
        let check = |inline_max, largest: &str| {
            let text = format!(
                "name = \"p\"\nsource = {{ topic = \"in\" }}\nsink = {{ topic = \"out\" }}\n\
                 dead_letter = {{ topic = \"dead\" }}\nstage = [{{ name = \"a\", module = \"builtin:extract\" }}]\n\
                 [kafka]\nbrokers = \"broker:9092\"\n[kafka.properties]\n{largest}"
            );
            let file = Pipeline::parse(&text, Path::new("p.toml")).unwrap();
            let offload = Some(Offload { objects: Arc::new(NoObjects), inline_max });
            Following { offload, ..Following::default() }.check(&file).map_err(|failure| failure.to_string())
        };
        let mebibyte = "\"message.max.bytes\" = 1048576\n";
        assert_eq!(check(256 << 10, mebibyte), Ok(()));
        assert_eq!(check(16 << 20, ""), Ok(()));
        let fault = check(1 << 20, mebibyte).unwrap_err();
        assert!(fault.contains("p.toml:9:") && fault.contains("objects.inline_max"), "{fault}");
    }
}
