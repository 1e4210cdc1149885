"""capsule-run killed, stopped, started twice, resumed."""
import os
import random
import signal
import subprocess
import time
import unittest

from workflow_bench import FAKE_STEP, WorkflowBench, call, inputs, leaf, outputs, steps

ECHO = leaf("echo", "--out={{inputs.parameters.text}}", inputs=["text"])


class Interrupted(WorkflowBench):
    def wait_for_calls(self, count):
        until = time.monotonic() + 20
        while len(self.calls()) < count:
            self.assertLess(time.monotonic(), until, "the step has not begun")
            time.sleep(0.01)

    def assert_gone(self, pid):
        until = time.monotonic() + 5
        while True:
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                    if stat.read().rpartition(")")[2].split()[0] == "Z":
                        return
            except (FileNotFoundError, ProcessLookupError):
                return
            self.assertLess(time.monotonic(), until, f"process {pid} is still there")
            time.sleep(0.01)

    def test_resume_goes_on_after_a_failure(self):
        self.workflow(steps(call("a", "echo", {"text": "from a"}),
                            call("b", "b", {"text": "{{steps.a.outputs.parameters.out}}"}), call("c", "echo", {"text": "end"}),
                            outputs=outputs(result="{{steps.b.outputs.parameters.out}}")),
                      ECHO, leaf("b", "--exit=11", "--good-at=2", "--out={{inputs.parameters.text}}", inputs=["text"]))
        first = self.run_it()
        self.assertEqual(first.code, 11)
        again = self.succeeds("--resume")
        self.assertEqual(again.result["result"], "from a")
        self.assertEqual(self.labels(), ["echo", "b", "b", "echo"])
        self.succeeds("--resume")
        self.assertEqual(len(self.calls()), 4)

    def test_without_resume_every_step_runs_again(self):
        self.workflow(steps(call("a", "echo", {"text": "x"})), ECHO)
        first = self.succeeds()
        self.assertEqual(self.succeeds().result["run_id"], first.result["run_id"])
        self.assertEqual(len(self.calls()), 2)

    def test_the_run_id_follows_files_and_parameters(self):
        def ids(*arguments):
            return self.succeeds(*arguments).result["run_id"]
        self.workflow(steps(call("a", "echo", {"text": "{{inputs.parameters.p}}"}), inputs=inputs("p")), ECHO,
                      parameters={"p": "1"})
        first = ids()
        self.assertEqual(ids("-p", "p=1"), first)
        others = {ids("-p", "p=2"), ids("--new"), ids("--new")}
        self.file.write_text(self.file.read_text() + "# another text\n")
        others.add(ids())
        self.assertEqual(len(others | {first}), 5)

    def test_a_relative_path_of_another_folder_is_another_run(self):
        self.add_program("capsule-fake", FAKE_STEP.replace('"out" in options:', '"out" in options:\n    options["out"] = open("name").read()'))
        self.workflow(steps(call("a", "echo", {"text": "x"}), outputs=outputs(result="{{steps.a.outputs.parameters.out}}")), ECHO)
        results = []
        for name in ("one", "other"):
            (self.root / name).mkdir()
            (self.root / name / "name").write_text(name)
            results.append(self.succeeds("--resume", cwd=self.root / name).result)
        self.assertEqual(["one", "other"], [result["result"] for result in results])
        self.assertNotEqual(results[0]["run_id"], results[1]["run_id"])
        self.assertEqual(results[0], self.succeeds("--resume", cwd=self.root / "one").result)
        self.assertEqual(2, len(self.calls()))

    def test_resume_does_not_reuse_a_step_whose_inputs_have_changed(self):
        self.workflow(steps(call("a", "count"), call("b", "echo", {"text": "{{steps.a.outputs.parameters.out}}"}),
                            call("c"), outputs=outputs(result="{{steps.b.outputs.parameters.out}}")),
                      leaf("count", "--out=1"), ECHO, leaf("c", "--exit=11", "--good-at=2"))
        run_id = None
        self.assertEqual(self.run_it().code, 11)
        # What a step gave is told by its record: here it gave something else, so b must run again.
        record, = self.state.glob("runs/*/nodes/a/result.json")
        record.write_text(record.read_text().replace('"out": "1"', '"out": "2"'))
        self.assertEqual(self.succeeds("--resume").result["result"], "2")
        self.assertEqual(self.labels(), ["count", "echo", "c", "echo", "c"], run_id)

    def test_kill_9_ends_the_steps_and_resume_completes(self):
        self.workflow(steps(call("a", "echo", {"text": "x"}), call("slow"), call("c", "echo", {"text": "y"})),
                      ECHO, leaf("slow", "--sleep=0.4"))
        process = self.start_it()
        self.wait_for_calls(2)
        pid = self.calls("slow")[0]["pid"]
        process.kill()
        process.wait(timeout=10)
        self.assert_gone(pid)
        self.assertEqual(self.calls("slow", event="end"), [])
        self.succeeds("--resume")
        self.assertEqual(self.labels(), ["echo", "slow", "slow", "echo"])

    def test_sigterm_ends_the_steps_within_a_second(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self.workflow(steps([call("a", "slow"), call("b", "slow")]), leaf("slow", "--sleep=30", "--ignore-sigterm=1"))
            before = len(self.calls())
            process = self.start_it()
            self.wait_for_calls(before + 2)
            start = time.monotonic()
            process.send_signal(number)
            _, error = process.communicate(timeout=10)
            self.assertLess(time.monotonic() - start, 1.5)
            self.assertEqual(process.returncode, -number, error)
            for entry in self.calls()[before:]:
                self.assert_gone(entry["pid"])

    def test_a_signal_while_waiting_for_a_retry_ends_it(self):
        self.workflow(steps(call("a")), leaf("a", "--exit=40", retryStrategy={
            "limit": "3", "backoff": {"duration": "1m", "factor": "2"}}))
        process = self.start_it()
        self.wait_for_calls(1)
        time.sleep(0.3)
        process.terminate()
        process.communicate(timeout=5)
        self.assertEqual(process.returncode, -signal.SIGTERM)

    def test_the_same_run_twice_at_once_is_busy(self):
        self.workflow(steps(call("slow")), leaf("slow", "--sleep=1"))
        first = self.start_it()
        self.wait_for_calls(1)
        second = self.run_it()
        self.assertEqual(second.code, 42, second)
        self.assertIn("in progress", second.stderr)
        self.assertEqual(self.run_it("--new").code, 0)
        first.communicate(timeout=10)
        self.assertEqual(first.returncode, 0)

    def test_killed_at_random_moments_it_ends_the_same(self):
        self.workflow(steps(call("a", "echo", {"text": "1"}),
                            [call("b", "echo", {"text": "{{steps.a.outputs.parameters.out}}2"}),
                             call("c", "echo", {"text": "{{steps.a.outputs.parameters.out}}3"})],
                            call("d", "echo", {"text": "{{steps.b.outputs.parameters.out}}{{steps.c.outputs.parameters.out}}"}),
                            outputs=outputs(result="{{steps.d.outputs.parameters.out}}")), ECHO)
        seed = random.randrange(1 << 32)
        moments = random.Random(seed)
        for _ in range(20):
            process = subprocess.Popen(self.command("--resume"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            time.sleep(moments.uniform(0, 0.3))
            process.kill()
            process.wait()
        done = self.run_it("--resume")
        self.assertEqual((done.code, done.stdout and done.result["result"]), (0, "1213"), f"seed {seed}: {done}")
        self.assertEqual([path for path in self.state.rglob(".tmp*")], [])

    def test_something_else_in_the_place_of_a_folder_is_a_conflict(self):
        self.workflow(steps(call("a", "echo", {"text": "x"})), ECHO)
        self.succeeds()
        volumes, = self.state.glob("runs/*/volumes")
        volumes.rename(volumes.with_name("aside"))
        for put in (lambda: volumes.symlink_to("nowhere"), lambda: volumes.write_text("")):
            put()
            done = self.run_it()
            self.assertEqual(14, done.code, done)
            self.assertIn(f"cannot create the folder {volumes}/work: ", done.stderr.splitlines()[-1])
            self.assertNotIn("filesystem error", done.stderr)
            volumes.unlink()
        self.succeeds()

    def test_arguments_and_outputs_are_for_their_user_alone(self):
        """A source may be a URL with a signature in it: whoever reads it can fetch what it names."""
        self.workflow(steps(call("a", "echo", {"text": "{{inputs.parameters.p}}"}), inputs=inputs("p")), ECHO)
        secret = "https://h.example/x?signature=5up3r"
        before = os.umask(0o022)
        try:
            self.succeeds("-p", f"p={secret}")
        finally:
            os.umask(before)
        holding = [path for path in (self.state / "runs").rglob("*") if path.is_file() and secret in path.read_text(errors="replace")]
        self.assertIn("workflow.json", [path.name for path in holding])
        self.assertGreater(len(holding), 1, "an output has it too")
        for path in holding:
            private = [place for place in (path, *path.parents)
                       if self.state in place.parents and place.stat().st_mode & 0o077 == 0]
            self.assertTrue(private, path)

    def test_a_damaged_record_is_not_taken_for_a_result(self):
        self.workflow(steps(call("a", "echo", {"text": "x"})), ECHO)
        self.succeeds()
        record, = self.state.glob("runs/*/nodes/a/result.json")
        for text in ("", "{", "[]", '{"phase": "Succeeded"}'):
            record.write_text(text)
            before = len(self.calls())
            self.succeeds("--resume")
            self.assertEqual(len(self.calls()), before + 1, text)


if __name__ == "__main__":
    unittest.main()
