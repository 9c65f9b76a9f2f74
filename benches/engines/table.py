"""Makes a Markdown table of what engines read: table.py SPECIMENS ROUNDS_DIRECTORY

The directory holds ENGINE.ROUND.jsonl of lines.py and idmill_lines. Errors are counted on what truth.json knows to be
printed: surname, given names, number and the lines of the machine-readable zone. Each of them is looked for in every
line that was read; its errors are the fewest edits that make it out of a part of a line.
"""

import json
import pathlib
import statistics
import sys

NAMES = {
    "idmill": "**idmill**, codes and fields included",
    "rapidocr-tuned": "RapidOCR, the same small models and size, no classifier",
    "rapidocr": "RapidOCR as installed",
    "tesseract": "Tesseract 5, start of the process included",
}


def errors(wanted, line):
    """Fewest edits between `wanted` and any part of `line`."""
    row = [0] * (len(line) + 1)
    for i, letter in enumerate(wanted, 1):
        above, row[0] = row[0], i
        for j, other in enumerate(line, 1):
            above, row[j] = row[j], min(above + (letter != other), row[j] + 1, row[j - 1] + 1)
    return min(row)


def printed(truth):
    values = [truth.get("surname"), truth.get("givenNames"), truth["truth"].get("idNumber"), *(truth.get("mrz") or [])]
    return ["".join(value.split()).upper() for value in values if value]


def main():
    specimens, rounds = map(pathlib.Path, sys.argv[1:])
    truths = {path.parent.name: printed(json.loads(path.read_text())) for path in specimens.glob("*/truth.json")}
    n_chars = sum(len(value) for values in truths.values() for value in values)
    seconds, figures = {}, {}
    for engine in NAMES:
        runs = [[json.loads(line) for line in path.read_text().splitlines()] for path in sorted(rounds.glob(f"{engine}.*.jsonl"))]
        n_images = sum(document["n_images"] for document in runs[0])
        seconds[engine] = [sum(document["cpu_s"] for document in run) / n_images for run in runs]
        read = {document["id"]: ["".join(line.split()).upper() for line in document["lines"]] for document in runs[0]}
        n_errors = sum(min([errors(value, line) for line in read[id]] + [len(value)]) for id, values in truths.items() for value in values)
        figures[engine] = (statistics.median(seconds[engine]) * 1000, 100 * n_errors / n_chars)
    print(f"\n{len(truths)} specimens, {n_images} images, {n_chars} characters of known text; CPU time on one core\n")
    print("| engine | ms an image | idmill is | characters wrong |")
    print("|---|---:|---:|---:|")
    for engine, title in NAMES.items():
        ratio = statistics.median(other / own for own, other in zip(seconds["idmill"], seconds[engine]))
        print(f"| {title} | {figures[engine][0]:.0f} | {'' if engine == 'idmill' else f'{ratio:.1f} x'} | {figures[engine][1]:.2f} % |")


main()
