"""capsule-deploy while the cluster fails it: it ends well, with one run; or it says what is wrong, and where."""
import base64
import json
import subprocess
import unittest
from pathlib import Path

from apiserver_proxy import ApiserverProxy
from deploy_case import DeployCase

DENIED, UNTRUSTED, TIMED_OUT = 13, 11, 41
FAULTS = [
    {"method": "GET", "part": "/api/v1/nodes", "times": 2, "status": 429, "reason": "TooManyRequests", "headers": {"Retry-After": "1"}},
    {"method": "POST", "part": "/leases", "times": 1, "status": 429, "reason": "TooManyRequests", "headers": {"Retry-After": "1"}},
    {"method": "PATCH", "part": "/proofeddeployments/", "times": 1, "lost": True},
    {"method": "PATCH", "part": "/deployments/", "times": 1, "status": 409, "reason": "Conflict"},
    {"method": "PATCH", "part": "/deployments/", "times": 1, "status": 500, "reason": "InternalError"},
    {"method": "GET", "part": "watch=true", "times": 1, "status": 410, "reason": "Expired"},
    {"method": "GET", "part": "watch=true", "times": 1, "cut": 0.7},
    {"method": "GET", "part": "watch=true", "times": 1, "status": 503, "reason": "ServiceUnavailable"},
    {"method": "PATCH", "part": "/pods/", "times": 1, "status": 409, "reason": "Conflict"},
    {"method": "POST", "part": "/proxy/v1/runs/", "times": 1, "lost": True},
    {"method": "GET", "part": "/proxy/v1/runs/", "times": 1, "status": 504, "reason": "Timeout"},
    {"method": "PUT", "part": "/status", "times": 1, "status": 409, "reason": "Conflict"},
    {"method": "PUT", "part": "/status", "times": 1, "lost": True},
    {"method": "DELETE", "part": "/pods/", "times": 1, "lost": True},
]


class Faults(DeployCase):
    on_node = True

    def run_of(self, name):
        """The only run that the object knows."""
        [run] = json.loads(self.object(name)["metadata"]["annotations"]["capsule.industriverse.ai/runs"]).values()
        self.assertEqual(1, run["ordinal"])
        return run

    def test_an_apiserver_that_fails_in_every_way_once_costs_no_second_run(self):
        reference = self.publish("faulty", at_run="time.sleep(2)")
        with ApiserverProxy(self, FAULTS) as proxy:
            done = self.deploy(reference, "--kubeconfig", proxy.kubeconfig)
        self.assertEqual((0, "Succeeded"), (done.code, done.result and done.result["phase"]), done)
        self.assertEqual(sum(fault["times"] for fault in FAULTS), len(proxy.put_in), proxy.put_in)
        self.assertEqual((done.result["run_record"], done.result["run_id"]), (self.run_of("faulty")["record"], self.run_of("faulty")["run_id"]))
        self.assertEqual(1, self.record(reference, done.result["run_record"])["result"]["runs"])
        self.assertEqual(1, len(self.pods("faulty")))

    def test_an_apiserver_that_dies_during_the_run_costs_no_second_run(self):
        reference = self.publish("orphan", at_run="time.sleep(8)")
        process = self.start(reference)
        claimed = self.wait_for("the run", lambda: self.kubectl("get", "pd", "orphan", "-o", "jsonpath={.status.lastRun.pod}").stdout)
        self.restart_apiserver()
        out, errors = process.communicate(timeout=200)
        self.wait_for_apiserver()
        # It may have been away for longer than a lease lasts: then that is said, and the next call finds the run.
        self.assertIn(process.returncode, (0, 40, 42), (out, errors))
        found = self.deployed(reference)
        self.assertEqual((found["run_id"], found["run_record"]), (self.run_of("orphan")["run_id"], self.run_of("orphan")["record"]))
        self.assertEqual(claimed, self.object("orphan")["status"]["lastRun"]["pod"])

    def test_a_health_check_that_never_passes_is_quoted(self):
        reference = self.publish("sick", scripts={"healthcheck.sh": "echo 'the model is not loaded' >&2; exit 1"})
        self.refused(TIMED_OUT, "the model is not loaded", reference, "--timeout", "20s")
        self.assertEqual("True: TimedOut", self.condition("sick", "RolloutFailed"))

    def test_an_install_script_that_hangs_is_quoted(self):
        reference = self.publish("stuck", scripts={"install.sh": "echo 'the mirror does not answer' >&2; sleep 1000"})
        self.refused(TIMED_OUT, "install.sh goes on: the mirror does not answer", reference, "--timeout", "20s")

    def test_who_may_not_and_whom_not_to_trust(self):
        reference = self.publish("denied")
        self.must("create", "serviceaccount", "deployer")
        self.must("create", "role", "deployer", "--verb=get,create,update,delete", "--resource=leases.coordination.k8s.io,namespaces")
        self.must("create", "rolebinding", "deployer", "--role=deployer", f"--serviceaccount={self.namespace}:deployer")
        token = self.must("create", "token", "deployer").strip()
        config = self.kubeconfig(lambda document: document["users"][0].update(user={"token": token}))
        done = self.refused(DENIED, "cannot get proofeddeployments.infra.industriverse.ai 'denied'", reference, "--kubeconfig", config)
        self.assertIn(f"system:serviceaccount:{self.namespace}:deployer", done.stderr.splitlines()[-1])
        self.assertNotIn(token, done.stderr)

        other = self.folder / "other"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{other}.key", "-out",
                        f"{other}.pem", "-subj", "/CN=kubernetes", "-days", "1"], check=True, capture_output=True)
        authority = {"certificate-authority-data": base64.b64encode(Path(f"{other}.pem").read_bytes()).decode(), "certificate-authority": None}
        config = self.kubeconfig(lambda document: document["clusters"][0]["cluster"].update(authority))
        self.refused(UNTRUSTED, "certificate-authority says which certificates to trust", reference, "--kubeconfig", config)

    def kubeconfig(self, change):
        """The administrator's, changed."""
        document = json.loads(self.cluster.kubeconfig.read_text(encoding="utf-8"))
        change(document)
        file = self.folder / f"{self._testMethodName}.kubeconfig"
        file.write_text(json.dumps(document), encoding="utf-8")
        return file


if __name__ == "__main__":
    unittest.main()
