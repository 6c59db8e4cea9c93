"""Runs the pattern recognisers of Presidio over the labelled texts beside this file and prints recall by kind.

Only recognisers that work by pattern and check digit run, without a language model; each in every language it knows and
with all texts. A result counts from the given score on. Needs `pip install presidio-analyzer`.
"""

import inspect
import json
import sys
from pathlib import Path

import presidio_analyzer.predefined_recognizers as predefined
from presidio_analyzer import PatternRecognizer

KINDS = ["card", "email", "iban", "ip", "mac", "national-id", "phone", "secret", "ssn", "tax-id", "url-credentials"]
# Dates and addresses of pages are no personal data here.
LEFT_OUT = {"DATE_TIME", "URL"}


def recognisers():
    found = []
    for name, kind in inspect.getmembers(predefined, inspect.isclass):
        try:
            recogniser = kind()
        except Exception:  # needs a model or a service
            continue
        if isinstance(recogniser, PatternRecognizer) or name == "PhoneRecognizer":
            if not LEFT_OUT.intersection(recogniser.supported_entities):
                found.append(recogniser)
    return found


def covered(text, span, results):
    return all(any(r.start <= at < r.end for r in results) for at in range(*span) if text[at].isalnum())


def main(least_score):
    all_recognisers = recognisers()
    folder = Path(__file__).parent

    def results(text):
        found = []
        for recogniser in all_recognisers:
            found += recogniser.analyze(text, recogniser.supported_entities, None) or []
        return [result for result in found if result.score >= least_score]

    def entries(kind):
        return [json.loads(line) for line in (folder / f"{kind}.jsonl").read_text("utf8").splitlines()]

    print(f"{len(all_recognisers)} recognisers, score {least_score} and more")
    print("| kind | labelled | found | recall |\n| --- | --: | --: | --: |")
    labelled, hits = 0, 0
    for kind in KINDS:
        of_kind, found = 0, 0
        for entry in entries(kind):
            all_results = results(entry["text"])
            for span in entry["spans"]:
                of_kind += 1
                start = entry["text"].find(span["value"])
                found += start >= 0 and covered(entry["text"], (start, start + len(span["value"])), all_results)
        print(f"| {kind} | {of_kind} | {found} | {found / of_kind:.3f} |")
        labelled, hits = labelled + of_kind, hits + found
    print(f"| all | {labelled} | {hits} | {hits / labelled:.3f} |")
    negatives = entries("negative")
    hit = sum(bool(results(entry["text"])) for entry in negatives)
    print(f"negatives {len(negatives)}, of them hit {hit} ({hit / len(negatives):.3f})")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.4)
