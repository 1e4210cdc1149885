#!/usr/bin/env python3
"""Writes a kustomize overlay that puts pushed images into all that is installed on a cluster, by digest: what capsule-push-images
printed, on stdin, becomes FOLDER/kustomization.yaml, beside a copy of containers.yaml of the overlay `small`, which is below it."""
import json
import shutil
import sys
from pathlib import Path

# What the templates name: a registry that cannot exist.
PLACEHOLDER = "capsule-loop.invalid"
SMALL = "../small"
CONTAINERS = Path(__file__).resolve().parents[1] / "workflows/overlays/small/containers.yaml"


def kustomization(pushed):
    place = pushed["registry"].removeprefix("oci://")
    lines = ["# Written by `make images PUSH=…`: the overlay `small`, with the images that were pushed.",
             "apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", f"resources: [{SMALL}]",
             "configurations: [containers.yaml]", "images:"]
    for name, digest in sorted(pushed["images"].items()):
        lines.append(f"  - {{name: {PLACEHOLDER}/{name}, newName: \"{place}/{name}\", digest: \"{digest}\"}}")
    return "\n".join(lines) + "\n"


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kustomization.yaml").write_text(kustomization(json.load(sys.stdin)))
    shutil.copyfile(CONTAINERS, folder / "containers.yaml")
    print(f"{folder}/kustomization.yaml names the pushed images: kubectl apply --server-side -k {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
