"""images/Containerfile makes the images of `make images`: the same files and the same configuration, by buildah."""
import gzip
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

from containers import build_images
from steps import SOURCE

sys.path.insert(0, str(SOURCE / "images"))
from build import images, steps, version  # noqa: E402

CONTAINERFILE = SOURCE / "images/Containerfile"


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def image_of(layout, tag):
    """(config, {path: what is there}) of an image of an OCI layout; but when a folder was last changed."""
    def blob(digest):
        return (layout / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()
    index = json.loads((layout / "index.json").read_text())
    digest = next(entry["digest"] for entry in index["manifests"] if entry["annotations"]["org.opencontainers.image.ref.name"] == tag)
    manifest, files = json.loads(blob(digest)), {}
    for layer in manifest["layers"]:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(layer["digest"])))) as tar:
            for member in tar:
                content = tar.extractfile(member).read() if member.isfile() else member.linkname
                files[member.name.rstrip("/")] = member.type, member.mode & 0o7777, member.uid, member.gid, not member.isdir() and member.mtime, content
    return json.loads(blob(manifest["config"]["digest"]))["config"], files


class Containerfile(unittest.TestCase):
    def test_it_has_the_layers_of_every_image(self):
        stages = re.findall(r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM|\Z)", CONTAINERFILE.read_text(), re.M | re.S)
        wanted = {name: (image.below, tuple(f"capsule-{program}" for program in image.programs)) for name, image in images(steps()).items()}
        found = {name: (below, tuple(re.findall(r"^ADD (\S+)\.tar\.gz /$", text, re.M))) for below, name, text in stages}
        self.assertEqual({**wanted, "base": ("scratch", ("base",)), "python": ("base", ("python",))}, found)
        self.assertIn(f"LABEL org.opencontainers.image.version={version()}\n", CONTAINERFILE.read_text())

    @unittest.skipIf(os.getuid() != 0, "buildah without root needs user namespaces with ranges of ids: run the tests as root")
    def test_buildah_makes_the_same_images(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            self.assertEqual(build_images(folder / "images").returncode, 0)
            buildah = ["buildah", "--root", folder / "root", "--runroot", folder / "runroot", "--storage-driver", "vfs"]
            for step in ("verify", "deploy"):
                run(*buildah, "build", "--quiet", "--isolation", "chroot", "--file", CONTAINERFILE, "--target", step, "--tag", f"by-buildah/{step}",
                    folder / "images/layers/amd64")
                run(*buildah, "push", "--quiet", f"by-buildah/{step}", f"oci:{folder / 'pushed'}:{step}")
                config, files = image_of(folder / "pushed", step)
                ours, our_files = image_of(folder / "images/oci", f"capsule-loop/{step}:{version()}")
                self.assertEqual(sorted(files), sorted(our_files))
                self.assertEqual([path for path in files if files[path] != our_files[path]], [])
                config["Labels"].pop("io.buildah.version")
                self.assertEqual(config, ours)


if __name__ == "__main__":
    unittest.main()
