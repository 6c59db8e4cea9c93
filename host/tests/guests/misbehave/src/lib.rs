//! A stage that executes the command in its item, mostly misbehaviour that a host must survive.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use gristmill_sdk::llm::{self, Merge, MergeScope, Message, Model, Request};
use gristmill_sdk::serde::Deserialize;
use gristmill_sdk::tokens::{self, Tokens};
use gristmill_sdk::{Attribute, ConfigFault, Descriptor, Item, Outcome, Output, Stage, StageError, context, log};

/// What to do wrong in `init`.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(crate = "gristmill_sdk::serde", rename_all = "kebab-case")]
enum AtInit {
    /// Nothing.
    #[default]
    Nothing,
    /// Never return.
    Spin,
    /// Panic.
    Panic,
    /// Reject the configuration.
    Refuse,
    /// Reject it with a hundred thousand faults.
    RefuseMuch,
    /// Draw a random number and keep it.
    Dice,
    /// Make a hash map.
    Map,
    /// Look at the clock and keep what it shows.
    Clock,
    /// Print something.
    Print,
    /// Ask a model.
    Ask,
    /// Allocate many megabytes.
    Fill,
}

/// What to do wrong in `describe`, behind the colon. Tests write another word into the built module.
static AT_DESCRIBE: [u8; 30] = *b"GRISTMILL-DESCRIBE:nothing    ";
/// The same for `init`, whatever the configuration says.
static AT_INIT: [u8; 26] = *b"GRISTMILL-INIT:nothing    ";

/// The word behind the colon.
fn told(marker: &'static [u8]) -> &'static str {
    let text = std::str::from_utf8(std::hint::black_box(marker)).unwrap_or_default();
    text.split_once(':').map_or("", |(_, word)| word.trim_end())
}

/// Does what it is told to do in `describe`.
fn at_describe(descriptor: Descriptor) -> Descriptor {
    match told(&AT_DESCRIBE) {
        "shout" => described_as(descriptor, "LOUD\n\x1b[31m".repeat(2_000_000)),
        "schema" => descriptor.config_schema(&"[".repeat(3 << 20)),
        "branches" => (0..100_000).fold(descriptor, |descriptor, branch| descriptor.branch(&format!("b{branch}"), "")),
        word => match misdeed(word) {
            Some(said) => described_as(descriptor, said),
            None => descriptor,
        },
    }
}

/// What any export can do wrong. `None` if there is no such misdeed.
fn misdeed(word: &str) -> Option<String> {
    match word {
        "spin" => spin(),
        "hog" => Some(hog()),
        "panic" => panic!("told to panic\x1b[31m"),
        "recurse" => Some(recurse(1).to_string()),
        "exit" => std::process::exit(3),
        "chatter" => Some(chatter()),
        _ => None,
    }
}

fn described_as(descriptor: Descriptor, description: String) -> Descriptor {
    Descriptor { description, ..descriptor }
}

/// The configuration.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(crate = "gristmill_sdk::serde", deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    init: AtInit,
}

/// Executes the command in each item.
#[derive(Debug, Clone, Copy)]
pub struct Misbehave {
    /// What `init` came upon.
    found: u64,
}

impl Stage for Misbehave {
    type Config = Config;

    fn describe() -> Descriptor {
        // Forges a line of its own in what `check` prints.
        let descriptor = Descriptor::new("misbehave", env!("CARGO_PKG_VERSION"), "Executes the command in each item\nOK\x1b[2J")
            .config_schema(r#"{ "type": "object", "properties": { "init": { "enum": ["nothing", "spin", "panic", "refuse", "refuse-much", "dice", "map", "clock", "print", "ask", "fill"] } }, "additionalProperties": false }"#)
            .accepts(&["text/*"])
            .branch("declared", "a branch that exists")
            .max_batch(4);
        at_describe(descriptor)
    }

    fn new(config: Config) -> Result<Self, Vec<ConfigFault>> {
        let _ = misdeed(told(&AT_INIT));
        match config.init {
            AtInit::Nothing => Ok(Self { found: 0 }),
            AtInit::Spin => spin(),
            AtInit::Panic => panic!("told to panic in init"),
            AtInit::Refuse => Err(vec![ConfigFault::new("/init", "told to refuse")]),
            AtInit::RefuseMuch => {
                let fault = |number| ConfigFault::new("/init", format!("told to refuse\n{number} {}", "x".repeat(60)));
                Err((0..100_000).map(fault).collect())
            }
            AtInit::Dice => Ok(Self { found: dice() }),
            AtInit::Map => {
                let map: HashMap<&str, u64> = HashMap::from([("one", 1), ("two", 2)]);
                Ok(Self { found: map["one"] + map["two"] })
            }
            AtInit::Clock => Ok(Self { found: clock() }),
            AtInit::Print => {
                print("printed in init");
                Ok(Self { found: 0 })
            }
            AtInit::Ask => {
                let refused = llm::Host.chat(Request::new(vec![Message::user("in init")])).is_err();
                Ok(Self { found: refused.into() })
            }
            AtInit::Fill => {
                hold(40);
                Ok(Self { found: COUNT.load(Ordering::Relaxed) })
            }
        }
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        let text = item.text().unwrap_or_default().to_owned();
        let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let answer = match verb {
            "echo" => rest.to_owned(),
            "spin-once" if item.attempt == 1 => spin(),
            "flood" => return Ok(Outcome::Emit(flood(&item, rest.parse().unwrap_or(0)))),
            "branch" => return Ok(Outcome::one(Output::from(&item).branch(rest))),
            "split" => {
                let words = rest.split(' ').map(|word| Output::from(&item).payload(word));
                return Ok(Outcome::Emit(words.collect()));
            }
            "reject" => return Ok(Outcome::reject("told-to", rest)),
            "outputs" => {
                let many = rest.parse().unwrap_or(0);
                return Ok(Outcome::Emit((0..many).map(|_| Output::from(&item).payload("")).collect()));
            }
            "attributes" => {
                let many: usize = rest.parse().unwrap_or(0);
                let attribute = |number| Attribute { name: format!("n{number}"), value: String::new() };
                let attributes = (0..many).map(attribute).collect();
                return Ok(Outcome::one(Output { attributes, ..Output::from(&item) }));
            }
            "shout" => {
                let long = "LOUD\n\x1b[31m".repeat(500_000);
                return Err(StageError::permanent(&long, &long));
            }
            "ask-too-many" => {
                let answers = llm::Host.chat_many((0..1_001).map(|_| Request::new(Vec::new())).collect());
                let refused = answers.iter().filter(|answer| answer.is_err()).count();
                format!("{refused} of {} refused", answers.len())
            }
            "drop" => return Ok(Outcome::drop("told-to")),
            "retry" => return Err(StageError::retryable("told-to", rest, Some(1))),
            "permanent" => return Err(StageError::permanent("told-to", rest)),
            "ask" => llm::Host.chat(Request::new(vec![Message::user(rest)]))?.text,
            "ask-many" => {
                let requests = rest.split(' ').map(|word| Request::new(vec![Message::user(word)])).collect();
                let mut texts = Vec::new();
                for answer in llm::Host.chat_many(requests) {
                    texts.push(answer?.text);
                }
                texts.join(" ")
            }
            "ask-merged" => {
                let requests = rest.split(' ').map(|word| Request::new(vec![Message::user(word)])).collect();
                let merge = Merge { items: 20, tokens: 8_000, wait: 500, among: MergeScope::Job };
                let mut texts = Vec::new();
                for answer in llm::Host.chat_merged(requests, merge) {
                    texts.push(answer?.text);
                }
                texts.join(" ")
            }
            "ask-then-trap" if item.attempt == 1 => {
                llm::Host.chat(Request::new(vec![Message::user(rest)]))?;
                panic!("after the answer was paid for")
            }
            "ask-then-trap" => llm::Host.chat(Request::new(vec![Message::user(rest)]))?.text,
            "look" => look(),
            "found" => self.found.to_string(),
            "dice" => dice().to_string(),
            "hash" => RandomState::new().hash_one(0).to_string(),
            "clock" => clock().to_string(),
            "time-left" => context::time_left().to_string(),
            "count" => COUNT.fetch_add(1, Ordering::Relaxed).to_string(),
            "count-and-wait" => {
                COUNT.fetch_add(1, Ordering::Relaxed);
                llm::Host.chat(Request::new(vec![Message::user(rest)]))?.text
            }
            "compute" => compute(Duration::from_millis(rest.parse().unwrap_or(0))),
            "hold" => hold(rest.parse().unwrap_or(0)),
            "tokens" => {
                let (encoding, text) = rest.split_once(' ').unwrap_or((rest, ""));
                format!("{:?}", tokens::Host.count(encoding, text))
            }
            "count-megabytes" => {
                let long = "x".repeat(rest.parse::<usize>().unwrap_or(0) << 20);
                format!("{:?}", tokens::Host.count("words", &long))
            }
            "about" => format!("{} {} {}", item.id, item.source.position, item.attempt),
            verb => misdeed(verb).ok_or_else(|| StageError::permanent("unknown-verb", verb))?,
        };
        Ok(Outcome::one(Output::from(&item).payload(answer)))
    }
}

fn spin() -> ! {
    loop {
        std::hint::black_box(());
    }
}

/// A random number.
#[expect(unsafe_code, reason = "the standard library has no stable function for that")]
fn dice() -> u64 {
    unsafe extern "C" {
        fn getentropy(to: *mut u8, len: usize) -> i32;
    }
    let mut bytes = [0; 8];
    // SAFETY: it writes as many bytes as it is told.
    unsafe { getentropy(bytes.as_mut_ptr(), bytes.len()) };
    u64::from_le_bytes(bytes)
}

/// Nanoseconds since 1970.
fn clock() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(clippy::print_stdout, reason = "it exists to print")]
fn print(text: &str) {
    println!("{text}");
}

/// How many items this instance has counted, to show what an instance remembers.
static COUNT: AtomicU64 = AtomicU64::new(0);

fn compute(time: Duration) -> String {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::black_box(());
    }
    "computed".into()
}

/// Leaks this many megabytes.
fn hold(megabytes: usize) -> String {
    std::mem::forget(std::hint::black_box(vec![1_u8; megabytes << 20]));
    COUNT.fetch_add(1, Ordering::Relaxed).to_string()
}

fn hog() -> String {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        held.push(vec![1; 1 << 20]);
        std::hint::black_box(&held);
    }
}

#[expect(unconditional_recursion, reason = "it exists to exhaust the stack")]
fn recurse(depth: u64) -> u64 {
    let here = std::hint::black_box([depth; 64]);
    recurse(depth + 1) + here[7]
}

/// Outputs of one megabyte each, this many of them: more than a guest limited to 64 MiB can hold.
fn flood(item: &Item, megabytes: usize) -> Vec<Output> {
    (0..megabytes).map(|_| Output::from(item).payload(vec![b'x'; 1 << 20])).collect()
}

#[expect(clippy::print_stderr, reason = "it exists to print too much")]
fn chatter() -> String {
    for round in 0..10_000 {
        log::info(&format!("chatter {round}"));
        eprint!("printed {round} ");
    }
    "said a lot".into()
}

/// What the guest can see of the outside.
fn look() -> String {
    let files = std::fs::read_dir("/").map(Iterator::count).unwrap_or(0);
    let variables = std::env::vars().count();
    let arguments = std::env::args().count();
    let connected = std::net::TcpStream::connect("127.0.0.1:80").is_ok();
    format!("files {files} variables {variables} arguments {arguments} connected {connected}")
}

gristmill_sdk::stage!(Misbehave);
