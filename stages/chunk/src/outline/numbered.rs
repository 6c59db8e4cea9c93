//! Numbered headings in plain text. Text that only looks like one is frequent: a list, a date, an amount. So a line is
//! a heading only if it stands after a blank line, reads like a title, has text under it, and continues a numbering.

use super::{Heading, shortened};

/// Longest heading, in characters.
const LENGTH_MAX: usize = 80;
/// Most words of a heading.
const WORDS_MAX: usize = 12;
/// More bytes than a word has that names a part of a text.
const WORD_MAX: usize = 32;
/// How far a number may be from the one before: a heading between them may not look like one.
const STEP_MAX: u16 = 3;

pub(super) fn headings(text: &str) -> Vec<Heading> {
    let candidates = candidates(text);
    let (mut decimal, mut roman) = (Vec::new(), 0);
    let (mut decimals, mut romans) = (0, 0);
    let mut chosen: Vec<&Candidate> = Vec::new();
    for candidate in &candidates {
        match &candidate.number {
            Number::Decimal(number) if continues(&decimal, number) => {
                decimal.clone_from(number);
                decimals += 1;
            }
            Number::Roman(number) if (roman + 1..=roman + STEP_MAX).contains(number) && (roman > 0 || *number == 1) => {
                roman = *number;
                romans += 1;
            }
            Number::Named(_) => {}
            Number::Decimal(_) | Number::Roman(_) => continue,
        }
        chosen.push(candidate);
    }
    // A single number is no numbering.
    chosen.retain(|candidate| match candidate.number {
        Number::Decimal(_) => decimals > 1,
        Number::Roman(_) => romans > 1,
        Number::Named(_) => true,
    });
    let heading = |candidate: &Candidate| Heading {
        at: candidate.at,
        end: candidate.end,
        level: candidate.number.level(),
        title: shortened(&text[candidate.at..candidate.end]),
    };
    chosen.into_iter().map(heading).collect()
}

/// A line that may be a heading.
struct Candidate {
    at: usize,
    end: usize,
    number: Number,
}

/// How a line is numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Number {
    /// `2.1` or `2.1.`
    Decimal(Vec<u16>),
    /// `IV.`
    Roman(u16),
    /// `Chapter 2`, `§ 5`, with the level that the word means.
    Named(u8),
}

impl Number {
    fn level(&self) -> u8 {
        match self {
            Self::Decimal(number) => u8::try_from(number.len().min(6)).unwrap_or(6),
            Self::Roman(_) => 1,
            Self::Named(level) => *level,
        }
    }

    /// Whether a line with this number, directly under one with the `other`, makes that an item of a list.
    fn is_beside(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Decimal(one), Self::Decimal(other)) => one.len() <= other.len(),
            (Self::Roman(_), Self::Roman(_)) => true,
            (Self::Named(one), Self::Named(other)) => one <= other,
            _ => false,
        }
    }
}

/// Whether a number can follow another.
fn continues(last: &[u16], next: &[u16]) -> bool {
    let common = last.iter().zip(next).take_while(|(one, other)| one == other).count();
    match (last.get(common), &next[common..]) {
        (_, []) => false,
        // The first number, or the first below the last one.
        (None, [child]) => *child <= 1,
        (None, [first, child]) if last.is_empty() => *first <= 1 && *child <= 1,
        (None, _) => false,
        (Some(last), [sibling]) => (last + 1..=last.saturating_add(STEP_MAX)).contains(sibling),
        (Some(last), [sibling, child]) => (last + 1..=last.saturating_add(STEP_MAX)).contains(sibling) && *child <= 1,
        (Some(_), _) => false,
    }
}

/// Lines that look like headings, with text under them.
fn candidates(text: &str) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut open: Option<(Candidate, Numbered)> = None;
    let mut after_gap = true;
    let mut gap_under = false;
    let ends = memchr::memchr2_iter(b'\n', b'\x0c', text.as_bytes()).chain([text.len()]);
    let mut start = 0;
    for end in ends {
        let line = &text[start..end];
        let is_written = line.as_bytes().first().is_some_and(u8::is_ascii_graphic);
        if is_written && !after_gap && open.is_none() {
            // Most lines: neither a heading nor under one.
            (after_gap, gap_under) = (text.as_bytes().get(end) == Some(&b'\x0c'), false);
            start = end + 1;
            continue;
        }
        let content = line.trim();
        if content.is_empty() {
            (after_gap, gap_under) = (true, true);
            start = end + 1;
            continue;
        }
        let numbered = if after_gap || open.is_some() { Numbered::read(content) } else { None };
        if let Some((candidate, above)) = open.take()
            && has_text_under(&above, gap_under, line, numbered.as_ref())
        {
            found.push(candidate);
        }
        if after_gap
            && let Some(numbered) = numbered
            && numbered.is_title
        {
            let at = start + (line.len() - line.trim_start().len());
            let number = numbered.number.clone();
            open = Some((Candidate { at, end: at + content.len(), number }, numbered));
        }
        (after_gap, gap_under) = (text.as_bytes().get(end) == Some(&b'\x0c'), false);
        start = end + 1;
    }
    found
}

/// Whether the next written line shows that the one above is a heading.
fn has_text_under(above: &Numbered, gap: bool, line: &str, numbered: Option<&Numbered>) -> bool {
    let beside = numbered.is_some_and(|numbered| numbered.number.is_beside(&above.number));
    let continues = !gap && line.starts_with([' ', '\t']);
    let goes_on = line.trim_start().starts_with(char::is_lowercase);
    !beside && !continues && !goes_on && (gap || above.has_point)
}

/// A line that begins with a number.
struct Numbered {
    number: Number,
    /// Whether the number alone says that it numbers: `1.`, `1.1`, not `1`.
    has_point: bool,
    is_title: bool,
}

impl Numbered {
    fn read(line: &str) -> Option<Self> {
        Self::decimal(line).or_else(|| Self::roman(line)).or_else(|| Self::named(line))
    }

    fn decimal(line: &str) -> Option<Self> {
        let mut number = Vec::new();
        let mut rest = line;
        let mut has_point = false;
        while let Some(digits) = leading(rest, |c| c.is_ascii_digit()).filter(|digits| digits.len() <= 3)
            && number.len() < 6
        {
            number.push(digits.parse().ok()?);
            rest = &rest[digits.len()..];
            let after_point = rest.strip_prefix('.');
            has_point = after_point.is_some() || number.len() > 1;
            rest = after_point.unwrap_or(rest);
            if after_point.is_none() {
                break;
            }
        }
        if number.is_empty() || !rest.starts_with([' ', '\t', '\u{a0}', '\u{3000}']) {
            return None;
        }
        Some(Self { number: Number::Decimal(number), has_point, is_title: is_title(rest, line) })
    }

    fn roman(line: &str) -> Option<Self> {
        let digits = leading(line, |c| matches!(c, 'I' | 'V' | 'X'))?;
        let rest = line[digits.len()..].strip_prefix(". ")?;
        Some(Self { number: Number::Roman(roman(digits)?), has_point: true, is_title: is_title(rest, line) })
    }

    fn named(line: &str) -> Option<Self> {
        if let Some(rest) = line.strip_prefix('第') {
            let number = leading(rest, |c| c.is_ascii_digit() || "〇零一二三四五六七八九十百千".contains(c))?;
            let unit = rest[number.len()..].chars().next()?;
            let level = match unit {
                '章' | '编' | '編' | '篇' | '部' => 1,
                '节' | '節' | '条' | '條' => 2,
                _ => return None,
            };
            let rest = &rest[number.len() + unit.len_utf8()..];
            let is_title = rest.is_empty() || is_title(rest, line);
            return Some(Self { number: Number::Named(level), has_point: true, is_title });
        }
        let start = &line[..line.floor_char_boundary(WORD_MAX)];
        let word = leading(start, |c| !c.is_whitespace() && !c.is_ascii_digit())?;
        let level = level_of(word)?;
        let rest = line[word.len()..].trim_start();
        let number = leading(rest, |c| c.is_ascii_alphanumeric())?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit())
            || roman(number).is_some()
            || (number.len() == 1 && number.starts_with(|c: char| c.is_ascii_uppercase()));
        if !is_number || number.len() > 5 {
            return None;
        }
        let rest = rest[number.len()..].trim_start_matches(['.', ':', ' ', '\t', '–', '—', '-', '\u{a0}']);
        let is_title = rest.is_empty() || is_title(rest, line);
        Some(Self { number: Number::Named(level), has_point: true, is_title })
    }
}

/// The level of a heading that begins with this word.
fn level_of(word: &str) -> Option<u8> {
    Some(match word {
        "Part"
        | "PART"
        | "Chapter"
        | "CHAPTER"
        | "Appendix"
        | "APPENDIX"
        | "Annex"
        | "ANNEX"
        | "Teil"
        | "Kapitel"
        | "KAPITEL"
        | "Anhang"
        | "Anlage"
        | "Partie"
        | "Chapitre"
        | "CHAPITRE"
        | "Annexe"
        | "ANNEXE"
        | "Parte"
        | "Capítulo"
        | "CAPÍTULO"
        | "Anexo"
        | "ANEXO"
        | "Capitolo"
        | "CAPITOLO"
        | "Allegato"
        | "Hoofdstuk"
        | "Deel"
        | "Bijlage"
        | "Rozdział"
        | "Kapitola"
        | "Глава"
        | "ГЛАВА"
        | "Часть"
        | "Приложение"
        | "Розділ" => 1,
        "Section" | "SECTION" | "Article" | "ARTICLE" | "§" | "Artikel" | "ARTIKEL" | "Abschnitt" | "Sección"
        | "Artículo" | "ARTÍCULO" | "Sezione" | "Articolo" | "Seção" | "Artigo" | "Sectie" | "Artykuł" | "Раздел"
        | "Статья" | "Стаття" => 2,
        _ => return None,
    })
}

/// Whether the rest of a numbered line reads like a title.
fn is_title(rest: &str, line: &str) -> bool {
    let rest = rest.trim();
    let begins = rest.starts_with(|c: char| c.is_alphabetic() && !c.is_lowercase());
    let ends = !rest.ends_with(['.', ',', ';', ':', '!', '?', '…', '。', '，', '；', '：', '！', '？', '、', '-']);
    let is_row = rest.contains('\t') || rest.contains("  ") || rest.contains("...") || rest.contains(" . .");
    begins && ends && !is_row && line.chars().nth(LENGTH_MAX).is_none() && rest.split_whitespace().count() <= WORDS_MAX
}

/// The characters at the start of a text that fit; `None` if there are none.
fn leading(text: &str, fits: impl Fn(char) -> bool) -> Option<&str> {
    let end = text.find(|c| !fits(c)).unwrap_or(text.len());
    (end > 0).then(|| &text[..end])
}

/// A Roman number up to 39.
fn roman(digits: &str) -> Option<u16> {
    let tens = digits.len() - digits.trim_start_matches('X').len();
    let ones = match &digits[tens..] {
        "" => 0,
        "I" => 1,
        "II" => 2,
        "III" => 3,
        "IV" => 4,
        "V" => 5,
        "VI" => 6,
        "VII" => 7,
        "VIII" => 8,
        "IX" => 9,
        _ => return None,
    };
    let number = u16::try_from(tens).ok().filter(|tens| *tens <= 3)? * 10 + ones;
    (number > 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(text: &str) -> Vec<(u8, String)> {
        headings(text).into_iter().map(|heading| (heading.level, heading.title)).collect()
    }

    fn levels(expected: &[(u8, &str)]) -> Vec<(u8, String)> {
        expected.iter().map(|(level, title)| (*level, (*title).to_owned())).collect()
    }

    #[test]
    fn a_numbering_with_text_under_its_titles_is_one_of_headings() {
        let text = "1. Scope\nThis is it.\n\n1.1 Purpose\n\nBecause.\n\n1.2. Terms\nMany.\n\n2. Fees\nHigh.\n";
        let expected = [(1, "1. Scope"), (2, "1.1 Purpose"), (2, "1.2. Terms"), (1, "2. Fees")];
        assert_eq!(titles(text), levels(&expected));
    }

    #[test]
    fn a_heading_may_follow_a_page_break_and_be_numbered_without_a_point() {
        let text = "1 Introduction\n\nText.\u{c}2 Methods\r\n\r\nText.\n\n3 Results\n\nText.";
        assert_eq!(titles(text), levels(&[(1, "1 Introduction"), (1, "2 Methods"), (1, "3 Results")]));
    }

    #[test]
    fn roman_numbers_and_named_parts_are_headings() {
        let roman = "I. Facts\n\nText.\n\nII. Law\n\nText.\n";
        assert_eq!(titles(roman), levels(&[(1, "I. Facts"), (1, "II. Law")]));
        let named = "Kapitel 2: Fristen\nText.\n\n§ 5 Kündigung\n\nText.\n\nAnnex A\n\nText.\n\n第三章 附则\n\n文。";
        let expected = [(1, "Kapitel 2: Fristen"), (2, "§ 5 Kündigung"), (1, "Annex A"), (1, "第三章 附则")];
        assert_eq!(titles(named), levels(&expected));
    }

    #[test]
    fn lists_dates_amounts_and_sentences_are_no_headings() {
        for text in [
            "1. Buy milk\n2. Buy eggs\n3. Go home\n",
            "1. Buy milk\n\n2. Buy eggs\n\n3. Go home\n",
            "1. Open the box and take\nout the parts.\n\n2. Put the parts on\nthe table.\n",
            "1. Open the box\n   with care.\n\n2. Put the parts\n   on the table.\n",
            "1. The seller delivers.\nIn time.\n\n2. The buyer pays.\nIn time.\n",
            "3. Mai 2024\nLieber Herr Meier,\n\n12. Juni 2024\nLiebe Frau Meier,\n",
            "1 Large egg\nfresh\n\n2 Cups of flour\nwhite\n",
            "1. Scope ..... 3\n\nText\n\n2. Fees ..... 5\n\nText\n",
            "2.5 Million people\nlive there.\n\n3.1 Million\nLeft.\n",
            "1. Scope\nA single number is no numbering.\n",
            "I. Smith\nwrote it.\n",
            "Section 5 of the act\nApplies.\n",
            "1) Scope\nText.\n\n2) Fees\nText.\n",
        ] {
            assert_eq!(titles(text), [], "{text}");
        }
    }

    #[test]
    fn a_number_that_does_not_continue_the_numbering_is_left_out() {
        let text = "1. Scope\nText.\n\n40. Rue de Paris\nText.\n\n2. Fees\nText.\n\n1. Again\nText.\n";
        assert_eq!(titles(text), levels(&[(1, "1. Scope"), (1, "2. Fees")]));
    }
}
