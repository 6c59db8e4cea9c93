//! PDF files through the stage: reading order, fonts, damage, encryption and limits.

// Clippy allows unwrap only inside test functions, not in their helpers.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use gristmill_sdk::{Item, Outcome, Output, Stage};
use gristmill_stage_extract::{Config, Extract, PdfLayout};

const THREE_PAGES: &str = "Page one\nMail to mara.lindqvist@example.com or not.\nText inside of a form\u{C}\
                           Page two is turned\nand upright again when shown.\u{C}\
                           Page three\nspelled out\nFilled in by Ana\nx² + y²";

fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)).unwrap()
}

fn process(payload: Vec<u8>, config: Config) -> Outcome {
    Extract::new(config).unwrap().process(Item::sample(payload, Some("application/pdf"))).unwrap()
}

fn output(payload: Vec<u8>) -> Output {
    match process(payload, Config::default()) {
        Outcome::Emit(mut outputs) => outputs.remove(0),
        other => panic!("{other:?}"),
    }
}

fn text(payload: Vec<u8>) -> String {
    String::from_utf8(output(payload).payload).unwrap()
}

fn code(outcome: Outcome) -> String {
    match outcome {
        Outcome::Reject(failure) => failure.code,
        Outcome::Emit(outputs) => String::from_utf8(outputs[0].payload.clone()).unwrap(),
        Outcome::Drop(code) => code,
    }
}

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

/// The output in a pipeline that has routes for these branches.
fn routed(payload: Vec<u8>, content_type: Option<&str>, is_routed: impl Fn(&str) -> bool) -> Output {
    let stage = Extract::new(Config::default()).unwrap();
    match stage.extract(&Item::sample(payload, content_type), is_routed) {
        Outcome::Emit(mut outputs) => outputs.remove(0),
        other => panic!("{other:?}"),
    }
}

fn attribute<'a>(output: &'a Output, name: &str) -> Option<&'a str> {
    output.attributes.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.value.as_str())
}

/// A PDF of pages with these content streams, without a cross-reference table.
fn pages(contents: &[&[u8]]) -> Vec<u8> {
    let kids: Vec<String> = (0..contents.len()).map(|number| format!("{} 0 R", 10 + 2 * number)).collect();
    let (kids, count) = (kids.join(" "), contents.len());
    let mut file = format!(
        "%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n\
         2 0 obj <</Type/Pages/Kids[{kids}]/Count {count}/MediaBox[0 0 595 842]/Resources \
         <</Font<</F <</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>> endobj\n"
    )
    .into_bytes();
    for (number, content) in contents.iter().enumerate() {
        let (page, stream) = (10 + 2 * number, 11 + 2 * number);
        let length = content.len();
        file.extend(format!("{page} 0 obj <</Type/Page/Parent 2 0 R/Contents {stream} 0 R>> endobj\n").bytes());
        file.extend(format!("{stream} 0 obj <</Length {length}>> stream\n").bytes());
        file.extend(*content);
        file.extend(b"\nendstream endobj\n");
    }
    file.extend(format!("trailer <</Root 1 0 R/Size {}>>\n", 10 + 2 * count).bytes());
    file
}

/// A PDF of one page with this content stream, without a cross-reference table.
fn page(content: &[u8], stream_entries: &str) -> Vec<u8> {
    let mut file = b"%PDF-1.4\n1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj\n\
        2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj\n\
        3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources \
        <</Font<</F <</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>/XObject<</X 5 0 R>>>>>> endobj\n"
        .to_vec();
    file.extend(format!("4 0 obj <</Length {}{stream_entries}>> stream\n", content.len()).bytes());
    file.extend(content);
    file.extend(
        b"\nendstream endobj\n5 0 obj <</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Length 12/Resources\
        <</XObject<</X 5 0 R>>>>>> stream\n/X Do /X Do \nendstream endobj\ntrailer <</Root 1 0 R/Size 6>>\n",
    );
    file
}

#[test]
fn letter_space_within_a_word_is_a_space_and_that_of_a_whole_word_is_not() {
    let content = b"BT /F 10 Tf 50 700 Td (a vie) Tj 3 Tc 21.12 0 Td (wo) Tj 0 Tc 15.78 0 Td (f it) Tj ET \
                    BT /F 10 Tf 50 650 Td (das ) Tj 2.5 Tc 18.9 0 Td (Wort) Tj 0 Tc 31.11 0 Td ( ist) Tj ET \
                    BT /F 10 Tf 50 600 Td 2.78 Tc [(i) 278 (ft)] TJ 0 Tc 10.56 0 Td (he end) Tj ET";
    assert_eq!(text(page(content, "")), "a view of it\ndas Wort ist\nif the end");
}

#[test]
fn two_columns_are_read_one_after_the_other() {
    let text = text(file("two-columns.pdf"));
    let order =
        ["A title", "The left column", "its end, which", "The right column", "the last of them", "A closing line"];
    let places: Vec<usize> = order.iter().map(|words| text.find(words).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn a_table_is_read_row_by_row_with_tabs_between_cells() {
    let text = text(file("table.pdf"));
    assert!(text.starts_with("Stock\n\nPart\tSite\tOwner\tPrice\nBolt M4\tLyon\tA. Brandt\t0.12\n"), "{text}");
    assert_eq!(text.lines().count(), 8);
}

#[test]
fn composite_fonts_are_read_by_their_tounicode_table() {
    assert_eq!(text(file("cid.pdf")), "Ωμέγα ŁódźЖooffi");
}

#[test]
fn composite_fonts_without_a_table_are_read_by_the_embedded_font() {
    assert_eq!(text(file("cid-unmapped.pdf")), "Ωμέγα ŁódźЖo");
}

#[test]
fn east_asian_fonts_are_read_by_their_character_collection() {
    for name in ["cjk.pdf", "cjk-embedded.pdf"] {
        assert_eq!(text(file(name)), "契約書の第一条", "{name}");
    }
}

#[test]
fn ligatures_are_written_out_and_kerned_words_are_separated() {
    assert_eq!(text(file("ligatures.pdf")), "The office fills flags, baffles and staff\nbold words");
}

#[test]
fn pages_forms_fields_and_rotated_text_are_kept() {
    for name in ["pages.pdf", "packed.pdf"] {
        let output = output(file(name));
        assert_eq!(String::from_utf8(output.payload.clone()).unwrap(), THREE_PAGES, "{name}");
        assert_eq!(output.content_type.as_deref(), Some("text/plain"));
        let attributes: Vec<_> = output.attributes.iter().map(|a| (a.name.as_str(), a.value.as_str())).collect();
        let title = ("extract.title", "Three pages – a test");
        assert_eq!(attributes, [("extract.source-type", "application/pdf"), ("extract.pages", "3"), title]);
    }
}

#[test]
fn the_words_are_those_that_pdftotext_finds() {
    for name in ["two-columns", "table", "cid", "ligatures", "pages", "packed"] {
        let text = text(file(&format!("{name}.pdf")));
        let is_break = |letter: char| !letter.is_alphanumeric() && letter != '_';
        let mut words: Vec<&str> = text.split(is_break).filter(|word| !word.is_empty()).collect();
        words.sort_unstable();
        let expected = String::from_utf8(file(&format!("{name}.words"))).unwrap();
        assert_eq!(words, expected.lines().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn files_that_open_without_a_password_are_decrypted() {
    assert_eq!(text(file("encrypted-empty.pdf")), THREE_PAGES);
    assert_eq!(text(file("encrypted-rc4.pdf")), THREE_PAGES);
}

#[test]
fn files_that_need_a_password_are_rejected_as_encrypted() {
    assert_eq!(code(process(file("encrypted-user.pdf"), Config::default())), "pdf-encrypted");
}

#[test]
fn scans_have_no_text() {
    assert_eq!(code(process(file("scan.pdf"), Config::default())), "pdf-no-text");
}

const TEXT: &[u8] = b"BT /F 12 Tf 60 700 Td (readable) Tj ET";
const SCAN: &[u8] = b"q 595 0 0 842 0 0 cm BI /W 1 /H 1 /BPC 8 /CS /G ID x EI Q";
const BLANK: &[u8] = b"";

#[test]
fn pages_to_be_read_by_ocr_are_listed_and_handed_over_if_the_branch_is_routed() {
    let needs_ocr = |label: &str| label == "needs-ocr";
    for (name, document, list) in [
        ("only scans", file("scan.pdf"), "1-2"),
        ("scans among text", pages(&[TEXT, SCAN, TEXT, SCAN, BLANK, SCAN]), "2,4-6"),
        ("only blank pages", pages(&[BLANK, BLANK]), "1-2"),
    ] {
        let output = routed(document.clone(), Some("application/octet-stream"), needs_ocr);
        assert_eq!(output.branch.as_deref(), Some("needs-ocr"), "{name}");
        assert_eq!(output.payload, document, "{name}: it stays as it came");
        assert_eq!(output.content_type.as_deref(), Some("application/pdf"), "{name}");
        assert_eq!(attribute(&output, "extract.pages-without-text"), Some(list), "{name}");
    }
}

#[test]
fn a_document_with_text_is_extracted_unless_it_needs_ocr_and_somebody_does_it() {
    let (nobody, everybody) = (|_: &str| false, |_: &str| true);
    for (name, document, routed_to) in [
        ("scans among text, and nobody", pages(&[TEXT, SCAN]), routed(pages(&[TEXT, SCAN]), None, nobody)),
        ("blank pages among text", pages(&[TEXT, BLANK]), routed(pages(&[TEXT, BLANK]), None, everybody)),
    ] {
        assert_eq!(routed_to.branch, None, "{name}");
        assert_ne!(routed_to.payload, document, "{name}");
        assert_eq!(attribute(&routed_to, "extract.pages-without-text"), Some("2"), "{name}");
    }
    let with_images = routed(pages(&[&[TEXT, b" ", SCAN].concat()]), None, everybody);
    assert_eq!((with_images.branch.as_deref(), attribute(&with_images, "extract.pages-without-text")), (None, None));
}

#[test]
fn files_that_need_a_password_are_handed_over_if_the_branch_is_routed() {
    let encrypted = |label: &str| label == "encrypted";
    for (name, content_type) in [("encrypted-user.pdf", "application/pdf"), ("encrypted.docx", DOCX)] {
        let output = routed(file(name), Some("application/octet-stream"), encrypted);
        assert_eq!(output.branch.as_deref(), Some("encrypted"), "{name}");
        assert_eq!(output.content_type.as_deref(), Some(content_type), "{name}");
        assert_eq!(attribute(&output, "extract.source-type"), Some(content_type), "{name}");
        assert_eq!(output.payload, file(name), "{name}");
    }
}

#[test]
fn glyphs_without_a_character_are_counted_and_their_pages_listed() {
    let unknown =
        "/Font <</F <</Subtype/Type0/BaseFont/Made/Encoding/Identity-H/DescendantFonts[<</Subtype/CIDFontType2>>]>>";
    let mut document = pages(&[b"BT /F 12 Tf 60 700 Td <00410042> Tj ET", b"BT /G 12 Tf 60 700 Td (text) Tj ET"]);
    let start = document.windows(8).position(|window| window == b"/Font<</").unwrap();
    document.splice(start..start + 7, unknown.bytes().chain(*b"/G "));
    let output = output(document);
    assert_eq!(attribute(&output, "extract.glyphs-unmapped"), Some("2"));
    assert_eq!(attribute(&output, "extract.glyphs"), Some("6"));
    assert_eq!(attribute(&output, "extract.pages-unmapped"), Some("1"));
}

#[test]
fn headings_and_tables_become_markdown_if_asked_for() {
    let content =
        b"BT /F 20 Tf 60 700 Td (Stock) Tj /F 10 Tf 0 -40 Td (Part) Tj 200 0 Td (Price) Tj -200 -14 Td (Bolt) Tj \
                    200 0 Td (0.12) Tj -200 -40 Td (Prices are those of the day on which the order is made.) Tj ET";
    let config = Config { pdf_layout: PdfLayout::Markdown, ..Config::default() };
    let text = code(process(page(content, ""), config));
    let table = "| Part | Price |\n| --- | --- |\n| Bolt | 0.12 |";
    assert_eq!(text, format!("# Stock\n\n{table}\n\nPrices are those of the day on which the order is made."));
}

#[test]
fn a_broken_cross_reference_table_is_rebuilt() {
    let mut broken = file("pages.pdf");
    let table = broken.windows(5).rposition(|window| window == b"\nxref").unwrap();
    broken[table + 6..].iter_mut().filter(|byte| byte.is_ascii_digit()).for_each(|byte| *byte = b'7');
    assert_eq!(text(broken), THREE_PAGES);
}

#[test]
fn a_truncated_file_is_read_as_far_as_possible_or_is_broken() {
    let whole = file("pages.pdf");
    let mut codes: Vec<String> =
        (0..whole.len()).map(|end| code(process(whole[..end].to_vec(), Config::default()))).collect();
    assert_eq!(codes[0], "pdf-broken");
    codes.sort_unstable();
    codes.dedup();
    let is_known = |code: &String| ["pdf-broken", "pdf-no-text", "pdf-encrypted"].contains(&code.as_str());
    assert!(codes.iter().all(|code| is_known(code) || code.contains("Page") || code.contains("Text")), "{codes:?}");
}

#[test]
fn a_file_that_is_not_a_pdf_is_broken() {
    assert_eq!(code(process(b"%PDF-1.7\nhello".to_vec(), Config::default())), "pdf-broken");
    assert_eq!(code(process(Vec::new(), Config::default())), "pdf-broken");
}

#[test]
fn damaged_bytes_never_cause_a_panic() {
    // A fixed sequence of changes: the same on every run.
    let mut state = 0x9E37_79B9_u32;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize
    };
    for name in ["pages.pdf", "packed.pdf", "cid.pdf", "encrypted-rc4.pdf"] {
        let whole = file(name);
        for _ in 0..300 {
            let mut damaged = whole.clone();
            for _ in 0..1 + next() % 12 {
                let place = next() % damaged.len();
                damaged[place] = next() as u8;
            }
            process(damaged, Config::default());
        }
    }
}

#[test]
fn a_stream_that_unpacks_beyond_the_limit_is_too_large() {
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(&vec![b' '; 4_000_000], 9);
    let twice = miniz_oxide::deflate::compress_to_vec_zlib(&packed, 9);
    let config = Config { max_text_bytes: 10_000, ..Config::default() };
    assert_eq!(code(process(page(&packed, "/Filter/FlateDecode"), config.clone())), "too-large");
    assert_eq!(code(process(page(&twice, "/Filter[/FlateDecode/FlateDecode]"), config)), "too-large");
}

#[test]
fn text_beyond_the_limit_is_too_large() {
    let config = Config { max_text_bytes: 20, ..Config::default() };
    assert_eq!(code(process(page(b"BT /F 9 Tf (more text than the limit has) Tj ET", ""), config)), "too-large");
}

#[test]
fn deep_nesting_and_forms_that_draw_themselves_terminate() {
    let mut deep = b"BT /F 12 Tf 60 700 Td (before) Tj ET /X Do BT ".to_vec();
    deep.extend([b'['; 100_000]);
    assert_eq!(text(page(&deep, "")), "before");
}
