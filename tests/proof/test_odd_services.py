"""generate-proof against services that are slow, silent, or answer what is no answer; against a disk that a hook fills."""
import os
import subprocess
import sys
import threading
import time
import unittest

from proof_maker import hook
from test_generate_proof import Case

STEPS = ("/v1/utid/generate", "/v1/proofs/generate", "/status", "/v1/proofs/verify")


def response(status, body, content_type="application/json", length=None):
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {size}\r\n\r\n".encode() + body


class OddServices(Case):
    def setUp(self):
        super().setUp()
        self.reference, self.record = self.maker.publish(hook()), self.maker.record()

    def recovers(self, before=0):
        """Once the service is itself again, the next try ends as if nothing had been."""
        self.platform.instead = self.platform.before_answer = None
        done = self.prove(self.reference, self.record)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(len(self.maker.bundles()), before + 1)

    def test_slow(self):
        self.platform.before_answer = lambda *_: time.sleep(0.5)
        done = self.prove(self.reference, self.record)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(self.platform.count("POST", "/v1/proofs/generate"), 1)

    def test_silent(self):
        """It takes what it is asked and never answers: a limit of ours ends the wait, and a retry can help."""
        ended = threading.Event()
        self.addCleanup(ended.set)
        self.platform.before_answer = lambda _, path: ended.wait(300) if path.endswith("/status") else None
        began = time.monotonic()
        done = self.maker.prove(self.reference, self.record, "--proof-service", self.platform.url, timeout=300)
        self.refused(done, 41, "127.0.0.1")
        self.assertLess(time.monotonic() - began, 150)
        ended.set()
        self.recovers()
        self.assertEqual(len(self.platform.proofs), 1)

    def test_answers_that_are_none(self):
        number = proven = 0
        page = b"<html><body>502 Bad Gateway</body></html>"
        for name, raw, codes in (("a page of HTML", response(200, page, "text/html"), (10,)),
                                 ("nothing", response(200, b""), (10,)),
                                 ("a list", response(200, b"[]"), (10,)),
                                 ("members of other types", response(200, b'{"utid": 1, "proof_id": [], "status": {}, "hash": 7, "valid": "yes"}'), (10, 11)),
                                 ("a doubled member", response(200, b'{"valid": true, "valid": true, "utid": "a", "utid": "b"}'), (10,)),
                                 ("nested without end", response(200, b"[" * 100_000), (10,)),
                                 ("half of an answer", response(200, b'{"utid"', length=1000), (40,)),
                                 ("a gigabyte", response(200, b"x" * (8 << 20), length=1 << 30), (10, 40)),
                                 ("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n", (10, 40)),
                                 ("an error", response(500, page, "text/html"), (40,)),
                                 ("a teapot", response(418, b"{}"), (10,))):
            for step in STEPS:
                with self.subTest(f"{name} from {step}"):
                    number += 1
                    self.platform.instead = lambda _, path, step=step, raw=raw: raw if path.endswith(step) else None
                    done = self.prove(self.reference, self.maker.record(run_id=f"{number:016x}"))
                    if step == "/status" and done.code == 0:  # what it answers to that is nothing that anybody relies on
                        proven += 1
                        self.assertIn(b" 200 ", raw)
                        continue
                    # What is whole goes through the relay as it is: then it is the hook that fails.
                    whole = step == "/v1/proofs/generate" and 10 in codes
                    self.assertIn(done.code, (*codes, 16) if whole else codes, done)
                    self.assertEqual(done.stdout, "")
                    self.assertEqual(len([line for line in done.stderr.splitlines() if ": error: " in line]), 1, done)
                    self.assertLess(len(done.stderr), 4096)
                    self.assertEqual(len(self.maker.bundles()), proven)
        self.recovers(proven)

    def test_a_utid_that_the_service_does_not_take(self):
        detail = b'{"detail": "Invalid UTID"}'
        self.platform.instead = lambda _, path: None if path.endswith("/utid/generate") else response(403, detail)
        self.refused(self.prove(self.reference, self.record), 13, "403")
        self.recovers()

    def test_valid_is_no_proof(self):
        """The platform says valid to everything; a verdict of `false` is believed."""
        no = response(200, b'{"status": "verified", "valid": false, "verifier": "v", "proof_id": "proof_00000000", "anchors": [], '
                           b'"proof_score": 0, "proof_hash": "x"}')
        self.platform.instead = lambda _, path: no if path.endswith("/verify") else None
        self.refused(self.prove(self.reference, self.record), 11, "answers about proof_00000000")
        self.platform.instead = None
        lies = self.maker.publish(hook(after="evidence[0]['certificates'][0]['tree'] = '.'"), version="1.0.1")
        self.refused(self.prove(lies, self.maker.record()), 11, "'near-optimal' does not hold")

    def test_what_the_live_platform_dislikes_is_never_sent(self):
        self.assertEqual(self.prove(self.reference, self.record).code, 0)
        for _, path, headers, _ in self.platform.requests:
            self.assertNotIn("x-energy-j", {name.lower() for name in headers})
            self.assertNotRegex(path, "unsafe|overheat")
            self.assertFalse(path.endswith("/verify") and path != "/v1/proofs/verify", "verify_endpoint does not exist")
            self.assertNotEqual(path, "/v1/proofs", "that is a redirect")


@unittest.skipUnless(os.geteuid() == 0, "only root can mount a small disk")
class FullDisk(Case):
    def test_a_hook_that_fills_the_disk(self):
        """The state folder is a disk of its own: the hook fails, the disk is free again, and the next capsule is proven."""
        self.maker.state.mkdir(exist_ok=True)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "tmpfs", self.maker.state], capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"this root cannot mount a small disk: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", self.maker.state], check=True)
        fill = '''out = os.environ["CAPSULE_OUT"]
for number in range(10_000):
    with open(os.path.join(out, f"junk-{number}"), "wb") as file:
        for _ in range(16):
            file.write(bytes(1 << 20))
'''
        reference = self.maker.publish(hook(before=fill))
        done = self.prove(reference, self.maker.record())
        self.refused(done, 16, "No space left|the disk that it writes to is nearly full")
        self.assertEqual([path for path in (self.maker.state / "proofs").iterdir() if path.is_dir()], [])
        free = os.statvfs(self.maker.state)
        self.assertGreater(free.f_bavail * free.f_frsize, 60 << 20)
        good = self.maker.publish(hook(), version="1.0.1")
        self.assertEqual(self.prove(good, self.maker.record()).code, 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
