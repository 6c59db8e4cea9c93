//! What can wake the main loop, and what it reports to the source.

use super::jobs::Ended;
use crate::model::{Next, Partition, Position};
use crate::ports::TransactionError;

/// Events of a partition that may be reported to the source as settled.
pub(super) struct Settled {
    pub(super) partition: Partition,
    pub(super) events: Vec<Position>,
    pub(super) below: Option<Next>,
}

/// What can wake the main loop, apart from the source and the operator.
pub(super) enum Wakeup {
    /// Jobs ended.
    JobsEnded(Vec<Ended>),
    /// A transaction ended.
    TransactionEnded(Result<(), TransactionError>),
    /// A revocation has waited long enough for its jobs.
    RevocationOverdue,
    /// A pause began or ended, or a transaction is due: the loop must check everything again.
    TimePassed,
}
