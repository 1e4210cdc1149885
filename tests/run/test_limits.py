"""capsule-run: as many nodes, levels and bytes as one machine bears; what runs at once; what begins after a failure."""
import os
import resource
import subprocess
import time
import unittest

from steps import environment, is_sanitized
from workflow_bench import WorkflowBench, call, dag, inputs, leaf, outputs, steps

OUT = "{{steps.%s.outputs.parameters.out}}"


class Size(WorkflowBench):
    def measured(self, *arguments, timeout=60):
        """Runs it, and gives its outcome and its own peak of memory in MiB."""
        start = time.monotonic()
        done = self.run_it(*arguments, timeout=timeout)
        # The peak of the largest child so far: ours, or one before it.
        return done, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10, time.monotonic() - start

    def test_too_many_nodes_are_refused_before_anything_runs(self):
        def thousand():  # each time another list: PyYAML would write an alias
            return list(range(1000))
        items = steps([call("a", "inner", withItems=thousand())])
        ten = [call(f"t{i}", "next") for i in range(10)]
        nested = [steps([{**task, "template": f"n{level}"} for task in ten], name=f"n{level + 1}") for level in range(10)]
        cases = [("main", [items, steps([call("b", withItems=thousand())], name="inner"), leaf("b")]),
                 ("n", [steps(call("a", "n10")), *nested, leaf("n0")]),
                 ("d", [dag(call("a", "d")), dag(*[call(f"t{i}", "x", withItems=thousand()) for i in range(11)], name="d"),
                        leaf("x")])]
        for name, templates in cases:
            with self.subTest(template=name):
                self.workflow(*templates)
                self.refused("10000 nodes", "limit", f"'{name}")
                self.assertEqual(list(self.state.iterdir()), [])

    def test_too_many_items_levels_and_elements(self):
        self.workflow(steps([call("a", withItems=[0] * 1001)]), leaf("a"))
        self.refused("1000 items")
        self.workflow(steps(call("a", "again")), steps(call("b", "again"), name="again"))
        self.refused("deeper than 16 levels", "'again'")
        self.workflow(dag(*[call(f"t{i}", "a") for i in range(10_001)]), leaf("a"))
        self.refused("10000")
        self.workflow(steps([call("a", withSequence={"count": "1000000000"})]), leaf("a"))
        self.refused("withSequence")

    def test_what_is_known_only_as_it_runs_is_bounded_too(self):
        """Each level calls itself ten times, as long as `when` lets it: 10^16 nodes."""
        go = {"when": "{{inputs.parameters.go}} == yes"}
        again = [call(f"t{i}", "again", {"go": "yes"}, **go) for i in range(10)]
        self.workflow(steps(call("a", "again", {"go": "yes"})), steps(again, name="again", inputs=inputs("go")),
                      hooks={"exit": {"template": "bye"}}, parallelism=2)
        document = self.file.read_text() + ""
        self.file.write_text(document.replace("  templates:\n", "  templates:\n"
                             "  - name: bye\n    container: {image: x, command: [/bin/capsule-fake], args: [--label=bye]}\n"))
        done, memory, seconds = self.measured()
        self.assertEqual(done.code, 2, done)
        self.assertRegex(done.stderr.splitlines()[-1], "10000 nodes.*'again'|deeper than 16 levels.*'again'")
        self.assertEqual(self.labels(), ["bye"])
        self.assertLess(seconds, 30)
        if not is_sanitized("run"):
            self.assertLess(memory, 300)

    def test_ten_thousand_tasks_in_a_row_are_checked_in_no_time(self):
        tasks = [call("t0", "never", when="no == yes")]
        tasks += [call(f"t{i}", "never", depends=f"t{i - 1}", when="no == yes") for i in range(1, 9_000)]
        self.workflow(dag(*tasks), leaf("never"))
        done, memory, seconds = self.measured("-p", "x=1")
        self.assertEqual(done.code, 2, done)  # no such parameter: all but the run itself
        self.assertLess(seconds, 20)
        if not is_sanitized("run"):
            self.assertLess(memory, 300)

    def test_values_do_not_grow_without_bound(self):
        double = [steps(call("b", f"d{level + 1}", {"x": "{{inputs.parameters.x}}" * 8}), name=f"d{level}",
                        inputs=inputs("x")) for level in range(12)]
        self.workflow(steps(call("a", "d0", {"x": "xxxxxxxx"})), *double, leaf("d12", inputs=["x"]))
        done, memory, _ = self.measured()
        self.assertEqual((done.code, self.calls()), (10, []), done)
        self.assertIn("limit of 4.0 MiB", done.stderr)
        more = "[" + ", ".join(["inputs.parameters.x"] * 100_000) + "]"
        self.workflow(steps(call("a", "b", {"x": "x" * 1000})),
                      steps(call("c", "d", {"x": "{{=%s}}" % more}), name="b", inputs=inputs("x")),
                      leaf("d", inputs=["x"]))
        done, memory, _ = self.measured()
        self.assertEqual((done.code, self.calls()), (2, []), done)
        if not is_sanitized("run"):
            self.assertLess(memory, 300)

    def test_many_failures_fit_into_the_exit_hook(self):
        self.workflow(steps([call("a", "bad", withItems=list(range(300)))]),
                      leaf("bad", "--exit=3", "--say=" + "x" * 100),
                      leaf("tell", "--", "{{inputs.parameters.failures}}", inputs=["failures"]),
                      hooks={"exit": {"template": "tell", "arguments": {"parameters": [
                          {"name": "failures", "value": "{{workflow.failures}}"}]}}})
        self.add_program("capsule-fake", (self.bin / "capsule-fake").read_text().replace(
            "it failed with {code}", "it failed with {code}' + 'y' * 900 + f'"))
        self.assertEqual(self.run_it().code, 16)
        told, = self.calls("tell")
        self.assertLess(len(told["rest"][0]), 120_000)


class AtOnce(WorkflowBench):
    def most_at_once(self):
        events = [(entry["start"], 1) for entry in self.calls()] + [(entry["end"], -1) for entry in self.calls(event="end")]
        most = now = 0
        for _, change in sorted(events):
            now += change
            most = max(most, now)
        return most

    def test_parallelism(self):
        for spec, template, most in (({}, {}, None), ({"parallelism": 3}, {}, 3), ({"parallelism": 1}, {}, 1),
                                     ({}, {"parallelism": 2}, 2), ({"parallelism": 3}, {"parallelism": 2}, 2)):
            with self.subTest(spec=spec, template=template):
                (self.state / "calls").unlink(missing_ok=True)
                self.workflow(steps([call("a", "slow", withItems=list(range(24))), call("b", "slow", withItems=[1, 2, 3])],
                                    **template), leaf("slow", "--sleep=0.05"), **spec)
                self.succeeds()
                self.assertEqual(len(self.calls()), 27)
                if most:
                    self.assertEqual(self.most_at_once(), most)
                else:
                    self.assertLessEqual(self.most_at_once(), max(16, 2 * os.cpu_count()))
                    self.assertGreater(self.most_at_once(), 2)

    def test_sixteen_steps_that_wait_for_each_other_run_at_once(self):
        labels = [f"s{i}" for i in range(16)]
        self.workflow(steps([call(label) for label in labels]),
                      *[leaf(label, f"--wait-for={labels[i - 1]}") for i, label in enumerate(labels)])
        self.succeeds()

    def test_without_a_single_thread_to_be_had_all_is_done_in_order(self):
        self.workflow(steps([call("a", "x", withItems=[1, 2, 3])], call("b", "x")), leaf("x"))
        command = ["prlimit", f"--as={60 << 20}", "--stack=33554432", *map(str, self.command())]
        done = subprocess.run(command, env=environment(), text=True, capture_output=True, timeout=60, check=False)
        if done.returncode not in (0, 40):
            self.fail(done)


class AfterAFailure(WorkflowBench):
    """dag.failFast, and failFast of a template."""

    def tasks(self):
        return [call("bad"), call("slow"), call("after-bad", "x", depends="bad"), call("b", "x", depends="slow"),
                call("c", "x", depends="b")]

    def ran(self, template, *more):
        (self.state / "calls").unlink(missing_ok=True)
        self.workflow(template, leaf("bad", "--exit=11"), leaf("slow", "--sleep=0.4"), leaf("x"),
                      leaf("mend"), *more)
        done = self.run_it()
        return done.code, self.labels()

    def test_by_default_no_further_task_of_a_dag_begins(self):
        for template in (dag(*self.tasks()), {"name": "main", "dag": {"tasks": self.tasks(), "failFast": True}}):
            code, labels = self.ran(template)
            self.assertEqual((code, sorted(labels)), (11, ["bad", "slow"]))

    def test_fail_fast_false_runs_all_that_can(self):
        code, labels = self.ran({"name": "main", "dag": {"tasks": self.tasks(), "failFast": False}})
        self.assertEqual((code, sorted(labels)), (11, ["bad", "slow", "x", "x"]))

    def test_what_deals_with_a_failure_runs_all_the_same(self):
        code, labels = self.ran(dag(call("bad"), call("mend", depends="bad.Failed"), call("never", "x", depends="bad"),
                                    call("slow"), call("late", "x", depends="slow")))
        self.assertEqual((code, sorted(labels)), (11, ["bad", "mend", "slow"]))

    def test_a_dag_fails_when_a_branch_ends_in_a_failure(self):
        """As Argo's assessDAGPhase has it: only last tasks count, and one that was left out comes to what was before it."""
        mended = [call("bad"), call("mend", depends="bad.Failed")]
        for tasks, code in ((mended, 0), ([*mended, call("x", depends="bad")], 11),
                            ([*mended, call("x", depends="mend")], 0),
                            ([call("bad"), call("x", depends="bad.Succeeded || bad.Failed")], 0),
                            ([call("bad"), call("x", depends="!bad.Succeeded")], 0),
                            # Not its name alone, as text, makes it somebody else's failure.
                            ([call("bad"), call("xbad", "bad"), call("mend", depends="xbad.Failed")], 11),
                            ([call("x"), call("mend", depends="x.Failed")], 0),
                            ([call("bad", continueOn={"failed": True}), call("x")], 0),
                            ([call("x", when="a == b"), call("mend", depends="x")], 0)):
            with self.subTest(tasks=tasks):
                self.assertEqual(self.ran(dag(*tasks))[0], code)

    def test_the_failure_that_is_told_is_the_one_that_counts(self):
        self.workflow(steps(call("d"), call("ignored", "bad", continueOn={"failed": True}), call("worse")),
                      dag(call("bad"), call("mend", "x", depends="bad.Failed"), name="d"), leaf("bad", "--exit=11"), leaf("x"),
                      leaf("worse", "--exit=12"))
        done = self.run_it()
        self.assertEqual(done.code, 12)
        self.assertIn("capsule-run: error: worse failed with exit code 12: it failed with 12", done.stderr)

    def test_fail_fast_of_a_template(self):
        for more, count in (({}, 6), ({"failFast": False}, 6), ({"failFast": True}, 1)):
            template = steps([call("a", "bad", withItems=[1, 2, 3, 4, 5, 6])], parallelism=1, **more)
            code, labels = self.ran(template)
            self.assertEqual((code, len(labels)), (11, count), more)

    def test_a_fail_fast_that_is_no_boolean_is_refused(self):
        self.workflow({"name": "main", "dag": {"tasks": [call("x")], "failFast": "no"}}, leaf("x"))
        self.refused("failFast")
        self.workflow(steps(call("x"), parallelism=-1), leaf("x"))
        self.refused("parallelism")


if __name__ == "__main__":
    unittest.main()
