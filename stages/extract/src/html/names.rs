//! What the HTML standard says of elements by their name.

/// The name without a prefix that stands for HTML or MathML. Others, as in "o:p", are names of their own.
pub(super) fn local(name: &[u8]) -> &[u8] {
    match name.iter().position(|byte| *byte == b':') {
        Some(colon) if matches!(&name[..colon], b"m" | b"mml" | b"math" | b"h" | b"html" | b"xhtml") => {
            &name[colon + 1..]
        }
        _ => name,
    }
}

/// The element with this content ends an open paragraph.
pub(super) fn ends_paragraph(name: &[u8]) -> bool {
    heading_level(name).is_some()
        || matches!(
            name,
            b"address"
                | b"article"
                | b"aside"
                | b"blockquote"
                | b"center"
                | b"dd"
                | b"details"
                | b"dialog"
                | b"dir"
                | b"div"
                | b"dl"
                | b"dt"
                | b"fieldset"
                | b"figcaption"
                | b"figure"
                | b"footer"
                | b"form"
                | b"header"
                | b"hgroup"
                | b"hr"
                | b"li"
                | b"listing"
                | b"main"
                | b"menu"
                | b"nav"
                | b"ol"
                | b"p"
                | b"plaintext"
                | b"pre"
                | b"search"
                | b"section"
                | b"summary"
                | b"table"
                | b"ul"
                | b"xmp"
        )
}

/// The element stands on lines of its own.
pub(super) fn is_block(name: &[u8]) -> bool {
    ends_paragraph(name) || matches!(name, b"caption" | b"legend" | b"noframes" | b"optgroup" | b"td" | b"th" | b"tr")
}

/// The element is a part of a table, and without a table its tag means nothing.
pub(super) fn is_table_part(name: &[u8]) -> bool {
    matches!(name, b"caption" | b"colgroup" | b"tbody" | b"td" | b"tfoot" | b"th" | b"thead" | b"tr")
}

/// The level of a heading.
pub(super) fn heading_level(name: &[u8]) -> Option<u8> {
    match name {
        [b'h', level @ b'1'..=b'6'] => Some(level - b'0'),
        _ => None,
    }
}

/// The element has no content and no end tag.
pub(super) fn is_void(name: &[u8]) -> bool {
    matches!(
        name,
        b"area"
            | b"base"
            | b"basefont"
            | b"bgsound"
            | b"br"
            | b"col"
            | b"embed"
            | b"frame"
            | b"hr"
            | b"img"
            | b"input"
            | b"keygen"
            | b"link"
            | b"meta"
            | b"param"
            | b"source"
            | b"track"
            | b"wbr"
    )
}

/// The element is left open where its end tag stands inside of a block that it encloses.
pub(super) fn is_formatting(name: &[u8]) -> bool {
    matches!(
        name,
        b"a" | b"b"
            | b"big"
            | b"code"
            | b"em"
            | b"font"
            | b"i"
            | b"nobr"
            | b"s"
            | b"small"
            | b"strike"
            | b"strong"
            | b"tt"
            | b"u"
    )
}

/// The end tag may be left out, so that an element without one has ended where the next one begins.
pub(super) fn may_lack_its_end(name: &[u8]) -> bool {
    matches!(
        name,
        b"caption"
            | b"colgroup"
            | b"dd"
            | b"dt"
            | b"li"
            | b"optgroup"
            | b"option"
            | b"p"
            | b"rb"
            | b"rp"
            | b"rt"
            | b"rtc"
            | b"tbody"
            | b"td"
            | b"tfoot"
            | b"th"
            | b"thead"
            | b"tr"
    )
}

/// The tag ends a picture or a formula whose end tag is missing, because it is HTML.
pub(super) fn breaks_out_of_foreign(name: &[u8]) -> bool {
    matches!(
        name,
        b"b" | b"big"
            | b"br"
            | b"code"
            | b"em"
            | b"embed"
            | b"i"
            | b"img"
            | b"nobr"
            | b"ruby"
            | b"s"
            | b"small"
            | b"span"
            | b"strike"
            | b"strong"
            | b"sub"
            | b"sup"
            | b"tt"
            | b"u"
            | b"var"
    ) || (ends_paragraph(name) && !matches!(name, b"details" | b"summary" | b"form"))
}

/// The element of a picture or formula may contain HTML. Names are in lower case, as the tokens are.
pub(super) fn holds_html(name: &[u8]) -> bool {
    matches!(name, b"annotation-xml" | b"desc" | b"foreignobject" | b"mi" | b"mn" | b"mo" | b"ms" | b"mtext" | b"title")
}

/// How far up an end tag or an implied end looks for the element it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// To the next table cell, caption, object or template.
    Default,
    /// The same, and lists.
    List,
    /// The same, and buttons.
    Button,
    /// To the next table or template.
    Table,
    /// To the next element that is not formatting.
    Special,
}

/// The scopes that end at an element, one bit each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds(u8);

impl Bounds {
    /// The scopes that end at the element `name`.
    pub(super) fn of(name: &[u8]) -> Self {
        use Scope::{Button, Default, List, Special, Table};
        let scopes: &[Scope] = match name {
            b"table" | b"template" => &[Default, List, Button, Table, Special],
            b"applet" | b"caption" | b"td" | b"th" | b"marquee" | b"object" | b"svg" | b"math" | b"foreignobject" => {
                &[Default, List, Button, Special]
            }
            b"ol" | b"ul" => &[List, Special],
            b"button" => &[Button, Special],
            b"select" | b"tr" | b"tbody" | b"thead" | b"tfoot" | b"colgroup" | b"noscript" | b"iframe" => &[Special],
            _ if ends_paragraph(name) => &[Special],
            _ => &[],
        };
        Self(scopes.iter().fold(0, |bits, scope| bits | 1 << *scope as u8))
    }

    /// Whether `scope` ends here.
    pub(super) fn end(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_by_their_name() {
        for name in ["address", "li", "p", "xmp", "h1", "table"] {
            assert!(ends_paragraph(name.as_bytes()), "{name}");
        }
        assert!(!ends_paragraph(b"span") && !ends_paragraph(b"h7") && is_block(b"td"));
    }

    #[test]
    fn scopes_end_where_the_standard_says() {
        assert!(Bounds::of(b"ul").end(Scope::List) && !Bounds::of(b"ul").end(Scope::Default));
        assert!(Bounds::of(b"td").end(Scope::Default) && !Bounds::of(b"td").end(Scope::Table));
        assert!(!Bounds::of(b"span").end(Scope::Special));
    }
}
