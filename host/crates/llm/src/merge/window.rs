//! Requests that wait for each other, and what becomes of each of them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use gristmill_core::model::{ChatRequest, ChatResponse, Merge, Usage};
use gristmill_core::ports::{Caller, ModelError};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::prompt::Text;
use crate::usage::shares;

/// A request that takes part.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) caller: Caller,
    pub(super) request: ChatRequest,
    pub(super) text: Text,
    /// How long its caller waits for its answer; `None` if without end.
    pub(super) until: Option<Instant>,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// This is its answer.
    Answered(ChatResponse),
    /// The call failed, and so would one for it alone.
    Failed(ModelError),
    /// It has to be asked alone. This is its share of a call that did not answer it.
    Alone(Option<Usage>),
}

/// A place in a window. Dropped, it is empty.
#[derive(Debug)]
pub(super) struct Seat {
    number: usize,
    _taken: Arc<()>,
}

impl Seat {
    /// Its place among the verdicts.
    pub(super) fn number(&self) -> usize {
        self.number
    }
}

/// Requests that share the next call.
pub(super) struct Window {
    merge: Merge,
    closes: Instant,
    /// Told when it is full.
    full: Notify,
    /// Locked because each caller takes its seat itself; never held across an await.
    seats: Mutex<Seats>,
}

struct Seats {
    parts: Vec<(Part, Weak<()>)>,
    tokens: u64,
    is_closed: bool,
}

impl Window {
    /// Opens a window with its first seat.
    pub(super) fn open(merge: Merge, first: Part) -> (Arc<Self>, Seat) {
        let taken = Arc::new(());
        let tokens = first.text.tokens();
        let seats = Seats { parts: vec![(first, Arc::downgrade(&taken))], tokens, is_closed: false };
        let closes = Instant::now() + merge.wait;
        let window = Self { merge, closes, full: Notify::new(), seats: Mutex::new(seats) };
        (Arc::new(window), Seat { number: 0, _taken: taken })
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        // Nothing panics midway through a change.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat; gives the part back if there is none, and then nobody waits for one any more.
    pub(super) fn take(&self, part: Part) -> Result<Seat, Box<Part>> {
        let mut seats = self.seats();
        let tokens = seats.tokens.saturating_add(part.text.tokens());
        let most = usize::try_from(self.merge.items.get()).unwrap_or(usize::MAX);
        if seats.is_closed || tokens > self.merge.tokens {
            seats.is_closed = true;
            self.full.notify_one();
            return Err(Box::new(part));
        }
        let taken = Arc::new(());
        let number = seats.parts.len();
        seats.parts.push((part, Arc::downgrade(&taken)));
        seats.tokens = tokens;
        if seats.parts.len() >= most {
            seats.is_closed = true;
            self.full.notify_one();
        }
        Ok(Seat { number, _taken: taken })
    }

    /// Waits until it closes. Returns the part of each seat, `None` where nobody waits any more. Cancel-safe.
    pub(super) async fn closed(&self) -> Vec<Option<Part>> {
        tokio::select! {
            () = self.full.notified() => {}
            () = sleep_until(self.closes) => {}
        }
        let mut seats = self.seats();
        seats.is_closed = true;
        let parts = std::mem::take(&mut seats.parts);
        parts.into_iter().map(|(part, taken)| (taken.strong_count() > 0).then_some(part)).collect()
    }
}

/// The verdicts on those who took part in a call: an answer, or to be asked alone, and its share of what the call took, by
/// the bytes of its text and its answer.
pub(super) fn share(
    whole: Usage,
    present: &[(usize, Part)],
    answers: Vec<Option<ChatResponse>>,
) -> Vec<(usize, Verdict)> {
    let answer_bytes = |answer: &Option<ChatResponse>| answer.as_ref().map_or(0, |answer| answer.text.len() as u64);
    let weights: Vec<u64> =
        present.iter().zip(&answers).map(|((_, part), answer)| part.text.bytes() + answer_bytes(answer)).collect();
    let shares = shares(whole, &weights);
    let each = present.iter().zip(answers).zip(shares);
    each.map(|(((seat, _), answer), usage)| match answer {
        Some(answer) => (*seat, Verdict::Answered(ChatResponse { usage, ..answer })),
        None => (*seat, Verdict::Alone(Some(usage))),
    })
    .collect()
}
