"""The statistics of a sim_alignment, against SciPy's on fresh samples: ours by the verdict of capsule-verify, the hook's by its own words."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from kills import chance
from proof_maker import CLAIMS, RESULT, seeded
from registered import Registered, statistics
from steps import BIN, SOURCE

PYTHON = "/usr/bin/python3"
LIBRARIES = BIN.parent / "debian/usr/lib"  # unpacked there by `make test-deps`
CLAIM = {**CLAIMS["claims"][2], "max_effect_size": 100, "min_p": 0}


def scipy(asked):
    """What SciPy says of each [left, right, seed, draws]."""
    system = LIBRARIES / "x86_64-linux-gnu"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(LIBRARIES / "python3/dist-packages"),
                   "LD_LIBRARY_PATH": ":".join(str(path) for path in (system, system / "blas", system / "lapack"))}
    return json.loads(subprocess.run([PYTHON, "-B", SOURCE / "tests/unit/proof/vectors/make_statistics.py", "-"], input=json.dumps(asked),
                                     env=environment, capture_output=True, text=True, check=True).stdout)


@unittest.skipUnless(LIBRARIES.exists(), "SciPy is not there: make test-deps unpacks it")
class SciPy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        draw = chance("samples", 6001)
        cls.cases = []
        for count, other, shift, places in ((2, 3, 0.5, 6), (7, 5, 0.0, 1), (40, 60, 0.1, 9), (100, 80, 2.0, 2), (500, 400, 0.0, 12)):
            left = [round(draw.gauss(3 + shift, 1), places) for _ in range(count)]
            right = [round(draw.gauss(3, 1), places) for _ in range(other)]
            cls.cases.append((left, right, draw.randrange(2**53), 2000))
        cls.answers = scipy(cls.cases)

    def test_the_hooks_statistics(self):
        for (left, right, seed, _), said in zip(self.cases, self.answers, strict=True):
            ours = statistics(left, right, seed)
            self.assertAlmostEqual(ours["ks"]["d"], said["d"], delta=1e-12)
            self.assertAlmostEqual(ours["ks"]["p"], said["p"], delta=1e-11)
            self.assertAlmostEqual(ours["cohens_d"], said["cohens_d"], delta=1e-10)
            for end in ("low", "high"):
                self.assertAlmostEqual(ours["bootstrap"][end], said["bootstrap"][end], delta=1e-10)

    def test_the_checker_takes_scipys_numbers_and_none_beside_them(self):
        with tempfile.TemporaryDirectory() as name:
            Path(name).chmod(0o755)
            prover = Registered(name)
            for number, ((left, right, seed, _), said) in enumerate(zip(self.cases, self.answers, strict=True)):
                result = {**RESULT, "samples": left}
                prover.register(claims={**CLAIMS, "claims": [*CLAIMS["claims"][:2], CLAIM]}, reference={"samples": right},
                                runner=seeded(result, seed),
                                record={"seed": seed, "result": result}, version=f"1.0.{number}")

                def stated(**changes):
                    answer = {**said, **changes}
                    return {"ks": {"d": answer["d"], "p": answer["p"]}, "cohens_d": answer["cohens_d"],
                            "bootstrap": {**answer["bootstrap"], "draws": 2000, "seed": seed}}

                def told(piece):
                    prover.forge(lambda statement: statement["predicate"]["evidence"][1].update(piece))
                    return prover.verify()

                with self.subTest(f"{len(left)} and {len(right)} samples"):
                    done = told(stated())
                    self.assertEqual(done.code, 0, done)
                    for member in ("d", "p", "cohens_d"):
                        self.assertEqual(told(stated(**{member: said[member] + 1e-8})).code, 11, member)
                    self.assertEqual(told(stated(bootstrap={**said["bootstrap"], "low": said["bootstrap"]["low"] - 1e-8})).code, 11)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
