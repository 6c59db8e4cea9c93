//! Numbers as the lists of office formats write them: letters, Roman numerals, words, signs.

/// A way to write the numbers of a list, by its name in Word's files.
///
/// What is not listed here is written in decimal digits.
pub(crate) fn written(format: &str, number: u64) -> String {
    match format {
        "none" | "bullet" => String::new(),
        "lowerGreek" => cycle(number, "αβγδεζηθικλμνξοπρστυφχψω"),
        "upperRoman" => roman(number),
        "lowerRoman" => roman(number).to_lowercase(),
        "upperLetter" => letters(number, 'A'),
        "lowerLetter" => letters(number, 'a'),
        "ordinal" => format!("{number}{}", ordinal_ending(number)),
        "cardinalText" => capital(&cardinal(number)),
        "ordinalText" => capital(&ordinal(number)),
        "decimalZero" => format!("{number:02}"),
        "numberInDash" => format!("- {number} -"),
        "hex" => format!("{number:X}"),
        "chicago" => repeated(&["*", "†", "‡", "§"], number),
        "decimalEnclosedCircle" | "decimalEnclosedCircleChinese" => enclosed(number, 0x2460, 20),
        "decimalEnclosedParen" => enclosed(number, 0x2474, 20),
        "decimalEnclosedFullstop" => enclosed(number, 0x2488, 20),
        "decimalFullWidth" | "decimalFullWidth2" => digits(number, '０'),
        "hindiNumbers" => digits(number, '०'),
        "thaiNumbers" => digits(number, '๐'),
        "japaneseCounting"
        | "chineseCounting"
        | "chineseCountingThousand"
        | "taiwaneseCounting"
        | "taiwaneseCountingThousand"
        | "koreanCounting" => counting(number, "〇一二三四五六七八九", "十百千", '万'),
        "chineseLegalSimplified" => counting(number, "零壹贰叁肆伍陆柒捌玖", "拾佰仟", '万'),
        "ideographLegalTraditional" | "japaneseLegal" => counting(number, "零壹貳參肆伍陸柒捌玖", "拾佰仟", '萬'),
        "ideographDigital" | "taiwaneseDigital" | "japaneseDigitalTenThousand" | "koreanDigital2" => {
            digits_of(number, "〇一二三四五六七八九")
        }
        "koreanDigital" => digits_of(number, "영일이삼사오육칠팔구"),
        "ideographTraditional" => cycle(number, "甲乙丙丁戊己庚辛壬癸"),
        "ideographZodiac" => cycle(number, "子丑寅卯辰巳午未申酉戌亥"),
        "iroha" | "irohaFullWidth" => cycle(
            number,
            "イロハニホヘトチリヌルヲワカヨタレソツネナラムウヰノオクヤマケフコエテアサキユメミシヱヒモセス",
        ),
        "aiueo" | "aiueoFullWidth" => cycle(
            number,
            "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン",
        ),
        "ganada" => cycle(number, "가나다라마바사아자차카타파하"),
        "chosung" => cycle(number, "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ"),
        "russianLower" => cycle(number, "абвгдежзиклмнопрстуфхцчшщыэюя"),
        "russianUpper" => cycle(number, "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЫЭЮЯ"),
        "hebrew2" => cycle(number, "אבגדהוזחטיכלמנסעפצקרשת"),
        "hebrew1" => hebrew(number),
        "arabicAlpha" => cycle(number, "أبتثجحخدذرزسشصضطظعغفقكلمنهوي"),
        "arabicAbjad" => cycle(number, "أبجدهوزحطيكلمنسعفصقرشتثخذضظغ"),
        "thaiLetters" => cycle(number, "กขคงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮ"),
        _ => number.to_string(),
    }
}

/// Roman numerals up to 3999; beyond that nobody writes them.
fn roman(number: u64) -> String {
    const VALUES: [(u64, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if number == 0 || number > 3999 {
        return number.to_string();
    }
    let mut rest = number;
    let mut roman = String::new();
    for (value, letters) in VALUES {
        while rest >= value {
            roman.push_str(letters);
            rest -= value;
        }
    }
    roman
}

/// "a" to "z", then "aa", "ab" and so on, as pages count.
pub(crate) fn counted(mut number: u64) -> String {
    if number == 0 {
        return number.to_string();
    }
    let mut letters = Vec::new();
    while number > 0 {
        number -= 1;
        letters.push(b'a' + u8::try_from(number % 26).unwrap_or_default());
        number /= 26;
    }
    letters.iter().rev().map(|letter| char::from(*letter)).collect()
}

/// "a" to "z", then "aa", "bb" and so on.
fn letters(number: u64, first: char) -> String {
    let alphabet: String = (0..26).filter_map(|place| char::from_u32(u32::from(first) + place)).collect();
    cycle(number, &alphabet)
}

/// A letter of the alphabet; after the last one letters are doubled, tripled and so on.
fn cycle(number: u64, alphabet: &str) -> String {
    let letters: Vec<&str> = alphabet.split_inclusive(|_: char| true).collect();
    repeated(&letters, number)
}

fn repeated(signs: &[&str], number: u64) -> String {
    let Some(place) = number.checked_sub(1).and_then(|place| usize::try_from(place).ok()) else {
        return number.to_string();
    };
    let times = place / signs.len() + 1;
    match times > 30 {
        true => number.to_string(),
        false => signs[place % signs.len()].repeat(times),
    }
}

fn enclosed(number: u64, first: u32, most: u64) -> String {
    let letter = match u32::try_from(number) {
        Ok(place) if (1..=most).contains(&number) => char::from_u32(first + place - 1),
        _ => None,
    };
    letter.map_or_else(|| number.to_string(), String::from)
}

fn digits(number: u64, zero: char) -> String {
    let digit =
        |digit: char| digit.to_digit(10).and_then(|digit| char::from_u32(u32::from(zero) + digit)).unwrap_or(digit);
    number.to_string().chars().map(digit).collect()
}

fn digits_of(number: u64, table: &str) -> String {
    let letters: Vec<char> = table.chars().collect();
    number.to_string().chars().filter_map(|digit| letters.get(digit.to_digit(10)? as usize).copied()).collect()
}

/// East Asian counting: digits with the signs for tens, hundreds and thousands.
fn counting(number: u64, table: &str, units: &str, ten_thousand: char) -> String {
    if number == 0 || number >= 100_000_000 {
        return digits_of(number, table);
    }
    if number >= 10_000 {
        let high = counting(number / 10_000, table, units, ten_thousand);
        let rest = number % 10_000;
        let zero = if rest > 0 && rest < 1000 {
            table.chars().next().map(String::from).unwrap_or_default()
        } else {
            String::new()
        };
        let low = if rest == 0 { String::new() } else { counting(rest, table, units, ten_thousand) };
        return format!("{high}{ten_thousand}{zero}{low}");
    }
    let digit = |digit: u64| usize::try_from(digit).ok().and_then(|digit| table.chars().nth(digit)).unwrap_or(' ');
    let units: Vec<char> = units.chars().collect();
    let mut out = String::new();
    let mut gap = false;
    for (place, value) in [1000, 100, 10, 1].into_iter().enumerate() {
        let count = number / value % 10;
        if count == 0 {
            gap = !out.is_empty();
            continue;
        }
        if gap {
            out.push(digit(0));
            gap = false;
        }
        // Ten is written without "one".
        if !(count == 1 && value == 10 && out.is_empty()) {
            out.push(digit(count));
        }
        out.extend(units.get(2_usize.wrapping_sub(place)));
    }
    out
}

fn hebrew(number: u64) -> String {
    const LETTERS: [(u64, char); 22] = [
        (400, 'ת'),
        (300, 'ש'),
        (200, 'ר'),
        (100, 'ק'),
        (90, 'צ'),
        (80, 'פ'),
        (70, 'ע'),
        (60, 'ס'),
        (50, 'נ'),
        (40, 'מ'),
        (30, 'ל'),
        (20, 'כ'),
        (10, 'י'),
        (9, 'ט'),
        (8, 'ח'),
        (7, 'ז'),
        (6, 'ו'),
        (5, 'ה'),
        (4, 'ד'),
        (3, 'ג'),
        (2, 'ב'),
        (1, 'א'),
    ];
    if number == 0 || number > 999 {
        return number.to_string();
    }
    let mut rest = number;
    let mut out = String::new();
    while rest > 0 {
        // Fifteen and sixteen would spell a name of God.
        if rest == 15 || rest == 16 {
            out.push('ט');
            rest -= 9;
        }
        let Some((value, letter)) = LETTERS.iter().find(|(value, _)| *value <= rest) else {
            break;
        };
        out.push(*letter);
        rest -= value;
    }
    out
}

fn ordinal_ending(number: u64) -> &'static str {
    match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

const UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

fn cardinal(number: u64) -> String {
    let place = |number: u64| usize::try_from(number).unwrap_or_default();
    match number {
        0..=19 => UNITS[place(number)].to_owned(),
        20..=99 if number.is_multiple_of(10) => TENS[place(number / 10)].to_owned(),
        20..=99 => format!("{}-{}", TENS[place(number / 10)], UNITS[place(number % 10)]),
        100..=999 if number.is_multiple_of(100) => format!("{} hundred", UNITS[place(number / 100)]),
        100..=999 => format!("{} hundred {}", UNITS[place(number / 100)], cardinal(number % 100)),
        _ => number.to_string(),
    }
}

fn ordinal(number: u64) -> String {
    let cardinal = cardinal(number);
    if number > 999 {
        return format!("{number}{}", ordinal_ending(number));
    }
    let (start, last) = match cardinal.rfind(['-', ' ']) {
        Some(place) => cardinal.split_at(place + 1),
        None => ("", cardinal.as_str()),
    };
    let last = match last {
        "one" => "first".to_owned(),
        "two" => "second".to_owned(),
        "three" => "third".to_owned(),
        "five" => "fifth".to_owned(),
        "eight" => "eighth".to_owned(),
        "nine" => "ninth".to_owned(),
        "twelve" => "twelfth".to_owned(),
        _ => match last.strip_suffix('y') {
            Some(tens) => format!("{tens}ieth"),
            None => format!("{last}th"),
        },
    };
    format!("{start}{last}")
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::written;

    #[test]
    fn numbers_are_written_as_the_format_says() {
        for (format, number, expected) in [
            ("decimal", 12, "12"),
            ("upperRoman", 1994, "MCMXCIV"),
            ("lowerRoman", 4, "iv"),
            ("lowerRoman", 4000, "4000"),
            ("lowerLetter", 1, "a"),
            ("upperLetter", 26, "Z"),
            ("lowerLetter", 27, "aa"),
            ("lowerLetter", 54, "bbb"),
            ("lowerLetter", 0, "0"),
            ("lowerLetter", u64::MAX, "18446744073709551615"),
            ("ordinal", 1, "1st"),
            ("ordinal", 12, "12th"),
            ("ordinal", 23, "23rd"),
            ("cardinalText", 21, "Twenty-one"),
            ("ordinalText", 1, "First"),
            ("ordinalText", 20, "Twentieth"),
            ("ordinalText", 112, "One hundred twelfth"),
            ("decimalZero", 7, "07"),
            ("decimalEnclosedCircle", 3, "③"),
            ("decimalEnclosedCircle", 21, "21"),
            ("japaneseCounting", 10, "十"),
            ("chineseCountingThousand", 25, "二十五"),
            ("chineseCountingThousand", 105, "一百〇五"),
            ("chineseCountingThousand", 3000, "三千"),
            ("ideographDigital", 10, "一〇"),
            ("ideographTraditional", 2, "乙"),
            ("russianLower", 3, "в"),
            ("hebrew1", 15, "טו"),
            ("hebrew1", 21, "כא"),
            ("thaiNumbers", 10, "๑๐"),
            ("chicago", 6, "††"),
            ("none", 5, ""),
        ] {
            assert_eq!(written(format, number), expected, "{format} {number}");
        }
    }
}
