//! Letters of symbol fonts, whose codes mean nothing without the font: Symbol, Wingdings and Webdings.

/// Symbol, from code 0x20; a space stands for a code without a letter.
const SYMBOL: &str = " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_ αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼";

/// Symbol, from code 0xA0.
const SYMBOL_HIGH: &str =
    "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪ 〉∫⌠⎮⌡⎞⎟⎠⎤⎥⎦⎫⎬⎭ ";

/// Wingdings, from code 0x21.
const WINGDINGS: &str = "✏✂✁👓🕭🕮🕯☎✆✉🖃📪📫📬📭🗀🗁🗎🗏🗐🗄⌛⌨🖰🖲🖳🖴🖫🖬✇✍🖎✌👌👍👎☜☞☝☟🖐☺😐☹💣☠🏳🏱✈☼💧❄🕆✞🕈✠✡☪☯ॐ☸♈♉\
                         ♊♋♌♍♎♏♐♑♒♓&&●🔾■□🞐❑❒⬧⧫◆❖⬥⌧⮹⌘🏵🏶“” ⓪①②③④⑤⑥⑦⑧⑨⑩⓿❶❷❸❹❺❻❼❽❾❿🙢🙠🙡🙣🙞🙜🙝🙟·•▪○🞆🞈🞊🞋🔿▪☐🟂🟆★✶✴✹✵\
                         ⯐⌖⟡⌑⯑✪✰🕐🕑🕒🕓🕔🕕🕖🕗🕘🕙🕚🕛⮰⮱⮲⮳⮴⮵⮶⮷🙪🙫🙕🙔🙗🙖🙐🙑🙒🙓⌫⌦⮘➢⮙⮛⮈⮊⮉⮋←→↑↓↖↗↙↘🡸➔🡹🡻🡼🡽🡿🡾⇦⇨⇧⇩⬄⇳⬀⬁⬃⬂🢬🢭✘✔☒☑";

/// A symbol font.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Font {
    Symbol,
    Wingdings,
    Wingdings2,
    Wingdings3,
    Webdings,
    Dingbats,
}

impl Font {
    /// The symbol font of this name; `None` if it is a font of letters.
    pub(crate) fn of(name: &str) -> Option<Self> {
        const NAMES: &[(&str, Font)] = &[
            ("symbol", Font::Symbol),
            ("symbol mt", Font::Symbol),
            ("standard symbols l", Font::Symbol),
            ("wingdings", Font::Wingdings),
            ("wingdings 2", Font::Wingdings2),
            ("wingdings 3", Font::Wingdings3),
            ("webdings", Font::Webdings),
            ("zapfdingbats", Font::Dingbats),
            ("zapf dingbats", Font::Dingbats),
            ("monotype sorts", Font::Dingbats),
        ];
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim())).map(|(_, font)| *font)
    }

    /// The letter that a code shows; `None` if it is no code of such a font.
    ///
    /// The code may be in the private use area, where such fonts are mapped to. A picture that no letter stands for becomes
    /// a bullet.
    pub(crate) fn letter(self, code: u32) -> Option<char> {
        let code = if (0xF000..=0xF0FF).contains(&code) { code - 0xF000 } else { code };
        if !(0x20..=0xFF).contains(&code) {
            return None;
        }
        let known = match self {
            Self::Symbol => match code.checked_sub(0xA0) {
                Some(place) => from_table(SYMBOL_HIGH, place),
                None => from_table(SYMBOL, code - 0x20),
            },
            Self::Wingdings => code.checked_sub(0x21).map_or(Some(' '), |place| from_table(WINGDINGS, place)),
            Self::Wingdings2 => wingdings_2(code),
            Self::Wingdings3 => wingdings_3(code),
            Self::Webdings => webdings(code),
            Self::Dingbats => dingbats(code),
        };
        Some(known.unwrap_or('•'))
    }
}

/// A letter as a font shows it.
pub(crate) fn shown(font: Option<Font>, letter: char) -> char {
    font.and_then(|font| font.letter(letter.into())).unwrap_or_else(|| guess(letter))
}

/// A letter of the private use area whose font is not known: nearly always a bullet of Symbol or Wingdings.
pub(crate) fn guess(letter: char) -> char {
    match u32::from(letter) {
        0xF0B7 => '•',
        code @ 0xF021..=0xF0FF => Font::Wingdings.letter(code).unwrap_or(letter),
        _ => letter,
    }
}

fn from_table(table: &str, place: u32) -> Option<char> {
    table.chars().nth(place as usize).filter(|letter| *letter != ' ' || place == 0)
}

fn wingdings_2(code: u32) -> Option<char> {
    Some(match code {
        0x20 => ' ',
        0x4F | 0xCD => '✗',
        0x50 => '✓',
        0x51 | 0x53 | 0x54 => '☒',
        0x52 => '☑',
        0x2A | 0xA3 => '☐',
        0x69..=0x73 => char::from_u32(0x2460 + code - 0x6A).filter(|_| code > 0x69).unwrap_or('⓪'),
        0x75..=0x7E => char::from_u32(0x2776 + code - 0x75)?,
        0x95..=0x98 => '●',
        0xA0..=0xA2 => '■',
        0xEA => '★',
        _ => return None,
    })
}

fn wingdings_3(code: u32) -> Option<char> {
    Some(match code {
        0x20 => ' ',
        0x21 | 0x66 | 0xC5 => '←',
        0x22 | 0x67 | 0xC6 => '→',
        0x23 | 0x68 | 0xC7 => '↑',
        0x24 | 0x69 | 0xC8 => '↓',
        0x25 | 0x6A => '↖',
        0x26 | 0x6B => '↗',
        0x27 | 0x6C => '↙',
        0x28 | 0x6D => '↘',
        0x70 => '▲',
        0x71 => '▼',
        0x72 => '△',
        0x73 => '▽',
        0x74 | 0x7C => '◀',
        0x75 | 0x7D => '▶',
        0x76 => '◁',
        0x77 => '▷',
        _ => return None,
    })
}

fn webdings(code: u32) -> Option<char> {
    Some(match code {
        0x20 => ' ',
        0x33 => '◀',
        0x34 => '▶',
        0x35 => '▲',
        0x36 => '▼',
        0x61 => '✔',
        0x63 => '☐',
        0x67 => '■',
        0x69 => 'ℹ',
        0x6E | 0x3D => '●',
        0x72 => '✖',
        0x73 => '?',
        0x78 => '✘',
        _ => return None,
    })
}

/// The dingbats of Unicode are those of this font, but for some that Unicode has elsewhere.
fn dingbats(code: u32) -> Option<char> {
    Some(match code {
        0x20 => ' ',
        0x25 => '☎',
        0x2A => '☛',
        0x2B => '☞',
        0x48 => '★',
        0x6C => '●',
        0x6E => '■',
        0x73 => '▲',
        0x74 => '▼',
        0x75 => '◆',
        0xAC..=0xB5 => char::from_u32(0x2460 + code - 0xAC)?,
        0xD5 => '→',
        0x21..=0x7E | 0xA1..=0xFE => char::from_u32(0x2700 + code - 0x20)?,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_a_letter_for_each_code() {
        assert_eq!(SYMBOL.chars().count(), 0x7F - 0x20);
        assert_eq!(SYMBOL_HIGH.chars().count(), 0x100 - 0xA0);
        assert_eq!(WINGDINGS.chars().count(), 0xFF - 0x21);
    }

    #[test]
    fn codes_of_symbol_fonts_become_letters() {
        for (font, code, expected) in [
            ("Symbol", 0xF061, 'α'),
            ("Symbol", 0x6D, 'μ'),
            ("Symbol", 0xF0B7, '•'),
            ("Symbol", 0xF0A3, '≤'),
            ("Symbol", 0xF0B3, '≥'),
            ("Symbol", 0xF0B4, '×'),
            ("Symbol", 0xF0DE, '⇒'),
            ("Symbol", 0xF0E5, '∑'),
            ("Symbol", 0xF0F2, '∫'),
            ("Wingdings", 0xF0FC, '✔'),
            ("Wingdings", 0xFE, '☑'),
            ("Wingdings", 0xF0FD, '☒'),
            ("Wingdings", 0xF0A8, '☐'),
            ("Wingdings", 0xF0A7, '▪'),
            ("Wingdings", 0xF0D8, '➢'),
            ("Wingdings", 0xF0E0, '→'),
            ("Wingdings", 0xF0E8, '➔'),
            ("Wingdings", 0xF04A, '☺'),
            ("Wingdings", 0xF06C, '●'),
            ("Wingdings", 0xF06F, '□'),
            ("Wingdings", 0xF081, '①'),
            ("Wingdings", 0xF028, '☎'),
            ("Wingdings", 0xF0AB, '★'),
            ("Wingdings 2", 0xF050, '✓'),
            ("Wingdings 2", 0xF06A, '①'),
            ("Webdings", 0x61, '✔'),
            ("ZapfDingbats", 0x33, '✓'),
            ("Wingdings 3", 0xFF, '•'),
        ] {
            assert_eq!(Font::of(font).unwrap().letter(code), Some(expected), "{font} {code:x}");
        }
        assert_eq!(Font::of("Arial"), None);
        assert_eq!(Font::Wingdings.letter(0x2714), None);
    }

    #[test]
    fn private_letters_without_a_font_are_bullets_of_the_usual_ones() {
        assert_eq!(['\u{F0B7}', '\u{F0A7}', '\u{F0FC}', '\u{E001}', 'a'].map(guess), ['•', '▪', '✔', '\u{E001}', 'a']);
    }
}
