"""Keys on a PKCS#11 token (SoftHSM): signing, verifying, listing, and what never happens to a PIN (attacks 25, 26)."""
import os
import resource
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import openssl
import small_capsule
from steps import environment, run, start
from tokens import MODULE, SoftHsm, faulty_module

WRONG = "guess-77d0f3b2"
KINDS = ("ecdsa-p256", "ecdsa-p384", "rsa", "ed25519")
USER, CONTEXT_SPECIFIC = 1, 2  # CKU_*


class HsmCase(unittest.TestCase):
    """One package, copied for each test; one token with a key of each kind."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.base = Path(cls.temporary.name)
        cls.hsm = SoftHsm(cls.base / "hsm")
        cls.token = cls.hsm.token()
        for number, kind in enumerate(KINDS, 1):
            cls.token.generate(kind, kind, f"0{number}")
        cls.unsigned = cls.base / "unsigned.tar.gz"
        done = run("pack", small_capsule.write(cls.base / "capsule", os.urandom(100_000)), "--out", cls.unsigned)
        assert done.code == 0, done

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.package = self.folder / "p.tar.gz"
        shutil.copy(self.unsigned, self.package)

    def step(self, name, *arguments, **variables):
        return run(name, *arguments, env=environment(**self.hsm.variables, **variables))

    def sign(self, key, *arguments, **variables):
        return self.step("sign", self.package, "--key", key, *arguments, **variables)

    def assert_refused(self, done, code, *words):
        """One line that says why, and a package that is as it was."""
        self.assertEqual((code, ""), (done.code, done.stdout), done)
        self.assertEqual(1, len(done.stderr.splitlines()), done)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(self.unsigned.read_bytes(), self.package.read_bytes())
        self.assertEqual([], list(self.folder.glob("p.tar.gz.*")))


class Signing(HsmCase):
    def test_what_every_kind_of_key_signs_is_accepted_by_openssl_and_verify(self):
        for number, kind in enumerate(KINDS, 1):
            with self.subTest(kind=kind):
                shutil.copy(self.unsigned, self.package)
                done = self.sign(self.token.uri(kind), "--replace")
                self.assertEqual(0, done.code, done)
                public = self.token.public_key(f"0{number}")
                self.assertEqual(openssl.key_id(public), done.result["key_id"])
                content = small_capsule.entries(self.package)
                self.assertTrue(openssl.verifies(public, content["checksum.sha256"], content["signature.sig"]))
                self.assertEqual(0, run("verify", self.package, "--key", public).code)

    def test_a_second_call_changes_nothing(self):
        first = self.sign(self.token.uri("ecdsa-p256")).result
        after = self.package.read_bytes()
        second = self.sign(self.token.uri("ecdsa-p256")).result
        self.assertEqual((True, False), (first["changed"], second["changed"]))
        self.assertEqual(after, self.package.read_bytes())

    def test_a_key_that_was_brought_to_the_token_is_the_key_of_the_file(self):
        private, public = openssl.key_pair(self.folder, "k")
        self.hsm.call("softhsm2-util", "--import", private, "--token", self.token.label, "--label", "brought", "--id", "0a",
                      "--pin", self.token.pin)
        done = self.sign(self.token.uri("brought"))
        self.assertEqual((0, openssl.key_id(public)), (done.code, done.result["key_id"]), done)

    def test_the_module_comes_from_the_uri_else_an_option_else_the_environment(self):
        bare = self.token.uri("ecdsa-p256", module=False)
        self.assertEqual(0, self.sign(bare, "--pkcs11-module", MODULE).code)
        self.assertEqual(0, self.sign(bare, CAPSULE_PKCS11_MODULE=str(MODULE)).code)
        self.assertEqual(0, self.sign(self.token.uri("ecdsa-p256"), "--pkcs11-module", "/nonexistent/module.so").code)
        shutil.copy(self.unsigned, self.package)
        for path in self.folder.glob("p.tar.gz.*"):
            path.unlink()
        self.assert_refused(self.sign(bare), 2, "--pkcs11-module")
        self.assert_refused(self.sign(bare, "--pkcs11-module", "/nonexistent/module.so"), 12, "/nonexistent/module.so")
        self.assert_refused(self.sign(bare, "--pkcs11-module", "libsofthsm2.so"), 2, "with its folder")
        libz = next(Path("/lib").glob("*/libz.so.1"))
        self.assert_refused(self.sign(bare, "--pkcs11-module", libz), 2, "is no PKCS#11 module")
        self.assert_refused(self.sign(bare, "--pkcs11-module", self.unsigned), 2, "cannot be loaded")
        os.mkfifo(self.folder / "pipe")
        for odd in (self.folder / "pipe", self.folder, "/dev/zero"):
            self.assert_refused(self.sign(bare, "--pkcs11-module", odd), 2, "is no regular file")

    def test_a_key_that_asks_for_the_pin_each_time_gets_it_once_each_time(self):
        self.token.generate("careful", "ecdsa-p256", "30", "--always-auth")
        faulty = faulty_module(self.folder)
        done = self.sign(self.token.uri("careful", module=faulty.path), **faulty.variables())
        self.assertEqual(0, done.code, done)
        self.assertEqual([USER, CONTEXT_SPECIFIC, CONTEXT_SPECIFIC, CONTEXT_SPECIFIC], faulty.logged("login"))
        self.assertEqual(0, run("verify", self.package, "--key", self.token.public_key("30")).code)


class WhichKey(HsmCase):
    def test_two_keys_of_one_label_are_refused_with_both_ids(self):
        self.token.generate("twice", "ecdsa-p256", "21").generate("twice", "rsa", "22")
        self.assert_refused(self.sign(self.token.uri("twice")), 2, "21, 22", "id=")
        for key_id in ("21", "22"):
            self.assertEqual(0, self.sign(self.token.uri("twice", key_id), "--replace").code)
        done = self.step("verify", self.package, "--key", self.token.uri("twice", pin_source=False))
        self.assertEqual(2, done.code, done)
        self.assertIn("21, 22", done.stderr)

    def test_two_tokens_that_fit_are_refused_by_name(self):
        other = self.hsm.token("other")
        self.addCleanup(self.hsm.call, "softhsm2-util", "--delete-token", "--token", "other")
        any_token = self.token.uri("ecdsa-p256").replace("token=capsules;", "")
        self.assert_refused(self.sign(any_token), 2, "token=capsules", "token=other")
        self.assert_refused(self.sign(other.uri("ecdsa-p256")), 12, "no private key")

    def test_what_is_not_there(self):
        self.assert_refused(self.sign(self.token.uri("none")), 12, "no private key that fits", "list-keys")
        self.assert_refused(self.sign(self.token.uri("ecdsa-p256", serial="77")), 12, "no token fits", "token=capsules")
        self.assert_refused(self.sign(self.token.uri("ecdsa-p256", type="public")), 2, "private key is wanted")

    def test_a_kind_of_key_that_is_not_accepted(self):
        self.token.generate("bitcoin", "secp256k1", "40")
        self.assert_refused(self.sign(self.token.uri("bitcoin")), 2, "accepted are ECDSA P-256")


class Faults(HsmCase):
    def test_a_token_that_goes_away_in_the_middle_is_exit_40(self):
        faulty = faulty_module(self.folder)
        key = self.token.uri("ecdsa-p256", module=faulty.path)
        self.assert_refused(self.sign(key, **faulty.variables("removed:1")), 40, "CKR_DEVICE_REMOVED")
        done = self.sign(key, **faulty.variables("removed:2"))  # the package is signed, its bundles are not
        self.assertEqual(40, done.code, done)
        self.assertEqual(0, self.sign(key, **faulty.variables()).code)
        self.assertEqual(0, run("verify", self.package, "--key", self.token.public_key()).code)

    def test_a_signature_of_another_key_is_not_written(self):
        self.token.generate("other", "ecdsa-p256", "50")
        faulty = faulty_module(self.folder)
        done = self.sign(self.token.uri("ecdsa-p256", module=faulty.path), **faulty.variables("other-key"))
        self.assert_refused(done, 11, "does not verify")

    def test_a_locked_pin_is_said_so(self):
        faulty = faulty_module(self.folder)
        done = self.sign(self.token.uri("ecdsa-p256", module=faulty.path), **faulty.variables("locked"))
        self.assert_refused(done, 13, "CKR_PIN_LOCKED")
        self.assertEqual([USER], faulty.logged("login"))

    def test_a_module_that_cannot_start_is_exit_40(self):
        done = run("sign", self.package, "--key", self.token.uri("ecdsa-p256"),
                   env=environment(SOFTHSM2_CONF="/nonexistent/softhsm2.conf"))
        self.assert_refused(done, 40, "cannot start")


class Pins(HsmCase):
    def test_a_wrong_pin_is_tried_once(self):
        (self.folder / "wrong").write_text(WRONG + "\n")
        faulty = faulty_module(self.folder)
        bare = self.token.uri("ecdsa-p256", pin_source=False, module=faulty.path)
        for key, variables in ((f"{bare}&pin-source=file:{self.folder}/wrong", {}), (bare, {"CAPSULE_PKCS11_PIN": WRONG})):
            for arguments in (["sign", self.package, "--key", key], ["list-keys", "--key", key]):
                with self.subTest(variables=variables, step=arguments[0]):
                    faulty.log.unlink(missing_ok=True)
                    done = self.step("sign", *arguments[arguments[0] == "sign":], **faulty.variables(), **variables)
                    self.assert_refused(done, 13, "wrong PIN; it is not tried again", "CKR_PIN_INCORRECT")
                    self.assertEqual([USER], faulty.logged("login"))
        self.assertEqual(0, self.sign(self.token.uri("ecdsa-p256")).code)  # the token is as it was

    def test_the_pin_comes_from_the_uris_file_else_the_environment(self):
        bare = self.token.uri("ecdsa-p256", pin_source=False)
        self.assert_refused(self.sign(bare), 2, "pin-source", "CAPSULE_PKCS11_PIN")
        self.assertEqual(0, self.sign(bare, CAPSULE_PKCS11_PIN=self.token.pin).code)
        self.assertEqual(0, self.sign(self.token.uri("ecdsa-p256"), "--replace", CAPSULE_PKCS11_PIN=WRONG).code)

    def test_pin_files_that_are_none(self):
        bare = self.token.uri("ecdsa-p256", pin_source=False)
        (self.folder / "empty").write_text("")
        (self.folder / "two").write_text("one\ntwo\n")
        for name, code, word in (("empty", 2, "the PIN"), ("two", 2, "the PIN"), ("missing", 12, "missing")):
            self.assert_refused(self.sign(f"{bare}&pin-source=file:{self.folder}/{name}"), code, word)

    def test_a_pin_or_passphrase_in_the_wrong_place_is_refused_and_not_repeated(self):
        bare = self.token.uri("ecdsa-p256", pin_source=False)
        done = self.sign(f"{bare}&pin-value={self.token.pin}")
        self.assert_refused(done, 2, "pin-value", "pin-source=file:")
        self.assertNotIn(self.token.pin, done.stderr)
        phrase = self.folder / "phrase"
        phrase.write_text("a passphrase\n")
        self.assert_refused(self.sign(bare, "--passphrase-file", phrase), 2, "--passphrase-file is for a PEM key")

    def test_no_output_no_file_and_no_command_line_has_the_pin(self):
        outputs = self.folder / "outputs"
        for key, variables, code in (
                (self.token.uri("ecdsa-p256"), {}, 0), (self.token.uri("rsa"), {"CAPSULE_LOG": "debug"}, 0),
                (self.token.uri("none"), {}, 12), (self.token.uri("ecdsa-p256", pin_source=False), {"CAPSULE_PKCS11_PIN": self.token.pin}, 0),
                (self.token.uri("ecdsa-p256", pin_source=False), {"CAPSULE_PKCS11_PIN": WRONG}, 13)):
            with self.subTest(key=key):
                env = environment(**self.hsm.variables, **variables)
                process = start("sign", self.package, "--key", key, "--outputs", outputs, env=env)
                seen = set()
                while process.poll() is None:
                    try:
                        seen.add(Path(f"/proc/{process.pid}/cmdline").read_bytes())
                    except OSError:
                        break
                stdout, stderr = process.communicate(timeout=60)
                self.assertEqual(code, process.returncode, stderr)
                shown = [stdout.encode(), stderr.encode(), *seen]
                shown += [path.read_bytes() for path in self.folder.rglob("*") if path.is_file()]
                for text in shown:
                    self.assertNotIn(self.token.pin.encode(), text)
                    self.assertNotIn(WRONG.encode(), text)

    def test_the_environment_of_the_process_has_no_pin_any_more(self):
        faulty = faulty_module(self.folder)
        shown = self.folder / "environment"
        done = self.sign(self.token.uri("ecdsa-p256", pin_source=False, module=faulty.path), CAPSULE_PKCS11_PIN=self.token.pin,
                         FAULTY_ENVIRONMENT=str(shown), **faulty.variables())
        self.assertEqual(0, done.code, done)
        self.assertIn(b"SOFTHSM2_CONF=", shown.read_bytes())
        self.assertNotIn(self.token.pin.encode(), shown.read_bytes())

    def test_a_process_with_a_pin_leaves_no_core_file(self):
        faulty = faulty_module(self.folder)
        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        if most == 0:
            self.skipTest("no process may leave a core file here: RLIMIT_CORE is 0")
        done = run("sign", self.package, "--key", self.token.uri("rsa", module=faulty.path),
                   env=environment(**self.hsm.variables, **faulty.variables()),
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (most, most)))
        self.assertEqual((0, [1]), (done.code, sorted(set(faulty.logged("core-limit")))), done)


class Verifying(HsmCase):
    def test_the_public_key_of_a_token_verifies_without_a_pin(self):
        self.assertEqual(0, self.sign(self.token.uri("ecdsa-p256")).code)
        faulty = faulty_module(self.folder)
        key = self.token.uri("ecdsa-p256", pin_source=False, module=faulty.path)
        self.assertEqual(0, self.step("verify", self.package, "--key", key, **faulty.variables()).code)
        self.assertEqual(0, self.step("verify", self.package, "--key", self.token.uri("ecdsa-p256", module=faulty.path),
                                      **faulty.variables()).code)
        self.assertEqual([], faulty.logged("login"))
        self.assertEqual(11, self.step("verify", self.package, "--key", self.token.uri("rsa", pin_source=False)).code)
        done = self.step("verify", self.package, "--key", self.token.uri("ecdsa-p256", pin_source=False, module=False),
                         "--pkcs11-module", MODULE)
        self.assertEqual(0, done.code, done)

    def test_a_public_key_that_is_private_on_its_token_wants_the_pin(self):
        self.token.generate("hidden", "ecdsa-p256", "60")
        self.token.hide_public_key("hidden", "60")
        self.assertEqual(0, self.sign(self.token.uri("hidden")).code)
        done = self.step("verify", self.package, "--key", self.token.uri("hidden", pin_source=False))
        self.assertEqual(12, done.code, done)
        self.assertEqual(0, self.step("verify", self.package, "--key", self.token.uri("hidden")).code)


class ListKeys(HsmCase):
    def listed(self, key, *arguments, **variables):
        return self.step("sign", "list-keys", "--key", key, *arguments, **variables)

    def test_each_key_has_its_uri_type_label_id_and_halves(self):
        result = self.listed(self.token.uri()).result
        keys = {key["id"]: key for key in result["keys"]}
        self.assertIs(True, result["logged_in"])
        for number, kind in enumerate(KINDS, 1):
            key = keys[f"0{number}"]
            self.assertEqual((kind, kind, True, True), (key["type"], key["label"], key["private"], key["public"]))
            shutil.copy(self.unsigned, self.package)
            uri = f"{key['uri']}?pin-source=file:{self.token.pin_file}"
            self.assertEqual(0, self.sign(uri, "--replace", "--pkcs11-module", MODULE).code)

    def test_without_a_pin_what_is_public_is_listed_and_said_so(self):
        done = self.listed(self.token.uri(pin_source=False), "--output", "text")
        self.assertEqual(0, done.code, done)
        lines = [line for line in done.stdout.splitlines() if line.startswith("pkcs11:")]
        self.assertGreaterEqual(len(lines), len(KINDS))
        for line in lines:
            self.assertIn("  public  ", line)
        self.assertIn("Without a PIN", done.stdout)

    def test_the_rest_of_the_uri_chooses_and_the_token_need_not_be_named(self):
        named = self.listed(self.token.uri("rsa")).result
        self.assertEqual(["rsa"], [key["label"] for key in named["keys"]])
        done = self.step("sign", "list-keys", "--pkcs11-module", MODULE)
        self.assertEqual(0, done.code, done)
        self.assertIn("token=capsules", done.result["token"])


class NoToken(HsmCase):
    def test_a_program_that_uses_no_token_loads_no_library_for_it(self):
        private, _ = openssl.key_pair(self.folder, "k")
        done = subprocess.run(["strace", "-f", "-e", "trace=openat", "-o", self.folder / "trace", *self.sign_words(private)],
                              env=environment(), capture_output=True, text=True, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        opened = (self.folder / "trace").read_text()
        for name in ("p11", "pkcs11", "softhsm", "libdl"):
            self.assertNotIn(name, opened.replace(str(self.folder), ""))

    def sign_words(self, key):
        from steps import BIN
        return [BIN / "capsule-sign", self.package, "--key", key]


if __name__ == "__main__":
    unittest.main()
