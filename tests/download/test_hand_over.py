"""What is in no registry, handed over through one: without a tag, to be verified by whoever reads it there."""
import shutil
import subprocess
import unittest

from fault_case import MIB, FaultCase
from fault_registry import Fault, FaultRegistry
from fault_server import FaultServer
from fault_server import Fault as ServerFault
from kills import chance
from registry_server import DockerRegistry
from steps import environment, is_sanitized, peak_memory, run, start
from trust import Signers, rule, write_policy

SECRET = "token-of-the-source"
KILLS = 8


class HandOver(FaultCase):
    def setUp(self):
        super().setUp()
        self.server = FaultServer()
        self.server.__enter__()
        self.addCleanup(self.server.__exit__)
        self.arguments = ("--hand-over", "registry", "--state", self.state, "--registry-timeout", "5s", "--key", self.maker.public_key)

    def serve(self, package):
        """Its URL; what sign left beside it is served, too."""
        for path in package.parent.glob(f"{package.name}*"):
            self.server.files[f"/{path.name}"] = path.read_bytes()
        return self.server.url(f"/{package.name}?key={SECRET}")

    def hand_over(self, source, *more, registry=None):
        arguments = self.arguments[:-2] if "--trust" in more else self.arguments
        done = run("download", source, "--registry", (registry or self.registry).location("team"), *arguments, *more,
                   env=environment(TMPDIR=str(self.scratch), HOME=str(self.folder)))
        self.assertNotIn(SECRET, done.stderr + done.stdout)
        return done

    def verify(self, reference, code=0, key=None):
        done = run("verify", reference, "--key", key or self.maker.public_key, "--state", self.state)
        self.assertEqual(code, done.code, done)

    def assert_handed_over(self, done, name="demo", registry=None, left=frozenset()):
        """`left`: uploads of those that were killed."""
        self.assertEqual(0, done.code, done)
        self.assertRegex(done.result["capsule"], f"^{(registry or self.registry).location('team')}/{name}@sha256:[0-9a-f]{{64}}$")
        self.assertEqual("", done.result["path"])
        self.assertEqual({}, (registry or self.registry).content.repository(f"team/{name}").tags)
        self.assertLessEqual(set((registry or self.registry).content.uploads), left)
        return done.result["capsule"]

    def test_a_url_becomes_the_version_that_publish_makes_of_it(self):
        url = self.serve(self.small)
        with DockerRegistry() as docker:
            done = self.hand_over(url, registry=docker)
            self.assertEqual(0, done.code, done)
            reference = done.result["capsule"]
            # docker-registry has no list of referrers, so what is attached to an index stands under a tag of the index's digest.
            tags = docker.tags("team/demo")
            self.assertEqual([reference.partition("@")[2].replace(":", "-")], tags)
            self.verify(reference)
            again = self.hand_over(url, registry=docker)
            self.assertEqual((reference, True, 0), tuple(again.result[name] for name in ("capsule", "already_there", "bytes_written")), again)
            published = run("publish", reference, "--registry", docker.location("team"), "--key", self.maker.public_key, "--state", self.state)
            self.assertEqual((0, reference, 0, "already there"), (published.code, *(published.result[name] for name in (
                "reference", "bytes_written", "signature"))), published)
            self.assertEqual(sorted(["0.1.0", *tags]), docker.tags("team/demo"))

    def test_a_file_and_a_layout(self):
        layout = f"oci-layout:{self.folder}/layout"
        published = run("publish", self.small, "--registry", layout, "--key", self.maker.public_key, "--state", self.state)
        references = set()
        for source in (self.small, published.result["reference"], f"{layout}/demo:0.1.0"):
            with self.subTest(source), FaultRegistry() as registry:
                done = self.hand_over(source, "--digest", published.result["package_digest"], registry=registry)
                references.add(self.assert_handed_over(done, registry=registry).partition("@")[2])
                self.assertEqual(4, len(registry.content.repository("team/demo").manifests))  # of the version three, of its signature one
        self.assertEqual({published.result["index_digest"]}, references)

    def test_what_a_stranger_has_signed_is_handed_over_and_refused(self):
        other, _ = self.maker.make_key("stranger")
        package = self.maker.package(self.maker.folder / "demo-0.1.0", "strange.tar.gz", key=other)
        reference = self.assert_handed_over(self.hand_over(self.serve(package)))
        self.assertEqual(3, len(self.repository().manifests))  # its signature was not brought
        self.verify(reference, code=11)
        published = run("publish", reference, "--registry", self.registry.location("team"), "--key", self.maker.public_key, "--state", self.state)
        self.assertEqual(11, published.code, published)
        self.assertEqual({}, self.repository().tags)

    def test_the_signers_whom_the_policy_counts_come_along(self):
        signers = Signers(self.folder)
        package = self.folder / "several.tar.gz"
        self.assertEqual(0, run("pack", self.maker.folder / "demo-0.1.0", "--out", package).code)
        signers.sign(package, "a", "b", "stranger")
        policy = write_policy(self.folder / "policy.yaml", capsule=[rule(signers.public("a", "b"), 2)])
        for source in (self.serve(package), package):
            with self.subTest(source), FaultRegistry() as registry:
                reference = self.assert_handed_over(self.hand_over(source, "--trust", policy, registry=registry), registry=registry)
                done = run("verify", reference, "--trust", policy, "--state", self.state)
                self.assertEqual((0, [signers.id("a"), signers.id("b")]), (done.code, done.result["key_ids"]), done)
                self.assertEqual(5, len(registry.content.repository("team/demo").manifests))  # of the version three, and of each of the two

    def test_without_a_policy_the_version_comes_alone(self):
        done = run("download", self.small, "--registry", self.registry.location("team"), "--hand-over", "registry", "--state", self.state,
                   env=environment(TMPDIR=str(self.scratch), HOME=str(self.folder)))
        self.verify(self.assert_handed_over(done))
        self.assertIn("no signature of the version comes along", done.stderr)

    def test_another_tool_s_package_goes_in_its_canonical_form(self):
        foreign = self.maker.foreign_package(self.maker.capsule("foreign"))
        self.verify(self.assert_handed_over(self.hand_over(self.serve(foreign)), "foreign"))
        self.assertEqual([], list(self.scratch.iterdir()))

    def test_what_is_not_what_was_ordered(self):
        whole = self.small.read_bytes()
        broken, text = self.folder / "broken.tar.gz", self.folder / "text"
        broken.write_bytes(whole[:len(whole) // 2])
        text.write_text("no package")
        for source, more, code in ((self.small, ("--digest", "sha256:" + "0" * 64), 11), (self.small, ("--max-bytes", "1000"), 10),
                                   (broken, (), 10), (text, (), 10), (self.folder / "none", (), 12), ("ftp://x/y", (), 2)):
            for where in (source, self.serve(source)) if hasattr(source, "exists") and source.exists() else (source,):
                with self.subTest(where):
                    done = self.hand_over(where, *more)
                    self.assertEqual(code, done.code, done)
                    self.assertEqual(1, done.stderr.count("error:"), done)
                    self.assertEqual([], self.registry.seen("PUT", "/manifests/"))
        done = run("download", self.small, "--hand-over", "registry", "--state", self.state)
        self.assertEqual((2, True), (done.code, "--registry" in done.stderr), done)

    def test_what_goes_wrong_with_the_registry(self):
        denied = b'{"errors":[{"code":"DENIED","message":"the quota is used up"}]}'
        cases = {
            "429": (0, Fault("POST", status=429, headers={"Retry-After": "1"})), "503": (0, Fault("PUT", "/manifests/", status=503)),
            "cut": (0, Fault("PUT", "/blobs/", cut_request=500)), "reset": (0, Fault("PUT", "/blobs/", reset=True)),
            "answer lost": (0, Fault("PUT", "/manifests/", reset_after=True)),
            "403 quota": (13, Fault("POST", status=403, times=-1, body=denied)), "401": (13, Fault("POST", status=401, times=-1)),
            "413": (10, Fault("PUT", "/blobs/", status=413, times=-1)), "507": (40, Fault("PUT", "/blobs/", status=507, times=-1)),
            "503 for ever": (40, Fault("PUT", "/blobs/", status=503, times=-1)), "forgets": (10, Fault("PUT", "/blobs/", forget=True, times=-1)),
            "Location elsewhere": (13, Fault("POST", headers={"Location": f"https://elsewhere.example/?secret={SECRET}"}, times=-1)),
        }
        url = self.serve(self.small)
        for what, (code, fault) in cases.items():
            with self.subTest(what), FaultRegistry() as registry:
                registry.faults.append(fault)
                done = self.hand_over(url, registry=registry)
                if code == 0:
                    self.verify(self.assert_handed_over(done, registry=registry))
                    self.assertEqual(0, fault.times)
                    continue
                self.assertEqual((code, 1), (done.code, done.stderr.count("error:")), done)
                self.assertEqual({}, registry.content.repository("team/demo").tags)
                if code == 13 and fault.body:
                    self.assertIn("the quota is used up", done.stderr)

    def test_a_large_one_in_constant_memory_and_from_a_line_that_is_cut(self):
        url = self.serve(self.large)
        self.server.faults.append(ServerFault(path=f"/{self.large.name}", cut_after=40 * MIB))
        self.registry.faults.append(Fault("PATCH", skip=1, cut_request=MIB))
        self.verify(self.assert_handed_over(self.hand_over(url), "large"))
        self.assertLess(self.server.sent(f"/{self.large.name}"), 90 * MIB)  # the second time, from where it was cut
        if is_sanitized("download"):
            return
        with FaultRegistry() as registry:
            code, peak = peak_memory("download", self.large, "--registry", registry.location("team"), *self.arguments)
        self.assertEqual(0, code)
        self.assertLess(peak, 60 * MIB)

    def test_killed_and_again(self):
        """Wherever kill -9 comes, the next call ends as if nothing had been."""
        url, random = self.serve(self.large), chance("handing over", 5)
        arguments = ("download", url, "--registry", self.registry.location("team"), *self.arguments)
        self.server.delay = 0.0002  # of 64 KiB
        for _ in range(KILLS):
            process = start(*arguments, env=environment(TMPDIR=str(self.scratch), HOME=str(self.folder)))
            try:
                process.wait(random.uniform(0.05, 1.5))
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate()
            self.assertEqual({}, self.repository("large").tags)
        # One whose Location nobody has read yet, or of a small file, is the registry's to end.
        left = frozenset(self.registry.content.uploads)
        reference = self.assert_handed_over(self.hand_over(url), "large", left=left)
        self.verify(reference)
        self.assertEqual(reference, self.hand_over(self.large).result["capsule"])
        before = self.registry.received()
        shutil.rmtree(self.state)  # as in a pod's next try
        self.assertEqual((reference, True), tuple(self.hand_over(url).result[name] for name in ("capsule", "already_there")))
        self.assertEqual(before, self.registry.received())


if __name__ == "__main__":
    unittest.main()
