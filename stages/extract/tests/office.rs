//! Office documents through the stage: what is damaged, hostile or large must be refused or read, within bounds.

// Clippy allows unwrap only inside test functions, not in their helpers.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use gristmill_sdk::{Item, Outcome, Stage};
use gristmill_stage_extract::{Config, Extract};
use rustix::time::{ClockId, clock_gettime};

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// What becomes of a document: its text, or the code it is rejected with.
fn process(payload: Vec<u8>, media_type: Option<&str>) -> Result<String, String> {
    let outcome = Extract::new(Config::default()).unwrap().process(Item::sample(payload, media_type)).unwrap();
    match outcome {
        Outcome::Emit(mut outputs) => Ok(String::from_utf8(outputs.remove(0).payload).unwrap()),
        Outcome::Reject(failure) => Err(failure.code),
        other => panic!("{other:?}"),
    }
}

/// How long a megabyte may be computed: far longer than it takes, far shorter than it would take in quadratic time.
const LINEAR: Duration = Duration::from_secs(10);

/// How long this thread computes a document. Other programs on the machine do not count.
fn computing_time(payload: Vec<u8>, media_type: Option<&str>) -> Duration {
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let begin = now();
    let _ = process(payload, media_type);
    now() - begin
}

/// The documents of the cases with this extension.
fn samples(extension: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../host/tests/cases/documents");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|found| found == extension))
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

/// An archive of uncompressed parts.
fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = rawzip::ZipArchiveWriter::new(Vec::new());
    for (name, bytes) in parts {
        let (mut entry, config) = archive.new_file(name).start().unwrap();
        let mut writer = config.wrap(&mut entry);
        std::io::Write::write_all(&mut writer, bytes).unwrap();
        let (_, output) = writer.finish().unwrap();
        entry.finish(output).unwrap();
    }
    archive.finish().unwrap()
}

fn docx(body: &str) -> Vec<u8> {
    archive(&[("word/document.xml", format!("<w:document><w:body>{body}</w:body></w:document>").as_bytes())])
}

#[test]
fn documents_whose_bytes_were_changed_are_refused_or_read_but_never_panic() {
    for extension in ["docx", "xlsx", "pptx", "odt", "ods", "epub", "rtf"] {
        let samples = samples(extension);
        assert!(!samples.is_empty(), "{extension}");
        for whole in samples {
            for place in (0..whole.len()).step_by(7) {
                let mut damaged = whole.clone();
                damaged[place] ^= 0x15;
                let _ = process(damaged, None);
            }
        }
    }
}

#[test]
fn hostile_word_files_take_linear_time() {
    let megabyte = |pattern: &str| pattern.repeat(1_000_000 / pattern.len());
    let cell = "<w:tc><w:tcPr><w:gridSpan w:val='63'/></w:tcPr><w:p><w:r><w:t>some words</w:t></w:r></w:p></w:tc>";
    let bodies = [
        megabyte("<w:p><w:r><w:t>a</w:t></w:r></w:p>"),
        format!("<w:p>{}</w:p>", megabyte("<w:r><w:t>a</w:t></w:r>")),
        format!("<w:p><w:r>{}</w:r></w:p>", megabyte("<w:fldChar w:fldCharType='begin'/>")),
        format!("<w:p><m:oMath>{}</m:oMath></w:p>", megabyte("<m:f><m:num><m:r><m:t>1</m:t></m:r></m:num></m:f>")),
        format!("<w:tbl>{}</w:tbl>", format!("<w:tr>{cell}</w:tr>").repeat(9000)),
        format!("<w:tbl><w:tr>{}</w:tr></w:tbl>", megabyte("<w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc>")),
        megabyte("<w:p><w:pPr><w:framePr w:dropCap='drop'/></w:pPr><w:r><w:t>a</w:t></w:r></w:p>"),
        format!("<w:p {}/>", megabyte("a='b' ")),
        format!("{}{}", "<w:sdt><w:sdtContent>".repeat(2000), "</w:sdtContent></w:sdt>".repeat(2000)),
        format!("{}<w:p/>{}", "<w:tbl><w:tr><w:tc>".repeat(1000), "</w:tc></w:tr></w:tbl>".repeat(1000)),
        megabyte("<w:p><w:r><w:footnoteReference w:id='1'/></w:r></w:p>"),
    ];
    for body in bodies {
        let taken = computing_time(docx(&body), Some(DOCX));
        assert!(taken < LINEAR, "{taken:?}: {}", &body[..80]);
    }
}

#[test]
fn a_small_file_that_unpacks_to_too_much_is_too_large() {
    let words = format!("<w:document><w:p><w:r><w:t>{}</w:t></w:r></w:p></w:document>", "word ".repeat(3_000_000));
    assert_eq!(process(archive(&[("word/document.xml", words.as_bytes())]), Some(DOCX)).unwrap_err(), "too-large");
    let many = format!("<w:document>{}</w:document>", "<w:p><w:r><w:t>words</w:t></w:r></w:p>".repeat(2_000_000));
    assert_eq!(process(archive(&[("word/document.xml", many.as_bytes())]), Some(DOCX)).unwrap_err(), "too-large");
}

#[test]
fn a_sheet_with_more_cells_than_there_may_be_is_too_large() {
    let row = format!("<row>{}</row>", "<c><v>1</v></c>".repeat(1000));
    let sheet = format!("<worksheet><sheetData>{}</sheetData></worksheet>", row.repeat(600));
    let parts: [(&str, &[u8]); 3] = [
        ("xl/workbook.xml", b"<workbook><sheets><sheet name='S' r:id='a'/></sheets></workbook>"),
        ("xl/_rels/workbook.xml.rels", b"<R><Relationship Id='a' Type='x/worksheet' Target='s.xml'/></R>"),
        ("xl/s.xml", sheet.as_bytes()),
    ];
    assert_eq!(process(archive(&parts), Some(XLSX)).unwrap_err(), "too-large");
}

#[test]
fn a_wrong_checksum_does_not_matter_where_the_xml_is_whole() {
    let mut whole = docx("<w:p><w:r><w:t>Still here</w:t></w:r></w:p>");
    let text = b"Still here";
    let place = whole.windows(text.len()).position(|window| window == text).unwrap();
    whole[place] = b'$';
    assert_eq!(process(whole, Some(DOCX)).unwrap(), "$till here");
}

#[test]
fn hostile_documents_of_other_formats_take_linear_time() {
    let megabyte = |pattern: &str| pattern.repeat(1_000_000 / pattern.len());
    let sheet = |content: &str| {
        archive(&[
            ("xl/workbook.xml", b"<workbook><sheets><sheet name='S' r:id='a'/></sheets></workbook>"),
            ("xl/_rels/workbook.xml.rels", b"<R><Relationship Id='a' Type='x/worksheet' Target='s.xml'/></R>"),
            ("xl/s.xml", format!("<worksheet>{content}</worksheet>").as_bytes()),
        ])
    };
    let slide = |content: &str| {
        archive(&[
            ("ppt/presentation.xml", b"<p><sldId r:id='a'/></p>"),
            ("ppt/_rels/presentation.xml.rels", b"<R><Relationship Id='a' Type='x/slide' Target='s.xml'/></R>"),
            ("ppt/s.xml", format!("<sld>{content}</sld>").as_bytes()),
        ])
    };
    let odt = |content: &str| {
        archive(&[
            ("mimetype", b"application/vnd.oasis.opendocument.text"),
            (
                "content.xml",
                format!("<document-content><body><text>{content}</text></body></document-content>").as_bytes(),
            ),
        ])
    };
    let rows: String =
        (0..20_000).map(|row| format!("<row r='{}'><c><v>1</v></c><c><v>2</v></c></row>", row * 2 + 1)).collect();
    let title = "<sp><nvPr><ph type='title'/></nvPr><p><r><t>a</t></r></p></sp>";
    let documents = [
        sheet(&format!("<sheetData>{rows}</sheetData>")),
        sheet(&format!("<sheetData>{rows}</sheetData>{}", megabyte("<mergeCell ref='C1:XFD1048576'/>"))),
        sheet(&format!("<sheetData>{rows}</sheetData>{}", megabyte("<mergeCell ref='A1:B1048576'/>"))),
        slide(&megabyte(title)),
        slide(&format!("{}{}", "<grpSp>".repeat(4000), "</grpSp>".repeat(4000))),
        slide(&format!(
            "<graphicFrame><tbl>{}</tbl></graphicFrame>",
            megabyte("<tr><tc gridSpan='60'><p><r><t>words</t></r></p></tc></tr>")
        )),
        odt(&megabyte("<list><list-item><p>a</p></list-item></list>")),
        odt(&format!("{}{}", "<list><list-item>".repeat(2000), "</list-item></list>".repeat(2000))),
        odt(&format!("<p>{}</p>", megabyte("<s c='99999'/>"))),
        odt(&format!("<p>{}</p>", megabyte("<note><note-body><p>a</p></note-body></note>"))),
        format!("{{\\rtf1 {}}}", megabyte("\\trowd\\cellx1\\cellx2 a\\cell b\\cell\\row")).into_bytes(),
        format!("{{\\rtf1 {}}}", megabyte("{\\footnote a}")).into_bytes(),
        format!("{{\\rtf1 {{\\fonttbl{{\\f0 {};}}}}{}}}", megabyte("x"), megabyte("\\'e9 ")).into_bytes(),
    ];
    for (place, document) in documents.into_iter().enumerate() {
        let taken = computing_time(document, None);
        assert!(taken < LINEAR, "{place}: {taken:?}");
    }
}
