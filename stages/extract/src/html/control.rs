//! Text that is in attributes: what a form was filled in with, what a picture shows. And formulas in scripts.

use super::tag::Tag;

/// What an input field shows.
pub(super) fn value(tag: Tag) -> Option<String> {
    let kind = tag.value("type").unwrap_or_default().trim().to_ascii_lowercase();
    if matches!(kind.as_str(), "checkbox" | "radio") {
        return tag.has("checked").then(|| "☑".to_owned());
    }
    // Any unknown type is text.
    let is_other = matches!(
        kind.as_str(),
        "hidden" | "submit" | "button" | "reset" | "image" | "password" | "file" | "color" | "range"
    );
    let value = tag.value("value").filter(|_| !is_other)?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// What a picture shows, in words: not a file name, and nothing of a picture that only counts readers.
pub(super) fn alternative(tag: Tag) -> Option<String> {
    let is_formula = tag.any_word("class", |class| class.contains("math") || class.contains("tex"));
    if (tag.is("aria-hidden", "true") && !is_formula) || is_dot(tag) {
        return None;
    }
    let alternative = tag.value("alt")?;
    let words = alternative.split_whitespace().collect::<Vec<_>>().join(" ");
    let formula = words.strip_prefix("{\\displaystyle ").and_then(|formula| formula.strip_suffix('}'));
    let words = formula.map_or(words.as_str(), str::trim);
    (!words.is_empty() && !is_file_name(words)).then(|| words.to_owned())
}

/// Whether the tag is a script with a formula in TeX, which a library would draw.
pub(super) fn is_tex(tag: Tag) -> bool {
    tag.name() == b"script"
        && tag.value("type").is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("math/tex"))
}

fn is_dot(tag: Tag) -> bool {
    ["width", "height"].iter().any(|side| tag.number(side).is_some_and(|pixels| pixels <= 1))
}

fn is_file_name(words: &str) -> bool {
    const ENDINGS: &[&str] = &[".jpg", ".jpeg", ".png", ".gif", ".svg", ".webp", ".avif", ".bmp"];
    let name = words.to_ascii_lowercase();
    !words.contains(' ') && ENDINGS.iter().any(|ending| name.ends_with(ending))
}
