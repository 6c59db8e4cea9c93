//! The document of a job: which one it is, which generation of it, and what earlier generations left in the sink.

use std::collections::HashSet;
use std::sync::Arc;

use super::error::FlowError;
use super::inherited;
use super::patience::until_it_answers;
use super::pipeline::Pipeline;
use super::replay::Origin;
use super::settings::{DocumentName, Tombstones};
use super::throttle::Throttle;
use crate::model::{
    Attribute, DocumentGeneration, DocumentId, Event, Failed, Failure, FailureKind, JobId, RecordGeneration, Version,
};
use crate::ports::{Documents, Placed, StoreError};

/// The code of a job whose document has a later generation in the sink.
pub(super) const SUPERSEDED: &str = "superseded";

/// What an event is a version of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) id: DocumentId,
    pub(super) generation: DocumentGeneration,
}

/// What is to be done with an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Its payload goes through the stages, with the attributes that all items inherit.
    Process(DocumentId, Vec<Attribute>),
    /// It deletes its document. `None` if it does not name one, which only matters when items are the keys.
    Delete(Option<DocumentId>),
    /// Nothing; the text is a code.
    Drop(&'static str),
    /// It is unusable.
    Unusable(Failed),
}

impl Arrival {
    pub(super) fn of(event: &Event, origin: &Origin, pipeline: &Pipeline) -> Self {
        let unusable = |failure, kind| Self::Unusable(Failed { failure, attempts: 0, kind });
        if let Some(fault) = &event.fault {
            return unusable(fault.clone(), FailureKind::Fault);
        }
        let named = name(event, &pipeline.document);
        if event.payload.is_none() {
            let no_value = |why| Failure::new("null-value", why);
            return match (&event.key, pipeline.tombstones, named) {
                (None, ..) => {
                    let why = "the record has neither key nor value, so there is nothing to process or to delete";
                    unusable(no_value(why), FailureKind::Fault)
                }
                (Some(_), Tombstones::DeadLetter, _) => {
                    unusable(no_value("the record has no value (source.tombstones)"), FailureKind::Rejected)
                }
                (Some(_), Tombstones::Drop, _) => Self::Drop("tombstone"),
                // What is wrong is the data.
                (Some(_), Tombstones::Pass, Err(failure)) if pipeline.documents.is_some() => {
                    unusable(failure, FailureKind::Rejected)
                }
                (Some(_), Tombstones::Pass, named) => Self::Delete(named.ok().flatten()),
            };
        }
        match (named, inherited::attributes(event)) {
            (Ok(named), Ok(attributes)) => {
                Self::Process(named.unwrap_or_else(|| DocumentId::unnamed(&origin.first.place)), attributes)
            }
            (Err(failure), _) | (_, Err(failure)) => unusable(failure, FailureKind::Fault),
        }
    }
}

/// The document that the event names. `None` if it has no key and need not have one.
fn name(event: &Event, by: &DocumentName) -> Result<Option<DocumentId>, Failure> {
    let missing = |why: String| Failure::new("no-document-id", why);
    match by {
        DocumentName::Key => Ok(event.key.as_deref().map(DocumentId::named)),
        DocumentName::Header(header) => {
            let found = event.headers.iter().find(|found| found.name == *header);
            let value = found.and_then(|header| header.value.as_deref());
            let why = || missing(format!("the record has no value in the header {header:?} (source.document)"));
            value.map(|value| Some(DocumentId::named(value))).ok_or_else(why)
        }
        DocumentName::Pointer(pointer) => {
            let payload = event.payload.as_deref().unwrap_or_default();
            let document: serde_json::Value = serde_json::from_slice(payload)
                .map_err(|_| missing(format!("the payload is not JSON, so it has no {pointer:?} (source.document)")))?;
            match document.pointer(pointer) {
                Some(serde_json::Value::String(text)) => Ok(Some(DocumentId::named(text.as_bytes()))),
                Some(serde_json::Value::Number(number)) => Ok(Some(DocumentId::named(number.to_string().as_bytes()))),
                _ => Err(missing(format!("the payload has no text or number at {pointer:?} (source.document)"))),
            }
        }
    }
}

/// What is remembered of a document while one of its generations is processed. Only if items are the keys of the sink.
pub(super) struct Upkeep {
    documents: Arc<dyn Documents>,
    document: DocumentId,
    /// What may be in the sink.
    placed: Vec<Placed>,
    own: RecordGeneration,
}

/// What a record is to its document, and how the document is kept up.
pub(super) enum Known {
    /// Its newest generation.
    Newest(Document, Option<Box<Upkeep>>),
    /// A later one is in the sink.
    Superseded(Document),
}

impl Known {
    /// Looks the document up, if the pipeline remembers documents.
    pub(super) async fn look_up(
        pipeline: &Pipeline,
        throttle: &Throttle,
        origin: &Origin,
        id: DocumentId,
    ) -> Result<Self, FlowError> {
        match &pipeline.documents {
            None => Ok(Self::Newest(Document { id, generation: DocumentGeneration::of(&origin.first) }, None)),
            Some(documents) => Box::pin(Self::remembered(documents, throttle, origin, id)).await,
        }
    }

    async fn remembered(
        documents: &Arc<dyn Documents>,
        throttle: &Throttle,
        origin: &Origin,
        id: DocumentId,
    ) -> Result<Self, FlowError> {
        let alone = DocumentGeneration::of(&origin.first);
        let remembered = until_it_answers(&origin.job, throttle, || documents.find(&id)).await?;
        let Version::Newest(generation) = Version::of(&origin.first, origin.provenance(), &remembered.history) else {
            return Ok(Self::Superseded(Document { id, generation: alone }));
        };
        let upkeep = Upkeep {
            documents: Arc::clone(documents),
            document: id.clone(),
            placed: remembered.placed,
            own: RecordGeneration { generation, record: origin.first.clone() },
        };
        Ok(Self::Newest(Document { id, generation }, Some(Box::new(upkeep))))
    }
}

impl Upkeep {
    /// Notes what is about to be written, and returns what has to be deleted once it is. What is in a topic that the
    /// pipeline no longer writes to stays there: it belongs to whoever still reads that topic.
    pub(super) async fn prepare(
        &self,
        job: &JobId,
        throttle: &Throttle,
        items: &[Placed],
        topics: &[Arc<str>],
    ) -> Result<Vec<Placed>, FlowError> {
        until_it_answers(job, throttle, || self.documents.intend(&self.document, &self.own, items)).await?;
        let new: HashSet<&Placed> = items.iter().collect();
        let is_obsolete = |placed: &&Placed| !new.contains(placed) && topics.contains(&placed.topic);
        Ok(self.placed.iter().filter(is_obsolete).cloned().collect())
    }

    /// The generation is in the sink, and what it replaced is deleted.
    pub(super) fn finish(&self) -> Result<(), StoreError> {
        self.documents.finish(&self.document, self.own.clone())
    }
}
