//! What the elements inside of properties are about.

/// What the properties that are being read are those of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Properties {
    Paragraph,
    /// The mark at the end of a paragraph.
    Mark,
    Run,
    Row,
    Cell,
    Control,
    Form,
    /// Something whose properties do not matter.
    Other,
}

/// What the properties in an element of this name are those of, if it has properties; `in_run` says whether a run is open.
pub(super) fn kind_of(name: &str, around: Option<Properties>, in_run: bool) -> Option<Properties> {
    Some(match name {
        "pPr" => Properties::Paragraph,
        "rPr" if around == Some(Properties::Paragraph) => Properties::Mark,
        "rPr" if around.is_none() && in_run => Properties::Run,
        "trPr" => Properties::Row,
        "tcPr" => Properties::Cell,
        "sdtPr" => Properties::Control,
        "ffData" => Properties::Form,
        "rPr" | "tblPr" | "tblPrEx" | "sectPr" | "sdtEndPr" | "ctrlPr" | "rubyPr" => Properties::Other,
        _ => return None,
    })
}
