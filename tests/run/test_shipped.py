"""The shipped loops through capsule-run, with steps that do nothing but leave the outputs that their templates declare."""
import shutil
import unittest
from pathlib import Path

import yaml

from steps import SOURCE, run
from workflow_bench import WorkflowBench

STEP = """#!/bin/sh
for argument; do
  case $argument in --outputs=*) outputs=${{argument#--outputs=}};; esac
done
printf '%s\\n' "$0 $*" >> "$CAPSULE_STATE/lines"
mkdir -p "$outputs"
{writes}
"""


class Shipped(WorkflowBench):
    def setUp(self):
        super().setUp()
        shutil.copytree(SOURCE / "workflows", self.root / "workflows", dirs_exist_ok=True)
        programs = {}  # {name: {what it leaves}}; a program may be in several templates
        for file in self.templates.glob("*.yaml"):
            if file.name == "kustomization.yaml":
                continue
            for template in yaml.safe_load(file.read_text())["spec"]["templates"]:
                if "container" not in template or template["container"]["command"] == ["/usr/local/bin/capsule-run"]:
                    continue  # the exit hook, and what runs on a cluster alone: by the real one
                outputs = [Path(parameter["valueFrom"]["path"]) for parameter in template["outputs"]["parameters"]]
                self.assertEqual({path.parent for path in outputs}, {Path("/work/outputs")})
                programs.setdefault(Path(template["container"]["command"][0]).name, set()).update(path.name for path in outputs)
        for program, names in programs.items():
            self.add_program(program, STEP.format(writes="\n".join(
                f'echo "{program.removeprefix("capsule-")}:{name}" > "$outputs/{name}"' for name in names)))

    def lines(self):
        return [line.split()[0].rpartition("/")[2] for line in (self.state / "lines").read_text().splitlines()]

    def test_build(self):
        self.file = self.root / "workflows/loops/capsule-build.yaml"
        done = self.succeeds("-p", "source=/a folder/x", "-p", "publish=false")
        self.assertEqual(self.lines(), ["capsule-pack", "capsule-sign"])
        self.assertEqual((done.result["package"], done.result["reference"]), ("sign:package", ""))
        self.succeeds("-p", "source=/a folder/x", "-p", "registry=oci-layout:/r")
        self.assertEqual(self.lines()[2:], ["capsule-pack", "capsule-sign", "capsule-publish"])
        self.refused_for("source")
        done = self.run_it("-p", "source=/a folder/x", "-p", "publish=maybe")
        self.assertEqual(2, done.code, done)
        self.assertIn("'maybe' is not among the values that 'publish' allows: true, false", done.stderr)

    def refused_for(self, name):
        done = self.run_it()
        self.assertEqual(done.code, 2, done)
        self.assertIn(f"-p {name}=", done.stderr)

    def test_deploy_loop(self):
        self.file = self.root / "workflows/loops/capsule-deploy-loop.yaml"
        arguments = ["-p", "source=x.tar.gz", "-p", "registry=oci-layout:/r"]
        done = self.succeeds(*arguments)
        self.assertEqual(self.lines(), [f"capsule-{step}" for step in (
            "download", "verify", "publish", "deploy", "generate-proof", "anchor", "register")])
        self.assertEqual(done.result["uri"], "register:uri")
        self.assertEqual(done.result["proof_id"], "generate-proof:proof-id")
        config = self.root / "workflows/services/capsule-loop-config.yaml"
        self.succeeds("--config", config)
        self.refused_for("source")

    def test_the_loop_in_one_pod_is_for_a_cluster_alone(self):
        self.file = self.root / "workflows/loops/capsule-deploy-loop-fused.yaml"
        done = self.run_it("-p", "source=x.tar.gz", "-p", "registry=oci-layout:/r")
        self.assertEqual(2, done.code, done)
        self.assertIn("a loop in one pod is for a cluster alone", done.stderr)

    def test_the_exit_hook_says_why(self):
        self.file = self.root / "workflows/loops/capsule-deploy-loop.yaml"
        self.add_program("capsule-verify", """#!/bin/sh\necho '{"level": "error", "message": "nobody has signed it"}' >&2\nexit 11\n""")
        done = self.run_it("-p", "source=x.tar.gz", "-p", "registry=oci-layout:/r")
        self.assertEqual(11, done.code, done)
        self.assertRegex(done.stderr, r"\| .*verify failed with exit code 11: nobody has signed it")
        self.assertRegex(done.stderr.splitlines()[-1], "verify failed with exit code 11: nobody has signed it;")

    def test_what_failed_and_went_well_when_tried_again_is_no_failure(self):
        failures = '[{"displayName": "verify(0)", "message": "main: Error (exit code 40): later"}]'
        for status, step in (("Failed", "verify"), ("Succeeded", "")):
            self.assertEqual(step, run("run", "explain", "--status", status, "--failures", failures).result["step"])

    def test_tick(self):
        """What there is to do decides whether more than the plan runs."""
        parameters = [{"name": name, "value": "x"} for name in ("source", "registry")]
        self.file.write_text(yaml.safe_dump({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "w-"}, "spec": {
            "workflowTemplateRef": {"name": "capsule-deploy-loop-tick"}, "arguments": {"parameters": parameters}}}))
        done = self.succeeds()
        self.assertEqual(["deploy", "download", "verify", "publish", "deploy", "generate-proof", "anchor", "register"],
                         [line.removeprefix("capsule-") for line in self.lines()])
        self.assertEqual(("deploy:action", "register:uri"), (done.result["action"], done.result["uri"]))
        (self.state / "lines").unlink()
        self.add_program("capsule-deploy", STEP.format(writes='for name in action reason reference capsule-digest; do echo none > "$outputs/$name"; done'))
        done = self.succeeds()
        self.assertEqual((["capsule-deploy"], "none", ""), (self.lines(), done.result["action"], done.result["uri"]))


if __name__ == "__main__":
    unittest.main()
