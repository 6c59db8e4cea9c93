//! Hosts against a provider that enforces its limits, in simulated time: what gets through, and what is refused.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Mutex;

use tokio::task::JoinSet;

use super::*;
use crate::fixtures::MemoryCounters;
use crate::gate::Gate;
use crate::together::Together;
use gristmill_core::model::Timestamp;

const MINUTE: Duration = Duration::from_secs(60);
/// Those of one host that ask all the time.
const WORKERS: u128 = 64;
const MOST_OUTPUT: u32 = 1_000;

/// A provider that counts what it took in the last 60 seconds, from any moment on, and refuses what would be more.
struct Enforcing {
    requests: f64,
    tokens: f64,
    concurrent: usize,
    /// When it cannot be reached, counted from its start.
    away: Range<Duration>,
    begun: Instant,
    state: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    in_flight: usize,
    /// When, and with how many tokens.
    window: VecDeque<(Instant, f64)>,
    taken: Vec<(Duration, f64)>,
    refused: Vec<Duration>,
    unreached: Vec<Duration>,
}

impl Enforcing {
    fn new(requests: f64, tokens: f64) -> Self {
        let away = Duration::ZERO..Duration::ZERO;
        Self { requests, tokens, concurrent: 1_000, away, begun: Instant::now(), state: Mutex::default() }
    }

    fn take(&self, tokens: f64) -> Result<(), Unanswered> {
        let now = Instant::now();
        let at = self.begun.elapsed();
        let state = &mut *self.state.lock().unwrap();
        if self.away.contains(&at) {
            state.unreached.push(at);
            return Err(Unanswered { failure: away(), sign: Some(Sign::Unreached) });
        }
        while state.window.front().is_some_and(|(taken, _)| *taken + MINUTE <= now) {
            state.window.pop_front();
        }
        let sum: f64 = state.window.iter().map(|(_, tokens)| tokens).sum();
        let fits = state.window.len() as f64 + 1.0 <= self.requests && sum + tokens <= self.tokens;
        if !fits || state.in_flight >= self.concurrent {
            state.refused.push(at);
            return Err(ChatFailure::RateLimited { message: "too many".into(), after: None }.into());
        }
        state.in_flight += 1;
        state.window.push_back((now, tokens));
        state.taken.push((at, tokens));
        Ok(())
    }

    /// How much of the limits got through in these minutes, and how many calls of all were refused.
    fn account(&self, minutes: Range<u32>) -> (f64, f64) {
        let state = self.state.lock().unwrap();
        let within = MINUTE * minutes.start..MINUTE * minutes.end;
        let good: Vec<f64> =
            state.taken.iter().filter(|(at, _)| within.contains(at)).map(|(_, tokens)| *tokens).collect();
        let whole = f64::from(minutes.end - minutes.start);
        let goodput = (good.len() as f64 / self.requests).max(good.iter().sum::<f64>() / self.tokens) / whole;
        let refused = state.refused.len() as f64;
        (goodput, refused / (refused + state.taken.len() as f64))
    }
}

#[async_trait]
impl Provider for Arc<Enforcing> {
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<Answered<ChatResponse>, Unanswered> {
        let mut dice = fastrand::Rng::with_seed(caller.repeat.into());
        // Other numbers than anybody expects: a quarter of the characters, and answers far below their bound.
        let (input, output) = (crate::load::size(request) as u64 / 4, dice.u64(50..250));
        self.take((input + output) as f64)?;
        tokio::time::sleep(Duration::from_millis(dice.u64(500..3_000))).await;
        self.state.lock().unwrap().in_flight -= 1;
        let usage = gristmill_core::model::Usage {
            input_tokens: Some(input),
            output_tokens: Some(output),
            ..gristmill_core::model::Usage::default()
        };
        Ok(ChatResponse { usage, ..response("yes") }.into())
    }
}

/// A process that asks the provider as fast as it may.
struct Host {
    models: Arc<Aliases>,
    _work: JoinSet<()>,
    blames: Arc<Mutex<Vec<Option<Blame>>>>,
}

impl Host {
    fn start(provider: &Arc<Enforcing>, limits: LimitSettings, max_concurrent: usize) -> Self {
        Self::of(provider, limits, max_concurrent, None)
    }

    /// One of those that count together.
    fn with(provider: &Arc<Enforcing>, limits: LimitSettings, counters: &Arc<MemoryCounters>) -> Self {
        let counters = Arc::<MemoryCounters>::clone(counters);
        let together = Together::new(counters, Arc::new(|| Timestamp(0)), "limit/test".into());
        Self::of(provider, limits, 60, Some(together))
    }

    fn of(provider: &Arc<Enforcing>, limits: LimitSettings, max_concurrent: usize, together: Option<Together>) -> Self {
        let entry = Entry::new(Arc::<Gate>::default(), limits, together);
        let target = Target { entry, ..target(Arc::clone(provider), max_concurrent) };
        let models = Arc::new(only(Alias::new(vec![target])));
        let (mut work, blames) = (JoinSet::new(), Arc::default());
        for worker in 0..WORKERS {
            work.spawn(ask_for_ever(Arc::clone(&models), worker, Arc::clone(&blames)));
        }
        Self { models, _work: work, blames }
    }

    fn owns(&self, owned: usize) {
        self.models.share(Portion::new(owned, 6));
    }
}

/// As the flow does: what is limited or held waits as told, and is asked again.
async fn ask_for_ever(models: Arc<Aliases>, worker: u128, blames: Arc<Mutex<Vec<Option<Blame>>>>) {
    for call in 0.. {
        let dice = u32::try_from(worker).unwrap() * 100_000 + call;
        let caller = Caller { repeat: dice, ..caller(u128::from(dice), "s", "a", 0) };
        let text = "x".repeat(fastrand::Rng::with_seed(dice.into()).usize(200..1_600));
        let timeout = Some(MINUTE);
        let asked = ChatRequest { max_output_tokens: Some(MOST_OUTPUT), timeout, ..request(&text) };
        while let Err(error) = models.chat(&caller, &asked).await {
            let (failure, blame) = unwrapped(error);
            blames.lock().unwrap().push(blame);
            tokio::time::sleep(after(&failure).unwrap_or(Duration::from_secs(2))).await;
        }
    }
}

fn limits(requests: u64, tokens: u64) -> LimitSettings {
    let (requests_per_minute, tokens_per_minute) = (NonZeroU64::new(requests), NonZeroU64::new(tokens));
    LimitSettings { requests_per_minute, tokens_per_minute, ..LimitSettings::default() }
}

fn assert_good(provider: &Enforcing, minutes: Range<u32>, what: &str) {
    let (goodput, refused) = provider.account(minutes);
    assert!(goodput >= 0.98, "{what}: only {goodput:.4} of the limit got through, {refused:.4} refused");
    assert!(refused <= 0.01, "{what}: {refused:.4} of the calls were refused, goodput {goodput:.4}");
}

#[tokio::test(start_paused = true)]
async fn one_host_uses_98_percent_of_each_limit_and_is_hardly_ever_refused() {
    for (requests, tokens) in [(600_u64, 1_000_000_u64), (100_000, 120_000), (500, 150_000)] {
        let provider = Arc::new(Enforcing::new(requests as f64, tokens as f64));
        let host = Host::start(&provider, limits(requests, tokens), 60);
        tokio::time::sleep(6 * MINUTE).await;
        assert_good(&provider, 1..6, &format!("{requests} requests, {tokens} tokens"));
        drop(host);
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_calls_than_allowed_are_under_way_whatever_the_other_limits() {
    let provider = Enforcing { concurrent: 10, ..Enforcing::new(600.0, 1_000_000.0) };
    let provider = Arc::new(provider);
    let host = Host::start(&provider, limits(600, 0), 10);
    tokio::time::sleep(2 * MINUTE).await;
    assert_eq!(provider.account(0..2).1, 0.0, "no call was refused");
    drop(host);
}

#[tokio::test(start_paused = true)]
async fn three_hosts_that_come_and_go_use_one_limit_together() {
    for (requests, tokens) in [(900_u64, 1_000_000_u64), (100_000, 240_000)] {
        let provider = Arc::new(Enforcing::new(requests as f64, tokens as f64));
        let start = || Host::start(&provider, limits(requests, tokens), 60);
        let one = start();
        one.owns(6);
        tokio::time::sleep(2 * MINUTE).await;
        let two = start();
        one.owns(3);
        two.owns(3);
        tokio::time::sleep(MINUTE).await;
        let three = start();
        for host in [&one, &two, &three] {
            host.owns(2);
        }
        tokio::time::sleep(2 * MINUTE).await;
        drop(two);
        for host in [&one, &three] {
            host.owns(3);
        }
        tokio::time::sleep(2 * MINUTE).await;
        assert_good(&provider, 1..7, &format!("{requests} requests, {tokens} tokens"));
        drop((one, three));
    }
}

#[tokio::test(start_paused = true)]
async fn hosts_that_count_together_use_one_limit_however_the_work_is_divided() {
    for (requests, tokens) in [(900_u64, 1_000_000_u64), (100_000, 240_000)] {
        let provider = Arc::new(Enforcing::new(requests as f64, tokens as f64));
        let counters = Arc::new(MemoryCounters::default());
        let start = || Host::with(&provider, limits(requests, tokens), &counters);
        let one = start();
        // It does next to nothing by its partitions, and may have all that nobody else asks for.
        one.owns(1);
        tokio::time::sleep(2 * MINUTE).await;
        let (two, three) = (start(), start());
        tokio::time::sleep(2 * MINUTE).await;
        drop(two);
        tokio::time::sleep(2 * MINUTE).await;
        assert_good(&provider, 1..6, &format!("{requests} requests, {tokens} tokens"));
        let (asked, calls) =
            (counters.calls.load(Ordering::Relaxed) as usize, provider.state.lock().unwrap().taken.len());
        assert!(asked <= 3 * calls, "{asked} round trips for {calls} calls");
        drop((one, three));
    }
}

#[tokio::test(start_paused = true)]
async fn hosts_whose_store_is_away_keep_to_their_parts() {
    let (requests, tokens) = (900_u64, 1_000_000_u64);
    let provider = Arc::new(Enforcing::new(requests as f64, tokens as f64));
    let counters = Arc::new(MemoryCounters::default());
    let hosts = [1, 2, 3].map(|owned| {
        let host = Host::with(&provider, limits(requests, tokens), &counters);
        host.owns(owned);
        host
    });
    tokio::time::sleep(2 * MINUTE).await;
    counters.away.store(true, Ordering::Relaxed);
    tokio::time::sleep(2 * MINUTE).await;
    counters.away.store(false, Ordering::Relaxed);
    tokio::time::sleep(2 * MINUTE).await;
    let (goodput, refused) = provider.account(1..6);
    assert!(goodput >= 0.95 && refused <= 0.02, "{goodput} {refused}");
    drop(hosts);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_dead_for_a_minute_is_probed_every_five_seconds_and_nobody_is_at_fault() {
    let seconds = Duration::from_secs;
    let provider = Arc::new(Enforcing { away: seconds(30)..seconds(90), ..Enforcing::new(600.0, 1_000_000.0) });
    let host = Host::start(&provider, limits(600, 0), 60);
    tokio::time::sleep(4 * MINUTE).await;
    let unreached = provider.state.lock().unwrap().unreached.clone();
    let probes: Vec<Duration> = unreached.iter().copied().filter(|at| *at > seconds(31)).collect();
    assert!(probes.len() >= 5, "{probes:?}");
    assert!(probes.windows(2).all(|pair| pair[1] - pair[0] >= seconds(5)), "{probes:?}");
    let blames = host.blames.lock().unwrap().clone();
    let held = |blame: &Option<Blame>| matches!(blame, Some(Blame::Dependency | Blame::Limit));
    assert!(blames.iter().all(held), "an item that is held loses no attempt");
    let (goodput, _) = provider.account(2..4);
    assert!(goodput >= 0.95, "{goodput}: it recovers by itself");
}
