//! `state`: a guest keeps small values between items. Whose they are and what has room is behind the port.

use bytes::Bytes;
use gristmill_core::model::{self, LONGEST_KEY, LONGEST_VALUE, StateWrite, Wrote};

use crate::bindings::gristmill::stage::state::{Entry, Error, Expected, Host};
use crate::error::StoreFault;
use crate::state::{CallState, State};

impl Host for CallState {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Entry>, Error>> {
        let state = match self.state_for(&key) {
            Ok(state) => state,
            Err(refused) => return Ok(Err(refused)),
        };
        let found = state.entries.find_entry(&self.surroundings.stage, &key).await.map_err(StoreFault)?;
        Ok(Ok(found.map(told)))
    }

    async fn put(&mut self, key: String, value: Vec<u8>, expected: Expected) -> wasmtime::Result<Result<u64, Error>> {
        if value.len() > LONGEST_VALUE {
            return Ok(Err(Error::TooLarge(LONGEST_VALUE as u64)));
        }
        self.write(key, Some(value.into()), expected).await
    }

    async fn delete(&mut self, key: String, expected: Expected) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.write(key, None, expected).await?.map(drop))
    }
}

impl CallState {
    async fn write(
        &mut self,
        key: String,
        value: Option<Bytes>,
        expected: Expected,
    ) -> wasmtime::Result<Result<u64, Error>> {
        let State { entries, quota } = match self.state_for(&key) {
            Ok(state) => state,
            Err(refused) => return Ok(Err(refused)),
        };
        let expected = match expected {
            Expected::Any => model::Expected::Any,
            Expected::Absent => model::Expected::Absent,
            Expected::Version(version) => model::Expected::Version(version),
        };
        let write = StateWrite { key, value, expected, quota };
        let wrote = entries.write_entry(&self.surroundings.stage, write).await.map_err(StoreFault)?;
        Ok(match wrote {
            Wrote::Done(version) => Ok(version),
            Wrote::Conflict(there) => Err(Error::Conflict(there.map(told))),
            Wrote::Full => Err(Error::QuotaExceeded),
        })
    }

    /// Where the values of this stage are, if it may ask for this key now.
    fn state_for(&mut self, key: &str) -> Result<State, Error> {
        self.ask("what it has kept");
        let Some(state) = self.surroundings.state.clone() else {
            return Err(Error::Denied("nothing is kept for this stage".into()));
        };
        if self.current.is_none() {
            return Err(Error::Denied("values can only be read and kept while an item is processed".into()));
        }
        if key.is_empty() || key.len() > LONGEST_KEY || key.chars().any(char::is_control) {
            return Err(Error::InvalidKey);
        }
        Ok(state)
    }
}

fn told(entry: model::Entry) -> Entry {
    Entry { value: entry.value.into(), version: entry.version }
}
