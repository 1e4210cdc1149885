"""capsule-run: order, values, conditions, loops, retries, time limits, hooks, on small workflow files."""
import json
import os
import signal
import time
import unittest

from workflow_bench import FAKE_STEP, WorkflowBench, call, dag, inputs, leaf, outputs, steps

RETRY = {"limit": "4", "retryPolicy": "Always",
         "expression": 'lastRetry.status == "Error" || (asInt(lastRetry.exitCode) >= 40 && '
                       'asInt(lastRetry.exitCode) <= 49) || asInt(lastRetry.exitCode) in [-1, 137, 143]',
         "backoff": {"duration": "10ms", "factor": "2", "cap": "50ms", "maxDuration": "1m"}}
ECHO = leaf("echo", "--out={{inputs.parameters.text}}", inputs=["text"])
OUT = "{{steps.%s.outputs.parameters.out}}"


class Values(WorkflowBench):
    def test_outputs_flow_from_step_to_step_and_to_the_end(self):
        self.workflow(steps(call("one", "echo", {"text": "{{inputs.parameters.word}}"}),
                            call("two", "echo", {"text": f"<{OUT % 'one'}>"}),
                            inputs=inputs("word"), outputs=outputs(result=OUT % "two")),
                      ECHO, parameters={"word": "hello"})
        done = self.succeeds()
        self.assertEqual(done.result["result"], "<hello>")
        self.assertRegex(done.result["run_id"], "^[0-9a-f]{16}$")
        self.assertEqual([line["event"] for line in self.calls() + self.calls(event="end")], ["start"] * 2 + ["end"] * 2)

    def test_outputs_are_files_too(self):
        self.workflow(steps(call("one", "echo", {"text": "x"}), outputs=outputs(result=OUT % "one")), ECHO)
        done = self.succeeds("--outputs", self.root / "out")
        self.assertEqual((self.root / "out/result").read_text(), "x")
        self.assertEqual((self.root / "out/run-id").read_text(), done.result["run_id"])
        self.assertEqual(json.loads((self.root / "out/report.json").read_text()), done.result)

    def test_a_value_stays_one_argument_and_becomes_no_code(self):
        """Attack 24."""
        self.workflow(steps(call("one", template="take", arguments={"text": "{{inputs.parameters.word}}"}),
                            inputs=inputs("word")),
                      leaf("take", "--", "{{inputs.parameters.text}}", inputs=["text"]), parameters={"word": ""})
        for word in ("; touch pwned", "$(touch pwned)", "`touch pwned`", "a b  c", "'\"", "--exit=3", "-x", "a\nb", "\t",
                     "{{workflow.name}}", "{{=1 == 1}}", "{{", "}}", "a=b=c", "=", "/work/x", "ümläut ✔", "*", "~", "\\",
                     "@/etc/passwd"[1:], "null", "true", "007", "1e3", "#", "%s"):
            with self.subTest(word=word):
                self.succeeds("-p", f"word={word}")
                last = self.calls()[-1]
                self.assertEqual(last["arguments"][-2:], ["--", word])
        self.assertFalse(list(self.root.rglob("pwned")))

    def test_parameters_from_files(self):
        self.workflow(steps(call("one", "echo", {"text": "{{inputs.parameters.a}},{{inputs.parameters.b}}"}),
                            inputs=inputs("a", "b"), outputs=outputs(result=OUT % "one")),
                      ECHO, parameters={"a": None, "b": None})
        (self.root / "parameters.yaml").write_text("a: 007\nb: from the file\n")
        (self.root / "long").write_text("x" * 200_000 + "\n")
        file = self.root / "parameters.yaml"
        self.assertEqual(self.succeeds("--parameter-file", file).result["result"], "007,from the file")
        self.assertEqual(self.succeeds("--parameter-file", file, "-p", "b=wins").result["result"], "007,wins")

    def test_a_long_value_from_a_file(self):
        self.workflow(steps(call("one", "echo", {"text": "{{inputs.parameters.a}}"}), inputs=inputs("a"),
                            outputs=outputs(result=OUT % "one")), ECHO, parameters={"a": None})
        (self.root / "long").write_text("x" * 100_000 + "\n")
        self.assertEqual(self.succeeds("-p", f"a=@{self.root}/long").result["result"], "x" * 100_000)

    def test_parameters_from_a_config_map(self):
        key = {"valueFrom": {"configMapKeyRef": {"name": "loop", "key": "word"}, "default": "fallback"}}
        self.workflow(steps(call("one", "echo", {"text": "{{inputs.parameters.a}}"}), inputs=inputs("a"),
                            outputs=outputs(result=OUT % "one")), ECHO, parameters={"a": key})
        config = self.root / "config.yaml"
        config.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: loop}\ndata: {word: configured}\n")
        self.assertEqual(self.succeeds().result["result"], "fallback")
        self.assertEqual(self.succeeds("--config", config).result["result"], "configured")
        self.assertEqual(self.succeeds("--config", config, "-p", "a=given").result["result"], "given")
        config.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\ndata: {word: configured}\n")
        self.assertEqual(self.succeeds("--config", config).result["result"], "fallback")

    def test_the_environment_of_a_step(self):
        self.workflow(steps(call("one", "echo", {"text": "x"})), ECHO)
        env = {**os.environ, "CAPSULE_SECRET": "s3cret", "LD_PRELOAD": "", "AWS_SECRET_ACCESS_KEY": "k",
               "DOCKER_CONFIG": "/d", "REGISTRY_AUTH_FILE": "/a", "XDG_RUNTIME_DIR": "/r",
               "CAPSULE_INSECURE_REGISTRY": "r.example:5000", "CAPSULE_REGISTRY_CA": "/ca.pem",
               "ARGO_WORKFLOW_NAME": "w-1", "ARGO_WORKFLOW_UID": "0-1",
               "KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
        self.succeeds(env=env)
        seen = self.calls()[0]["environment"]
        self.assertEqual(seen["CAPSULE_STATE"], str(self.state))
        self.assertTrue(seen["TMPDIR"].startswith(str(self.state / "runs")), seen)
        self.assertTrue(os.path.isdir(seen["TMPDIR"]))
        self.assertEqual([seen[name] for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR")], ["/d", "/a", "/r"])
        self.assertEqual([seen[name] for name in ("CAPSULE_INSECURE_REGISTRY", "CAPSULE_REGISTRY_CA")],
                         ["r.example:5000", "/ca.pem"])
        self.assertEqual([seen[f"KUBERNETES_SERVICE_{name}"] for name in ("HOST", "PORT")], ["10.0.0.1", "443"])
        self.assertEqual([seen[f"ARGO_WORKFLOW_{name}"] for name in ("NAME", "UID")], ["w-1", "0-1"])
        self.assertNotIn("CAPSULE_SECRET", seen)
        self.assertNotIn("AWS_SECRET_ACCESS_KEY", seen)
        # What the credential plug-in of a kubeconfig needs is named.
        self.succeeds("--pass-env", "AWS_SECRET_ACCESS_KEY,NOT_SET", "--new", env=env)
        seen = self.calls()[-1]["environment"]
        self.assertEqual(("k", False), (seen["AWS_SECRET_ACCESS_KEY"], "NOT_SET" in seen))
        for wrong in ("CAPSULE_SECRET", "A=b", "a b"):
            self.assertEqual(2, self.run_it("--pass-env", wrong, "--new", env=env).code, wrong)

    def test_the_caller_knows_the_images_of_pods(self):
        """An overlay reaches those in the template that a pod is made of, not those of the files in it."""
        template = leaf("look")
        template["container"].setdefault("env", []).extend({"name": f"CAPSULE_{name}_IMAGE", "value": "none.invalid/x"} for name in ("AGENT", "VERIFY"))
        self.workflow(steps(call("look")), template)
        self.succeeds(env={**os.environ, "CAPSULE_AGENT_IMAGE": "r.example/agent@sha256:1", "CAPSULE_RUNTIME_IMAGE": "r.example/python"})
        seen = self.calls()[0]["environment"]
        self.assertEqual((seen["CAPSULE_AGENT_IMAGE"], seen["CAPSULE_VERIFY_IMAGE"]), ("r.example/agent@sha256:1", "none.invalid/x"))
        self.assertNotIn("CAPSULE_RUNTIME_IMAGE", seen)

    def test_programs_come_from_beside_capsule_run_never_from_path(self):
        elsewhere = self.root / "elsewhere"
        elsewhere.mkdir()
        (self.bin / "capsule-fake").rename(elsewhere / "capsule-fake")
        self.workflow(steps(call("one", "echo", {"text": "x"})), ECHO)
        done = self.run_it(env={**os.environ, "PATH": str(elsewhere)})
        self.assertEqual(done.code, 2, done)
        self.assertIn("capsule-fake", done.stderr)
        self.assertEqual(self.calls(), [])

    def test_volumes(self):
        template = leaf("look", "--key=/keys/proof/key.pem", "--trust=/trust/trust.yaml", "--x=/keys/proof-service/k")
        template["container"]["volumeMounts"] += [{"name": "key", "mountPath": "/keys/proof", "readOnly": True},
                                                  {"name": "trust", "mountPath": "/trust", "readOnly": True}]
        template["volumes"] += [{"name": "key", "secret": {"secretName": "capsule-key-proof", "optional": True}},
                                {"name": "trust", "configMap": {"name": "capsule-trust", "optional": True}}]
        self.workflow(steps(call("look")), template)
        self.succeeds()
        seen = self.calls()[0]["arguments"]
        self.assertIn(f"--key={self.state}/secrets/capsule-key-proof/key.pem", seen)
        self.assertIn(f"--trust={self.state}/configmaps/capsule-trust/trust.yaml", seen)
        self.assertIn("--x=/keys/proof-service/k", seen)


class Flow(WorkflowBench):
    def test_what_stands_in_one_group_runs_at_once(self):
        self.workflow(steps([call("a"), call("b")]), leaf("a", "--wait-for=b"), leaf("b", "--wait-for=a"))
        self.succeeds()

    def test_a_dag_runs_what_it_can_at_once_and_waits_for_what_it_must(self):
        self.workflow(dag(call("a"), call("b"), call("c", depends="a && b"), call("d", depends="a")),
                      leaf("a", "--wait-for=b"), leaf("b", "--wait-for=a"), leaf("c"), leaf("d"))
        self.succeeds()
        self.assertEqual(set(self.labels()[:2]), {"a", "b"})
        self.assertEqual(set(self.labels()[2:]), {"c", "d"})

    def test_a_dag_task_starts_as_soon_as_its_own_dependencies_are_done(self):
        """slow goes on only when after-quick has begun."""
        self.workflow(dag(call("quick"), call("slow"), call("after-quick", depends="quick")),
                      leaf("quick"), leaf("slow", "--wait-for=after-quick"), leaf("after-quick"))
        self.succeeds()

    def test_depends(self):
        self.workflow(dag(call("bad"), call("mend", depends="bad.Failed"), call("never", depends="bad.Succeeded"),
                          call("last", depends="mend.Succeeded && !never.Succeeded || never")),
                      leaf("bad", "--exit=11"), leaf("mend"), leaf("never"), leaf("last"))
        self.run_it()
        self.assertEqual(self.labels(), ["bad", "mend", "last"])

    def test_when(self):
        self.workflow(steps(call("a", when="{{inputs.parameters.go}} == true"), inputs=inputs("go"),
                            outputs=outputs(result={"parameter": OUT % "a", "default": "none"})),
                      leaf("a", "--out=ran"), parameters={"go": "false"})
        self.assertEqual(self.succeeds().result["result"], "none")
        self.assertEqual(self.succeeds("-p", "go=true").result["result"], "ran")
        self.assertEqual(self.succeeds("-p", "go=x == x || true").result["result"], "none")
        self.assertEqual(len(self.calls()), 1)

    def test_when_with_an_expression(self):
        self.workflow(steps(call("a", when="{{=asInt(inputs.parameters.n) > 2}}"), call("b", when="{{=inputs.parameters.n}} == 2"),
                            inputs=inputs("n")), leaf("a"), leaf("b"), parameters={"n": "3"})
        self.succeeds()
        self.assertEqual(["a"], self.labels())
        self.succeeds("-p", "n=2")
        self.assertEqual(["a", "b"], self.labels())

    def test_items(self):
        self.workflow(steps([call("a", "echo", {"text": "{{item}}"}, withItems=["x", 2, {"k": "v"}])],
                            [call("b", "echo", {"text": "{{item}}!"}, withParam=OUT % "a")],
                            outputs=outputs(result=OUT % "b")), ECHO)
        self.assertEqual(json.loads(self.succeeds().result["result"]), ["x!", "2!", '{"k":"v"}!'])
        self.assertEqual(len(self.calls()), 6)

    def test_expression_tags(self):
        self.workflow(steps(call("a", "echo", {"text": "{{=asInt(inputs.parameters.n) > 2 && "
                                                       "inputs.parameters['n'] in ['3', '4']}}"}),
                            inputs=inputs("n"), outputs=outputs(result=OUT % "a")), ECHO, parameters={"n": "3"})
        self.assertEqual(self.succeeds().result["result"], "true")
        self.assertEqual(self.succeeds("-p", "n=5").result["result"], "false")

    def test_template_references(self):
        self.template("lib", ECHO)
        self.template("outer", steps({"name": "in", "templateRef": {"name": "lib", "template": "echo"},
                                      "arguments": {"parameters": [{"name": "text",
                                                                    "value": "{{inputs.parameters.t}}"}]}},
                                     inputs=inputs("t"), outputs=outputs(out=OUT % "in")), entrypoint="main")
        self.file.write_text("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: w-}\n"
                             "spec:\n  workflowTemplateRef: {name: outer}\n"
                             "  arguments: {parameters: [{name: t, value: through}]}\n")
        self.assertEqual(self.succeeds().result["out"], "through")


class Failures(WorkflowBench):
    def test_the_failing_step_is_named_with_its_code_its_words_and_the_way_on(self):
        self.workflow(steps(call("first"), call("bad"), call("after")), leaf("first"), leaf("bad", "--exit=11"),
                      leaf("after"))
        done = self.run_it()
        self.assertEqual(done.code, 11)
        last = done.stderr.strip().splitlines()[-1]
        for word in ("bad", "exit code 11", "it failed with 11"):
            self.assertIn(word, last)
        self.assertEqual(self.labels(), ["first", "bad"])

    def test_the_way_on_is_the_one_that_leads_on(self):
        for code, with_resume in ((2, False), (10, False), (11, False), (12, False), (13, True), (14, False), (15, False), (16, False),
                                  (77, False), (40, True), (41, True), (42, True), (137, True), (143, True)):
            with self.subTest(code=code):
                self.workflow(steps(call("bad")), leaf("bad", f"--exit={code}"))
                last = self.run_it().stderr.strip().splitlines()[-1]
                self.assertIn("the same command with --resume" if with_resume else "without --resume", last)
                self.assertNotIn("without --resume" if with_resume else "the same command with --resume", last)
                self.assertNotIn("--resume", self.run_it("--new").stderr)

    def test_what_was_mended_is_read_when_the_advice_is_followed(self):
        """A source that fails in a later step: mended in its place, and run as the error says."""
        self.add_program("capsule-fake", FAKE_STEP.replace('if "out" in options:', """if "read" in options:
    options["out"] = open(options["read"]).read()
if "run" in options:
    options["exit"] = options["run"]
if "out" in options:"""))
        source = self.root / "source"
        source.write_text("16")
        self.workflow(steps(call("read"), call("run", "run", {"code": OUT % "read"})), leaf("read", f"--read={source}"),
                      leaf("run", "--run={{inputs.parameters.code}}", inputs=["code"]))
        self.assertIn("run it without --resume", self.run_it().stderr)
        source.write_text("0")
        self.assertEqual(16, self.run_it("--resume").code, "that is what --resume means")
        self.succeeds()

    def test_exit_codes(self):
        for code, ours in ((2, 2), (10, 10), (14, 14), (16, 16), (40, 40), (42, 42), (1, 16), (77, 16)):
            self.workflow(steps(call("bad")), leaf("bad", f"--exit={code}"))
            self.assertEqual(self.run_it().code, ours, code)

    def test_retries(self):
        for code, good_at, tries, ours in ((40, 3, 3, 0), (42, 9, 5, 42), (11, 2, 1, 11), (143, 2, 2, 0)):
            with self.subTest(code=code):
                label = f"x{code}"
                self.workflow(steps(call(label)),
                              leaf(label, f"--exit={code}", f"--good-at={good_at}", retryStrategy=RETRY))
                self.assertEqual(self.run_it().code, ours)
                self.assertEqual(len(self.calls(label)), tries)

    def test_a_step_that_is_killed_is_tried_again(self):
        self.workflow(steps(call("x")), leaf("x", "--sleep=20", retryStrategy={**RETRY, "limit": "1"}))
        process = self.start_it()
        for count in (1, 2):
            self.wait_until(lambda: len(self.calls()) == count)
            os.kill(self.calls()[-1]["pid"], signal.SIGKILL)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 40)

    def wait_until(self, condition):
        until = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.01)

    def test_time_limits(self):
        for label, leaf_more, spec in (("a", {"timeout": "300ms"}, {}), ("b", {}, {"activeDeadlineSeconds": 1})):
            self.workflow(steps(call(label)), leaf(label, "--sleep=30", "--ignore-sigterm=1", **leaf_more), **spec)
            start = time.monotonic()
            done = self.run_it()
            self.assertEqual(done.code, 41, done)
            self.assertIn("time limit", done.stderr)
            self.assertLess(time.monotonic() - start, 8)
            self.assertFalse(os.path.exists(f"/proc/{self.calls(label)[0]['pid']}"))

    def test_a_missing_output_without_a_default_is_an_error(self):
        template = leaf("a")
        template["outputs"]["parameters"][0]["valueFrom"].pop("default")
        self.workflow(steps(call("a"), call("b")), template, leaf("b"))
        done = self.run_it()
        self.assertNotEqual(done.code, 0)
        self.assertIn("out", done.stderr)
        self.assertEqual(self.labels(), ["a"])

    def test_lines_of_a_step_are_forwarded_with_its_name(self):
        self.workflow(steps(call("outer", "inner")), steps(call("a"), name="inner"), leaf("a", "--say=hello \x1b[31m"))
        done = self.succeeds()
        self.assertIn("outer/a | hello \\x1b[31m", done.stderr)

    def test_one_line_for_each_change_of_state(self):
        self.workflow(steps(call("a"), call("b", when="a == b")), leaf("a"), leaf("b"))
        lines = self.succeeds().stderr.splitlines()
        self.assertEqual([sum(line.startswith(f"capsule-run: {text}") for line in lines)
                          for text in ("a: Running", "a: Succeeded after", "b: Skipped")], [1, 1, 1], lines)

    def test_an_entrypoint_that_is_a_container_tells_how_it_ended(self):
        for code, phase in ((0, "Succeeded"), (11, "Failed")):
            self.workflow(leaf("main", f"--exit={code}"))
            done = self.run_it()
            self.assertEqual(code, done.code, done)
            told = [line for line in done.stderr.splitlines() if line.startswith("capsule-run: the workflow: ")]
            self.assertEqual(["Running", phase], [line.split()[3] for line in told], done)

    def test_what_is_kept_says_so(self):
        self.workflow(steps(call("a"), call("outer", "inner"), call("b")), steps(call("in", "a"), name="inner"), leaf("a"),
                      leaf("b", "--exit=40", "--good-at=2"))
        self.assertNotIn("kept", self.run_it().stderr)
        lines = self.succeeds("--resume").stderr.splitlines()
        for node, kept in (("a", True), ("outer/in", True), ("b", False)):
            line, = (line for line in lines if line.startswith(f"capsule-run: {node}: Succeeded"))
            self.assertEqual(kept, "kept from before" in line, line)


class Hooks(WorkflowBench):
    HOOK = leaf("tell", "--", "{{inputs.parameters.status}}", "{{inputs.parameters.failures}}",
                inputs=["status", "failures"])

    def hook(self):
        self.template("tell", self.HOOK)
        return {"exit": {"templateRef": {"name": "tell", "template": "tell"}, "arguments": {"parameters": [
            {"name": "status", "value": "{{workflow.status}}"},
            {"name": "failures", "value": "{{workflow.failures}}"}]}}}

    def test_the_exit_hook_after_success_and_after_failure(self):
        for code, status in ((0, "Succeeded"), (11, "Failed")):
            self.workflow(steps(call("a", "work")), leaf("work", f"--exit={code}"), hooks=self.hook())
            self.assertEqual(self.run_it().code, code)
            told, failures = self.calls("tell")[-1]["rest"][-2:]
            self.assertEqual(told, status)
            while isinstance(failures, str):  # JSON inside of a JSON string, as Argo gives it
                failures = json.loads(failures)
            if code:
                self.assertIn("(exit code 11): it failed with 11", failures[0]["message"])
            else:
                self.assertIsNone(failures)

    def test_the_older_handler_knows_the_status_in_its_own_template(self):
        self.workflow(steps(call("a", "work")), leaf("work", "--exit=11"),
                      leaf("tell", "--", "{{workflow.status}}"), onExit="tell")
        self.assertEqual(self.run_it().code, 11)
        self.assertEqual(self.calls("tell")[-1]["rest"][-1], "Failed")

    def test_the_exit_hook_runs_when_a_value_of_the_workflow_is_not_to_be_had(self):
        self.workflow(steps(call("a", "work"), call("b", "work", withParam="{{steps.a.outputs.parameters.out}}")),
                      leaf("work", "--out=no list"), hooks=self.hook())
        self.assertNotEqual(self.run_it().code, 0)
        self.assertEqual([entry["rest"][0] for entry in self.calls("tell")], ["Error"])

    def test_a_failing_hook_fails_the_run(self):
        self.workflow(steps(call("a")), leaf("a"), leaf("tell", "--exit=12"), onExit="tell")
        done = self.run_it()
        self.assertEqual(done.code, 12, done)
        self.assertIn("onExit", done.stderr)


if __name__ == "__main__":
    unittest.main()
