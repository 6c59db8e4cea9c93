//! `http`: a guest calls another service. What is allowed, the secrets and the record of what was answered are behind the
//! port.

use super::asking::{NobodyAsks, OTHER_ITEM, WHICH_ITEM};
use crate::bindings::gristmill::stage::http::{Error, Field, Host, Request, Response};
use crate::error::StoreFault;
use crate::state::CallState;
use gristmill_core::model::{HttpFailure, HttpRequest, HttpResponse};
use gristmill_core::ports::{Answered, OutboundError};
use std::time::Duration;

impl Host for CallState {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, Error>> {
        self.ask("another service");
        let Some(outbound) = self.surroundings.http.clone() else {
            return Ok(Err(Error::Denied("no call is granted to this stage".into())));
        };
        let (mut caller, items) = match self.caller(request.for_item.as_deref()) {
            Ok(caller) => caller,
            Err(NobodyAsks::NoItem) => {
                return Ok(Err(Error::Denied("services can only be called while an item is processed".into())));
            }
            Err(NobodyAsks::OtherItem) => return Ok(Err(Error::InvalidRequest(OTHER_ITEM.into()))),
        };
        if items.len() > 1 {
            return Ok(Err(Error::InvalidRequest(WHICH_ITEM.into())));
        }
        let most = outbound.most_calls();
        if self.called >= most {
            let reason =
                format!("the stage has made {most} calls for this item, and the grant allows no more (max_calls)");
            return Ok(Err(Error::Denied(reason)));
        }
        self.called += 1;
        let request = HttpRequest {
            method: request.method,
            url: request.url,
            headers: request.headers.into_iter().map(|Field { name, value }| (name, value)).collect(),
            body: request.body.into(),
            idempotency_key: request.idempotency_key,
            timeout: Some(self.time_for(request.timeout.map(Duration::from_millis))),
        };
        if request.idempotency_key.is_none() {
            caller.repeat = self.repeat(&caller.item, request.digest());
        }
        let (answer, blame) = match outbound.call(&caller, &request).await {
            Ok(Answered { response, blame }) => (Ok(told(response)), blame),
            Err(OutboundError::Http { failure, blame }) => (Err(failed(failure)), blame),
            Err(OutboundError::Store(error)) => return Err(StoreFault(error).into()),
        };
        self.blame.extend(items.into_iter().map(|item| (item, blame)));
        Ok(answer)
    }
}

fn told(response: HttpResponse) -> Response {
    let HttpResponse { status, headers, body, cached } = response;
    let headers = headers.into_iter().map(|(name, value)| Field { name, value }).collect();
    Response { status, headers, body: body.into(), cached }
}

fn failed(failure: HttpFailure) -> Error {
    match failure {
        HttpFailure::Denied(reason) => Error::Denied(reason),
        HttpFailure::InvalidRequest(reason) => Error::InvalidRequest(reason),
        HttpFailure::Unavailable(reason) => Error::Unavailable(reason),
        HttpFailure::Timeout(reason) => Error::Timeout(reason),
        HttpFailure::TooLarge(most) => Error::TooLarge(most),
    }
}
