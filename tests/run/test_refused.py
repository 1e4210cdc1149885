"""What capsule-run refuses before it runs anything, and in which words."""
import subprocess
import unittest

from steps import environment
from workflow_bench import WorkflowBench, call, dag, inputs, leaf, outputs, steps

ECHO = leaf("echo", "--out={{inputs.parameters.text}}", inputs=["text"])


class Refused(WorkflowBench):
    def test_unknown_tags(self):
        for tag in ("{{inputs.parameters.nothing}}", "{{steps.b.outputs.parameters.out}}", "{{nothing}}", "{{}}", "{{ }}",
                    "{{workflow.parameters.nothing}}", "{{=nothing}}", "{{=}}", "{{open", "{{item}}"):
            self.workflow(steps(call("a", "echo", {"text": tag})), ECHO)
            self.refused(arguments=[])

    def test_an_unknown_tag_in_a_template_further_down(self):
        """Found when the step is reached, never put in as an empty string."""
        self.workflow(steps(call("a", "odd")), leaf("odd", "--x={{inputs.parameters.nothing}}"))
        self.refused("inputs.parameters.nothing")

    def test_parameters(self):
        self.workflow(steps(call("a", "echo", {"text": "{{inputs.parameters.p}}"}), inputs=inputs("p")), ECHO,
                      parameters={"p": None})
        self.refused("'p' has no value", "-p p=")
        self.refused("no parameter 'q'", arguments=["-p", "p=1", "-p", "q=1"])
        self.refused("name=value", arguments=["-p", "p"])
        self.refused("name=value", arguments=["-p", "=x"])
        (self.root / "bytes").write_bytes(b"a\x00b")
        self.refused("no text", arguments=["-p", f"p=@{self.root}/bytes"])
        self.refused("no text", arguments=["-p", "p=\udcff"])

    def test_an_input_that_nobody_gives(self):
        self.workflow(steps(call("a", "echo")), ECHO)
        self.refused("'text'")

    def test_an_argument_that_the_template_does_not_have(self):
        self.workflow(steps(call("a", "echo", {"text": "x", "txet": "y"})), ECHO)
        self.refused("'txet'")

    def test_a_value_that_is_not_allowed(self):
        template = leaf("a", "{{inputs.parameters.mode}}")
        template["inputs"] = {"parameters": [{"name": "mode", "default": "fast", "enum": ["slow"]}]}
        self.workflow(steps(call("a")), template)
        self.refused("fast")

    def test_an_argument_that_is_not_allowed(self):
        """Of the entrypoint, of the workflow, of a call."""
        some = {"name": "p", "enum": ["one", "two"]}
        for entrypoint, argument in ((some, {"value": "one"}), ({"name": "p"}, {"value": "one", "enum": ["one", "two"]})):
            self.workflow(steps(call("a", "echo", {"text": "{{inputs.parameters.p}}"}), inputs={"parameters": [entrypoint]}), ECHO,
                          parameters={"p": argument}, hooks={"exit": {"template": "a"}})
            self.refused("'three' is not among the values that 'p' allows: one, two", arguments=["-p", "p=three"])
            self.assertFalse((self.state / "runs").exists(), "it is refused before anything is written")
        for text in ("one", "{{inputs.parameters.p}}"):
            task = call("a", "echo")
            task["arguments"] = {"parameters": [{"name": "text", "value": text, "enum": ["two"]}]}
            self.workflow(steps(task, inputs=inputs("p")), ECHO, parameters={"p": "one"})
            done = self.run_it()
            self.assertEqual((2, []), (done.code, self.calls()), done)
            self.assertIn("'one' is not among", done.stderr)

    def test_duplicate_keys(self):
        self.workflow(steps(call("a")), leaf("a"))
        self.file.write_text(self.file.read_text() + "spec: {}\n")
        self.refused("'spec' is there twice", "w.yaml")
        self.workflow(steps(call("a")), leaf("a"))
        (self.root / "p.yaml").write_text("a: 1\na: 2\n")
        self.refused("twice", arguments=["--parameter-file", self.root / "p.yaml"])

    def test_unknown_and_unsupported_fields(self):
        good = leaf("a")
        cases = [{**good, "surprise": 1}, {"name": "a", "script": {"image": "x", "source": "echo"}},
                 {**good, "container": {**good["container"], "surprise": 1}},
                 {**good, "container": {**good["container"], "workingDir": "/x"}},
                 {**good, "inputs": {"artifacts": []}}, {**good, "retryStrategy": {"limits": "4"}},
                 {**good, "container": {k: v for k, v in good["container"].items() if k != "command"}},
                 {**good, "volumes": [{"name": "work", "hostPath": {"path": "/"}}]}, {"name": "a"},
                 {**good, "steps": [[call("b")]]}, {**good, "retryStrategy": {"limit": "many"}},
                 {**good, "timeout": "soon"}, {**good, "retryStrategy": {"limit": "1", "retryPolicy": "Sometimes"}},
                 {**good, "retryStrategy": {"limit": "1", "backoff": {"duration": "1s", "factor": "two"}}}]
        for template in cases:
            with self.subTest(template=template):
                self.workflow(steps(call("a")), template)
                self.refused("w.yaml")

    def test_fields_of_a_cluster_are_accepted(self):
        template = leaf("a", securityContext={"runAsNonRoot": True}, serviceAccountName="s", pendingTimeout="10m",
                        automountServiceAccountToken=False, executor={"serviceAccountName": "e"},
                        # Of the controller alone: what it names there is known to nobody else.
                        metrics={"prometheus": [{"name": "a_total", "help": "x", "when": "{{status}} != Succeeded", "counter": {"value": "{{duration}}"},
                                                 "labels": [{"key": "exit_code", "value": "{{exitCode}}"}]}]})
        template["container"].update(imagePullPolicy="IfNotPresent", resources={"limits": {"cpu": "1"}},
                                     terminationMessagePolicy="FallbackToLogsOnError",
                                     securityContext={"readOnlyRootFilesystem": True})
        self.workflow(steps(call("a")), template, podGC={"strategy": "OnPodSuccess"},
                      ttlStrategy={"secondsAfterSuccess": 1}, synchronization={"mutexes": [{"name": "m"}]})
        self.succeeds()

    def test_names(self):
        self.workflow(steps(call("a"), call("a")), leaf("a"))
        self.refused("'a'")
        self.workflow(steps(call("a")), leaf("a"), leaf("a"))
        self.refused("'a'")
        for name in ("..", "../x", "a/b", ".", "", "a.b", "x" * 200, "a\nb"):
            self.workflow(steps(call(name, "a")), leaf("a"))
            with self.subTest(name=name):
                self.refused()

    def test_templates_that_are_not_there(self):
        self.workflow(steps(call("a", "nothing")), leaf("a"))
        self.refused("nothing")
        for name in ("nothing", "../loops/w", "/etc/passwd"):
            self.workflow(steps({"name": "a", "templateRef": {"name": name, "template": "x"}}))
            self.refused(name)
        self.workflow(steps({"name": "a", "templateRef": {"name": "", "template": "a"}}), leaf("a"))
        self.refused("the name of a WorkflowTemplate is wanted", "/templateRef/name")
        self.workflow(workflowTemplateRef={"name": ""})
        self.refused("the name of a WorkflowTemplate is wanted", "/workflowTemplateRef/name")
        self.workflow(steps(call("first", "b"), call("a", "nothing")), leaf("b"))
        self.refused("nothing")
        self.workflow(steps(call("a")), leaf("a"), entrypoint="elsewhere")
        self.refused("elsewhere")

    def test_expressions(self):
        for key, value in (("when", "{{nothing}} == true"), ("when", "a =="), ("when", "(a == a"), ("when", "maybe"), ("when", "{{=nothing}}"),
                           ("when", "{{=1 ==}}"), ("withParam", "no list"), ("withParam", '{"a": 1}'), ("withParam", "[1")):
            with self.subTest(key=key, value=value):
                self.workflow(steps(call("a", **{key: value})), leaf("a"))
                self.refused()
        for value in ("no list", '{"a": 1}', ""):
            self.workflow(steps(call("b"), call("a", withParam="{{steps.b.outputs.parameters.out}}")),
                          leaf("a"), leaf("b", f"--out={value}"))
            done = self.run_it()
            self.assertEqual(done.code, 10, done)
            self.assertIn("withParam", done.stderr.splitlines()[-1])
            self.assertEqual(self.calls("a"), [])
        (self.state / "calls").unlink()
        for depends in ("nothing", "b.Done", "b &&", "a"):
            with self.subTest(depends=depends):
                self.workflow(dag(call("b"), call("a", depends=depends)), leaf("a"), leaf("b"))
                self.refused()

    def test_a_retry_expression_that_is_not_understood_is_found_before_the_first_try(self):
        self.workflow(steps(call("a")), leaf("a", "--exit=40", retryStrategy={"limit": "1", "expression": "lastRetry.exit == 1"}))
        self.refused("lastRetry.exit")

    def test_circles(self):
        self.workflow(dag(call("a", depends="b"), call("b", depends="a")), leaf("a"), leaf("b"))
        self.refused("circle")
        self.workflow(steps(call("again", "main")))
        done = self.run_it()
        self.assertEqual((done.code, self.calls()), (2, []))
        self.assertRegex(done.stderr.splitlines()[-1], "^.{0,300}deeper than 16 levels")

    def test_files(self):
        self.file.unlink(missing_ok=True)
        self.refused("w.yaml", code=12)
        for text in ("", "[]", "a: b", "kind: Pod", "{", "\x00", "a: &x 1\nb: *x\n", "--- {}\n--- {}\n"):
            self.file.write_text(text)
            self.refused("w.yaml")
        self.workflow(steps(call("a")), leaf("a"))
        self.refused(arguments=["--config", self.root / "nothing.yaml"], code=12)
        self.file.write_bytes(b"#" * (5 << 20))
        self.refused("limit")

    def test_nothing_is_left_of_a_refusal(self):
        self.workflow(steps(call("a", "nothing")))
        self.run_it()
        self.assertEqual(list(self.state.iterdir()), [])

    def test_options(self):
        for arguments in ([], ["a", "b"], ["--nothing"], ["x.yaml", "--output", "xml"]):
            done = subprocess.run([self.bin / "capsule-run", *arguments], env=environment(), capture_output=True, text=True,
                                  check=False)
            self.assertIn(done.returncode, (2, 12), done)


if __name__ == "__main__":
    unittest.main()
