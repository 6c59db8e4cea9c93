//! The data of a wasmtime store while a call runs: the guest's limits, its empty WASI context, and the caller.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::limits::{CpuMeter, Isolation, MemoryLimiter, StageLimits};
use super::output::Tail;
use gristmill_core::model::{Blame, JobId, TraceContext};
use gristmill_core::ports::{Call, Edition, Model};

/// What all calls of a stage have in common.
pub(super) struct Surroundings {
    pub(super) pipeline: Arc<str>,
    pub(super) stage: Arc<str>,
    pub(super) routed: BTreeSet<String>,
    /// `None` without the grant.
    pub(super) model: Option<Arc<dyn Model>>,
    /// Cancelled when the host is asked to stop.
    pub(super) shutdown: CancellationToken,
    pub(super) limits: StageLimits,
    pub(super) isolation: Isolation,
}

/// What is being processed; absent while a stage is described or initialized at load.
pub(super) struct Current {
    /// `None` if the items are of several jobs: such a call asks no models.
    pub(super) job: Option<CurrentJob>,
    /// The items of the call; never empty.
    pub(super) items: Vec<Arc<str>>,
}

/// The job of a call.
pub(super) struct CurrentJob {
    pub(super) id: JobId,
    pub(super) edition: Edition,
    pub(super) trace: TraceContext,
}

/// The data of a store.
pub(super) struct CallState {
    pub(super) surroundings: Arc<Surroundings>,
    pub(super) current: Option<Current>,
    pub(super) deadline: Instant,
    pub(super) memory: MemoryLimiter,
    pub(super) cpu: Arc<CpuMeter>,
    pub(super) printed: Tail,
    pub(super) logged: usize,
    /// How often each request without an idempotency key was made in this call, by its item and digest.
    pub(super) requests: HashMap<(Arc<str>, [u8; 32]), u32>,
    /// Whose fault it is that the last import that reaches outside failed, by the item it was for. `None` if it did not,
    /// or that is not open.
    pub(super) blame: HashMap<Arc<str>, Option<Blame>>,
    wasi: WasiCtx,
    table: ResourceTable,
}

/// Maximum resources (streams, pollables) a guest may hold.
const MOST_RESOURCES: usize = 1_000;
/// Maximum random bytes in one request.
const MOST_RANDOM: u64 = 64 << 10;

impl CallState {
    /// The state of a new instance; each call starts with [`CallState::begin`].
    pub(super) fn new(surroundings: Arc<Surroundings>) -> Self {
        let printed = Tail::default();
        let mut wasi = WasiCtx::builder();
        wasi.stdout(printed.clone()).stderr(printed.clone()).max_random_size(MOST_RANDOM);
        wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        let mut table = ResourceTable::new();
        table.set_max_capacity(MOST_RESOURCES);
        let limits = surroundings.limits;
        Self {
            surroundings,
            current: None,
            deadline: Instant::now(),
            memory: MemoryLimiter::new(limits.memory.as_usize()),
            cpu: Arc::new(CpuMeter::new(limits.cpu)),
            printed,
            logged: 0,
            requests: HashMap::new(),
            blame: HashMap::new(),
            wasi: wasi.build(),
            table,
        }
    }

    /// The job of the call, if it is one.
    pub(super) fn job(&self) -> Option<&CurrentJob> {
        self.current.as_ref()?.job.as_ref()
    }

    /// Resets what belongs to one call. Memory belongs to the instance, which keeps what it holds.
    pub(super) fn begin(&mut self, calls: &[Call]) {
        let limits = self.surroundings.limits;
        self.current = calls.first().map(|first| {
            let is_of_one_job = calls.iter().all(|call| call.job == first.job);
            let job = CurrentJob { id: first.job.clone(), edition: first.edition, trace: first.trace };
            let items = calls.iter().map(|call| call.item.id.as_str().into()).collect();
            Current { job: is_of_one_job.then_some(job), items }
        });
        self.deadline = Instant::now() + limits.wall;
        self.cpu.reset();
        self.printed.clear();
        self.logged = 0;
        self.requests.clear();
        self.blame.clear();
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
