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

    def test_one_that_is_not_the_last_is_done_all_the_same_and_seen(self):
        """As after a deploy of a former version: the plan and the deploy say so with one voice."""
        reference = self.publish("two")
        first, last = (self.deployed(reference, "--seed", seed) for seed in ("7", "8"))
        self.must("rollout", "status", "deployment/two-deploy", "--timeout=60s")
        self.assertEqual(last["run_record"], self.object("two")["status"]["lastRun"]["record"])
        self.assertEqual(("deploy", "its status is of another run"), self.plan(reference, "--seed", "7"))
        before = self.object("two")["status"]
        again = self.deployed(reference, "--seed", "7")
        self.assertEqual(("AlreadyDone", first["run_record"]), (again["phase"], again["run_record"]))
        status = self.object("two")["status"]
        self.assertEqual(first["run_record"], status["lastRun"]["record"])
        self.assertEqual([before[key] for key in ("phase", "warmReplicas")], [status[key] for key in ("phase", "warmReplicas")])
        self.assertEqual("none", self.plan(reference, "--seed", "7")[0])

    def test_a_former_version_after_one_whose_run_failed(self):
        good = self.publish("former")
        first = self.deployed(good)
        bad = self.publish("former", "2.0.0", at_run="sys.exit('no such metal')")
        self.refused(16, "no such metal", bad)
        self.assertEqual("Failed", self.object("former")["status"]["phase"])
        self.assertEqual("deploy", self.plan(good)[0])
        self.assertEqual("AlreadyDone", self.deployed(good)["phase"])
        status = self.object("former")["status"]
        self.assertEqual(("Ran", first["run_record"]), (status["phase"], status["lastRun"]["record"]))
        self.must("wait", "--for=condition=Ready", "--timeout=5s", "pd/former")
        self.assertEqual("none", self.plan(good)[0])

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
