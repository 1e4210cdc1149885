"""The shipped workflow files, read once, and what a check wants to know about them."""

import glob
import os
import re

import strict_yaml

SOURCE = os.environ.get("CAPSULE_SOURCE") or os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BIN = os.environ.get("CAPSULE_BIN") or os.path.join(SOURCE, "build", "bin")

_NOT_ARGOS = ("workflows/crds/", "workflows/overlays/", "workflows/policies/", "workflows/rbac/", "workflows/services/proof-service/")
_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)


def shipped():
    """{path from the checkout: document} of every file under workflows/ that is Argo's; what is kustomize's or the
    API server's is not."""
    paths = sorted(glob.glob(os.path.join(SOURCE, "workflows", "**", "*.y*ml"), recursive=True))
    relative = [os.path.relpath(path, SOURCE) for path in paths if os.path.basename(path) != "kustomization.yaml"]
    return {path: strict_yaml.load_file(os.path.join(SOURCE, path)) for path in relative if not path.startswith(_NOT_ARGOS)}


def templates_by_name(documents):
    """{(WorkflowTemplate, template): template}, what a templateRef can name."""
    return {
        (document["metadata"]["name"], template["name"]): template
        for document in documents.values()
        if document.get("kind") in ("WorkflowTemplate", "ClusterWorkflowTemplate")
        for template in document["spec"].get("templates", [])
    }


def leaf_templates(documents):
    """(path, template) of every template that runs a container."""
    for path, document in documents.items():
        for template in (document.get("spec") or {}).get("templates", []):
            if "container" in template or "script" in template or "containerSet" in template:
                yield path, template


def calls(template):
    """The steps or tasks of TEMPLATE, each with the names of those that have ended before it."""
    before = set()
    for group in template.get("steps", []):
        for step in group:
            yield step, frozenset(before)
        before |= {step["name"] for step in group}
    tasks = {task["name"]: task for task in template.get("dag", {}).get("tasks", [])}
    for task in tasks.values():
        yield task, frozenset(_ancestors(task, tasks))


def _ancestors(task, tasks):
    found = set()
    waiting = [task]
    while waiting:
        current = waiting.pop()
        named = re.findall(r"[\w-]+", re.sub(r"\.\w+", "", current.get("depends", ""))) + current.get("dependencies", [])
        for name in named:
            if name in tasks and name not in found:
                found.add(name)
                waiting.append(tasks[name])
    return found


def inputs(template):
    return {parameter["name"]: parameter for parameter in template.get("inputs", {}).get("parameters", [])}


def outputs(template):
    return {parameter["name"]: parameter for parameter in template.get("outputs", {}).get("parameters", [])}


def strings(value):
    """Every string inside VALUE, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from strings(member)


def tags(value):
    """The inside of every {{…}} in VALUE."""
    return [tag for text in strings(value) for tag in _TAG.findall(text)]
