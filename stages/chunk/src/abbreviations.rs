//! Abbreviations with a full stop that does not end the sentence, a list for each language.
//!
//! The language of a text is not known, so each list applies to all. A word is left out, or bound to a condition, where
//! it is a common last word of a sentence in another language.

/// When a word with a full stop is an abbreviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Always.
    Always,
    /// If it begins with a capital letter.
    Capital,
    /// If it begins with a small letter.
    Small,
    /// If a number follows, or what stands for one: `Fig. 3`, `Nr. 12`, `Art. IV`, `App. B`.
    Numbered,
}

use When::{Always, Capital, Numbered, Small};

/// Longest word that is looked up, in characters.
pub(crate) const LONGEST: usize = 8;

type List = fn(&str) -> Option<When>;

const LISTS: [List; 11] =
    [english, german, french, spanish, italian, portuguese, dutch, nordic, slavic, cyrillic, others];

/// Whether the full stop after `word` abbreviates it, if `next` follows the gap.
pub(crate) fn is_abbreviation(word: &str, next: &str) -> bool {
    let mut found = known(word);
    found.any(|when| match when {
        Always => true,
        Capital => word.starts_with(char::is_uppercase),
        Small => word.starts_with(char::is_lowercase),
        Numbered => is_number(next),
    })
}

/// Whether the word is in any list, whatever follows it.
pub(crate) fn is_known(word: &str) -> bool {
    known(word).next().is_some()
}

/// What the lists say of a word.
fn known(word: &str) -> impl Iterator<Item = When> {
    let lower = word.to_lowercase();
    LISTS.iter().filter_map(move |list| list(&lower))
}

/// Abbreviations of two words, of which the second alone is a common word in some language.
const PAIRS: [(&str, &str); 8] =
    [("et", "al"), ("p.", "ex"), ("p.", "ej"), ("ad", "es"), ("p.", "es"), ("f.", "eks"), ("m.", "fl"), ("m.", "in")];

/// Whether `word` is the second part of an abbreviation of which the first part stands at the end of `before`: "et al.",
/// "p. ex.", or with nothing between, as in "m.in." or "p.ej.".
pub(crate) fn is_second_part(before: &str, word: &str) -> bool {
    let first = before.trim_end();
    if PAIRS.iter().any(|(start, end)| word.eq_ignore_ascii_case(end) && ends_with_word(first, start)) {
        return true;
    }
    let Some(glued) = before.strip_suffix('.') else {
        return false;
    };
    let letters = |text: &str| text.chars().all(char::is_alphabetic);
    let start = glued.char_indices().rev().take(FIRST_MAX + 1).take_while(|(_, c)| c.is_alphanumeric()).last();
    start.is_some_and(|(at, _)| glued[at..].chars().count() <= FIRST_MAX && letters(&glued[at..])) && letters(word)
}

/// The longest first part of an abbreviation that is written without a gap: "bl.a.".
const FIRST_MAX: usize = 2;

fn ends_with_word(text: &str, word: &str) -> bool {
    let start = text.len().checked_sub(word.len()).filter(|start| text.is_char_boundary(*start));
    start.is_some_and(|start| {
        text[start..].eq_ignore_ascii_case(word) && !text[..start].ends_with(|c: char| c.is_alphanumeric() || c == '.')
    })
}

/// A number, a paragraph sign, a Roman number or a single letter.
fn is_number(next: &str) -> bool {
    let word = next.trim_start_matches(['(', '[', '„', '"']);
    let end = word.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(word.len());
    let word_is_number = match &word[..end] {
        "" => word.starts_with(['§', '№', '#', '°', 'º', '+']),
        word => word.starts_with(|c: char| c.is_ascii_digit()) || word.len() == 1 || has_only_roman_digits(word),
    };
    word_is_number || word.starts_with(|c: char| c.is_numeric()) || word[..end].ends_with(|c: char| c.is_ascii_digit())
}

fn has_only_roman_digits(word: &str) -> bool {
    word.bytes().all(|byte| matches!(byte, b'I' | b'V' | b'X' | b'L' | b'C'))
}

fn english(word: &str) -> Option<When> {
    Some(match word {
        "mr" | "mrs" | "messrs" | "dr" | "prof" | "st" | "vs" | "assoc" | "mfg" | "etc" | "approx" | "dept" | "esp"
        | "incl" | "excl" | "viz" | "cf" | "resp" | "assn" | "intl" | "natl" | "govt" | "attn" | "univ" => Always,
        "ms" | "mx" | "rev" | "hon" | "gen" | "col" | "capt" | "lt" | "sgt" | "cpl" | "maj" | "cmdr" | "adm"
        | "gov" | "sen" | "rep" | "pres" | "supt" | "inc" | "ltd" | "co" | "corp" | "bros" | "llc" | "plc" | "jr"
        | "sr" | "mt" | "ft" | "ave" | "blvd" | "rd" | "hwy" | "pvt" | "ste" | "esq" | "cllr" | "insp" | "det"
        | "amb" => Capital,
        "no" | "nos" | "fig" | "figs" | "eq" | "eqs" | "sec" | "secs" | "sect" | "ch" | "chap" | "vol" | "vols"
        | "pp" | "pg" | "pt" | "ref" | "refs" | "ex" | "exh" | "app" | "para" | "paras" | "art" | "arts" | "tab"
        | "tbl" | "ver" | "ed" | "eds" | "cl" | "reg" | "ext" | "tel" | "est" | "max" | "min" | "jan" | "feb"
        | "mar" | "apr" | "jun" | "jul" | "aug" | "sep" | "sept" | "oct" | "nov" | "dec" | "op" | "cit" | "rm"
        | "apt" | "sched" | "stat" | "suppl" | "fol" => Numbered,
        _ => return None,
    })
}

fn german(word: &str) -> Option<When> {
    Some(match word {
        "bzw" | "ca" | "vgl" | "evtl" | "ggf" | "ggfs" | "inkl" | "exkl" | "zzgl" | "abzgl" | "insb" | "insbes"
        | "bspw" | "sog" | "usw" | "usf" | "geb" | "gest" | "verh" | "hrsg" | "mrd" | "abk" | "buchst" | "doz"
        | "lt" | "stellv" | "stv" | "techn" | "betr" | "tsd" | "jh" | "jhd" | "chr" | "dgl" | "allg" | "entspr"
        | "einschl" | "gegr" | "urspr" | "verf" | "zit" | "zw" | "dipl" | "rer" | "habil" | "univ" | "frhr" | "bsp"
        | "aufl" | "ausg" | "anm" | "rspr" | "iur" | "ehem" | "aktg" => Always,
        // "Mio" is Italian for "mine".
        "hrn" | "frl" | "mag" | "ing" | "mio" => Capital,
        "phil" => Small,
        "alt" | "bgbl" | "jg" | "lfg" | "var" | "nr" | "nrn" | "abb" | "abs" | "kap" | "bd" | "bde" | "rn" | "rdnr"
        | "rz" | "ziff" | "lit" | "anh" | "anl" | "gem" | "okt" | "dez" | "pos" | "str" | "fax" | "std" | "az"
        | "bl" | "sp" | "hs" => Numbered,
        _ => return None,
    })
}

fn french(word: &str) -> Option<When> {
    Some(match word {
        "mme" | "mmes" | "mlle" | "mlles" | "mgr" | "env" | "réf" | "éd" | "coll" => Always,
        "mm" | "cie" | "sté" | "éts" | "bd" | "pr" => Capital,
        "fr" => Always,
        "chap" | "art" | "av" | "boul" | "tél" | "janv" | "févr" | "avr" | "juil" | "déc" | "hab" | "liv" | "num" => {
            Numbered
        }
        _ => return None,
    })
}

fn spanish(word: &str) -> Option<When> {
    Some(match word {
        "sra" | "srta" | "sres" | "sras" | "dra" | "dña" | "aprox" | "lic" | "gral" | "pdte" | "dpto" | "depto"
        | "máx" | "mín" | "arq" | "excmo" | "excma" | "ilmo" | "ilma" | "ee" | "uu" => Always,
        // In small letters, "ud" and "vd" are words in the north.
        "avda" | "prov" | "cía" | "ing" | "ud" | "uds" | "vd" | "vds" | "hno" | "hna" | "mons" | "sta" => Capital,
        "pág" | "págs" | "núm" | "núms" | "cap" | "fig" | "párr" | "apdo" | "tel" | "dic" | "ago" | "ene" | "ap"
        | "lám" | "secc" | "tít" => Numbered,
        _ => return None,
    })
}

fn italian(word: &str) -> Option<When> {
    Some(match word {
        "sig" | "sigg" | "dott" | "avv" | "geom" | "ecc" | "cfr" | "egr" | "spett" => Always,
        "on" | "rag" | "arch" | "ing" | "gent" | "ill" | "cap" | "cav" | "comm" => Capital,
        "pag" | "pagg" | "art" | "artt" | "sez" | "tav" | "nn" | "par" | "ott" | "dic" | "gen" | "lett" => Numbered,
        _ => return None,
    })
}

fn portuguese(word: &str) -> Option<When> {
    Some(match word {
        "exmo" | "exma" | "profa" | "ltda" | "obs" | "séc" | "pça" | "adv" => Always,
        "cia" | "av" | "eng" | "sto" | "pe" => Capital,
        "nº" | "cap" | "pág" | "págs" | "núm" | "inc" | "dez" | "out" | "fev" => Numbered,
        _ => return None,
    })
}

fn dutch(word: &str) -> Option<When> {
    Some(match word {
        "dhr" | "mevr" | "mw" | "drs" | "bijv" | "enz" | "evt" | "jl" | "zgn" | "mej" | "jhr" | "jkvr" => Always,
        "bv" | "nv" | "ds" => Small,
        "ir" | "ing" => Capital,
        "blz" | "nr" | "nrs" | "lid" | "afb" | "hfst" | "dec" | "okt" | "bijl" | "uitg" => Numbered,
        _ => return None,
    })
}

/// Swedish, Danish, Norwegian and Finnish.
fn nordic(word: &str) -> Option<When> {
    Some(match word {
        "osv" | "mfl" | "pga" | "hr" | "enl" | "ang" | "vedr" | "fhv" | "cand" | "skt" | "ym" | "ekr" | "jkr"
        | "toim" | "vrt" | "rva" | "hra" | "huom" | "iht" | "ift" | "jf" | "jfr" | "dvs" | "feks" | "eks" | "tlf"
        | "maks" | "ekskl" | "bla" | "etc" | "esim" | "jne" | "yms" => Always,
        "ks" | "mv" => Small,
        "kl" | "nr" | "nro" | "klo" | "puh" | "sid" | "bek" | "kap" | "kpl" | "fig" | "s" | "stk" => Numbered,
        _ => return None,
    })
}

/// Polish, Czech, Slovak, Slovenian and Croatian.
fn slavic(word: &str) -> Option<When> {
    Some(match word {
        "np" | "tzn" | "tzw" | "itd" | "itp" | "ul" | "św" | "godz" | "inż" | "płk" | "zob" | "tys" | "mln" | "mld"
        | "ww" | "wg" | "tj" | "např" | "tzv" | "atd" | "apod" | "mudr" | "judr" | "phdr" | "ing" | "cca" | "napr"
        | "npr" | "oz" | "idr" | "odn" | "pl" | "dyr" | "kpt" | "mjr" | "woj" | "pkt" | "rozdz" | "wyd" | "zał"
        | "por" | "jw" | "ub" | "im" | "sv" | "mj" | "odst" | "písm" | "plk" | "rndr" | "popř" => Always,
        "hab" | "bp" | "abp" | "bc" => Capital,
        // "Al." in other languages is a name, and "et al." is found by its two words.
        "al" => Small,
        "str" | "rys" | "fot" | "čl" | "poz" | "obr" | "č" | "čís" | "br" | "st" | "tab" | "ust" | "ok" | "zł" => {
            Numbered
        }
        _ => return None,
    })
}

/// Russian, Ukrainian, Bulgarian and Serbian.
fn cyrillic(word: &str) -> Option<When> {
    Some(match word {
        "ул" | "им" | "тыс" | "млн" | "млрд" | "гг" | "вв" | "напр" | "проф" | "акад" | "просп" | "пр" | "обл"
        | "см" | "ср" | "тис" | "вул" | "тов" | "пл" | "пер" | "инж" | "доц" | "зам" | "наб" | "бул" | "др" | "св"
        | "гр" => Always,
        "стр" | "рис" | "табл" | "гл" | "ст" | "пп" | "мал" | "ч" | "п" | "тел" | "бр" | "корп" | "кв" | "руб"
        | "коп" | "грн" => Numbered,
        _ => return None,
    })
}

/// Turkish, Hungarian and Romanian.
fn others(word: &str) -> Option<When> {
    Some(match word {
        "doç" | "örn" | "bkz" | "vb" | "yrd" | "alm" | "stb" | "ún" | "dl" | "müh" | "şti" | "ifj" | "özv" | "vö"
        | "ld" | "kft" | "zrt" | "szül" | "szt" => Always,
        "sn" | "av" | "sok" | "cad" | "mah" | "alb" => Capital,
        "dna" | "kb" => Small,
        "old" | "sz" | "nr" | "alin" | "jud" => Numbered,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_and_companies_are_abbreviated_before_any_word() {
        for word in ["Dr", "Prof", "Mrs", "Inc", "Ltd", "Hr", "Mme", "Sra", "Dott", "Exmo", "dhr", "bzw", "напр", "ul"]
        {
            assert!(is_abbreviation(word, "Smith"), "{word}");
        }
    }

    #[test]
    fn what_counts_is_abbreviated_before_a_number() {
        for next in ["3 shows", "IV of", "A shows", "(12)", "§ 5", "S2 shows"] {
            assert!(
                is_abbreviation("Fig", next) && is_abbreviation("Nr", next) && is_abbreviation("no", next),
                "{next}"
            );
        }
        for next in ["Then", "He", ""] {
            assert!(!is_abbreviation("fig", next) && !is_abbreviation("no", next), "{next}");
        }
    }

    #[test]
    fn common_words_end_a_sentence() {
        for word in
            ["mag", "on", "co", "gen", "it", "es", "end", "house", "ir", "sr", "ej", "ud", "mio", "eng", "DNA", "KB"]
        {
            assert!(!is_abbreviation(word, "Then"), "{word}");
        }
    }

    #[test]
    fn a_word_may_be_abbreviated_in_one_case_only() {
        assert!(is_abbreviation("dna", "Popescu") && is_abbreviation("Mio", "Euro") && is_abbreviation("Ud", "Puede"));
    }

    #[test]
    fn the_second_of_two_words_is_abbreviated_after_the_first() {
        for (before, word) in
            [("by Hansen et ", "al"), ("(p. ", "ex"), ("ad ", "es"), ("m.", "in"), ("t.", "ex"), ("p.", "ej")]
        {
            assert!(is_second_part(before, word), "{before}{word}");
        }
        for (before, word) in
            [("an ", "al"), ("my ", "ex"), ("stop. ", "ex"), ("host.", "com"), ("1.", "ex"), ("", "es")]
        {
            assert!(!is_second_part(before, word), "{before}{word}");
        }
    }
}
