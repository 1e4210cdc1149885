"""generate-proof against a service that behaves as today's platform does, and worse; killed at any moment."""
import signal
import threading
import time
import unittest

from fake_platform import UTID, FakePlatform
from kills import KILLS, chance, kill_after
from proof_maker import hook
from test_generate_proof import Case


class Platform(Case):
    def setUp(self):
        super().setUp()
        self.reference = self.maker.publish(hook())
        self.record = self.maker.record()

    def test_under_a_path_with_a_key(self):
        with FakePlatform(prefix="/dac", api_key="secret-4713") as platform:
            key = self.maker.folder / "key.txt"
            key.write_text("secret-4713")
            for arguments in ((), ("--proof-api-key-file", self.maker.folder / "missing")):
                done = self.maker.prove(self.reference, self.record, "--proof-service", platform.url, *arguments)
                self.refused(done, 13, "401")
            done = self.maker.prove(self.reference, self.record, "--proof-service", platform.url + "/", "--proof-api-key-file", key)
            self.assertEqual(done.code, 0, done)

    def test_busy_for_a_while(self):
        self.platform.refusals = [(429, {"Retry-After": "1"}), (503, {})]
        began = time.monotonic()
        done = self.prove(self.reference, self.record)
        self.assertEqual(done.code, 0, done)
        self.assertGreater(time.monotonic() - began, 1)

    def test_busy_for_longer_is_left_to_a_retry(self):
        self.platform.refusals = [(429, {"Retry-After": "3600"})]
        self.refused(self.prove(self.reference, self.record), 40, "429")
        self.assertEqual(self.prove(self.reference, self.record).code, 0)

    def test_away(self):
        url = self.platform.url
        self.platform.__exit__()
        self.platform = FakePlatform()
        self.addCleanup(lambda: None)
        self.platform.__enter__()
        self.refused(self.maker.prove(self.reference, self.record, "--proof-service", url, timeout=120), 40, "127.0.0.1")

    def test_a_url_that_the_platform_dislikes(self):
        self.refused(self.maker.prove(self.reference, self.record, "--proof-service", self.platform.url + "/unsafe"), 10, "400")
        self.refused(self.maker.prove(self.reference, self.record, "--proof-service", self.platform.url + "/overheat"), 40, "429")

    def test_a_proof_that_stays_queued_ends_at_a_limit_of_ours(self):
        self.platform.verify_works = False
        done = self.prove(self.reference, self.record, "--service-time", "2s")
        self.refused(done, 41, "is still 'processing' at the proof service after 2 s")
        # The next try goes on where this one was: the hook is not run again.
        self.platform.verify_works = True
        done = self.prove(self.reference, self.record)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(self.platform.count("POST", "/v1/proofs/generate"), 1)
        self.assertEqual(self.platform.count("POST", "/v1/utid/generate"), 1)

    def test_another_service_begins_anew(self):
        self.platform.verify_works = False
        self.assertEqual(self.prove(self.reference, self.record, "--service-time", "1s").code, 41)
        with FakePlatform() as other:
            done = self.maker.prove(self.reference, self.record, "--proof-service", other.url)
            self.assertEqual(done.code, 0, done)
            self.assertEqual(len(other.proofs), 1)

    def test_a_service_that_forgets(self):
        self.platform.verify_works = False
        self.assertEqual(self.prove(self.reference, self.record, "--service-time", "1s").code, 41)
        self.platform.verify_works = True
        self.platform.proofs.clear()
        done = self.prove(self.reference, self.record)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(self.platform.count("POST", "/v1/proofs/generate"), 2)

    def test_a_remembered_proof_that_somebody_changed_is_checked_again(self):
        self.platform.verify_works = False
        self.assertEqual(self.prove(self.reference, self.record, "--service-time", "1s").code, 41)
        (memory,) = (self.maker.state / "proofs").glob("*.json")
        self.platform.verify_works = True
        memory.write_text(memory.read_text().replace('"sim_alignment"', '"other"'))
        self.assertEqual(self.prove(self.reference, self.record).code, 11)
        memory.write_text("{")
        self.assertEqual(self.prove(self.reference, self.record).code, 0)

    def test_two_at_once_make_one_proof(self):
        both = [self.maker.start_proving(self.reference, self.record, "--proof-service", self.platform.url) for _ in range(2)]
        ends = [(process.communicate(timeout=120), process.returncode) for process in both]
        self.assertEqual([code for _, code in ends], [0, 0], ends)
        self.assertEqual(len(self.maker.bundles()), 1)
        self.assertEqual(len(self.platform.proofs), 1)

    def test_two_runs_at_once_share_the_database_of_our_own_service(self):
        records = [self.maker.record(run_id=f"{number:016x}") for number in range(2)]
        both = [self.maker.start_proving(self.reference, record) for record in records]
        ends = [(process.communicate(timeout=120), process.returncode) for process in both]
        self.assertEqual([code for _, code in ends], [0, 0], ends)
        self.assertEqual(len(self.maker.bundles()), 2)

    def test_the_signal_to_end_ends_it_within_a_second(self):
        asked = threading.Event()
        self.platform.before_answer = lambda _, path: (asked.set(), time.sleep(3)) if path.endswith("/generate") else None
        process = self.maker.start_proving(self.reference, self.record, "--proof-service", self.platform.url)
        self.assertTrue(asked.wait(30))
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        process.communicate(timeout=10)
        self.assertEqual(process.returncode, -signal.SIGTERM)
        self.assertLess(time.monotonic() - began, 1.5)
        self.assertEqual(list((self.maker.state / "proofs").glob(".tmp-*")), [])


class Killed(Case):
    def test_killed_at_random_moments_it_ends_the_same(self):
        """Also with our own service, whose database lives through it."""
        reference = self.maker.publish(hook())
        draw = chance("generate-proof", 4714)
        for service in (["--proof-service", self.platform.url], []):
            record = self.maker.record(run_id=f"{len(service):016x}")
            began = time.monotonic()
            self.assertEqual(self.maker.prove(reference, self.maker.record(run_id=f"f{len(service):015x}"), *service).code, 0)
            whole = time.monotonic() - began
            before = len(self.maker.bundles())
            for _ in range(KILLS):
                process = self.maker.start_proving(reference, record, *service)
                kill_after(process, draw.uniform(0, whole))
            done = self.maker.prove(reference, record, *service)
            self.assertEqual(done.code, 0, done)
            self.assertEqual(len(self.maker.bundles()), before + 1)
            self.assertEqual(list((self.maker.state / "proofs").glob("*.json")), [])
            self.assertEqual(list((self.maker.state / "proofs").glob(".tmp-*")), [])
        hashes = [proof["utid"] for proof in self.platform.proofs.values()]
        self.assertEqual(len(hashes), 2, "one proof for each of the two runs")
        self.assertEqual(set(hashes), {UTID})


if __name__ == "__main__":
    unittest.main()
