//! Sees what is saved: changes of files, and files that come and go.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::change::{Change, Watched};
use crate::app::{FileWatch, Watching};

/// How often it is looked whether there are other files than before; what is in them is seen at once.
const LISTED_EVERY: Duration = Duration::from_millis(500);

/// What is looked at.
pub(super) enum Eyes {
    /// Nothing: no change matters.
    Closed,
    /// Files.
    Open(Box<Open>),
}

/// What is looked at, and when again.
pub(super) struct Open {
    watch: FileWatch,
    watched: Watched,
    list: Interval,
}

impl Eyes {
    /// Looks at these from now on.
    pub(super) async fn open(watched: Watched) -> Self {
        let mut list = interval(LISTED_EVERY);
        list.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watch = FileWatch::start(Watching::Told, watched.files()).await;
        Self::Open(Box::new(Open { watch, watched, list }))
    }

    /// Looks at these from now on, and forgets others. That they are others is no change.
    pub(super) async fn turn_to(&mut self, now: Watched) {
        if let Self::Open(open) = self {
            open.turn_to(now).await;
        }
    }

    /// The next change; `look` lists what there is. May be dropped.
    pub(super) async fn change(&mut self, look: impl Fn() -> Watched) -> Change {
        match self {
            Self::Closed => std::future::pending().await,
            Self::Open(open) => open.change(look).await,
        }
    }
}

impl Open {
    async fn turn_to(&mut self, now: Watched) {
        if self.watched != now {
            self.watch.replace(now.files()).await;
            self.watched = now;
        }
    }

    async fn change(&mut self, look: impl Fn() -> Watched) -> Change {
        loop {
            let now = {
                let mut changed = pin!(self.watch.changed());
                loop {
                    tokio::select! {
                        changed = &mut changed => {
                            let change = self.watched.meaning(&changed);
                            if !change.is_empty() {
                                return change;
                            }
                            break look();
                        }
                        _ = self.list.tick() => {
                            let now = look();
                            if now != self.watched {
                                break now;
                            }
                        }
                    }
                }
            };
            let grown = self.watched.grown(&now);
            self.turn_to(now).await;
            if !grown.is_empty() {
                return grown;
            }
        }
    }
}
