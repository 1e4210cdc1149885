"""capsule-agent as a proof's pod has it: by TCP, for one call of the capsule's proof hook."""
import hashlib
import http.server
import json
import threading
import unittest

from agent_case import PodCase

HASH = "sha256:" + "1" * 64
CALL = f"/v1/hook?utid=UTID:a&proof_hash={HASH}&claims_digest={HASH}&time_limit_ms=20000"
HOOK = '''#!/usr/bin/env python3
import json, os, sys, urllib.request
print("hello", file=sys.stderr)
# before
asked = urllib.request.urlopen(os.environ["PROOF_SERVICE_URL"] + "/x", timeout=10).read().decode()
told = {name: os.environ["CAPSULE_" + name] for name in ("UTID", "PROOF_HASH", "CLAIMS_DIGEST")}
open(os.environ["CAPSULE_OUT"] + "/proof.json", "w").write(json.dumps([asked, open(os.environ["CAPSULE_RUN_RECORD"]).read(), told]))
'''


class Relay(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"relay")

    def log_message(self, *words):
        pass


class Hooks(PodCase):
    def setUp(self):
        super().setUp()
        server = http.server.HTTPServer(("127.0.0.1", 0), Relay)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.more = ("--hook", "proof-hooks/generate_proof.py", "--way-out", server.server_port)

    def hooked(self, before=""):
        self.write("proof-hooks/generate_proof.py", HOOK.replace("# before", before))
        self.agent()

    def call(self, path=CALL, record=b'{"a": "record"}'):
        status, body = self.bytes_of("POST", path, record)
        return status, json.loads(body)

    def bytes_of(self, method, path, body=None):
        connection = self.connection()
        self.addCleanup(connection.close)
        connection.request(method, path, body)
        reply = connection.getresponse()
        return reply.status, reply.read()

    def over(self):
        status, reply = self.ask("GET", "/v1/hook?wait_ms=20000")
        self.assertEqual((200, "done"), (status, reply["state"]))
        return reply["outcome"]

    def test_one_call_whose_proof_comes_back_by_its_digest(self):
        self.write("scripts/install.sh", "#!/bin/sh\nexit 1\n")  # is nothing to a hook
        self.hooked()
        self.assertEqual((200, 200, 404), tuple(self.ask("GET", path)[0] for path in ("/healthz", "/readyz", "/v1/hook")))
        self.assertEqual(202, self.call()[0])
        outcome = self.over()
        proof = self.bytes_of("GET", "/v1/hook/proof")[1]
        self.assertEqual({"digest": "sha256:" + hashlib.sha256(proof).hexdigest(), "size": len(proof)}, outcome["proof"])
        self.assertEqual(["relay", '{"a": "record"}', {"UTID": "UTID:a", "PROOF_HASH": HASH, "CLAIMS_DIGEST": HASH}], json.loads(proof))
        self.assertEqual(["hello"], outcome["log"])
        self.assertEqual((200, outcome), (lambda status, reply: (status, reply["outcome"]))(*self.call()))
        self.assertEqual(409, self.call(record=b"another")[0])
        self.assertEqual((200, 503, 404), tuple(self.ask("GET", path)[0] for path in ("/healthz", "/readyz", "/v1/pool")))

    def test_one_that_fails_says_why_and_leaves_no_proof(self):
        self.hooked("sys.exit('broken')")
        self.call()
        failure = self.over()["failure"]
        self.assertEqual("capsule_failed", failure["kind"])
        self.assertIn("broken", failure["message"])
        self.assertEqual(404, self.ask("GET", "/v1/hook/proof")[0])

    def test_a_call_that_is_malformed_is_none(self):
        self.hooked()
        for bad in ("/v1/hook", CALL.replace(HASH, "x"), CALL.replace("20000", "soon")):
            self.assertEqual(422, self.call(bad)[0], bad)
        self.assertEqual(200, self.ask("GET", "/readyz")[0])


if __name__ == "__main__":
    unittest.main()
