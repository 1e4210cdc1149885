"""The image of sign with a vendor's PKCS#11 module in it, or mounted: SoftHSM's, as Debian ships it."""
import os
import shutil
import unittest

import small_capsule
from containers import USER
from images_case import ImagesCase
from steps import run
from tokens import MODULE, SoftHsm

REAL = MODULE.resolve()  # Debian links it
CONTAINERFILE = f"""FROM capsule-loop/sign:0.1.0
COPY {MODULE.name} /usr/local/lib/pkcs11/
ENV CAPSULE_PKCS11_MODULE=/usr/local/lib/pkcs11/{MODULE.name}
"""


class TokenImage(ImagesCase):
    images = ("sign",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.token = SoftHsm(cls.folder / "hsm").token().generate("release")
        cls.public_key = cls.token.public_key()
        for path in (cls.folder / "hsm", *(cls.folder / "hsm").rglob("*")):
            os.chown(path, USER, USER)

    def setUp(self):
        super().setUp()
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
