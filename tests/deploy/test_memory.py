"""How much memory a capsule's code may take: one process, all of them together, cold and warm, and what is said of it."""
import unittest

from warm_capsule import WarmCase

ONE = "x = bytearray(300 << 20)\n"
# Each takes less than the limit.
MANY = """
for _ in range(20):
    if os.fork() == 0:
        x = b"x" * (30 << 20)
        time.sleep(30)
        os._exit(0)
for _ in range(20): os.wait()
"""


class Memory(WarmCase):
    def refused(self, words, **capsule):
        self.publish(resources={"memory": "64Mi"}, **capsule)
        done = self.deploy()
        self.assertEqual(16, done.code, done)
        line = done.stderr.splitlines()[-1]
        for word in (*words, "it may take 64.0 MiB of memory; resources.memory in its capsule.json asks for more"):
            self.assertIn(word, line)

    def test_one_process_that_takes_more_than_the_manifest_asks_for(self):
        self.refused(("exit code 1", "MemoryError"), at_run=ONE, prewarm=False)

    def test_many_processes_that_take_more_together(self):
        self.refused(("over its memory limit",), at_run=MANY, prewarm=False)

    def test_a_process_that_waited_for_its_run(self):
        self.refused(("exit code 1", "MemoryError"), at_run=ONE)
        self.assertEqual(1, len(self.agents()), "it was a warm one")

    def test_many_processes_of_one_that_waited(self):
        self.refused(("over its memory limit",), at_run=MANY)

    def test_what_asks_for_enough_has_it_and_the_record_says_what_is_bounded(self):
        self.publish(at_run=ONE, resources={"memory": "400Mi"}, prewarm=False)
        confinement = self.record(self.deploy())["confinement"]
        self.assertIn("memory-sum", confinement["held"])
        self.assertIn("limits", confinement["held"])
        self.assertIn("disk-reserve", confinement["held"])


if __name__ == "__main__":
    unittest.main()
