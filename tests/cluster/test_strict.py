"""Every object that is shipped, applied to a real API server that refuses what it does not know."""
import json
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

import shipped_objects
import yaml
from cluster_case import ClusterCase
from steps import SOURCE

STRICT = ("--server-side", "--validate=strict", "--force-conflicts")


class Strict(ClusterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        shipped_objects.install_crds(cls)
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)

    def tried(self, text, is_submitted=None):
        """How the API server takes objects, which it does not keep. What has only a generateName cannot be applied: it is created."""
        if is_submitted or (is_submitted is None and "generateName" in yaml.safe_load(text)["metadata"]):
            return self.kubectl("create", "--validate=strict", "--dry-run=server", "-f", "-", input=text)
        return self.kubectl("apply", *STRICT, "--dry-run=server", "-f", "-", input=text)

    def test_every_file(self):
        files = shipped_objects.files()
        self.assertGreater(len(files), 30)
        texts = [path.read_text(encoding="utf-8") for path in files]
        submitted = ["generateName" in yaml.safe_load(text)["metadata"] for text in texts]
        for wanted in (False, True):  # all in one call, which is seconds for each
            done = self.tried("---\n".join(text for text, is_submitted in zip(texts, submitted) if is_submitted == wanted), wanted)
            self.assertEqual(0, done.code, done)

    def test_a_misspelt_field_is_refused(self):
        """In each kind, at a depth: a copy that differs by one letter."""
        cases = {
            "templates/deploy.yaml": ("pendingTimeout:", "pendingTimeuot:"),
            "templates/verify.yaml": ("readOnlyRootFilesystem:", "readOnlyRootFileSystem:"),
            "templates/publish.yaml": ("buckets:", "bucket:"),
            "templates/capsule-deploy-loop.yaml": ("deleteDelayDuration:", "deleteDelay:"),
            "loops/capsule-deploy-loop.yaml": ("configMapKeyRef: {name: capsule-loop, key: seed}", "configMapRef: {name: capsule-loop, key: seed}"),
            "crds/proofeddeployments.infra.industriverse.ai.yaml": ("additionalPrinterColumns:", "additionalPrinterColumn:"),
            "rbac/roles/capsule-deploy.yaml": ("resources: [deployments]", "resource: [deployments]"),
            "rbac/bindings/capsule-deploy.yaml": ("subjects:", "subject:"),
            "rbac/accounts/capsule-step.yaml": ("automountServiceAccountToken:", "autoMountServiceAccountToken:"),
            "services/proof-service/deployment.yaml": ("livenessProbe:", "liveProbe:"),
        }
        for name, (right, wrong) in cases.items():
            with self.subTest(name):
                text = (shipped_objects.WORKFLOWS / name).read_text(encoding="utf-8")
                self.assertIn(right, text)
                done = self.tried(text.replace(right, wrong, 1))
                self.assertNotEqual(0, done.code, f"{wrong} was taken")
                self.assertRegex(done.stderr, "field not declared in schema|unknown field")
                self.assertIn(wrong.partition(":")[0], done.stderr)

    def test_templates_of_all_namespaces_call_each_other_there(self):
        documents = list(yaml.safe_load_all(shipped_objects.rendered("many-namespaces/cluster", self.namespace, self.folder)))
        templates = [document for document in documents if document["kind"] == "ClusterWorkflowTemplate"]
        self.assertGreater(len(templates), 11)
        called = [call["templateRef"] for document in templates for template in document["spec"]["templates"]
                  for group in template.get("steps", []) for call in group if "templateRef" in call]
        called += [holder["hooks"]["exit"]["templateRef"] for document in templates for holder in
                   (document["spec"], *(call for template in document["spec"]["templates"] for group in template.get("steps", []) for call in group)) if "hooks" in holder]
        self.assertGreater(len(called), 10)
        self.assertEqual([], [call for call in called if call.get("clusterScope") is not True])

    def test_what_one_submits_where_the_templates_are_for_all_namespaces(self):
        """As the README says it."""
        for name in ("loops/capsule-deploy-loop.yaml", "loops/capsule-deploy-loop-fused.yaml", "loops/capsule-build.yaml", "loops/capsule-build-fused.yaml", "cron/capsule-deploy-loop-cron.yaml"):
            text = (shipped_objects.WORKFLOWS / name).read_text(encoding="utf-8")
            changed = text.replace("workflowTemplateRef: {", "workflowTemplateRef: {clusterScope: true, ")
            self.assertNotEqual(text, changed)
            self.assertEqual(0, self.tried(changed).code)

    def test_an_overlay_of_ones_own(self):
        """The README's: the defaults are one's own, also after an upgrade, and so are the images and the login that pulls them."""
        readme = (SOURCE / "README.md").read_text(encoding="utf-8")
        [text] = re.findall(r"^```yaml\n(# mine/kustomization.yaml.*?)^```$", readme, re.M | re.S)
        [login] = re.findall(r"^  ```yaml\n(    - target: {kind: ServiceAccount}.*?)^  ```$", readme, re.M | re.S)
        mine = self.folder / "mine"
        mine.mkdir()
        (mine / "kustomization.yaml").write_text(text + textwrap.indent(textwrap.dedent(login), "  "), encoding="utf-8")
        shutil.copytree(shipped_objects.WORKFLOWS, self.folder / "workflows", dirs_exist_ok=True)
        pushed = {"registry": "oci://registry.example/capsule-loop", "images": {"deploy": f"sha256:{'0' * 64}"}}
        subprocess.run([sys.executable, "-B", SOURCE / "images/overlay.py", self.folder / "workflows/overlays/pushed"], input=json.dumps(pushed), text=True,
                       check=True, capture_output=True, timeout=60)
        objects = list(yaml.safe_load_all(shipped_objects.kustomized(mine)))
        [config] = [one for one in objects if (one["kind"], one["metadata"]["name"]) == ("ConfigMap", "capsule-loop")]
        wanted = dict(re.findall(r'path: /data/([\w-]+), value: "(.*)"', text))
        self.assertEqual({"registry", "source", "allow-unmet"}, wanted.keys())
        self.assertEqual(config["data"], config["data"] | wanted)
        self.assertIn(f"registry.example/capsule-loop/deploy@sha256:{'0' * 64}", json.dumps(objects))
        secrets = [one.get("imagePullSecrets") for one in objects if one["kind"] == "ServiceAccount"]
        self.assertEqual([[{"name": "capsule-images"}]] * len(secrets), secrets)

    def test_beside_the_platform_s_operator(self):
        """Its CRD stays, it makes the Deployment, and the loops and each tick say so."""
        of = {overlay: {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(shipped_objects.rendered(overlay, self.namespace, self.folder))}
              for overlay in ("small", "platform")}
        self.assertEqual({("CustomResourceDefinition", shipped_objects.OUR_CRD)}, of["small"].keys() - of["platform"].keys())
        self.assertEqual(["", "wait"], [of[overlay]["ConfigMap", "capsule-loop"]["data"]["operator"] for overlay in of])
        for name in ("loops/capsule-deploy-loop.yaml", "loops/capsule-deploy-loop-fused.yaml", "cron/capsule-deploy-loop-cron.yaml"):
            spec = yaml.safe_load((shipped_objects.WORKFLOWS / name).read_text(encoding="utf-8"))["spec"]
            given = {one["name"]: one["valueFrom"] for one in spec.get("workflowSpec", spec)["arguments"]["parameters"]}
            self.assertEqual({"name": "capsule-loop", "key": "operator"}, given["operator"]["configMapKeyRef"])

    def test_every_overlay_is_installed_twice(self):
        """The second time nothing changes, and nothing is refused. Of somebody's cluster it is only asked: it may have an overlay of its own."""
        dry = ("--dry-run=server",) if self.is_theirs else ()
        for overlay in shipped_objects.OVERLAYS:
            with self.subTest(overlay):
                objects = shipped_objects.rendered(overlay, self.namespace, self.folder)
                self.addCleanup(self.kubectl, "delete", "clusterrolebinding", f"capsule-deploy-nodes.{self.namespace}", "--ignore-not-found")
                for _ in range(2):
                    done = self.kubectl("apply", *STRICT, *dry, "-f", "-", input=objects)
                    self.assertEqual(0, done.code, done)


if __name__ == "__main__":
    unittest.main()
