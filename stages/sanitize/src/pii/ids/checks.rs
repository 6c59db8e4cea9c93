//! Check digits and dates of identity and tax numbers. Each function gets letters and digits only.

use super::super::card::passes_luhn;

fn value(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'Z' => u32::from(byte - b'A') + 10,
        _ => 0,
    }
}

/// The sum of the digits times their weights.
fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| value(*digit) * weight).sum()
}

fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| 10 * number + u64::from(value(*digit)))
}

fn last(digits: &[u8]) -> u32 {
    digits.last().map_or(99, |digit| value(*digit))
}

fn is_day_and_month(day: u64, month: u64) -> bool {
    (1..=31).contains(&day) && (1..=12).contains(&month)
}

/// Whether six digits are year, month and day.
fn is_ymd(digits: &[u8]) -> bool {
    digits.len() >= 6 && is_day_and_month(number(&digits[4..6]), number(&digits[2..4]))
}

/// Whether six digits are day, month and year.
fn is_dmy(digits: &[u8]) -> bool {
    digits.len() >= 6 && is_day_and_month(number(&digits[..2]), number(&digits[2..4]))
}

pub(super) fn any(_: &[u8]) -> bool {
    true
}

/// The check letter of DNI and NIE.
pub(super) fn spain(id: &[u8]) -> bool {
    let [digits @ .., letter] = id else { return false };
    let first = match digits.first() {
        Some(b'X' | b'Y' | b'Z') => u64::from(digits[0] - b'X') * 10_000_000,
        Some(b'0'..=b'9') => number(&digits[..1]) * 10_u64.pow(u32::try_from(digits.len().min(9)).unwrap_or(1) - 1),
        _ => return false,
    };
    let place = (first + number(&digits[1..])) % 23;
    b"TRWAGMYFPDXBNJZSQVHLCKE".get(usize::try_from(place).unwrap_or(0)) == Some(letter)
}

pub(super) fn italy(id: &[u8]) -> bool {
    const ODD: [u32; 36] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
        10, 22, 25, 24, 23,
    ];
    let [places @ .., check] = id else { return false };
    if !id[..6].iter().all(u8::is_ascii_uppercase) || !b"ABCDEHLMPRST".contains(&id[8]) {
        return false;
    }
    let sum: u32 = places
        .iter()
        .enumerate()
        .map(|(place, byte)| match (place % 2, byte) {
            (0, byte) => ODD[value(*byte) as usize],
            (_, b'0'..=b'9') => value(*byte),
            (_, byte) => value(*byte) - 10,
        })
        .sum();
    sum % 26 + 10 == value(*check)
}

/// A check digit modulo 11 where 10 and more count as 0.
fn mod_11(digits: &[u8], weights: &[u32], check: u8) -> bool {
    let rest = weighted(digits, weights) % 11;
    (if rest < 2 { 0 } else { 11 - rest }) == value(check)
}

pub(super) fn brazil_person(id: &[u8]) -> bool {
    id.len() == 11
        && id.iter().any(|digit| *digit != id[0])
        && mod_11(&id[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2], id[9])
        && mod_11(&id[..10], &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2], id[10])
}

pub(super) fn brazil_company(id: &[u8]) -> bool {
    id.len() == 14
        && mod_11(&id[..12], &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], id[12])
        && mod_11(&id[..13], &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2], id[13])
}

/// The fourth letter is the kind of the taxpayer; there is no published check digit.
pub(super) fn india_tax(id: &[u8]) -> bool {
    id.len() == 10 && b"ABCFGHLJPTK".contains(&id[3])
}

pub(super) fn china(id: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let [digits @ .., check] = id else { return false };
    let century = digits.len() == 17 && matches!(&digits[6..8], b"18" | b"19" | b"20");
    century && is_ymd(&digits[8..14]) && b"10X98765432".get((weighted(digits, &WEIGHTS) % 11) as usize) == Some(check)
}

pub(super) fn curp(id: &[u8]) -> bool {
    id.len() == 18 && is_ymd(&id[4..10]) && matches!(id[10], b'H' | b'M' | b'X')
}

pub(super) fn rfc(id: &[u8]) -> bool {
    let letters = id.len().saturating_sub(9);
    (3..=4).contains(&letters) && is_ymd(&id[letters..letters + 6])
}

pub(super) fn nino(id: &[u8]) -> bool {
    let [first, second, .., suffix] = id else { return false };
    !b"DFIQUV".contains(first)
        && !b"DFIOQUV".contains(second)
        && !matches!(&id[..2], b"BG" | b"GB" | b"NK" | b"KN" | b"TN" | b"NT" | b"ZZ")
        && (b'A'..=b'D').contains(suffix)
}

pub(super) fn france(id: &[u8]) -> bool {
    if id.len() != 15 || !matches!(id[0], b'1' | b'2') {
        return false;
    }
    let month = number(&id[3..5]);
    // Corsica writes its departments with a letter.
    let (corsica, department) = match id[6] {
        b'A' => (1_000_000, b'0'),
        b'B' => (2_000_000, b'0'),
        digit => (0, digit),
    };
    let mut digits = [0; 13];
    digits.copy_from_slice(&id[..13]);
    digits[6] = department;
    let rest = number(&digits).saturating_sub(corsica) % 97;
    ((1..=12).contains(&month) || (20..=42).contains(&month)) && 97 - rest == number(&id[13..])
}

pub(super) fn german_pension(id: &[u8]) -> bool {
    if id.len() != 12 || !is_dmy(&id[2..8]) {
        return false;
    }
    let letter = value(id[8]) - 9;
    let mut digits = id[..8].to_vec();
    digits.extend(format!("{letter:02}").bytes());
    digits.extend_from_slice(&id[9..11]);
    let sum: u32 = digits
        .iter()
        .zip([2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1])
        .map(|(digit, weight)| {
            let product = value(*digit) * weight;
            product / 10 + product % 10
        })
        .sum();
    sum % 10 == last(id)
}

/// ISO 7064, modulo 11 and 10.
fn iso_7064(digits: &[u8]) -> bool {
    let [digits @ .., check] = digits else { return false };
    let product = digits.iter().fold(10, |product, digit| {
        let sum = (value(*digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == value(*check)
}

/// One digit stands two or three times among the first ten.
pub(super) fn german_tax(id: &[u8]) -> bool {
    if id.len() != 11 || id[0] == b'0' {
        return false;
    }
    let mut counts = [0_usize; 10];
    id[..10].iter().for_each(|digit| counts[value(*digit) as usize % 10] += 1);
    counts.iter().filter(|count| **count > 1).count() == 1 && counts.iter().all(|count| *count <= 3) && iso_7064(id)
}

pub(super) fn belgium(id: &[u8]) -> bool {
    let check = number(&id[9..]);
    let first = number(&id[..9]);
    97 - first % 97 == check || 97 - (first + 2_000_000_000) % 97 == check
}

/// Sweden; and Denmark and Iceland, whose numbers look the same.
pub(super) fn nordic(id: &[u8]) -> bool {
    let id = if id.len() == 12 { &id[2..] } else { id };
    let coordination = id.len() == 10 && is_day_and_month(number(&id[4..6]).saturating_sub(60), number(&id[2..4]));
    let sweden = (is_ymd(id) || coordination) && passes_luhn(id);
    let denmark = is_dmy(id) && weighted(id, &[4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11);
    let iceland = is_dmy(id) && mod_11(&id[..8], &[3, 2, 7, 6, 5, 4, 3, 2], id[8]);
    sweden || denmark || iceland
}

pub(super) fn norway(id: &[u8]) -> bool {
    id.len() == 11
        && is_dmy(id)
        && weighted(id, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]).is_multiple_of(11)
        && weighted(id, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

pub(super) fn finland(id: &[u8]) -> bool {
    let plain: Vec<u8> = if id.len() == 11 { [&id[..6], &id[7..]].concat() } else { id.to_vec() };
    let [digits @ .., check] = plain.as_slice() else { return false };
    let place = usize::try_from(number(digits) % 31).unwrap_or(0);
    digits.len() == 9 && is_dmy(digits) && b"0123456789ABCDEFHJKLMNPRSTUVWXY".get(place) == Some(check)
}

pub(super) fn czechia(id: &[u8]) -> bool {
    let month = number(&id[2..4]);
    let month = [0, 20, 50, 70].iter().any(|offset| month > *offset && month <= offset + 12);
    month && (1..=31).contains(&number(&id[4..6])) && number(id).is_multiple_of(11)
}

pub(super) fn switzerland(id: &[u8]) -> bool {
    id.len() == 13 && weighted(id, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}

pub(super) fn south_africa(id: &[u8]) -> bool {
    id.len() == 13 && is_ymd(id) && matches!(id[10], b'0' | b'1') && passes_luhn(id)
}

pub(super) fn korea(id: &[u8]) -> bool {
    id.len() == 13 && is_ymd(id) && (b'1'..=b'8').contains(&id[6])
}

pub(super) fn hong_kong(id: &[u8]) -> bool {
    let [letter, digits @ .., check] = id else { return false };
    let sum = 36 * 9 + value(*letter) * 8 + weighted(digits, &[7, 6, 5, 4, 3, 2]);
    let check = if *check == b'A' { 10 } else { value(*check) };
    (sum + check).is_multiple_of(11)
}

pub(super) fn singapore(id: &[u8]) -> bool {
    let [first, digits @ .., check] = id else { return false };
    let (offset, letters) = match first {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"XWUTRQPNJLK"),
        _ => return false,
    };
    let rest = (offset + weighted(digits, &[2, 7, 6, 5, 4, 3, 2])) % 11;
    let rest = if *first == b'M' { 10 - rest } else { rest };
    letters.get(rest as usize) == Some(check)
}

pub(super) fn malaysia(id: &[u8]) -> bool {
    is_ymd(id) && !matches!(number(&id[6..8]), 0 | 17..=20 | 69 | 70 | 73 | 80 | 81 | 94..=97)
}

pub(super) fn thailand(id: &[u8]) -> bool {
    id.len() == 13 && (11 - weighted(id, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 10 == last(id)
}

pub(super) fn argentina(id: &[u8]) -> bool {
    let check = (11 - weighted(id, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    matches!(&id[..2], b"20" | b"23" | b"24" | b"25" | b"26" | b"27" | b"30" | b"33" | b"34") && check == last(id)
}

pub(super) fn chile(id: &[u8]) -> bool {
    let [digits @ .., check] = id else { return false };
    let sum: u32 =
        digits.iter().rev().zip([2, 3, 4, 5, 6, 7].iter().cycle()).map(|(digit, weight)| value(*digit) * weight).sum();
    match 11 - sum % 11 {
        11 => *check == b'0',
        10 => *check == b'K',
        other => value(*check) == other,
    }
}

pub(super) fn uruguay(id: &[u8]) -> bool {
    id.len() == 8 && (10 - weighted(&id[..7], &[2, 9, 8, 7, 6, 3, 4]) % 10) % 10 == last(id)
}

pub(super) fn dominican(id: &[u8]) -> bool {
    id.len() == 11 && passes_luhn(id)
}

pub(super) fn venezuela(id: &[u8]) -> bool {
    matches!(id[0], b'V' | b'E')
}

pub(super) fn snils(id: &[u8]) -> bool {
    id.len() == 11 && u64::from(weighted(id, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100) == number(&id[9..])
}

pub(super) fn nip(id: &[u8]) -> bool {
    id.len() == 10 && weighted(id, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == last(id)
}

pub(super) fn itin(id: &[u8]) -> bool {
    id.len() == 9 && id[0] == b'9' && matches!(number(&id[3..5]), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

fn pesel(id: &[u8]) -> bool {
    (10 - weighted(id, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10 == last(id)
}

fn turkey(id: &[u8]) -> bool {
    let odd = weighted(id, &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let even = weighted(id, &[0, 1, 0, 1, 0, 1, 0, 1]);
    let first: u32 = id[..10].iter().map(|digit| value(*digit)).sum();
    id[0] != b'0' && (7 * odd + 100 - even) % 10 == value(id[9]) && first % 10 == value(id[10])
}

/// For words that mean other things too, such as "sin", "nip" or "rut".
pub(super) fn is_ambiguous_but_valid(id: &[u8]) -> bool {
    let digits = id.iter().all(u8::is_ascii_digit);
    match id.len() {
        8 | 9 if !digits => spain(id) || singapore(id) || chile(id),
        8 if digits => chile(id),
        9 => passes_luhn(id) || chile(id) || weighted(id, &[9, 8, 7, 6, 5, 4, 3, 2, 10]).is_multiple_of(11),
        10 if digits => nip(id),
        11 if digits => turkey(id) || pesel(id) || iso_7064(id),
        12 if digits => malaysia(id),
        _ => false,
    }
}
