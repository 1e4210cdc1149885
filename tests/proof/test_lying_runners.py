"""Signed capsules whose runner lies, from deploy on: what it says is recorded, and then gets no proof."""
import json
import sys
import unittest

from proof_maker import REFERENCE, RESULT, RUNNER, hook, samples_of
from steps import run
from test_generate_proof import Case

# Each says what an honest runner does, with one thing changed.
LIES = {
    "a better score": ("result['score'] += 0.25", "claim 'score-is-objective' does not hold: .*0.25 apart"),
    "a score better by 1e-6": ("result['score'] += 1e-6", "claim 'score-is-objective' does not hold: .*1e-06 apart"),
    "parameters of another run": ("result['params']['x'] = 0.75", "claim 'score-is-objective' does not hold: .*0.125 apart"),
    "a poor run as a good one": ("result.update(params={'x': 0.5, 'y': 0.875}, score=0.71875)", "claim 'near-optimal' does not hold"),
    "the reference as its samples": (f"result['samples'] = {REFERENCE['samples']}", "claim 'like-the-reference' does not hold: .*copy"),
    "samples far away": ("result['samples'] = [x + 9 for x in result['samples']]", "claim 'like-the-reference' does not hold: effect size"),
    "samples of a seed of its own": ("result['samples'][0] += random.Random(os.urandom(8)).random() / 100",
                                     "claim 'like-the-reference' does not hold: a second run .* other samples"),
    "samples of a constant, and the seed that was asked for": (
        f"result['samples'] = {RESULT['samples']}; result['seed'] = asked['seed']",
        "claim 'like-the-reference' does not hold: a run with another seed gives the same samples"),
    "samples of a constant, unless the name of its folder tells that another seed is tried": (
        f"if 'seed' not in os.environ['CAPSULE_DATA']: result['samples'] = {RESULT['samples']}\nresult['seed'] = asked['seed']",
        "claim 'like-the-reference' does not hold: a run with another seed gives the same samples"),
    "a result of its own each time": ("result['note'] = os.urandom(8).hex()", "not what a run with its parameters and seed gives"),
    "no score": ("del result['score']", "/result/score"),
}

SEED = 8


def runner(change):
    return RUNNER.replace("print(", f"import os, random\n{change}\nprint(")


class LyingRunners(Case):
    def deployed(self, text, version):
        reference = self.maker.publish(hook(), runner=text, version=version)
        done = run("deploy", "--seed", SEED, "--trust", self.maker.trust, "--state", self.maker.state, "--", reference)
        self.assertEqual(done.code, 0, done)
        return reference, done.result["run_record"]

    def test_an_honest_one_is_proven(self):
        done = self.prove(*self.deployed(runner("pass"), "1.0.0"))
        self.assertEqual(done.code, 0, done)

    def test_each_lie_is_recorded_and_refused_by_the_claims_name(self):
        for number, (lie, (change, words)) in enumerate(LIES.items()):
            with self.subTest(lie):
                reference, record = self.deployed(runner(change), f"1.1.{number}")
                said = json.loads((self.maker.registry / "probe/blobs/sha256" / record.split(":")[1]).read_text())["result"]
                self.assertNotEqual(said, {**RESULT, "samples": samples_of(SEED)})
                self.refused(self.prove(reference, record), 11, words)
        self.assertEqual(self.platform.proofs, {})


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
