//! When a pause ends, and how often it is told.

use futures_util::FutureExt;

use super::*;
use crate::model::Failure;
use crate::ports::Observers;

/// Notes what it is told of pauses.
#[derive(Default)]
struct Noting(Mutex<Vec<String>>);

impl Observer for Noting {
    fn observe(&self, event: &FlowEvent<'_>) {
        self.0.lock().unwrap().push(match event {
            FlowEvent::Paused { why, .. } => format!("paused: {why}"),
            FlowEvent::Resumed { why } => format!("over: {why}"),
            _ => return,
        });
    }
}

fn dependency(stage: &str, code: &str) -> PauseReason {
    PauseReason::Dependency { stage: stage.into(), failure: Failure::new(code, "x") }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn the_end_of_a_pause_is_noticed_once_even_if_nobody_waited_for_it() {
    let throttle = Throttle::new(Arc::new(Observers::default()));
    throttle.pause(SECOND, PauseReason::Operator, Hold::Limit);
    tokio::time::advance(2 * SECOND).await;
    assert!(!throttle.is_paused());
    throttle.changed().now_or_never().expect("the pause ended unnoticed");
    assert!(throttle.changed().now_or_never().is_none(), "nothing has changed since");
}

#[tokio::test(start_paused = true)]
async fn only_the_pause_of_an_outage_that_is_over_is_lifted() {
    let throttle = Throttle::new(Arc::new(Observers::default()));
    throttle.pause(3 * SECOND, dependency("a", "x"), Hold::Limit);
    throttle.pause(9 * SECOND, dependency("a", "x"), Hold::Outage);
    throttle.pause(5 * SECOND, dependency("b", "x"), Hold::Outage);
    let left = || throttle.current().map(|pause| (pause.until - Instant::now()).as_secs());
    assert_eq!(left(), Some(9));
    throttle.lift("a");
    assert_eq!(left(), Some(5), "that of the other stage stays");
    throttle.lift("b");
    assert_eq!(left(), Some(3), "a limit is kept to");
}

#[tokio::test(start_paused = true)]
async fn the_pause_of_an_outage_ends_before_the_next_begins_and_that_of_a_limit_is_extended() {
    for (hold, expected) in [(Hold::Outage, 2), (Hold::Limit, 5)] {
        let throttle = Throttle::new(Arc::new(Observers::default()));
        throttle.pause(2 * SECOND, dependency("a", "x"), hold);
        throttle.pause(5 * SECOND, dependency("a", "x"), hold);
        throttle.pause(SECOND, dependency("a", "x"), hold);
        let begun = Instant::now();
        while throttle.is_paused() {
            throttle.changed().await;
        }
        assert_eq!(begun.elapsed().as_secs(), expected, "{hold:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_goes_on_is_told_once_in_a_while() {
    let noting = Arc::new(Noting::default());
    let throttle = Throttle::new(Arc::<Noting>::clone(&noting));
    let told = || std::mem::take(&mut *noting.0.lock().unwrap());
    for _ in 0..650 {
        throttle.pause(SECOND / 10, dependency("a", "x"), Hold::Limit);
        tokio::time::advance(SECOND / 10).await;
    }
    assert_eq!(told().len(), 3, "in 65 s");
    throttle.pause(SECOND, dependency("a", "y"), Hold::Limit);
    assert_eq!(told(), ["paused: stage a: y: x"], "another reason is told at once");
    throttle.over("b");
    throttle.over("a");
    throttle.over("a");
    assert_eq!(told(), ["over: stage a: y: x"]);
    throttle.pause(SECOND, dependency("a", "y"), Hold::Limit);
    throttle.over("a");
    assert!(told().is_empty(), "what comes back at once is neither told nor ended");
}
