#!/usr/bin/env python3
"""Writes a kustomize overlay that puts pushed images into all that is installed on a cluster, by digest. What capsule-push-images
printed, on stdin, becomes the component FOLDER/images, which any overlay may name, and FOLDER itself: the overlay `small` with it."""
import json
import sys
from pathlib import Path

# What the templates name: a registry that cannot exist.
PLACEHOLDER = "capsule-loop.invalid"
OVERLAYS = Path(__file__).resolve().parents[1] / "workflows/overlays"
# Where images stand in Argo's kinds: those in one namespace, and those of the whole cluster.
CONTAINERS = (OVERLAYS / "small/containers.yaml", OVERLAYS / "many-namespaces/cluster/containers.yaml")
SMALL = """# Written by `make images PUSH=…`: the overlay `small`, with the images that were pushed.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../small]
components: [images]
"""


def component(pushed):
    place = pushed["registry"].removeprefix("oci://")
    lines = ["# Written by `make images PUSH=…`: the images that were pushed, for any overlay (`components:`).",
             "apiVersion: kustomize.config.k8s.io/v1alpha1", "kind: Component", "configurations: [containers.yaml]", "images:"]
    for name, digest in sorted(pushed["images"].items()):
        lines.append(f"  - {{name: {PLACEHOLDER}/{name}, newName: \"{place}/{name}\", digest: \"{digest}\"}}")
    return "\n".join(lines) + "\n"


def containers():
    places = [line for path in CONTAINERS for line in path.read_text().splitlines() if line.startswith("  - ")]
    return "\n".join(["images:", *places]) + "\n"


def main(folder):
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    (images / "kustomization.yaml").write_text(component(json.load(sys.stdin)))
    (images / "containers.yaml").write_text(containers())
    (folder / "containers.yaml").unlink(missing_ok=True)  # an older version wrote it
    (folder / "kustomization.yaml").write_text(SMALL)
    print(f"{images} names the pushed images: kubectl apply --server-side -k {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
