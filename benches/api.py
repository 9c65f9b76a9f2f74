"""What the API's server adds to the engine's own time, for two images of 500 KB: api.py ADDRESS DOCUMENT RUNS

One request after the other on one connection. The server says in Server-Timing how long the engine took; the rest of
what the client waits is the server's and the network's. Prints the median in milliseconds and the share of its parts.
"""

import base64
import http.client
import json
import pathlib
import statistics
import sys
import time

IMAGE_BYTES = 500_000


def main():
    address, document, n_runs = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    body = {}
    for part, name in (("frontPart", "front.jpg"), ("backPart", "back.jpg")):
        # What follows an image's end belongs to nobody, and makes it as large as we like.
        image = (document / name).read_bytes().ljust(IMAGE_BYTES, b"\0")
        body[part] = "data:image/jpeg;base64," + base64.b64encode(image).decode()
    body = json.dumps(body).encode()
    connection = http.client.HTTPConnection(address)
    rest_ms, parts = [], []
    for run in range(n_runs + 2):
        started = time.perf_counter()
        connection.request("POST", "/ai/v1/ocr", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        took_ms = 1000 * (time.perf_counter() - started)
        if answer.status != 200:
            sys.exit(f"the server answered {answer.status}: {text.decode()}")
        timing = dict(entry.split(";dur=") for entry in answer.headers["server-timing"].split(", "))
        if run >= 2:
            rest_ms.append(took_ms - float(timing["read"]))
            parts.append((float(timing["receive"]), float(timing["parse"]), float(timing["read"])))
    receive, parse, read = (statistics.median(part) for part in zip(*parts))
    figures = {"rest_ms": statistics.median(rest_ms), "receive_ms": receive, "parse_ms": parse, "engine_ms": read}
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


main()
