//! What secrets begin with, as tables: which of them can begin at a place, and which one does.

use super::assignment::WORDS;
use super::keys::PREFIXES;

/// How many bytes of a beginning are looked at, and into how many groups the beginnings are put.
pub(in crate::pii) const STAGES: usize = 4;
pub(in crate::pii) const BUCKETS: usize = 16;
/// The group of " dot ", which is no secret but found in the same pass.
pub(in crate::pii) const SPELLED_DOT: usize = 15;

const COUNT: usize = PREFIXES.len() + WORDS.len();

/// All beginnings: the prefixes of keys and then the words.
pub(in crate::pii) const BEGINNINGS: [&str; COUNT] = beginnings();

const fn beginnings() -> [&'static str; COUNT] {
    let mut all = [""; COUNT];
    let mut at = 0;
    while at < COUNT {
        all[at] = if at < PREFIXES.len() { PREFIXES[at].prefix } else { WORDS[at - PREFIXES.len()].word };
        at += 1;
    }
    all
}

/// The group of the beginnings that end before the last stage.
const SHORT: usize = 14;

/// The group of a beginning: what has its first byte in common, so that few others fit too.
const fn bucket(beginning: &[u8]) -> usize {
    if beginning.len() < STAGES {
        return SHORT;
    }
    match beginning[0].to_ascii_lowercase() {
        b'a' => 0,
        b'b' => 1,
        b'c' => 2,
        b'd' => 3,
        b'e' => 4,
        b'g' => 5,
        b'h' | b'k' => 6,
        b'l' => 7,
        b'm' | b'n' => 8,
        b'p' => 9,
        b'r' => 10,
        b's' => 11,
        b't' | b'w' | b'x' | b'y' => 12,
        _ => 13,
    }
}

/// For each byte and stage, the groups that have it there in no beginning.
pub(in crate::pii) static MISFITS: [u64; 256] = misfits();

const fn misfits() -> [u64; 256] {
    let mut all = [u64::MAX; 256];
    let mut at = 0;
    while at < COUNT {
        let beginning = BEGINNINGS[at].as_bytes();
        all = with(all, beginning, bucket(beginning));
        at += 1;
    }
    with(all, b" dot", SPELLED_DOT)
}

const fn with(mut all: [u64; 256], beginning: &[u8], bucket: usize) -> [u64; 256] {
    let mut stage = 0;
    while stage < STAGES {
        let mask = !(1 << (stage * BUCKETS + bucket));
        let mut byte = 0;
        while byte < 256 {
            let fits = match beginning {
                _ if stage < beginning.len() => (byte as u8).eq_ignore_ascii_case(&beginning[stage]),
                // What follows the shortest one is hexadecimal.
                [_, _] => (byte as u8).is_ascii_hexdigit(),
                _ => true,
            };
            if fits {
                all[byte] &= mask;
            }
            byte += 1;
        }
        stage += 1;
    }
    all
}

/// The beginnings by their first byte in lower case, the longest first: it decides.
#[derive(Debug)]
pub(super) struct Starts {
    groups: [Vec<usize>; 256],
}

impl Starts {
    pub(super) fn new() -> Self {
        let mut groups: [Vec<usize>; 256] = std::array::from_fn(|_| Vec::new());
        for (place, beginning) in BEGINNINGS.iter().enumerate() {
            groups[usize::from(beginning.as_bytes()[0].to_ascii_lowercase())].push(place);
        }
        groups.iter_mut().for_each(|group| group.sort_by_key(|place| usize::MAX - BEGINNINGS[*place].len()));
        Self { groups }
    }

    /// The place of the longest beginning that this text begins with, in any letter case.
    pub(super) fn find(&self, rest: &[u8]) -> Option<usize> {
        let [first, second, ..] = rest else { return None };
        self.groups[usize::from(first.to_ascii_lowercase())].iter().copied().find(|place| {
            let beginning = BEGINNINGS[*place].as_bytes();
            // Most differ here already.
            beginning[1].eq_ignore_ascii_case(second)
                && rest.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
        })
    }
}
