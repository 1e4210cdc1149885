"""kill -9 in mid-upload and mid-download, and again in a new process: the same result, nothing left behind, and what was there is
not sent twice. With docker-registry, which loses an upload whose request is cut, and with a registry that keeps it."""
import os
import shutil
import tempfile
import unittest
from pathlib import Path

from capsule_maker import Maker
from counting_proxy import CountingProxy
from fault_registry import FaultRegistry
from registry_server import DockerRegistry
from steps import environment, run, start

MIB = 1 << 20
SIZE = 100 * MIB        # goes in parts of 32 MiB
LARGE = "expansion/m/large.bin"
SMALL = MIB             # all that is sent beside it


class Resume(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.maker = Maker(Path(cls.temporary.name))
        cls.package = cls.maker.make(files={LARGE: os.urandom(SIZE), "expansion/m/model.pt": b"small"})
        cls.expected = cls.maker_run("publish", cls.package, "--registry", f"oci-layout:{cls.temporary.name}/layout").result

    @classmethod
    def maker_run(cls, step, *arguments, **keywords):
        return run(step, *arguments, "--key", cls.maker.public_key, "--state", cls.temporary.name + "/state", **keywords)

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.state, self.scratch = self.folder / "state", self.folder / "tmp"
        self.scratch.mkdir()
        self.env = environment(TMPDIR=str(self.scratch), HOME=str(self.folder))

    def publish_arguments(self, proxy):
        return ("publish", self.package, "--key", self.maker.public_key, "--registry", proxy.location("team"), "--state", self.state)

    def killed(self, arguments, proxy, **cut):
        """Runs a step until the line is cut, when it is killed."""
        process = start(*arguments, env=self.env)
        proxy.on_cut = process.kill
        for name, value in cut.items():
            setattr(proxy, name, value)
        _, said = process.communicate(timeout=120)
        self.assertEqual(process.returncode, -9, said)

    def files(self):
        """All but what is kept on purpose: which repository holds which blob."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*")
                      if path.is_file() and path.suffix != ".holders")

    def registries(self):
        with DockerRegistry() as docker:
            yield "docker-registry", docker, docker.port
        with FaultRegistry() as faulty:
            faulty.relative_locations = True
            yield "faulty registry", faulty, int(faulty.host.rpartition(":")[2])

    def large_uploads(self, registry):
        """Unfinished uploads that hold more than a small blob."""
        if isinstance(registry, FaultRegistry):
            return [upload for upload in registry.content.uploads.values() if upload.size > SMALL]
        folder = registry.repository_folder("team/demo") / "_uploads"
        return [path for path in folder.glob("*/data") if path.stat().st_size > SMALL]

    def blobs(self, registry):
        """Bytes of all blobs."""
        faulty = isinstance(registry, FaultRegistry)
        folder = registry.content.folder / "blobs" if faulty else registry.content / "docker/registry/v2/blobs"
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def before_part(number):
    """Cuts the line in front of the part of that number, from 0, of the large blob; 4 is the request that ends it."""
    seen = []

    def cut(head, _):
        path = head.partition(" ")[2].partition("?")[0]
        if head.startswith("PATCH") or (seen and path == seen[0]):
            seen.append(path)
        return len(seen) > number
    return cut


class Push(Resume):
    def push_killed(self, cut, most, lost=""):
        """Publishes, killed and again, through both kinds of registry; `most`: MiB of the large blob that are sent again."""
        for kind, registry, port in self.registries():
            with self.subTest(kind), CountingProxy(port) as proxy:
                again = self.publish_arguments(proxy)
                self.killed(again, proxy, cut=cut())
                before = proxy.sent
                done = run(*again, env=self.env)
                self.assertEqual(done.code, 0, done)
                self.assertEqual({name: done.result[name] for name in ("index_digest", "image_digest", "package_manifest_digest")},
                                 {name: self.expected[name] for name in ("index_digest", "image_digest", "package_manifest_digest")})
                self.assertLess(proxy.sent - before, most[kind] * MIB + SMALL)
                self.assertEqual(self.files(), [])
                if lost != kind:  # a session that is lost nobody can end: the registry removes it one day
                    self.assertEqual(self.large_uploads(registry), [])
                self.assertLess(self.blobs(registry), SIZE + SMALL)
                sent = proxy.sent
                self.assertTrue(run(*again, env=self.env).result["already_published"])
                self.assertLess(proxy.sent - sent, SMALL)

    def test_between_two_parts(self):
        self.push_killed(lambda: before_part(2), {"docker-registry": 36, "faulty registry": 36})

    def test_before_the_request_that_ends_it(self):
        self.push_killed(lambda: before_part(4), {"docker-registry": 0, "faulty registry": 0})

    def test_inside_a_part(self):
        self.push_killed(lambda: lambda head, sent: sent > 74 * MIB, {"docker-registry": 100, "faulty registry": 30},
                         lost="docker-registry")

    def test_before_the_first_part(self):
        self.push_killed(lambda: before_part(0), {"docker-registry": 100, "faulty registry": 100})

    def test_before_a_manifest(self):
        self.push_killed(lambda: lambda head, _: head.startswith("PUT") and "/manifests/" in head,
                         {"docker-registry": 0, "faulty registry": 0})


class Pull(Resume):
    def pull_killed(self, registry, port, at):
        with CountingProxy(port) as proxy:
            arguments = ("download", f"{proxy.location('team')}/demo:0.1.0", "--state", self.state)
            self.killed(arguments, proxy, cut_answer=lambda received: received > at)
            self.assertTrue([name for name in self.files() if name.endswith(".part")])
            before = proxy.received
            done = run(*arguments, env=self.env)
            self.assertEqual(done.code, 0, done)
            self.assertEqual(done.result["capsule"], self.expected["package_digest"])
            self.assertEqual([name for name in self.files() if "partial" in name], [])
            self.assertEqual(Path(done.result["path"]).read_bytes(), self.package.read_bytes())
            shutil.rmtree(self.state)
            return proxy.received - before

    def published(self):
        for kind, registry, port in self.registries():
            with self.subTest(kind):
                self.maker_run("publish", self.package, "--registry", registry.location("team"))
                yield registry, port

    def test_it_goes_on_by_range(self):
        for registry, port in self.published():
            again = self.pull_killed(registry, port, 70 * MIB)
            self.assertLess(again, 50 * MIB)  # 30, and what lay in buffers between the registry and the file
            if isinstance(registry, FaultRegistry):
                ranges = [seen.headers["range"] for seen in registry.seen("GET", "/blobs/") if "range" in seen.headers]
                self.assertEqual(len(ranges), 1, ranges)

    def test_what_lies_there_is_another_package(self):
        for registry, port in self.published():
            with CountingProxy(port) as proxy:
                arguments = ("download", f"{proxy.location('team')}/demo:0.1.0", "--state", self.state)
                self.killed(arguments, proxy, cut_answer=lambda received: received > 70 * MIB)
                part = next(self.folder.rglob("*.part"))
                content = bytearray(part.read_bytes())
                content[MIB] ^= 1
                part.write_bytes(content)
                done = run(*arguments, env=self.env)
                self.assertEqual(done.code, 0, done)
                self.assertEqual(done.result["capsule"], self.expected["package_digest"])
                self.assertEqual([name for name in self.files() if "partial" in name], [])
                shutil.rmtree(self.state)


if __name__ == "__main__":
    unittest.main()
