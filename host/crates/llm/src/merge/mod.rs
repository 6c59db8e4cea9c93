//! The layer that asks several requests in one call, where their stage allows it: what they share is then paid for once.
//!
//! It is below the journal and the cache: each request has its answer, its share of what the call took, and its place in
//! the journal, as if it had been asked alone. A request whose answer is missing or has the wrong form is asked alone.
//!
//! - `window`: requests that wait for each other, over `prompt` and `split`, both over `schema`

mod prompt;
mod schema;
mod split;
mod window;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use gristmill_core::model::{
    ChatFailure, ChatRequest, ChatResponse, EmbedRequest, EmbedResponse, JobId, Merge, MergeScope,
};
use gristmill_core::ports::{Caller, Model, ModelError, ModelOperation, SavedBy};
use tokio::time::{Instant, timeout};

use crate::forms::Forms;
use crate::saved::Saved;
use crate::usage::sum;
use prompt::Text;
use window::{Part, Seat, Verdict, Window};

/// A model that answers several requests in one call.
pub(crate) struct Merged<M> {
    inner: Arc<Inner<M>>,
    /// Those that can still be joined. Locked because the calls of many jobs share them; never held across an await.
    open: Mutex<HashMap<Group, Open>>,
    saved: Saved,
}

struct Inner<M> {
    model: M,
    forms: Arc<Forms>,
}

/// Requests that may share a call: the same instructions, the same bounds, and the same job if it has to be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Group {
    instructions: [u8; 32],
    merge: Merge,
    job: Option<JobId>,
}

/// One call for all who share it. Whoever waits drives it; when nobody does any more, it is abandoned.
type Together = BoxFuture<'static, Arc<Vec<Verdict>>>;

/// A window and its call, as long as somebody waits for it.
struct Open {
    window: Weak<Window>,
    call: WeakShared<Together>,
}

impl<M: Model + 'static> Merged<M> {
    pub(crate) fn new(model: M, forms: Arc<Forms>) -> Self {
        Self { inner: Arc::new(Inner { model, forms }), open: Mutex::default(), saved: Saved::default() }
    }

    /// The same, and whoever observes it is told of requests that share a call.
    pub(crate) fn telling(self, saved: Saved) -> Self {
        Self { saved, ..self }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Group, Open>> {
        // Nothing panics midway through a change.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat in the window of this group, or opens one.
    fn join(&self, group: Group, part: Part) -> (Shared<Together>, Seat) {
        let mut open = self.open();
        let part = match open.get(&group).and_then(|open| Some((open.window.upgrade()?, open.call.upgrade()?))) {
            Some((window, call)) => match window.take(part) {
                Ok(seat) => return (call, seat),
                // It is full: the next one opens.
                Err(part) => *part,
            },
            None => part,
        };
        open.retain(|_, open| open.window.strong_count() > 0);
        let (window, seat) = Window::open(group.merge, part);
        let (inner, waiting) = (Arc::clone(&self.inner), Arc::clone(&window));
        let call = async move { Arc::new(inner.ask(waiting.closed().await).await) }.boxed().shared();
        if let Some(weak) = call.downgrade() {
            open.insert(group, Open { window: Arc::downgrade(&window), call: weak });
        }
        (call, seat)
    }
}

impl<M: Model> Inner<M> {
    /// Asks those who are still there in one call. Returns a verdict for each seat.
    async fn ask(&self, parts: Vec<Option<Part>>) -> Vec<Verdict> {
        let seats = parts.len();
        let present: Vec<(usize, Part)> =
            parts.into_iter().enumerate().filter_map(|(seat, part)| Some((seat, part?))).collect();
        let mut verdicts = vec![Verdict::Alone(None); seats];
        for (seat, verdict) in self.verdicts(&present).await {
            if let Some(place) = verdicts.get_mut(seat) {
                *place = verdict;
            }
        }
        verdicts
    }

    async fn verdicts(&self, present: &[(usize, Part)]) -> Vec<(usize, Verdict)> {
        let [(_, first), _, ..] = present else { return Vec::new() };
        let texts: Vec<&Text> = present.iter().map(|(_, part)| &part.text).collect();
        let (Some(request), Ok(form)) = (prompt::combine(&first.request, &texts), self.forms.of(&first.request.format))
        else {
            return Vec::new();
        };
        // Each waits for as long as it may; the call itself for as long as any of them.
        let now = Instant::now();
        let until: Option<Vec<Instant>> = present.iter().map(|(_, part)| part.until).collect();
        let timeout = until.and_then(|until| until.into_iter().max()).map(|until| until.saturating_duration_since(now));
        let Caller { job, stage, trace, .. } = &first.caller;
        tracing::debug!(%job, trace_id = %trace.trace_id(), %stage, requests = present.len(), "requests share a call");
        let whole = match self.model.chat(&first.caller, &ChatRequest { timeout, ..request }).await {
            Ok(whole) => whole,
            Err(error) if may_be_of_one(&error) => return Vec::new(),
            Err(error) => return present.iter().map(|(seat, _)| (*seat, Verdict::Failed(error.clone()))).collect(),
        };
        let answers = split::split(&whole, present.len(), &form);
        window::share(whole.usage, present, answers)
    }
}

/// Whether the failure may be that of a single request, or of their being together: alone, the others get their answers.
/// What the others would meet as well is the failure of all.
fn may_be_of_one(error: &ModelError) -> bool {
    match error {
        ModelError::Chat { failure, .. } => match failure {
            ChatFailure::ContextLengthExceeded { .. }
            | ChatFailure::ContentFiltered(_)
            | ChatFailure::InvalidOutput { .. }
            | ChatFailure::InvalidRequest(_) => true,
            ChatFailure::RateLimited { .. }
            | ChatFailure::Unavailable { .. }
            | ChatFailure::Timeout(_)
            | ChatFailure::Denied(_)
            | ChatFailure::BudgetExhausted { .. }
            | ChatFailure::Misconfigured(_) => false,
        },
        ModelError::Store(_) => false,
    }
}

/// What there is to merge in a request; `None` if it is asked alone: its stage wants that, it cannot be one of several, it
/// is larger than a call may be, or its time is too short to wait.
fn candidate(caller: &Caller, request: &ChatRequest) -> Option<(Group, Part)> {
    let merge = request.merge?;
    let time_is_short = request.timeout.is_some_and(|time| time < merge.wait.saturating_mul(2));
    if merge.items.get() < 2 || time_is_short {
        return None;
    }
    let text = Text::of(request).filter(|text| text.tokens() <= merge.tokens)?;
    let job = match merge.among {
        MergeScope::Job => Some(caller.job.clone()),
        MergeScope::Pipeline => None,
    };
    let group = Group { instructions: prompt::instructions(request), merge, job };
    let until = request.timeout.map(|time| Instant::now() + time);
    Some((group, Part { caller: caller.clone(), request: request.clone(), text, until }))
}

#[async_trait]
impl<M: Model + 'static> Model for Merged<M> {
    /// Cancel-safe: a dropped call leaves its window, or gives up its answer, and does not end the call of others.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let Some((group, part)) = candidate(caller, request) else {
            return self.inner.model.chat(caller, request).await;
        };
        let until = part.until;
        let (call, seat) = self.join(group, part);
        let verdicts = match request.timeout {
            Some(time) => timeout(time, call).await.map_err(|_| no_time_left(time))?,
            None => call.await,
        };
        match verdicts.get(seat.number()).cloned().unwrap_or(Verdict::Alone(None)) {
            Verdict::Answered(answer) => {
                self.saved.tell(caller, request.model.as_deref(), ModelOperation::Chat, SavedBy::Merge);
                Ok(answer)
            }
            Verdict::Failed(error) => Err(error),
            Verdict::Alone(spent) => {
                let left = until.map(|until| until.saturating_duration_since(Instant::now()));
                if let Some(time) = request.timeout.filter(|_| left == Some(Duration::ZERO)) {
                    return Err(no_time_left(time));
                }
                let alone = ChatRequest { timeout: left, ..request.clone() };
                let answer = self.inner.model.chat(caller, &alone).await?;
                let usage = spent.map_or(answer.usage, |spent| sum(answer.usage, spent));
                Ok(ChatResponse { usage, ..answer })
            }
        }
    }

    async fn embed(&self, caller: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        self.inner.model.embed(caller, request).await
    }
}

fn no_time_left(time: Duration) -> ModelError {
    ChatFailure::Timeout(format!("no answer within {time:?} from the call that asks several requests")).into()
}

#[cfg(test)]
mod tests;
