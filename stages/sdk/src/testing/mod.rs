//! Stages in unit tests: a host that answers from a script and remembers what it was asked.
//!
//! ```
//! use gristmill_sdk::testing::Host;
//! use gristmill_sdk::{Item, Outcome, Output, StageError, context, llm, log};
//!
//! fn process(item: &Item) -> Result<Outcome, StageError> {
//!     log::info("asking");
//!     let language = llm::chat("small").system("Name the language.").user(item.utf8()?).ask()?;
//!     let output = Output::from(item).attribute("language", &language);
//!     Ok(Outcome::one(if context::is_routed("de") { output.branch("de") } else { output }))
//! }
//!
//! let host = Host::script(["German"]).routed(&["de"]);
//! let outcome = host.run(|| process(&Item::sample("Guten Tag", Some("text/plain"))));
//! assert!(outcome.is_ok());
//! assert_eq!(host.requests()[0].text(llm::Role::User), "Guten Tag");
//! assert_eq!(host.logs()[0].message, "asking");
//! assert_eq!(host.unused(), 0);
//! ```

pub(crate) mod imports;
#[cfg(feature = "proptest")]
mod items;
pub(crate) mod outside;

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

#[cfg(feature = "proptest")]
pub use items::{items, texts};
pub use outside::Counted;

use crate::context::Identity;
use crate::llm::{Error, FinishReason, Request, Response, Usage};
use crate::log::Level;
use crate::{embeddings, llm};

/// A host for unit tests. It counts words as tokens, makes small vectors, and answers models from its script.
#[derive(Debug, Clone)]
pub struct Host {
    state: Rc<RefCell<State>>,
}

/// What a model says next.
#[derive(Debug, Clone)]
pub struct Reply(Result<Response, Error>);

/// One message of the stage's log.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub message: String,
}

/// What the host answers and what it was asked.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) replies: VecDeque<Reply>,
    pub(crate) requests: Vec<Request>,
    pub(crate) embedded: Vec<embeddings::Request>,
    pub(crate) logs: Vec<Log>,
    pub(crate) routed: BTreeSet<String>,
    pub(crate) identity: Identity,
    pub(crate) time_left: u64,
    pub(crate) is_cancelled: bool,
    pub(crate) outside: outside::Outside,
}

thread_local! {
    /// The host inside of whose `run` this thread is.
    static CURRENT: RefCell<Option<Host>> = const { RefCell::new(None) };
}

impl Host {
    /// A host whose models give these replies, one for each request, in order. A reply is a text, a
    /// [`Response`](llm::Response) or an [`Error`](llm::Error).
    pub fn script<R: Into<Reply>>(replies: impl IntoIterator<Item = R>) -> Self {
        let identity = Identity { pipeline: "sample".into(), stage: "sample".into(), traceparent: None };
        let state = State {
            replies: replies.into_iter().map(Into::into).collect(),
            requests: Vec::new(),
            embedded: Vec::new(),
            logs: Vec::new(),
            routed: BTreeSet::new(),
            identity,
            time_left: u64::MAX,
            is_cancelled: false,
            outside: outside::Outside::default(),
        };
        Self { state: Rc::new(RefCell::new(state)) }
    }

    /// A host whose models are not asked.
    #[must_use]
    pub fn silent() -> Self {
        Self::script(Vec::<Reply>::new())
    }

    /// Adds a reply to the end of the script.
    #[must_use]
    pub fn then(self, reply: impl Into<Reply>) -> Self {
        self.state.borrow_mut().replies.push_back(reply.into());
        self
    }

    /// Gives these branches of the stage a route.
    #[must_use]
    pub fn routed(self, labels: &[&str]) -> Self {
        self.state.borrow_mut().routed.extend(labels.iter().map(|label| (*label).to_owned()));
        self
    }

    /// Sets how many milliseconds are left before the host stops the call.
    #[must_use]
    pub fn time_left(self, milliseconds: u64) -> Self {
        self.state.borrow_mut().time_left = milliseconds;
        self
    }

    /// A host that was asked to stop.
    #[must_use]
    pub fn cancelled(self) -> Self {
        self.state.borrow_mut().is_cancelled = true;
        self
    }

    /// Runs `work`, in which everything that asks a host asks this one.
    ///
    /// # Panics
    /// If `work` does: because it asks a model more often than the script has replies, say.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        /// Also if `work` panics.
        struct Restore(Option<Host>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.set(self.0.take());
            }
        }
        let _restore = Restore(CURRENT.replace(Some(self.clone())));
        work()
    }

    /// What models were asked, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state.borrow().requests.clone()
    }

    /// What vectors were asked for, in order.
    #[must_use]
    pub fn embedded(&self) -> Vec<embeddings::Request> {
        self.state.borrow().embedded.clone()
    }

    /// What the stage logged.
    #[must_use]
    pub fn logs(&self) -> Vec<Log> {
        self.state.borrow().logs.clone()
    }

    /// How many replies of the script nobody asked for.
    #[must_use]
    pub fn unused(&self) -> usize {
        self.state.borrow().replies.len()
    }
}

/// What `answer` makes of the state of the host that this thread is in, if it is in one.
pub(crate) fn current<T>(answer: impl FnOnce(&mut State) -> T) -> Option<T> {
    let host = CURRENT.with_borrow(Clone::clone)?;
    let mut state = host.state.borrow_mut();
    Some(answer(&mut state))
}

/// The same where a test without a host is a mistake.
pub(crate) fn scripted<T>(what: &str, answer: impl FnOnce(&mut State) -> T) -> T {
    match current(answer) {
        Some(answer) => answer,
        None => panic!("the stage {what}, and there is no host: run it in `testing::Host::script([…]).run(|| …)`"),
    }
}

impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<String> for Reply {
    fn from(text: String) -> Self {
        Self(Ok(response(text)))
    }
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self(Ok(response))
    }
}

impl From<Error> for Reply {
    fn from(error: Error) -> Self {
        Self(Err(error))
    }
}

/// An answer with this text that took a few tokens.
#[must_use]
pub fn response(text: impl Into<String>) -> Response {
    Response {
        text: text.into(),
        finish_reason: FinishReason::Stop,
        usage: usage(),
        model: "test/scripted".into(),
        provider_request_id: None,
        cached: false,
    }
}

pub(crate) fn usage() -> Usage {
    llm::Usage {
        input_tokens: Some(100),
        cache_read_input_tokens: None,
        cache_write_input_tokens: None,
        output_tokens: Some(10),
        reasoning_tokens: None,
        cost_nano_usd: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context;
    use crate::llm::{Busy, Message, Model};

    fn ask(text: &str) -> Result<String, Error> {
        llm::Host.chat(Request::new(vec![Message::user(text)])).map(|response| response.text)
    }

    #[test]
    fn replies_come_in_order_and_failures_are_replies() {
        let busy = Error::Unavailable(Busy { message: "down".into(), retry_after: None });
        let host = Host::script(["one"]).then(busy.clone()).then("never asked for");
        let (one, two) = host.run(|| (ask("a"), ask("b")));
        assert_eq!((one, two), (Ok("one".into()), Err(busy)));
        assert_eq!((host.requests().len(), host.unused()), (2, 1));
    }

    #[test]
    #[should_panic(expected = "asks a model a 2nd time, and the script has 1 reply")]
    fn a_script_that_is_too_short_says_so() {
        let _ = Host::script(["one"]).run(|| (ask("a"), ask("b")));
    }

    #[test]
    #[should_panic(expected = "there is no host")]
    fn a_model_needs_a_host() {
        let _ = ask("a");
    }

    #[test]
    fn a_host_is_there_only_while_it_runs() {
        let host = Host::silent().routed(&["de"]).time_left(5).cancelled();
        let seen =
            || (context::is_routed("de"), context::is_routed("fr"), context::time_left(), context::is_cancelled());
        assert_eq!(host.run(seen), (true, false, 5, true));
        assert_eq!(seen(), (false, false, u64::MAX, false));
    }
}
