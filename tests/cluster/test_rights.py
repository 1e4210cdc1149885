"""What each service account may, and may not: asked of a real API server, as the account."""
import re
import unittest

import shipped_objects
from cluster_case import ClusterCase

READ = "get list watch"
RESULTS = {"workflowtaskresults.argoproj.io": "create patch"}
# All that an account may do in its namespace; nothing else. That its step asks for each of it: test_rights_asked.py.
MAY = {
    "capsule-step": {},
    "capsule-proof-service": {},
    "capsule-executor": RESULTS,
    "capsule-deploy": {
        **RESULTS,
        "proofeddeployments.infra.industriverse.ai": f"{READ} create delete patch update",
        "proofeddeployments.infra.industriverse.ai/status": "update",
        "deployments.apps": f"{READ} create delete patch",
        "replicasets.apps": "get",
        "poddisruptionbudgets.policy": "create delete get patch",
        "resourceclaimtemplates.resource.k8s.io": "get",
        "pods": f"{READ} delete patch",
        "pods/proxy": "create get",
        "events": "create",
        "configmaps": "create delete get patch",
        "leases.coordination.k8s.io": "create delete get update",
        "namespaces": "get",
        "nodes": "list",
        "customresourcedefinitions.apiextensions.k8s.io[proofeddeployments.infra.industriverse.ai]": "get",
    },
    "capsule-explain": {**RESULTS, "events": "create", "workflows.argoproj.io": "get"},
    "capsule-generate-proof": {
        **RESULTS,
        "events": "create",
        "pods": "create delete get",
        "pods/proxy": "create get",
        "leases.coordination.k8s.io": "create delete get update",
        "proofeddeployments.infra.industriverse.ai": "get",
        "proofeddeployments.infra.industriverse.ai/status": "update",
        "deployments.apps": "get",
        "configmaps": "get",
    },
    "capsule-register": {
        **RESULTS,
        "proofeddeployments.infra.industriverse.ai": "get",
        "proofeddeployments.infra.industriverse.ai/status": "update",
        "pods": "list patch",
        "events": "create",
    },
}
# The loop in one pod does what these do, and no more.
MAY["capsule-loop-fused"] = {}
for _account in ("capsule-deploy", "capsule-generate-proof", "capsule-register"):
    for _resource, _verbs in MAY[_account].items():
        MAY["capsule-loop-fused"][_resource] = f"{MAY['capsule-loop-fused'].get(_resource, '')} {_verbs}"
# One question each that would be the beginning of something bad.
MAY_NOT = (("get", "secrets"), ("create", "pods:exec"), ("create", "pods:attach"), ("create", "pods:portforward"), ("create", "serviceaccounts:token"),
           ("create", "rolebindings"), ("update", "customresourcedefinitions"), ("update", "nodes"), ("impersonate", "users"), ("create", "workflows"))


class Rights(ClusterCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        shipped_objects.install(cls)

    def account(self, name):
        return f"--as=system:serviceaccount:{self.namespace}:{name}"

    def asked(self, verb, resource, *more):
        resource, _, sub = resource.partition(":")
        return self.kubectl("auth", "can-i", verb, resource, f"--subresource={sub}", *more).stdout.strip() == "yes"

    def may(self, account, verb, resource, *more):
        return self.asked(verb, resource, self.account(account), *more)

    def test_people_of_the_namespace_may_see_deployments_or_change_them(self):
        for role, changes in (("view", False), ("edit", True), ("admin", True)):
            self.must("create", "rolebinding", f"of-{role}", f"--clusterrole={role}", f"--user={role}-user")
            user = f"--as={role}-user"
            expected = {**dict.fromkeys(READ.split(), True), **dict.fromkeys(("create", "patch", "update", "delete"), changes)}
            # The API server adds ours to its own roles by and by.
            self.wait_for(f"the rights of {role}", lambda: expected == {verb: self.asked(verb, "pd", user) for verb in expected}, 60)
            self.assertFalse(self.asked("update", "pd:status", user), role)

    def test_every_shipped_account_is_here(self):
        shipped = {item["metadata"]["name"] for item in self.get("serviceaccounts")["items"]} - {"default"}
        self.assertEqual(set(MAY), shipped)

    def test_what_each_may_is_exactly_this(self):
        for account, wanted in MAY.items():
            with self.subTest(account):
                self.assertEqual({name: set(verbs.split()) for name, verbs in wanted.items()}, self.listed(account))

    def listed(self, account):
        """{resource, with its object's name in brackets where only that is allowed: verbs}, without what everybody may."""
        found = {}
        for line in self.must("auth", "can-i", "--list", self.account(account)).splitlines()[1:]:
            row = re.fullmatch(r"(\S+)\s+\[\]\s+\[(.*?)\]\s+\[(.*)\]\s*", line)
            if row and not row[1].startswith("selfsubject"):
                name = f"{row[1]}[{row[2]}]" if row[2] else row[1]
                found.setdefault(name, set()).update(row[3].split())
        return found

    def test_what_none_may(self):
        for account in MAY:
            for verb, resource in MAY_NOT:
                with self.subTest(f"{account} {verb} {resource}"):
                    self.assertFalse(self.may(account, verb, resource))
        self.assertTrue(self.may("capsule-deploy", "create", "pods:proxy"))  # the question itself is the right one

    def test_another_namespace_is_none_of_theirs(self):
        for account in MAY:
            for verb, resource in (("list", "pods"), ("get", "configmaps"), ("create", "workflowtaskresults.argoproj.io"), ("get", "namespaces/default")):
                with self.subTest(f"{account} {verb} {resource}"):
                    self.assertFalse(self.may(account, verb, resource, "--namespace=default"))

    def test_only_the_accounts_of_argo_s_container_without_a_token_of_their_own_have_one_in_a_secret(self):
        def token():
            data = self.get("secret", "capsule-executor.service-account-token").get("data", {})
            return data.get("token")

        self.wait_for("the token of capsule-executor", token)
        kinds = [item["metadata"]["name"] for item in self.get("secrets")["items"] if item["type"] == "kubernetes.io/service-account-token"]
        self.assertEqual(["capsule-executor.service-account-token"], kinds)


if __name__ == "__main__":
    unittest.main()
