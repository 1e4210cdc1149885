#!/usr/bin/env python3
"""Builds the container images of the steps, and the runtime of capsules, from a build tree and from installed Debian packages: no daemon, no network.

Written under --out: `oci`, an OCI image layout with a tag for each image; `docker/<architecture>/<image>.tar`; and
`layers/<architecture>/<layer>.tar.gz`, for the Containerfile. The same inputs give the same bytes."""
import argparse
import re
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from contents import WORKFLOWS, base_layer, images, program_layer, python_layer, workflows_layer  # noqa: E402
from debian_root import TRIPLETS, DebianRoot, Missing  # noqa: E402
from layer import pack  # noqa: E402
from oci_image import BuiltImage, write_docker_archive, write_layout  # noqa: E402

SOURCE = Path(__file__).resolve().parents[1]
# Bytes, compressed. Python has no limit: it is there for capsule code, and Debian's.
LARGEST_BASE = 12 * 1000 * 1000
LARGEST_PROGRAM = 2 * 1000 * 1000


def version():
    return re.search(r"^project\(\S+ VERSION (\S+)", (SOURCE / "CMakeLists.txt").read_text(), re.M).group(1)


def steps():
    return sorted(path.parent.name for path in (SOURCE / "steps").glob("*/main.cpp"))


def layers_of(architecture, root, programs):
    """{name: PackedLayer} for one architecture; `programs` is the folder of its binaries."""
    debian = DebianRoot(root, architecture)
    binaries = {step: programs / f"capsule-{step}" for step in steps()}
    lacking = [str(path) for path in binaries.values() if not path.is_file()]
    if lacking:
        raise Missing(f"not built yet: {', '.join(lacking)}; run `make`")
    base = base_layer(debian, binaries.values())
    packed = {"base": pack("base", base), "python": pack("python", python_layer(debian, base))}
    packed.update({step: pack(f"capsule-{step}", program_layer(base, path)) for step, path in binaries.items()})
    packed[WORKFLOWS] = pack(f"capsule-{WORKFLOWS}", workflows_layer(base, SOURCE / "workflows"))
    return packed


def too_large(architecture, layers):
    """Prints the table of sizes; returns the names of what is over its limit."""
    limits = {"base": LARGEST_BASE, "python": None}
    over = []
    for name, layer in layers.items():
        limit, size = limits.get(name, LARGEST_PROGRAM), len(layer.gzip.content)
        print(f"{architecture:6} {name:16} {len(layer.tar.content) / 1e6:8.2f} MB {size / 1e6:7.2f} MB compressed"
              + (f"  (limit {limit / 1e6:.0f} MB)" if limit else ""))
        if limit and size > limit:
            over.append(name)
    return over


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for what is built")
    parser.add_argument("--build", nargs=3, action="append", required=True, metavar=("ARCHITECTURE", "ROOT", "PROGRAMS"),
                        help=f"one of {', '.join(TRIPLETS)}; the Debian root with its packages, such as /; the folder of its programs")
    arguments = parser.parse_args()
    built, over = [], []
    for folder in ("docker", "layers"):  # of an architecture that was built before, too
        shutil.rmtree(arguments.out / folder, ignore_errors=True)
    for architecture, root, programs in arguments.build:
        layers = layers_of(architecture, root, Path(programs))
        over += too_large(architecture, layers)
        folder = arguments.out / "layers" / architecture
        folder.mkdir(parents=True)
        for layer in layers.values():
            (folder / f"{layer.name}.tar.gz").write_bytes(layer.gzip.content)
        for name, image in images(steps()).items():
            parts = ["base", *(["python"] if image.below == "python" else []), *image.programs]
            built.append(BuiltImage(name, version(), architecture, [layers[part] for part in parts], image.entrypoint))
            write_docker_archive(arguments.out / "docker" / architecture / f"{name}.tar", built[-1])
    write_layout(arguments.out / "oci", built)
    if over:
        raise Missing(f"larger than its limit: {', '.join(over)}")


if __name__ == "__main__":
    try:
        main()
    except (Missing, OSError) as error:
        sys.exit(f"images: {error}")
