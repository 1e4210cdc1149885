"""The highest head of the index outlives a step's pod, whose state folder is empty: the capsule's object remembers it."""
import json
import unittest

from apiserver_proxy import ApiserverProxy
from deploy_case import HOST, REACHED, REGISTRY, DeployCase
from loop import LOOPS
from oci_layout import MANIFEST


class IndexSeen(DeployCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.index_key, index_public = cls.maker.make_key("index")
        cls.trust = cls.folder / "trust.yaml"
        cls.trust.write_text(f"version: 1\ncapsule:\n  - keys: [{{file: {cls.maker.public_key}}}]\n"
                             f"index:\n  - keys: [{{file: {index_public}}}]\n")
        cls.registry = f"oci://{REGISTRY}/{cls.namespace}"

    def step(self, step, *words):
        """With a state folder that nobody has used."""
        type(self).calls = getattr(self, "calls", 0) + 1
        return self.inside(step, "--trust", self.trust, *REACHED, "--target", self.target, "--state", self.folder / f"state-{self.calls}", *words)

    def did(self, step, *words):
        done = self.step(step, *words)
        self.assertEqual(0, done.code, done)
        return done.result

    def register(self, reference):
        return self.step("register", "--key", self.index_key, "--", reference)

    def by_uri(self, *words):
        return self.step("deploy", "--registry", self.registry, "--timeout", "60s", *words, "--", "capsule://seen:1.0.0")

    def seen(self, name="seen"):
        return {entry["registry"]: entry["sequence"] for entry in self.object(name).get("status", {}).get("indexSeen", [])}

    def remember(self, heads, name="seen"):
        self.must("patch", "pd", name, "--subresource=status", "--type=merge", "-p", json.dumps({"status": {"indexSeen": heads}}))

    def ask(self, *words):
        done = self._run(("curl", "-sSL", "--fail-with-body", "-m", "20", *words, f"http://{HOST}/v2/{REGISTRY.partition('/')[2]}{self.namespace}/seen/manifests/index"), None, None, 60)
        self.assertEqual(0, done.code, done)
        return done.stdout

    def put_index(self, head):
        self.ask("-X", "PUT", "-H", f"Content-Type: {MANIFEST}", "-d", head)

    def download(self, name):
        """As the loop's first pod, which has no token."""
        return self.inside("download", "--trust", self.trust, *REACHED, "--registry", self.registry, "--hand-over", "registry",
                           "--state", self.folder / f"state-of-{name}", "--", "capsule://seen:latest")

    def loop(self, name):
        """On what a fresh pod knows; only as far as to the proof, whose key it lacks."""
        state = self.folder / f"state-of-loop-{name}"
        (state / "configmaps/capsule-trust").mkdir(parents=True)
        (state / "configmaps/capsule-trust/trust.yaml").write_text(self.trust.read_text())
        return self.inside("run", LOOPS / "capsule-deploy-loop.yaml", "--state", state, "-p", "source=capsule://seen:latest", "-p", f"registry={self.registry}",
                           "-p", f"insecure-registry={HOST}", "-p", "hand-over=registry", "-p", f"target={self.target}")

    def test_what_was_served_to_download_alone_is_refused_by_deploy(self):
        if self.is_theirs:
            self.skipTest("the registry's own interface is asked here without a login")
        self.addCleanup(self.delete, "seen")
        heads = []
        for version in ("1.0.0", "1.1.0"):
            reference = self.publish("seen", version)
            self.did("register", "--key", self.index_key, "--", reference)
            self.did("deploy", "--registry", self.registry, "--", f"capsule://seen:{version}")
            heads.append(self.ask("-H", f"Accept: {MANIFEST}"))
        older, newer = heads
        sequence = self.seen()[self.registry]
        self.put_index(older)
        served = self.download("older")
        self.assertEqual(0, served.code, "its state folder knows of no other")
        by_hand = self.loop("older")
        self.put_index(newer)
        rollback = f"rollback: the index of 'seen' is at sequence {sequence - 1}, but {sequence} was seen before (remembered in status.indexSeen"
        for done in (self.step("deploy", "--index-head", served.result["index_head"], *words, "--", served.result["capsule"]) for words in ((), ("--plan",))):
            self.assertEqual(11, done.code, done)
            self.assertIn(rollback, done.stderr)
        self.assertEqual(11, by_hand.code, by_hand)
        self.assertIn("deploy failed", by_hand.stderr.splitlines()[-1])
        self.assertIn(rollback, by_hand.stderr)
        self.assertEqual("1.1.0", self.object("seen")["spec"]["capsule"]["version"])

        # What is newer is remembered, what says nothing of it is refused, and a reference alone needs none.
        self.remember(None)
        found = self.download("newer").result
        self.did("deploy", "--index-head", found["index_head"], "--", found["capsule"])
        self.assertEqual({self.registry: sequence}, self.seen())
        for head in (found["capsule"], found["index_head"].replace("/seen@", "/other@"), f"{self.registry}/seen:index"):
            done = self.step("deploy", "--index-head", head, "--plan", "--", found["capsule"])
            self.assertIn(done.code, (2, 10, 12), done)
        self.did("deploy", "--plan", "--", served.result["capsule"])

    def test_an_older_index_is_refused_by_the_next_pod(self):
        if self.is_theirs:
            self.skipTest("the registry's own interface is asked here without a login")
        reference = self.publish("seen")
        self.assertEqual("1", self.did("register", "--key", self.index_key, "--", reference)["index_sequence"])
        older = self.ask("-H", f"Accept: {MANIFEST}")
        done = self.by_uri()
        self.assertEqual(0, done.code, done)
        self.assertEqual({self.registry: 1}, self.seen())
        [first] = self.object("seen")["status"]["indexSeen"]
        self.assert_few_calls("seen", lambda: self.did("deploy", "--registry", self.registry, "--", "capsule://seen:1.0.0"))
        self.assertEqual(0, self.register(self.publish("seen", "1.1.0")).code)
        self.assertEqual({self.registry: 2}, self.seen())

        newer = self.ask("-H", f"Accept: {MANIFEST}")
        self.ask("-X", "PUT", "-H", f"Content-Type: {MANIFEST}", "-d", older)
        for done in (self.by_uri("--plan"), self.by_uri(), self.register(self.publish("seen", "1.2.0"))):
            self.assertEqual(11, done.code, done)
            self.assertIn("rollback: the index of 'seen' is at sequence 1, but 2 was seen before (remembered in status.indexSeen of the "
                          f"proofeddeployments.infra.industriverse.ai 'seen' in namespace '{self.namespace}'", done.stderr)

        # What the message says clears it.
        self.ask("-X", "PUT", "-H", f"Content-Type: {MANIFEST}", "-d", newer)
        self.assertEqual(0, self.by_uri("--plan").code)
        self.remember([first])
        self.assertEqual(0, self.by_uri("--plan").code, "it goes on from that one")
        self.remember([{**first, "digest": "sha256:" + 64 * "0"}])
        done = self.by_uri("--plan")
        self.assertEqual(11, done.code, done)
        self.assertIn("fork", done.stderr)
        self.ask("-X", "PUT", "-H", f"Content-Type: {MANIFEST}", "-d", older)
        self.remember(None)
        self.assertEqual(0, self.by_uri("--plan").code)
        self.assertEqual({}, self.seen(), "plan writes nothing")

    def test_a_newer_one_is_noted_where_there_is_nothing_to_do_and_no_node_takes_a_pod(self):
        if self.is_theirs:
            self.skipTest("a proxy stands before our own API server alone")
        by_uri = ("deploy", "--registry", self.registry, "--timeout", "60s")
        self.did("register", "--key", self.index_key, "--", self.publish("quiet"))
        run = self.did(*by_uri, "--", "capsule://quiet:1.0.0")["run_record"]
        older = self.object("quiet")["status"]["indexSeen"]
        self.did("register", "--key", self.index_key, "--", self.publish("quiet", "1.1.0"))
        self.remember(older, "quiet")
        self.must("rollout", "status", "deployment/quiet-deploy", "--timeout=60s")

        nodes = json.loads(self.must("get", "--raw", "/api/v1/nodes"))
        for node in nodes["items"]:
            node["spec"]["unschedulable"] = True
        cordoned = {"method": "GET", "part": "/api/v1/nodes", "times": 9, "answer": nodes}
        said = []
        for _ in range(2):
            with ApiserverProxy(self, [cordoned]) as proxy:
                said.append(self.did(*by_uri, "--kubeconfig", proxy.kubeconfig, "--", "capsule://quiet:1.0.0"))
            self.assertEqual(("AlreadyDone", run), (said[-1]["phase"], said[-1]["run_record"]))
            self.assertEqual({self.registry: 2}, self.seen("quiet"))
        noted, known = (one["api_calls"] for one in said)
        self.assertEqual(noted - 1, known, "a head that is known is not written again")
        self.assertLessEqual(noted, 12)

        # By one that fails as well.
        known = self.object("quiet")["status"]["indexSeen"]
        self.did("register", "--key", self.index_key, "--", self.publish("quiet", "1.2.0"))
        self.remember(known, "quiet")
        with ApiserverProxy(self, [cordoned]) as proxy:
            self.assertEqual(15, self.step(*by_uri, "--kubeconfig", proxy.kubeconfig, "--seed", "9", "--", "capsule://quiet:1.0.0").code)
        self.assertEqual({self.registry: 3}, self.seen("quiet"))


if __name__ == "__main__":
    unittest.main()
