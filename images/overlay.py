#!/usr/bin/env python3
"""Writes a kustomize overlay that puts pushed images into the workflow templates, by digest: what capsule-push-images printed, on
stdin, becomes FOLDER/kustomization.yaml and FOLDER/containers.yaml. `kubectl apply -k FOLDER` then installs the templates."""
import json
import sys
from pathlib import Path

# kustomize looks for images where Kubernetes' own kinds have them; in a WorkflowTemplate they are elsewhere.
CONTAINERS = """# Written by `make images PUSH=…`: where Argo's kinds name images.
images:
  - {path: "spec/templates[]/container/image", kind: WorkflowTemplate}
  - {path: "spec/templates[]/initContainers[]/image", kind: WorkflowTemplate}
  - {path: "spec/templates[]/sidecars[]/image", kind: WorkflowTemplate}
"""
# What the templates name: a registry that cannot exist.
PLACEHOLDER = "capsule-loop.invalid"


def kustomization(pushed, templates):
    place = pushed["registry"].removeprefix("oci://")
    lines = ["# Written by `make images PUSH=…`: the workflow templates, with the images that were pushed.",
             "apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", f"resources: [{templates}]",
             "configurations: [containers.yaml]", "images:"]
    for name, digest in sorted(pushed["images"].items()):
        lines.append(f"  - {{name: {PLACEHOLDER}/{name}, newName: \"{place}/{name}\", digest: \"{digest}\"}}")
    return "\n".join(lines) + "\n"


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kustomization.yaml").write_text(kustomization(json.load(sys.stdin), "../../templates"))
    (folder / "containers.yaml").write_text(CONTAINERS)
    print(f"{folder}/kustomization.yaml names the pushed images: kubectl apply -k {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
