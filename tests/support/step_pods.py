"""capsule-run with every step as a pod of a real cluster, without Argo: beside it lie programs of the steps' names that start their step's
shipped template as a pod, with its own container, account and volumes, and hand back exit code, last words and outputs.

    folder = step_pods.beside_capsule_run(folder, namespace)
    case.inside_words(folder / "capsule-run", …)
"""
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

import side_load
import workflow_files
from cluster_pods import CONTAINER_SECURITY
from steps import BIN

# Reads the outputs, as Argo's own container does, where the step has ended well; the step is an init container before it.
READ = ("import json, pathlib; folder = pathlib.Path('/work/outputs'); "
        "print(json.dumps({path.name: path.read_text() for path in folder.iterdir() if path.suffix != '.json'}))")
RUNTIME = side_load.named("runtime-python")
# capsule-run gives a step none of our environment, so where the nodes find our images is said here.
PROGRAM = """#!/usr/bin/python3 -B
import os
import sys
os.environ["CAPSULE_E2E_IMAGES"] = {images!r}
sys.path[:0] = {paths!r}
import step_pods
sys.exit(step_pods.main({namespace!r}, sys.argv, {env!r}))
"""


def beside_capsule_run(folder, namespace, env=None):
    """`folder` with capsule-run and a program for each template; returns it. env: {program: what its container's environment has beside the template's}."""
    folder = Path(folder)
    folder.mkdir()
    shutil.copy(BIN / "capsule-run", folder)
    for name in {os.path.basename(template["container"]["command"][0]) for _, template in workflow_files.leaf_templates(workflow_files.shipped())}:
        if name != "capsule-run":
            program = folder / name
            program.write_text(PROGRAM.format(paths=sys.path, images=side_load.IMAGES, namespace=namespace, env=(env or {}).get(name, {})), encoding="utf-8")
            program.chmod(0o755)
    return folder


def main(namespace, argv, env):
    template = _template_of(argv)
    pod = pod_of(template, _arguments(template, argv[1:]))
    pod["spec"]["initContainers"][0]["env"] += [{"name": name, "value": value} for name, value in env.items()]
    done = _kubectl(namespace, "create", "--validate=strict", "-f", "-", "-o", "name", input=json.dumps(pod))
    if done.returncode != 0:
        print(f"{pod['metadata']['name']}: error: {done.stderr.strip()}", file=sys.stderr)
        return 16
    state = _ended(namespace, pod["metadata"]["name"])
    if state["exitCode"] == 0:
        outputs = json.loads(_kubectl(namespace, "logs", pod["metadata"]["name"], "-c", "main").stdout)
        folder = Path(next(word for word in argv if word.startswith("--outputs=")).partition("=")[2])
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in outputs.items():
            (folder / name).write_text(value, encoding="utf-8")
    else:
        print(f"{pod['metadata']['name']}: error: {state.get('message', state.get('reason', '')).strip()}", file=sys.stderr)
    return state["exitCode"]


def pod_of(template, arguments):
    """The pod that Argo would make of it, but that its own containers are one that reads the outputs."""
    step = {**template["container"], "name": "step", "args": arguments}
    read = {"name": "main", "image": RUNTIME, "imagePullPolicy": "IfNotPresent", "command": ["/usr/bin/python3", "-ISc", READ],
            "volumeMounts": [{"name": "work", "mountPath": "/work"}], "securityContext": CONTAINER_SECURITY}
    spec = {name: template[name] for name in ("serviceAccountName", "automountServiceAccountToken", "securityContext", "volumes")}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{template['name']}-{secrets.token_hex(4)}", "labels": {"step": template["name"]}},
           "spec": {**spec, "restartPolicy": "Never", "enableServiceLinks": False, "initContainers": [step], "containers": [read]}}
    return json.loads(side_load.placed(json.dumps(pod)))


def _template_of(argv):
    """The shipped template whose command line this is."""
    name = os.path.basename(argv[0])
    for _, template in workflow_files.leaf_templates(workflow_files.shipped()):
        container = template["container"]
        if os.path.basename(container["command"][0]) == name and len(container["args"]) == len(argv) - 1 and all(
                given.startswith(wanted.partition("{{")[0]) for given, wanted in zip(argv[1:], container["args"]) if "{{" in wanted):
            return template
    raise SystemExit(f"no template has the command line {argv}")


def filled(text, values):
    """An argument of a template with the values of its inputs."""
    return re.sub(r"\{\{inputs\.parameters\.([\w-]+)\}\}", lambda tag: values[tag[1]], text)


def _arguments(template, given):
    """As the cluster has them: what stands in the file, with paths of the pod, not those that capsule-run has put in their place."""
    return [value if "{{" in wanted else wanted for wanted, value in zip(template["container"]["args"], given)]


def _ended(namespace, pod, seconds=300):
    """How the step's container ended, once the pod has."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        status = json.loads(_kubectl(namespace, "get", "pod", pod, "-o", "json").stdout)["status"]
        if status.get("phase") in ("Succeeded", "Failed"):
            return status["initContainerStatuses"][0]["state"].get("terminated", {"exitCode": 16, "message": json.dumps(status)})
        time.sleep(0.3)
    return {"exitCode": 143, "message": f"the pod {pod} did not end within {seconds} s"}


def _kubectl(namespace, *words, **how):
    return subprocess.run(["kubectl", "-n", namespace, *words], capture_output=True, text=True, check=False, **how)
