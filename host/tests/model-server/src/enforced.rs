//! Limits that the server keeps, as a provider does: what it took in the last 60 seconds, from any moment on.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// What every whole answer says that it took.
const TOKENS: u64 = 15;
const MINUTE: Duration = Duration::from_secs(60);

/// How much it takes in a minute.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests.
    pub requests: u64,
    /// Tokens of requests and answers.
    pub tokens: u64,
}

impl Limits {
    /// The most answers in a minute.
    #[must_use]
    pub fn answers(self) -> u64 {
        self.requests.min(self.tokens / TOKENS)
    }
}

/// What became of the requests of some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Taken.
    pub taken: u64,
    /// Turned away with 429.
    pub refused: u64,
}

/// The limits, and every request so far.
pub(super) struct Enforced {
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    window: VecDeque<Instant>,
    taken: Vec<Instant>,
    refused: Vec<Instant>,
}

impl Enforced {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::default() }
    }

    /// Whether a request is taken.
    pub(super) fn takes(&self) -> bool {
        let (state, now) = (&mut *self.state.lock().unwrap(), Instant::now());
        while state.window.front().is_some_and(|taken| now.duration_since(*taken) >= MINUTE) {
            state.window.pop_front();
        }
        let takes = (state.window.len() as u64) < self.limits.answers();
        match takes {
            true => {
                state.window.push_back(now);
                state.taken.push(now);
            }
            false => state.refused.push(now),
        }
        takes
    }

    pub(super) fn between(&self, from: Instant, to: Instant) -> Share {
        let state = self.state.lock().unwrap();
        let count = |all: &[Instant]| all.iter().filter(|at| (from..to).contains(at)).count() as u64;
        Share { taken: count(&state.taken), refused: count(&state.refused) }
    }
}
