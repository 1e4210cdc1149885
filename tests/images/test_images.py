"""What `make images` builds: the same bytes each time, within its limits, as other tools read it, with nothing that is not needed."""
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path

from containers import USER, build_images
from steps import BIN, SOURCE

STEPS = sorted(path.parent.name for path in (SOURCE / "steps").glob("*/main.cpp"))
WITH_PYTHON = {"agent", "deploy", "generate-proof", "run"}
RUNTIME = "runtime-python"
IMAGES = sorted([*STEPS, RUNTIME])


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def files_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class Images(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.out = Path(folder.name) / "images"
        cls.done = build_images(cls.out)
        assert cls.done.returncode == 0, cls.done.stderr
        cls.oci = cls.out / "oci"

    def blob(self, digest):
        data = (self.oci / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()
        self.assertEqual("sha256:" + hashlib.sha256(data).hexdigest(), digest)
        return data

    def image(self, step):
        """(config, manifest) of a tag."""
        for entry in json.loads((self.oci / "index.json").read_text())["manifests"]:
            if entry["annotations"]["org.opencontainers.image.ref.name"] == f"capsule-loop/{step}:0.1.0":
                manifest = json.loads(self.blob(entry["digest"]))
                return json.loads(self.blob(manifest["config"]["digest"])), manifest
        self.fail(f"no tag of {step}")

    def members(self, step):
        """{path: (tar member, content)} of all layers."""
        found = {}
        for layer in self.image(step)[1]["layers"]:
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress(self.blob(layer["digest"])))) as tar:
                for member in tar:
                    file = tar.extractfile(member) if member.isfile() else None
                    found[member.name] = member, file.read() if file else None
        return found

    def test_twice_the_same_bytes(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(build_images(Path(folder), umask=0o077).returncode, 0)
            first, second = files_of(self.out), files_of(Path(folder))
        self.assertEqual(sorted(first), sorted(second))
        self.assertEqual([path for path in first if first[path] != second[path]], [])

    def test_every_image_has_a_tag_and_a_docker_archive(self):
        tags = [entry["annotations"]["org.opencontainers.image.ref.name"]
                for entry in json.loads((self.oci / "index.json").read_text())["manifests"]]
        self.assertEqual(sorted(tags), [f"capsule-loop/{name}:0.1.0" for name in IMAGES])
        self.assertEqual(sorted(path.stem for path in (self.out / "docker/amd64").iterdir()), IMAGES)

    def test_sizes_are_within_the_limits_and_printed(self):
        for name, limit in [("base", 12_000_000), *((step, 2_000_000) for step in STEPS)]:
            self.assertRegex(self.done.stdout, rf"amd64 +{name} .* compressed  \(limit {limit // 1_000_000} MB\)")
        for step in STEPS:
            layers = self.image(step)[1]["layers"]
            self.assertLessEqual(layers[0]["size"], 12_000_000)
            for layer in layers[2 if step in WITH_PYTHON else 1:]:
                self.assertLessEqual(layer["size"], 2_000_000)

    def test_a_layer_that_is_too_large_is_a_failure(self):
        with tempfile.TemporaryDirectory() as folder:
            programs = Path(folder) / "bin"
            programs.mkdir()
            for step in STEPS:
                (programs / f"capsule-{step}").write_bytes((BIN / f"capsule-{step}").read_bytes())
            with open(programs / "capsule-pack", "ab") as program, open("/dev/urandom", "rb") as noise:
                program.write(noise.read(2_000_000))
            done = build_images(Path(folder) / "images", ("amd64", "/", programs))
            self.assertEqual((done.returncode, done.stderr), (1, "images: larger than its limit: pack\n"))
            (programs / "capsule-pack").unlink()
            done = build_images(Path(folder) / "images", ("amd64", "/", programs))
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, r"^images: not built yet: .*capsule-pack; run `make`\n$")

    def test_the_program_is_that_of_the_build_tree(self):
        for step in STEPS:
            self.assertEqual(self.members(step)[f"usr/local/bin/capsule-{step}"][1], (BIN / f"capsule-{step}").read_bytes())

    def test_the_workflow_files_are_those_of_the_tree(self):
        """Where capsule-run, and the template that runs a loop in one pod, look for them; no other image has them."""
        place = "usr/local/share/capsule-loop/workflows"
        found = {path.removeprefix(f"{place}/"): content for path, (member, content) in self.members("run").items() if path.startswith(f"{place}/") and member.isfile()}
        wanted = {str(path.relative_to(SOURCE / "workflows")): path.read_bytes() for folder in ("loops", "templates") for path in (SOURCE / "workflows" / folder).glob("*.yaml")}
        self.assertEqual(found, wanted)
        self.assertEqual([name for name in IMAGES if any(path.startswith(place) for path in self.members(name))], ["run"])

    def test_one_base_for_all(self):
        self.assertEqual(len({self.image(step)[1]["layers"][0]["digest"] for step in STEPS}), 1)
        self.assertEqual(len({self.image(name)[1]["layers"][1]["digest"] for name in {*WITH_PYTHON, RUNTIME}}), 1)

    def test_configuration(self):
        for step in STEPS:
            config, manifest = self.image(step)
            self.assertEqual(config["config"]["User"], f"{USER}:{USER}")
            self.assertEqual(config["config"]["Entrypoint"], [f"/usr/local/bin/capsule-{step}"])
            self.assertEqual(config["config"]["Labels"]["org.opencontainers.image.version"], "0.1.0")
            self.assertEqual(len(config["rootfs"]["diff_ids"]), len(manifest["layers"]))
            for diff_id, layer in zip(config["rootfs"]["diff_ids"], manifest["layers"]):
                tar = gzip.decompress(self.blob(layer["digest"]))
                self.assertEqual("sha256:" + hashlib.sha256(tar).hexdigest(), diff_id)

    def test_the_runtime_is_python_and_nothing_of_ours(self):
        config, manifest = self.image(RUNTIME)
        self.assertEqual((config["config"]["User"], config["config"]["Entrypoint"]), (f"{USER}:{USER}", ["/usr/bin/python3"]))
        self.assertEqual(len(manifest["layers"]), 2)
        self.assertEqual([path for path in self.members(RUNTIME) if "capsule-" in path], [])

    def test_the_agent_needs_nothing_beside_it(self):
        headers = run("readelf", "-ldW", BIN / "capsule-agent")
        self.assertNotIn("(NEEDED)", headers)
        self.assertNotIn("INTERP", headers)

    def test_no_shell_but_where_capsule_code_runs(self):
        for step in STEPS:
            programs = {path for path, (member, _) in self.members(step).items() if path.startswith(("usr/bin/", "bin/", "usr/sbin/"))}
            if step in WITH_PYTHON:
                self.assertLessEqual({"usr/bin/python3", "usr/bin/sh", "usr/bin/mkdir"}, programs)
            else:
                self.assertEqual(programs, set())

    def test_what_is_there(self):
        members = self.members("pack")
        self.assertIn(b":65532:65532:", members["etc/passwd"][1])
        self.assertIn(b":65532:", members["etc/group"][1])
        self.assertGreater(members["etc/ssl/certs/ca-certificates.crt"][1].count(b"BEGIN CERTIFICATE"), 100)
        self.assertEqual(members["tmp"][0].mode, 0o1777)
        self.assertEqual((members["work"][0].uid, members["work"][0].mode), (USER, 0o755))

    def test_nothing_says_when_or_by_whom_and_nothing_is_setuid(self):
        for step in ("verify", "run"):
            for path, (member, _) in self.members(step).items():
                self.assertEqual((member.mtime, member.uname, member.gname), (0, "", ""), path)
                self.assertEqual(member.mode & 0o6000, 0, path)
                self.assertIn(member.uid, (0, USER) if path == "work" else (0,), path)

    def test_each_package_has_its_licence_and_its_record(self):
        members = self.members("deploy")
        packages = {path.rsplit("/", 1)[1] for path in members if path.startswith("var/lib/dpkg/status.d/")}
        self.assertLessEqual({"libc6", "libcurl4", "libsqlite3-dev", "libssl3", "python3.11-minimal"}, packages)
        for package in packages - {"status.d"}:
            self.assertTrue(members[f"usr/share/doc/{package}/copyright"][1], package)
            self.assertIn(f"Package: {package}\n".encode(), members[f"var/lib/dpkg/status.d/{package}"][1])

    def test_skopeo_reads_the_layout_and_the_archives(self):
        for step in STEPS:
            said = json.loads(run("skopeo", "inspect", f"oci:{self.oci}:capsule-loop/{step}:0.1.0"))
            self.assertEqual((said["Architecture"], said["Os"]), ("amd64", "linux"))
            self.assertEqual(said["Labels"]["org.opencontainers.image.title"], f"capsule-loop/{step}")
            inside = json.loads(run("skopeo", "inspect", "--config", f"docker-archive:{self.out / 'docker/amd64' / step}.tar"))
            self.assertEqual(inside, json.loads(run("skopeo", "inspect", "--config", f"oci:{self.oci}:capsule-loop/{step}:0.1.0")))

    def test_umoci_unpacks_an_image(self):
        with tempfile.TemporaryDirectory() as folder:
            run("umoci", "unpack", "--rootless", "--image", f"{self.oci}:capsule-loop/verify:0.1.0", f"{folder}/bundle")
            program = Path(folder) / "bundle/rootfs/usr/local/bin/capsule-verify"
            self.assertEqual(program.read_bytes(), (BIN / "capsule-verify").read_bytes())


if __name__ == "__main__":
    unittest.main()
