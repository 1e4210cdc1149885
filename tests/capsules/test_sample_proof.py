"""The sample capsule's proof hook: its statistics, its certificates, its call to the service, and what it leaves behind."""

from __future__ import annotations

import copy
import http.server
import json
import random
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any

from sample_copy import copied_capsule, execute, run_capsule

import alignment
from canonical import canonical, digest
from expressions import Claims, ExpressionError, Variable, compile_points, load_claims, with_record
from generate_proof import mathematical_proof
from intervals import Undecided, compile_intervals
from prover import ClaimFails, prove_forall
from service import ServiceError, _wait, generate


def series(count: int, factor: int, modulus: int) -> list[float]:
    return [round((index * factor) % modulus / modulus * 10, 3) for index in range(count)]


class Statistics(unittest.TestCase):
    # Two sample sets, then D and p of scipy 1.16 ks_2samp(method="exact"), then Cohen's d with numpy.
    VECTORS = (
        ([1, 2, 3, 4, 5], [3, 4, 5, 6, 7], 0.4, 0.873015873015873, -1.2649110640673518),
        ([0.1, 0.4, 0.7], [0.2, 0.2, 0.9, 1.5], 0.5, 0.6571428571428571, -0.5752237416355277),
        ([1, 1, 2, 2, 3], [2, 2, 3, 3, 3, 4, 4], 0.5142857142857142, 0.3282828282828283, -1.4552137502179978),
        ([1, 2], [3, 4, 5], 1.0, 0.2, -2.7386127875258306),
        ([1, 2, 3], [1, 2, 3], 0.0, 1.0, 0.0),
        (series(24, 7, 31), [x + 1.5 for x in series(36, 11, 53)], 0.20833333333333334, 0.5169137265239927, -0.4780246532712246),
        (series(60, 17, 101), [x * 1.1 for x in series(80, 29, 97)], 0.15, 0.3905493870117542, -0.26324233177184464),
    )

    def test_ks_and_effect_size_are_those_of_scipy(self) -> None:
        for run, reference, d, p, effect in self.VECTORS:
            found_d, found_p = alignment.kolmogorov_smirnov(run, reference)
            self.assertAlmostEqual(found_d, d, delta=1e-15)
            self.assertAlmostEqual(found_p, p, delta=1e-14)
            self.assertAlmostEqual(alignment.cohens_d(run, reference), effect, delta=1e-14)

    def test_split_mix_is_the_published_sequence(self) -> None:
        stream = alignment.split_mix(1234567)
        self.assertEqual([next(stream) for _ in range(3)], [6457827717110365317, 3203168211198807973, 9817491932198370423])

    def test_percentiles_are_linear(self) -> None:
        values = [1.0, 2.0, 4.0, 8.0]
        self.assertEqual([alignment.percentile(values, share) for share in (0, 0.5, 0.75, 1)], [1.0, 3.0, 5.0, 8.0])

    def test_samples_that_do_not_vary_have_no_effect_size(self) -> None:
        with self.assertRaises(ValueError):
            alignment.cohens_d([1, 1], [1, 1])


class CanonicalJson(unittest.TestCase):
    def test_numbers_are_written_as_ecmascript_does(self) -> None:
        cases = {
            0.0: "0", -0.0: "0", 1.0: "1", -1.5: "-1.5", 1e21: "1e+21", 1e20: "100000000000000000000", 1e-6: "0.000001",
            1e-7: "1e-7", 1.25e-9: "1.25e-9", 333333333.33333329: "333333333.3333333", 4.5: "4.5", 2e-3: "0.002", 5e-324: "5e-324",
            1.7976931348623157e308: "1.7976931348623157e+308", 9007199254740992: "9007199254740992", 0.1: "0.1", 120.0: "120",
        }  # fmt: skip
        for value, text in cases.items():
            self.assertEqual(canonical(value), text)

    def test_names_are_sorted_and_text_is_kept(self) -> None:
        self.assertEqual(canonical({"b": [True, None], "a": "\u00e9\n\""}), '{"a":"\u00e9\\n\\"","b":[true,null]}')

    def test_infinity_has_no_text(self) -> None:
        with self.assertRaises(ValueError):
            canonical(float("inf"))


class Intervals(unittest.TestCase):
    CLAIMS = Claims((Variable("x", -3, 5, "1"), Variable("y", 0.5, 4, "1")), {"twice": {"mul": [2, "x"]}}, ())
    EXPRESSIONS = (
        {"add": ["x", "y", 1]}, {"sub": ["x", "y"]}, {"mul": ["x", "y", "x"]}, {"div": ["x", "y"]}, {"neg": "x"}, {"abs": "x"},
        {"min": ["x", "y", 2]}, {"max": ["x", "y"]}, {"sqrt": "y"}, {"square": "x"}, {"pow": ["x", 3]}, {"pow": ["x", 4]},
        {"pow": ["y", -2]}, {"pow": ["x", 0]}, {"exp": "x"}, {"log": "y"}, "twice",
    )  # fmt: skip

    def test_every_value_lies_in_its_enclosure(self) -> None:
        draw = random.Random(8)
        points = compile_points(self.EXPRESSIONS, self.CLAIMS)
        boxes = compile_intervals(self.EXPRESSIONS, self.CLAIMS)
        for _ in range(500):
            low, high = zip(*(sorted(draw.uniform(v.low, v.high) for _ in "ab") for v in self.CLAIMS.variables))
            enclosures = boxes(low, high)
            for _ in range(20):
                values = points([draw.uniform(a, b) for a, b in zip(low, high)])
                for expression, value, (lower, upper) in zip(self.EXPRESSIONS, values, enclosures):
                    self.assertTrue(lower <= value <= upper, (expression, low, high, value))

    def test_what_has_no_value_is_undecided(self) -> None:
        for expression in ({"sqrt": "x"}, {"log": "x"}, {"div": [1, "x"]}, {"pow": ["x", -1]}, {"exp": {"mul": [1000, "y"]}}):
            with self.assertRaises(Undecided, msg=expression):
                compile_intervals([expression], self.CLAIMS)([-1.0, 1.0], [1.0, 2.0])

    def test_malformed_expressions_are_refused(self) -> None:
        loop = Claims(self.CLAIMS.variables, {"a": {"neg": "b"}, "b": {"neg": "a"}}, ())
        for expression in ("a", "z", {"add": []}, {"sub": [1]}, {"pow": ["x", 0.5]}, {"eval": "x"}, {}, True, None, [1], {"at": {}}):
            with self.assertRaises(ExpressionError, msg=expression):
                compile_points([expression], loop)


class OtherClaims(unittest.TestCase):
    def test_a_unit_is_optional_and_definitions_may_name_the_record(self) -> None:
        document = {
            "version": 1,
            "variables": {"x": {"min": 0, "max": 1}},
            "definitions": {"best": {"record": "/result/score"}, "limit": {"add": ["best", 0.1]}},
            "claims": [
                {"name": "a", "type": "compare", "left": "best", "relation": "<=", "right": 1},
                {"name": "b", "type": "forall", "left": {"mul": ["x", {"record": "/result/score"}]}, "relation": "<=", "right": "limit"},
            ],
        }
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "claims.json"
            path.write_text(json.dumps(document))
            claims = load_claims(path)
        evidence = mathematical_proof(claims, {"result": {"score": 0.5}})
        self.assertEqual(evidence["variables"], document["variables"])
        self.assertEqual(evidence["definitions"], {"best": 0.5, "limit": {"add": ["best", 0.1]}})
        self.assertEqual(evidence["claims"][1]["left"], {"mul": ["x", 0.5]})
        self.assertEqual([certificate["claim"] for certificate in evidence["certificates"]], ["b"])
        with self.assertRaises(ClaimFails):
            mathematical_proof(claims, {"result": {"score": 1.5}})
        with self.assertRaises(ExpressionError):
            mathematical_proof(claims, {"result": {}})


def leaves_hold(tree: str, claim: dict[str, Any], claims: Claims) -> int:
    """Walk a certificate as a checker does; the number of its leaves. Fails on any fault."""
    boxes = compile_intervals([claim["left"], claim["right"]], claims)
    waiting = [([v.low for v in claims.variables], [v.high for v in claims.variables])]
    leaves = 0
    for symbol in tree:
        low, high = waiting.pop()
        if symbol == ".":
            left, right = boxes(low, high)
            assert left[1] <= right[0], (low, high)
            leaves += 1
            continue
        index = ord(symbol) - ord("a")
        middle = low[index] * 0.5 + high[index] * 0.5
        waiting.append((low[:index] + [middle] + low[index + 1 :], high))
        waiting.append((low, high[:index] + [middle] + high[index + 1 :]))
    assert not waiting
    return leaves


class Service(http.server.BaseHTTPRequestHandler):
    """Answers from `server.answers`, one after the other, the last one for ever; keeps what it was asked."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, dict(self.headers.items()), json.loads(body)))
        status, headers, reply = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: Any) -> None:
        pass


GOOD = (200, {}, json.dumps({"proof_id": "proof_0123abcd", "status": "queued"}).encode())


class Hook(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.root = copied_capsule(cls)
        cls.claims = load_claims(cls.root / "proof-hooks/claims.json")
        cls.record = {
            "capsule": {"name": "m2n2-metal", "version": "0.1.0", "digest": "sha256:" + "1" * 64},
            "run_id": "00112233aabbccdd",
            "parameters": {},
            "seed": 42,
            "budget": None,
            "result": run_capsule(cls.root, {"parameters": {}, "seed": 42}),
            "usage": {"cpu_ms": 600, "max_rss_bytes": 20_000_000, "energy_joules": 9.5, "energy_estimated": True},
        }

    def setUp(self) -> None:
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        self.server.answers, self.server.seen = [GOOD], []
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.out = self.root.parent / "out"
        self.out.mkdir(exist_ok=True)
        for left_over in self.out.iterdir():
            left_over.unlink()

    def tearDown(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def hook(self, record: dict[str, Any] | None = None, **changes: str) -> Any:
        path = self.root.parent / "record.json"
        path.write_text(json.dumps(record or self.record))
        environment = {
            "CAPSULE_ROOT": str(self.root),
            "CAPSULE_RUN_RECORD": str(path),
            "CAPSULE_OUT": str(self.out),
            "PROOF_SERVICE_URL": self.url,
            "CAPSULE_UTID": "UTID:REAL:test",
            "CAPSULE_PROOF_HASH": "sha256:" + "2" * 64,
            "CAPSULE_CLAIMS_DIGEST": "sha256:" + "3" * 64,
        }
        given = {name: value for name, value in (environment | changes).items() if value}
        return execute(self.root, ["proof-hooks/generate_proof.py"], **given)

    def refused(self, done: Any, words: str) -> None:
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, rf"\Agenerate_proof\.py: .*{words}.*\n\Z")
        self.assertEqual(list(self.out.iterdir()), [])

    def changed(self, pointer: str, value: Any) -> dict[str, Any]:
        record = copy.deepcopy(self.record)
        *path, last = pointer.split("/")[1:]
        place = record
        for token in path:
            place = place[token]
        place[last] = value
        return record

    def test_evidence_of_an_honest_run(self) -> None:
        done = self.hook()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertEqual([path.name for path in self.out.iterdir()], ["proof.json"])
        proof = json.loads((self.out / "proof.json").read_text())
        mathematical, aligned = proof["evidence"]
        self.assertEqual(proof["proof_id"], "proof_0123abcd")

        rebuilt = [with_record(claim, self.record) for claim in self.claims.claims if claim["type"] != "sim_alignment"]
        self.assertEqual(canonical(mathematical["claims"]), canonical(rebuilt))
        source = json.loads((self.root / "proof-hooks/claims.json").read_text())
        self.assertEqual((mathematical["variables"], mathematical["definitions"]), (source["variables"], source["definitions"]))
        (certificate,) = mathematical["certificates"]
        near_optimal = with_record(self.claims["near-optimal"], self.record)
        leaves = leaves_hold(certificate["tree"], near_optimal, self.claims)
        self.assertEqual((certificate["claim"], certificate["type"]), ("near-optimal", "bisection"))
        self.assertTrue(10_000 <= leaves <= 100_000, leaves)

        samples = self.record["result"]["samples"]
        reference = json.loads((self.root / "simulation/reference.json").read_text())["samples"]
        self.assertEqual(aligned["samples_digest"], digest(samples))
        self.assertEqual(aligned["reference_digest"], digest(reference))
        self.assertEqual((aligned["bootstrap"]["draws"], aligned["bootstrap"]["seed"]), (2000, 42))
        difference = alignment.mean(samples) - alignment.mean(reference)
        self.assertTrue(aligned["bootstrap"]["low"] < difference < aligned["bootstrap"]["high"])

    def test_the_call_is_what_the_platform_takes(self) -> None:
        self.assertEqual(self.hook().returncode, 0)
        ((path, headers, body),) = self.server.seen
        self.assertEqual(path, "/v1/proofs/generate")
        self.assertEqual(headers["X-UTID"], "UTID:REAL:test")
        self.assertFalse({"Authorization", "X-API-Key", "Cookie"} & set(headers))
        self.assertEqual(set(body), {"title", "requester", "artifacts", "proof_types", "proof_hash", "metadata"})
        self.assertEqual(body["proof_types"], ["mathematical_proof", "sim_alignment"])
        self.assertEqual(body["proof_hash"], "sha256:" + "2" * 64)
        strings = [*body["requester"].values(), *(value for artifact in body["artifacts"] for value in artifact.values())]
        self.assertTrue(all(isinstance(value, str) for value in strings))

    def test_a_busy_service_is_asked_again(self) -> None:
        busy = (429, {"Retry-After": "0"}, b"{}")
        self.server.answers = [busy, busy, GOOD]
        self.assertEqual(self.hook().returncode, 0)
        self.assertEqual(len(self.server.seen), 3)

    def test_waits_are_bounded(self) -> None:
        waits = [_wait("7", 1), _wait("86400", 1), _wait(None, 1), _wait(None, 3), _wait("soon", 2), _wait(None, 9)]
        self.assertEqual(waits, [7, 10, 1, 4, 2, 10])

    def test_what_the_service_may_answer_wrongly(self) -> None:
        for answer, words in (
            ((500, {}, b"a\nb"), "500: a b"),
            ((307, {"Location": "http://192.0.2.1/"}, b""), "307"),
            ((429, {"Retry-After": "0"}, b""), "429"),
            ((200, {}, b"{}"), "no proof_id"),
            ((200, {}, b'{"proof_id":"../x"}'), "malformed"),
        ):
            self.server.answers = [answer]
            with self.assertRaisesRegex(ServiceError, words):
                generate(self.url, "UTID:REAL:test", {"title": "test"})
        self.server.answers = [(403, {}, b'{"detail":"Invalid UTID"}')]
        self.refused(self.hook(), "403.*Invalid UTID")

    def test_an_unreachable_service(self) -> None:
        for url, words in (("http://127.0.0.1:1", "cannot be reached"), ("file:///etc/passwd", "not an http"), ("http://", "not an http")):
            with self.assertRaisesRegex(ServiceError, words):
                generate(url, "UTID:REAL:test", {})

    def test_a_run_that_breaks_a_claim_gets_no_proof(self) -> None:
        score = self.record["result"]["score"]
        for pointer, value, words in (
            ("/result/score", score + 1e-6, "score-is-objective"),
            ("/result/params/strain", 0.7, "score-is-objective"),
            ("/result/stability", score, "stability-"),
            ("/result/evaluations", 4001, "evaluations-within-budget"),
            ("/result/energy_joules", 100, "reported-energy-within-budget"),
            ("/usage/energy_joules", 1e6, "measured-energy-within-budget"),
            ("/result/samples", [x + 4 for x in self.record["result"]["samples"]], "like-the-reference"),
        ):
            self.refused(self.hook(self.changed(pointer, value)), f"claim {words}")
        self.assertEqual(self.server.seen, [])

    def test_a_run_that_is_not_near_optimal_is_found(self) -> None:
        poor = run_capsule(self.root, {"seed": 1, "budget": 60})
        self.refused(self.hook(self.record | {"result": poor | {"budget": 60}}), "claim near-optimal fails by")

    def test_records_that_are_not_records(self) -> None:
        for pointer, value in (("/result/score", "1"), ("/result/score", True), ("/result/score", None), ("/result/params", {})):
            self.refused(self.hook(self.changed(pointer, value)), "/result/")
        self.refused(self.hook(self.changed("/result/samples", [1])), "two or more numbers")
        self.refused(self.hook(self.record | {"capsule": {}}), "malformed")

    def test_a_missing_variable_is_named(self) -> None:
        for name in ("CAPSULE_ROOT", "CAPSULE_RUN_RECORD", "CAPSULE_OUT", "PROOF_SERVICE_URL", "CAPSULE_UTID"):
            self.refused(self.hook(**{name: ""}), f"{name} is not set")

    def test_a_false_claim_has_no_certificate(self) -> None:
        claims = Claims((Variable("x", 0, 1, "1"),), {}, ())
        holds = {"name": "holds", "type": "forall", "left": {"mul": ["x", {"sub": [1, "x"]}]}, "relation": "<=", "right": 0.26}
        self.assertGreater(leaves_hold(prove_forall(holds, claims), holds, claims), 4)
        with self.assertRaisesRegex(ClaimFails, "claim holds fails by 0.01 at x = "):
            prove_forall(holds | {"right": 0.24}, claims)


if __name__ == "__main__":
    unittest.main()
