"""`capsule-generate-proof relay`: the way from a hook to the proof service as the program that it is in the hook's pod."""
import json
import socket
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from steps import run, start

HASH = "sha256:" + "1" * 64
ASKED = {"title": "t", "requester": {"who": "t"}, "artifacts": [], "proof_types": ["mathematical_proof"], "proof_hash": HASH}


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Relays(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.ports = [free_port(), free_port()]

    def started(self, *words):
        process = start(*words)
        for action in (process.stderr.close, process.stdout.close, process.wait, process.kill):
            self.addCleanup(action)
        return process

    def arguments(self, *more):
        return ("generate-proof", "relay", "--listen", f"127.0.0.1:{self.ports[0]}", "--status", f"127.0.0.1:{self.ports[1]}", "--proof-hash", HASH,
                "--utid", "UTID:a", *more)

    def ask(self, port, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", None if body is None else json.dumps(body).encode(), {"Content-Type": "application/json"})
        for _ in range(200):
            try:
                with urllib.request.urlopen(request, timeout=20) as reply:
                    return reply.status, json.load(reply)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, json.load(error)
            except urllib.error.URLError:
                time.sleep(0.05)  # it does not listen yet
        self.fail("the relay does not listen")

    def test_it_says_that_the_service_denies_its_key_and_nothing_of_the_key(self):
        (self.folder / "key").write_text("the-key")
        (self.folder / "wrong").write_text("another-key")
        service = self.started("proof-service", "--listen", "127.0.0.1:0", "--database", self.folder / "db", "--api-key-file", self.folder / "key")
        url = json.loads(service.stdout.readline())["url"]
        self.started(*self.arguments("--proof-service", url, "--proof-api-key-file", self.folder / "wrong"))
        self.assertEqual((200, {"failure": None}), self.ask(self.ports[1], "/failure"))
        self.assertGreaterEqual(self.ask(self.ports[0], "/v1/proofs/generate", ASKED)[0], 400)
        failure = self.ask(self.ports[1], "/failure")[1]["failure"]
        self.assertEqual("denied", failure["kind"])
        self.assertNotIn("another-key", json.dumps(failure))
        self.assertEqual((200, 404), tuple(self.ask(self.ports[1], path)[0] for path in ("/readyz", "/v1/proofs/generate")))

    def test_a_service_over_plain_http_only_where_it_is_named(self):
        service = self.started("proof-service", "--listen", "127.0.0.1:0", "--database", self.folder / "db")
        host = "0.0.0.0:" + json.loads(service.stdout.readline())["url"].rstrip("/").rpartition(":")[2]  # leads here, yet is no loopback address
        refused = self.started(*self.arguments("--proof-service", f"http://{host}"))
        self.assertEqual(503, self.ask(self.ports[0], "/v1/proofs/generate", ASKED)[0])
        self.assertIn("plain http", self.ask(self.ports[1], "/failure")[1]["failure"]["message"])
        refused.terminate()
        refused.wait(20)
        named = self.started(*self.arguments("--proof-service", f"http://{host}", "--insecure-proof-service", f"other.invalid,{host}"))
        self.ask(self.ports[1], "/readyz")
        self.ask(self.ports[0], "/v1/proofs/generate", ASKED)
        self.assertIn("Invalid UTID", self.ask(self.ports[1], "/failure")[1]["failure"]["message"], "the service itself has answered")
        named.terminate()
        named.wait(20)
        self.assertIn("plain http", named.stderr.read())

    def test_without_a_service_it_tells_of_the_proof_that_was_made(self):
        self.started(*self.arguments("--proof-id", "proof_0123abcd"))
        self.assertEqual("proof_0123abcd", self.ask(self.ports[0], "/v1/proofs/generate", ASKED)[1]["proof_id"])

    def test_beside_a_service_it_tells_of_the_proof_that_was_made_and_asks_for_no_other(self):
        self.started(*self.arguments("--proof-service", "http://127.0.0.1:1", "--proof-id", "proof_0123abcd"))
        self.assertEqual("proof_0123abcd", self.ask(self.ports[0], "/v1/proofs/generate", ASKED)[1]["proof_id"])

    def test_one_that_leads_nowhere_is_refused(self):
        self.assertEqual((2, 2), tuple(run(*self.arguments(*more)).code for more in ((), ("--proof-id", "x"))))


if __name__ == "__main__":
    unittest.main()
