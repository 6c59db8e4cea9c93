//! `embeddings`: a guest asks for the vectors of texts. Limits, keys and the record of what was paid are behind the port.

use super::asking::Asking;
use crate::bindings::gristmill::stage::embeddings::{Host, Request, Response};
use crate::bindings::gristmill::stage::llm_types::Error;
use crate::convert;
use crate::error::StoreFault;
use crate::state::CallState;
use gristmill_core::ports::ModelError;

impl Host for CallState {
    async fn embed(&mut self, request: Request) -> wasmtime::Result<Result<Response, Error>> {
        let Asking { model, caller, items } = match self.asking(request.for_item.as_deref()) {
            Ok(asking) => asking,
            Err(refused) => return Ok(Err(refused)),
        };
        let mut request = convert::embed_request(request);
        request.timeout = Some(self.time_for(request.timeout));
        let (answer, blame) = match model.embed(&caller, &request).await {
            Ok(response) => (Ok(convert::embed_response(response)), None),
            Err(ModelError::Chat { failure, blame }) => (Err(convert::chat_failure(failure)), blame),
            Err(ModelError::Store(error)) => return Err(StoreFault(error).into()),
        };
        self.blame.extend(items.into_iter().map(|item| (item, blame)));
        Ok(answer)
    }
}
