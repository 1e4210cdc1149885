"""The image of sign with a vendor's PKCS#11 module in it, or mounted: SoftHSM's, as Debian ships it."""
import os
import shutil
import tempfile
import unittest
from pathlib import Path

import small_capsule
from containers import USER, Podman, build_images
from steps import run
from tokens import MODULE, SoftHsm

REAL = MODULE.resolve()  # Debian links it
CONTAINERFILE = f"""FROM capsule-loop/sign:0.1.0
COPY {MODULE.name} /usr/local/lib/pkcs11/
ENV CAPSULE_PKCS11_MODULE=/usr/local/lib/pkcs11/{MODULE.name}
"""


@unittest.skipIf(os.getuid() != 0, "podman without root needs user namespaces with ranges of ids: run the tests as root")
class TokenImage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.folder.chmod(0o755)
        built = build_images(cls.folder / "images")
        assert built.returncode == 0, built.stderr
        cls.podman = Podman(cls.folder / "podman")
        cls.podman.must("load", "--quiet", "--input", cls.folder / "images/docker/amd64/sign.tar")
        cls.token = SoftHsm(cls.folder / "hsm").token().generate("release")
        cls.public_key = cls.token.public_key()
        for path in (cls.folder / "hsm", *(cls.folder / "hsm").rglob("*")):
            os.chown(path, USER, USER)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=self.folder)
        self.addCleanup(folder.cleanup)
        self.work = Path(folder.name)
        self.package = self.work / "small.tar.gz"
        self.assertEqual(run("pack", small_capsule.write(self.work / "small"), "--out", self.package).code, 0)
        for path in (self.work, self.package):
            os.chown(path, USER, USER)

    def sign(self, image, volumes=(), **variables):
        more = [f"--env={name}={value}" for name, value in {**self.token.hsm.variables, **variables}.items()]
        done = self.podman.run(image, self.package.name, "--key", self.token.uri("release", module=None), more=more,
                               volumes=[f"{self.work}:/work", f"{self.folder / 'hsm'}:{self.folder / 'hsm'}", *volumes])
        self.assertNotIn(self.token.pin, done.stdout + done.stderr)
        return done

    def signed(self, done):
        self.assertEqual(done.code, 0, done)
        verified = run("verify", self.package, "--key", self.public_key)
        self.assertEqual(verified.code, 0, verified)

    def test_a_module_in_a_layer(self):
        context = self.work / "context"
        context.mkdir()
        shutil.copy(MODULE, context)
        (context / "Containerfile").write_text(CONTAINERFILE)
        self.podman.must("build", "--quiet", "--isolation", "chroot", "--tag", "with-a-token/sign", context)
        self.signed(self.sign("with-a-token/sign"))

    def test_a_module_that_is_mounted(self):
        self.signed(self.sign("capsule-loop/sign:0.1.0", [f"{REAL.parent}:{REAL.parent}:ro"], CAPSULE_PKCS11_MODULE=REAL))

    def test_the_image_itself_has_none(self):
        done = self.sign("capsule-loop/sign:0.1.0")
        self.assertEqual((done.code, done.stderr.count("\n")), (2, 1), done)


if __name__ == "__main__":
    unittest.main()
