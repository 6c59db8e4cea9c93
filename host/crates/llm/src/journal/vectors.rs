//! Vectors in the journal. Each text has its own entry, so that a vector that was paid for is found again whatever texts
//! it is asked for with, and for whichever item of the job.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use gristmill_core::model::{ChatFailure, EmbedRequest, EmbedResponse, Embedding, Usage};
use gristmill_core::ports::{Caller, Keep, Kept, Key, Model, ModelError, ModelOperation, SavedBy, StoreError};

use super::super::memory::{CallKey, VectorSlot};
use super::Journaled;
use crate::parts::tokens;
use crate::usage::sum;

/// One text, with the place of its vector.
struct Entry {
    input: Arc<str>,
    key: Key,
    slot: VectorSlot,
}

/// What is known of a text.
enum Known {
    Nothing,
    /// Paid for, but not in the store yet.
    Paid(Embedding),
    Kept(Embedding),
}

impl<M: Model> Journaled<M> {
    /// The vectors of a request: those that the job has already, and the others from the model in one call.
    pub(super) async fn vectors(&self, caller: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        let (entries, places) = self.entries(caller, request);
        let known = join_all(entries.iter().map(|entry| self.known(caller, entry))).await;
        let mut known = known.into_iter().collect::<Result<Vec<_>, _>>()?;
        let missing: Vec<usize> =
            (0..entries.len()).filter(|&at| matches!(known.get(at), Some(Known::Nothing))).collect();
        if !missing.is_empty() {
            let inputs: Vec<Arc<str>> =
                missing.iter().filter_map(|&at| entries.get(at)).map(|e| Arc::clone(&e.input)).collect();
            let answer = self.model.embed(caller, &request.of(inputs.clone())).await?;
            for (at, embedding) in missing.into_iter().zip(shared(answer, &inputs)) {
                if let (Some(entry), Some(place)) = (entries.get(at), known.get_mut(at)) {
                    if self.store.is_some() {
                        entry.slot.note_paid(Some(embedding.clone()));
                    }
                    *place = Known::Paid(embedding);
                }
            }
        }
        let cached = known.iter().all(|known| matches!(known, Known::Kept(_)));
        let embeddings = self.keep_all(caller, &entries, known).await?;
        if cached {
            let trace_id = caller.trace.trace_id();
            tracing::debug!(job = %caller.job, %trace_id, stage = %caller.stage, "vectors that were already paid for are reused");
            self.saved.tell(caller, request.model.as_deref(), ModelOperation::Embed, SavedBy::Journal);
        }
        together(&embeddings, &places, cached)
    }

    /// The texts without repeats, and which of them each input is.
    fn entries(&self, caller: &Caller, request: &EmbedRequest) -> (Vec<Entry>, Vec<usize>) {
        let (mut entries, mut places, mut by_key) = (Vec::new(), Vec::new(), HashMap::new());
        for input in &request.inputs {
            let (stage, edition) = (Arc::clone(&caller.stage), caller.edition);
            let key = CallKey::Vector { stage, request: request.digest(input), edition };
            let stored = key.stored();
            let place = *by_key.entry(stored).or_insert_with(|| {
                let (slot, gone) = self.memory().vector_slot(&caller.job, key);
                self.warn_of(&gone);
                entries.push(Entry { input: Arc::clone(input), key: stored, slot });
                entries.len() - 1
            });
            places.push(place);
        }
        (entries, places)
    }

    async fn known(&self, caller: &Caller, entry: &Entry) -> Result<Known, StoreError> {
        if let Some(told) = entry.slot.told.get() {
            return Ok(Known::Kept(told.clone()));
        }
        if let Some(paid) = entry.slot.paid() {
            return Ok(Known::Paid(paid));
        }
        let Some(store) = &self.store else { return Ok(Known::Nothing) };
        Ok(match store.recall(&caller.job, entry.key).await? {
            Some(Kept::Embedding(kept)) => Known::Kept(kept),
            _ => Known::Nothing,
        })
    }

    /// Puts what was paid for into the store, then everything into the memory. What another host stored first counts.
    async fn keep_all(
        &self,
        caller: &Caller,
        entries: &[Entry],
        known: Vec<Known>,
    ) -> Result<Vec<Embedding>, ModelError> {
        let mut embeddings = Vec::with_capacity(known.len());
        let (mut at, mut new) = (Vec::new(), Vec::new());
        for (entry, known) in entries.iter().zip(known) {
            let embedding = match (known, &self.store) {
                (Known::Paid(paid), Some(_)) => {
                    at.push(embeddings.len());
                    new.push(Keep { job: caller.job.clone(), key: entry.key, kept: Kept::Embedding(paid.clone()) });
                    paid
                }
                (Known::Paid(embedding) | Known::Kept(embedding), _) => embedding,
                (Known::Nothing, _) => {
                    let message = "fewer vectors came than texts were sent".to_owned();
                    return Err(ChatFailure::Unavailable { message, after: None }.into());
                }
            };
            embeddings.push(embedding);
        }
        if let Some(store) = self.store.as_ref().filter(|_| !new.is_empty()).map(Arc::clone) {
            // In its own task: they are paid for, so they are stored even when nobody waits for them any more.
            let kept = tokio::spawn(async move { store.keep_all(&new).await });
            let kept = kept.await.map_err(|lost| StoreError::Broken {
                store: "of this pipeline".into(),
                reason: format!("vectors could not be stored: {lost}"),
            })??;
            for (at, kept) in at.into_iter().zip(kept) {
                if let (Some(Kept::Embedding(earlier)), Some(ours)) = (kept, embeddings.get_mut(at)) {
                    *ours = earlier;
                }
            }
        }
        for (entry, embedding) in entries.iter().zip(&embeddings) {
            entry.slot.note_paid(None);
            if entry.slot.told.set(embedding.clone()).is_ok() {
                let bytes = embedding.vector.as_bytes().len() + embedding.model.len();
                let gone = self.memory().grow(&caller.job, bytes);
                self.warn_of(&gone);
            }
        }
        Ok(embeddings)
    }
}

/// The vectors of an answer, each with its share of the tokens and the cost: by the length of the texts, and all of them
/// together exactly what the answer took.
fn shared(answer: EmbedResponse, inputs: &[Arc<str>]) -> Vec<Embedding> {
    let EmbedResponse { vectors, usage, model, .. } = answer;
    let weights: Vec<u128> = inputs.iter().map(|input| u128::from(tokens(input)) + 1).collect();
    let whole = weights.iter().sum::<u128>().max(1);
    let mut before = 0;
    let mut embeddings = Vec::with_capacity(vectors.len());
    for (vector, weight) in vectors.into_iter().zip(weights) {
        let behind = before + weight;
        let share = |total: u64| {
            let upto = |weight: u128| u128::from(total) * weight / whole;
            u64::try_from(upto(behind) - upto(before)).unwrap_or(total)
        };
        let usage = Usage {
            input_tokens: usage.input_tokens.map(share),
            cache_read_input_tokens: usage.cache_read_input_tokens.map(share),
            cache_write_input_tokens: usage.cache_write_input_tokens.map(share),
            output_tokens: usage.output_tokens.map(share),
            reasoning_tokens: usage.reasoning_tokens.map(share),
            cost_nano_usd: usage.cost_nano_usd.map(share),
        };
        embeddings.push(Embedding { vector, usage, model: model.clone() });
        before = behind;
    }
    embeddings
}

fn together(embeddings: &[Embedding], places: &[usize], cached: bool) -> Result<EmbedResponse, ModelError> {
    let mut models: Vec<&str> = embeddings.iter().map(|embedding| embedding.model.as_str()).collect();
    models.sort_unstable();
    models.dedup();
    let vectors = places.iter().filter_map(|&place| embeddings.get(place)).map(|e| e.vector.clone()).collect();
    let usage = embeddings.iter().map(|embedding| embedding.usage).reduce(sum).unwrap_or_default();
    Ok(EmbedResponse { vectors, usage, model: models.join(", "), cached })
}

#[cfg(test)]
mod tests;
