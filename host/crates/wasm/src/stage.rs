//! One stage of a pipeline: a compiled, linked and configured component, and the calls to it.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use tracing::field::display;
use wasmtime::{Store, Trap};

use super::backtrace;
use super::bindings::gristmill::stage::types;
use super::code::Code;
use super::convert;
use super::description::Description;
use super::error::{ConfigFault, Reason, StoreFault, Unfit};
use super::exports::{Exports, Linked};
use super::instance::Instance;
use super::limits::{Isolation, LimitHit};
use super::notes::{Described, Said, Start, Unrouted};
use super::outputs;
use super::schema;
use super::slots::{Slot, Slots, StageId, Wish};
use super::snapshot::Held;
use super::state::{CallState, Surroundings};
use gristmill_core::model::{Blame, Failure, Outcome};
use gristmill_core::ports::{BatchOf, Batching, Call, Stage, StageError};

/// A stage that runs in the sandbox.
pub struct WasmStage {
    linked: Linked,
    pub(super) surroundings: Arc<Surroundings>,
    config: String,
    description: Description,
    /// The JSON Schema of its configuration.
    schema: Option<Arc<str>>,
    unrouted: Unrouted,
    digest: Arc<str>,
    start: Start,
    /// Held so that other stages of the same module find it in memory.
    _code: Option<Arc<Code>>,
    slots: Arc<Slots>,
    id: StageId,
}

/// What a stage is made of.
pub(super) struct Parts {
    pub(super) linked: Linked,
    /// What `linked` came from, if other stages may want it.
    pub(super) code: Option<Arc<Code>>,
    pub(super) start: Start,
    pub(super) unrouted: Unrouted,
    pub(super) surroundings: Arc<Surroundings>,
    /// SHA-256 of the module, in hexadecimal.
    pub(super) digest: Arc<str>,
    pub(super) config: String,
    pub(super) slots: Arc<Slots>,
}

impl Drop for WasmStage {
    fn drop(&mut self) {
        self.slots.forget(self.id);
    }
}

/// Whether `init` was already called on a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guest {
    New,
    Ready,
}

/// How a call to a guest failed.
enum CallError {
    /// Its wall time ran out.
    Timeout,
    /// It trapped or hit a limit; `printed` is what it printed last.
    Broke { error: wasmtime::Error, printed: String },
    /// The host could not give it an instance.
    Host(anyhow::Error),
}

impl WasmStage {
    /// A stage that was not asked yet what it is.
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { linked, code, start, unrouted, surroundings, digest, config, slots } = parts;
        let (description, id) = (Description::default(), slots.new_stage());
        let schema = None;
        Self { linked, surroundings, config, description, schema, unrouted, digest, start, _code: code, slots, id }
    }

    /// Takes it for what it said before.
    pub(super) fn saying(mut self, said: &Said) -> Self {
        self.description = said.description.clone();
        self.schema = said.schema.as_deref().map(Arc::from);
        self
    }

    /// Asks the component to describe itself and checks the configuration by the schema, which is returned.
    pub(super) async fn describe(&mut self, config: &serde_json::Value) -> Result<Option<String>, Reason> {
        let describe =
            async |_, guest: &Exports, store: &mut Store<CallState>| guest.lifecycle(store)?.call_describe(store).await;
        let said = self.call(&[], describe).await.map_err(|error| failed("describe", error))?;
        self.description = Description::of(&said, self.linked.takes_batches())?;
        self.schema = said.config_schema_json.as_deref().map(Arc::from);
        schema::check(said.config_schema_json.as_deref(), config)?;
        Ok(said.config_schema_json)
    }

    /// Makes one instance ready and throws it away, to see that this works.
    pub(super) async fn try_init(&self) -> Result<(), Reason> {
        let mut slot = self.slot(&[]).await.map_err(|error| failed("init", error))?;
        self.init_in(&mut slot).await
    }

    /// Makes one instance ready and reads what it holds, if other instances can begin with that. The stage must be
    /// [readable](super::snapshot::Readable).
    pub(super) async fn init_and_read(&self) -> Result<Held, Unfit> {
        let mut slot = self.slot(&[]).await.map_err(|error| failed("init", error))?;
        self.init_in(&mut slot).await?;
        let ties =
            async |_, _: &Exports, store: &mut Store<CallState>| Ok((store.data().ties(), store.data_mut().keys()?));
        let (ties, keys) = self.call_in(&mut slot, &[], ties).await.map_err(|error| failed("init", error))?;
        if let Some(why) = ties {
            return Err(Unfit::Always(why));
        }
        let mut held = self.read(&mut slot).await?;
        if let Some(keys) = keys {
            drop(slot);
            let mut other = self.slot(&[]).await.map_err(|error| failed("init", error))?;
            held.forget(keys, &self.read(&mut other).await?).map_err(Unfit::Always)?;
        }
        Ok(held)
    }

    async fn read(&self, slot: &mut Slot<'_>) -> Result<Held, Reason> {
        let read = async |_, guest: &Exports, store: &mut Store<CallState>| Held::by(guest.instance(), store).await;
        self.call_in(slot, &[], read).await.map_err(|error| failed("reading", error))
    }

    async fn init_in(&self, slot: &mut Slot<'_>) -> Result<(), Reason> {
        let init = async |state: Guest, guest: &Exports, store: &mut Store<CallState>| match self.wants_init(state) {
            true => guest.lifecycle(store)?.call_init(store, &self.config).await,
            false => Ok(Ok(())),
        };
        let accepted = self.call_in(slot, &[], init).await.map_err(|error| failed("init", error))?;
        accepted.map_err(|faults| Reason::config(faults.into_iter(), ConfigFault::from))
    }

    /// What was found out about the stage.
    #[must_use]
    pub fn described(&self) -> Described {
        Described {
            description: self.description.clone(),
            digest: Arc::clone(&self.digest),
            start: self.start.clone(),
            schema: self.schema.clone(),
            unrouted: self.unrouted,
        }
    }

    /// What the stage says about itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// SHA-256 of the module, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// How instances of the stage begin.
    #[must_use]
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// Calls into an instance within the wall time. The instance is discarded afterwards, also if this call is dropped,
    /// unless the stage shares its instances, the guest returned normally, and the instance has enough memory left.
    async fn call<T>(
        &self,
        calls: &[Call],
        body: impl AsyncFnOnce(Guest, &Exports, &mut Store<CallState>) -> wasmtime::Result<T>,
    ) -> Result<T, CallError> {
        let mut slot = self.slot(calls).await?;
        let value = self.call_in(&mut slot, calls, body).await?;
        // Only an instance that processes items is worth keeping, not one used while the stage is loaded.
        let is_kept = !calls.is_empty() && self.surroundings.isolation == Isolation::Shared;
        if is_kept && slot.instance.as_ref().is_some_and(Instance::has_room) {
            slot.keep(self.id);
        }
        Ok(value)
    }

    async fn slot(&self, calls: &[Call]) -> Result<Slot<'_>, CallError> {
        let slot = self.slots.take(self.id, self.wish(calls)).await;
        slot.context("the runtime has stopped").map_err(CallError::Host)
    }

    /// Calls into the instance of a slot, which is made if there is none.
    async fn call_in<T>(
        &self,
        slot: &mut Slot<'_>,
        calls: &[Call],
        body: impl AsyncFnOnce(Guest, &Exports, &mut Store<CallState>) -> wasmtime::Result<T>,
    ) -> Result<T, CallError> {
        let fresh = || Instance::empty(self.linked.engine(), &self.surroundings);
        let instance = slot.instance.get_or_insert_with(fresh);
        let (printed, meter) = (instance.begin(calls), instance.meter());
        let work = async {
            let value = match instance.guest() {
                Some((guest, store)) => body(Guest::Ready, guest, store).await?,
                None => {
                    let (guest, store) = instance.make(&self.linked).await?;
                    body(Guest::New, guest, store).await?
                }
            };
            // What the host did for the guest since the last tick, such as copying what it emits, is its time too.
            meter.check().map_err(wasmtime::Error::new).map(|()| value)
        };
        let wall = self.surroundings.limits.wall;
        match tokio::time::timeout(wall, meter.measure(work)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) if error.is::<wasmtime::PoolConcurrencyLimitError>() => {
                Err(CallError::Host(anyhow::anyhow!("no room for another instance: {error:#}")))
            }
            Ok(Err(error)) => Err(CallError::Broke { error, printed: printed.line() }),
            Err(_) => Err(CallError::Timeout),
        }
    }

    /// A further attempt always gets a fresh instance: what other items left behind may have broken the first.
    fn wish(&self, calls: &[Call]) -> Wish {
        match (self.surroundings.isolation, calls.first()) {
            (Isolation::Shared, Some(call)) if call.attempt == 1 => Wish::Idle,
            _ => Wish::Fresh,
        }
    }
}

#[async_trait]
impl Stage for WasmStage {
    async fn run(&self, call: &Call) -> Result<Outcome, StageError> {
        if let Some(refused) = self.description.refuses(call.item.content_type.as_deref()) {
            return Ok(Outcome::Reject(refused));
        }
        let item = convert::item(call, &self.surroundings.stage, &self.digest);
        let process = async |state: Guest, guest: &Exports, store: &mut Store<CallState>| {
            self.make_ready(state, guest, store).await?;
            let answer = guest.handler(store)?.call_process(&mut *store, &item).await?;
            Ok((answer, std::mem::take(&mut store.data_mut().blame)))
        };
        let calls = std::slice::from_ref(call);
        let (answer, blame) = self.call(calls, process).await.map_err(classify_in(self.surroundings.limits.wall))?;
        self.decided(answer, blamed(&blame, call))
    }

    fn batching(&self) -> Batching {
        // What a model or a service is asked is an item's own, and kept for its job.
        let Surroundings { isolation, model, http, .. } = &*self.surroundings;
        let of = match (isolation, model.is_some() || http.is_some()) {
            (Isolation::Batch | Isolation::Shared, false) => BatchOf::Jobs,
            (Isolation::Item, _) | (_, true) => BatchOf::Job,
        };
        Batching { most: self.description.max_batch, of }
    }

    async fn run_batch(&self, calls: &[Call]) -> Option<Vec<Result<Outcome, StageError>>> {
        let accepted = |call: &Call| self.description.refuses(call.item.content_type.as_deref()).is_none();
        if !calls.iter().all(accepted) {
            return None;
        }
        let stage = &*self.surroundings.stage;
        let items: Vec<_> = calls.iter().map(|call| convert::item(call, stage, &self.digest)).collect();
        let process = async |state: Guest, guest: &Exports, store: &mut Store<CallState>| {
            self.make_ready(state, guest, store).await?;
            let answers = guest.batch_handler(store)?.call_process_batch(&mut *store, &items).await?;
            Ok((answers, std::mem::take(&mut store.data_mut().blame)))
        };
        let (answers, blame) = match self.call(calls, process).await.map_err(classify_in(self.surroundings.limits.wall))
        {
            Ok(answered) => answered,
            Err(error) => {
                let first = calls.first();
                let (job, trace_id) =
                    (first.map(|call| call.job.as_str()), first.map(|call| display(call.trace.trace_id())));
                tracing::warn!(
                    job,
                    trace_id,
                    stage,
                    items = calls.len(),
                    %error,
                    "a batch broke; its items are run one by one"
                );
                return None;
            }
        };
        if answers.len() != calls.len() {
            let message =
                format!("process-batch returned {} results for {} items; each needs one", answers.len(), calls.len());
            let failure = || StageError::Permanent(Failure::new("bad-batch", message.clone()));
            return Some(calls.iter().map(|_| Err(failure())).collect());
        }
        let each = answers.into_iter().zip(calls);
        let results: Vec<_> = each.map(|(answer, call)| self.decided(answer, blamed(&blame, call))).collect();
        let emitted = results.iter().filter_map(|result| match result {
            Ok(Outcome::Emit(outputs)) => Some(outputs.as_slice()),
            _ => None,
        });
        // The limits are those of a call: alone, each item may emit that much.
        outputs::fit(emitted, self.surroundings.limits.output.as_usize()).then_some(results)
    }
}

impl WasmStage {
    fn wants_init(&self, state: Guest) -> bool {
        state == Guest::New && self.start != Start::Snapshot
    }

    /// Calls `init` on a new instance, unless it began with what one held after it.
    async fn make_ready(&self, state: Guest, guest: &Exports, store: &mut Store<CallState>) -> wasmtime::Result<()> {
        if self.wants_init(state)
            && let Err(faults) = guest.lifecycle(store)?.call_init(store, &self.config).await?
        {
            let now = Reason::config(faults.into_iter(), ConfigFault::from);
            return Err(wasmtime::Error::msg(format!("init accepted its configuration at load but not now: {now}")));
        }
        Ok(())
    }

    /// What the guest's answer for one item means, given whose fault it is if something outside failed.
    fn decided(
        &self,
        answer: Result<types::Outcome, types::StageError>,
        blame: Option<Blame>,
    ) -> Result<Outcome, StageError> {
        let outcome = answer.map(convert::outcome).map_err(|error| convert::stage_error(error).blamed(blame))?;
        if let Outcome::Emit(outputs) = &outcome {
            outputs::check(outputs, &self.description, self.surroundings.limits.output.as_usize())?;
        }
        Ok(outcome)
    }
}

/// Whose fault the last failed request for the item of this call is, if that is open.
fn blamed(blame: &HashMap<Arc<str>, Option<Blame>>, call: &Call) -> Option<Blame> {
    blame.get(call.item.id.as_str()).copied().flatten()
}

/// Why the stage cannot be loaded: one of its functions failed.
fn failed(function: &'static str, error: CallError) -> Reason {
    let failure = match classify(error) {
        StageError::Host(error) => format!("{error:#}"),
        other => other.to_string(),
    };
    Reason::Call { function, failure }
}

fn classify_in(wall: std::time::Duration) -> impl FnOnce(CallError) -> StageError {
    move |error| match error {
        CallError::Timeout => {
            let message = format!("the stage did not answer within its {wall:?} (limits.wall)");
            StageError::Retry { failure: Failure::new("timeout", message), after: None }
        }
        other => classify(other),
    }
}

/// The one place that turns the ways a guest can fail into decisions.
fn classify(error: CallError) -> StageError {
    let (error, printed) = match error {
        CallError::Host(error) => return StageError::Host(error),
        CallError::Timeout => {
            let failure = Failure::new("timeout", "the stage did not answer within its time (limits.wall)");
            return StageError::Retry { failure, after: None };
        }
        CallError::Broke { error, printed } => (error, printed),
    };
    if let Some(fault) = error.downcast_ref::<StoreFault>() {
        return StageError::Store(fault.0.clone());
    }
    let failure = match (error.downcast_ref::<LimitHit>(), error.downcast_ref::<Trap>()) {
        (Some(hit @ LimitHit::Memory { .. }), _) => Failure::new("memory-limit", format!("{hit} (limits.memory)")),
        (Some(hit @ LimitHit::Cpu { .. }), _) => Failure::new("cpu-limit", format!("{hit} (limits.cpu)")),
        (None, Some(trap)) => Failure::new(
            "trap",
            match printed.as_str() {
                "" => trap.to_string(),
                printed => format!("{trap}; it printed: {printed}"),
            },
        ),
        (None, None) => Failure::new("bad-call", format!("the sandbox ended the call: {}", backtrace::reasons(&error))),
    };
    StageError::Trap(failure.with_details(backtrace::details(&error).as_deref()))
}
