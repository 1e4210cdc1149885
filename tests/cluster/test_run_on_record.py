"""A run that is on record is not made again, whatever has become of what its object says of it."""
import json
import unittest

from deploy_case import DeployCase

RUNS = "capsule.industriverse.ai/runs"


class RunOnRecord(DeployCase):
    def damage(self, name):
        self.must("annotate", "pd", name, "--overwrite", f"{RUNS}=garbage")

    def lose(self, name):
        self.must("patch", "pd", name, "--type=merge", "-p", '{"metadata":{"annotations":null}}')

    def test_it_is_found_where_the_annotation_was_damaged_or_lost(self):
        reference = self.publish("lost")
        with_seed = self.deployed(reference, "--seed", "7")
        first = self.deployed(reference)
        second = self.deployed(reference, "--new-run")
        self.assertNotEqual(first["run_id"], second["run_id"])
        for spoil in (self.damage, self.lose):
            with self.subTest(spoil.__name__):
                spoil("lost")
                for options, run in (((), second), (("--seed", "7"), with_seed), ((), second)):
                    again = self.deployed(reference, *options)
                    self.assertEqual(("AlreadyDone", run["run_id"], run["run_record"]), (again["phase"], again["run_id"], again["run_record"]))
        # What is asked for in so many words is a new run, with an ordinal of its own.
        self.damage("lost")
        third = self.deployed(reference, "--new-run")
        self.assertEqual("Succeeded", third["phase"])
        ordinals = [self.record(reference, run["run_record"])["ordinal"] for run in (first, second, third)]
        self.assertEqual([1, 2, 3], ordinals)

    def test_the_first_is_found_after_more_orders_than_the_annotation_has_room_for(self):
        reference = self.publish("many")
        first = self.deployed(reference)
        book = self.book("many")
        [record] = [run["record"] for run in book.values()]
        more = {f"{i:016x}": {"ordinal": 1, "seed": i, "run_id": f"{i:016x}", "record": record} for i in range(63)}
        self.must("annotate", "pd", "many", "--overwrite", f"{RUNS}={json.dumps({**book, **more})}")
        self.assertEqual("AlreadyDone", self.deployed(reference)["phase"])
        self.deployed(reference, "--seed", "77")
        self.assertNotIn(first["run_id"], json.dumps(self.book("many")), "it made room")
        again = self.deployed(reference)
        self.assertEqual(("AlreadyDone", first["run_record"]), (again["phase"], again["run_record"]))

    def book(self, name):
        return json.loads(self.object(name)["metadata"]["annotations"][RUNS])

    def test_one_that_is_not_the_last_is_done_all_the_same(self):
        """The plan and the deploy say so of it with one voice, and leave what there is of the last one."""
        reference = self.publish("two")
        first, last = (self.deployed(reference, "--seed", seed) for seed in ("7", "8"))
        self.must("rollout", "status", "deployment/two-deploy", "--timeout=60s")
        before = self.left("two")
        self.assertEqual(last["run_record"], self.object("two")["status"]["lastRun"]["record"])
        self.assertEqual("none", self.plan(reference, "--seed", "7")[0])
        again = self.deployed(reference, "--seed", "7")
        self.assertEqual(("AlreadyDone", first["run_record"]), (again["phase"], again["run_record"]))
        self.assertEqual(before, self.left("two"))

    def left(self, name):
        """What a deploy that has nothing to do leaves as it is; each one has a number of its own in the annotation fence."""
        found = self.object(name)
        found["metadata"]["annotations"].pop("capsule.industriverse.ai/fence")
        return found["metadata"]["annotations"], found["spec"], found["status"], self.get("deploy", f"{name}-deploy")["spec"]

    def test_a_new_run_after_a_removal_is_none_that_is_on_record(self):
        reference = self.publish("again")
        first = self.deployed(reference, "--seed", "7")
        self.assertEqual(0, self.delete("again").code)
        second = self.deployed(reference, "--seed", "7", "--new-run")
        self.assertEqual(("Succeeded", 2), (second["phase"], self.record(reference, second["run_record"])["ordinal"]))
        self.assertNotEqual(first["run_record"], second["run_record"])

    def test_a_name_that_is_too_long_for_a_cluster_is_refused_before_anything_is_made(self):
        reference = self.publish("y" * 57)
        self.refused(10, "on a cluster the name of a capsule has at most 56 characters", reference)
        self.refused(10, "on a cluster the name of a capsule has at most 56 characters", reference, "--plan")
        self.assertNotIn("yyyy", self.must("get", "leases,pd", "-o", "name"))


if __name__ == "__main__":
    unittest.main()
