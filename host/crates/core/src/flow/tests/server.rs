//! A test double for what stages reach outside: it is away for a while, and has something against some requests.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Failure, Ledger, Requester, Sign};
use crate::ports::{Call, Hold, StageError};

/// How long an answer takes. A refusal comes at once.
const LATENCY: Duration = Duration::from_millis(40);

/// The server, as one target.
pub(super) struct Server {
    begun: Instant,
    away: Range<Duration>,
    ledger: Mutex<Ledger>,
}

impl Server {
    /// Away in this part of the test.
    pub(super) fn new(begun: Instant, away: Range<Duration>) -> Self {
        Self { begun, away, ledger: Mutex::default() }
    }

    /// Asks it, as a stage and the host around it would. Fails with this sign whenever it is not away.
    pub(super) async fn ask(&self, call: &Call, sign: Option<Sign>) -> Result<(), StageError> {
        let who = Requester { job: call.job.clone(), stage: "s".into(), item: call.item.id.as_str().into() };
        let turn = self.ledger(|ledger| ledger.begin(&who));
        if sign.is_none() {
            tokio::time::sleep(LATENCY).await;
        }
        let sign = if self.away.contains(&self.begun.elapsed()) { Some(Sign::Broken) } else { sign };
        let Some(sign) = sign else {
            self.ledger(|ledger| ledger.answered(&who, turn));
            return Ok(());
        };
        let blame = self.ledger(|ledger| ledger.failed(&who, turn, sign));
        let failure = |code: &str| Failure::new(code, "as told");
        let error = match sign {
            Sign::Refused => StageError::Slow { failure: failure("refused"), after: None, hold: Hold::Limit },
            Sign::Limited => {
                let after = Some(Duration::from_secs(20));
                StageError::Slow { failure: failure("limited"), after, hold: Hold::Limit }
            }
            Sign::Unreached | Sign::Broken => StageError::Retry { failure: failure("away"), after: None },
        };
        Err(error.blamed(Some(blame)))
    }

    fn ledger<T>(&self, act: impl FnOnce(&mut Ledger) -> T) -> T {
        act(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
