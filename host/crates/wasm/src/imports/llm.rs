//! `llm`: a guest asks a model. Checks, calls and maps; keys, limits and the record of what was paid are behind the
//! port.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;

use super::asking::{Asking, WHICH_ITEM};
use crate::bindings::gristmill::stage::llm::{Host, Merge, Request, Response};
use crate::bindings::gristmill::stage::llm_types::Error;
use crate::convert;
use crate::error::StoreFault;
use crate::state::CallState;
use gristmill_core::model::{self, Blame, ChatRequest};
use gristmill_core::ports::{Caller, Model, ModelError};

impl Host for CallState {
    async fn chat(&mut self, request: Request) -> wasmtime::Result<Result<Response, Error>> {
        let (answer, told) = self.prepare(request, None).answer().await?;
        self.blame.extend(told);
        Ok(answer)
    }

    async fn chat_many(&mut self, requests: Vec<Request>) -> wasmtime::Result<Vec<Result<Response, Error>>> {
        self.chat_beside(requests, None).await
    }

    async fn chat_merged(
        &mut self,
        requests: Vec<Request>,
        merge: Merge,
    ) -> wasmtime::Result<Vec<Result<Response, Error>>> {
        self.chat_beside(requests, convert::merge(merge)).await
    }
}

impl CallState {
    /// Asks several requests beside each other; with `merge` they may share calls.
    async fn chat_beside(
        &mut self,
        requests: Vec<Request>,
        merge: Option<model::Merge>,
    ) -> wasmtime::Result<Vec<Result<Response, Error>>> {
        if requests.len() > MOST_REQUESTS {
            let refused = format!("at most {MOST_REQUESTS} requests are allowed at a time");
            return Ok(requests.iter().map(|_| Err(Error::InvalidRequest(refused.clone()))).collect());
        }
        let prepared: Vec<_> = requests.into_iter().map(|request| self.prepare(request, merge)).collect();
        let answers = join_all(prepared.into_iter().map(Prepared::answer)).await;
        let (answers, told): (Vec<_>, Vec<_>) =
            answers.into_iter().collect::<Result<Vec<_>, StoreFault>>()?.into_iter().unzip();
        // While one of its requests waits for a dependency, the item does.
        let mut together = HashMap::new();
        for (item, blame) in told.into_iter().flatten() {
            let of_item = together.entry(item).or_insert(blame);
            *of_item = blame.max(*of_item);
        }
        self.blame.extend(together);
        Ok(answers)
    }
}

/// What a guest gets; and if a model was asked, for which item and whose fault a failure is, if that is open.
type Answer = (Result<Response, Error>, Option<(Arc<str>, Option<Blame>)>);

/// Maximum requests in one call of `chat-many` or `chat-merged`: all are held in memory until the last is answered.
const MOST_REQUESTS: usize = 1_000;

/// A request that is ready to be sent, or the error that refuses it.
struct Prepared(Result<(Arc<dyn Model>, Caller, ChatRequest), Error>);

impl Prepared {
    /// What the guest gets, or the fault that ends its call instead.
    async fn answer(self) -> Result<Answer, StoreFault> {
        let (model, caller, request) = match self.0 {
            Ok(ready) => ready,
            Err(refused) => return Ok((Err(refused), None)),
        };
        Ok(match model.chat(&caller, &request).await {
            Ok(response) => (Ok(convert::response(response)), Some((caller.item, None))),
            Err(ModelError::Chat { failure, blame }) => {
                (Err(convert::chat_failure(failure)), Some((caller.item, blame)))
            }
            Err(ModelError::Store(error)) => return Err(error.into()),
        })
    }
}

impl CallState {
    fn prepare(&mut self, request: Request, merge: Option<model::Merge>) -> Prepared {
        let Asking { model, mut caller, items } = match self.asking(request.for_item.as_deref()) {
            Ok(asking) => asking,
            Err(refused) => return Prepared(Err(refused)),
        };
        if items.len() > 1 {
            return Prepared(Err(Error::InvalidRequest(WHICH_ITEM.into())));
        }
        let mut request = ChatRequest { merge, ..convert::request(request) };
        request.timeout = Some(self.time_for(request.timeout));
        // Requests with the same key in one job are the same call; equal requests without a key are separate calls.
        if request.idempotency_key.is_none() {
            caller.repeat = self.repeat(&caller.item, request.digest());
        }
        Prepared(Ok((model, caller, request)))
    }
}
