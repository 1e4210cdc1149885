"""Proof hooks that misbehave: they are a capsule's code, signed but not trusted."""
import os
import time
import unittest
from pathlib import Path

from proof_maker import hook
from steps import environment
from test_generate_proof import Case

API_KEY = "k-7Hq2sV9w"


def processes_with(word):
    """The command lines of all living processes that hold `word`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (OSError, ValueError):
            continue
        if entry.name.isdigit() and int(entry.name) != os.getpid() and word in line:
            found.append(line)
    return found


class Hooks(Case):
    def outcome(self, text, *more):
        self.published = getattr(self, "published", 0) + 1
        reference = self.maker.publish(text, version=f"1.0.{self.published}")
        return self.prove(reference, self.maker.record(), *more)

    def test_a_hook_that_fails_says_why(self):
        self.refused(self.outcome(hook(before="sys.exit('no \x1b[31mluck')")), 16, r"exit code 1: no \\x1b\[31mluck")
        self.refused(self.outcome(hook(before="os.kill(os.getpid(), 11)")), 16, "signal 11")

    def test_a_hook_that_never_ends(self):
        began = time.monotonic()
        done = self.outcome(hook(before="import time; time.sleep(600)"), "--hook-time", "1s")
        self.refused(done, 41, "time limit")
        self.assertLess(time.monotonic() - began, 15)

    def test_a_hook_that_ignores_being_told_to_end(self):
        done = self.outcome(hook(before="import signal, time\nfor s in (1, 2, 3, 15): signal.signal(s, signal.SIG_IGN)\n"
                                        "time.sleep(600)"), "--hook-time", "1s")
        self.refused(done, 41, "time limit")

    def test_a_hook_that_prints_a_gigabyte(self):
        for stream in ("stdout", "stderr"):
            with self.subTest(stream):
                done = self.outcome(hook(before=f"for _ in range(1024): sys.{stream}.write('x' * (1 << 20))"))
                self.assertEqual(done.code, 16, done.stderr[-300:])
                self.assertLess(len(done.stderr), 8 << 20)
                self.assertEqual(self.maker.bundles(), [])

    def test_nothing_that_a_hook_starts_survives_it(self):
        mark = "left-behind-4711"
        spawn = (f"import subprocess\nfor _ in range(3): subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', '{mark}'],"
                 " start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)")
        self.assertEqual(self.outcome(hook(before=spawn)).code, 0)
        self.assertEqual(processes_with(mark), [])

    def test_a_fork_bomb_is_contained(self):
        bomb = ("import time\nend = time.time() + 0.7\nwhile time.time() < end:\n  try:\n    os.fork()\n  except OSError:\n    time.sleep(0.1)\n"
                "os._exit(1)  # bomb-4712")
        done = self.outcome(hook(before=bomb), "--hook-time", "10s")
        self.assertIn(done.code, (16, 41), done.stderr[-500:])
        self.assertEqual(self.maker.bundles(), [])

    def test_an_answer_that_is_none(self):
        write = "open(os.path.join(out, 'proof.json'), 'w').write({!r}); sys.exit(0)"
        for number, (name, code) in enumerate({
                "nothing": "sys.exit(0)",
                "no JSON": write.format("{"),
                "no object": write.format("[]"),
                "no evidence": write.format('{"proof_id": "proof_00000000"}'),
                "a doubled key": write.format('{"proof_id": "a", "proof_id": "b", "evidence": []}'),
                "a link": "os.symlink('/etc/passwd', os.path.join(out, 'proof.json')); sys.exit(0)",
                "a FIFO": "os.mkfifo(os.path.join(out, 'proof.json')); sys.exit(0)",
                "a folder": "os.mkdir(os.path.join(out, 'proof.json')); sys.exit(0)",
                "a gigabyte": "open(os.path.join(out, 'proof.json'), 'w').truncate(1 << 30); sys.exit(0)",
                "depth": write.format('{"proof_id": "proof_00000000", "evidence": ' + "[" * 400 + "]" * 400 + "}"),
        }.items()):
            with self.subTest(name):
                reference = self.maker.publish(hook(before="out = os.environ['CAPSULE_OUT']\n" + code), version=f"1.1.{number}")
                self.refused(self.prove(reference, self.maker.record()), 16, "left no good proof.json|failed, ")

    def test_a_proof_id_that_is_not_of_this_run(self):
        others = self.platform.add("sha256:" + "f" * 64)
        for number, (proof_id, words) in enumerate((("proof_deadbeef", "does not know it"), (others, "it stands for sha256:ffff"),
                                                    ("../../etc", "is not good"), ("", "is not good"))):
            with self.subTest(proof_id):
                text = hook(answer=f"answer['proof_id'] = {proof_id!r}")
                reference = self.maker.publish(text, version=f"1.2.{number}")
                self.refused(self.prove(reference, self.maker.record()), 11, words)

    def test_the_only_way_out(self):
        """What a hook can reach by its relay: a proof for this run, and nothing else; the API key is not to be seen."""
        probe = '''
import urllib.error
seen = {}
def ask(name, method, path, body=None):
    request = urllib.request.Request(os.environ["PROOF_SERVICE_URL"].rstrip("/") + path, body, {"X-UTID": "x"}, method=method)
    try:
        reply = urllib.request.urlopen(request, timeout=10)
        seen[name] = [reply.status, reply.read().decode()]
    except urllib.error.HTTPError as error:
        seen[name] = [error.code, error.read().decode()]
ask("list", "GET", "/v1/proofs/")
ask("verify", "POST", "/v1/proofs/verify", b'{"proof_hash": "x", "verifier": "y"}')
ask("status", "POST", "/v1/proofs/proof_00000000/status", b'{"status": "verified"}')
ask("foreign", "POST", "/v1/proofs/generate", b'{"proof_hash": "sha256:00"}')
ask("hashless", "POST", "/v1/proofs/generate", b'{}')
ask("no json", "POST", "/v1/proofs/generate", b'{')
ask("elsewhere", "POST", "/v1/proofs/generate/../verify", b'{}')
ask("utid", "POST", "/v1/utid/generate", b'{}')
for name, reply in sorted(seen.items()):
    print("SEEN", name, reply[0], file=sys.stderr)
for name, value in os.environ.items():
    print("HAS", name, value, file=sys.stderr)
'''
        self.platform.api_key = API_KEY
        key_file = self.maker.folder / "api-key"
        key_file.write_text(API_KEY + "\n")
        done = self.outcome(hook(before=probe), "--proof-api-key-file", key_file)
        self.assertEqual(done.code, 0, done)
        seen = dict(line.split("SEEN ")[1].rsplit(" ", 1) for line in done.stderr.splitlines() if "SEEN " in line)
        self.assertEqual(seen, {"list": "403", "verify": "403", "status": "403", "foreign": "403", "hashless": "403",
                                "no json": "422", "elsewhere": "403", "utid": "200"})
        self.assertNotIn(API_KEY, done.stderr + done.stdout)
        for _, path, headers, _ in self.platform.requests:
            self.assertEqual(headers.get("X-API-Key"), API_KEY, path)
        paths = [(method, path) for method, path, _, _ in self.platform.requests]
        self.assertEqual(paths.count(("POST", "/v1/proofs/verify")), 1)
        self.assertEqual(paths.count(("POST", "/v1/proofs/generate")), 1)
        self.assertNotIn(("POST", "/v1/proofs/proof_00000000/status"), paths)

    def test_the_network_is_a_loopback_with_the_relay_alone(self):
        probe = f"""
import socket
def reach(name, family, kind, address):
    try:
        with socket.socket(family, kind) as s:
            s.settimeout(3)
            s.connect(address)
            print("REACHED", name, file=sys.stderr)
    except OSError as error:
        print("NOT", name, error, file=sys.stderr)
reach("the service itself", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", {self.platform.server.server_port}))
reach("the internet", socket.AF_INET, socket.SOCK_STREAM, ("192.0.2.1", 80))
reach("a name server", socket.AF_INET, socket.SOCK_DGRAM, ("192.0.2.1", 53))
for path in ({str(self.maker.proof_key)!r}, {str(self.maker.state)!r}, "/etc/shadow", "/root"):
    try:
        print("READ", path, len(os.listdir(path) if os.path.isdir(path) else open(path).read()), file=sys.stderr)
    except OSError:
        pass
for path in (root + "/new", "/tmp/new-4715", os.environ["CAPSULE_RUN_RECORD"]):
    try:
        open(path, "w").write("x")
        print("WROTE", path, file=sys.stderr)
    except OSError:
        pass
print("INTERFACES", *(line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line), file=sys.stderr)
"""
        done = self.outcome(hook(before='root = os.environ["CAPSULE_ROOT"]\n' + probe))
        self.assertEqual(done.code, 0, done)
        for word in ("REACHED", "READ", "WROTE", "warning"):
            self.assertNotIn(word, done.stderr)
        self.assertRegex(done.stderr, r"INTERFACES lo\n")
        self.assertEqual(done.stderr.count("NOT "), 3)

    def test_what_a_hook_asks_twice_it_is_given_once(self):
        twice = "answer['proof_id'] = post('/v1/proofs/generate', asked)['proof_id']"
        done = self.outcome(hook(answer=twice))
        self.assertEqual(done.code, 0, done)
        self.assertEqual(self.platform.count("POST", "/v1/proofs/generate"), 1)

    def test_its_environment_is_chosen(self):
        reference = self.maker.publish(hook(before="print('ENV ' + ' '.join(sorted(os.environ)), file=sys.stderr)"))
        done = self.maker.prove(reference, self.maker.record(), "--proof-service", self.platform.url,
                                env=environment(AWS_SECRET_ACCESS_KEY="s3cr3t", CAPSULE_PASSPHRASE="pass",
                                                CAPSULE_PKCS11_PIN="1234"))
        self.assertEqual(done.code, 0, done)
        line = next(line for line in done.stderr.splitlines() if "ENV " in line)
        self.assertNotIn("AWS", line)
        self.assertNotIn("PASSPHRASE", line)
        self.assertNotIn("PKCS11", line)
        for name in ("CAPSULE_ROOT", "CAPSULE_RUN_RECORD", "CAPSULE_OUT", "PROOF_SERVICE_URL", "CAPSULE_UTID", "CAPSULE_PROOF_HASH",
                     "CAPSULE_CLAIMS_DIGEST"):
            self.assertIn(name, line)


if __name__ == "__main__":
    unittest.main()
