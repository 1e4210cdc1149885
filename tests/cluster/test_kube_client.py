"""lib/kube on a real apiserver: what it may, what it may not, tokens of service accounts, watches over a restart."""
import base64
import json
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

from cluster_case import THEIRS, ClusterCase
from kube_driver import words_of
from steps import environment

DENIED, CONFLICT, NOT_FOUND, UNTRUSTED, BUSY = 13, 14, 12, 11, 42


def config_map(name, **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


class Driving(ClusterCase):
    @classmethod
    def drive(cls, *words, input=None, env=None, **options):
        """The driver in the cluster's network, in this class's namespace."""
        words = words_of(*words, **{"ns": cls.namespace, **options})
        return cls._run(words, environment(**(env or {})), None if input is None else json.dumps(input), 120)

    def background(self, words):
        """The driver as a process that goes on."""
        enter = [] if self.is_theirs else self.cluster.network.enter
        env = environment(KUBECONFIG=THEIRS or str(self.cluster.kubeconfig))
        return subprocess.Popen([str(word) for word in (*enter, *words)], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def done(self, outcome):
        self.assertEqual(outcome.code, 0, outcome)
        return outcome

    def refused(self, outcome, code, *words):
        self.assertEqual(outcome.code, code, outcome)
        for word in words:
            self.assertIn(word, outcome.stderr)


class Objects(Driving):
    def test_an_object_is_made_applied_patched_and_removed(self):
        made = self.done(self.drive("create", "configmaps", "a", input=config_map("a", x="1"))).result
        self.refused(self.drive("create", "configmaps", "a", input=config_map("a")), CONFLICT, "AlreadyExists")
        self.done(self.drive("merge", "configmaps", "a", input={"data": {"y": "2"}}))
        self.done(self.drive("patch", "configmaps", "a", input=[{"op": "remove", "path": "/data/x"}]))
        found = self.done(self.drive("get", "configmaps", "a")).result
        self.assertEqual(found["data"], {"y": "2"})
        self.refused(self.drive("replace", "configmaps", "a", input=made), CONFLICT, "modified")
        self.refused(self.drive("delete", "configmaps", "a", version=made["metadata"]["resourceVersion"]), CONFLICT)
        self.refused(self.drive("delete", "configmaps", "a", uid="00000000-0000-0000-0000-000000000000"), CONFLICT)
        self.assertEqual(self.done(self.drive("delete", "configmaps", "a", uid=made["metadata"]["uid"])).stdout, "true\n")
        self.assertEqual(self.done(self.drive("delete", "configmaps", "a")).stdout, "false\n")
        self.assertEqual(self.done(self.drive("find", "configmaps", "a")).stdout, "null\n")
        self.refused(self.drive("get", "configmaps", "a"), NOT_FOUND, "get configmaps 'a'", self.namespace)

    def test_an_applied_field_of_another_manager_is_a_conflict_that_names_him(self):
        self.done(self.drive("apply", "configmaps", "b", input=config_map("b", x="1"), manager="somebody-else"))
        self.refused(self.drive("apply", "configmaps", "b", input=config_map("b", x="2")), CONFLICT, "somebody-else", ".data.x")
        dry = self.done(self.drive("apply", "configmaps", "b", input=config_map("b", x="2"), force=True, dry_run=True)).result
        self.assertEqual(dry["data"]["x"], "2")
        self.assertEqual(self.drive("get", "configmaps", "b").result["data"]["x"], "1")
        self.done(self.drive("apply", "configmaps", "b", input=config_map("b", x="2"), force=True))
        self.assertEqual(self.drive("get", "configmaps", "b").result["data"]["x"], "2")

    def test_an_unknown_field_is_refused_where_strictness_is_asked_for(self):
        wrong = {**config_map("c"), "dta": {}}
        self.refused(self.drive("apply", "configmaps", "c", input=wrong), 10, "dta")
        self.refused(self.drive("create", "configmaps", input=wrong, strict=True), 10, 'unknown field "dta"')
        self.assertIn('unknown field "dta"', self.done(self.drive("create", "configmaps", input=wrong)).stderr)  # a warning

    def test_a_subresource_alone_changes(self):
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"pods": "50"}}}
        self.done(self.drive("create", "resourcequotas", input=quota))
        self.done(self.drive("merge", "resourcequotas", "q", subresource="status", input={"spec": {"hard": {"pods": "1"}}, "status": {"hard": {"pods": "50"}}}))
        self.assertEqual(self.drive("get", "resourcequotas", "q").result["spec"]["hard"]["pods"], "50")

    def test_a_list_of_more_than_a_page_is_whole(self):
        names = [f"many-{number:03}" for number in range(620)]
        items = [{**config_map(name), "metadata": {"name": name, "labels": {"many": "yes"}}} for name in names]
        self.create(*items)
        listed = self.done(self.drive("list", "configmaps", labels="many=yes", requests=True)).stdout.splitlines()
        self.assertEqual(sorted(json.loads(line) for line in listed[:-1]), names)
        self.assertEqual(listed[-1], "requests 2")

    def test_what_is_served_is_told_from_what_is_not(self):
        self.assertEqual(self.done(self.drive("serves", "deployments.v1.apps", subresource="status")).stdout, "true\n")
        self.assertEqual(self.done(self.drive("serves", "configmaps", subresource="status")).stdout, "false\n")
        self.assertEqual(self.done(self.drive("serves", "widgets.v1.nobody.example")).stdout, "false\n")
        self.refused(self.drive("find", "widgets.v1.nobody.example", "x"), NOT_FOUND, "widgets.nobody.example")

    def test_a_pod_that_breaks_the_restricted_standard_is_refused_with_the_reason(self):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
               "spec": {"containers": [{"name": "c", "image": "capsule-loop.invalid/none:1", "securityContext": {"privileged": True}}]}}
        self.refused(self.drive("create", "pods", input=pod), DENIED, "violates PodSecurity", "privileged", "runAsNonRoot")


class Accounts(Driving):
    def setUp(self):
        self.account = f"account-{self._testMethodName[-20:].replace('_', '-').strip('-')}"
        self.must("create", "serviceaccount", self.account)
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def kubeconfig(self, name="config", user=None, **cluster):
        admin = json.loads(self.must("config", "view", "--raw", "--flatten", "-o", "json"))
        admin["clusters"][0]["cluster"].update(cluster)
        if user is not None:
            admin["users"][0]["user"] = user
        file = self.folder / name
        file.write_text(json.dumps(admin), encoding="utf-8")
        return file

    def token(self):
        return self.must("create", "token", self.account).strip()

    def test_who_may_not_is_told_verb_resource_and_account(self):
        config = self.kubeconfig(user={"token": self.token()})
        outcome = self.drive("list", "pods", kubeconfig=config)
        self.refused(outcome, DENIED, "cannot list pods", self.namespace, f"system:serviceaccount:{self.namespace}:{self.account}", 'cannot list resource "pods"')
        outcome = self.drive("proxy", "pods", "x", "8700", "/v1/runs", kubeconfig=config, post="{}")
        self.refused(outcome, DENIED, "cannot create pods/proxy 'x'", self.account)
        self.refused(self.drive("watch", "nodes", ns="", kubeconfig=config), DENIED, "list nodes")
        self.assertEqual(self.done(self.drive("can-i", "list", "pods", kubeconfig=config)).stdout, "false\n")
        self.must("create", "rolebinding", self.account, "--clusterrole=view", f"--serviceaccount={self.namespace}:{self.account}")
        self.wait_for("the right", lambda: self.drive("can-i", "list", "pods", kubeconfig=config).stdout == "true\n", 30)
        self.done(self.drive("list", "pods", kubeconfig=config))

    def test_who_speaks_as_another_has_his_rights_alone(self):
        admin = json.loads(self.must("config", "view", "--raw", "--flatten", "-o", "json"))["users"][0]["user"]
        config = self.kubeconfig(user={**admin, "as": "jane", "as-groups": ["nobody"], "as-user-extra": {"a/b": ["why"]}})
        self.refused(self.drive("list", "pods", kubeconfig=config), DENIED, "as 'jane'", 'User "jane" cannot list')

    def test_a_token_is_read_again_when_its_file_changes(self):
        file = self.folder / "token"
        file.write_text("no token at all")
        config = self.kubeconfig(user={"tokenFile": "token"})
        self.refused(self.drive("list", "pods", kubeconfig=config), DENIED, "401 Unauthorized")
        self.must("create", "rolebinding", self.account, "--clusterrole=view", f"--serviceaccount={self.namespace}:{self.account}")
        file.write_text(self.token())
        self.wait_for("the right", lambda: self.drive("list", "pods", kubeconfig=config).code == 0, 30)

    @unittest.skipIf(THEIRS, "needs the address of the API server inside our own cluster")
    def test_inside_a_pod_the_service_account_is_used(self):
        """As in a pod: its variables, and its files where they are mounted (in a mount namespace of our own)."""
        mounted = self.folder / "mounted"
        mounted.mkdir()
        (mounted / "token").write_text(self.token())
        (mounted / "namespace").write_text(self.namespace)
        ca = json.loads(self.must("config", "view", "--raw", "--flatten", "-o", "json"))["clusters"][0]["cluster"]["certificate-authority-data"]
        (mounted / "ca.crt").write_bytes(base64.b64decode(ca))
        at = "/var/run/secrets/kubernetes.io/serviceaccount"
        script = 'mount -t tmpfs none /run && mkdir -p $1 && mount --bind "$2" $1 && shift 2 && unset KUBECONFIG && exec "$@"'
        words = ["unshare", "--mount", "sh", "-c", script, "sh", at, mounted, *words_of("list", "pods", ns=self.namespace)]
        env = environment(HOME="/nonexistent", KUBERNETES_SERVICE_HOST="10.96.0.1", KUBERNETES_SERVICE_PORT="443")
        outcome = self._run(words, env, None, 60)
        self.refused(outcome, DENIED, f"as system:serviceaccount:{self.namespace}:{self.account}")

    def test_a_ca_that_is_not_the_clusters_is_refused(self):
        other = self.folder / "other"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{other}.key", "-out",
                        f"{other}.pem", "-subj", "/CN=kubernetes", "-days", "1"], check=True, capture_output=True)
        config = self.kubeconfig(**{"certificate-authority-data": base64.b64encode((self.folder / "other.pem").read_bytes()).decode()})
        self.refused(self.drive("list", "pods", kubeconfig=config), UNTRUSTED, "certificate-authority", str(config))


class Leases(Driving):
    def test_one_holds_it_and_whoever_dies_loses_it(self):
        self.assertEqual(self.done(self.drive("lease", "l", "first")).stdout, "held 1\nreleased\n")
        words = words_of("lease", "l", "second", ns=self.namespace, hold="60s", duration="6s")
        with self.background(words) as holder:
            self.assertEqual(holder.stdout.readline(), "held 2\n")
            # Longer than its duration: it is renewed.
            self.assertEqual(self.done(self.drive("lease", "l", "third", patience="9s")).stdout, "not held: second has it\n")
            holder.kill()
        self.assertEqual(self.done(self.drive("lease", "l", "third", patience="60s")).stdout, "held 3\nreleased\n")
        # As other tools write and read it.
        spec = self.get("lease", "l")["spec"]
        self.assertEqual((spec.get("holderIdentity", ""), spec["leaseTransitions"]), ("", 3))

    def test_of_many_that_want_it_at_once_one_has_it(self):
        for transitions in (1, 2):     # it is made, then taken over
            holders = [self.background(words_of("lease", "n", f"holder-{transitions}-{i}", ns=self.namespace, hold="10s")) for i in range(6)]
            said = [holder.communicate(timeout=60)[0].splitlines()[:1] for holder in holders]
            self.assertEqual(said.count([f"held {transitions}"]), 1, said)

    def test_what_is_removed_or_taken_by_force_is_lost(self):
        words = words_of("lease", "m", "first", ns=self.namespace, hold="60s", duration="3s")
        with self.background(words) as holder:
            self.assertEqual(holder.stdout.readline(), "held 1\n")
            self.must("patch", "lease", "m", "--type=merge", "-p", '{"spec":{"holderIdentity":"somebody"}}')
            _, errors = holder.communicate(timeout=60)
        self.assertEqual(holder.returncode, BUSY)
        self.assertIn("'m' in namespace", errors)
        self.assertIn("'somebody' holds it", errors)


class Watches(Driving):
    on_node = True

    def start(self, **options):
        """The driver's lines as they come."""
        process = self.background(words_of("watch", "configmaps", ns=self.namespace, **options))
        lines = []

        def read():
            for line in process.stdout:
                lines.append(line)

        def end():
            process.kill()
            process.wait()
            reader.join()
            process.stdout.close()
            process.stderr.close()
        reader = threading.Thread(target=read)
        reader.start()
        self.addCleanup(end)
        return lines

    def seen(self, lines, word):
        self.wait_for(f"'{word}'", lambda: any(line.startswith(word) for line in lines), 60)

    def test_a_watch_outlives_the_apiserver_and_misses_nothing(self):
        lines = self.start(labels="of=this", time="300s", outage="240s", inside=True)
        self.seen(lines, "listed")
        self.create({**config_map("before"), "metadata": {"name": "before", "labels": {"of": "this"}}})
        self.seen(lines, "added before")
        self.restart_apiserver()
        # A single request waits for it, too: half a minute, which a busy machine may need more than once.
        self.wait_for("an answer", lambda: self.drive("get", "configmaps", "before").code == 0, 180)
        self.wait_for_apiserver()
        self.create({**config_map("after"), "metadata": {"name": "after", "labels": {"of": "this"}}})
        self.seen(lines, "added after")
        self.must("delete", "configmap", "before")
        self.seen(lines, "deleted before")
        self.assertEqual([line.split()[1] for line in lines if line.startswith("added")], ["before", "after"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
