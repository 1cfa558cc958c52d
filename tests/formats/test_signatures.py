"""Signed requests, checked by botocore, which is Amazon's own; Basic and HMAC by Python's standard library.

    python -m unittest test_signatures     (LOADTESTER: the program; target/release/loadtester)
"""

import base64
import hashlib
import hmac
import http.server
import os
import pathlib
import subprocess
import tempfile
import threading
import unittest

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("LOADTESTER", str(ROOT / "target/release/loadtester"))
KEY, SECRET, TOKEN = "AKIDEXAMPLE", "a+secret/key", "a-session-token=="

SCENARIOS = r"""
scenarios:
  - { name: plain, path: / }
  - { name: query, path: "/a%20b/./c//d?z=1&a=%2F&a=b&empty&q={{random.pick('x y', 'é&')}}" }
  - { name: hole, path: "/v1/{{random.uuid}}/{{random.pick('a b', 'c/d')}}" }
  - name: body
    method: POST
    path: /v1/users
    headers: { Content-Type: application/json, X-Amz-Meta-Two: "a   b", X-Other: x }
    body: '{"n": {{flow.number}}, "at": "{{now}}"}'
  - { name: form, method: PUT, path: "/f~_-.", form: { a: "1 2", b: "ü" } }
"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, list(self.headers.items()), body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


class Signatures(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.seen = []
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.authority = "127.0.0.1:%d" % self.server.server_port
        self.addCleanup(self.folder.cleanup)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def run_plan(self, text, requests):
        plan = pathlib.Path(self.folder.name, "plan.yaml")
        plan.write_text(f"base_url: http://{self.authority}\nload: {{ requests: {requests}, concurrency: 3 }}\n{text}")
        environment = {**os.environ, "KEY": KEY, "SECRET": SECRET, "TOKEN": TOKEN}
        command = [PROGRAM, "--plan", plan, "--quiet", "--no-listen"]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertEqual(len(self.server.seen), requests)

    def check_signatures(self, service, auth_class):
        self.run_plan(f"""auth:
  aws_sigv4:
    access_key_id: ${{KEY}}
    secret_access_key: ${{SECRET}}
    session_token: ${{TOKEN}}
    region: eu-central-1
    service: {service}
{SCENARIOS}""", 100)
        auth = auth_class(Credentials(KEY, SECRET, TOKEN), service, "eu-central-1")
        for method, path, fields, body in self.server.seen:
            sent = dict(fields)
            signed = sent["Authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
            self.assertIn("host", signed)
            self.assertEqual([name for name in signed if name in ("user-agent", "x-other")], [])
            kept = {name: value for name, value in fields if name.lower() in signed}
            # What Amazon demands to be signed, if it is sent.
            demanded = [name.lower() for name in sent if name.lower().startswith("x-amz-") or name == "Content-Type"]
            self.assertEqual(set(demanded) | {"host"}, set(signed))
            request = AWSRequest(method, f"http://{self.authority}{path}", kept, body)
            request.context["timestamp"] = sent["X-Amz-Date"]
            string = auth.string_to_sign(request, auth.canonical_request(request))
            self.assertEqual(sent["Authorization"].split("Signature=")[1], auth.signature(string, request), path)
            self.assertIn(f"Credential={KEY}/{sent['X-Amz-Date'][:8]}/eu-central-1/{service}/aws4_request,", sent["Authorization"])
            self.assertEqual(sent["X-Amz-Security-Token"], TOKEN)

    def test_botocore_computes_the_same_signatures(self):
        self.check_signatures("execute-api", SigV4Auth)

    def test_botocore_computes_the_same_signatures_for_s3(self):
        self.check_signatures("s3", S3SigV4Auth)
        for _, _, fields, body in self.server.seen:
            self.assertEqual(dict(fields)["X-Amz-Content-Sha256"], hashlib.sha256(body).hexdigest())

    def test_basic_and_hmac_are_what_python_computes(self):
        self.run_plan(r"""scenarios:
  - method: POST
    path: /x
    headers:
      Authorization: "Basic {{base64('us:pä ss')}}"
      X-Time: "{{flow.number}}"
      X-Signature: "{{hmac_sha256('${SECRET}', flow.number)}}"
      X-Digest: "{{sha256('abc')}}"
    body: "x"
""", 20)
        for _, _, fields, _ in self.server.seen:
            sent = dict(fields)
            self.assertEqual(base64.b64decode(sent["Authorization"].split(" ")[1]).decode(), "us:pä ss")
            expected = hmac.new(SECRET.encode(), sent["X-Time"].encode(), hashlib.sha256).hexdigest()
            self.assertEqual(sent["X-Signature"], expected)
            self.assertEqual(sent["X-Digest"], hashlib.sha256(b"abc").hexdigest())


if __name__ == "__main__":
    unittest.main()
