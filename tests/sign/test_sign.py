"""capsule-sign: what it puts into a package, what it leaves alone, what it refuses."""
import hashlib
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import openssl
import small_capsule
from steps import environment, peak_memory, run

SIBLINGS = (".sigstore.json", ".oci.sigstore.json", ".oci.json")


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class SignCase(unittest.TestCase):
    weights = os.urandom(5_000_000)

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.capsule = small_capsule.write(self.folder / "capsule", self.weights)
        self.package = self.folder / "p.tar.gz"
        done = run("pack", self.capsule, "--out", self.package)
        self.assertEqual(done.code, 0, done)
        self.packed = done.result
        self.key, self.public = openssl.key_pair(self.folder, "key")

    def sign(self, *arguments, expect=0, key=None, package=None, env=None):
        done = run("sign", "--key", key or self.key, *arguments, "--", package or self.package, env=env)
        self.assertEqual(done.code, expect, done)
        return done.result if expect == 0 else done.stderr

    def state(self):
        """All that a change of a file shows in."""
        return {path.name: (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns)
                for path in self.folder.iterdir() if path.is_file()}

    def verify(self, expect=0, public=None, package=None):
        done = run("verify", package or self.package, "--key", public or self.public)
        self.assertEqual(done.code, expect, done)

    def rewrite(self, **changed):
        """The package as another tool would write it, with some entries changed (None: left away)."""
        content = small_capsule.entries(self.package)
        for name, data in changed.items():
            content = {k: v for k, v in content.items() if k != name} if data is None else {**content, name: data}
        small_capsule.write_foreign(self.package, content)


class Sign(SignCase):
    def test_the_signature_is_what_openssl_verifies_with_every_kind_of_key(self):
        for kind in ("ecdsa-p256", "ecdsa-p384", "rsa", "ed25519"):
            with self.subTest(kind):
                key, public = openssl.key_pair(self.folder, kind, kind)
                result = self.sign("--replace", key=key)
                content = small_capsule.entries(self.package)
                self.assertEqual(["signature.sig", "checksum.sha256", "capsule.json"], list(content)[:3])
                self.assertTrue(openssl.verifies(public, content["checksum.sha256"], content["signature.sig"]))
                self.assertEqual(sha256(content["checksum.sha256"]), result["capsule_digest"])
                self.assertEqual(sha256(self.package.read_bytes()), result["package_digest"])
                self.assertEqual(openssl.key_id(public), result["key_id"])
                self.verify(public=public)

    def test_sha256sum_agrees_with_the_list(self):
        self.sign()
        out = self.folder / "out"
        out.mkdir()
        subprocess.run(["tar", "xzf", self.package, "-C", out], check=True)
        subprocess.run(["sha256sum", "-c", "--strict", "--quiet", "checksum.sha256"], cwd=out, check=True)

    def test_all_but_the_head_is_copied_unchanged(self):
        before = self.package.read_bytes()
        result = self.sign()
        after = self.package.read_bytes()
        self.assertEqual(self.packed["capsule_digest"], result["capsule_digest"])
        self.assertNotEqual(before, after)
        tail = len(self.weights)
        self.assertEqual(before[-tail:], after[-tail:])
        unsigned, signed = self.folder / "unsigned.tar.gz", small_capsule.entries(self.package)
        unsigned.write_bytes(before)
        signed.pop("signature.sig")
        self.assertEqual(small_capsule.entries(unsigned), signed)

    def test_outputs_are_one_file_each(self):
        outputs = self.folder / "outputs"
        result = self.sign("--outputs", outputs)
        for name in ("package", "package-digest", "capsule-digest", "index-digest"):
            self.assertEqual(result[name.replace("-", "_")], (outputs / name).read_text())
        self.assertEqual({"package", "package-digest", "capsule-digest", "index-digest", "report.json"},
                         {path.name for path in outputs.iterdir()})

    def test_a_second_call_changes_nothing(self):
        for kind in ("ecdsa-p256", "ecdsa-p384", "rsa", "ed25519"):
            with self.subTest(kind):
                key, _ = openssl.key_pair(self.folder, kind, kind)
                first = self.sign("--replace", key=key)
                self.assertTrue(first.pop("changed"))
                before = self.state()
                second = self.sign(key=key)
                self.assertFalse(second.pop("changed"))
                self.assertEqual(first, second)
                self.assertEqual(before, self.state())

    def test_what_is_missing_or_spoilt_beside_the_package_is_made_again(self):
        self.sign()
        for suffix in SIBLINGS:
            path = Path(f"{self.package}{suffix}")
            for spoil in (path.unlink, lambda p=path: p.write_text("{}"), lambda p=path: p.write_text(""),
                          lambda p=path: p.write_bytes(b"\xff" * 5_000_000)):
                with self.subTest(suffix):
                    before = self.state()
                    spoil()
                    self.assertTrue(self.sign()["changed"])
                    after = self.state()
                    for name in {self.package.name, *(f"{self.package.name}{s}" for s in SIBLINGS if s != suffix)}:
                        self.assertEqual(before[name], after[name])
                    self.assertFalse(self.sign()["changed"])

    def test_another_key_takes_the_place_of_the_first_only_when_told_to(self):
        self.sign()
        before = self.state()
        key, public = openssl.key_pair(self.folder, "other")
        self.sign("--replace", key=key)
        after = self.state()
        for name in (self.package.name, *(f"{self.package.name}{suffix}" for suffix in SIBLINGS)):
            self.assertNotEqual(before[name][0], after[name][0], name)
        self.verify(public=public)
        self.verify(public=self.public, expect=11)
        self.assertFalse(self.sign("--replace", key=key)["changed"])

    def test_the_mode_stays_and_a_link_stays_a_link(self):
        self.package.chmod(0o640)
        link = self.folder / "link.tar.gz"
        link.symlink_to(self.package.name)
        result = self.sign(package=link)
        self.assertTrue(link.is_symlink())
        self.assertEqual(0o640, self.package.stat().st_mode & 0o777)
        self.assertEqual(sha256(self.package.read_bytes()), result["package_digest"])
        self.assertTrue(Path(f"{self.package}.sigstore.json").exists())

    def test_a_package_of_another_tool_becomes_the_canonical_one(self):
        self.sign()
        canonical = self.package.read_bytes()
        signature = small_capsule.entries(self.package)["signature.sig"]
        self.rewrite()
        self.assertNotEqual(canonical, self.package.read_bytes())
        self.assertTrue(self.sign()["changed"])
        self.assertEqual(canonical, self.package.read_bytes())  # the signature verified: it was kept
        self.assertFalse(self.sign()["changed"])
        self.rewrite(**{"signature.sig": None})
        self.sign()
        again = small_capsule.entries(self.package)
        self.assertNotEqual(signature, again["signature.sig"])
        self.verify()

    def test_memory_does_not_grow_with_the_package(self):
        for size in (10 << 20, 160 << 20):
            with self.subTest(size):
                small_capsule.write(self.capsule, b"")
                with open(self.capsule / "expansion/model.pt", "wb") as file:
                    file.truncate(size)
                package = self.folder / f"{size}.tar.gz"
                self.assertEqual(0, run("pack", self.capsule, "--out", package).code)
                for _ in ("a new signature", "a kept one"):
                    code, peak = peak_memory("sign", package, "--key", self.key)
                    self.assertEqual(0, code)
                    if "ASAN_OPTIONS" not in environment():
                        self.assertLessEqual(peak, 24 << 20)


class Refused(SignCase):
    """Every refusal: the exit code of the table, one line, and nothing changed."""

    def refused(self, code, *arguments, **kwargs):
        before = self.state()
        message = self.sign(*arguments, expect=code, **kwargs)
        self.assertEqual(1, len(message.splitlines()), message)
        self.assertEqual(before, self.state())
        return message

    def test_bytes_that_were_changed(self):
        data = bytearray(self.package.read_bytes())
        data[-3_000_000] ^= 1
        self.package.write_bytes(data)
        self.refused(10)  # the CRC of a gzip member

    def test_files_that_do_not_fit_the_list(self):
        for name, data in (("scripts/install.sh", b"#!/bin/sh\nrm -rf /\n"), ("scripts/more.sh", b"#!/bin/sh\n"),
                           ("expansion/model.pt", None)):
            with self.subTest(name):
                original = self.package.read_bytes()
                self.rewrite(**{name: data})
                self.refused(11)
                self.package.write_bytes(original)

    def test_packages_that_are_none(self):
        for content in (b"", b"text", b"\x1f\x8b", self.package.read_bytes()[:-1], self.package.read_bytes() + b"x"):
            with self.subTest(content[-10:]):
                original = self.package.read_bytes()
                self.package.write_bytes(content)
                self.refused(10)
                self.package.write_bytes(original)
        self.refused(12, package=self.folder / "none.tar.gz")
        self.refused(10, package=self.capsule)

    def test_a_tarball_that_is_none(self):
        (self.capsule / "capsule.tarball").write_bytes(b"no tar at all")
        package = self.folder / "q.tar.gz"
        self.assertEqual(0, run("pack", self.capsule, "--out", package).code)
        self.refused(10, package=package)

    def test_keys(self):
        (self.folder / "two.pem").write_bytes(self.key.read_bytes() * 2)
        (self.folder / "text.pem").write_text("no key")
        for key, code in ((self.public, 2), (self.folder / "two.pem", 2), (self.folder / "text.pem", 2),
                          (self.folder / "none.pem", 12), ("pkcs11:object=k", 2)):
            with self.subTest(key):
                self.refused(code, key=key)

    def test_calls(self):
        for arguments in (["--key", self.key], [self.package], ["--key", self.key, self.package, "more"],
                          ["--key", self.key, "--passphrase", "x", self.package]):
            with self.subTest(arguments):
                done = run("sign", *arguments)
                self.assertEqual((2, ""), (done.code, done.stdout), done)

    def test_a_folder_that_cannot_be_written(self):
        if os.geteuid() == 0:
            return  # for root every folder can be written
        self.folder.chmod(0o555)
        self.addCleanup(self.folder.chmod, 0o755)
        self.refused(13)


class Signatures(SignCase):
    """A signature that is not this key's over this capsule's list is none (attacks 16, 17, 27)."""

    def assert_worthless(self, *arguments):
        """verify refuses the package, and sign puts a signature of its own in the place of this one."""
        self.verify(expect=11)
        before = small_capsule.entries(self.package).get("signature.sig")
        self.sign(*arguments)
        after = small_capsule.entries(self.package)["signature.sig"]
        self.assertNotEqual(before, after)
        self.verify()

    def test_a_signature_that_was_stripped(self):
        self.sign()
        self.rewrite(**{"signature.sig": None})
        self.assert_worthless()

    def test_a_good_signature_of_another_capsule(self):
        for manifest in ({"name": "other"}, {"version": "1.0.1"}):
            with self.subTest(manifest):
                other = small_capsule.write(self.folder / "other", self.weights, **manifest)
                package = self.folder / "other.tar.gz"
                self.assertEqual(0, run("pack", other, "--out", package).code)
                self.sign(package=package)
                self.rewrite(**{"signature.sig": small_capsule.entries(package)["signature.sig"]})
                self.assert_worthless("--replace")  # for all that sign can know, it is somebody's

    def test_a_signature_that_is_not_in_its_one_encoding(self):
        self.sign()
        good = small_capsule.entries(self.package)["signature.sig"]
        r_size = good[3]
        r, s = good[4:4 + r_size], good[6 + r_size:]
        der = lambda r, s: bytes([0x30, len(r) + len(s) + 4, 2, len(r)]) + r + bytes([2, len(s)]) + s
        self.assertEqual(good, der(r, s))
        order = int("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
        number = lambda value: value.to_bytes((value.bit_length() + 8) // 8, "big")
        for case, bad in (("trailing", good + b"\0"), ("padded r", der(b"\0" + r, s)),
                          ("long length", good[:1] + b"\x81" + good[1:]), ("raw", r[-32:] + s[-32:]),
                          ("r = 0", der(b"\0", s)), ("s = n", der(r, number(order))),
                          ("s + n", der(r, number(int.from_bytes(s, "big") + order))), ("empty", b"")):
            with self.subTest(case):
                self.rewrite(**{"signature.sig": bad})
                self.assert_worthless()

    def test_a_high_s_is_accepted_and_kept(self):
        self.sign()
        good = small_capsule.entries(self.package)["signature.sig"]
        r, s = good[4:4 + good[3]], int.from_bytes(good[6 + good[3]:], "big")
        order = int("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
        self.assertLessEqual(s, order // 2)  # a low one is written
        high = (order - s).to_bytes(33, "big")
        bad = bytes([0x30, len(r) + 37, 2, len(r)]) + r + bytes([2, 33]) + high
        self.rewrite(**{"signature.sig": bad})
        self.verify()
        self.sign()
        self.assertEqual(bad, small_capsule.entries(self.package)["signature.sig"])


if __name__ == "__main__":
    unittest.main()
