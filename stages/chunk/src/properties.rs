//! Properties that hold for every text and every configuration.

use gristmill_sdk::tokens::{Error, Tokens};
use gristmill_sdk::{Item, Outcome, Output, Stage};
use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use crate::meter::{Meter, Unit};
use crate::{Chunk, Config, Format, HeadingPath};

/// Pieces to build texts from: each is there for a rule that it may break.
const PIECES: &[&str] = &[
    "a",
    "word",
    "Satz",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\t",
    "\u{c}",
    ". ",
    "! ",
    "...",
    "z. B. ",
    "3. Mai",
    "\"",
    "# ",
    "## ",
    "### A\n",
    "\n---\n",
    "\n===\n",
    "```\n",
    "\n```sh\n",
    "Dr. ",
    "\n\n1. Scope\n",
    "\n\n2. Fees\n\n",
    "\n|1|2|\n",
    "\n~~~\n",
    "- ",
    "\n1. ",
    "> ",
    "|a|b|\n",
    "|-|-|\n",
    "    ",
    "<!--",
    "-->",
    "\u{feff}",
    "é",
    "e\u{301}",
    "\u{301}",
    "👨‍👩‍👧‍👦",
    "👍🏽",
    "🇩🇪",
    "\u{200d}",
    "한",
    "\u{1112}\u{1161}",
    "日本",
    "カタカナ",
    "。",
    "「」",
    "ไทยสวัสดี",
    "नमस्ते",
    "क्ष",
    "।",
    "العربية",
    "\u{600}",
    "\u{2028}",
    "\u{a0}",
    "supercalifragilistic",
    "https://a.example/b?c=d",
    "12345",
];

fn text() -> impl Strategy<Value = String> {
    let known = prop::sample::select(PIECES).prop_map(str::to_owned);
    let piece = prop_oneof![9 => known, 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(piece, 0..120).prop_map(|pieces| pieces.concat())
}

fn config() -> impl Strategy<Value = Config> {
    let unit = prop::sample::select(vec![Unit::Characters, Unit::Tokens]);
    let format = prop::sample::select(vec![Format::Text, Format::Markdown]);
    let path = prop::sample::select(vec![HeadingPath::Attribute, HeadingPath::Text]);
    let parts = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    (1..60_u32, parts, unit, format, 0..=6_u8, path).prop_map(
        |(size, (overlap, least), unit, format, split_at_heading, heading_path)| Config {
            size: size.try_into().unwrap(),
            min_size: Some(u32::try_from(least.index(size as usize / 2 + 1)).unwrap()),
            overlap: u32::try_from(overlap.index(size as usize)).unwrap(),
            unit,
            format,
            split_at_heading,
            heading_path,
        },
    )
}

fn chunks(config: &Config, text: &str) -> Vec<Output> {
    match Chunk::new(config.clone()).unwrap().process(Item::sample(text, Some("text/plain"))).unwrap() {
        Outcome::Emit(outputs) => outputs,
        _ => Vec::new(),
    }
}

fn number(output: &Output, name: &str) -> usize {
    output.attribute_value(name).unwrap().parse().unwrap()
}

/// The part of the text that a chunk holds, without what is put around it.
fn own(output: &Output) -> String {
    let added = |name| output.attribute_value(name).map_or(0, |added| added.parse().unwrap());
    let characters: Vec<char> = payload(output).chars().collect();
    let (before, after) = (added("chunk.added-before"), added("chunk.added-after"));
    characters[before..characters.len() - after].iter().collect()
}

trait Attributes {
    fn attribute_value(&self, name: &str) -> Option<&str>;
}

impl Attributes for Output {
    fn attribute_value(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.value.as_str())
    }
}

fn payload(output: &Output) -> &str {
    std::str::from_utf8(&output.payload).unwrap()
}

fn fits(text: &str, config: &Config) -> bool {
    let mut meter = Meter::new(config.unit);
    text.chars().for_each(|character| meter.add(character));
    meter.fits(config.size.get())
}

/// An encoding in which two bytes are a token, unlike in any estimate.
struct Pairs;

impl Tokens for Pairs {
    fn count(&self, _: &str, text: &str) -> Result<u32, Error> {
        Ok(u32::try_from(text.len().div_ceil(2)).unwrap())
    }
}

proptest! {
    #[test]
    fn counted_chunks_fit_or_are_one_grapheme_and_are_the_text(text in text(), config in config()) {
        prop_assume!(!text.trim().is_empty());
        let stage = Chunk::new(Config { unit: Unit::O200kBase, ..config.clone() }).unwrap();
        let Outcome::Emit(chunks) = stage.chunk(&Item::sample(text.as_str(), Some("text/plain")), &Pairs).unwrap() else {
            panic!("no chunks");
        };
        let mut joined = String::new();
        for chunk in &chunks {
            let count = Pairs.count("", payload(chunk)).unwrap();
            prop_assert_eq!(number(chunk, "chunk.tokens"), count as usize);
            prop_assert!(count <= config.size.get() || payload(chunk).graphemes(true).count() == 1);
            joined.extend(own(chunk).chars().skip(number(chunk, "chunk.overlap")));
        }
        prop_assert_eq!(joined, text);
    }

    #[test]
    fn chunks_without_what_they_repeat_are_the_text(text in text(), config in config()) {
        prop_assume!(!text.trim().is_empty());
        let mut joined = String::new();
        for chunk in chunks(&config, &text) {
            joined.extend(own(&chunk).chars().skip(number(&chunk, "chunk.overlap")));
        }
        prop_assert_eq!(joined, text);
    }

    #[test]
    fn every_chunk_fits_or_is_one_grapheme(text in text(), config in config()) {
        for chunk in chunks(&config, &text) {
            prop_assert!(fits(payload(&chunk), &config) || payload(&chunk).graphemes(true).count() == 1);
        }
    }

    #[test]
    fn offsets_are_those_of_the_characters(text in text(), config in config()) {
        let characters: Vec<char> = text.chars().collect();
        for chunk in chunks(&config, &text) {
            let range = number(&chunk, "chunk.start")..number(&chunk, "chunk.end");
            prop_assert_eq!(characters[range].iter().collect::<String>(), own(&chunk));
        }
    }

    #[test]
    fn no_grapheme_is_cut(text in text(), config in config()) {
        let mut ends: Vec<usize> = vec![0];
        for grapheme in text.graphemes(true) {
            ends.push(ends.last().unwrap() + grapheme.chars().count());
        }
        for chunk in chunks(&config, &text) {
            prop_assert!(ends.binary_search(&number(&chunk, "chunk.start")).is_ok());
            prop_assert!(ends.binary_search(&number(&chunk, "chunk.end")).is_ok());
        }
    }

    #[test]
    fn every_chunk_starts_and_ends_after_the_previous_one(text in text(), config in config()) {
        for pair in chunks(&config, &text).windows(2) {
            prop_assert!(number(&pair[0], "chunk.start") < number(&pair[1], "chunk.start"));
            prop_assert!(number(&pair[0], "chunk.end") < number(&pair[1], "chunk.end"));
        }
    }

    #[test]
    fn an_overlap_stays_within_its_limit(text in text(), config in config()) {
        let limit = Config { size: config.overlap.max(1).try_into().unwrap(), ..config.clone() };
        for chunk in chunks(&config, &text) {
            let overlap = number(&chunk, "chunk.overlap");
            let repeated: String = own(&chunk).chars().take(overlap).collect();
            prop_assert!(overlap == 0 || (config.overlap > 0 && fits(&repeated, &limit)));
        }
    }

    #[test]
    fn a_dividing_heading_is_only_found_at_the_start_of_a_chunk(
        levels in prop::collection::vec((1..=6_usize, 1..6_usize), 1..20),
        config in config(),
    ) {
        // A heading without text would go with the next one.
        let mut text = String::new();
        for (level, sentences) in levels {
            let sign = "#".repeat(level);
            text.push_str(&format!("{sign} H\n\n{}\n\n", "Some words here. ".repeat(sentences)));
        }
        let (size, overlap) = (40.try_into().unwrap(), config.overlap.min(20));
        let least = Some(0);
        let config = Config { format: Format::Markdown, size, overlap, min_size: least, ..config };
        for chunk in chunks(&config, &text) {
            for level in 1..=usize::from(config.split_at_heading) {
                let heading = format!("\n{} H", "#".repeat(level));
                prop_assert!(!own(&chunk).contains(&heading));
            }
        }
    }

    #[test]
    fn no_chunk_leaves_a_fence_open_or_consists_of_headings(
        blocks in prop::collection::vec((0..4_usize, 1..9_usize), 1..12),
        config in config(),
    ) {
        let block = |(kind, lines): (usize, usize)| match kind {
            0 => format!("## Title {lines}\n\n### Below\n\n"),
            1 => format!("```sh\n{}```\n\n", "run it now\n".repeat(lines)),
            2 => format!("|a|b|\n|-|-|\n{}\n", "|cell|row|\n".repeat(lines)),
            _ => format!("{}\n\n", "Some words. ".repeat(lines)),
        };
        // Between two headings stands something: a run of headings may be longer than a chunk.
        let text: String = blocks.into_iter().map(|(kind, lines)| block((kind, lines)) + &block((1 + lines % 3, 2))).collect();
        let (size, overlap) = (60.try_into().unwrap(), config.overlap.min(20));
        let (unit, format) = (Unit::Characters, Format::Markdown);
        let config = Config { size, overlap, unit, format, min_size: Some(10), ..config };
        let is_heading = |line: &str| line.is_empty() || line.starts_with('#');
        for chunk in chunks(&config, &text) {
            let text = payload(&chunk);
            prop_assert!(text.matches("```").count().is_multiple_of(2), "{}", text);
            prop_assert!(!own(&chunk).lines().all(is_heading), "{}", text);
        }
    }

    #[test]
    fn the_same_event_gives_the_same_chunks(text in text(), config in config()) {
        prop_assert_eq!(chunks(&config, &text), chunks(&config, &text));
    }
}
