//! Puts the letters of right-to-left scripts, which a page shows from left to right, into the order they are read in.
//!
//! This undoes the Unicode bidirectional algorithm as far as a line alone allows: numbers and words of other scripts keep
//! their order, brackets are turned around.

/// What a piece of a line is for its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    RightToLeft,
    LeftToRight,
    Digit,
    /// Between digits it belongs to the number.
    Separator,
    /// Beside a digit it belongs to the number.
    Sign,
    Neutral,
}

/// Whether text has letters of a right-to-left script.
pub(super) fn is_needed(text: &str) -> bool {
    text.bytes().any(|byte| byte >= 0xD6) && text.chars().any(is_right_to_left)
}

fn is_right_to_left(letter: char) -> bool {
    matches!(letter, '\u{590}'..='\u{5FF}' | '\u{608}'..='\u{65F}' | '\u{66D}'..='\u{6EF}' | '\u{6FA}'..='\u{8FF}')
        || matches!(letter, '\u{200F}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}' | '\u{10800}'..='\u{10FFF}')
        || matches!(letter, '\u{1E800}'..='\u{1EFFF}')
}

fn is_arabic(letter: char) -> bool {
    matches!(letter, '\u{600}'..='\u{8FF}' | '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}')
}

/// Whether one of these is a bracket that the other one shows in right-to-left text.
pub(super) fn is_mirrored(stated: &str, shown: &str) -> bool {
    let mut letters = stated.chars();
    matches!((letters.next(), letters.next()), (Some(letter), None) if mirrored(letter) != letter)
        && stated.chars().map(mirrored).eq(shown.chars())
}

/// The text of pieces that stand from left to right, in reading order. A piece is what one glyph stands for.
pub(super) fn logical(mut pieces: Vec<String>) -> String {
    let mut classes: Vec<Class> = pieces.iter().map(|piece| class(piece)).collect();
    if pieces.iter().any(|piece| piece.chars().any(is_arabic)) {
        // After Arabic letters, signs are not read with the number beside them.
        for (class, piece) in classes.iter_mut().zip(&pieces) {
            if *class == Class::Sign || matches!(piece.as_str(), "-" | "+") {
                *class = Class::Neutral;
            }
        }
    }
    let count = |wanted| classes.iter().filter(|class| **class == wanted).count();
    if count(Class::RightToLeft) >= count(Class::LeftToRight) {
        turn(&mut pieces, &classes);
    } else {
        for (start, end) in runs(&classes, Class::RightToLeft, |class| class != Class::LeftToRight) {
            turn(&mut pieces[start..end], &classes[start..end]);
        }
    }
    pieces.concat()
}

/// Turns around a right-to-left run, except for the words and numbers within it.
fn turn(pieces: &mut [String], classes: &[Class]) {
    for (piece, class) in pieces.iter_mut().zip(classes) {
        if *class == Class::Neutral {
            *piece = piece.chars().map(mirrored).collect();
        }
    }
    let mut numbers = numbers(classes);
    let mut kept = runs(classes, Class::LeftToRight, |class| class != Class::RightToLeft);
    for (start, end) in &mut kept {
        // A number before a word, or behind it, is read with it.
        if let Ok(before) = numbers.binary_search_by_key(start, |(_, last)| *last) {
            *start = numbers[before].0;
        }
        let behind = numbers.partition_point(|(first, _)| *first < *end);
        if let Some((first, last)) = numbers.get(behind)
            && (first == end || (*first == *end + 1 && classes[*end] == Class::Neutral))
        {
            *end = *last;
        }
    }
    numbers.retain(|(start, end)| {
        let within = kept.partition_point(|(first, _)| first <= start).checked_sub(1).and_then(|place| kept.get(place));
        within.is_none_or(|(_, last)| last < end)
    });
    kept.extend(numbers);
    for (start, end) in &kept {
        // What was mirrored in a run that keeps its order is mirrored back.
        for (piece, class) in pieces[*start..*end].iter_mut().zip(&classes[*start..*end]) {
            if *class == Class::Neutral {
                *piece = piece.chars().map(mirrored).collect();
            }
        }
        pieces[*start..*end].reverse();
    }
    pieces.reverse();
}

/// The longest runs from one piece of a class to another, with only pieces that may be between them.
fn runs(classes: &[Class], wanted: Class, may_be_within: impl Fn(Class) -> bool) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut is_open = false;
    for (place, class) in classes.iter().enumerate() {
        if *class == wanted {
            match runs.last_mut() {
                Some((_, end)) if is_open => *end = place + 1,
                _ => runs.push((place, place + 1)),
            }
            is_open = true;
        } else if !may_be_within(*class) {
            is_open = false;
        }
    }
    runs
}

/// Runs of digits with the separators within them and the signs beside them.
fn numbers(classes: &[Class]) -> Vec<(usize, usize)> {
    let mut numbers = Vec::new();
    let mut place = 0;
    while place < classes.len() {
        if classes[place] != Class::Digit {
            place += 1;
            continue;
        }
        let mut start = place;
        while start > 0 && classes[start - 1] == Class::Sign {
            start -= 1;
        }
        while place < classes.len() {
            match (classes[place], classes.get(place + 1)) {
                (Class::Digit | Class::Sign, _) | (Class::Separator, Some(Class::Digit)) => place += 1,
                _ => break,
            }
        }
        numbers.push((start, place));
    }
    numbers
}

fn class(piece: &str) -> Class {
    let mut result = Class::Neutral;
    for letter in piece.chars() {
        result = match letter {
            '0'..='9' | '\u{660}'..='\u{669}' | '\u{6F0}'..='\u{6F9}' => Class::Digit,
            '.' | ',' | ':' | '/' | '-' | '+' | '\u{66B}' | '\u{66C}' => Class::Separator,
            '%' | '$' | '€' | '£' | '\u{66A}' => Class::Sign,
            _ if is_right_to_left(letter) => return Class::RightToLeft,
            _ if letter.is_alphabetic() => return Class::LeftToRight,
            _ => continue,
        };
    }
    result
}

fn mirrored(letter: char) -> char {
    match letter {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        '{' => '}',
        '}' => '{',
        '<' => '>',
        '>' => '<',
        '«' => '»',
        '»' => '«',
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reading order of text that stands like this from left to right.
    fn read(shown: &str) -> String {
        logical(shown.chars().map(String::from).collect())
    }

    #[test]
    fn right_to_left_lines_are_turned_around_except_for_numbers_and_words() {
        assert_eq!(read("2024 םולש"), "שלום 2024");
        assert_eq!(read("12.5% ץומח"), "חמוץ 12.5%");
        assert_eq!(read("10:30-11:00 העש"), "שעה 10:30-11:00");
        assert_eq!(read("2024-2020 ةنس"), "سنة 2020-2024");
        assert_eq!(read(".%12.5 مقر"), "رقم 12.5%.");
        assert_eq!(read("2024-ב"), "ב-2024");
        assert_eq!(read("ןכותב iPhone 5 שמתשה"), "השתמש iPhone 5 בתוכן");
        assert_eq!(read("(הלמ) םולש"), "שלום (מלה)");
    }

    #[test]
    fn right_to_left_words_within_other_text_are_turned_around_where_they_are() {
        assert_eq!(read("The words םולש 3 םלוע are two"), "The words עולם 3 שלום are two");
        assert_eq!(read("Title (abc) here"), "Title (abc) here");
    }

    #[test]
    fn the_letters_of_one_glyph_keep_their_order() {
        assert_eq!(logical(vec!["م".into(), "لا".into(), "س".into()]), "سلام");
    }
}
