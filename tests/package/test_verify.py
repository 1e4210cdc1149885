"""capsule-verify: our packages and those of other tools, signed by openssl; keys, policies, the store."""
import gzip
import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path

from package_builder import END, Key, canonical, checksums, deflated, frame, sample_files, segments, signed, write_files
from steps import environment, run


class Verify(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keys = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.keys.cleanup)
        cls.key = Key(cls.keys.name)

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = Path(temporary.name)
        self.files = sample_files()
        self.digest = "sha256:" + hashlib.sha256(checksums(self.files)).hexdigest()

    def write(self, data, name="p.tar.gz"):
        (self.path / name).write_bytes(data)
        return self.path / name

    def verify(self, package, key=None, **kwargs):
        return run("verify", package, "--key", (key or self.key).public, **kwargs)

    def assert_verified(self, done, package, canonical):
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.result["capsule_digest"], self.digest)
        self.assertEqual(done.result["package_digest"], "sha256:" + hashlib.sha256(package.read_bytes()).hexdigest())
        self.assertEqual((done.result["name"], done.result["version"]), ("sample", "1.2.3"))
        self.assertEqual(done.result["canonical"], canonical)
        self.assertEqual(done.stderr, "")

    def assert_refused(self, done, code, *words):
        self.assertEqual(done.code, code, done)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.stderr.count("\n"), 1, done)
        for word in words:
            self.assertIn(word, done.stderr)


class Ours(Verify):
    def test_a_signed_package_with_each_kind_of_key(self):
        for kind in ("ecdsa-p256", "ed25519", "rsa-3072"):
            key = Key(self.path, kind)
            package = self.write(signed(self.files, key))
            done = self.verify(package, key)
            self.assert_verified(done, package, True)
            der = subprocess.run(["openssl", "pkey", "-pubin", "-in", key.public, "-outform", "DER"], capture_output=True,
                                 check=True).stdout
            import base64
            self.assertEqual(done.result["key_id"], base64.b64encode(hashlib.sha256(der).digest()).decode())

    def test_openssl_and_sha256sum_say_the_same(self):
        package = self.write(signed(self.files, self.key))
        target = self.path / "x"
        target.mkdir()
        subprocess.run(["tar", "xzf", package, "-C", target], check=True)
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "checksum.sha256"], cwd=target, check=True)
        said = subprocess.run(["openssl", "dgst", "-sha256", "-verify", self.key.public, "-signature", "signature.sig",
                               "checksum.sha256"], cwd=target, capture_output=True, text=True)
        self.assertEqual(said.stdout, "Verified OK\n")

    def test_deflated_members(self):
        package = self.write(b"".join(
            segment if i == 0 else b"".join(frame(deflated(part), part) for part in
                                             (raw[j:j + (1 << 20)] for j in range(0, len(raw), 1 << 20)))
            for i, (segment, raw) in enumerate(self.pieces())))
        self.assert_verified(self.verify(package), package, True)

    def pieces(self):
        from package_builder import members
        raws = segments(self.files, self.key.sign(checksums(self.files)))
        return [(members(raw), raw) for raw in raws]

    def test_outputs_and_the_second_run(self):
        package = self.write(signed(self.files, self.key))
        for _ in range(2):
            outputs = self.path / "outputs"
            done = self.verify(package, env=environment(CAPSULE_OUTPUTS=str(outputs)))
            self.assert_verified(done, package, True)
            names = {path.name: path.read_text() for path in outputs.iterdir()}
            self.assertEqual(names["capsule-digest"], self.digest)
            self.assertEqual(set(names), {"capsule-digest", "package-digest", "name", "version", "key-id", "report.json"})

    def test_a_digest_names_a_package_in_the_store(self):
        data = signed(self.files, self.key)
        hex_digest = hashlib.sha256(data).hexdigest()
        folder = self.path / "state/store/sha256" / hex_digest
        folder.mkdir(parents=True)
        (folder / "package.tar.gz").write_bytes(data)
        for arguments in (["--state", self.path / "state"], ["--store", self.path / "state/store"]):
            done = run("verify", f"sha256:{hex_digest}", "--key", self.key.public, *arguments)
            self.assert_verified(done, folder / "package.tar.gz", True)
        missing = "sha256:" + "0" * 64
        self.assert_refused(run("verify", missing, "--key", self.key.public, "--state", self.path / "state"), 12, "capsule-download")
        (folder / "package.tar.gz").write_bytes(canonical(self.files, self.key.sign(checksums(self.files))))
        if (folder / "package.tar.gz").read_bytes() != data:  # another ECDSA signature: another package
            done = run("verify", f"sha256:{hex_digest}", "--key", self.key.public, "--state", self.path / "state")
            self.assert_refused(done, 11, "under the name of")


class Trust(Verify):
    def setUp(self):
        super().setUp()
        self.package = self.write(signed(self.files, self.key))

    def policy(self, text):
        path = self.path / "trust.yaml"
        path.write_text(text)
        return path

    def indented_key(self):
        return "".join(f"          {line}\n" for line in self.key.public.read_text().splitlines())

    def test_a_policy_names_keys_by_the_capsule_s_name(self):
        rule = "version: 1\ncapsule:\n  - names: ['{}']\n    keys:\n      - |\n" + self.indented_key()
        done = run("verify", self.package, "--trust", self.policy(rule.format("sam*")))
        self.assert_verified(done, self.package, True)
        done = run("verify", self.package, "--trust", self.policy(rule.format("other-*")))
        self.assert_refused(done, 2)

    def test_a_threshold_above_one_cannot_be_met_by_one_signature(self):
        other = Key(self.path, "ed25519")
        two = (f"version: 1\ncapsule:\n  - keys: [{{file: {self.key.public}}}, {{file: {other.public}}}]\n    threshold: 2\n")
        self.assert_refused(run("verify", self.package, "--trust", self.policy(two)), 11, "2 signatures")

    def test_revoked_capsules_packages_and_keys(self):
        spki = subprocess.run(["openssl", "pkey", "-pubin", "-in", self.key.public, "-outform", "DER"], capture_output=True,
                              check=True).stdout
        for digest, code in ((self.digest, 11), ("sha256:" + hashlib.sha256(self.package.read_bytes()).hexdigest(), 11),
                             ("sha256:" + hashlib.sha256(spki).hexdigest(), 2)):
            text = f"version: 1\ncapsule:\n  - keys: [{{file: {self.key.public}}}]\nrevoked: ['{digest}']\n"
            done = run("verify", self.package, "--trust", self.policy(text))
            self.assertIn(done.code, (code, 11), done)

    def test_no_trust_is_never_acceptance(self):
        home = environment(HOME=str(self.path), XDG_CONFIG_HOME=str(self.path), XDG_STATE_HOME=str(self.path))
        self.assert_refused(run("verify", self.package, "--state", self.path, env=home), 2)
        self.assert_refused(run("verify", self.package, "--key", self.path / "none.pem"), 12)
        self.assert_refused(run("verify", self.package, "--key", self.key.private), 2)
        self.assert_refused(run("verify", self.package, "--key=", "--trust=", "--state", self.path, env=home), 2)

    def test_another_key_and_no_signature(self):
        other = tempfile.TemporaryDirectory()
        self.addCleanup(other.cleanup)
        self.assert_refused(self.verify(self.package, Key(other.name)), 11, "signature.sig")
        self.assert_refused(self.verify(self.write(canonical(self.files))), 11, "not signed")


class OtherToolsWrite(Verify):
    def setUp(self):
        super().setUp()
        self.folder = self.path / "folder"
        write_files(self.folder, self.files)
        (self.folder / "checksum.sha256").write_bytes(checksums(self.files))
        (self.folder / "signature.sig").write_bytes(self.key.sign(checksums(self.files)))
        self.package = self.path / "theirs.tar.gz"

    def made_by(self, *command, cwd=None):
        subprocess.run([*map(str, command)], check=True, cwd=cwd or self.folder)
        done = self.verify(self.package)
        self.assert_verified(done, self.package, False)
        self.package.unlink()

    def test_gnu_tar(self):
        names = sorted(os.listdir(self.folder))
        for kind in ("gnu", "posix", "ustar"):
            if kind == "ustar":  # cannot hold every name
                shutil.rmtree(self.folder / "scripts")
                self.files = {path: content for path, content in self.files.items() if not path.startswith("scripts/")}
                (self.folder / "checksum.sha256").write_bytes(checksums(self.files))
                (self.folder / "signature.sig").write_bytes(self.key.sign(checksums(self.files)))
                self.digest = "sha256:" + hashlib.sha256(checksums(self.files)).hexdigest()
                names = sorted(os.listdir(self.folder))
            self.made_by("tar", f"--format={kind}", "-czf", self.package, ".")
            self.made_by("tar", f"--format={kind}", "-czf", self.package, *names)
            self.made_by("tar", f"--format={kind}", "-czf", self.package, *reversed(names))

    def test_bsdtar(self):
        for kind in ("pax", "gnutar"):
            for locale in ("C", "C.UTF-8"):
                self.made_by("env", f"LC_ALL={locale}", "bsdtar", "--format", kind, "-czf", self.package, ".")

    def test_python(self):
        for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            with tarfile.open(self.package, "w:gz", format=kind) as tar:
                tar.add(self.folder, arcname="")
            done = self.verify(self.package)
            self.assert_verified(done, self.package, False)

    def test_every_level_of_gzip_and_other_writers(self):
        raw = self.path / "raw.tar"
        subprocess.run(["tar", "-cf", raw, "-C", self.folder, "."], check=True)
        for level in (1, 6, 9):
            self.package.write_bytes(gzip.compress(raw.read_bytes(), level))
            self.assert_verified(self.verify(self.package), self.package, False)
        for command in (["gzip", "-c"], ["pigz", "-c"]):
            if shutil.which(command[0]):
                with self.package.open("wb") as out:
                    subprocess.run([*command, raw], stdout=out, check=True)
                self.assert_verified(self.verify(self.package), self.package, False)

    def test_the_head_last(self):
        names = [name for name in sorted(os.listdir(self.folder)) if name not in ("signature.sig", "checksum.sha256", "capsule.json")]
        self.made_by("tar", "-czf", self.package, *names, "capsule.json", "checksum.sha256", "signature.sig")

    def test_members_of_other_sizes(self):
        tar = b"".join(segments(self.files, (self.folder / "signature.sig").read_bytes()))
        for size in (1000, 65536, 1 << 20):
            self.package.write_bytes(b"".join(frame(deflated(part), part)
                                              for part in (tar[i:i + size] for i in range(0, len(tar), size))))
            self.assert_verified(self.verify(self.package), self.package, False)

    def test_a_changed_file_is_found_in_theirs_too(self):
        (self.folder / "expansion/data.bin").write_bytes(b"changed")
        subprocess.run(["tar", "-czf", self.package, "."], check=True, cwd=self.folder)
        self.assert_refused(self.verify(self.package), 11, "expansion/data.bin")


if __name__ == "__main__":
    unittest.main()
