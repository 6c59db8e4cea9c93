//! The languages that can be detected, with their codes and names.

use whatlang::Lang;

/// The ISO 639 code for an undetermined language.
pub(crate) const UNDETERMINED: &str = "und";

/// A language.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Language {
    /// Its ISO 639-1 code, which is the name of its branch.
    pub(crate) code: &'static str,
    /// Its English name.
    pub(crate) name: &'static str,
    lang: Lang,
}

impl Language {
    /// The language for one of the detector's.
    pub(crate) fn of(lang: Lang) -> Option<&'static Self> {
        ALL.iter().find(|language| language.lang == lang)
    }

    /// The language with this code.
    pub(crate) fn named(code: &str) -> Option<&'static Self> {
        ALL.binary_search_by_key(&code, |language| language.code).ok().map(|at| &ALL[at])
    }
}

const fn language(code: &'static str, name: &'static str, lang: Lang) -> Language {
    Language { code, name, lang }
}

/// All languages, sorted by code. A constant table, so that starting an instance costs nothing.
pub(crate) static ALL: [Language; 70] = [
    language("af", "Afrikaans", Lang::Afr),
    language("ak", "Akan", Lang::Aka),
    language("am", "Amharic", Lang::Amh),
    language("ar", "Arabic", Lang::Ara),
    language("az", "Azerbaijani", Lang::Aze),
    language("be", "Belarusian", Lang::Bel),
    language("bg", "Bulgarian", Lang::Bul),
    language("bn", "Bengali", Lang::Ben),
    language("ca", "Catalan", Lang::Cat),
    language("cs", "Czech", Lang::Ces),
    language("cy", "Welsh", Lang::Cym),
    language("da", "Danish", Lang::Dan),
    language("de", "German", Lang::Deu),
    language("el", "Greek", Lang::Ell),
    language("en", "English", Lang::Eng),
    language("eo", "Esperanto", Lang::Epo),
    language("es", "Spanish", Lang::Spa),
    language("et", "Estonian", Lang::Est),
    language("fa", "Persian", Lang::Pes),
    language("fi", "Finnish", Lang::Fin),
    language("fr", "French", Lang::Fra),
    language("gu", "Gujarati", Lang::Guj),
    language("he", "Hebrew", Lang::Heb),
    language("hi", "Hindi", Lang::Hin),
    language("hr", "Croatian", Lang::Hrv),
    language("hu", "Hungarian", Lang::Hun),
    language("hy", "Armenian", Lang::Hye),
    language("id", "Indonesian", Lang::Ind),
    language("it", "Italian", Lang::Ita),
    language("ja", "Japanese", Lang::Jpn),
    language("jv", "Javanese", Lang::Jav),
    language("ka", "Georgian", Lang::Kat),
    language("km", "Khmer", Lang::Khm),
    language("kn", "Kannada", Lang::Kan),
    language("ko", "Korean", Lang::Kor),
    language("la", "Latin", Lang::Lat),
    language("lt", "Lithuanian", Lang::Lit),
    language("lv", "Latvian", Lang::Lav),
    language("mk", "Macedonian", Lang::Mkd),
    language("ml", "Malayalam", Lang::Mal),
    language("mr", "Marathi", Lang::Mar),
    language("my", "Burmese", Lang::Mya),
    language("nb", "Norwegian Bokmål", Lang::Nob),
    language("ne", "Nepali", Lang::Nep),
    language("nl", "Dutch", Lang::Nld),
    language("or", "Odia", Lang::Ori),
    language("pa", "Punjabi", Lang::Pan),
    language("pl", "Polish", Lang::Pol),
    language("pt", "Portuguese", Lang::Por),
    language("ro", "Romanian", Lang::Ron),
    language("ru", "Russian", Lang::Rus),
    language("si", "Sinhala", Lang::Sin),
    language("sk", "Slovak", Lang::Slk),
    language("sl", "Slovenian", Lang::Slv),
    language("sn", "Shona", Lang::Sna),
    language("sr", "Serbian", Lang::Srp),
    language("sv", "Swedish", Lang::Swe),
    language("ta", "Tamil", Lang::Tam),
    language("te", "Telugu", Lang::Tel),
    language("th", "Thai", Lang::Tha),
    language("tk", "Turkmen", Lang::Tuk),
    language("tl", "Tagalog", Lang::Tgl),
    language("tr", "Turkish", Lang::Tur),
    language("uk", "Ukrainian", Lang::Ukr),
    language("ur", "Urdu", Lang::Urd),
    language("uz", "Uzbek", Lang::Uzb),
    language("vi", "Vietnamese", Lang::Vie),
    language("yi", "Yiddish", Lang::Yid),
    language("zh", "Chinese", Lang::Cmn),
    language("zu", "Zulu", Lang::Zul),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_of_the_detector_has_one_code_and_codes_are_sorted() {
        for lang in Lang::all() {
            assert!(Language::of(*lang).is_some(), "{lang:?}");
        }
        assert_eq!(ALL.len(), Lang::all().len());
        assert!(ALL.is_sorted_by(|one, next| one.code < next.code));
    }

    #[test]
    fn codes_have_two_letters() {
        for language in &ALL {
            assert!(language.code.len() == 2 && language.code.bytes().all(|byte| byte.is_ascii_lowercase()));
        }
    }
}
