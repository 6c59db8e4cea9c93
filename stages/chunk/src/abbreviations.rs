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
    /// If a number follows, or what stands for one: `Fig. 3`, `Nr. 12`, `Art. IV`, `App. B`.
    Numbered,
}

use When::{Always, Capital, Numbered};

/// Longest word that is looked up, in characters.
pub(crate) const LONGEST: usize = 8;

type List = fn(&str) -> Option<When>;

const LISTS: [List; 11] =
    [english, german, french, spanish, italian, portuguese, dutch, nordic, slavic, cyrillic, others];

/// Whether the full stop after `word` abbreviates it, if `next` follows the gap.
pub(crate) fn is_abbreviation(word: &str, next: &str) -> bool {
    let lower = word.to_lowercase();
    LISTS.iter().filter_map(|list| list(&lower)).any(|when| match when {
        Always => true,
        Capital => word.starts_with(char::is_uppercase),
        Numbered => is_number(next),
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
        "mr" | "mrs" | "messrs" | "dr" | "prof" | "st" | "ste" | "vs" | "etc" | "approx" | "dept" | "esp" | "incl"
        | "excl" | "viz" | "cf" | "resp" | "assn" | "intl" | "natl" | "govt" | "attn" | "univ" => Always,
        "ms" | "mx" | "rev" | "hon" | "gen" | "col" | "capt" | "lt" | "sgt" | "cpl" | "maj" | "cmdr" | "adm"
        | "gov" | "sen" | "rep" | "pres" | "supt" | "inc" | "ltd" | "co" | "corp" | "bros" | "llc" | "plc" | "jr"
        | "sr" | "mt" | "ft" | "ave" | "blvd" | "rd" | "hwy" | "pvt" => Capital,
        "no" | "nos" | "fig" | "figs" | "eq" | "eqs" | "sec" | "secs" | "sect" | "ch" | "chap" | "vol" | "vols"
        | "pp" | "pg" | "pt" | "ref" | "refs" | "ex" | "exh" | "app" | "para" | "paras" | "art" | "arts" | "tab"
        | "tbl" | "ver" | "ed" | "eds" | "cl" | "reg" | "ext" | "tel" | "est" | "max" | "min" | "jan" | "feb"
        | "mar" | "apr" | "jun" | "jul" | "aug" | "sep" | "sept" | "oct" | "nov" | "dec" | "op" | "cit" => Numbered,
        _ => return None,
    })
}

fn german(word: &str) -> Option<When> {
    Some(match word {
        "bzw" | "ca" | "vgl" | "evtl" | "ggf" | "ggfs" | "inkl" | "exkl" | "zzgl" | "abzgl" | "insb" | "insbes"
        | "bspw" | "sog" | "usw" | "usf" | "geb" | "gest" | "verh" | "hrsg" | "mio" | "mrd" | "tsd" | "jh" | "jhd"
        | "chr" | "dgl" | "allg" | "entspr" | "einschl" | "gegr" | "urspr" | "verf" | "zit" | "zw" | "dipl"
        | "phil" | "rer" | "habil" | "univ" | "frhr" | "bsp" | "aufl" | "ausg" | "anm" | "rspr" | "iur" | "ehem"
        | "aktg" => Always,
        "hr" | "hrn" | "fr" | "frl" | "mag" | "ing" => Capital,
        "nr" | "nrn" | "abb" | "abs" | "kap" | "bd" | "bde" | "rn" | "rdnr" | "rz" | "ziff" | "lit" | "anh" | "anl"
        | "gem" | "okt" | "dez" | "pos" | "str" | "fax" | "std" | "az" | "bl" | "sp" | "hs" => Numbered,
        _ => return None,
    })
}

fn french(word: &str) -> Option<When> {
    Some(match word {
        "mme" | "mmes" | "mlle" | "mlles" | "mgr" | "env" | "réf" | "éd" | "coll" => Always,
        "mm" | "cie" | "sté" | "éts" | "bd" => Capital,
        "chap" | "art" | "av" | "boul" | "tél" | "janv" | "févr" | "avr" | "juil" | "déc" | "hab" | "liv" | "num" => {
            Numbered
        }
        _ => return None,
    })
}

fn spanish(word: &str) -> Option<When> {
    Some(match word {
        "sra" | "srta" | "sres" | "sras" | "dra" | "dña" | "ud" | "uds" | "vd" | "vds" | "aprox" | "ej" | "lic"
        | "arq" | "excmo" | "excma" | "ilmo" | "ilma" | "ee" | "uu" => Always,
        "avda" | "prov" | "cía" | "ing" => Capital,
        "pág" | "págs" | "núm" | "núms" | "cap" | "fig" | "párr" | "apdo" | "tel" | "dic" | "ago" | "ene" => {
            Numbered
        }
        _ => return None,
    })
}

fn italian(word: &str) -> Option<When> {
    Some(match word {
        "sig" | "sigg" | "dott" | "avv" | "geom" | "ecc" | "cfr" | "egr" | "gent" | "spett" | "ill" => Always,
        "on" | "rag" | "arch" | "ing" => Capital,
        "pag" | "pagg" | "art" | "artt" | "cap" | "nn" | "par" | "ott" | "dic" | "gen" | "lett" => Numbered,
        _ => return None,
    })
}

fn portuguese(word: &str) -> Option<When> {
    Some(match word {
        "exmo" | "exma" | "profa" | "ltda" | "obs" | "séc" | "eng" | "sto" => Always,
        "cia" | "av" => Capital,
        "pág" | "págs" | "núm" | "inc" | "dez" | "out" | "fev" => Numbered,
        _ => return None,
    })
}

fn dutch(word: &str) -> Option<When> {
    Some(match word {
        "dhr" | "mevr" | "mw" | "drs" | "bijv" | "enz" | "evt" | "jl" | "bv" | "nv" => Always,
        "ir" | "ing" | "ds" => Capital,
        "blz" | "nr" | "nrs" | "lid" | "afb" | "hfst" | "dec" | "okt" => Numbered,
        _ => return None,
    })
}

/// Swedish, Danish, Norwegian and Finnish.
fn nordic(word: &str) -> Option<When> {
    Some(match word {
        "osv" | "mfl" | "mv" | "pga" | "iht" | "ift" | "jf" | "jfr" | "dvs" | "feks" | "eks" | "tlf" | "maks"
        | "ekskl" | "bla" | "etc" | "esim" | "jne" | "yms" | "ks" => Always,
        "kl" | "nr" | "kap" | "kpl" | "fig" | "s" | "stk" => Numbered,
        _ => return None,
    })
}

/// Polish, Czech, Slovak, Slovenian and Croatian.
fn slavic(word: &str) -> Option<When> {
    Some(match word {
        "np" | "tzn" | "tzw" | "itd" | "itp" | "ul" | "św" | "godz" | "inż" | "płk" | "zob" | "tys" | "mln" | "mld"
        | "ww" | "wg" | "tj" | "např" | "tzv" | "atd" | "apod" | "mudr" | "judr" | "phdr" | "ing" | "cca" | "napr"
        | "npr" | "oz" | "idr" | "odn" => Always,
        "hab" | "bp" | "abp" | "im" => Capital,
        "str" | "rys" | "poz" | "obr" | "č" | "čís" | "br" | "st" | "tab" | "ust" | "ok" | "zł" => Numbered,
        _ => return None,
    })
}

/// Russian, Ukrainian, Bulgarian and Serbian.
fn cyrillic(word: &str) -> Option<When> {
    Some(match word {
        "ул" | "им" | "тыс" | "млн" | "млрд" | "руб" | "коп" | "гг" | "вв" | "напр" | "проф" | "акад" | "просп"
        | "пр" | "обл" | "см" | "ср" | "тис" | "вул" | "грн" | "др" | "св" | "гр" => Always,
        "стр" | "рис" | "табл" | "гл" | "ст" | "пп" | "мал" | "ч" | "п" | "тел" | "бр" => {
            Numbered
        }
        _ => return None,
    })
}

/// Turkish, Hungarian and Romanian.
fn others(word: &str) -> Option<When> {
    Some(match word {
        "doç" | "örn" | "bkz" | "vb" | "yrd" | "alm" | "stb" | "kb" | "ún" | "dvs" | "dl" | "dna" => Always,
        "sn" | "av" => Capital,
        "sok" | "cad" | "mah" | "pl" | "old" | "sz" | "nr" => Numbered,
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
        for word in ["mag", "on", "co", "gen", "it", "es", "end", "house", "ir", "sr"] {
            assert!(!is_abbreviation(word, "Then"), "{word}");
        }
    }
}
