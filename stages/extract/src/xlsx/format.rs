//! How cells show numbers: the formats of a workbook.

use std::collections::BTreeMap;

use quick_xml::events::Event;

use super::date::{self, Epoch, Parts};
use crate::package::{Xml, attribute, number};
use crate::reject::Reject;

/// The formats that every workbook has, by their numbers.
const BUILT_IN: &[(u32, &str)] = &[
    (1, "0"),
    (2, "0.00"),
    (3, "#,##0"),
    (4, "#,##0.00"),
    (9, "0%"),
    (10, "0.00%"),
    (14, "yyyy-mm-dd"),
    (15, "d-mmm-yy"),
    (16, "d-mmm"),
    (17, "mmm-yy"),
    (18, "h:mm"),
    (19, "h:mm:ss"),
    (20, "h:mm"),
    (21, "h:mm:ss"),
    (22, "yyyy-mm-dd h:mm"),
    (37, "#,##0;(#,##0)"),
    (38, "#,##0;(#,##0)"),
    (39, "#,##0.00;(#,##0.00)"),
    (40, "#,##0.00;(#,##0.00)"),
    (41, "#,##0"),
    (42, "#,##0"),
    (43, "#,##0.00"),
    (44, "#,##0.00"),
    (45, "mm:ss"),
    (46, "[h]:mm:ss"),
    (47, "mm:ss"),
    (27, "yyyy-mm-dd"),
    (28, "yyyy-mm-dd"),
    (29, "yyyy-mm-dd"),
    (30, "yyyy-mm-dd"),
    (31, "yyyy-mm-dd"),
    (36, "yyyy-mm-dd"),
    (50, "yyyy-mm-dd"),
    (57, "yyyy-mm-dd"),
];

/// Longer formats are hostile.
const LONGEST: usize = 255;

/// The formats of a workbook, by the styles of cells.
#[derive(Debug, Default)]
pub(super) struct Formats {
    codes: BTreeMap<u32, String>,
    /// The number of the format of each style.
    styles: Vec<u32>,
}

impl Formats {
    /// Reads the styles part.
    ///
    /// # Errors
    /// The XML is not well-formed.
    pub(super) fn read(xml: Option<Xml<'_>>) -> Result<Self, Reject> {
        let mut formats =
            Self { codes: BUILT_IN.iter().map(|(id, code)| (*id, (*code).to_owned())).collect(), styles: Vec::new() };
        let Some(mut xml) = xml else {
            return Ok(formats);
        };
        let mut in_styles = false;
        while let Some(event) = xml.next()? {
            match event {
                Event::Start(tag) => match tag.local_name().as_ref() {
                    "numFmt" => {
                        let code = attribute(&tag, "formatCode").filter(|code| code.len() <= LONGEST);
                        if let (Some(id), Some(code)) = (number(&tag, "numFmtId"), code) {
                            formats.codes.insert(id, code);
                        }
                    }
                    "cellXfs" => in_styles = true,
                    "xf" if in_styles => formats.styles.push(number(&tag, "numFmtId").unwrap_or(0)),
                    _ => {}
                },
                Event::End(tag) if tag.local_name().as_ref() == "cellXfs" => in_styles = false,
                _ => {}
            }
        }
        Ok(formats)
    }

    /// A number as a cell of this style shows it.
    pub(super) fn shown(&self, raw: &str, style: usize, epoch: Epoch) -> String {
        let Ok(value) = raw.trim().parse::<f64>() else {
            return raw.trim().to_owned();
        };
        let code = self.styles.get(style).and_then(|id| self.codes.get(id)).map(String::as_str).unwrap_or_default();
        match shown(value, code, epoch) {
            Some(text) => text,
            None => general(value, raw.trim()),
        }
    }
}

/// A number in a format; `None` if it has no format of its own, or one that is not known.
fn shown(value: f64, code: &str, epoch: Epoch) -> Option<String> {
    if !value.is_finite() || code.is_empty() {
        return None;
    }
    let sections = sections(code);
    let (section, value) = match (sections.as_slice(), value) {
        ([_, negative, ..], value) if value < 0.0 => (negative, -value),
        ([_, _, zero, ..], 0.0) => (zero, value),
        (sections, value) => (sections.first()?, value),
    };
    if section.is_general {
        return None;
    }
    match section.parts {
        Some(parts) => date::written(value, epoch, parts),
        None => section.number(value),
    }
}

/// A number without a format: as many digits as matter.
fn general(value: f64, raw: &str) -> String {
    if !value.is_finite() || value.abs() >= 1e15 || (value != 0.0 && value.abs() < 1e-9) {
        return raw.to_owned();
    }
    let text = format!("{value:.14e}");
    // Fifteen digits are exact; those beyond are noise of the binary number.
    let rounded: f64 = text.parse().unwrap_or(value);
    format!("{rounded}")
}

/// One of the up to four parts of a format: for positive, negative numbers, zero and text.
#[derive(Debug, Default)]
struct Section {
    is_general: bool,
    /// The parts of a time that it shows, if it is for times.
    parts: Option<Parts>,
    /// The letters before, between and after the digits; a digit's place is `None`.
    before_point: Vec<Option<char>>,
    after_point: Vec<Option<char>>,
    least_digits: usize,
    least_decimals: usize,
    decimals: usize,
    has_point: bool,
    has_thousands: bool,
    percents: i32,
    thousandths: i32,
    is_unknown: bool,
}

fn sections(code: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut letters = code.chars().peekable();
    let mut seen_digit = false;
    let mut minutes = false;
    while let Some(letter) = letters.next() {
        let Some(section) = sections.last_mut() else {
            break;
        };
        match letter {
            ';' => {
                sections.push(Section::default());
                (seen_digit, minutes) = (false, false);
            }
            '"' => letters.by_ref().take_while(|letter| *letter != '"').for_each(|letter| section.literal(letter)),
            '\\' => letters.next().into_iter().for_each(|letter| section.literal(letter)),
            '_' => {
                letters.next();
                section.literal(' ');
            }
            '*' => drop(letters.next()),
            '[' => {
                let inside: String = letters.by_ref().take_while(|letter| *letter != ']').collect();
                section.bracket(&inside);
            }
            '0' | '#' | '?' => {
                seen_digit = true;
                section.digit(letter);
            }
            '.' if section.parts.is_none() => section.has_point = true,
            ',' if seen_digit => match letters.peek() {
                Some('0' | '#' | '?') => section.has_thousands = true,
                _ => section.thousandths += 1,
            },
            '%' => {
                section.percents += 1;
                section.literal('%');
            }
            '/' if seen_digit && section.parts.is_none() => section.is_unknown = true,
            'E' | 'e' if seen_digit => section.is_unknown = true,
            '@' => section.is_general = true,
            'G' | 'g' if letters.clone().take(6).collect::<String>().eq_ignore_ascii_case("eneral") => {
                letters.by_ref().take(6).for_each(drop);
                section.is_general = true;
            }
            'y' | 'Y' | 'e' => section.time().year = true,
            'd' | 'D' => section.time().day = true,
            'h' | 'H' => {
                section.time().hour = true;
                minutes = true;
            }
            's' | 'S' => {
                section.time().second = true;
                section.time().hour = true;
            }
            // After hours, or before seconds, it is minutes.
            'm' | 'M' => {
                while letters.next_if(|next| next.eq_ignore_ascii_case(&'m')).is_some() {}
                let before_seconds = letters.peek() == Some(&':');
                match minutes || before_seconds {
                    true => section.time().hour = true,
                    false => section.time().month = true,
                }
                minutes = false;
            }
            // "AM/PM".
            'A' | 'a' | 'P' | 'p' if section.parts.is_some() => {}
            letter => section.literal(letter),
        }
    }
    sections
}

impl Section {
    fn time(&mut self) -> &mut Parts {
        self.parts.get_or_insert_default()
    }

    fn literal(&mut self, letter: char) {
        match self.has_point {
            true => self.after_point.push(Some(letter)),
            false => self.before_point.push(Some(letter)),
        }
    }

    fn digit(&mut self, letter: char) {
        match self.has_point {
            true => {
                self.decimals += 1;
                if letter == '0' {
                    self.least_decimals = self.decimals;
                }
                self.after_point.push(None);
            }
            false => {
                self.least_digits += usize::from(letter == '0');
                self.before_point.push(None);
            }
        }
    }

    /// "[$€-407]" is a currency, "[h]" hours beyond a day, and all else colours and conditions.
    fn bracket(&mut self, inside: &str) {
        if let Some(currency) = inside.strip_prefix('$') {
            currency.split('-').next().unwrap_or_default().chars().for_each(|letter| self.literal(letter));
        } else if !inside.is_empty() && inside.chars().all(|letter| matches!(letter, 'h' | 'H' | 'm' | 'M' | 's' | 'S'))
        {
            let parts = self.time();
            (parts.hour, parts.elapsed) = (true, true);
        }
    }

    fn number(&self, value: f64) -> Option<String> {
        let has_digits = self.decimals > 0 || self.before_point.contains(&None);
        if self.is_unknown {
            return None;
        }
        let scaled = value * 100_f64.powi(self.percents.min(9)) / 1000_f64.powi(self.thousandths.min(9));
        if scaled.abs() >= 1e15 {
            return None;
        }
        // Halves are rounded up, as a person does, and not to the even neighbour of the binary number.
        let rounded = format!("{:.*}", self.decimals.min(15), scaled.abs() * (1.0 + f64::EPSILON));
        let (whole, decimals) = rounded.split_once('.').unwrap_or((&rounded, ""));
        let kept = decimals.trim_end_matches('0').len().max(self.least_decimals.min(decimals.len()));
        let decimals = &decimals[..kept];
        let whole = if whole == "0" { "" } else { whole };
        let whole = format!("{}{whole}", "0".repeat(self.least_digits.saturating_sub(whole.len())));
        let mut out = String::new();
        let is_zero = whole.chars().chain(decimals.chars()).all(|digit| digit == '0');
        if value < 0.0 && !is_zero {
            out.push('-');
        }
        if has_digits {
            out.push_str(&self.filled(&whole));
            if !decimals.is_empty() {
                out.push('.');
                out.push_str(decimals);
            }
            out.extend(self.after_point.iter().flatten());
        } else {
            out.extend(self.before_point.iter().flatten());
        }
        Some(out.trim().to_owned())
    }

    /// The digits before the point in their places, from the last to the first.
    fn filled(&self, whole: &str) -> String {
        let mut digits = whole.chars().rev().peekable();
        let mut places = self.before_point.iter().filter(|place| place.is_none()).count();
        let mut reversed: Vec<char> = Vec::new();
        let mut count = 0;
        for place in self.before_point.iter().rev() {
            match place {
                Some(literal) => {
                    // Between digits only if there is one on both sides.
                    if places == 0 || count == 0 || digits.peek().is_some() {
                        reversed.push(*literal);
                    }
                }
                None => {
                    places -= 1;
                    let most = if places == 0 { usize::MAX } else { 1 };
                    for _ in 0..most {
                        let Some(digit) = digits.next() else {
                            break;
                        };
                        if self.has_thousands && count > 0 && count % 3 == 0 {
                            reversed.push(',');
                        }
                        reversed.push(digit);
                        count += 1;
                    }
                }
            }
        }
        reversed.into_iter().rev().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_their_format_says() {
        for (value, code, expected) in [
            (1234.5, "#,##0.00", "1,234.50"),
            (1_234_567.0, "#,##0", "1,234,567"),
            (-5.0, "#,##0;(#,##0)", "(5)"),
            (-0.001, "0.0", "0.0"),
            (0.256, "0%", "26%"),
            (0.125, "0.00", "0.13"),
            (12.0, "\"No. \"000", "No. 012"),
            (9.5, "[$€-407] #,##0.00", "€ 9.50"),
            (9.5, "#,##0.00\\ \"EUR\"", "9.50 EUR"),
            (1_500_000.0, "0.0,,\"M\"", "1.5M"),
            (0.5, "#.##", ".5"),
            (3.0, "#.##", "3"),
            (0.0, "0;-0;\"none\"", "none"),
            (5_551_234.0, "000-0000", "555-1234"),
            (7.0, "[Red]0.0", "7.0"),
            (45_352.0, "dd/mm/yyyy", "2024-03-01"),
            (45_352.5, "yyyy\\-mm\\-dd hh:mm:ss", "2024-03-01 12:00:00"),
            (45_352.0, "[$-409]mmmm yyyy", "2024-03"),
            (0.75, "h:mm AM/PM", "18:00"),
            (1.5, "[h]:mm", "36:00"),
        ] {
            assert_eq!(shown(value, code, Epoch::Of1900).as_deref(), Some(expected), "{code}");
        }
        for code in ["General", "", "# ?/?", "0.00E+00", "@"] {
            assert_eq!(shown(0.5, code, Epoch::Of1900), None, "{code}");
        }
    }

    #[test]
    fn numbers_without_a_format_have_no_noise() {
        for (raw, expected) in
            [("0.30000000000000004", "0.3"), ("1E-3", "0.001"), ("42", "42"), ("1e300", "1e300"), ("-7.25", "-7.25")]
        {
            assert_eq!(general(raw.parse().unwrap(), raw), expected);
        }
    }
}
