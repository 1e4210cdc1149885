"""The rules that a shipped workflow file obeys beyond Argo's schema; each rule also refuses a broken file."""

import copy
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import fused_rules  # noqa: E402
import metric_rules  # noqa: E402
import strict_yaml  # noqa: E402
import workflow_files  # noqa: E402
import workflow_rules  # noqa: E402

STEPS = ("pack", "sign", "download", "verify", "publish", "deploy", "generate-proof", "anchor", "register")
LEAF = "workflows/templates/verify.yaml"
DEPLOY = "workflows/templates/deploy.yaml"
PLAN = "workflows/templates/plan.yaml"
LOOP = "workflows/templates/capsule-deploy-loop.yaml"
FUSED = "workflows/templates/capsule-deploy-loop-fused.yaml"
BUILD = "workflows/templates/capsule-build.yaml"
SUBMITTED = "workflows/loops/capsule-deploy-loop.yaml"
CONFIG = "workflows/services/capsule-loop-config.yaml"


class Rules(unittest.TestCase):
    def setUp(self):
        self.documents = workflow_files.shipped()

    def assert_refused(self, rule, path, change, message):
        """RULE holds for the shipped files, and finds MESSAGE once CHANGE has been made to PATH."""
        documents = copy.deepcopy(self.documents)
        change(documents[path])
        found = list(rule(documents))
        self.assertTrue(any(message in fault for fault in found), f"{message!r} is not in {found}")

    def test_every_step_has_its_template(self):
        library = workflow_files.templates_by_name(self.documents)
        for step in STEPS:
            self.assertIn((step, step), library)

    def test_files(self):
        self.assertEqual([], list(workflow_rules.file_faults(self.documents)))
        for path in self.documents:
            with open(os.path.join(workflow_files.SOURCE, path), encoding="utf-8") as file:
                self.assertEqual([], list(workflow_rules.text_faults(path, file.read())))

    def test_files_refused(self):
        cases = [
            (LEAF, lambda d: d["metadata"].update(name="verifies"), "metadata.name is"),
            (LEAF, lambda d: d["metadata"]["labels"].clear(), "app.kubernetes.io/part-of is missing"),
            (LEAF, lambda d: d["metadata"]["annotations"].clear(), "workflows.argoproj.io/title is missing"),
            (SUBMITTED, lambda d: d["metadata"].update(name="capsule-deploy-loop"), "a second create must work"),
        ]
        for path, change, message in cases:
            with self.subTest(message):
                self.assert_refused(workflow_rules.file_faults, path, change, message)
        self.assertEqual(2, len(list(workflow_rules.text_faults("x", "a: 1 \n---\n"))))

    def test_leaves(self):
        self.assertEqual([], list(workflow_rules.leaf_faults(self.documents)))

    def test_leaves_refused(self):
        def leaf(change):
            return lambda document: change(document["spec"]["templates"][0])

        cases = [
            (LEAF, leaf(lambda t: t.update(script={"source": ""}) or t.pop("container")), "only `container`"),
            (LEAF, leaf(lambda t: t["container"].pop("command")), "command is None"),
            (LEAF, leaf(lambda t: t["container"].update(command=["capsule-verify"])), "command is"),
            (LEAF, leaf(lambda t: t["container"].update(image="capsule-loop.invalid/verify:latest")), "image is"),
            (LEAF, leaf(lambda t: t["container"].update(image="docker.io/verify:0.1.0")), "image is"),
            (LEAF, leaf(lambda t: t["container"]["args"].insert(0, "{{inputs.parameters.capsule}}")), "before `--`"),
            (LEAF, leaf(lambda t: t["container"]["args"].insert(0, "--target")), "has no `=`"),
            (LEAF, leaf(lambda t: t["container"]["args"].remove("--outputs=/work/outputs")), "--outputs"),
            (LEAF, leaf(lambda t: t["container"].pop("terminationMessagePolicy")), "terminationMessagePolicy"),
            (LEAF, leaf(lambda t: t["securityContext"].update(runAsUser=0)), "the pod's securityContext"),
            (LEAF, leaf(lambda t: t["container"].pop("securityContext")), "the container's securityContext"),
            (LEAF, leaf(lambda t: t["container"]["resources"].pop("limits")), "resources.limits.memory"),
            (LEAF, leaf(lambda t: t.pop("pendingTimeout")), "pendingTimeout is missing"),
            (LEAF, leaf(lambda t: t.update(timeout="5m")), "larger than pendingTimeout"),
            (LEAF, leaf(lambda t: t["retryStrategy"].update(expression="true")), "expression is another one"),
            (LEAF, leaf(lambda t: t["retryStrategy"].update(limit="9")), 'limit "4"'),
            (LEAF, leaf(lambda t: t["retryStrategy"]["backoff"].update(maxDuration="1h")), "maxDuration"),
            (LEAF, leaf(lambda t: t["volumes"].pop()), "but mounts"),
            (LEAF, leaf(lambda t: t["volumes"][1]["configMap"].pop("optional")), "optional"),
            (LEAF, leaf(lambda t: t["volumes"][0]["emptyDir"].clear()), "sizeLimit"),
            (LEAF, leaf(lambda t: t["container"]["args"].insert(0, "--key=/keys/index/key.pem")), "not mounted"),
            (LEAF, leaf(lambda t: t["inputs"]["parameters"][1].update(default="/work/x")), "a path under a mount"),
            (LEAF, leaf(lambda t: t.update(automountServiceAccountToken=True)), "automountServiceAccountToken"),
            (LEAF, leaf(lambda t: t.pop("executor")), "executor.serviceAccountName"),
            (DEPLOY, leaf(lambda t: t.update(automountServiceAccountToken=False)), "automountServiceAccountToken"),
            (DEPLOY, leaf(lambda t: t["volumes"][-1]["configMap"].update(name="ca")), "/registry/ca is not mounted"),
            (DEPLOY, leaf(lambda t: t["container"]["env"].pop()), "CAPSULE_REGISTRY_CA is not"),
            (DEPLOY, leaf(lambda t: t["container"]["args"].remove("--insecure-registry={{inputs.parameters.insecure-registry}}")), "--insecure-registry is not"),
            (DEPLOY, leaf(lambda t: t["container"]["args"].remove("--auth-host={{inputs.parameters.auth-host}}")), "--auth-host is not"),
        ]
        for path, change, message in cases:
            with self.subTest(message):
                self.assert_refused(workflow_rules.leaf_faults, path, change, message)

    def test_metrics(self):
        self.assertEqual([], list(metric_rules.faults(self.documents)))

        def metric(index, change):
            return lambda document: change(document["spec"]["templates"][0]["metrics"]["prometheus"][index])

        def label(index, **field):
            return metric(index, lambda m: m["labels"][1].update(field))

        cases = [
            (LEAF, lambda d: d["spec"]["templates"][0].pop("metrics"), "step_duration_seconds is not a histogram"),
            (LEAF, lambda d: d["spec"]["templates"][0]["metrics"]["prometheus"].pop(), "step_failures_total is not a counter"),
            (FUSED, metric(0, lambda m: m["labels"][0].update(value="deploy")), "step=deploy-capsule"),
            (DEPLOY, label(1, value="{{status}}"), "exit_code={{exitCode}}"),
            (DEPLOY, label(0, value="{{outputs.parameters.run-id}}"), "{{outputs.parameters.run-id}} has no end of values"),
            (DEPLOY, label(0, value="{{workflow.name}}"), "{{workflow.name}} has no end of values"),
            (PLAN, metric(1, lambda m: m.pop("when")), "does not count what has not succeeded"),
            (PLAN, metric(0, lambda m: m["histogram"]["buckets"].pop()), "other ones than elsewhere"),
            (PLAN, metric(0, lambda m: m.update(help="Seconds")), "other ones than elsewhere"),
            (PLAN, metric(1, lambda m: m.update(name="step_failures")), "capsule_loop_… with"),
        ]
        for path, change, message in cases:
            with self.subTest(message):
                self.assert_refused(metric_rules.faults, path, change, message)

    def test_workflows(self):
        self.assertEqual([], list(workflow_rules.workflow_faults(self.documents)))
        for field in ("entrypoint", "activeDeadlineSeconds", "ttlStrategy", "parallelism", "podGC", "securityContext"):
            with self.subTest(field):
                change = lambda d, field=field: d["spec"].pop(field)  # noqa: E731
                self.assert_refused(workflow_rules.workflow_faults, LOOP, change, f"spec.{field}")

        for path in (LOOP, LEAF):
            self.assert_refused(workflow_rules.workflow_faults, path, lambda d: d["spec"].pop("nodeSelector"), "kubernetes.io/os")

        added = {"name": "run-id", "valueFrom": {"parameter": "{{steps.deploy.outputs.parameters.run-record}}"}}
        change = lambda d: d["spec"]["templates"][0]["outputs"]["parameters"].append(added)  # noqa: E731
        self.assert_refused(workflow_rules.workflow_faults, LOOP, change, "hide that of capsule-run")

    def test_the_proof_service_keeps_to_linux_nodes(self):
        file = os.path.join(workflow_files.SOURCE, "workflows/services/proof-service/deployment.yaml")
        self.assertEqual(workflow_rules.LINUX, strict_yaml.load_file(file)["spec"]["template"]["spec"]["nodeSelector"])

    def test_a_mutex_for_each_capsule(self):
        """The loops and the tick have the same one: that of the name which a source of any form ends with."""
        mutexes = {tuple(one["name"] for one in self.documents[f"workflows/templates/capsule-deploy-loop{of}.yaml"]["spec"]["synchronization"]["mutexes"])
                   for of in ("", "-fused", "-tick")}
        [[expression]] = mutexes
        pattern = re.fullmatch(r'capsule-deploy-loop-\{\{=sprig\.regexReplaceAll\("(.*)", workflow\.parameters\.source, ""\)\}\}', expression)[1]
        for source, name in (("capsule://m2n2-metal:0.1.0?proof=true", "m2n2-metal"), ("capsule://a.example:5000/m2n2-metal:0.1.0-rc.1", "m2n2-metal"),
                             ("oci://[::1]:5000/caps-1.2/m2n2-metal:0.1.0", "m2n2-metal"), (f"oci-layout:/srv/x/m2-2@sha256:{64 * '0'}", "m2-2"),
                             ("https://a.example/b-1.0/capsule_m2n2-metal-0.1.0-rc.1.tar.gz?x=1", "m2n2-metal"), ("/work/capsule_a-1-10.0.1.tar.gz", "a-1")):
            self.assertEqual(name, re.sub(pattern, "", source), source)

    def test_hooks(self):
        tick = "workflows/templates/capsule-deploy-loop-tick.yaml"

        def gated(change):
            return lambda d: change(d["spec"]["templates"][0]["steps"][1][0])

        says_why = "an exit hook says why"
        hook = self.documents[LOOP]["spec"]["hooks"]
        for path, change in ((LOOP, lambda d: d["spec"].pop("hooks")), (BUILD, lambda d: d["spec"].pop("hooks")), (tick, gated(lambda c: c.pop("hooks"))),
                             (tick, lambda d: d["spec"].update(hooks=hook))):
            self.assert_refused(workflow_rules.workflow_faults, path, change, says_why)

        def told(value):
            return lambda c: c["hooks"]["exit"]["arguments"]["parameters"].append({"name": "failures", "value": value})

        for path, change, message in (
                (tick, gated(told("{{workflow.failures}}")), "is not filled in here"),
                (LOOP, lambda d: told("{{workflow.parameters.source}}")(d["spec"]), "is not filled in here"),
                (LOOP, lambda d: d["spec"]["hooks"]["exit"]["templateRef"].update(name="x"), "a template that exists"),
                (LOOP, lambda d: d["spec"]["hooks"].update(failed=d["spec"]["hooks"].pop("exit")), "only exit"),
                (LOOP, lambda d: d["spec"]["hooks"]["exit"]["arguments"]["parameters"].append({"name": "x", "value": ""}), "has no input x")):
            with self.subTest(message):
                self.assert_refused(workflow_rules.reference_faults, path, change, message)

    def test_references(self):
        self.assertEqual([], list(workflow_rules.reference_faults(self.documents)))

    def test_references_refused(self):
        def first(change):
            return lambda document: change(document["spec"]["templates"][0])

        def call(index, change):
            return first(lambda t: change(t["steps"][index][0]))

        def give(index, name, value):
            return call(index, lambda c: c["arguments"]["parameters"].append({"name": name, "value": value}))

        def output(reference):
            added = {"name": "x", "valueFrom": {"parameter": reference}}
            return first(lambda t: t["outputs"]["parameters"].append(added))

        def submitted(name, change):
            return lambda d: change(next(p for p in d["spec"]["arguments"]["parameters"] if p["name"] == name))

        nothing = "points at nothing"
        cases = [
            (LOOP, lambda d: d["spec"].update(entrypoint="deploy"), "the entrypoint 'deploy'"),
            (LOOP, call(5, lambda c: c["templateRef"].update(name="anchors")), "does not exist"),
            (LOOP, call(5, lambda c: c["templateRef"].update(template="anchors")), "does not exist"),
            (LOOP, call(0, lambda c: c.update(template="fetch-capsule")), "does not exist"),
            (LOOP, call(1, lambda c: c["arguments"]["parameters"].clear()), "is not given"),
            (LOOP, give(1, "bogus", ""), "has no input bogus"),
            (LOOP, give(5, "log", "{{inputs.parameters.lgo}}"), nothing),
            (LOOP, give(5, "log", "{{workflow.parameters.log}}"), nothing),
            (LOOP, give(5, "log", "{{steps.register.outputs.parameters.uri}}"), nothing),
            (LOOP, give(5, "log", "{{steps.deploy.outputs.parameters.ru-id}}"), nothing),
            (LOOP, give(5, "log", "{{=inputs.parameters['lgo'] == ''}}"), nothing),
            (LOOP, give(5, "log", "{{item}}"), nothing),
            (LOOP, output("{{steps.sign.outputs.parameters.package}}"), nothing),
            (BUILD, output("{{steps.publish.outputs.parameters.reference}}"), "needs valueFrom.default"),
            (DEPLOY, first(lambda t: t["container"]["args"].append("{{inputs.parameters.sed}}")), nothing),
            (DEPLOY, first(lambda t: t["container"]["args"].append("{{workflow.name}}")), nothing),
            (SUBMITTED, lambda d: d["spec"]["workflowTemplateRef"].update(name="x"), "the WorkflowTemplate x"),
            (SUBMITTED, lambda d: d["spec"]["arguments"]["parameters"].pop(0), "source of deploy-capsule is not given"),
            (SUBMITTED, submitted("seed", lambda p: p["valueFrom"]["configMapKeyRef"].update(key="x")), "is not in a"),
            (SUBMITTED, submitted("seed", lambda p: p["valueFrom"].update(default="1")), "is not that of the template"),
            (CONFIG, lambda d: d["metadata"]["labels"].popitem(), "Argo reads only ConfigMaps"),
        ]
        for path, change, message in cases:
            with self.subTest(message):
                self.assert_refused(workflow_rules.reference_faults, path, change, message)

    def test_the_loop_of_the_specification(self):
        spec = self.documents[LOOP]["spec"]
        self.assertEqual("deploy-capsule", spec["entrypoint"])
        called = [(step["name"], step.get("template")) for group in spec["templates"][0]["steps"] for step in group]
        self.assertEqual(
            [
                ("download", "download-capsule"),
                ("verify", "verify-capsule"),
                ("publish", "publish-capsule"),
                ("deploy", "deploy-capsule-k8s"),
                ("generate-proof", "generate-proof"),
                ("anchor", None),
                ("register", None),
            ],
            called,
        )

    def test_a_loop_in_one_pod_is_that_loop(self):
        def faults(documents):
            return fused_rules.faults(documents[FUSED]["spec"]["templates"][0], "capsule-deploy-loop", workflow_files.templates_by_name(documents))

        self.assertEqual([], list(faults(self.documents)))
        self.assertEqual([], list(fused_rules.faults(
            self.documents[FUSED.replace("deploy-loop", "build")]["spec"]["templates"][0], "capsule-build", workflow_files.templates_by_name(self.documents),
            given={"source": "/source/{{inputs.parameters.source}}"}, own={"claim": "capsule-source", "source": "."},
            volumes=[("/source", ("claim", "{{inputs.parameters.claim}}"))])))
        self.assertEqual(self.documents[LOOP]["spec"]["entrypoint"], self.documents[LOOP]["spec"]["templates"][0]["name"])

        def fused(change):
            return lambda document: change(document["spec"]["templates"][0])

        key = {"name": "x", "secret": {"secretName": "capsule-key-x", "optional": True}}
        cases = [
            (FUSED, fused(lambda t: t["inputs"]["parameters"].pop()), "inputs: "),
            (FUSED, fused(lambda t: t["inputs"]["parameters"][4].update(default="registry")), "inputs: "),
            (FUSED, fused(lambda t: t["outputs"]["parameters"].pop()), "outputs: "),
            (FUSED, fused(lambda t: t["container"]["args"].pop(3)), "args: "),
            (FUSED, fused(lambda t: t["container"]["env"].pop()), "images of pods: "),
            (FUSED, fused(lambda t: t["container"]["volumeMounts"].pop()), "what is mounted: "),
            (DEPLOY, fused(lambda t: t["container"]["env"][2].update(value="r.example/agent:1")), "images of pods: "),
            (DEPLOY, fused(lambda t: t["volumes"].append(key) or t["container"]["volumeMounts"].append({"name": "x", "mountPath": "/keys/x"})),
             "what is mounted: "),
        ]
        for path, change, message in cases:
            with self.subTest(path=path, message=message):
                self.assert_refused(faults, path, change, message)

    def test_plan_looks_for_the_images_that_deploy_takes(self):
        def images(path):
            variables = self.documents[path]["spec"]["templates"][0]["container"]["env"]
            return [variable for variable in variables if variable["name"].endswith("_IMAGE")]

        self.assertEqual(3, len(images(DEPLOY)))
        self.assertEqual(images(DEPLOY), images(PLAN))

    def test_every_key_of_the_configuration_is_used_and_a_string(self):
        used = {
            parameter["valueFrom"]["configMapKeyRef"]["key"]
            for document in self.documents.values()
            if document["kind"] in ("Workflow", "CronWorkflow")
            for parameter in document["spec"].get("workflowSpec", document["spec"])["arguments"]["parameters"]
        }
        data = self.documents[CONFIG]["data"]
        self.assertEqual(used, set(data))
        self.assertTrue(all(isinstance(value, str) for value in data.values()))


if __name__ == "__main__":
    unittest.main()
