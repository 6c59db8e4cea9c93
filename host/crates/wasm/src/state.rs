//! The data of a wasmtime store while a call runs: the guest's limits, its empty WASI context, and the caller.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Once};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::bindings::random::insecure_seed::Host;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::limits::{CpuMeter, Isolation, MemoryInUse, MemoryLimiter, StageLimits};
use super::output::Tail;
use gristmill_core::model::{Blame, JobId, Quota, TraceContext};
use gristmill_core::ports::{Call, Edition, Model, Observer, Outbound, StageState, Tokens};

/// What all calls of a stage have in common.
pub(super) struct Surroundings {
    pub(super) pipeline: Arc<str>,
    pub(super) stage: Arc<str>,
    pub(super) routed: BTreeSet<String>,
    /// `None` without the grant.
    pub(super) model: Option<Arc<dyn Model>>,
    pub(super) tokens: Arc<dyn Tokens>,
    /// `None` without the grant; so are the next two.
    pub(super) http: Option<Arc<dyn Outbound>>,
    pub(super) state: Option<State>,
    pub(super) metrics: Option<Arc<dyn Observer>>,
    /// Whether it was said that a number is not counted.
    pub(super) uncounted: Once,
    /// Cancelled when the host is asked to stop.
    pub(super) shutdown: CancellationToken,
    pub(super) limits: StageLimits,
    pub(super) isolation: Isolation,
    /// What the instances of all stages have.
    pub(super) memory: MemoryInUse,
    /// What the largest instance of this stage had, of those that are gone, in bytes. A plain number, because each changes it.
    pub(super) largest: AtomicUsize,
}

/// What a stage keeps between items, and how much of it.
#[derive(Clone)]
pub struct State {
    /// Where.
    pub entries: Arc<dyn StageState>,
    /// How much.
    pub quota: Quota,
}

/// What is being processed; absent while a stage is described or initialized at load.
pub(super) struct Current {
    /// `None` if the items are of several jobs: such a call asks no models.
    pub(super) job: Option<CurrentJob>,
    /// The items of the call; never empty.
    pub(super) items: Vec<Arc<str>>,
    /// The span of each item's attempt, in the same order.
    pub(super) spans: Vec<TraceContext>,
}

/// The job of a call.
pub(super) struct CurrentJob {
    pub(super) id: JobId,
    pub(super) edition: Edition,
    pub(super) trace: TraceContext,
}

/// The keys that a guest got for its hash maps.
pub(super) type Keys = (u64, u64);

/// The data of a store.
pub(super) struct CallState {
    pub(super) surroundings: Arc<Surroundings>,
    pub(super) current: Option<Current>,
    pub(super) deadline: Instant,
    pub(super) memory: MemoryLimiter,
    pub(super) cpu: Arc<CpuMeter>,
    pub(super) printed: Tail,
    pub(super) logged: usize,
    /// How many calls of other services were made.
    pub(super) called: u32,
    /// How often each request without an idempotency key was made in this call, by its item and digest.
    pub(super) requests: HashMap<(Arc<str>, [u8; 32]), u32>,
    /// Whose fault it is that the last import that reaches outside failed, by the item it was for. `None` if it did not,
    /// or that is not open.
    pub(super) blame: HashMap<Arc<str>, Option<Blame>>,
    /// The first thing the instance asked for that is not the same in each of them, or at each time.
    asked: Option<&'static str>,
    /// Whether it asked for keys for its hash maps.
    has_keys: bool,
    /// Made when it is first asked for: every guest imports it and most never call it.
    wasi: Option<WasiCtx>,
    table: ResourceTable,
}

/// Maximum resources (streams, pollables) a guest may hold.
const MOST_RESOURCES: usize = 1_000;
/// Maximum random bytes in one request.
const MOST_RANDOM: u64 = 64 << 10;

impl CallState {
    /// The state of a new instance; each call starts with [`CallState::begin`].
    pub(super) fn new(surroundings: Arc<Surroundings>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MOST_RESOURCES);
        let limits = surroundings.limits;
        let memory = MemoryLimiter::new(limits.memory.as_usize(), surroundings.memory.clone());
        Self {
            surroundings,
            current: None,
            deadline: Instant::now(),
            memory,
            cpu: Arc::new(CpuMeter::new(limits.cpu)),
            printed: Tail::default(),
            logged: 0,
            called: 0,
            requests: HashMap::new(),
            blame: HashMap::new(),
            asked: None,
            has_keys: false,
            wasi: None,
            table,
        }
    }

    /// The job of the call, if it is one.
    pub(super) fn job(&self) -> Option<&CurrentJob> {
        self.current.as_ref()?.job.as_ref()
    }

    /// Notes that the guest asks for something that is not the same in each instance, or at each time.
    pub(super) fn ask(&mut self, what: &'static str) {
        self.asked.get_or_insert(what);
    }

    /// Notes that the guest asks for keys for its hash maps.
    pub(super) fn ask_keys(&mut self) {
        self.has_keys = true;
    }

    /// The keys for hash maps that the guest has; the same each time it asks.
    pub(super) fn keys(&mut self) -> wasmtime::Result<Option<Keys>> {
        if !self.has_keys {
            return Ok(None);
        }
        self.ctx().ctx.random().insecure_seed().map(Some)
    }

    /// Why another instance could not begin with what this one holds, in words that follow its name.
    pub(super) fn ties(&self) -> Option<String> {
        match self.asked {
            Some(what) => Some(format!("it asks for {what} in init")),
            None if self.table.is_empty() => None,
            None => Some("it holds something of the host after init, such as an open stream".into()),
        }
    }

    /// Resets what belongs to one call. Memory belongs to the instance, which keeps what it holds.
    pub(super) fn begin(&mut self, calls: &[Call]) {
        let limits = self.surroundings.limits;
        self.current = calls.first().map(|first| {
            let is_of_one_job = calls.iter().all(|call| call.job == first.job);
            let job = CurrentJob { id: first.job.clone(), edition: first.edition, trace: first.trace };
            let items = calls.iter().map(|call| call.item.id.as_str().into()).collect();
            let spans = calls.iter().map(|call| call.span).collect();
            Current { job: is_of_one_job.then_some(job), items, spans }
        });
        self.deadline = Instant::now() + limits.wall;
        self.cpu.reset();
        self.printed.clear();
        self.logged = 0;
        self.called = 0;
        self.requests.clear();
        self.blame.clear();
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let printed = &self.printed;
        let ctx = self.wasi.get_or_insert_with(|| empty_wasi(printed));
        WasiCtxView { ctx, table: &mut self.table }
    }
}

/// No files, no network, no environment; what is printed is kept for messages.
fn empty_wasi(printed: &Tail) -> WasiCtx {
    let mut wasi = WasiCtx::builder();
    wasi.stdout(printed.clone()).stderr(printed.clone()).max_random_size(MOST_RANDOM);
    wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
    wasi.build()
}
