//! What the host gives a stage, natively: functions like those that `wit-bindgen` makes for the sandbox.

pub(crate) mod llm {
    use crate::llm::{Error, Merge, Request, Response};
    use crate::testing::scripted;

    pub(crate) fn chat(request: &Request) -> Result<Response, Error> {
        scripted("asks a model", |host| {
            host.requests.push(request.clone());
            let asked = host.requests.len();
            match host.replies.pop_front() {
                Some(reply) => reply.0,
                None => panic!("the stage asks a model {}, and the script has {}", time(asked), replies(asked - 1)),
            }
        })
    }

    fn time(asked: usize) -> String {
        match asked {
            1 => "once".into(),
            2 => "a 2nd time".into(),
            3 => "a 3rd time".into(),
            more => format!("a {more}th time"),
        }
    }

    fn replies(count: usize) -> String {
        if count == 1 { "1 reply".into() } else { format!("{count} replies") }
    }

    pub(crate) fn chat_many(requests: &[Request]) -> Vec<Result<Response, Error>> {
        requests.iter().map(chat).collect()
    }

    pub(crate) fn chat_merged(requests: &[Request], _: Merge) -> Vec<Result<Response, Error>> {
        chat_many(requests)
    }
}

pub(crate) mod embeddings {
    use sha2::{Digest, Sha256};

    use crate::embeddings::{Error, Request, Response};
    use crate::testing::{scripted, usage};

    /// The length of vectors if the stage asks for none.
    const LENGTH: u32 = 8;

    /// A vector for each text, made of its hash: equal texts have equal ones.
    pub(crate) fn embed(request: &Request) -> Result<Response, Error> {
        scripted("asks for vectors", |host| {
            host.embedded.push(request.clone());
            let length = request.dimensions.unwrap_or(LENGTH);
            let vectors = request.inputs.iter().map(|text| vector(text, length)).collect();
            Ok(Response { vectors, usage: usage(), model: "test/scripted".into(), cached: false })
        })
    }

    fn vector(text: &str, length: u32) -> Vec<f32> {
        let number = |place: u32| {
            let hash = Sha256::new().chain_update(place.to_le_bytes()).chain_update(text).finalize();
            f32::from(hash[0]) / 128.0 - 1.0
        };
        (0..length).map(number).collect()
    }
}

pub(crate) mod tokens {
    use crate::tokens::Error;

    /// The encodings of the host's tables.
    const ENCODINGS: [&str; 2] = ["cl100k_base", "o200k_base"];

    /// Words, as an encoding of which everybody knows the tokens.
    pub(crate) fn count(encoding: &str, text: &str) -> Result<u32, Error> {
        if !ENCODINGS.contains(&encoding) {
            return Err(Error::UnknownEncoding(ENCODINGS.map(str::to_owned).to_vec()));
        }
        Ok(u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX))
    }
}

pub(crate) mod context {
    use crate::context::Identity;
    use crate::testing::current;

    pub(crate) fn get_identity() -> Identity {
        let sample = || Identity { pipeline: "sample".into(), stage: "sample".into(), traceparent: None };
        current(|host| host.identity.clone()).unwrap_or_else(sample)
    }

    pub(crate) fn time_left() -> u64 {
        current(|host| host.time_left).unwrap_or(u64::MAX)
    }

    pub(crate) fn is_cancelled() -> bool {
        current(|host| host.is_cancelled).unwrap_or(false)
    }

    pub(crate) fn is_routed(label: &str) -> bool {
        current(|host| host.routed.contains(label)).unwrap_or(false)
    }
}

pub(crate) mod logging {
    use crate::log::Level;
    use crate::testing::{Log, current};

    pub(crate) fn log(level: Level, _: &str, message: &str) {
        current(|host| host.logs.push(Log { level, message: message.into() }));
    }
}
