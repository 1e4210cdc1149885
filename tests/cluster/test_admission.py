"""Every pod that the shipped files make is admitted under the restricted pod security standard."""
import copy
import json
import unittest

import shipped_objects
import workflow_files
from cluster_case import ClusterCase


def pods():
    """{what it is of: pod}, made as Argo and the Deployment controller make them; of Argo's own containers there is nothing here."""
    made = {}
    for path, template in workflow_files.leaf_templates(workflow_files.shipped()):
        spec = {name: template[name] for name in ("serviceAccountName", "securityContext", "volumes")}
        if not template["automountServiceAccountToken"]:
            spec["automountServiceAccountToken"] = False  # Argo hands on no other value
        made[f"{path}: {template['name']}"] = {**spec, "restartPolicy": "Never", "containers": [{"name": "main", **template["container"]}]}
    for path in shipped_objects.files():
        document = workflow_files.strict_yaml.load_file(path)
        if document["kind"] in ("Deployment", "DaemonSet", "StatefulSet", "Job"):
            made[path.name] = document["spec"]["template"]["spec"]
    return made


class Admission(ClusterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        shipped_objects.install(cls)

    def tried(self, spec, *more):
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "p-"}, "spec": spec}
        return self.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", *more, input=json.dumps(document))

    def test_every_pod(self):
        made = pods()
        self.assertGreater(len(made), 9)
        for name, spec in made.items():
            with self.subTest(name):
                done = self.tried(spec)
                self.assertEqual(0, done.code, done)
                self.assertEqual("", done.stderr)  # nor a warning

    def test_only_steps_that_talk_to_the_api_server_get_a_token(self):
        with_token = set()
        for name, spec in pods().items():
            made = json.loads(self.tried(spec, "-o", "json").stdout)
            if any("serviceAccountToken" in source for volume in made["spec"]["volumes"] for source in volume.get("projected", {}).get("sources", [])):
                with_token.add(spec["serviceAccountName"])
        self.assertEqual({"capsule-deploy", "capsule-explain", "capsule-generate-proof", "capsule-loop-fused", "capsule-register"}, with_token)

    def test_what_is_left_out_is_refused(self):
        """The test above can fail: each part of a pod's security, taken away, is what the API server names."""
        spec = next(iter(pods().values()))
        cases = {
            "allowPrivilegeEscalation": lambda pod: pod["containers"][0]["securityContext"].pop("allowPrivilegeEscalation"),
            "unrestricted capabilities": lambda pod: pod["containers"][0]["securityContext"].pop("capabilities"),
            "runAsNonRoot": lambda pod: pod["securityContext"].pop("runAsNonRoot"),
            "seccompProfile": lambda pod: pod["securityContext"].pop("seccompProfile"),
            "restricted volume types": lambda pod: pod["volumes"].append({"name": "host", "hostPath": {"path": "/"}}),
        }
        for said, change in cases.items():
            with self.subTest(said):
                changed = copy.deepcopy(spec)
                change(changed)
                done = self.tried(changed)
                self.assertEqual(1, done.code, done)
                self.assertIn(said, done.stderr)


if __name__ == "__main__":
    unittest.main()
