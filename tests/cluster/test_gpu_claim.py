"""capsule-deploy --gpu-claim: pods get their GPUs by a ResourceClaimTemplate. The scheduler allocates a device of a slice made by hand; no driver is
there to prepare it for the pod."""
import unittest

from cluster_case import ours_alone
from deploy_case import DeployCase

DRIVER = "gpu.example.invalid"


def claim_template(name, count, device_class):
    exactly = {"deviceClassName": device_class, "count": count}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaimTemplate", "metadata": {"name": name},
            "spec": {"spec": {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}}}}


class GpuClaim(DeployCase):
    def test_a_template_that_is_not_there_or_asks_for_too_few(self):
        reference = self.publish("lacking", requirements=["gpu:2"])
        self.refused(12, "there is no resourceclaimtemplates.resource.k8s.io 'none'", reference, "--gpu-claim", "none")
        self.create(claim_template("one", 1, "any"))
        done = self.refused(15, "gpu:2 (node capsule-node: 2 wanted, the ResourceClaimTemplate one asks for 1)", reference, "--gpu-claim", "one")
        self.assertIn("the ResourceClaimTemplate one is there; whether a node has free devices for it is not checked", done.stderr)
        self.assertNotEqual(0, self.kubectl("get", "pd", "lacking").code)
        # A capsule without GPUs, and one that goes without, name no claim.
        for name, more in (("plain", ()), ("waived", ("--allow-unmet", "gpu:2"))):
            self.deployed(self.publish(name, requirements=["gpu:2"] if more else []), "--gpu-claim", "one", *more)
            self.assertNotIn("resourceClaims", self.get("deploy", f"{name}-deploy")["spec"]["template"]["spec"])

    @ours_alone
    def test_the_scheduler_allocates_what_a_pod_claims(self):
        name = self.namespace
        self.create({"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": name},
                     "spec": {"selectors": [{"cel": {"expression": f"device.driver == '{DRIVER}'"}}]}},
                    {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": {"name": name},
                     "spec": {"driver": DRIVER, "nodeName": "capsule-node", "pool": {"name": "capsule-node", "generation": 1, "resourceSliceCount": 1},
                              "devices": [{"name": "gpu-0"}]}},
                    claim_template("gpus", 1, name))
        self.addCleanup(self.kubectl, "delete", f"deviceclass/{name}", f"resourceslice/{name}")
        reference = self.publish("claimed", requirements=["gpu:1"])
        process = self.start(reference, "--gpu-claim", "gpus")
        pod = self.wait_for("an allocated pod", lambda: next((pod for pod in self.pods("claimed") if pod["spec"].get("nodeName")), None))
        self.assertEqual([{"name": "gpu", "resourceClaimTemplateName": "gpus"}], pod["spec"]["resourceClaims"])
        container = pod["spec"]["containers"][0]["resources"]
        self.assertEqual([{"name": "gpu"}], container["claims"])
        self.assertEqual({"cpu", "memory"}, set(container["limits"]))
        [made] = pod["status"]["resourceClaimStatuses"]
        claim = self.get("resourceclaim", made["resourceClaimName"])
        self.assertEqual(["gpu-0"], [one["device"] for one in claim["status"]["allocation"]["devices"]["results"]])
        self.assertEqual(0, self.get("deploy", "claimed-deploy")["spec"]["strategy"]["rollingUpdate"]["maxSurge"])
        process.terminate()
        process.communicate()


if __name__ == "__main__":
    unittest.main()
