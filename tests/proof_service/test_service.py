"""capsule-proof-service as a process: durability, floods, many clients, its end."""
import concurrent.futures
import contextlib
import http.client
import json
import signal
import sqlite3
import stat
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path
from urllib.parse import urlsplit

from steps import BIN, environment, run, start

GENERATE = {"title": "t", "requester": {"name": "r"}, "artifacts": [], "proof_types": ["mathematical_proof"]}


class Server:
    def __init__(self, database, *arguments, env=None):
        self.process = start("proof-service", "--listen", "127.0.0.1:0", "--database", database, *arguments, env=env)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.stderr.read())
        self.address = urlsplit(json.loads(line)["url"])
        self.utid = None

    def ask(self, method, path, body=None, **headers):
        """(status, reply, headers)"""
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=60)
        if self.utid:
            headers.setdefault("X-UTID", self.utid)
        text = None if body is None else json.dumps(body)
        connection.request(method, path, body=text, headers=headers)
        response = connection.getresponse()
        raw = response.read()
        connection.close()
        return response.status, json.loads(raw) if raw else None, response.headers

    def login(self):
        self.utid = self.ask("POST", "/v1/utid/generate", {})[1]["utid"]
        return self

    def kill(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.communicate(timeout=10)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *args):
        if self.process.poll() is None:
            self.kill()
        self.process.stdout.close()
        self.process.stderr.close()


class ProofService(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.database = self.folder / "state" / "proofs.db"

    def test_the_first_line_names_the_url_and_the_routes_answer(self):
        with Server(self.database) as server:
            self.assertEqual(server.address.hostname, "127.0.0.1")
            self.assertEqual(server.ask("GET", "/v1/proofs/")[:2], (403, {"detail": "Missing X-UTID header"}))
            server.login()
            status, made, _ = server.ask("POST", "/v1/proofs/generate", {**GENERATE, "proof_hash": "sha256:1"})
            self.assertEqual((status, made["status"], made["proof_hash"]), (200, "queued", "sha256:1"))
            self.assertRegex(made["proof_id"], "^proof_[0-9a-f]{8}$")
            status, shown, _ = server.ask("GET", "/v1/proofs/" + made["proof_id"])
            self.assertEqual(set(shown), {"proof_id", "status", "hash", "anchors", "evidence", "signed_by", "signature",
                                          "utid", "domain"})
            self.assertEqual(len(server.ask("GET", "/v1/proofs")[1]), 1)
            self.assertEqual(server.ask("POST", "/v1/proofs/generate", {**GENERATE, "requester": {"n": 1}})[0], 422)
            self.assertEqual(server.ask("GET", "/nowhere")[0], 404)

    def test_the_secrets_are_private_and_survive(self):
        with Server(self.database) as server:
            server.login()
            utid = server.utid
        secrets = Path(f"{self.database}.secrets.json")
        self.assertEqual(stat.S_IMODE(secrets.stat().st_mode), 0o600)
        with Server(self.database) as server:
            self.assertEqual(server.ask("GET", "/v1/proofs/", **{"X-UTID": utid})[0], 200)
        with Server(self.database, env=environment(UTID_SECRET="another")) as server:
            self.assertEqual(server.ask("GET", "/v1/proofs/", **{"X-UTID": utid})[:2], (403, {"detail": "Invalid UTID"}))

    def test_an_api_key(self):
        key = self.folder / "key"
        key.write_text("k3y\n")
        with Server(self.database, "--api-key-file", key) as server:
            self.assertEqual(server.ask("POST", "/v1/utid/generate", {})[0], 401)
            self.assertEqual(server.ask("POST", "/v1/utid/generate", {}, **{"X-API-Key": "k3y"})[0], 200)
            server.kill(signal.SIGTERM)

    def test_what_was_answered_survives_kill_9(self):
        answered = []
        for round_number in range(4):
            with Server(self.database) as server:
                server.login()
                killer = threading.Timer(0.1 + 0.1 * round_number, server.process.kill)
                killer.start()
                try:
                    while True:
                        hash_ = f"sha256:{round_number}-{len(answered)}"
                        status, made, _ = server.ask("POST", "/v1/proofs/generate", {**GENERATE, "proof_hash": hash_})
                        if status == 200:
                            answered.append((made["proof_id"], hash_))
                except (OSError, http.client.HTTPException):
                    pass
                killer.join()
        self.assertGreater(len(answered), 10)
        with Server(self.database, "--rate", "100000") as server:
            server.login()
            for proof_id, hash_ in answered:
                status, shown, _ = server.ask("GET", "/v1/proofs/" + proof_id)
                self.assertEqual((status, shown["hash"]), (200, hash_))
        with sqlite3.connect(self.database) as database:
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchone(), ("ok",))

    def test_two_hundred_clients_at_once(self):
        with Server(self.database, "--rate", "100000") as server:
            server.login()
            barrier = threading.Barrier(200)

            def client(number):
                barrier.wait()
                status, made, _ = server.ask("POST", "/v1/proofs/generate", {**GENERATE, "proof_hash": f"h{number}"})
                self.assertEqual(status, 200)
                status, shown, _ = server.ask("GET", "/v1/proofs/" + made["proof_id"])
                self.assertEqual((status, shown["hash"]), (200, f"h{number}"))
                return made["proof_id"]

            with concurrent.futures.ThreadPoolExecutor(200) as pool:
                ids = list(pool.map(client, range(200)))
            self.assertEqual(len(set(ids)), 200)

    def test_a_flood_is_told_when_to_come_again(self):
        with Server(self.database, "--rate", "5") as server:
            server.login()
            statuses = []
            for _ in range(30):
                status, _, headers = server.ask("GET", "/v1/proofs/")
                statuses.append(status)
                if status == 429:
                    self.assertGreaterEqual(int(headers["Retry-After"]), 1)
            self.assertEqual(set(statuses), {200, 429})
            time.sleep(1.1)
            self.assertEqual(server.ask("GET", "/v1/proofs/")[0], 200)

    def test_it_ends_on_sigterm_at_once_where_nothing_is_asked(self):
        with Server(self.database) as server:
            server.login()
            idle = http.client.HTTPConnection(server.address.hostname, server.address.port)
            idle.connect()
            began = time.monotonic()
            self.assertEqual(server.kill(signal.SIGTERM), 0)
            self.assertLess(time.monotonic() - began, 1)
            idle.close()

    def test_sigterm_waits_for_what_was_asked_and_a_second_one_does_not(self):
        for signals, code, answered in ((1, 0, True), (2, -signal.SIGTERM, False)):
            with self.subTest(signals), Server(self.database) as server:
                server.login()
                # A writer that holds the database makes the service wait for it.
                with contextlib.closing(sqlite3.connect(self.database, isolation_level=None)) as other:
                    other.execute("BEGIN IMMEDIATE")
                    with concurrent.futures.ThreadPoolExecutor(1) as pool:
                        asked = pool.submit(server.ask, "POST", "/v1/proofs/generate", GENERATE)
                        time.sleep(0.5)
                        for _ in range(signals):
                            server.process.terminate()
                            time.sleep(0.5)
                        self.assertEqual(server.process.poll(), None if answered else code)
                        other.execute("ROLLBACK")
                        if answered:
                            self.assertEqual(asked.result(timeout=20)[0], 200)
                        else:
                            self.assertIsNotNone(asked.exception(timeout=20))
                self.assertEqual(server.process.wait(timeout=5), code)

    def test_an_oversized_body(self):
        with Server(self.database) as server:
            server.login()
            connection = http.client.HTTPConnection(server.address.hostname, server.address.port, timeout=10)
            connection.request("POST", "/v1/proofs/generate", headers={"Content-Length": str(1 << 30)})
            self.assertEqual(connection.getresponse().status, 413)
            connection.close()
            status, reply, _ = server.ask("POST", "/v1/proofs/generate", {**GENERATE, "title": "x" * 3_000_000})
            self.assertEqual(status, 413, reply)

    def test_what_cannot_be_started_says_why(self):
        with Server(self.database) as server:
            taken = run("proof-service", "--listen", f"127.0.0.1:{server.address.port}", "--database",
                        self.folder / "other.db")
            self.assertEqual(taken.code, 40, taken)
        for arguments in (["--listen", "127.0.0.1:0"], ["--listen", "here", "--database", self.database],
                          ["--listen", "8.8.8.8:1", "--database", self.database],
                          ["--database", self.database, "--rate", "0"]):
            with self.subTest(arguments):
                self.assertEqual(run("proof-service", *arguments).code, 2)
        text = self.folder / "text"
        text.write_text("x" * 5000)
        self.assertEqual(run("proof-service", "--database", text).code, 10)

    def test_a_database_of_an_older_version_is_taken_over(self):
        """Version 1 had no table of anchors and no owners; what stands in it is found as before."""
        with Server(self.database) as server:
            server.login()
            asked = {**GENERATE, "anchors": [{"chain": "local", "tx": "0x1"}, {"chain": "local", "tx": "0x2"}]}
            made, utid = server.ask("POST", "/v1/proofs/generate", asked)[1]["proof_id"], server.utid
            server.kill(signal.SIGTERM)
        with sqlite3.connect(self.database) as database:
            database.executescript("DROP TRIGGER anchors_made; DROP TRIGGER anchors_changed; DROP TABLE anchored; "
                                   "DROP INDEX proofs_by_state; DROP INDEX proofs_by_domain; ALTER TABLE proofs DROP COLUMN owner; PRAGMA user_version = 1;")
        with Server(self.database) as server:
            server.login()
            for query, count in (("anchor_chain=local", 1), ("anchor_tx=0x2", 1), ("anchor_chain=local&anchor_tx=0x1", 1), ("anchor_tx=0x3", 0),
                                 ("status=queued", 1), ("status=queued&anchor_chain=eth", 0)):
                self.assertEqual([proof["proof_id"] for proof in server.ask("GET", f"/v1/proofs/?{query}")[1]], [made] * count, query)
            change = {"status": "processing", "anchors": [{"chain": "eth", "tx": "0x3"}]}
            self.assertEqual(server.ask("POST", f"/v1/proofs/{made}/status", change)[0], 403)
            server.utid = utid
            self.assertEqual(server.ask("POST", f"/v1/proofs/{made}/status", change)[0], 200)
            self.assertEqual(server.ask("GET", "/v1/proofs/?anchor_chain=local")[1], [])
            self.assertEqual(len(server.ask("GET", "/v1/proofs/?anchor_chain=eth&anchor_tx=0x3")[1]), 1)

    def test_two_processes_on_one_database(self):
        with Server(self.database) as one, Server(self.database) as two:
            one.login()
            two.utid = one.utid
            made = [server.ask("POST", "/v1/proofs/generate", GENERATE)[1]["proof_id"] for server in (one, two) * 20]
            self.assertEqual(len(set(made)), 40)
            self.assertEqual(len(one.ask("GET", "/v1/proofs/?limit=200")[1]), 40)

    def test_no_secret_in_output_or_command_line(self):
        with Server(self.database, env=environment(UTID_SECRET="v3ry-s3cret")) as server:
            server.login()
            server.ask("GET", "/v1/proofs/", **{"X-UTID": "UTID:REAL:bad"})
            cmdline = Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
            server.process.terminate()
            out, err = server.process.communicate(timeout=10)
        for text in (cmdline.decode(), out, err):
            self.assertNotIn("v3ry-s3cret", text)

    def test_version_is_quick(self):
        done = subprocess.run([BIN / "capsule-proof-service", "--version"], env=environment(), capture_output=True,
                              text=True, check=True)
        self.assertIn("capsule-proof-service", done.stdout)


if __name__ == "__main__":
    unittest.main()
