//! HTML to Markdown, in one pass over the tags: see [`open`] for how missing tags are read.

mod block;
mod content;
mod control;
mod inline;
mod list;
mod math;
mod meaning;
mod names;
mod note;
mod open;
mod page;
mod reader;
mod source;
mod surroundings;
mod table;
mod tag;
mod visible;
mod writer;

use crate::content::Content;
use crate::document::Document;
use crate::kind::Kind;
use crate::markdown::Markdown;
use crate::reject::Reject;
use page::{Options, Page};
use reader::Reader;

/// How many elements may be shown because their end tag is missing. Each takes another reading of the page.
const MOST_UNENDED: usize = 3;

/// The form of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// HTML.
    Html,
    /// XHTML: "/>" ends any element.
    Xml,
}

/// Reads a page that was decoded to text; `limit` bounds the resulting text in bytes.
///
/// # Errors
/// The text exceeds the limit.
pub(crate) fn read(page: &str, form: Form, content: Content, limit: usize) -> Result<Document, Reject> {
    let kind = match form {
        Form::Html => Kind::Html,
        Form::Xml => Kind::Xhtml,
    };
    let is_xml = form == Form::Xml || source::is_xml(page);
    let page = match is_xml {
        true => source::without_cdata(page),
        false => page.into(),
    };
    let Page { blocks, title, articles, .. } =
        read_to_the_end(&page, Options { content, is_xml, unended: &[], limit })?;
    let blocks = match content {
        Content::Main => content::main(blocks, articles),
        Content::All => blocks,
    };
    let mut markdown = Markdown::default();
    for placed in blocks {
        placed.block.write(&mut markdown);
    }
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Document { text: markdown.finish(), title: (!title.is_empty()).then_some(title), pages: None, kind })
}

/// Reads the page again if an element that is left out never ends, and shows that element: better too much text than
/// none from there on.
fn read_to_the_end(page: &str, options: Options) -> Result<Page, Reject> {
    let mut unended = Vec::new();
    loop {
        let read = Reader::read(page, Options { unended: &unended, ..options })?;
        match read.unended {
            Some(tag) if unended.len() < MOST_UNENDED => unended.push(tag),
            _ => return Ok(read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(page: &str) -> String {
        read(page, Form::Html, Content::Main, 1 << 20).unwrap().text
    }

    #[test]
    fn headings_paragraphs_and_lists_are_kept() {
        let page = "<title> My\n page </title><h1>One</h1><p>Some <b>bold</b> text,\n wrapped.<br>New line\
                    <ol start=3><li>three<ul><li>deep</ul><li><p>four</p><p>more</p></ol>tail";
        let document = read(page, Form::Html, Content::Main, 1000).unwrap();
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
                    <button>Go</button><noscript>Please enable JavaScript.</noscript><p>kept<!-- not --></p>";
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
        assert_eq!(read(&"<p>word</p>".repeat(100), Form::Html, Content::Main, 50), Err(Reject::TooLarge(50)));
    }

    #[test]
    fn what_is_left_out_and_never_ends_does_not_take_the_page_with_it() {
        for unended in ["<video>", "<div hidden>", "<style>p {}", "<select>", "<svg>", "<title>", "<script src=a.js>"] {
            let page = format!("<h1>Head</h1>{unended}<p>Text</p><h2>More</h2>");
            assert_eq!(text(&page), "# Head\n\nText\n\n## More", "{unended}");
        }
        assert_eq!(text("a<script>b = '<p>c</p>'"), "a");
    }

    #[test]
    fn an_element_that_ends_in_its_tag_takes_nothing_with_it() {
        for empty in [
            "<div hidden/>",
            "<video src=a />",
            "<button class='x'/>",
            "<iframe src=a />",
            "<svg/>",
            "<script src='a'/>",
        ] {
            assert_eq!(text(&format!("<h1>Head</h1>{empty}<p>Text</p>")), "# Head\n\nText", "{empty}");
        }
        assert_eq!(text("<button/>Go</button><script/>a()</script>kept"), "kept");
    }

    #[test]
    fn xml_ends_each_element_that_says_so() {
        let page =
            "<html><head><title/><script src='a'/></head><body><p>a<span/>b<br></br>c</p><div id='d'/>e</body></html>";
        assert_eq!(read(page, Form::Xml, Content::Main, 1000).unwrap().text, "ab\nc\n\ne");
    }

    #[test]
    fn the_parts_of_a_table_are_nothing_without_a_table() {
        assert_eq!(text("<td hidden>a<tr><td>b</tr><p>c"), "a\n\nb\n\nc");
    }

    #[test]
    fn hidden_parts_are_left_out_and_what_follows_is_not() {
        let page = "<p hidden>a<p>b<div style='Display:none'><p>c</div><table><tr hidden><td>d<tr><td>e<td>f</table>\
                    <span style='visibility: hidden !important'>g</span>h<i aria-hidden=true>i</i><ul><li hidden>j<li>k</ul>";
        assert_eq!(text(page), "b\n\n| e | f |\n| --- | --- |\n\nh\n\n- k");
    }

    #[test]
    fn the_title_is_the_first_one_and_not_that_of_a_picture() {
        let title = |page| read(page, Form::Html, Content::Main, 1000).unwrap().title;
        assert_eq!(title("<svg><title>icon</title></svg><title>Page</title><title>b</title>").as_deref(), Some("Page"));
        assert_eq!(title("<title>Cut<h1>x</h1>").as_deref(), Some("Cut"));
        assert_eq!(title("<title/><p>x"), None);
    }

    #[test]
    fn everything_that_is_shown_is_kept_if_wanted() {
        let page = "<nav>Home</nav><main>Text, and more of it than around it</main><button>Go</button><footer>Imprint</footer>";
        let read = |content| read(page, Form::Html, content, 1000).unwrap().text;
        assert_eq!(read(Content::All), "Home\n\nText, and more of it than around it\n\nGo\n\nImprint");
        assert_eq!(read(Content::Main), "Text, and more of it than around it");
    }

    #[test]
    fn formulas_are_in_one_line() {
        let formula = |mathml: &str| text(&format!("<math>{mathml}</math>"));
        assert_eq!(formula("<mroot> <mi>y</mi> <mn>3</mn> </mroot>"), "y^(1/3)");
        assert_eq!(formula("<mi>f</mi><mfenced><mi>a</mi><mi>b</mi></mfenced>"), "f(a,b)");
        assert_eq!(
            formula(
                "<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><mi>i</mi>"
            ),
            "∑_(i=1)^n i"
        );
        assert_eq!(
            formula("<mmultiscripts><mi>C</mi><mn>6</mn><none/><mprescripts/><none/><mn>14</mn></mmultiscripts>"),
            "^14C_6"
        );
        assert_eq!(
            formula(
                "<msub><mi>x</mi><mn>1</mn></msub><mo>+</mo><msup><mi>e</mi><mrow><mi>n</mi><mo>+</mo><mn>1</mn></mrow></msup>"
            ),
            "x_1+e^(n+1)"
        );
        assert_eq!(text("<m:math><m:msup><m:mn>10</m:mn><m:mn>6</m:mn></m:msup></m:math>"), "10^6");
        let drawn = "<mjx-container class=MathJax><mjx-math aria-hidden=true>x2</mjx-math><math><mi>x</mi></math></mjx-container>";
        assert_eq!(text(drawn), "x");
        let both = "<span class=MathJax>x2</span><script type=math/tex>x^2</script>";
        assert_eq!(text(both), "$x^2$");
    }

    #[test]
    fn letters_that_a_style_or_a_class_raises_are_marked() {
        let page = "10<span style='vertical-align: 4px; font-size: 70%'>6</span> x<span style='vertical-align:-0.3em'>i</span> \
                    10<span class=superscript>9</span> 10<span style='position:relative;top:-0.5em;font-size:80%'>3</span> \
                    10<span style='vertical-align:baseline'>5</span>";
        assert_eq!(text(page), "10^6 x_i 10^9 10^3 105");
    }

    #[test]
    fn the_last_of_several_styles_counts_and_what_is_off_the_page_is_hidden() {
        let page = "<p style='display:none;display:block'>a<p style='display:block;display:none'>b\
                    <p style='position:absolute;left:-9999px'>c<p style='position:absolute;left:-20px'>d";
        assert_eq!(text(page), "a\n\nd");
    }

    #[test]
    fn lists_have_the_numbers_that_their_style_says() {
        let page = "<ol start=-1><li>a<li>b</ol><ol style='list-style:none'><li>(i) c</ol><ul style='list-style-type:decimal'><li>d\
                    <li type=A>e<li style='list-style-type:lower-greek'>f</ul><ol type=a start=28><li>g</ol>";
        assert_eq!(text(page), "-1. a\n0. b\n- (i) c\n1. d\nB. e\nγ. f\nab. g");
    }

    #[test]
    fn cells_and_rows_by_their_role_are_apart_and_boxes_say_that_they_are_checked() {
        let page = "<div role=table><div role=row><span role=cell>Ann</span><span role=cell>31</span></div></div>\
                    <input type=checkbox checked>Yes<input type=radio>No";
        assert_eq!(text(page), "Ann 31\n\n☑ YesNo");
    }

    #[test]
    fn deep_formulas_and_levels_take_linear_time() {
        for (open, close) in [("<sup>", "</sup>"), ("<math><mfrac>", ""), ("<msup><mi>", ""), ("<b id=1>", "</p>")] {
            let page = format!("{}{}{}", open.repeat(20_000), "word ".repeat(20_000), close.repeat(20_000));
            assert!(text(&page).len() > 90_000);
        }
    }
}
