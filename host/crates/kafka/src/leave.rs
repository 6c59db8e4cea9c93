//! Leaving the group, whatever the member is doing: a member that only disappears is missed by the broker after the session
//! timeout, and so long nobody reads what it had, or would have been given.
//!
//! Closing a consumer is not enough. librdkafka 2.12 sends nothing when it closes a member of a classic group that owns no
//! partition, that is in the middle of a rebalance, or whose request to join is not answered yet; the last it does not
//! with the broker-side protocol either. It does leave whenever a member unsubscribes, so that is done first.

use std::ffi::{CStr, c_void};
use std::time::{Duration, Instant};

use rdkafka::bindings::{rd_kafka_mem_free, rd_kafka_memberid};
use rdkafka::consumer::Consumer;

use super::fence::generation;
use super::reports::Member;
use super::settings::Settings;

/// How often it is looked whether the member has left.
const LOOK: Duration = Duration::from_millis(20);
/// How long the answer to a request to join is awaited. Without it nobody knows under which name we would have to leave.
const JOINING: Duration = Duration::from_secs(2);

/// How the consumer is a member of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    /// By the classic protocol.
    Classic,
    /// By that of KIP-848.
    BrokerSide,
    /// Under a name that it keeps over restarts: it does not leave when it closes, or not for good.
    Static,
}

impl Membership {
    pub(super) fn of(settings: &Settings) -> Self {
        match (settings.is_static(), settings.broker_assigns()) {
            (true, _) => Self::Static,
            (false, true) => Self::BrokerSide,
            (false, false) => Self::Classic,
        }
    }

    fn is_member(self, consumer: &Member) -> bool {
        match self {
            Self::Classic => has_name(consumer),
            Self::BrokerSide => generation(consumer).is_some(),
            Self::Static => false,
        }
    }
}

/// Leaves the group, until `deadline`. `may_join` says whether the consumer may be about to join. The consumer must be
/// accepting every rebalance. What remains to be done when this returns, dropping the consumer does.
pub(super) fn leave(consumer: &Member, membership: Membership, may_join: bool, deadline: Instant) {
    if membership == Membership::Static {
        return;
    }
    let joined = deadline.min(Instant::now() + JOINING);
    while may_join && !membership.is_member(consumer) && Instant::now() < joined {
        // Records that still arrive are dropped: they are delivered again.
        drop(consumer.poll(LOOK));
    }
    while membership.is_member(consumer) && Instant::now() < deadline {
        // Again each time: in the middle of a rebalance librdkafka only notes it, and may forget it.
        consumer.unsubscribe();
        drop(consumer.poll(LOOK));
    }
}

/// Whether the group has given the member a name. It gives one up as soon as it leaves.
fn has_name(consumer: &Member) -> bool {
    let client = consumer.client().native_ptr();
    // SAFETY: the client outlives this call. The name is a copy made for us, a C string if there is one; it is read and
    // then freed.
    #[allow(unsafe_code)]
    unsafe {
        let name = rd_kafka_memberid(client);
        if name.is_null() {
            return false;
        }
        let named = !CStr::from_ptr(name).is_empty();
        rd_kafka_mem_free(client, name.cast::<c_void>());
        named
    }
}
