"""What stands in for the DAC platform's operator: it makes the Deployment `<name>-deploy` of each ProofedDeployment object's spec.template, as a
program with another field manager would, and goes after a change of it.

    with FakeOperator(case, replicas=1): …
"""
import http.client
import json
import socket
import tempfile
import threading
import time
from pathlib import Path

MANAGER = "dac-operator"


class ApiServer(http.client.HTTPConnection):
    """Through a `kubectl proxy` at a socket: a process for each request would be too slow for who has ten seconds."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))

    def ask(self, method, path, body=None):
        """The document, or nothing."""
        self.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        answer = self.getresponse()
        text = answer.read()
        return json.loads(text) if answer.status < 300 else None


class FakeOperator:
    def __init__(self, case, **spec):
        """`spec`: what it sets in the Deployment's spec beside selector and template; `change(template)` may change the template."""
        self.change = spec.pop("change", lambda template: None)
        self.case, self.spec = case, spec
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.seen = {}

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "socket"
        self.proxy = self.case.started(("kubectl", "proxy", f"--unix-socket={path}"))
        until = time.monotonic() + 60
        while not path.exists():
            self.case.assertLess(time.monotonic(), until, "kubectl proxy does not listen")
            time.sleep(0.1)
        self.api = ApiServer(path)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.api.close()
        self.proxy.kill()
        self.proxy.communicate()
        self.folder.cleanup()

    def work(self):
        objects = f"/apis/infra.industriverse.ai/v1/namespaces/{self.case.namespace}/proofeddeployments"
        while not self.over.wait(0.3):
            for item in (self.api.ask("GET", objects) or {"items": []})["items"]:
                if item["spec"].get("template", {}).get("spec", {}).get("containers"):
                    self.reconcile(item)

    def reconcile(self, item):
        name, template = item["metadata"]["name"], item["spec"]["template"]
        if self.seen.get(name) == template:
            return
        deployments = f"/apis/apps/v1/namespaces/{self.case.namespace}/deployments"
        there = self.api.ask("GET", f"{deployments}/{name}-deploy")
        made = there or self.deployment(item)
        made["spec"]["template"] = json.loads(json.dumps(template))
        made["spec"]["template"]["metadata"].setdefault("annotations", {})["proofScore"] = "0"
        self.change(made["spec"]["template"])
        where = f"{deployments}/{name}-deploy" if there else deployments
        if self.api.ask("PUT" if there else "POST", f"{where}?fieldManager={MANAGER}", made):
            self.seen[name] = template

    def deployment(self, item):
        name = item["metadata"]["name"]
        owner = {"apiVersion": item["apiVersion"], "kind": item["kind"], "name": name, "uid": item["metadata"]["uid"],
                 "controller": True, "blockOwnerDeletion": True}
        return {"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": f"{name}-deploy", "labels": {"app": name}, "ownerReferences": [owner]},
                "spec": {**self.spec, "selector": {"matchLabels": {"app": name}}}}
