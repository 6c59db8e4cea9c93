//! What the host of unit tests is beside models: services that answer from a script, values in memory, and numbers that are
//! remembered.

use std::collections::{BTreeMap, VecDeque};

use super::{Host, current, scripted};
use crate::http::{self, Field};
use crate::state::{Entry, Error, Expected};

/// A number that a stage counted or measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// The name of the metric.
    pub name: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// What was added or observed.
    pub value: f64,
}

/// What is there beside models, and what it was asked.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    answers: VecDeque<Result<http::Response, http::Error>>,
    sent: Vec<http::Request>,
    entries: BTreeMap<String, Entry>,
    version: u64,
    counted: Vec<Counted>,
}

impl Host {
    /// Adds what a service answers to the next call.
    #[must_use]
    pub fn answering(self, status: u16, body: impl Into<Vec<u8>>) -> Self {
        let answer = http::Response { status, headers: Vec::<Field>::new(), body: body.into(), cached: false };
        self.state.borrow_mut().outside.answers.push_back(Ok(answer));
        self
    }

    /// Adds a call that gets no answer.
    #[must_use]
    pub fn unanswered(self, error: http::Error) -> Self {
        self.state.borrow_mut().outside.answers.push_back(Err(error));
        self
    }

    /// Keeps a value, as an earlier item would have.
    #[must_use]
    pub fn keeping(self, key: &str, value: impl Into<Vec<u8>>) -> Self {
        self.state.borrow_mut().outside.write(key, Some(value.into()));
        self
    }

    /// What services were sent, in order.
    #[must_use]
    pub fn sent(&self) -> Vec<http::Request> {
        self.state.borrow().outside.sent.clone()
    }

    /// What is kept under a key.
    #[must_use]
    pub fn kept(&self, key: &str) -> Option<Vec<u8>> {
        self.state.borrow().outside.entries.get(key).map(|entry| entry.value.clone())
    }

    /// What was counted, in order.
    #[must_use]
    pub fn counted(&self) -> Vec<Counted> {
        self.state.borrow().outside.counted.clone()
    }
}

impl Outside {
    fn write(&mut self, key: &str, value: Option<Vec<u8>>) -> u64 {
        self.version += 1;
        match value {
            Some(value) => drop(self.entries.insert(key.to_owned(), Entry { value, version: self.version })),
            None => drop(self.entries.remove(key)),
        }
        self.version
    }
}

pub(crate) fn send(request: &http::Request) -> Result<http::Response, http::Error> {
    scripted("calls a service", |host| {
        host.outside.sent.push(request.clone());
        match host.outside.answers.pop_front() {
            Some(answer) => answer,
            None => panic!("the stage calls {}, and no further answer is scripted", request.url),
        }
    })
}

pub(crate) fn get(key: &str) -> Result<Option<Entry>, Error> {
    scripted("reads what it has kept", |host| Ok(host.outside.entries.get(key).cloned()))
}

pub(crate) fn put(key: &str, value: &[u8], expected: Expected) -> Result<u64, Error> {
    change(key, Some(value.to_vec()), expected)
}

pub(crate) fn delete(key: &str, expected: Expected) -> Result<(), Error> {
    change(key, None, expected).map(drop)
}

fn change(key: &str, value: Option<Vec<u8>>, expected: Expected) -> Result<u64, Error> {
    scripted("keeps a value", |host| {
        let there = host.outside.entries.get(key);
        let is_met = match expected {
            Expected::Any => true,
            Expected::Absent => there.is_none(),
            Expected::Version(version) => there.is_some_and(|entry| entry.version == version),
        };
        match is_met {
            true => Ok(host.outside.write(key, value)),
            false => Err(Error::Conflict(there.cloned())),
        }
    })
}

/// Without a host nothing is counted: a number is nothing that a test must care for.
pub(crate) fn count(name: &str, value: f64, labels: &[(&str, &str)]) {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    current(|host| host.outside.counted.push(Counted { name: name.to_owned(), labels, value }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Client, Request};
    use crate::metrics::{self, Meter};
    use crate::state::{self, Store};

    #[test]
    fn services_answer_in_order_and_remember_what_they_were_sent() {
        let host = Host::silent().answering(200, "7").unanswered(http::Error::Timeout("late".into()));
        let answers = host.run(|| {
            let ask = || http::Host.send(Request::get("https://a.example/").header("x", "y"));
            (ask().map(|answer| answer.body), ask())
        });
        assert_eq!(answers, (Ok(b"7".to_vec()), Err(http::Error::Timeout("late".into()))));
        assert_eq!(host.sent()[1].headers[0].value, "y");
    }

    #[test]
    fn values_are_kept_and_compared() {
        let host = Host::silent().keeping("seen", "item-1");
        let first = |item| host.run(|| state::is_first(&state::Host, "seen", item));
        assert_eq!((first("item-1"), first("item-2")), (Ok(true), Ok(false)));
        host.run(|| state::Host.delete("seen", Expected::Any)).unwrap();
        assert_eq!((first("item-2"), host.kept("seen")), (Ok(true), Some(b"item-2".to_vec())));
    }

    #[test]
    fn numbers_are_remembered() {
        let host = Host::silent();
        host.run(|| metrics::Host.add("pages", 3, &[("kind", "scanned")]));
        metrics::Host.observe("nowhere", 1.0, &[]);
        let labels = vec![("kind".to_owned(), "scanned".to_owned())];
        assert_eq!(host.counted(), [Counted { name: "pages".into(), labels, value: 3.0 }]);
    }
}
