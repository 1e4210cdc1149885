"""Where things are and what they are called: tags are not signed, a state folder can be relative, or out of reach."""
import os
import sys
import tempfile
import unittest
from pathlib import Path

import small_capsule
from steps import environment, run


class Places(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.folder.chmod(0o755)
        self.environment = environment(CAPSULE_STATE=str(self.folder / "state"), HOME=str(self.folder))
        self.does("sign", "keygen")

    def does(self, step, *arguments, **more):
        done = run(step, *arguments, env=self.environment, **more)
        self.assertEqual(0, done.code, done)
        return done.result

    def published(self, version):
        source, package = self.folder / f"capsule-{version}", self.folder / f"{version}.tar.gz"
        small_capsule.write(source, version=version)
        self.does("pack", source, "--out", package)
        self.does("sign", package, "--key", self.folder / "state/secrets/capsule-key-capsule/key.pem")
        return self.does("publish", package, "--registry", f"oci-layout:{self.folder / 'registry'}")["reference"]

    def refused(self, code, *arguments, word="", **more):
        done = run(*arguments, env=self.environment, **more)
        self.assertEqual(code, done.code, done)
        self.assertEqual(1, len(done.stderr.strip().splitlines()), done)
        self.assertIn(word, done.stderr)

    def test_a_tag_that_was_moved_to_another_version_is_refused(self):
        self.published("1.0.0")
        self.published("1.1.0")
        index = self.folder / "registry/small/index.json"
        name = '"org.opencontainers.image.ref.name":"{}"'
        text = index.read_text().replace(name.format("1.0.0"), "@").replace(name.format("1.1.0"), name.format("1.0.0"))
        index.write_text(text.replace("@", name.format("1.1.0")))
        reference = f"oci-layout:{self.folder / 'registry'}/small:1.1.0"
        self.refused(11, "verify", reference, word="small:1.0.0")
        self.refused(11, "download", reference, "--store", self.folder / "store", word="small:1.0.0")
        self.refused(11, "publish", reference, "--registry", f"oci-layout:{self.folder / 'other'}", word="small:1.0.0")
        (self.folder / "registry/small").rename(self.folder / "registry/large")
        self.refused(11, "verify", f"oci-layout:{self.folder / 'registry'}/large:1.0.0", word="small")

    def test_a_relative_state_is_the_callers(self):
        reference = self.published("1.0.0")
        done = self.does("deploy", reference, "--state", "state", cwd=self.folder)
        self.assertEqual("Succeeded", done["phase"])

    @unittest.skipUnless(os.geteuid() == 0, "only root runs capsules as another user")
    def test_a_state_out_of_reach_is_named_before_anything_runs(self):
        reference = self.published("1.0.0")
        (self.folder / "private").mkdir(mode=0o700)
        trust = self.folder / "state/configmaps/capsule-trust/trust.yaml"
        self.refused(13, "deploy", reference, "--trust", trust, "--state", self.folder / "private/state", word="chmod o+x")

    def test_a_key_named_as_a_file_to_read_is_never_shown(self):
        key = self.folder / "state/secrets/capsule-key-index/key.pem"
        for arguments in (("sign", self.folder / "none.tar.gz", "--key", f"@{key}"),
                          ("anchor", "oci-layout:x/y@sha256:" + "0" * 64, "--proof-bundle", "sha256:" + "0" * 64, f"--log-name=@{key}", "--log=x"),
                          ("register", f"--receipts=@{key}", "--", "oci-layout:x/y@sha256:" + "0" * 64)):
            done = run(*arguments, env=self.environment)
            self.assertNotEqual(0, done.code)
            for line in key.read_text().splitlines()[1:-1]:
                self.assertNotIn(line, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
