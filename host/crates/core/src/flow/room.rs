//! What may be in flight: how many events, and how many bytes of them.

use super::settings::Limits;

/// So many jobs may be in flight at least while an outage holds all that run: each attempt at each of these takes the
/// evidence of another one.
const WITNESSES: usize = 100;

/// Jobs whose event was taken and is not yet settled, and the bytes of those events, within the limits of a pipeline.
#[derive(Debug)]
pub(super) struct Room {
    limits: Limits,
    jobs: usize,
    bytes: usize,
}

impl Room {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, jobs: 0, bytes: 0 }
    }

    pub(super) fn jobs(&self) -> usize {
        self.jobs
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn add(&mut self, bytes: usize) {
        self.jobs += 1;
        self.bytes += bytes;
    }

    pub(super) fn remove(&mut self, (jobs, bytes): (usize, usize)) {
        self.jobs -= jobs;
        self.bytes -= bytes;
    }

    /// How many more events may be in flight.
    pub(super) fn left(&self) -> usize {
        match self.bytes >= self.limits.max_in_flight_bytes.as_usize() {
            true => 0,
            false => (self.limits.max_in_flight.get() as usize).saturating_sub(self.jobs),
        }
    }

    /// Whether one more may run although it is full: while an outage holds all that do, what another one gets shows whether
    /// the dependency is down, or refuses just these. Those that ended meanwhile, or wait for their turn, count against
    /// twice the bounds, or [`WITNESSES`].
    pub(super) fn has_place_for_a_witness(&self, running: usize) -> bool {
        let most = self.limits.max_in_flight.get() as usize;
        running <= most
            && self.jobs <= most.saturating_mul(2).max(WITNESSES)
            && self.bytes < self.limits.max_in_flight_bytes.as_usize().saturating_mul(2)
    }
}
