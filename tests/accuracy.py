#!/usr/bin/env python3
"""Reads a folder of documents with `idmill scan --batch` and prints how much of them was right, a row per family.

    tests/accuracy.py DIR [IDMILL]     IDMILL is the program, target/release/idmill if it is not given

DIR holds a folder for each document, with front.*, perhaps back.*, and truth.json as `--example specimen` writes it.
Names and addresses are compared word by word, in any order, without case, diacritics and punctuation; numbers by letters
and digits. A field that is not printed does not count. `all three` are the documents whose number, name and date of birth
are right, `any wrong` those with one of them given and not what is printed.
"""
import itertools
import json
import os
import subprocess
import sys
import unicodedata

FIELDS = ["idNumber", "name", "dateOfBirth", "gender", "address", "idType"]
KEYS = ["idNumber", "name", "dateOfBirth"]
HEADS = ["number", "name", "birth", "sex", "address", "type", "all three", "any wrong"]
# Letters that issuers write in more than one way.
SPELLINGS = {
    "Ä": ["AE", "A"], "Æ": ["AE"], "Å": ["AA", "A"], "Ö": ["OE", "O"], "Ø": ["OE", "O"], "Œ": ["OE"], "Õ": ["OE", "O"],
    "Ü": ["UE", "U", "UXX"], "Ñ": ["N", "NXX"], "Ð": ["D", "DH"], "Đ": ["D", "DJ"], "Þ": ["TH"], "Ł": ["L"], "Ħ": ["H"],
    "Ŧ": ["T"], "Ĳ": ["IJ"], "Ə": ["E", "A"], "İ": ["I"], "ẞ": ["SS"],
}
TYPES = {"driving_license": "driving_licence", "state_id": "national_id", "passport_card": "national_id", "border_pass": "national_id"}


def spelled(text):
    """All spellings of a text in capitals without diacritics."""
    text = unicodedata.normalize("NFC", text.replace("ß", "ẞ").replace("ə", "Ə").upper())
    plain = lambda c: "".join(d for d in unicodedata.normalize("NFKD", c) if not unicodedata.combining(d))
    ways = [SPELLINGS.get(c) or [plain(c)] for c in text]
    return {"".join(way) for way in itertools.islice(itertools.product(*ways), 256)}


def bags(text):
    """The words of a text in all spellings, hyphens and full stops taken as blanks or as nothing."""
    found = set()
    for spelling in spelled("".join(c for c in text if c not in "'’‘`´")):
        for dropped in ("", "-", ".", "-."):
            kept = "".join(c for c in spelling if c not in dropped)
            found.add(" ".join(sorted("".join(c if c.isalnum() else " " for c in kept).split())))
    return found


def characters(text):
    return "".join(c for c in text.upper() if c.isalnum())


def state(document, answer, field):
    """right, wrong, missing, or None where nothing is printed to be read."""
    want, got = document["truth"].get(field), answer.get(field) or ""
    if want is None or field in (document.get("doNotScore") or []):
        return None
    if not got:
        return "missing"
    if field == "name":
        wanted = [want, *(document.get("acceptedNames") or [])]
        right = any(bags(got) & bags(name) for name in wanted)
    elif field == "address":
        right = bool(bags(got) & bags(want))
    elif field == "idNumber":
        right = characters(got) in map(characters, [want, *(document.get("acceptedIdNumbers") or [])])
    elif field == "idType":
        right = got == TYPES.get(want, want)
    else:
        right = got == want
    return "right" if right else "wrong"


def row(name, documents):
    share = lambda part, whole: f"{100 * part / whole:.1f}" if whole else "–"
    cells = []
    for field in FIELDS:
        states = [states[field] for states in documents if states[field]]
        cells.append(share(states.count("right"), len(states)))
    cells.append(share(sum(all(states[key] in ("right", None) for key in KEYS) for states in documents), len(documents)))
    cells.append(share(sum(any(states[key] == "wrong" for key in KEYS) for states in documents), len(documents)))
    return f"| {name} | {len(documents)} | " + " | ".join(cells) + " |"


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    folder = sys.argv[1]
    program = sys.argv[2] if len(sys.argv) == 3 else os.path.join(os.path.dirname(__file__), "../target/release/idmill")
    documents = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name, "truth.json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                documents[name] = json.load(file)
    run = subprocess.run([program, "scan", "--batch", folder], stdout=subprocess.PIPE, text=True, check=True)
    answers = {answer["id"]: answer for answer in map(json.loads, run.stdout.splitlines())}
    families = {}
    for name, document in documents.items():
        states = {field: state(document, answers.get(name, {}), field) for field in FIELDS}
        kind = TYPES.get(document["truth"]["idType"], document["truth"]["idType"])
        if kind == "driving_licence":
            country = document.get("country") or ""
            region = next((region for code, region in (("USA", "US"), ("CAN", "Canadian"), ("IND", "Indian")) if country.startswith(code)), None)
            kind = f"{kind}, {region or 'by EU rules'}"
        families.setdefault(kind.replace("_", " "), []).append(states)
    print("| family | n | " + " | ".join(HEADS) + " |")
    print("|---|" + "---:|" * (len(HEADS) + 1))
    for family in sorted(families):
        print(row(family, families[family]))
    print(row("all", list(itertools.chain.from_iterable(families.values()))))


if __name__ == "__main__":
    main()
