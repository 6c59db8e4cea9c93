//! HTML to Markdown: one pass over the tokens, so that depth costs nothing and broken nesting is no error.

mod skip;
mod table;
mod writer;

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

use crate::document::Document;
use crate::kind::Kind;
use crate::reject::Reject;
use skip::Skip;
use writer::Writer;

/// Reads a page that was decoded to text; `limit` bounds the resulting text in bytes.
///
/// # Errors
/// The text exceeds the limit.
pub(crate) fn read(page: &str, limit: usize) -> Result<Document, Reject> {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut reader = Reader::default();
    for Ok(token) in Tokenizer::new_with_emitter(page, emitter) {
        reader.token(&token);
        if reader.writer.len() > limit {
            return Err(Reject::TooLarge(limit));
        }
    }
    let text = reader.writer.finish();
    let title = reader.title.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Document { text, title: (!title.is_empty()).then_some(title), pages: None, kind: Kind::Html })
}

#[derive(Default)]
struct Reader {
    writer: Writer,
    skip: Skip,
    title: String,
    /// Inside the first `<title>` of the page; those of inline pictures come later and are skipped.
    in_title: bool,
}

impl Reader {
    fn token(&mut self, token: &Token) {
        match token {
            Token::StartTag(tag) => {
                let name = tag.name.as_slice();
                if self.skip.start(tag) {
                    return;
                }
                match name {
                    b"title" => self.in_title = self.title.is_empty(),
                    _ => self.writer.start(name, list_start(tag)),
                }
            }
            Token::EndTag(tag) => {
                let name = tag.name.as_slice();
                if self.skip.end(name) {
                    return;
                }
                match name {
                    b"title" => self.in_title = false,
                    _ => self.writer.end(name),
                }
            }
            Token::String(text) if !self.skip.is_skipping() => {
                let text = String::from_utf8_lossy(text);
                match self.in_title {
                    true => self.title.push_str(&text),
                    false => self.writer.text(&text),
                }
            }
            Token::String(_) | Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
}

fn list_start(tag: &StartTag<()>) -> u64 {
    tag.attributes
        .get(b"start".as_slice())
        .and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok())
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(page: &str) -> String {
        read(page, 1 << 20).unwrap().text
    }

    #[test]
    fn headings_paragraphs_and_lists_are_kept() {
        let page = "<title> My\n page </title><h1>One</h1><p>Some <b>bold</b> text,\n wrapped.<br>New line\
                    <ol start=3><li>three<ul><li>deep</ul><li><p>four</p><p>more</p></ol>tail";
        let document = read(page, 1000).unwrap();
        assert_eq!(document.title.as_deref(), Some("My page"));
        assert_eq!(
            document.text,
            "# One\n\nSome bold text, wrapped.\nNew line\n\n3. three\n   - deep\n4. four\n\n  more\n\ntail"
        );
    }

    #[test]
    fn clutter_is_removed() {
        let page = "<nav><a href=/>Home</a><nav>x</nav></nav><script>if (a<b) {'</p>'}</script><style>p{}</style>\
                    <svg><title>icon</title><text>x</text></svg><template><p>t</p></template><div hidden>h<div>i</div></div>\
                    <button>Go</button><noscript>enable</noscript><p>kept<!-- not --></p>";
        assert_eq!(text(page), "kept");
    }

    #[test]
    fn unclosed_clutter_ends_where_the_content_begins() {
        assert_eq!(text("<nav><a>Home</a><main><p>kept</main>"), "kept");
    }

    #[test]
    fn tables_become_pipe_tables_and_layout_tables_become_paragraphs() {
        let page = "<table><thead><tr><th>Name<th>Mail</thead><tr><td>Ann<td><p>a|b</p><p>c</p></table>";
        assert_eq!(text(page), "| Name | Mail |\n| --- | --- |\n| Ann | a\\|b c |");
        let layout = "<table><tr><td>side<td><h2>Head</h2><table><tr><td>a<td>b</table>text</table>after";
        assert_eq!(text(layout), "side\n\n## Head\n\n| a | b |\n| --- | --- |\n\ntext\n\nafter");
    }

    #[test]
    fn preformatted_text_and_entities_are_verbatim() {
        assert_eq!(text("<pre>\n a  &lt;b&gt;\n\tc</pre>x&nbsp;&eacute;&#8364;"), "```\n a  <b>\n\tc\n```\n\nx é€");
    }

    #[test]
    fn words_of_adjacent_blocks_are_never_joined() {
        assert_eq!(text("<div>a</div><div>b<span>c</span> <i>d</i></div><dl><dt>e<dd>f</dl>"), "a\n\nbc d\n\ne\n\nf");
    }

    #[test]
    fn broken_and_deep_markup_is_read_without_failure() {
        let deep = format!("{}x{}", "<div><ul><li>".repeat(50_000), "</table></h1>".repeat(1000));
        assert!(text(&deep).ends_with('x'));
        assert_eq!(text("</p></li></ul></td><p <b>a<"), "a<");
        assert_eq!(text(""), "");
    }

    #[test]
    fn text_beyond_the_limit_is_too_large() {
        assert_eq!(read(&"<p>word</p>".repeat(100), 50), Err(Reject::TooLarge(50)));
    }
}
