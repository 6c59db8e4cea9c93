//! Budgets under concurrent calls, over a fake model and a paused clock.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use futures_util::future::join_all;
use gristmill_core::model::{BudgetScope, Day, JobId, SpentOn, Timestamp, Usage};
use gristmill_core::ports::{Accounts, Spending, StoreError};

use super::*;
use crate::fixtures::{MemoryCounters, caller, job, request, response};
use crate::settings::{BudgetSettings, Budgets, OpenAiSettings, PriceSettings, StageBudget};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// What one call of these tests may cost: 10 tokens of input and 90 of output.
const CALL: u64 = 1_000_000;

/// Answers after a second with these tokens of output.
struct Paid {
    output: u64,
    calls: Arc<AtomicU32>,
    failure: Option<ModelError>,
}

impl Paid {
    fn new(output: u64) -> Self {
        Self { output, calls: Arc::default(), failure: None }
    }
}

#[async_trait]
impl Model for Paid {
    async fn chat(&self, _: &Caller, _: &ChatRequest) -> Result<ChatResponse, ModelError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let usage = Usage {
            input_tokens: Some(10),
            output_tokens: Some(self.output),
            cost_nano_usd: Some((10 + self.output) * 10_000),
            ..Usage::default()
        };
        Ok(ChatResponse { usage, ..response("yes") })
    }

    async fn embed(&self, _: &Caller, _: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        panic!("nobody asks for vectors here")
    }
}

/// Remembers like a store, in memory.
#[derive(Default)]
struct Book {
    noted: Mutex<Vec<(SpentOn, Spent)>>,
    of_job: Spent,
}

#[async_trait]
impl Spending for Book {
    async fn all(&self) -> Result<Vec<(SpentOn, Spent)>, StoreError> {
        Ok(self.noted.lock().unwrap().clone())
    }

    async fn of_job(&self, _: &JobId) -> Result<Spent, StoreError> {
        Ok(self.of_job)
    }

    fn note(&self, on: SpentOn, spent: Spent) -> Result<(), StoreError> {
        self.noted.lock().unwrap().push((on, spent));
        Ok(())
    }
}

/// Ten thousand billionths for each token.
fn tariffs() -> Tariffs {
    let usd: Usd = "10 USD".parse().unwrap();
    let price = Some(PriceSettings { input: usd, cached_input: None, cache_write: None, output: usd });
    let target = OpenAiSettings { price, max_output_tokens: Some(90), ..OpenAiSettings::new("m") };
    Tariffs::of(&AliasSettings::new(vec![TargetSettings::OpenAi(target)]))
}

fn layer(model: Paid, purse: &Arc<Purse>) -> Accounted<Budgeted<Paid>> {
    let budgeted = Budgeted::new(model, Arc::clone(purse), [("smart".to_owned(), tariffs())].into());
    Accounted::new(budgeted, Arc::clone(purse))
}

fn budgets(job: Option<u64>, day: Option<u64>, total: Option<u64>) -> Budgets {
    let calls = |calls: Option<u64>| calls.map(|calls| Usd::nano(calls * CALL));
    let pipeline = BudgetSettings { job: calls(job), day: calls(day), total: calls(total) };
    Budgets { pipeline, ..Budgets::default() }
}

/// A clock, and what moves it.
fn clock(days: i64) -> (Arc<AtomicI64>, Clock) {
    let now = Arc::new(AtomicI64::new(days * DAY_MS));
    let read = Arc::clone(&now);
    (now, Arc::new(move || Timestamp(read.load(Ordering::Relaxed))))
}

fn purse(budgets: Budgets) -> Arc<Purse> {
    Arc::new(Purse::new(budgets, clock(7).1))
}

/// Ten tokens, as estimated.
fn asked() -> ChatRequest {
    request("abcdef")
}

fn spent(purse: &Purse, position: u128) -> u64 {
    purse.spent(&job(position)).map_or(0, |spent| spent.cost.get())
}

/// The scope of a budget that is used up, and whether the pipeline waits for it.
fn exhausted(result: Result<ChatResponse, ModelError>) -> (BudgetScope, bool) {
    match result {
        Err(ModelError::Chat { failure: ChatFailure::BudgetExhausted { scope, .. }, blame }) => {
            (scope, blame.is_some())
        }
        other => panic!("{other:?}"),
    }
}

async fn many(model: &impl Model, calls: u32) -> Vec<Result<ChatResponse, ModelError>> {
    let callers: Vec<Caller> = (0..calls).map(|call| caller(1, "s", &call.to_string(), 0)).collect();
    let request = asked();
    join_all(callers.iter().map(|caller| model.chat(caller, &request))).await
}

#[tokio::test(start_paused = true)]
async fn two_hundred_calls_at_once_do_not_pass_a_budget_of_thirty() {
    for budgets in [budgets(Some(30), None, None), budgets(None, Some(30), None), budgets(None, None, Some(30))] {
        let purse = purse(budgets);
        let model = Paid::new(90);
        let calls = Arc::clone(&model.calls);
        let results = many(&layer(model, &purse), 200).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 30);
        assert_eq!(calls.load(Ordering::Relaxed), 30, "none was asked in vain");
        assert_eq!(spent(&purse, 1), 30 * CALL);
        assert!(results.into_iter().filter(Result::is_err).all(|result| exhausted(result).0 != BudgetScope::Account));
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_cost_less_than_they_may_leave_room_for_others() {
    let purse = purse(budgets(Some(30), None, None));
    let results = many(&layer(Paid::new(40), &purse), 200).await;
    let answered = results.iter().filter(|result| result.is_ok()).count();
    assert!((58..=60).contains(&answered), "{answered} of half the price");
    assert!(spent(&purse, 1) <= 30 * CALL);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_wait_for_what_others_hold_fails_nothing() {
    let purse = purse(budgets(Some(1), None, None));
    let model = layer(Paid::new(40), &purse);
    let (one, two) = (caller(1, "s", "a", 0), caller(1, "s", "b", 0));
    let hasty = ChatRequest { timeout: Some(Duration::from_secs(1)), ..asked() };
    let request = asked();
    let (first, second) = tokio::join!(model.chat(&one, &request), model.chat(&two, &hasty));
    assert!(first.is_ok());
    let Err(ModelError::Chat { failure: ChatFailure::RateLimited { .. }, blame: Some(_) }) = second else {
        panic!("{second:?}")
    };
}

#[tokio::test(start_paused = true)]
async fn only_the_budget_of_the_job_is_the_jobs_own_fault() {
    let stage = StageBudget { day: Some(Usd::nano(1)), total: None };
    let of_stage = Budgets { stages: [("s".into(), stage)].into(), ..Budgets::default() };
    for (budgets, expected) in [
        (budgets(Some(0), None, None), (BudgetScope::Job, false)),
        (budgets(None, Some(0), None), (BudgetScope::Day, true)),
        (budgets(None, None, Some(0)), (BudgetScope::Pipeline, true)),
        (of_stage, (BudgetScope::Stage, true)),
    ] {
        let model = layer(Paid::new(90), &purse(budgets));
        assert_eq!(exhausted(model.chat(&caller(1, "s", "a", 0), &asked()).await), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_day_and_a_raised_budget_let_calls_through() {
    let (now, clock) = clock(7);
    let purse = Arc::new(Purse::new(budgets(None, Some(1), None), clock));
    let model = layer(Paid::new(90), &purse);
    let ask = async |position| model.chat(&caller(position, "s", "a", 0), &asked()).await;
    ask(1).await.unwrap();
    let failure = ask(2).await.unwrap_err();
    let ModelError::Chat { failure: ChatFailure::BudgetExhausted { message, .. }, .. } = &failure else {
        panic!("{failure:?}")
    };
    assert_eq!(
        message,
        "the key `day` of [budget] is used up: 0.001 USD of 0.001 USD are spent, and this call may cost 0.001 USD; it \
         ends on 1970-01-09T00:00:00Z; or raise it and reload"
    );
    now.fetch_add(DAY_MS, Ordering::Relaxed);
    ask(2).await.unwrap();
    assert_eq!(exhausted(ask(3).await), (BudgetScope::Day, true));
    purse.allow(budgets(None, Some(2), None));
    ask(3).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_spent_survives_a_restart() {
    let book = Arc::new(Book::default());
    let open = async || {
        Arc::new(Purse::open(budgets(None, Some(2), None), clock(7).1, Arc::<Book>::clone(&book)).await.unwrap())
    };
    for position in [1, 2] {
        layer(Paid::new(90), &open().await).chat(&caller(position, "s", "a", 0), &asked()).await.unwrap();
    }
    let third = layer(Paid::new(90), &open().await).chat(&caller(3, "s", "a", 0), &asked()).await;
    assert_eq!(exhausted(third), (BudgetScope::Day, true));
    let noted = book.noted.lock().unwrap();
    let on = SpentOn { day: Day(7), stage: "s".into(), alias: "smart".into(), target: "test/model".into() };
    let once = Spent { calls: 1, input_tokens: 10, output_tokens: 90, cost: Usd::nano(CALL), ..Spent::default() };
    assert_eq!(*noted, [(on.clone(), once), (on, once)]);
}

/// A host that counts with the others, and remembers in the same book.
async fn host(counters: &Arc<MemoryCounters>, book: &Arc<Book>, budgets: Budgets) -> Arc<Purse> {
    let purse = Purse::open(budgets, clock(7).1, Arc::<Book>::clone(book)).await.unwrap();
    Arc::new(purse.together("p", Arc::<MemoryCounters>::clone(counters)))
}

#[tokio::test(start_paused = true)]
async fn hosts_that_count_together_do_not_pass_a_budget_and_use_all_of_it() {
    for budgets in [budgets(None, Some(30), None), budgets(None, None, Some(30))] {
        let (counters, book) = (Arc::<MemoryCounters>::default(), Arc::<Book>::default());
        let (mut asking, mut calls) = (Vec::new(), Vec::new());
        for number in 0..3 {
            let purse = host(&counters, &book, budgets.clone()).await;
            let model = Paid::new(90);
            calls.push(Arc::clone(&model.calls));
            let model = layer(model, &purse);
            asking.push(async move { many(&model, 40 + number).await });
        }
        let results = join_all(asking).await;
        let answered: Vec<usize> =
            results.iter().map(|results| results.iter().filter(|result| result.is_ok()).count()).collect();
        assert_eq!(answered.iter().sum::<usize>(), 30, "{answered:?}");
        let asked: u32 = calls.iter().map(|calls| calls.load(Ordering::Relaxed)).sum();
        assert_eq!(asked, 30, "none was asked in vain");
        assert_eq!(counters.used().values().copied().collect::<Vec<_>>(), [30 * CALL]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_host_does_not_need_of_a_budget_goes_to_the_others() {
    let (counters, book) = (Arc::<MemoryCounters>::default(), Arc::<Book>::default());
    let budget = budgets(None, Some(10), None);
    let one = layer(Paid::new(40), &host(&counters, &book, budget.clone()).await);
    assert!(many(&one, 10).await.iter().all(Result::is_ok), "each costs half of what it may");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(counters.used(), [("budget/p/day/1970-01-08".to_owned(), 5 * CALL)].into());
    let two = layer(Paid::new(90), &host(&counters, &book, budget).await);
    assert_eq!(many(&two, 6).await.iter().filter(|result| result.is_ok()).count(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_counter_that_knows_less_than_the_book_is_told() {
    let (counters, book) = (Arc::<MemoryCounters>::default(), Arc::<Book>::default());
    let budget = budgets(None, None, Some(3));
    many(&layer(Paid::new(90), &host(&counters, &book, budget.clone()).await), 2).await;
    // The store of the counters was lost.
    let (counters, purse) = (Arc::default(), budget);
    let again = layer(Paid::new(90), &host(&counters, &book, purse).await);
    assert_eq!(many(&again, 3).await.iter().filter(|result| result.is_ok()).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_is_new_counts_what_was_spent_before_once() {
    let (counters, book) = (Arc::<MemoryCounters>::default(), Arc::<Book>::default());
    let purse = host(&counters, &book, Budgets::default()).await;
    let model = layer(Paid::new(90), &purse);
    assert!(many(&model, 2).await.iter().all(Result::is_ok));
    purse.allow(budgets(None, None, Some(5)));
    assert_eq!(many(&model, 9).await.iter().filter(|result| result.is_ok()).count(), 3);
    assert_eq!(counters.used(), [("budget/p/total".to_owned(), 5 * CALL)].into());
}

#[tokio::test(start_paused = true)]
async fn without_the_store_a_call_waits_for_it_and_costs_nothing() {
    let (counters, book) = (Arc::<MemoryCounters>::default(), Arc::<Book>::default());
    let model = Paid::new(90);
    let calls = Arc::clone(&model.calls);
    let model = layer(model, &host(&counters, &book, budgets(None, Some(3), None)).await);
    counters.away.store(true, Ordering::Relaxed);
    let failed = model.chat(&caller(1, "s", "a", 0), &asked()).await;
    assert!(matches!(failed, Err(ModelError::Store(StoreError::Transient { .. }))), "{failed:?}");
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    counters.away.store(false, Ordering::Relaxed);
    model.chat(&caller(1, "s", "a", 0), &asked()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_targets_have_answered_today_is_known_to_the_first_who_asks() {
    let book = Arc::new(Book::default());
    let open = async |days| Purse::open(Budgets::default(), clock(days).1, Arc::<Book>::clone(&book)).await.unwrap();
    for position in [1, 2] {
        layer(Paid::new(90), &Arc::new(open(7).await)).chat(&caller(position, "s", "a", 0), &asked()).await.unwrap();
    }
    let later = open(7).await;
    let earlier = later.take_earlier();
    let (calls, tokens) = earlier.get("test/model").map(|spent| (spent.calls, spent.output_tokens)).unwrap();
    assert_eq!((calls, tokens), (2, 180));
    assert!(later.take_earlier().is_empty() && open(8).await.take_earlier().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_a_job_are_told_once_for_its_history() {
    let purse = purse(budgets(Some(3), None, None));
    layer(Paid::new(90), &purse).chat(&caller(1, "s", "a", 0), &asked()).await.unwrap();
    let calls = purse.take_calls(&job(1));
    let told = |call: &gristmill_core::ports::ModelCall| {
        (call.item.to_string(), call.stage.to_string(), call.milliseconds, call.spent.output_tokens)
    };
    assert_eq!(calls.iter().map(told).collect::<Vec<_>>(), [("a".to_owned(), "s".to_owned(), 1_000, 90)]);
    assert_eq!(purse.take_calls(&job(1)), []);
    assert_eq!(purse.take_calls(&job(2)), []);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_comes_again_has_spent_what_its_kept_answers_took() {
    let before = Spent { calls: 3, cost: Usd::nano(2 * CALL), ..Spent::default() };
    let book = Arc::new(Book { of_job: before, ..Book::default() });
    let purse = Arc::new(Purse::open(budgets(Some(3), None, None), clock(7).1, book).await.unwrap());
    let model = layer(Paid::new(90), &purse);
    model.chat(&caller(1, "s", "a", 0), &asked()).await.unwrap();
    assert_eq!((spent(&purse, 1), purse.spent(&job(1)).unwrap().calls), (3 * CALL, 4));
    assert_eq!(exhausted(model.chat(&caller(1, "s", "b", 0), &asked()).await), (BudgetScope::Job, false));
    purse.forget(&job(1));
    assert_eq!(purse.spent(&job(1)), None);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_counts_unless_it_was_turned_away() {
    let failed = |failure: ChatFailure, blame| Some(ModelError::Chat { failure, blame });
    let away = || ChatFailure::Unavailable { message: "away".into(), after: None };
    for (failure, expected) in [
        (failed(ChatFailure::Timeout("slow".into()), None), CALL),
        (failed(ChatFailure::ContentFiltered("no".into()), None), CALL),
        (failed(away(), None), CALL),
        (failed(away(), Some(gristmill_core::model::Blame::Dependency)), 0),
        (failed(ChatFailure::RateLimited { message: "busy".into(), after: None }, None), 0),
        (failed(ChatFailure::InvalidRequest("odd".into()), None), 0),
        (failed(ChatFailure::Misconfigured("key".into()), None), 0),
    ] {
        let purse = purse(budgets(Some(1), None, None));
        let model = layer(Paid { failure: failure.clone(), ..Paid::new(90) }, &purse);
        model.chat(&caller(1, "s", "a", 0), &asked()).await.unwrap_err();
        assert_eq!(spent(&purse, 1), expected, "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_counts_as_spent() {
    let purse = purse(budgets(Some(2), None, None));
    let model = layer(Paid::new(90), &purse);
    let who = caller(1, "s", "a", 0);
    let late = Duration::from_millis(500);
    assert!(tokio::time::timeout(late, model.chat(&who, &asked())).await.is_err());
    assert_eq!(spent(&purse, 1), CALL);
}

#[tokio::test(start_paused = true)]
async fn without_a_budget_costs_are_counted_all_the_same() {
    let purse = purse(Budgets::default());
    let results = many(&layer(Paid::new(40), &purse), 20).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(spent(&purse, 1), 20 * CALL / 2);
}
