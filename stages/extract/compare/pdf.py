"""Compares the words of PDFs as `extract` reads them with those of `pdftotext`, and prints how many of these are found.

The files are those of the Debian packages below: of installed packages, and of packages that apt downloads into
target/compare-pdf, where they are unpacked and not installed. Words count as often as they occur in both. Names of
folders or files as arguments replace the packages.
"""

import gzip
import re
import shutil
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

PACKAGES = [
    "asymptote-doc",
    "bash-doc",
    "debian-policy",
    "debmake-doc",
    "developers-reference",
    "developers-reference-fr",
    "developers-reference-ja",
    "glpk-doc",
    "gnuplot-doc",
    "gnutls-doc",
    "graphviz-doc",
    "latex2rtf-doc",
    "libtasn1-doc",
    "maint-guide",
    "maxima-doc",
    "octave-doc",
    "pari-doc",
    "r-doc-pdf",
    "texlive-lang-arabic",
    "xfig-doc",
]
ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "target/compare-pdf"
WORST = 10
# The longest that one file may take, in seconds.
TIMEOUT = 120


def of_package(package):
    listed = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True)
    if listed.returncode == 0:
        return [Path(line) for line in listed.stdout.splitlines()]
    folder = FOLDER / "packages" / package
    if not folder.exists():
        downloads = FOLDER / "downloads"
        downloads.mkdir(parents=True, exist_ok=True)
        if subprocess.run(["apt-get", "download", package], cwd=downloads, capture_output=True).returncode:
            print(f"{package}: apt-get cannot download it, left out", file=sys.stderr)
            return []
        archive = next(downloads.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg", "-x", str(archive), str(folder)], check=True)
    return list(folder.rglob("*"))


def plain(path):
    """The path of the PDF itself: packages may have compressed it."""
    if path.suffix != ".gz":
        return path
    unpacked = FOLDER / "unpacked" / str(path).replace("/", "+").removesuffix(".gz")
    unpacked.parent.mkdir(parents=True, exist_ok=True)
    if not unpacked.exists():
        unpacked.write_bytes(gzip.decompress(path.read_bytes()))
    return unpacked


def files(arguments):
    found = []
    if arguments:
        for argument in map(Path, arguments):
            found += argument.rglob("*") if argument.is_dir() else [argument]
    else:
        for package in PACKAGES:
            found += of_package(package)
    return sorted(plain(path) for path in found if path.is_file() and path.name.endswith((".pdf", ".pdf.gz")))


def words(text):
    """Words of letters and digits, in one form and case. Words divided at the end of a line are joined, as `extract` does."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub("(\\w)[-\u00ad\u2010]\\n\\s*([a-z])", r"\1\2", text)
    return Counter(re.findall(r"[^\W_]+", text.lower()))


def output(command):
    """What a command prints, or nothing if it fails or takes too long."""
    try:
        result = subprocess.run(command, capture_output=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return None
    return result.stdout.decode("utf8", "replace") if result.returncode == 0 else None


def main(arguments):
    if shutil.which("pdftotext") is None:
        sys.exit("pdftotext is not installed: install the package poppler-utils")
    reader = ROOT / "target/debug/examples/text"
    theirs_in_all, both_in_all, recalls, failed = 0, 0, [], []
    for path in files(arguments):
        theirs = output(["pdftotext", "-q", str(path), "-"])
        if theirs is None or not words(theirs):
            continue
        ours = output([str(reader), str(path)])
        if ours is None:
            failed.append(path)
            ours = ""
        theirs, ours = words(theirs), words(ours)
        count, both = theirs.total(), (theirs & ours).total()
        theirs_in_all += count
        both_in_all += both
        recalls.append((both / count, count, path))
    if not recalls:
        sys.exit("there is no PDF with text to compare: name a folder, or check that apt-get can download packages")
    print(f"{len(recalls)} files, {theirs_in_all} words of pdftotext, {both_in_all} of them in both")
    print(f"recall of words: {both_in_all / theirs_in_all:.4f}; of the median file: {sorted(recalls)[len(recalls) // 2][0]:.4f}")
    print(f"{len(failed)} files that extract did not read")
    for recall, count, path in sorted(recalls)[:WORST]:
        print(f"{recall:.3f}  {count:>7} words  {path}")


main(sys.argv[1:])
