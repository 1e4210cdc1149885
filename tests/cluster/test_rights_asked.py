"""No account may more than its step asks the API server for: what the steps ask in all that they do, held against test_rights.py."""
import time
import unittest
from urllib.parse import urlsplit

from apiserver_proxy import ApiserverProxy
from deploy_case import REGISTRY
from proof_maker import HOOK, seeded
from proof_pods_case import ProofPodsCase
from test_rights import MAY, RESULTS

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
PROOFED = "proofeddeployments.infra.industriverse.ai"
# Of a CRD without the subresource status alone: test_platform.py.
ASKED_ELSEWHERE = {"capsule-deploy": {(PROOFED, "update")}}


def rights(method, path, status):
    """Which (resource, verb)s a request is, as Roles name them; none where it is about all namespaces, which no Role has."""
    url = urlsplit(path)
    words = url.path.strip("/").split("/")
    group, rest = ("", words[2:]) if words[0] == "api" else (f".{words[1]}", words[3:])
    if rest[0] == "namespaces" and len(rest) > 2:
        rest = rest[2:]
    elif rest[0] == "pods":
        return set()
    resource = rest[0] + group + (f"/{rest[2]}" if len(rest) > 2 else "")
    if method != "GET":
        # A server-side apply of what is not there needs both.
        return {(resource, VERBS[method])} | ({(resource, "create")} if (method, status) == ("PATCH", 201) else set())
    if len(rest) > 1:
        return {(resource, "get")}
    return {(resource, "watch" if "watch=true" in url.query else "list")}


class RightsAsked(ProofPodsCase):
    on_node = True
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.index_key, public = cls.maker.make_key("index")
        cls.maker.trust.write_text(f"{cls.maker.trust.read_text()}index:\n  - keys: [{{file: {public}}}]\n")

    def assert_asked(self, account, proxy):
        asked = set().union(*(rights(*one) for one in proxy.requests))
        wanted = {(resource.partition("[")[0], verb) for resource, verbs in MAY[account].items() for verb in verbs.split() if resource not in RESULTS}
        self.assertEqual(wanted, asked | ASKED_ELSEWHERE.get(account, set()))

    def test_deploy_and_delete(self):
        versions = [self.publish("asked", f"1.{i}.0", prewarm={"replicas": i}, at_run="time.sleep(4)") for i in (1, 2)]
        watched, claims = self.publish("watched"), self.publish("claims", requirements=["gpu:1"])
        with ApiserverProxy(self) as proxy:
            through = ("--kubeconfig", proxy.kubeconfig)
            for reference in (*versions, versions[0]):  # with a PodDisruptionBudget, and without it again
                self.deployed(reference, *through)
            self.deployed(watched, *through, "--operator", "wait")
            self.refused(12, "none", claims, *through, "--gpu-claim", "none")
            self.must("delete", "pd", "asked", "--cascade=orphan")
            self.assertEqual(0, self.inside("deploy", *self.delete_words("asked"), *through).code)
            self.delete_slowly("watched", *through)
        self.assert_asked("capsule-deploy", proxy)

    def delete_slowly(self, name, *through):
        """The object stays for a while, so that it is watched."""
        self.must("patch", "pd", name, "--type=merge", "-p", '{"metadata": {"finalizers": ["example.com/hold"]}}')
        process = self.start_delete(name, *through)
        self.wait_for("the removal", lambda: "deletionTimestamp" in self.object(name)["metadata"], 30)
        time.sleep(1)
        self.must("patch", "pd", name, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
        self.assertEqual(0, process.wait(60))

    def test_generate_proof_and_register(self):
        self.maker.publish(HOOK, name="proven", runner=seeded(), prewarm=True, requirements=["gpu:true"])
        trusted = (*self.trusted, "--state", self.maker.state)
        done = self.inside("publish", self.maker.folder / "proven-1.0.0.tar.gz", "--registry", f"oci://{REGISTRY}/{self.namespace}", *trusted)
        reference = done.result["reference"]
        record = self.deployed(reference, "--seed", "7", "--allow-unmet", "gpu:true")["run_record"]
        with ApiserverProxy(self) as proxy:
            # One that fails, with a key that nobody trusts for proofs, is told in an Event.
            words = list(self.to_prove(reference, record, "--kubeconfig", proxy.kubeconfig))
            words[words.index("--key") + 1] = self.index_key
            self.assertEqual(11, self.inside("generate-proof", *words).code)
            proved = self.prove(reference, record, "--kubeconfig", proxy.kubeconfig)
            self.assertEqual(0, proved.code, proved)
        self.assert_asked("capsule-generate-proof", proxy)
        with ApiserverProxy(self) as proxy:
            done = self.inside("register", "--proof-bundle", proved.result["proof_bundle"], "--key", self.index_key, *trusted, "--target", self.target,
                               "--kubeconfig", proxy.kubeconfig, "--", reference)
            self.assertEqual(0, done.code, done)
        self.assert_asked("capsule-register", proxy)


if __name__ == "__main__":
    unittest.main()
