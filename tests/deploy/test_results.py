"""What counts as a run's result: one JSON object, the last line of stdout, that every reader reads alike."""
import sys
import unittest

from small_loop import LoopCase

RUNNER = """#!/usr/bin/env python3
import sys
sys.stdin.readline()
sys.stdout.buffer.write({output!r})
"""


class Results(LoopCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.count = 0

    def deploy(self, output):
        type(self).count += 1
        reference = self.loop.publish(None, claims=None, name=f"result-{self.count}", runner=RUNNER.format(output=output),
                                      proof_policy={"required": False, "types": []})
        self.reference = reference
        return self.loop.deploy(reference=reference)

    def test_what_is_no_result_is_refused_in_one_line(self):
        for output, word in ((b"", "there is none"), (b"[1]\n", "it is an array"), (b"{}{}\n", "byte 3"), (b"{} x\n", "byte 4"),
                             (b'{"a":1}\0\n', "NUL byte"), (b'{"a":1}\0{"a":2}\n', "NUL byte"), (b'{"a":1,"a":2}\n', "twice"),
                             (b'{"a":{"b":[0,9007199254740993]}}\n', "9007199254740993"), (b'{"a":NaN}\n', "byte"),
                             (b'{"a":1e999}\n', "byte 10 (at /a)"), (b"\xef\xbb\xbf{}\n", "byte order mark")):
            with self.subTest(output=output):
                done = self.deploy(output)
                self.assertEqual(16, done.code, done)
                self.assertEqual(1, len(done.stderr.splitlines()), done)
                self.assertIn(word, done.stderr)

    def test_a_large_result_is_recorded_and_found_again(self):
        first = self.deploy(b'{"a":"' + b"x" * 5_000_000 + b'"}\n')
        self.assertEqual((0, "Succeeded"), (first.code, first.result["phase"]), first)
        again = self.loop.deploy(reference=self.reference)
        self.assertEqual((0, first.result["run_record"]), (again.code, again.result["run_record"]), again)

    def test_an_integer_that_would_be_recorded_as_another_is_named_with_its_place(self):
        self.assertIn("(at /a/b/1)", self.deploy(b'{"a":{"b":[0,-9007199254740993]}}\n').stderr)

    def test_numbers_that_every_reader_keeps_are_kept(self):
        done = self.deploy(b'talk\n{"a":9007199254740992,"b":0.1,"c":-9007199254740991}\n')
        self.assertEqual(0, done.code, done)

    def test_a_parameter_that_would_be_given_as_another_is_no_parameter(self):
        reference = self.loop.publish(None, claims=None, name="parameters", proof_policy={"required": False, "types": []})
        for text in ('{"n":9007199254740993}', "{", "[]", '{"a":1,"a":2}', '{"n":1e999}'):
            with self.subTest(text=text):
                done = self.loop.deploy("--parameters", text, reference=reference)
                self.assertEqual(2, done.code, done)
                self.assertEqual(1, len(done.stderr.splitlines()), done)
                self.assertIn("--parameters", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
