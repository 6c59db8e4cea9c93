//! Which elements belong to the text of a page, by their tags: what is not shown, and what surrounds the content.

use super::names;
use super::source::Source;
use super::tag::Tag;
use crate::content::Content;

/// Where in the page a tag stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the main content, or a section of the page.
    Content,
    /// At the start of a heading, a term or a summary.
    Heading,
    /// Elsewhere.
    Page,
}

/// Classes of what sites and generators add to text: links to headings, line numbers.
const ADDED: &[&str] = &[
    "anchorjs-link",
    "header-anchor",
    "headerlink",
    "hash-link",
    "heading-anchor",
    "hljs-ln-numbers",
    "line-numbers-rows",
    "linenodiv",
    "lineno",
    "linenos",
    "mathjax_preview",
    "mw-editsection",
    "mw-jump-link",
    "skip-link",
    "skip-nav",
    "skip-to-content",
];

/// Classes of formulas that are there in TeX as well.
const DRAWN: &[&str] = &["mathjax", "mathjax_display", "mjx_assistive_mathml"];

/// Ids and classes of what stands around the content.
const AROUND: &[&str] = &[
    "breadcrumb",
    "breadcrumbs",
    "cc-window",
    "cky-consent-container",
    "cmplz-cookiebanner",
    "cookie-banner",
    "cookie-bar",
    "cookie-consent",
    "cookie-law-info-bar",
    "cookie-notice",
    "cookiebanner",
    "cookieconsent",
    "cybotcookiebotdialog",
    "didomi-host",
    "gdpr-banner",
    "main-navigation",
    "navbar",
    "onetrust-consent-sdk",
    "page-footer",
    "qc-cmp2-container",
    "share-buttons",
    "sharedaddy",
    "site-footer",
    "site-navigation",
    "social-share",
    "usercentrics-root",
];

/// What is moved further than this, in any unit, is not seen: usually 9999 pixels.
const MOST_MOVED: f64 = 900.0;

/// The longest text that asks for scripts, in bytes.
const MOST_ASKING: usize = 400;

/// Whether the element and all in it are left out.
pub(super) fn is_left_out(tag: Tag, content: Content, place: Place, source: &Source) -> bool {
    let name = tag.name();
    if has_no_text(name) || is_hidden(tag) || tag.any_word("class", |class| ADDED.contains(&class)) {
        return true;
    }
    if source.has_tex() && tag.any_word("class", |class| DRAWN.contains(&class)) {
        return true;
    }
    match name {
        b"template" => !tag.has("shadowrootmode"),
        b"dialog" => !tag.has("open"),
        b"option" => !tag.has("selected"),
        b"noscript" => asks_for_scripts(tag, source),
        b"button" => content == Content::Main && place != Place::Heading && !is_question(tag, source),
        b"nav" | b"footer" => content == Content::Main && is_around_the_content(tag, place),
        _ => content == Content::Main && tag.has_attributes() && is_around_the_content(tag, place),
    }
}

/// Whether an element has no text, whatever it contains.
fn has_no_text(name: &[u8]) -> bool {
    matches!(
        name,
        b"annotation"
            | b"annotation-xml"
            | b"audio"
            | b"canvas"
            | b"datalist"
            | b"iframe"
            | b"noembed"
            | b"script"
            | b"style"
            | b"svg"
            | b"video"
    )
}

/// Whether an element that is left out stands between the words around it.
pub(super) fn takes_place(name: &[u8]) -> bool {
    matches!(name, b"audio" | b"button" | b"canvas" | b"iframe" | b"object" | b"svg" | b"video")
}

/// Whether browsers do not show the element because of its attributes.
fn is_hidden(tag: Tag) -> bool {
    if !tag.has_attributes() {
        return false;
    }
    let hidden = tag.has("hidden") && !tag.is("hidden", "until-found");
    // A page or a wrapper may be hidden from screen readers while a dialog is open; what is decoration is inline.
    let decoration = tag.is("aria-hidden", "true") && !names::is_block(tag.name()) && tag.name() != b"img";
    hidden
        || decoration
        || tag.has("popover")
        || tag.is_styled("display", &["none"])
        || tag.is_styled("visibility", &["hidden", "collapse"])
        || tag.is_styled("content-visibility", &["hidden"])
        || tag.is_styled("mso-hide", &["all"])
        || is_off_the_page(tag)
}

/// Whether the element is moved so far that it is never seen.
fn is_off_the_page(tag: Tag) -> bool {
    tag.is_styled("position", &["absolute", "fixed"])
        && ["left", "top", "right"].iter().any(|side| tag.measures(side, |length| length <= -MOST_MOVED))
}

/// Navigation, the footer of the page, banners about cookies.
fn is_around_the_content(tag: Tag, place: Place) -> bool {
    let name = tag.name();
    if name == b"nav" || tag.is("role", "navigation") {
        return true;
    }
    let is_footer = name == b"footer" || tag.is("role", "contentinfo") || is_named_footer(tag);
    if is_footer && place == Place::Page {
        return true;
    }
    let named = |word: &str| AROUND.contains(&word);
    // The content is never inside of these, even if a theme gives their class to it.
    !matches!(name, b"main" | b"article" | b"table" | b"tbody")
        && names::is_block(name)
        && (tag.any_word("id", named) || tag.any_word("class", named))
}

fn is_named_footer(tag: Tag) -> bool {
    let is_footer = |word: &str| word == "footer";
    tag.name() == b"div" && (tag.any_word("id", is_footer) || tag.any_word("class", is_footer))
}

/// Whether a text for browsers without scripts only says so; others have the text that a script would write.
fn asks_for_scripts(tag: Tag, source: &Source) -> bool {
    let text = source.text_of(tag.position(), b"</noscript").to_ascii_lowercase();
    text.len() < MOST_ASKING && (text.contains("javascript") || text.contains("enable script"))
}

/// Whether a button shows or hides an answer, and so is a heading in disguise; others are controls.
fn is_question(tag: Tag, source: &Source) -> bool {
    let folds = |word: &str| word.contains("accordion") || word.contains("faq") || word.contains("collaps");
    let label = source.text_of(tag.position(), b"</button");
    let words = label.split_whitespace().count();
    let is_control = words == 0 || (words < 2 && !label.ends_with('?'));
    !is_control
        && (label.ends_with('?')
            || words > 5
            || (tag.has("aria-expanded") && !tag.has("aria-haspopup"))
            || tag.any_word("class", folds)
            || tag.is("data-toggle", "collapse")
            || tag.is("data-bs-toggle", "collapse"))
}
