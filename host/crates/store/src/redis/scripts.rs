//! What is done in one step on the server.

use std::time::Duration;

use redis::{Cmd, Script};

/// The scripts of a store. Each connection loads them when it is opened.
pub(super) struct Scripts {
    pub(super) keep: Script,
    pub(super) replace: Script,
    pub(super) intend: Script,
    pub(super) finish: Script,
    pub(super) spend: Script,
    pub(super) answer: Script,
    pub(super) count: Script,
    pub(super) compare: Script,
    pub(super) forget: Script,
    pub(super) due: Script,
    pub(super) tried: Script,
    pub(super) state: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            keep: Script::new(include_str!("scripts/keep.lua")),
            replace: Script::new(include_str!("scripts/replace.lua")),
            intend: Script::new(include_str!("scripts/intend.lua")),
            finish: Script::new(include_str!("scripts/finish.lua")),
            spend: Script::new(include_str!("scripts/spend.lua")),
            answer: Script::new(include_str!("scripts/answer.lua")),
            count: Script::new(include_str!("scripts/count.lua")),
            compare: Script::new(include_str!("scripts/compare.lua")),
            forget: Script::new(include_str!("scripts/forget.lua")),
            due: Script::new(include_str!("scripts/due.lua")),
            tried: Script::new(include_str!("scripts/tried.lua")),
            state: Script::new(include_str!("scripts/state.lua")),
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> [&Script; 12] {
        let Self { keep, replace, intend, finish, spend, answer, count, compare, forget, due, tried, state } = self;
        [keep, replace, intend, finish, spend, answer, count, compare, forget, due, tried, state]
    }
}

/// A call of a loaded script with these keys; its arguments are added to it.
pub(super) fn call(script: &Script, keys: &[&str]) -> Cmd {
    let mut call = redis::cmd("EVALSHA");
    call.arg(script.get_hash()).arg(keys.len()).arg(keys);
    call
}

/// For an expiry: at least one, and far from the largest that the server takes.
pub(super) fn milliseconds(time: Duration) -> u64 {
    const LONGEST: u64 = 100 * 365 * 24 * 60 * 60 * 1_000;
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, LONGEST)
}
