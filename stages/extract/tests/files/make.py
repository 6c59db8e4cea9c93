"""Generates the test documents in this folder. Needs: pip install pikepdf fonttools msoffcrypto-tool; pdftotext for
*.words.

Everything is drawn here, including the one embedded font, so that nobody else holds rights in the files. Object ids
and dates are fixed as far as the tools allow; the encrypted files differ from run to run.
"""

import io
import pathlib
import re
import subprocess
import zipfile
import zlib

import msoffcrypto.format.ooxml
import pikepdf
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from pikepdf import Array, Dictionary, Encryption, Name, Pdf, Stream, String

HERE = pathlib.Path(__file__).parent
HELVETICA = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica, Encoding=Name.WinAnsiEncoding)


def text(x, y, words, size=11, font="F"):
    encoded = words.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
    return b"BT /%s %d Tf %d %d Td (%s) Tj ET\n" % (font.encode(), size, x, y, encoded)


def page(pdf, content, fonts=None, **more):
    resources = Dictionary(Font=Dictionary(fonts or {"/F": HELVETICA}), **more.pop("resources", {}))
    pdf.add_blank_page(page_size=(595, 842))
    last = pdf.pages[-1]
    last.Contents = Stream(pdf, content)
    last.Resources = resources
    for key, value in more.items():
        last[f"/{key}"] = value
    return last


def save(pdf, name, **how):
    pdf.save(HERE / name, deterministic_id=not how.get("encryption"), **how)
    if how.get("encryption") is None:
        words(name)


def words(name):
    """Writes the words that pdftotext finds, sorted, for comparison."""
    done = subprocess.run(["pdftotext", "-q", HERE / name, "-"], capture_output=True, check=True)
    found = sorted(re.findall(r"\w+", done.stdout.decode().replace("\ufb04", "ffl")))
    if found:
        (HERE / name).with_suffix(".words").write_text("\n".join(found) + "\n")


def columns():
    left = [
        "The left column begins here and its", "lines are long enough to be running", "text, as in a paper or a news letter",
        "that is set in two columns. It goes on", "for some more lines until it has come", "to its end, which is this one here.",
    ]
    right = [
        "The right column is read only after", "the whole of the left one, and never", "across the gutter, line by line, as a",
        "reader of tables would do. It, too, has", "six lines of running text, and that is", "the last of them in this document.",
    ]
    pdf = Pdf.new()
    content = text(120, 780, "A title that crosses both of the columns", 18)
    # Drawn line by line across the page, as some programs do: drawing order must not decide.
    for row, (a, b) in enumerate(zip(left, right)):
        content += text(60, 730 - 14 * row, a) + text(310, 730 - 14 * row, b)
    content += text(120, 600, "A closing line that crosses both of the columns again")
    page(pdf, content)
    save(pdf, "two-columns.pdf")


def table():
    rows = [
        ("Part", "Site", "Owner", "Price"), ("Bolt M4", "Lyon", "A. Brandt", "0.12"), ("Nut M4", "Lyon", "A. Brandt", "0.08"),
        ("Washer", "Porto", "C. Dias", "0.02"), ("Hinge", "Porto", "C. Dias", "1.90"), ("Handle", "Gent", "E. Maes", "4.75"),
    ]
    pdf = Pdf.new()
    content = text(60, 780, "Stock")
    for line, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            content += text(60 + 120 * column, 740 - 18 * line, cell)
    page(pdf, content)
    save(pdf, "table.pdf")


def box_font(letters):
    """A font whose glyphs are boxes: one per letter, and one for the ligature ffi."""
    names = [".notdef"] + [f"uni{ord(letter):04X}" for letter in letters] + ["f_f_i"]
    pen = TTGlyphPen(None)
    for i, point in enumerate([(50, 0), (50, 700), (450, 700), (450, 0)]):
        (pen.lineTo if i else pen.moveTo)(point)
    pen.closePath()
    box = pen.glyph()
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({ord(letter): f"uni{ord(letter):04X}" for letter in letters})
    font.setupGlyf({name: box for name in names})
    font.setupHorizontalMetrics({name: (500, 50) for name in names})
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupPost(keepGlyphNames=False)
    font.font["head"].created = font.font["head"].modified = 0
    font.font.recalcTimestamp = False
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()


def cid():
    letters = "Ωμέγα ŁódźЖo"
    order = list(dict.fromkeys(letters))
    ffi = len(order) + 1
    for name, mapped in (("cid.pdf", True), ("cid-unmapped.pdf", False)):
        pdf = Pdf.new()
        file = pdf.make_stream(box_font(order))
        descendant = Dictionary(
            Type=Name.Font, Subtype=Name.CIDFontType2, BaseFont=Name("/AAAAAA+Boxes"), DW=500, CIDToGIDMap=Name.Identity,
            CIDSystemInfo=Dictionary(Registry=String("Adobe"), Ordering=String("Identity"), Supplement=0),
            FontDescriptor=pdf.make_indirect(Dictionary(
                Type=Name.FontDescriptor, FontName=Name("/AAAAAA+Boxes"), Flags=4, FontBBox=Array([0, -200, 500, 800]),
                ItalicAngle=0, Ascent=800, Descent=-200, CapHeight=700, StemV=80, FontFile2=file)))
        font = Dictionary(
            Type=Name.Font, Subtype=Name.Type0, BaseFont=Name("/AAAAAA+Boxes"), Encoding=Name("/Identity-H"),
            DescendantFonts=Array([pdf.make_indirect(descendant)]))
        codes = "".join(f"{order.index(letter) + 1:04X}" for letter in letters)
        if mapped:
            entries = [f"<{i + 1:04X}> <{ord(letter):04X}>" for i, letter in enumerate(order)]
            entries.append(f"<{ffi:04X}> <006600660069>")
            font.ToUnicode = pdf.make_stream((
                "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def\n"
                "1 begincodespacerange <0000> <FFFF> endcodespacerange\n"
                f"{len(entries)} beginbfchar\n" + "\n".join(entries) + "\nendbfchar endcmap end end").encode())
            codes += f"{order.index('o') + 1:04X}{ffi:04X}"
        page(pdf, b"BT /C 14 Tf 60 700 Td <%s> Tj ET" % codes.encode(), {"/C": pdf.make_indirect(font)})
        save(pdf, name)


def cjk():
    """A Japanese font in a legacy encoding, only named or embedded, and without a ToUnicode table."""
    for name, embedded in (("cjk.pdf", False), ("cjk-embedded.pdf", True)):
        pdf = Pdf.new()
        descriptor = Dictionary(
            Type=Name.FontDescriptor, FontName=Name("/Ryumin-Light"), Flags=4, FontBBox=Array([0, -200, 1000, 800]),
            ItalicAngle=0, Ascent=800, Descent=-200, CapHeight=700, StemV=80)
        if embedded:
            descriptor.FontFile2 = pdf.make_stream(box_font("x"))
        descendant = Dictionary(
            Type=Name.Font, Subtype=Name.CIDFontType2 if embedded else Name.CIDFontType0, BaseFont=Name("/Ryumin-Light"),
            DW=1000, CIDSystemInfo=Dictionary(Registry=String("Adobe"), Ordering=String("Japan1"), Supplement=2),
            FontDescriptor=pdf.make_indirect(descriptor))
        font = Dictionary(
            Type=Name.Font, Subtype=Name.Type0, BaseFont=Name("/Ryumin-Light-90ms-RKSJ-H"), Encoding=Name("/90ms-RKSJ-H"),
            DescendantFonts=Array([pdf.make_indirect(descendant)]))
        codes = "契約書の第一条".encode("cp932").hex()
        page(pdf, b"BT /J 14 Tf 60 700 Td <%s> Tj ET" % codes.encode(), {"/J": pdf.make_indirect(font)})
        pdf.save(HERE / name, deterministic_id=True)


def ligatures():
    pdf = Pdf.new()
    differences = Array([1, Name("/fi"), Name("/fl"), Name("/ff"), Name("/ffi"), Name("/uniFB04")])
    font = Dictionary(
        Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica,
        Encoding=Dictionary(Type=Name.Encoding, BaseEncoding=Name.WinAnsiEncoding, Differences=differences))
    # Words are separated by kerning instead of space characters, as TeX does; "bold words" is drawn twice.
    content = b"BT /F 12 Tf 60 700 Td [(The)-300(o)20(\004ce)-320(\001lls)-300(\002ags,)-300(ba\005es)-300(and)-300(sta\003)] TJ ET\n"
    content += text(60, 680, "bold words", 12) + text(60, 680, "bold words", 12)
    page(pdf, content, {"/F": font})
    save(pdf, "ligatures.pdf")


def pages():
    pdf = Pdf.new()
    form = pdf.make_stream(text(0, 0, "Text inside of a form"))
    form.Type, form.Subtype, form.BBox = Name.XObject, Name.Form, Array([0, 0, 300, 20])
    form.Matrix, form.Resources = Array([1, 0, 0, 1, 60, 700]), Dictionary(Font=Dictionary(F=HELVETICA))
    page(pdf, text(60, 780, "Page one", 16) + text(60, 750, "Mail to mara.lindqvist@example.com or not.") + b"/X Do\n",
         resources={"XObject": Dictionary(X=form)})
    turned = b"BT /F 11 Tf 0 1 -1 0 100 60 Tm (Page two is turned) Tj 0 -14 Td (and upright again when shown.) Tj ET"
    page(pdf, turned, Rotate=90)
    field = pdf.make_stream(b"/Tx BMC q " + text(2, 4, "Filled in by Ana") + b" Q EMC")
    field.Type, field.Subtype, field.BBox = Name.XObject, Name.Form, Array([0, 0, 200, 20])
    field.Resources = Dictionary(Font=Dictionary(F=HELVETICA))
    widget = Dictionary(Type=Name.Annot, Subtype=Name.Widget, Rect=Array([60, 700, 260, 720]), F=4, FT=Name.Tx,
                        T=String("name"), V=String("Filled in by Ana"), AP=Dictionary(N=field))
    spelled = b"/Span <</ActualText (spelled out)>> BDC " + text(60, 750, "~~~") + b" EMC "
    page(pdf, text(60, 780, "Page three") + spelled + text(60, 650, "x\xb2 + y\xb2"), Annots=Array([pdf.make_indirect(widget)]))
    pdf.docinfo["/Title"] = "Three pages – a test"
    save(pdf, "pages.pdf", object_stream_mode=pikepdf.ObjectStreamMode.disable, compress_streams=False)
    save(pdf, "packed.pdf", object_stream_mode=pikepdf.ObjectStreamMode.generate)
    save(pdf, "encrypted-user.pdf", encryption=Encryption(owner="owner", user="user", R=6))
    save(pdf, "encrypted-empty.pdf", encryption=Encryption(owner="owner", user="", R=6))
    save(pdf, "encrypted-rc4.pdf", encryption=Encryption(owner="owner", user="", R=3, aes=False, metadata=False))


def scan():
    pdf = Pdf.new()
    grey = bytes((x * y) % 251 for y in range(64) for x in range(48))
    image = Stream(pdf, zlib.compress(grey))
    image.Type, image.Subtype, image.Filter = Name.XObject, Name.Image, Name.FlateDecode
    image.Width, image.Height, image.ColorSpace, image.BitsPerComponent = 48, 64, Name.DeviceGray, 8
    for _ in range(2):
        page(pdf, b"q 595 0 0 842 0 0 cm /I Do Q", resources={"XObject": Dictionary(I=image)})
    pdf.save(HERE / "scan.pdf", deterministic_id=True)


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def p(words, style="", numbering=None):
    number = f'<w:numPr><w:ilvl w:val="{numbering[1]}"/><w:numId w:val="{numbering[0]}"/></w:numPr>' if numbering else ""
    chosen = f'<w:pStyle w:val="{style}"/>' if style else ""
    run = words if words.startswith("<") else f'<w:r><w:t xml:space="preserve">{words}</w:t></w:r>'
    return f"<w:p><w:pPr>{chosen}{number}<w:tabs><w:tab w:val='left' w:pos='720'/></w:tabs></w:pPr>{run}</w:p>"


def docx(name, body, compression=zipfile.ZIP_DEFLATED):
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": '<Relationships><Relationship Id="a" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        'relationships/officeDocument" Target="/word/main.xml"/></Relationships>',
        "docProps/core.xml": "<cp:coreProperties xmlns:cp='c' xmlns:dc='d'><dc:title>Lists &amp; tables</dc:title></cp:coreProperties>",
        "word/main.xml": f'<?xml version="1.0" encoding="UTF-8"?><w:document {W} xmlns:mc="m"><w:body>{body}</w:body></w:document>',
        "word/styles.xml": f'<w:styles {W}><w:style w:styleId="T1"><w:name w:val="Title"/></w:style>'
        '<w:style w:styleId="u1"><w:name w:val="heading 1"/></w:style><w:style w:styleId="u2"><w:name w:val="heading 2"/></w:style>'
        '<w:style w:styleId="Clause"><w:name w:val="Clause"/><w:basedOn w:val="u2"/></w:style>'
        '<w:style w:styleId="Numbers"><w:name w:val="List Number"/><w:pPr><w:numPr><w:numId w:val="3"/></w:numPr></w:pPr></w:style>'
        '</w:styles>',
        "word/numbering.xml": f'<w:numbering {W}><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/>'
        '</w:lvl><w:lvl w:ilvl="1"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum><w:num w:numId="3">'
        '<w:abstractNumId w:val="0"/></w:num></w:numbering>',
        "word/footnotes.xml": f'<w:footnotes {W}><w:footnote w:type="separator" w:id="0">{p("rule")}</w:footnote>'
        f'<w:footnote w:id="2">{p("A note below.")}</w:footnote></w:footnotes>',
    }
    with zipfile.ZipFile(HERE / name, "w", compression) as archive:
        for part, xml in parts.items():
            archive.writestr(zipfile.ZipInfo(part, (2020, 1, 1, 0, 0, 0)), xml, compression)


def word():
    cell = "<w:tc>{}</w:tc>".format
    box = "<w:p><w:r><w:t>Around</w:t></w:r><mc:AlternateContent><mc:Choice><w:txbxContent>" + p("In a box") + \
        "</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent>" + p("In a box") + "</w:txbxContent></mc:Fallback>" \
        "</mc:AlternateContent></w:p>"
    tracked = "<w:r><w:t xml:space='preserve'>Price: </w:t></w:r><w:del><w:r><w:delText>10</w:delText></w:r></w:del>" \
        "<w:ins><w:r><w:t>12</w:t></w:r></w:ins><w:r><w:tab/><w:t>EUR</w:t><w:br/><w:t>net</w:t></w:r>" \
        "<w:r><w:fldChar w:fldCharType='begin'/></w:r><w:r><w:instrText>PAGEREF x</w:instrText></w:r>" \
        "<w:r><w:footnoteReference w:id='2'/></w:r>"
    inner = "<w:tbl><w:tr>" + cell(p("x")) + cell(p("y")) + "</w:tr></w:tbl>"
    body = (
        p("The whole", "T1") + p("First part", "u1") + p("A clause", "Clause") + p("Fish &amp; chips &#8364; 5")
        + p("one", "Numbers") + p("deep", numbering=(3, 1)) + p("two", numbering=(3, 0)) + p(tracked) + box
        + "<w:tbl><w:tr>" + cell(p("Name")) + cell(p("Phone")) + "</w:tr><w:tr>" + cell(p("Ana") + p("Dias"))
        + cell(p("1|2") + inner) + "</w:tr></w:tbl>" + p("End")
    )
    docx("features.docx", body)
    with open(HERE / "features.docx", "rb") as plain, open(HERE / "encrypted.docx", "wb") as out:
        msoffcrypto.format.ooxml.OOXMLFile(plain).encrypt("secret", out)


if __name__ == "__main__":
    for make in (columns, table, cid, cjk, ligatures, pages, scan, word):
        make()
