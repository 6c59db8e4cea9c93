//! Rich text (RTF) to Markdown: one pass over its groups and control words, without recursion.

mod charsets;
mod destination;
mod letters;
mod reader;
mod state;
mod table;
mod token;

use crate::document::Document;
use crate::kind::Kind;
use crate::office::Format;
use crate::reject::Reject;
use reader::Reader;

/// Reads a rich text; `limit` bounds the resulting text in bytes.
///
/// # Errors
/// It is not a rich text, or has too much text.
pub(crate) fn read(payload: &[u8], limit: usize) -> Result<Document, Reject> {
    let payload = payload.trim_ascii_start();
    let payload = payload.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(payload);
    if !payload.starts_with(b"{\\rtf") {
        return Err(Reject::OfficeBroken("it does not begin as a rich text".into()));
    }
    let mut reader = Reader::new(limit);
    for token in token::tokens(payload) {
        reader.take(token)?;
    }
    let (text, title) = reader.finish()?;
    Ok(Document { text, title, pages: None, kind: Kind::Office(Format::Rtf) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(rtf: &str) -> String {
        read(format!("{{\\rtf1\\ansi\\ansicpg1252 {rtf}}}").as_bytes(), 100_000).unwrap().text
    }

    #[test]
    fn paragraphs_letters_and_codes_are_read() {
        assert_eq!(text("One\\par Two\\line three\\tab four\\par"), "One\n\nTwo\nthree\tfour");
        assert_eq!(
            text("caf\\'e9 \\u8364? \\u-3843? 5\\~kg \\{x\\} a\\_b \\emdash\\ldblquote q\\rdblquote"),
            "café € ☒ 5 kg {x} a\u{2011}b —“q”"
        );
        assert_eq!(text("\\uc2\\u945 ab!\\uc0\\u946 !"), "α!β!");
        assert_eq!(text("{\\fonttbl{\\f1\\fcharset204 Arial;}}{\\f1 \\'cf\\'f0}\\'e9"), "Прé");
        assert_eq!(text("\\u-10179?\\u-8704?"), "😀");
    }

    #[test]
    fn what_is_no_text_is_left_out() {
        let hidden = "{\\fonttbl{\\f0 Arial;}}{\\colortbl;\\red0;}{\\*\\generator X;}{\\info{\\author A}}{\\pict\\pngblip 89504e47}{\\header H}{\\v secret}\
            {\\deleted gone}{\\field{\\*\\fldinst HYPERLINK \"x\"}{\\fldrslt link}}{\\*\\unknown{\\b zz}}{\\*\\bkmkstart b} text\\bin3 }}} end";
        assert_eq!(text(hidden), "link text end");
    }

    #[test]
    fn headings_notes_and_lists_are_marked() {
        let styles = "{\\stylesheet{\\s0 Normal;}{\\s1\\outlinelevel0 heading 1;}{\\s5 heading 2;}}";
        let list = "\\pard\\s0{\\listtext\\pard\\plain\\tab 1.1\\tab}Item\\par{\\listtext\\'b7\\tab}Dot\\par";
        let note = "\\pard Claim{\\super\\chftn}{\\footnote\\pard{\\super\\chftn} Source}.\\par";
        assert_eq!(
            text(&format!("{styles}\\pard\\s1 Title\\par\\pard\\s5 Part\\par{list}{note}")),
            "# Title\n\n## Part\n\n1.1 Item\n- Dot\n\nClaim[^1].\n\n[^1]: Source"
        );
    }

    #[test]
    fn raised_letters_are_marked() {
        assert_eq!(text("10{\\super 6} m{\\super 2\\nosupersub  x} H{\\sub 2}O"), "10^6 m^2 x H2O");
    }

    #[test]
    fn tables_keep_values_under_their_heads() {
        let wide = "\\trowd\\cellx1000\\cellx3000 A\\cell B\\cell\\row";
        let rows = "\\trowd\\cellx1000\\cellx2000\\cellx3000\\intbl a\\cell b1\\cell b2\\cell\\row";
        assert_eq!(
            text(&format!("\\intbl{wide}{rows}\\pard after")),
            "| A | B | B |\n| --- | --- | --- |\n| a | b1 | b2 |\n\nafter"
        );
        let merged = "\\trowd\\clvmgf\\cellx1\\clmgf\\cellx2\\clmrg\\cellx3\\intbl x\\cell y\\cell\\cell\\row\\trowd\\clvmrg\\cellx1\\cellx2\\cellx3\\cell p\\cell q\\cell\\row";
        assert_eq!(text(merged), "| x | y | y |\n| --- | --- | --- |\n| x | p | q |");
    }

    #[test]
    fn broken_and_hostile_text_is_read_without_failure() {
        let deep = format!("{}x{}", "{\\b ".repeat(50_000), "}".repeat(70_000));
        assert_eq!(text(&deep), "x");
        for broken in [
            "\\'z",
            "\\u",
            "\\bin99999999 x",
            "\\",
            "{",
            "}}}",
            "\\cell\\row\\cellx-5\\trowd\\row",
            "\\uc99999 \\u65 x",
        ] {
            text(broken);
        }
        assert_eq!(read(b"hello", 10).unwrap_err().code(), "office-broken");
        assert_eq!(read(format!("{{\\rtf1 {}}}", "word ".repeat(100)).as_bytes(), 50), Err(Reject::TooLarge(50)));
    }
}
