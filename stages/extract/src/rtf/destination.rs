//! What the text of a group is for.

/// Where the text of a group goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Destination {
    /// The document.
    #[default]
    Text,
    /// The label of a list item, as the writing program shows it.
    Label,
    /// A note.
    Note,
    /// The table of fonts.
    Fonts,
    /// The table of styles.
    Styles,
    /// The title of the document.
    Title,
    /// Nowhere.
    Nowhere,
}

/// The destination that a control word begins; `None` if it is none.
pub(super) fn of(word: &str) -> Option<Destination> {
    Some(match word {
        "fonttbl" => Destination::Fonts,
        "stylesheet" => Destination::Styles,
        "listtext" | "pntext" => Destination::Label,
        "footnote" => Destination::Note,
        "title" => Destination::Title,
        "info" | "colortbl" | "pict" | "object" | "fldinst" | "header" | "headerl" | "headerr" | "headerf"
        | "footer" | "footerl" | "footerr" | "footerf" | "listtable" | "listoverridetable" | "revtbl" | "rsidtbl"
        | "xmlnstbl" | "themedata" | "datastore" | "latentstyles" | "generator" | "filetbl" | "author" | "operator"
        | "company" | "subject" | "keywords" | "doccomm" | "annotation" | "atnid" | "atnauthor" | "comment"
        | "bkmkstart" | "bkmkend" | "ftnsep" | "ftnsepc" | "ftncn" | "aftnsep" | "aftnsepc" | "aftncn" | "xe"
        | "tc" | "rxe" | "pnseclvl" | "pn" | "nonshppict" | "sp" | "panose" | "falt" | "private" | "mmathPr" | "ud" => {
            Destination::Nowhere
        }
        _ => return None,
    })
}

/// Destinations that are read although a program that does not know them may ignore them.
pub(super) fn is_known_optional(word: &str) -> bool {
    matches!(
        word,
        "listtext"
            | "pntext"
            | "footnote"
            | "shppict"
            | "shptxt"
            | "shpinst"
            | "upr"
            | "ud"
            | "fldrslt"
            | "cs"
            | "htmltag"
    )
}
