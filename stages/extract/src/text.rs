//! Plain text, Markdown and JSON: unchanged but for line endings and blank lines at the start and end.

use crate::document::Document;
use crate::json;
use crate::kind::Kind;

/// Reads plain text.
pub(crate) fn plain(text: &str) -> Document {
    Document { text: tidy(text), title: None, pages: None, kind: Kind::Plain }
}

/// Reads JSON.
pub(crate) fn json(text: &str) -> Document {
    Document { text: json::readable(&tidy(text)), title: None, pages: None, kind: Kind::Json }
}

/// Reads Markdown; the title is that of its front matter, or its first heading of level one.
pub(crate) fn markdown(text: &str) -> Document {
    let text = tidy(text);
    let (front, body) = front_matter(&text);
    let title = front.and_then(declared_title).or_else(|| first_heading(body)).filter(|title| !title.is_empty());
    Document { title, text, pages: None, kind: Kind::Markdown }
}

fn tidy(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.trim_start_matches('\u{FEFF}').trim_start_matches('\n').trim_end().to_owned()
}

/// The front matter, between lines of "---" (YAML) or "+++" (TOML), and what follows it.
fn front_matter(text: &str) -> (Option<&str>, &str) {
    for fence in ["---", "+++"] {
        let Some((first, rest)) = text.split_once('\n') else { continue };
        if first.trim_end() != fence {
            continue;
        }
        let mut length = 0;
        for line in rest.split_inclusive('\n') {
            if line.trim_end() == fence || (fence == "---" && line.trim_end() == "...") {
                return (Some(&rest[..length]), &rest[length + line.len()..]);
            }
            length += line.len();
        }
    }
    (None, text)
}

/// The value of the key `title`.
fn declared_title(front: &str) -> Option<String> {
    let line = front.lines().find_map(|line| line.strip_prefix("title")?.trim_start().strip_prefix([':', '=']))?;
    let value = line.trim();
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].split(quote).next().unwrap_or_default(),
        _ => value.split(" #").next().unwrap_or_default(),
    };
    // A block that begins in the next line, or nothing.
    let value = value.trim();
    (!matches!(value, "" | ">" | "|" | ">-" | "|-" | "null" | "~")).then(|| value.to_owned())
}

/// The first heading of level one: "# Title", a line over "===", or `<h1>`.
fn first_heading(text: &str) -> Option<String> {
    let mut fence: Option<&str> = None;
    let mut paragraph: Vec<&str> = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let content = line.trim();
        let mark = fence_of(content);
        if let Some(open) = fence {
            let closes = mark.is_some_and(|mark| mark.starts_with(open) && mark.len() == content.len());
            if closes {
                fence = None;
            }
            continue;
        }
        if indent < 4
            && let Some(mark) = mark
        {
            fence = Some(mark);
            paragraph.clear();
            continue;
        }
        let is_code = paragraph.is_empty() && (indent > 3 || line.starts_with('\t'));
        if is_code || content.is_empty() {
            paragraph.clear();
            continue;
        }
        if indent < 4
            && let Some(title) = content.strip_prefix('#')
            && (title.is_empty() || title.starts_with([' ', '\t']))
        {
            return Some(words(without_closing_hashes(title)));
        }
        if indent < 4 && !paragraph.is_empty() && content.bytes().all(|byte| byte == b'=') {
            return Some(words(&paragraph.join(" ")));
        }
        if let Some(title) = html_heading(content) {
            return Some(words(title));
        }
        // Other blocks end a paragraph, and have no line of "=" under them.
        match content.starts_with(['#', '>', '|']) || content.starts_with("- ") || content.starts_with("* ") {
            true => paragraph.clear(),
            false => paragraph.push(content),
        }
    }
    None
}

/// The backticks or tildes that a line begins with, if they open or close a fence.
fn fence_of(line: &str) -> Option<&str> {
    let letter = line.chars().next().filter(|letter| matches!(letter, '`' | '~'))?;
    let length = line.len() - line.trim_start_matches(letter).len();
    let is_code_in_a_line = letter == '`' && line[length..].contains('`');
    (length >= 3 && !is_code_in_a_line).then(|| &line[..length])
}

fn without_closing_hashes(title: &str) -> &str {
    let title = title.trim();
    let open = title.trim_end_matches('#');
    match open.is_empty() || open.ends_with([' ', '\t']) {
        true => open.trim_end(),
        false => title,
    }
}

fn html_heading(line: &str) -> Option<&str> {
    let start = line.get(..3).filter(|start| start.eq_ignore_ascii_case("<h1"))?;
    let rest = line[start.len()..].strip_prefix(['>', ' ']).map(|_| &line[start.len()..])?;
    let (_, content) = rest.split_once('>')?;
    let content = content.split("</").next().unwrap_or_default();
    (!content.trim().is_empty() && !content.contains('<')).then_some(content)
}

/// A heading without its markup: links and emphasis.
fn words(heading: &str) -> String {
    let mut text = String::new();
    let mut rest = heading.trim();
    while let Some((before, link)) = rest.split_once('[') {
        let Some((label, after)) = link.split_once("](").and_then(|(label, target)| {
            let (_, after) = target.split_once(')')?;
            (!label.contains(['[', ']'])).then_some((label, after))
        }) else {
            break;
        };
        match before.strip_suffix('!') {
            // A picture.
            Some(before) => text.push_str(before),
            None => {
                text.push_str(before);
                text.push_str(label);
            }
        }
        rest = after;
    }
    text.push_str(rest);
    let text = text.replace("**", "").replace('`', "");
    let text = text.trim();
    let emphasised = ['*', '_'].iter().find_map(|mark| {
        text.strip_prefix(*mark)?.strip_suffix(*mark).filter(|inner| !inner.is_empty() && !inner.contains(*mark))
    });
    emphasised.unwrap_or(text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(text: &str) -> Option<String> {
        markdown(text).title
    }

    #[test]
    fn text_is_unchanged_but_for_line_endings() {
        assert_eq!(plain("\r\n  a\tb\r\n\r\n\r\nc\x0Cd \n\n").text, "  a\tb\n\n\nc\x0Cd");
    }

    #[test]
    fn the_first_heading_is_the_title() {
        assert_eq!(title("intro\n# Réunion #\n# Two").as_deref(), Some("Réunion"));
        assert_eq!(title("   #\tC#\n").as_deref(), Some("C#"));
        assert_eq!(title("```\n# comment\n```\n## Sub"), None);
        assert_eq!(title("~~~~\n```\n# comment\n~~~~\n    # code\n#tag\n\n# Real").as_deref(), Some("Real"));
        assert_eq!(title("# [The *Guide*](https://a.example/b) **2** ![x](y)").as_deref(), Some("The *Guide* 2"));
        assert_eq!(title("<h1 align=\"center\">Mill</h1>").as_deref(), Some("Mill"));
    }

    #[test]
    fn a_line_over_equals_signs_is_a_heading() {
        assert_eq!(title("The Guide\n=========\n\nIntro.").as_deref(), Some("The Guide"));
        assert_eq!(title("Two\nlines\n=\n").as_deref(), Some("Two lines"));
        assert_eq!(title("Sub\n---\n\n===\n- item\n===\n"), None);
    }

    #[test]
    fn front_matter_states_the_title() {
        assert_eq!(title("---\nlayout: post\ntitle: \"A: B\" # x\n---\n# C").as_deref(), Some("A: B"));
        assert_eq!(title("+++\ntitle = 'T'\n+++\n").as_deref(), Some("T"));
        assert_eq!(title("---\ndraft: true\n---\n\nC\n===\n").as_deref(), Some("C"));
        assert_eq!(title("---\ntitle: x"), None);
    }
}
