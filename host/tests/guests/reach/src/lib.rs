//! A stage that reaches outside as its item says, and emits what came of it.

use gristmill_sdk::http::{self, Client, Request, Response};
use gristmill_sdk::metrics::{self, Meter};
use gristmill_sdk::state::{self, Expected, Store};
use gristmill_sdk::{ConfigFault, Descriptor, Item, NoConfig, Outcome, Output, Stage, StageError};

/// Does what the first line of an item says.
#[derive(Debug, Clone, Copy)]
pub struct Reach;

impl Stage for Reach {
    type Config = NoConfig;

    fn describe() -> Descriptor {
        // Must be refused here, and be no reason to trap.
        let refused = state::Host.get("key").is_err() && http::Host.send(Request::get("https://a.example/")).is_err();
        metrics::Host.add("described", 1, &[]);
        let word = if refused { "Reaches outside" } else { "Reaches outside too early" };
        Descriptor::new("reach", env!("CARGO_PKG_VERSION"), word)
    }

    fn new(_: NoConfig) -> Result<Self, Vec<ConfigFault>> {
        Ok(Self)
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        let text = item.text().unwrap_or_default().to_owned();
        let (line, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let words: Vec<&str> = line.split(' ').collect();
        let done = match words.as_slice() {
            ["send", method, url] => sent(http::Host.send(request(method, url, rest))),
            ["send-or-fail", method, url] => {
                let answer = http::Host.send(request(method, url, rest))?.successful()?;
                String::from_utf8_lossy(&answer.body).into_owned()
            }
            ["send-many", times, url] => {
                let answers = (0..times.parse().unwrap_or(0)).map(|_| sent(http::Host.send(Request::get(*url))));
                answers.collect::<Vec<_>>().join("; ")
            }
            ["get", key] => match state::Host.get(key) {
                Ok(Some(entry)) => String::from_utf8_lossy(&entry.value).into_owned(),
                other => format!("{other:?}"),
            },
            ["put", key, value] => format!("{:?}", state::Host.put(key, value.as_bytes(), Expected::Any)),
            ["put-large", key, bytes] => {
                let value = vec![b'x'; bytes.parse().unwrap_or(0)];
                format!("{:?}", state::Host.put(key, &value, Expected::Any))
            }
            ["add", key] => add(key)?,
            ["first", key] => format!("{}", state::is_first(&state::Host, key, &item.id)?),
            ["delete", key] => format!("{:?}", state::Host.delete(key, Expected::Any)),
            ["count", name, label] => {
                metrics::Host.add(name, 2, &[("kind", label)]);
                metrics::Host.observe("length", text.len() as f64, &[]);
                "counted".to_owned()
            }
            _ => return Ok(Outcome::reject("unknown", line.to_owned())),
        };
        Ok(Outcome::one(Output::from(&item).payload(done)))
    }
}

/// A request whose headers and body are these lines, with an empty one between.
fn request(method: &str, url: &str, lines: &str) -> Request {
    let (headers, body) = lines.split_once("\n\n").unwrap_or((lines, ""));
    let mut request = Request::new(method, url);
    for line in headers.lines() {
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        // What cannot stand in a line of its own.
        request = request.header(&name.replace("\\n", "\r\n"), value.replace("\\n", "\r\n"));
    }
    request.body = body.into();
    request
}

fn sent(answer: Result<Response, http::Error>) -> String {
    match answer {
        Ok(answer) => {
            let cached = if answer.cached { " (cached)" } else { "" };
            format!("{}{cached} {}", answer.status, String::from_utf8_lossy(&answer.body))
        }
        Err(error) => format!("{error:?}"),
    }
}

/// Adds one to a number, again and again until nobody else did meanwhile.
fn add(key: &str) -> Result<String, StageError> {
    loop {
        let found = state::Host.get(key)?;
        let expected = found.as_ref().map_or(Expected::Absent, |entry| Expected::Version(entry.version));
        let number = found.and_then(|entry| String::from_utf8_lossy(&entry.value).parse::<u64>().ok()).unwrap_or(0) + 1;
        match state::Host.put(key, number.to_string().as_bytes(), expected) {
            Ok(_) => return Ok(number.to_string()),
            Err(state::Error::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

gristmill_sdk::stage!(Reach);
