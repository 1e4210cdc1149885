"""What the CustomResourceDefinition of ProofedDeployment lets nobody write, and what `kubectl explain` says of it."""
import json
import unittest

import shipped_objects
from cluster_case import ClusterCase

DIGEST = "sha256:" + "0" * 64
CAPSULE = {"name": "one", "version": "1.0.0", "digest": DIGEST, "image": f"registry.example/one@{DIGEST}"}


class Schema(ClusterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        shipped_objects.install_crds(cls)

    def try_it(self, spec, name="one"):
        return self.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(
            {"apiVersion": "infra.industriverse.ai/v1", "kind": "ProofedDeployment", "metadata": {"name": name}, "spec": spec}))

    def test_what_no_capsule_can_be_is_refused_with_its_place(self):
        for version in ("1.0.0", "0.10.2-rc.1", "1.0.0--.x-1"):
            self.assertEqual(0, self.try_it({"capsule": {**CAPSULE, "version": version}}).code, version)
        self.assertEqual(0, self.try_it({"autoscale": {"minReplicas": 0, "maxReplicas": 1000}}, "a" * 56).code)
        for spec, place in (({"capsule": {**CAPSULE, "version": "01.0.0"}}, "spec.capsule.version"),
                            ({"capsule": {**CAPSULE, "version": "1.0.0-.."}}, "spec.capsule.version"),
                            ({"capsule": {**CAPSULE, "version": "1.0.0-01"}}, "spec.capsule.version"),
                            ({"capsule": {**CAPSULE, "image": f"@{DIGEST}"}}, "spec.capsule.image"),
                            ({"capsule": {**CAPSULE, "name": "other"}}, "has the name of its capsule"),
                            ({"autoscale": {"minReplicas": 2_000_000_000}}, "spec.autoscale.minReplicas"),
                            ({"autoscale": {"minReplicas": 2, "maxReplicas": 1}}, "minReplicas is larger")):
            done = self.try_it(spec)
            self.assertNotEqual(0, done.code, spec)
            self.assertIn(place, done.stderr)
        for name in ("a.b", "a" * 57):
            self.assertNotEqual(0, self.try_it({}, name).code, name)

    def test_kubectl_explains_every_field_that_a_reader_meets(self):
        for path in ("spec", "spec.capsule", "spec.autoscale", "spec.proofPolicy", "status.lastRun"):
            said = self.must("explain", f"pd.{path}")
            self.assertNotIn("FIELDS:\n\n", said)
            fields = said.partition("FIELDS:")[2]
            if path not in ("spec.proofPolicy",):  # utid, proofHash, … are the platform's own
                self.assertNotIn("<no description>", fields, path)


if __name__ == "__main__":
    unittest.main()
