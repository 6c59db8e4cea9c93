//! The stage as a whole.

use gristmill_sdk::serde_json::{self, Value, json};
use gristmill_sdk::{Attribute, Header, Item, Outcome, Output, Stage, configure};

use crate::Chunk;

mod around;

fn outcome(config: &Value, item: Item) -> Outcome {
    configure::<Chunk>(&config.to_string()).unwrap().process(item).unwrap()
}

fn outputs(config: &Value, content_type: &str, text: &str) -> Vec<Output> {
    match outcome(config, Item::sample(text, Some(content_type))) {
        Outcome::Emit(outputs) => outputs,
        other => panic!("expected chunks, got {other:?}"),
    }
}

fn payload(output: &Output) -> &str {
    std::str::from_utf8(&output.payload).unwrap()
}

fn plain(config: &Value, text: &str) -> Vec<String> {
    outputs(config, "text/plain", text).iter().map(|output| payload(output).to_owned()).collect()
}

fn markdown(config: &Value, text: &str) -> Vec<String> {
    outputs(config, "text/markdown", text).iter().map(|output| payload(output).to_owned()).collect()
}

fn attributes(name: &str, outputs: &[Output]) -> Vec<Option<String>> {
    let of = |output: &Output| output.attributes.iter().find(|a| a.name == name).map(|a| a.value.clone());
    outputs.iter().map(of).collect()
}

fn some(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|value| Some((*value).to_owned())).collect()
}

#[test]
fn a_short_text_is_one_chunk() {
    assert_eq!(plain(&json!({}), "Hello.\n"), ["Hello.\n"]);
}

#[test]
fn paragraphs_are_packed_while_they_fit() {
    assert_eq!(plain(&json!({"size": 14}), "One.\n\nTwo.\n\nThree."), ["One.\n\nTwo.\n\n", "Three."]);
}

#[test]
fn a_paragraph_that_just_fits_stays_whole_and_its_gap_moves_to_the_next_chunk() {
    assert_eq!(plain(&json!({"size": 9}), "Uno. Due.\n\nThree."), ["Uno. Due.", "\n\nThree."]);
}

#[test]
fn a_long_paragraph_is_cut_between_sentences() {
    let text = "First one here. Second one. Third one goes on.";
    assert_eq!(plain(&json!({"size": 30}), text), ["First one here. Second one. ", "Third one goes on."]);
}

#[test]
fn a_wrapped_sentence_is_cut_at_a_line_end_before_a_word() {
    assert_eq!(plain(&json!({"size": 20}), "one two\nthree four five six"), ["one two\n", "three four five six"]);
}

#[test]
fn a_long_sentence_is_cut_between_words() {
    assert_eq!(plain(&json!({"size": 10}), "aaaa bbbbb ccccc"), ["aaaa bbbbb", " ccccc"]);
}

#[test]
fn a_very_long_word_is_cut_between_graphemes() {
    assert_eq!(plain(&json!({"size": 4}), "aaaaaaaaaa b"), ["aaaa", "aaaa", "aa b"]);
}

#[test]
fn a_long_address_is_cut_between_its_parts() {
    let chunks = plain(&json!({"size": 26}), "https://host.example/one/two/three");
    assert_eq!(chunks, ["https://host.example/one/", "two/three"]);
}

#[test]
fn a_grapheme_is_never_split() {
    assert_eq!(plain(&json!({"size": 8}), "👨‍👩‍👧‍👦👨‍👩‍👧‍👦x"), ["👨‍👩‍👧‍👦", "👨‍👩‍👧‍👦x"]);
    assert_eq!(plain(&json!({"size": 3}), "e\u{301}e\u{301}"), ["e\u{301}", "e\u{301}"]);
    assert_eq!(plain(&json!({"size": 3}), "🇩🇪🇫🇷"), ["🇩🇪", "🇫🇷"]);
    assert_eq!(plain(&json!({"size": 2}), "a\r\nb"), ["a", "\r\n", "b"]);
}

#[test]
fn a_grapheme_larger_than_the_size_is_a_chunk_of_its_own() {
    assert_eq!(plain(&json!({"size": 3}), "ab👨‍👩‍👧‍👦cd"), ["ab", "👨‍👩‍👧‍👦", "cd"]);
}

#[test]
fn chinese_is_cut_between_sentences_or_else_between_words() {
    assert_eq!(plain(&json!({"size": 8}), "今天天气好。我们去公园。"), ["今天天气好。", "我们去公园。"]);
    assert_eq!(plain(&json!({"size": 6}), "日本のカタカナ語"), ["日本の", "カタカナ語"]);
}

#[test]
fn thai_prefers_the_spaces_between_phrases() {
    assert_eq!(plain(&json!({"size": 14}), "สวัสดีครับ ยินดีต้อนรับ"), ["สวัสดีครับ ", "ยินดีต้อนรับ"]);
}

#[test]
fn a_space_is_a_better_place_to_cut_than_the_inside_of_an_address() {
    let text = "Look at this page: https://a.example/b";
    assert_eq!(plain(&json!({"size": 30}), text), ["Look at this page: ", "https://a.example/b"]);
}

#[test]
fn an_early_space_in_chinese_does_not_make_a_small_chunk() {
    assert_eq!(plain(&json!({"size": 8}), "三 今天天气好我们去公园"), ["三 今天天气好我", "们去公园"]);
}

#[test]
fn trailing_white_space_is_not_a_chunk_of_its_own() {
    assert_eq!(plain(&json!({"size": 9}), "aaaa bbbb\n"), ["aaaa ", "bbbb\n"]);
}

#[test]
fn windows_line_endings_divide_paragraphs() {
    assert_eq!(plain(&json!({"size": 12}), "One two.\r\n\r\nThree."), ["One two.\r\n\r\n", "Three."]);
}

#[test]
fn a_chunk_repeats_sentences_up_to_the_overlap() {
    let text = "One is. Two is. Three is. Four is.";
    let chunks = outputs(&json!({"size": 18, "overlap": 10}), "text/plain", text);
    let texts: Vec<&str> = chunks.iter().map(payload).collect();
    assert_eq!(texts, ["One is. Two is. ", "Two is. Three is. ", "Three is. Four is."]);
    assert_eq!(attributes("chunk.overlap", &chunks), some(&["0", "8", "10"]));
    assert_eq!(attributes("chunk.start", &chunks), some(&["0", "8", "16"]));
    assert_eq!(attributes("chunk.end", &chunks), some(&["16", "26", "34"]));
}

#[test]
fn an_overlap_without_the_start_of_a_sentence_starts_at_a_word() {
    assert_eq!(
        plain(&json!({"size": 15, "overlap": 8}), "aaaa bbbb cccc dddd eeee"),
        ["aaaa bbbb cccc ", "cccc dddd eeee"]
    );
}

#[test]
fn an_overlap_repeats_lines_of_a_code_block_only_inside_it() {
    let config = json!({"size": 24, "overlap": 8});
    let inside = markdown(&config, "```\nmake one\nb c\nd e f g\n```\n");
    assert_eq!(inside, ["```\nmake one\nb c\n```\n", "```\nb c\nd e f g\n```\n"]);
    let after = markdown(&config, "```\nmake one\n```\n\nThe text under it.");
    assert_eq!(after, ["```\nmake one\n```\n\n", "The text under it."]);
}

#[test]
fn an_overlap_that_would_break_a_code_block_is_left_out() {
    let text = "Some text here.\n\n```\nmake one\n```\n";
    assert_eq!(markdown(&json!({"size": 18, "overlap": 8}), text), ["Some text here.\n\n", "```\nmake one\n```\n"]);
}

#[test]
fn an_overlap_never_crosses_a_dividing_heading() {
    let chunks = outputs(&json!({"size": 40, "overlap": 30}), "text/markdown", "# A\n\nFirst.\n\n# B\n\nSecond.\n");
    assert_eq!(attributes("chunk.overlap", &chunks), some(&["0", "0"]));
}

#[test]
fn no_chunk_crosses_a_heading_down_to_the_configured_level() {
    let text = "# A\n\na\n\n## B\n\nb\n\n### C\n\nc\n";
    let at = |level: u8, text: &str| markdown(&json!({"min_size": 0, "split_at_heading": level}), text);
    assert_eq!(at(2, text), ["# A\n\na\n\n", "## B\n\nb\n\n### C\n\nc\n"]);
    assert_eq!(at(1, text), [text]);
    assert_eq!(at(0, &text.repeat(2)), [text.repeat(2)]);
    assert_eq!(at(3, text).len(), 3);
}

#[test]
fn a_deeper_heading_is_a_better_place_to_cut_than_a_paragraph() {
    let text = "One.\n\n### C\n\nTwo.\n\nThree is here.";
    assert_eq!(markdown(&json!({"size": 25}), text), ["One.\n\n", "### C\n\nTwo.\n\n", "Three is here."]);
}

#[test]
fn a_chunk_carries_the_path_of_its_headings() {
    let text = "intro\n\nA\n=\n\na\n\nB\n-\n\nb\n\n# D\n\nd\n";
    let chunks = outputs(&json!({"min_size": 0}), "text/markdown", text);
    let path = |text: &str| Some(text.to_owned());
    assert_eq!(attributes("chunk.heading-path", &chunks), [None, path("A"), path("A > B"), path("D")]);
}

#[test]
fn a_fence_that_fits_is_not_split_and_its_comments_are_not_headings() {
    let fence = "```sh\n# install. Then:\nmake all\n\nmake test\n```\n";
    let text = format!("A sentence. Another one.\n\n{fence}\nThe end.\n");
    assert_eq!(markdown(&json!({"size": 50}), &text)[1], format!("{fence}\n"));
}

#[test]
fn a_fence_that_does_not_fit_is_cut_between_lines() {
    let text = "```\nfirst. Line one\nsecond. Line two\n```\n";
    let chunks = ["```\nfirst. Line one\n```\n", "```\nsecond. Line two\n```\n"];
    assert_eq!(markdown(&json!({"size": 26}), text), chunks);
}

#[test]
fn lists_and_tables_are_cut_between_items_and_rows() {
    let list = "- one. Uno\n- two. Due\n- three\n";
    assert_eq!(markdown(&json!({"size": 25}), list), ["- one. Uno\n- two. Due\n", "- three\n"]);
    let table = "|h|\n|-|\n|1. A|\n|2. B|\n";
    assert_eq!(markdown(&json!({"size": 18}), table), ["|h|\n|-|\n|1. A|\n", "|h|\n|-|\n|2. B|\n"]);
}

#[test]
fn a_heading_goes_with_what_follows() {
    let text = "# A\n\n## B\n\nSome words without an end and more of them\n\n# C\n";
    let chunks = markdown(&json!({"size": 30, "min_size": 0}), text);
    assert_eq!(chunks, ["# A\n\n## B\n\nSome words without ", "an end and more of them\n\n# C\n"]);
    let code = "### A\n\n```\nmake one\nmake two\n```\n";
    assert!(markdown(&json!({"size": 28}), code)[0].starts_with("### A\n\n```\nmake one\n"));
}

#[test]
fn small_sections_are_put_together_but_not_across_a_higher_heading_if_it_can_be_helped() {
    let text = "# A\n\nThis is the first text of A, and it is long.\n\n## B\n\nShort.\n\n# C\n\nThis is the text of C, and it is long too.\n";
    let chunks = markdown(&json!({"size": 100, "min_size": 30}), text);
    assert_eq!(chunks.len(), 2);
    assert!(chunks[0].ends_with("## B\n\nShort.\n\n") && chunks[1].starts_with("# C"));
}

#[test]
fn the_last_chunk_gets_enough_to_be_of_the_minimum() {
    let text = "word ".repeat(21);
    let sizes: Vec<usize> = plain(&json!({"size": 100}), &text).iter().map(String::len).collect();
    assert_eq!(sizes, [84, 21]);
    let paragraphs = format!("{}\n\n{}", "One is. ".repeat(11).trim_end(), "Two is.");
    assert_eq!(plain(&json!({"size": 90}), &paragraphs)[1], "One is. One is.\n\nTwo is.");
}

#[test]
fn no_cut_divides_an_abbreviation_from_its_word() {
    let text = "The letter went to the hospital where Dr. Smithsonovich-Wellington works.";
    assert_eq!(plain(&json!({"size": 50, "min_size": 0}), text)[0], "The letter went to the hospital where ");
}

#[test]
fn an_address_that_fits_into_a_chunk_is_not_cut() {
    let text = "Look at https://a.example/one/two/three/four now.";
    let chunks = plain(&json!({"size": 40, "min_size": 0}), text);
    assert_eq!(chunks, ["Look at ", "https://a.example/one/two/three/four ", "now."]);
}

#[test]
fn numbered_headings_of_plain_text_divide_it() {
    let text = "1. Scope\nThis text explains the scope.\n\n2. Fees\nThis text explains the fees.\n";
    let chunks = outputs(&json!({"min_size": 0}), "text/plain", text);
    assert_eq!(attributes("chunk.heading-path", &chunks), some(&["1. Scope", "2. Fees"]));
}

#[test]
fn the_media_type_decides_the_format_unless_it_is_configured() {
    let text = "# A\n\na\n\n# B\n\nb\n";
    let count = |config: Value, content_type: &str| outputs(&config, content_type, text).len();
    assert_eq!(count(json!({"min_size": 0}), "text/Markdown; charset=utf-8"), 2);
    assert_eq!(count(json!({"min_size": 0}), "text/plain"), 1);
    assert_eq!(count(json!({"min_size": 0, "format": "markdown"}), "text/plain"), 2);
    assert_eq!(count(json!({"min_size": 0, "format": "text"}), "text/markdown"), 1);
}

#[test]
fn a_form_feed_ends_a_paragraph_and_a_page() {
    let chunks = outputs(&json!({"size": 12}), "text/plain", "Page é one\u{c}Page two. More.\u{c}\u{c}Four");
    let texts: Vec<&str> = chunks.iter().map(payload).collect();
    assert_eq!(texts, ["Page é one\u{c}", "Page two. ", "More.\u{c}\u{c}Four"]);
    assert_eq!(attributes("chunk.page", &chunks), some(&["1", "2", "2"]));
    assert_eq!(attributes("chunk.start", &chunks), some(&["0", "11", "21"]));
}

#[test]
fn a_text_without_form_feeds_carries_no_page() {
    assert_eq!(attributes("chunk.page", &outputs(&json!({}), "text/plain", "Hi")), [None]);
}

#[test]
fn a_document_of_one_page_has_a_page_if_extract_counted_it() {
    let mut item = Item::sample("Hi", Some("text/plain"));
    item.attributes.push(Attribute { name: "extract.pages".into(), value: "1".into() });
    let Outcome::Emit(outputs) = outcome(&json!({}), item) else { panic!("expected chunks") };
    assert_eq!(attributes("chunk.page", &outputs), some(&["1"]));
}

#[test]
fn chunks_are_numbered_and_keep_media_type_and_headers() {
    let mut item = Item::sample("One.\n\nTwo.", Some("text/plain"));
    item.headers = vec![Header { name: "trace".into(), value: Some(b"7".to_vec()) }];
    let Outcome::Emit(outputs) = outcome(&json!({"size": 6}), item.clone()) else { panic!("expected chunks") };
    assert_eq!(attributes("chunk.ordinal", &outputs), some(&["0", "1"]));
    assert_eq!(attributes("chunk.count", &outputs), some(&["2", "2"]));
    for output in &outputs {
        assert_eq!((&output.headers, &output.content_type), (&item.headers, &item.content_type));
    }
}

#[test]
fn tokens_are_estimated() {
    let text = "The quick brown fox jumps over the lazy dog. ".repeat(20);
    let chunks = plain(&json!({"size": 50, "unit": "tokens"}), &text);
    assert!(chunks.iter().all(|chunk| (20..50).contains(&chunk.split_whitespace().count())), "{chunks:?}");
}

#[test]
fn text_without_content_is_dropped() {
    for text in ["", " \n\u{c}\t"] {
        assert!(matches!(outcome(&json!({}), Item::sample(text, None)), Outcome::Drop(code) if code == "no-text"));
    }
}

#[test]
fn bytes_that_are_not_text_are_rejected() {
    let item = Item::sample(b"caf\xe9".to_vec(), Some("text/plain; charset=latin1"));
    assert!(matches!(outcome(&json!({}), item), Outcome::Reject(failure) if failure.code == "not-utf8"));
}

#[test]
fn an_overlap_that_is_not_less_than_the_size_is_a_fault() {
    let faults = configure::<Chunk>(r#"{"size": 10, "overlap": 10}"#).unwrap_err();
    assert_eq!(faults[0].pointer, "/overlap");
}

#[test]
fn a_minimum_of_more_than_half_of_the_size_is_a_fault() {
    let faults = configure::<Chunk>(r#"{"size": 10, "min_size": 6}"#).unwrap_err();
    assert_eq!(faults[0].pointer, "/min_size");
}

#[test]
fn a_heading_level_that_does_not_exist_is_a_fault() {
    let faults = configure::<Chunk>(r#"{"split_at_heading": 7}"#).unwrap_err();
    assert_eq!(faults[0].pointer, "/split_at_heading");
}

#[test]
fn an_unknown_setting_is_a_fault() {
    assert!(configure::<Chunk>(r#"{"sise": 10}"#).is_err());
}

#[test]
fn the_schema_names_the_settings_and_defaults_of_the_configuration() {
    let schema: Value = serde_json::from_str(&Chunk::describe().config_schema_json.unwrap()).unwrap();
    let with_default = |(name, property): (&String, &Value)| Some((name.clone(), property.get("default")?.clone()));
    let properties = schema["properties"].as_object().unwrap();
    let defaults: serde_json::Map<String, Value> = properties.iter().filter_map(with_default).collect();
    assert_eq!(properties.len(), defaults.len() + 1, "only `min_size` depends on another setting");
    let explicit: crate::Config = serde_json::from_value(Value::Object(defaults)).unwrap();
    assert_eq!(format!("{explicit:?}"), format!("{:?}", crate::Config::default()));
}
