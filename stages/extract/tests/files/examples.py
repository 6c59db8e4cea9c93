"""Generates the documents in examples/documents/input. Needs: pip install reportlab python-docx pikepdf pillow.

People, companies and accounts are invented: mail addresses and hosts are under example.com, phone numbers and
addresses come from the ranges reserved for fiction and documentation, card numbers are test numbers.
"""

import datetime
import io
import pathlib
import random
import re
import zipfile

import docx
from docx.shared import Pt
from PIL import Image, ImageDraw, ImageFilter
from reportlab.lib import colors
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen import canvas
from reportlab.platypus import KeepTogether, PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

OUT = pathlib.Path(__file__).resolve().parents[4] / "examples" / "documents" / "input"


def iban(country, account):
    """The account with its check digits, in groups of four."""
    digits = "".join(str(int(letter, 36)) for letter in account + country + "00")
    whole = f"{country}{98 - int(digits) % 97:02}{account}"
    return " ".join(whole[i:i + 4] for i in range(0, len(whole), 4))


def unbroken(words):
    return re.sub(r"(\+\d[\d ]+\d|\b[A-Z]{2}\d\d(?: [A-Z0-9]{2,4})+\b|\d{4}(?: \d{4})+)", lambda m: m[0].replace(" ", "\xa0"), words)


SELLER_IBAN = iban("DE", "370400440987123400")
BUYER_IBAN = iban("GB", "WEST12345612345678")


def agreement():
    body = ParagraphStyle("body", fontName="Times-Roman", fontSize=10.5, leading=14.5, alignment=TA_JUSTIFY, spaceAfter=6)
    head = ParagraphStyle("head", parent=body, fontName="Times-Bold", fontSize=12, spaceBefore=10, alignment=0)
    title = ParagraphStyle("title", parent=head, fontSize=20, leading=26, alignment=TA_CENTER, spaceAfter=4)
    under = ParagraphStyle("under", parent=body, alignment=TA_CENTER, spaceAfter=16)
    clauses = [
        ("1. Subject of the agreement", [
            "1.1 The Seller shall manufacture and deliver to the Buyer the milling rollers, bearings and sifter frames listed in "
            "Schedule A (the “Goods”), and the Buyer shall take and pay for them on the terms set out below.",
            "1.2 General terms of either party, whether printed on orders, confirmations or invoices, do not apply unless this "
            "agreement refers to them by name. Where Schedule A and the text of a clause contradict each other, the clause prevails.",
            "1.3 The first call-off covers the refit of the Northgate mill. Later call-offs are made in writing, at least six weeks "
            "before the wished date of delivery, to orders@halden-rollers.example.com."]),
        ("2. Delivery", [
            "2.1 Delivery is DAP (Incoterms 2020) at the Buyer’s mill, Unit 7, Northgate Wharf, Hull. The Buyer’s contact on site is "
            "Priya Raman, telephone +44 1632 960 144, who must be told of every arrival one working day ahead.",
            "2.2 If a delivery is late by more than ten working days, the Buyer may claim 0.5 % of the price of the late Goods for "
            "each further full week, up to 5 % in all. Claims for greater loss remain open where the Seller acted with intent.",
            "2.3 The driver’s gate code is renewed weekly and sent from 203.0.113.27, the fixed address of the Seller’s dispatch "
            "office; requests from any other address are to be treated as void and reported."]),
        ("3. Price and payment", [
            "3.1 Prices are those of Schedule A, net of value added tax, and firm for twelve months from the date of signature. "
            "After that they follow the producer price index for general machinery, once a year, on the first of January.",
            f"3.2 Invoices fall due thirty days after receipt. Payment is made to the Seller’s account at Bank am Markt, IBAN "
            f"{SELLER_IBAN}. Refunds and credit notes are paid to the Buyer’s account, IBAN {BUYER_IBAN}.",
            "3.3 For small orders below EUR 500 the Buyer’s purchasing card 5555 5555 5555 4444 (holder: Thomas Okafor) may be "
            "charged when the goods are dispatched. Questions about invoices go to accounts.payable@northgate-milling.example.com "
            "or to +44 1632 960 107."]),
        ("4. Inspection and defects", [
            "4.1 The Buyer inspects the Goods within fourteen days of arrival and reports visible defects in writing, with "
            "photographs where possible. Hidden defects are reported within fourteen days of their discovery.",
            "4.2 The Seller repairs or replaces defective Goods at its own cost. If the second attempt fails as well, the Buyer may "
            "lower the price or withdraw from the call-off concerned. Claims become time-barred twenty-four months after delivery.",
            "4.3 Urgent defects that stop the mill are reported by telephone to the Seller’s service desk, +49 30 23125 148, at any "
            "hour; the engineer on duty, Jonas Weidenfeld (j.weidenfeld@halden-rollers.example.com), answers within four hours."]),
        ("5. Confidentiality and personal data", [
            "5.1 Drawings, prices and process data are confidential for five years beyond the end of this agreement. Each party "
            "passes them on only to staff and advisers who need them and who are bound in the same way.",
            "5.2 Each party keeps the names and contact details of the other’s staff only for the purpose of this agreement and "
            "erases them within six months of its end, unless a statute requires a longer period."]),
        ("6. Term, law and place of jurisdiction", [
            "6.1 This agreement takes effect on the date of the last signature and runs for three years. It is prolonged by one "
            "year at a time unless a party gives notice three months before its end. Notices are valid in text form if sent to "
            "legal@halden-rollers.example.com or legal@northgate-milling.example.com.",
            "6.2 The law of England and Wales applies; the United Nations convention on the sale of goods does not. Disputes that "
            "the managing directors cannot settle within thirty days are decided by the courts of Hull."]),
    ]
    # Numbers do not break across lines, as in a contract that has been proofread.
    clauses = [(heading, [unbroken(words) for words in paragraphs]) for heading, paragraphs in clauses]
    story = [
        Paragraph("SUPPLY AGREEMENT", title), Paragraph("No. HR-2031-0417", under),
        Paragraph("between <b>Halden Rollers GmbH</b>, Kesselstraße 12, 10437 Berlin, represented by its managing director "
                  "Dr. Annika Weber (a.weber@halden-rollers.example.com), hereinafter the “Seller”,", body),
        Paragraph("and <b>Northgate Milling Ltd</b>, Unit 7, Northgate Wharf, Hull HU1 0AA, represented by its head of purchasing "
                  "Thomas Okafor (t.okafor@northgate-milling.example.com), hereinafter the “Buyer”.", body),
    ]
    for heading, paragraphs in clauses:
        story.append(KeepTogether([Paragraph(heading, head), Paragraph(paragraphs[0], body)]))
        story.extend(Paragraph(words, body) for words in paragraphs[1:])
    rows = [
        ["Item", "Description", "Unit", "Price (EUR)"], ["A-101", "Roller, fluted, 250 mm", "pair", "3,480.00"],
        ["A-102", "Roller, smooth, 250 mm", "pair", "3,260.00"], ["A-110", "Bearing set, sealed", "set", "412.50"],
        ["A-204", "Sifter frame, beech", "piece", "186.00"], ["A-205", "Sieve cloth, 132 µm", "m²", "54.90"],
        ["A-300", "Fitting on site", "day", "920.00"],
    ]
    prices = Table(rows, colWidths=[22 * mm, 72 * mm, 24 * mm, 34 * mm])
    prices.setStyle(TableStyle([
        ("FONT", (0, 0), (-1, -1), "Times-Roman", 10), ("FONT", (0, 0), (-1, 0), "Times-Bold", 10),
        ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black), ("ALIGN", (3, 0), (3, -1), "RIGHT")]))
    signatures = Table([
        ["Berlin, 14 April 2031", "Hull, 17 April 2031"], ["", ""], ["____________________", "____________________"],
        ["Dr. Annika Weber", "Thomas Okafor"], ["Halden Rollers GmbH", "Northgate Milling Ltd"]], colWidths=[80 * mm, 80 * mm])
    signatures.setStyle(TableStyle([("FONT", (0, 0), (-1, -1), "Times-Roman", 10.5)]))
    story += [PageBreak(), Paragraph("Schedule A: Goods and prices", head), Spacer(1, 6), prices, Spacer(1, 30), signatures]

    def frame(sheet, document):
        sheet.setFont("Times-Italic", 8.5)
        sheet.drawString(25 * mm, 285 * mm, "Supply agreement HR-2031-0417")
        sheet.drawRightString(185 * mm, 285 * mm, "Confidential")
        sheet.drawCentredString(105 * mm, 12 * mm, f"Page {document.page}")

    SimpleDocTemplate(
        str(OUT / "supply-agreement.pdf"), pagesize=A4, title="Supply agreement HR-2031-0417", author="Halden Rollers GmbH",
        leftMargin=25 * mm, rightMargin=25 * mm, topMargin=22 * mm, bottomMargin=22 * mm, invariant=1,
    ).build(story, onFirstPage=frame, onLaterPages=frame)


def incident():
    report = docx.Document()
    report.core_properties.title = "Incident report 2031-018: mail queue exposed"
    report.core_properties.author = "Ingrid Solheim"
    report.core_properties.created = report.core_properties.modified = datetime.datetime(2031, 3, 6, 9, 0)
    report.styles["Normal"].font.size = Pt(10.5)
    report.add_heading("Incident report 2031-018: mail queue exposed", 0)
    report.add_paragraph("Author: Ingrid Solheim (ingrid.solheim@fjordpost.example.com). Status: closed. Severity: 2.")
    report.add_heading("Summary", 1)
    report.add_paragraph(
        "On 3 March 2031, between 06:12 and 08:47 UTC, the outgoing mail queue of the customer portal could be read without "
        "logging in. A change to the reverse proxy had dropped the rule that keeps /internal/queue behind the company network. "
        "Forty-one queued messages were listed during that time, of which three were opened from outside. All people "
        "concerned were told by telephone or mail on the same day.")
    report.add_heading("Timeline", 1)
    rows = [
        ("Time (UTC)", "What happened"), ("06:12", "Proxy configuration 418 is rolled out by the nightly job."),
        ("07:55", "First request to /internal/queue from 198.51.100.73; three messages are opened."),
        ("08:31", "Customer Bartosz Zieliński (b.zielinski@example.com, +1 415 555 0132) reports that a stranger quoted his order."),
        ("08:47", "Ingrid Solheim takes the path offline; configuration 417 is restored."),
        ("11:20", "The three customers concerned have been reached."),
    ]
    table = report.add_table(rows=0, cols=2, style="Light Grid Accent 1")
    for row in rows:
        for cell, words in zip(table.add_row().cells, row):
            cell.text = words
    report.add_heading("What was exposed", 1)
    report.add_paragraph("The three messages that were opened held the following:")
    for words in (
        f"a refund notice to Bartosz Zieliński with the IBAN {iban('NO', '86011117947')};",
        "an order confirmation to Marisol Aguirre (marisol.aguirre@example.com) with the card number 4111 1111 1111 1111, which "
        "the shop should have cut to its last four digits;",
        "a note to the courier with the door phone of Dr. Femi Adeyemi, +44 20 7946 0958.",
    ):
        report.add_paragraph(words, style="List Bullet")
    report.add_paragraph(
        "The remaining thirty-eight messages were listed by subject and recipient only. No passwords were part of any message.")
    report.add_heading("Cause", 1)
    report.add_heading("Direct cause", 2)
    report.add_paragraph(
        "The rule was written for the old host name. When the portal moved to portal.fjordpost.example.com, the match failed and "
        "the proxy fell through to its default, which was to allow.")
    report.add_heading("Why it was not noticed", 2)
    report.add_paragraph(
        "The check that calls internal paths from outside ran from 10.20.4.15, an address inside the company network, and so it "
        "always passed. Nobody had looked at its source address since the data centre was moved.")
    report.add_heading("Measures", 1)
    for words in (
        "The default of the proxy is now to deny. Owner: Ingrid Solheim, done on 3 March.",
        "The check runs from a machine of a different provider. Owner: Henrik Aas (henrik.aas@fjordpost.example.com), done on 5 March.",
        "Card numbers are cut before a message enters the queue. Owner: payments team, due on 31 March.",
    ):
        report.add_paragraph(words, style="List Number")
    report.add_heading("Contact", 1)
    report.add_paragraph(
        "Questions go to security@fjordpost.example.com or to the desk at +47 22 00 01 23. Please quote the number 2031-018.")
    buffer = io.BytesIO()
    report.save(buffer)
    with zipfile.ZipFile(buffer) as parts, zipfile.ZipFile(OUT / "incident-report.docx", "w", zipfile.ZIP_DEFLATED) as out:
        for part in parts.infolist():
            out.writestr(zipfile.ZipInfo(part.filename, (2031, 3, 6, 9, 0, 0)), parts.read(part), zipfile.ZIP_DEFLATED)


def scan():
    """Two pages as images, without a text layer."""
    random.seed(7)
    sheet = canvas.Canvas(str(OUT / "broken-scan.pdf"), pagesize=A4, invariant=1)
    lines = ["DELIVERY NOTE 55-081", "", "6 x roller, fluted", "2 x bearing set", "", "received: M. Lindqvist", "+44 1632 960 188"]
    for number in (1, 2):
        image = Image.new("L", (420, 594), 236)
        draw = ImageDraw.Draw(image)
        for row, words in enumerate(lines + ["", f"sheet {number} of 2"]):
            draw.text((60 + random.randint(-1, 1), 80 + 22 * row), words, fill=60)
        image = image.rotate(random.uniform(-1.5, 1.5), fillcolor=222).filter(ImageFilter.GaussianBlur(0.6))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=45)
        sheet.drawImage(ImageReader(io.BytesIO(buffer.getvalue())), 0, 0, *A4)
        sheet.showPage()
    sheet.save()


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    agreement()
    incident()
    scan()
