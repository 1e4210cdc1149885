"""The README's example of each step, each in its own container: not root, read-only root file system, no capabilities, no network."""
import contextlib
import http.client
import json
import os
import socket
import tarfile
import time
import unittest

from containers import USER
from images_case import ImagesCase
from loop import URI, WAIVED, sample_capsule
from steps import SOURCE

CAPSULE = "sha256:3cf04b7b40e2164ba02ed9d461a4012780364f69b9e482fe416db6477c9ffcab"
PACKAGE = "capsule_m2n2-metal-0.1.0.tar.gz"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def give(path):
    """To the user of the images, with all that is in it."""
    for folder, _, files in os.walk(path):
        for name in (folder, *(os.path.join(folder, file) for file in files)):
            os.chown(name, USER, USER)


class Containers(ImagesCase):
    def setUp(self):
        super().setUp()
        sample_capsule(self.work)
        give(self.work)

    def step(self, step, *arguments, more=(), volumes=()):
        """A step that must succeed, in its container; its result."""
        done = self.podman.run(f"capsule-loop/{step}:0.1.0", *arguments, volumes=[f"{self.work}:/work", *volumes], more=more)
        self.assertEqual(done.code, 0, done)
        return done.result

    def output(self, path):
        return (self.work / "out" / path).read_text()

    def test_each_step_in_its_container(self):
        self.assertEqual(self.step("pack", "m2n2-metal", "--out", "./")["capsule_digest"], CAPSULE)
        self.step("sign", "keygen", "--state", "state")
        self.step("sign", PACKAGE, "--key", "state/secrets/capsule-key-capsule/key.pem")
        self.step("verify", PACKAGE, "--key", "state/secrets/capsule-key-capsule/key.pub.pem")
        self.step("publish", PACKAGE, "--registry", "oci-layout:registry", "--outputs", "out/publish")
        self.step("download", "oci-layout:registry/m2n2-metal:0.1.0", "--store", "store")
        reference = self.output("publish/reference")
        deployed = self.step("deploy", reference, "--allow-unmet", WAIVED, "--outputs", "out/deploy")
        self.assertEqual((deployed["phase"], deployed["waived"]), ("Succeeded", WAIVED))
        self.step("generate-proof", reference, "--run-record", self.output("deploy/run-record"),
                  "--key", "state/secrets/capsule-key-proof/key.pem", "--outputs", "out/proof")
        proof = ["--proof-bundle", self.output("proof/proof-bundle")]
        self.step("anchor", reference, *proof, "--log", "log", "--outputs", "out/anchor")
        self.step("register", reference, *proof, "--receipts", self.output("anchor/receipts"))
        self.step("register", "resolve", URI, "--registry", "oci-layout:registry")
        self.step("verify", URI, "--registry", "oci-layout:registry")
        # A replay runs the capsule: that wants Python, which the image of `run` has beside all programs.
        self.step("run", URI, "--registry", "oci-layout:registry", "--replay", more=["--entrypoint=/usr/local/bin/capsule-verify"])
        self.assertEqual({os.stat(path).st_uid for path in self.work.rglob("*")}, {USER})

    def test_the_loop_by_its_workflow_files(self):
        workflows = [f"{SOURCE}/workflows:/workflows:ro"]
        self.step("sign", "keygen")
        built = self.step("run", "/workflows/loops/capsule-build.yaml", "-p", "source=/work/m2n2-metal", "-p", "publish=false", volumes=workflows)
        done = self.step("run", "/workflows/loops/capsule-deploy-loop.yaml", "-p", f"source={built['package']}",
                         "-p", "registry=oci-layout:/work/registry", "-p", "log=/work/log", "-p", f"allow-unmet={WAIVED}", volumes=workflows)
        self.assertEqual(done["uri"], URI)

    def test_the_servers_answer_and_end_on_sigterm(self):
        self.step("pack", "m2n2-metal", "--out", "./")
        with tarfile.open(self.work / PACKAGE) as package:
            package.extractall(self.work / "capsule")
        for image, path, arguments, code in (("agent", "/v1/pool", ["--root", "capsule", "--data", "data"], 143),
                                             ("proof-service", "/v1/proofs/", ["--database", "proofs.db"], 0)):
            with self.subTest(image):
                port = free_port()
                container = self.podman.start(f"capsule-loop/{image}:0.1.0", *arguments, "--listen", f"127.0.0.1:{port}",
                                              volumes=[f"{self.work}:/work"], network="host")
                self.assertIn(self.status_of(port, path), (200, 403))
                begun = time.monotonic()
                self.podman.must("stop", "--time", "30", container)
                self.assertLess(time.monotonic() - begun, 15)
                self.assertEqual(json.loads(self.podman.must("inspect", container))[0]["State"]["ExitCode"], code)

    def status_of(self, port, path):
        """Of the answer to GET, once the server listens."""
        for _ in range(100):
            try:
                with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
                    connection.request("GET", path)
                    return connection.getresponse().status
            except ConnectionRefusedError:
                time.sleep(0.1)
        return None

    def test_a_failure_is_one_line_and_its_code(self):
        done = self.podman.run("capsule-loop/verify:0.1.0", "nowhere.tar.gz", volumes=[f"{self.work}:/work"])
        self.assertEqual(done.code, 2)  # no trust policy
        done = self.podman.run("capsule-loop/download:0.1.0", "nowhere.tar.gz", "--store", "store", volumes=[f"{self.work}:/work"])
        self.assertEqual((done.code, done.stderr.count("\n")), (12, 1), done)

    def test_the_base_has_no_shell(self):
        done = self.podman.run("capsule-loop/verify:0.1.0", more=["--entrypoint=/bin/sh"])
        self.assertEqual(done.code, 127, done)


if __name__ == "__main__":
    unittest.main()
