//! Keys and documents stay out of logs and errors, whatever a provider sends back.

use std::io::Write;
use std::sync::{Arc, Mutex};

use gristmill_llm::settings::OpenAiSettings;
use tracing_subscriber::fmt::MakeWriter;

use super::{caller, key_file, model, request, target};
use gristmill_model_server::{Behaviour, ModelServer, Script};

const KEY: &str = "sk-canary-7f3a9c51d2e8";
const DOCUMENT: &str = "Patient Zebedee Quill complains of his left knee.";

/// Everything logged in this process, at every level, by any crate.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logged {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn neither_key_nor_document_is_in_any_log_or_error() {
    let logged = Logged::default();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(logged.clone()).init();
    let (_folder, key) = key_file(KEY);
    let echo = format!("Incorrect API key provided: {KEY}. Input was: {DOCUMENT}");
    let mut shown = String::new();
    for behaviour in [
        Behaviour::answer("fine"),
        Behaviour::error(401, KEY, &echo),
        Behaviour::error(400, "bad", &echo),
        Behaviour::error(429, "rate_limit_exceeded", &echo),
        Behaviour::error(500, "x", &format!("{:?}", DOCUMENT.repeat(100))),
        Behaviour::ok("text/html", &*echo),
        Behaviour::ok(KEY, &*echo),
        Behaviour::ok("application/json", serde_json::json!({ "error": echo }).to_string()),
        Behaviour::redirect(format!("/{KEY}")),
        Behaviour::BreakOff,
    ] {
        let server = ModelServer::start(Script::new().when("", [behaviour])).await;
        let settings = OpenAiSettings { key: Some(key.clone()), ..target(&server) };
        shown += &format!("{settings:?}\n");
        let result = model(vec![settings]).chat(&caller(1), &request(DOCUMENT)).await;
        shown += &format!("{result:?}\n");
        assert_eq!(server.seen().remove(0).authorization, Some(format!("Bearer {KEY}")), "the canary was in play");
    }
    let logs = String::from_utf8(logged.0.lock().unwrap().clone()).unwrap();
    assert!(logs.contains("a model did not answer"), "the capture works");
    for (place, text) in [("a log", logs), ("an error", shown)] {
        for secret in ["canary", "Zebedee", "left knee"] {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} is in {place}");
        }
    }
}
