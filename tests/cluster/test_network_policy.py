"""The shipped NetworkPolicies, and a canary: whether this cluster enforces any. That it does not is printed, and no failure: nothing rests on them."""
import unittest

import shipped_objects
import side_load
import workflow_files
from cluster_case import ClusterCase
from cluster_pods import pod

IMAGE = side_load.named("runtime-python")
SERVE = "import http.server as h; h.ThreadingHTTPServer(('', 8700), h.SimpleHTTPRequestHandler).serve_forever()"
# Exit 0: reached; 1: not within the seconds.
ASK = """
import socket, sys, time
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    try:
        socket.create_connection((sys.argv[1], 8700), 2).close()
        sys.exit(0)
    except OSError:
        time.sleep(0.3)
sys.exit(1)
"""
DENY = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "nobody"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}


class Canary(ClusterCase):
    def reached(self, name, address, seconds):
        self.create(pod(name, IMAGE, "/usr/bin/python3", "-ISc", ASK, address, str(seconds)))
        return self.wait_until_ended(name) == "Succeeded"

    def test_whether_policies_are_enforced(self):
        self.load_images()
        self.create(pod("server", IMAGE, "/usr/bin/python3", "-ISc", SERVE))
        address = self.wait_for("the server", lambda: self.get("pod", "server")["status"].get("podIP"))
        self.assertTrue(self.reached("before", address, 60), "without a policy the pod was not reached: the canary says nothing")
        self.create(DENY)
        enforced = not self.reached("after", address, 5)
        print(f"this cluster {'enforces' if enforced else 'does not enforce'} NetworkPolicies")


class Shipped(ClusterCase):
    def test_whom_they_select(self):
        """By the API server's own reading of the selectors."""
        for name, labels in (("capsule", {"app": "m2n2-metal", "app.kubernetes.io/part-of": "capsule-loop"}),
                             ("service", {"app.kubernetes.io/name": "capsule-proof-service", "app.kubernetes.io/part-of": "capsule-loop"}),
                             ("proof", {"app.kubernetes.io/component": "proof", "app.kubernetes.io/part-of": "capsule-loop"}),
                             ("step", {"workflows.argoproj.io/workflow": "x"}), ("stranger", {"app": "x"})):
            document = pod(name, IMAGE)
            document["metadata"]["labels"] = labels
            document["spec"]["schedulingGates"] = [{"name": "test.invalid/never"}]  # it is only looked at
            self.create(document)
        self.must("apply", "--server-side", "--validate=strict", "-k", shipped_objects.WORKFLOWS / "policies")
        wanted = {"capsule-pods": ["capsule"], "capsule-proof-pods": ["proof"], "capsule-proof-service": ["service"]}
        for path in sorted((shipped_objects.WORKFLOWS / "policies").glob("capsule-*.yaml")):
            spec = workflow_files.strict_yaml.load_file(path)["spec"]
            words = [f"{key}={value}" for key, value in spec["podSelector"].get("matchLabels", {}).items()]
            words += [one["key"] for one in spec["podSelector"].get("matchExpressions", [])]  # Exists
            found = [one["metadata"]["name"] for one in self.get("pods", "-l", ",".join(words))["items"]]
            self.assertEqual(wanted.pop(path.stem), found)
            asked = [port["port"] for rule in spec["egress"] for port in rule["ports"] if rule["to"]]
            self.assertEqual([53, 53, 8600] if path.stem == "capsule-proof-pods" else [], asked, "names and the proof service")
        self.assertEqual({}, wanted)


if __name__ == "__main__":
    unittest.main()
