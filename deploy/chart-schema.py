"""The chart's schema of `settings`, made of what `idmill schema settings` prints.

chart-schema.py SCHEMA [--check] <SETTINGS: writes it into the file SCHEMA; with --check, says whether it is in there already.
"""

import json
import sys

# What the chart does not take, and where it is said instead.
TAKEN = {
    ("broker", "url"): "The deployment would hold its password: secrets.brokerUrl, or settings.broker.url_file.",
    ("reader", "remote", "proxy"): "The deployment would hold its password: extraEnv, IDMILL__READER__REMOTE__PROXY from a secret.",
    ("engine", "instances"): "worker.engines and api.engines set it.",
}


def plain(schema, path=()):
    """Types and keys alone: descriptions and defaults are in the README's table."""
    if path in TAKEN:
        return {"not": {}, "description": TAKEN[path]}
    kept = {key: value for key, value in schema.items() if key not in ("$schema", "title", "description", "default", "format")}
    if "properties" in kept:
        kept["properties"] = {key: plain(value, (*path, key)) for key, value in kept["properties"].items()}
    if kept.get("type") == "array":
        # The chart gives a list as one variable, which is cut at its commas.
        kept["items"] = {**kept["items"], "pattern": "^[^,]+$"}
    if "oneOf" in kept:
        kept = {"enum": [each["const"] for each in kept["oneOf"]]}
    return kept


def main(path, check=False):
    text = open(path).read()
    schema = json.loads(text)
    schema["properties"]["settings"] = {"description": "Sections of idmill's settings.", **plain(json.load(sys.stdin))}
    made = json.dumps(schema, indent=2) + "\n"
    if not check:
        open(path, "w").write(made)
    elif made != text:
        sys.exit(f"{path} is not what idmill's settings are: idmill schema settings | python3 deploy/chart-schema.py {path}")


main(sys.argv[1], "--check" in sys.argv)
