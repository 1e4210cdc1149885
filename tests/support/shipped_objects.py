"""What `workflows/` ships, as a cluster's administrator installs it."""
import gzip
import hashlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import once
import side_load
import yaml
from steps import SOURCE

ARGO_CRDS = SOURCE / "tests/cluster/argo-crds"
WORKFLOWS = SOURCE / "workflows"
OVERLAYS = ("small", "platform", "many-namespaces/cluster", "many-namespaces/namespace")
OUR_CRD = "proofeddeployments.infra.industriverse.ai"
# The stamp of once.py.
CRDS = "crds"
ARGO_S = ("workflowtemplates.argoproj.io", "clusterworkflowtemplates.argoproj.io", "cronworkflows.argoproj.io", "workflows.argoproj.io")
# kustomize's own, and what `make images` writes.
NOT_OBJECTS = ("kustomization.yaml", "containers.yaml")


def argo_crds():
    """The text of each of Argo's CRDs."""
    return [gzip.decompress(path.read_bytes()).decode() for path in sorted(ARGO_CRDS.glob("*.yaml.gz"))]


def files():
    """Every file that holds an object."""
    return [path for path in sorted(WORKFLOWS.rglob("*.yaml"))
            if path.name not in NOT_OBJECTS and not path.is_relative_to(WORKFLOWS / "overlays/pushed")]


def install_crds(case, *needed):
    """Argo's and ours, for good. On somebody's own cluster the tests of a class are skipped where one of these, by default of all, is not there."""
    if case.is_theirs:
        missing = [name for name in needed or (OUR_CRD, *ARGO_S) if case.kubectl("get", "crd", name).code != 0]
        if missing:
            raise unittest.SkipTest(f"somebody's cluster, which has no {', '.join(missing)} (kubectl apply --server-side -k workflows/crds; Argo's come with Argo)")
        return
    text = "---\n".join([*argo_crds(), kustomized(WORKFLOWS / "crds")])
    once.once(case.cluster, CRDS, hashlib.sha256(text.encode()).hexdigest(), lambda: _apply_crds(case, text))


def _apply_crds(case, text):
    case.must("apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", "-", input=text)
    # A CRD has `conditions: null` at first, over which kubectl wait stumbles.
    until = time.monotonic() + 180
    while (waited := case.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=10s")).code != 0:
        assert time.monotonic() < until, waited
        time.sleep(0.3)
    # The first to ask how all of them look waits until that is put together, on a busy machine longer than kubectl's own 32 s.
    case.must("get", "--raw", "/openapi/v2", "--request-timeout=170s")


def rendered(overlay, namespace, folder, change=None):
    """An overlay's objects for a namespace: the one line is changed that its file says. `change(copy of workflows/)` may do more."""
    copy = Path(folder) / "workflows"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(WORKFLOWS, copy)
    for path in copy.glob("overlays/**/kustomization.yaml"):
        path.write_text(re.sub(r"(?m)^namespace: .*$", f"namespace: {namespace}", path.read_text(encoding="utf-8")), encoding="utf-8")
    if change:
        change(copy)
    return side_load.placed(kustomized(copy / "overlays" / overlay))


def kustomized(folder):
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout


def install(case, overlay="small", change=None):
    """An overlay in the namespace of a class of tests."""
    install_crds(case)
    with tempfile.TemporaryDirectory() as folder:
        objects = rendered(overlay, case.namespace, folder, change)
    case.addClassCleanup(case.kubectl, "delete", "clusterrolebinding", f"capsule-deploy-nodes.{case.namespace}", "--ignore-not-found")
    if case.is_theirs:
        objects = apart(case, objects)
    case.must("apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", "-", input=objects)


def apart(case, objects):
    """For somebody's own cluster: its CRDs stay as they are, and a ClusterRole has a name of this namespace, and goes again."""
    kept = [document for document in yaml.safe_load_all(objects) if document["kind"] != "CustomResourceDefinition"]
    own = lambda name: f"{name}.{case.namespace}"
    for document in kept:
        if document["kind"] == "ClusterRole":
            document["metadata"]["name"] = own(document["metadata"]["name"])
            case.addClassCleanup(case.kubectl, "delete", "clusterrole", document["metadata"]["name"], "--ignore-not-found")
        elif document["kind"] == "ClusterRoleBinding":
            document["roleRef"]["name"] = own(document["roleRef"]["name"])
    return yaml.safe_dump_all(kept)
