"""Tells Kubernetes' autoscaler the length of a queue of RabbitMQ, as KEDA's metrics server does for the chart's ScaledObject.

check-autoscaler.py CERTIFICATE KEY ADDRESS PORT MANAGEMENT_URL QUEUE LOG: serves external.metrics.k8s.io there, whatever metric is asked
for, and writes a line READY UNACKNOWLEDGED into the file LOG for each question.
"""

import base64
import datetime
import http.server
import json
import ssl
import sys
import urllib.parse
import urllib.request

GROUP = "external.metrics.k8s.io/v1beta1"
RESOURCES = [{"name": "externalmetrics", "singularName": "", "namespaced": True, "kind": "ExternalMetricValueList", "verbs": ["get"]}]


def question(management_url, queue):
    """What KEDA asks with `protocol: http` and `mode: QueueLength` (tests/it/autoscale.rs)."""
    url = urllib.parse.urlsplit(management_url)
    login = base64.b64encode(f"{url.username}:{urllib.parse.unquote(url.password)}".encode()).decode()
    address = f"{url.scheme}://{url.hostname}:{url.port}/api/queues/{url.path.lstrip('/')}/{queue}"
    return urllib.request.Request(address, headers={"Authorization": f"Basic {login}"})


def main(certificate, key, address, port, management_url, queue, log):
    asked = question(management_url, queue)

    class Metrics(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            if "/namespaces/" in self.path:
                with urllib.request.urlopen(asked, timeout=10) as answer:
                    queue = json.load(answer)
                with open(log, "a") as lines:
                    print(queue["messages_ready"], queue["messages_unacknowledged"], file=lines)
                now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
                metric = {"metricName": "queue", "metricLabels": None, "timestamp": now, "value": str(queue["messages"])}
                said = {"kind": "ExternalMetricValueList", "apiVersion": GROUP, "metadata": {}, "items": [metric]}
            else:
                said = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP, "resources": RESOURCES}
            body = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer((address, int(port)), Metrics)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


main(*sys.argv[1:])
