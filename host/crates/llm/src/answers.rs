//! Answers that any job may reuse, in bounded memory: for pipelines without a state store.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_core::model::ChatResponse;
use gristmill_core::ports::{Answers, Key, StoreError};
use tokio::time::Instant;

/// The rough size of an entry without its texts, in bytes.
const ENTRY_BYTES: usize = 512;

/// Remembers answers as long as this process lives. Above its bound those that soon are too old go first.
pub(crate) struct MemoryAnswers {
    /// Locked because the calls of many jobs share it; never held across an await.
    kept: Mutex<Kept>,
}

struct Kept {
    limit: usize,
    bytes: usize,
    by_key: HashMap<Key, Entry>,
    /// The same entries by the end of their time; the number keeps those apart that end together.
    by_end: BTreeMap<(Instant, u64), Key>,
    next: u64,
}

struct Entry {
    end: (Instant, u64),
    bytes: usize,
    answer: ChatResponse,
}

impl MemoryAnswers {
    /// Remembers at most about this many bytes of answers.
    pub(crate) fn new(limit: usize) -> Self {
        let (by_key, by_end) = (HashMap::new(), BTreeMap::new());
        Self { kept: Mutex::new(Kept { limit, bytes: 0, by_key, by_end, next: 0 }) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing panics midway through a change.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn remove(&mut self, key: Key) {
        if let Some(entry) = self.by_key.remove(&key) {
            self.by_end.remove(&entry.end);
            self.bytes -= entry.bytes;
        }
    }

    /// The entry that is or will be too old first.
    fn first(&self) -> Option<(Instant, Key)> {
        self.by_end.first_key_value().map(|((end, _), key)| (*end, *key))
    }
}

#[async_trait]
impl Answers for MemoryAnswers {
    async fn find_answer(&self, key: Key) -> Result<Option<ChatResponse>, StoreError> {
        let kept = self.kept();
        let entry = kept.by_key.get(&key).filter(|entry| entry.end.0 > Instant::now());
        Ok(entry.map(|entry| entry.answer.clone()))
    }

    async fn keep_answer(&self, key: Key, answer: &ChatResponse, keep: Duration) -> Result<(), StoreError> {
        let now = Instant::now();
        let bytes = ENTRY_BYTES + answer.text.len();
        let mut kept = self.kept();
        kept.remove(key);
        let end = (now + keep, kept.next);
        kept.next += 1;
        kept.by_end.insert(end, key);
        kept.bytes += bytes;
        kept.by_key.insert(key, Entry { end, bytes, answer: answer.clone() });
        while let Some((end, first)) = kept.first()
            && (kept.bytes > kept.limit || end <= now)
        {
            kept.remove(first);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::response;

    const HOUR: Duration = Duration::from_secs(3_600);

    async fn found(answers: &MemoryAnswers, key: u8) -> Option<String> {
        answers.find_answer(Key([key; 32])).await.unwrap().map(|answer| answer.text)
    }

    async fn keep(answers: &MemoryAnswers, key: u8, text: &str, keep: Duration) {
        answers.keep_answer(Key([key; 32]), &response(text), keep).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_found_until_its_time_is_over_and_then_takes_no_room() {
        let answers = MemoryAnswers::new(1 << 20);
        keep(&answers, 1, "one", HOUR).await;
        tokio::time::advance(HOUR - Duration::from_millis(1)).await;
        assert_eq!(found(&answers, 1).await.as_deref(), Some("one"));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(found(&answers, 1).await, None);
        keep(&answers, 2, "two", HOUR).await;
        let kept = answers.kept();
        assert_eq!((kept.by_key.len(), kept.by_end.len()), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_give_way_and_the_last_answer_counts() {
        let answers = MemoryAnswers::new(3 * (ENTRY_BYTES + 3));
        for (key, text) in [(1, "one"), (2, "two"), (1, "uno"), (3, "tre"), (4, "for")] {
            keep(&answers, key, text, HOUR).await;
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let all = [found(&answers, 1).await, found(&answers, 2).await, found(&answers, 3).await];
        assert_eq!(all, [Some("uno".into()), None, Some("tre".into())]);
        keep(&answers, 5, &"x".repeat(10_000), HOUR).await;
        assert_eq!(answers.kept().bytes, 0, "one that is above the whole bound is not remembered");
    }
}
