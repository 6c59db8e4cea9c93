//! Writes what the recorder has, and asks what people want of the jobs.

use std::time::Duration;

use tokio::time::Instant;

use super::patience::Patience;
use super::recorder::Recorder;
use super::throttle::Throttle;
use crate::model::JobNote;
use crate::ports::{PauseReason, StoreError};

/// How often news of running jobs are written. Ends are written at once.
const EVERY: Duration = Duration::from_millis(250);
/// How often cancellations are asked for.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// The most notes in one call of the store.
const MOST_NOTES: usize = 500;
/// As many as the store returns at once.
const MOST_ASKED: usize = 1_000;

/// Writes and listens until it is dropped.
pub(super) async fn run(recorder: Recorder, throttle: Throttle) {
    tokio::join!(write(&recorder, &throttle), listen(&recorder));
}

async fn write(recorder: &Recorder, throttle: &Throttle) {
    let mut due = Instant::now() + EVERY;
    loop {
        tokio::select! {
            biased;
            () = recorder.woken() => {}
            () = tokio::time::sleep_until(due), if recorder.is_following() => {}
        }
        begin_partitions(recorder, throttle).await;
        write_ends(recorder, throttle).await;
        if due <= Instant::now() {
            due = Instant::now() + EVERY;
            for notes in recorder.take_news(EVERY).chunks(MOST_NOTES) {
                if let Err(broken) = note(recorder, throttle, notes).await {
                    recorder.wrote(Err(&broken));
                }
                // Whoever ends meanwhile does not wait for the rest.
                write_ends(recorder, throttle).await;
            }
        }
    }
}

async fn begin_partitions(recorder: &Recorder, throttle: &Throttle) {
    let (jobs, now) = (&recorder.recording().jobs, recorder.now());
    let begun = recorder.take_begun();
    if begun.is_empty() {
        return;
    }
    let mut result = Ok(());
    for (partition, position) in begun {
        let ended = patiently(throttle, || jobs.settled_before(&partition, position, now)).await;
        result = result.and(ended);
    }
    recorder.wrote(result.as_ref().copied());
}

async fn write_ends(recorder: &Recorder, throttle: &Throttle) {
    loop {
        let ends = recorder.take_ends(MOST_NOTES);
        if ends.is_empty() {
            return;
        }
        let (notes, waiting): (Vec<_>, Vec<_>) = ends.into_iter().map(|end| (end.note, end.written)).unzip();
        let result = note(recorder, throttle, &notes).await;
        for written in waiting.into_iter().flatten() {
            // A job that was aborted meanwhile waits for nothing.
            let _ = written.send(result.clone());
        }
        recorder.wrote(result.as_ref().copied());
    }
}

async fn note(recorder: &Recorder, throttle: &Throttle, notes: &[JobNote]) -> Result<(), StoreError> {
    patiently(throttle, || recorder.recording().jobs.note(notes)).await
}

/// Asks the store until it answers. No new jobs start during the waits.
async fn patiently<T, F>(throttle: &Throttle, ask: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut patience = Patience::default();
    loop {
        match ask().await {
            Err(away @ StoreError::Transient { .. }) => {
                patience.wait(throttle, PauseReason::Store(away.to_string())).await;
            }
            answer => return answer,
        }
    }
}

async fn listen(recorder: &Recorder) {
    loop {
        if recorder.is_following() {
            ask(recorder).await;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

async fn ask(recorder: &Recorder) {
    loop {
        let after = recorder.heard();
        let asked = match recorder.recording().acts.asked(after).await {
            Ok(asked) => asked,
            // The next question has the answer; a store that is broken is noticed by the next end.
            Err(error) => return tracing::debug!(%error, "cannot ask which jobs are to be cancelled"),
        };
        let is_all = asked.len() < MOST_ASKED;
        recorder.hear(after, asked);
        if is_all {
            return;
        }
    }
}
