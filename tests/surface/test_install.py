"""What `make install` and `make deb` give: installed into an empty folder and into a clean Debian, used, and removed."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import loop
import steps
from clean_root import CleanRoot

BUILD = steps.BIN.parent
STEPS = sorted(path.parent.name for path in (steps.SOURCE / "steps").glob("*/main.cpp"))


def must(*argv, **kwargs):
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False, **kwargs)
    assert done.returncode == 0, f"{argv}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def scratch(case):
    folder = Path(tempfile.mkdtemp(prefix="capsule-install-"))
    folder.chmod(0o755)
    case.addClassCleanup(shutil.rmtree, folder)
    return folder


def files_of(zsh):
    """What belongs to each program, below the prefix."""
    for step in STEPS:
        yield from (f"bin/capsule-{step}", f"share/bash-completion/completions/capsule-{step}",
                    f"share/fish/vendor_completions.d/capsule-{step}.fish", f"share/zsh/{zsh}/_capsule-{step}",
                    f"share/man/man1/capsule-{step}.1.gz", f"share/doc/capsule-loop/steps/{step}/README.md")


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = scratch(cls)
        must("cmake", "--install", BUILD, "--prefix", "/opt/capsules", "--strip",
             env={**os.environ, "DESTDIR": str(cls.folder / "root")}, umask=0o022)
        cls.prefix = cls.folder / "root/opt/capsules"

    def test_everything_is_below_the_prefix_for_all_to_read(self):
        self.assertEqual(os.listdir(self.folder / "root"), ["opt"])
        there = {str(path.relative_to(self.prefix)) for path in self.prefix.rglob("*") if path.is_file()}
        self.assertEqual(set(files_of("site-functions")) - there, set())
        workflows = {str(path.relative_to(steps.SOURCE)) for path in (steps.SOURCE / "workflows").rglob("*") if path.is_file()}
        self.assertEqual({f"share/capsule-loop/{path}" for path in workflows} - there, set())
        for path in self.prefix.rglob("*"):
            wanted = 0o755 if path.is_dir() or path.parent.name == "bin" else 0o644
            self.assertEqual(path.stat().st_mode & 0o777, wanted, path)

    def test_no_file_names_the_machine_that_built_it(self):
        for path in self.prefix.rglob("*"):
            if path.is_file():
                self.assertNotIn(os.fsencode(steps.SOURCE), path.read_bytes(), path)

    def test_the_installed_runner_finds_its_templates_and_programs(self):
        """A workflow file of the user's own, beside no templates."""
        state = self.folder / "state"
        env = steps.environment(CAPSULE_STATE=str(state))
        must(self.prefix / "bin/capsule-sign", "keygen", "--state", state, env=env)
        mine = self.folder / "mine/deep/build.yaml"
        mine.parent.mkdir(parents=True)
        shutil.copy(self.prefix / "share/capsule-loop/workflows/loops/capsule-build.yaml", mine)
        capsule = loop.sample_capsule(self.folder)
        for file in (mine, self.prefix / "share/capsule-loop/workflows/loops/capsule-build.yaml"):
            out = must(self.prefix / "bin/capsule-run", file, "-p", f"source={capsule}", "-p", "publish=false", "--new", env=env)
            self.assertIn('"phase":"Succeeded"', out)


class DebianPackage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = scratch(cls)
        cls.package = cls.build("first")

    @classmethod
    def build(cls, name):
        epoch = (BUILD / "packaging/epoch").read_text()
        must("cpack", "-G", "DEB", "--config", BUILD / "CPackConfig.cmake", "-B", cls.folder / name, cwd=BUILD,
             env={**os.environ, "SOURCE_DATE_EPOCH": epoch}, umask=0o022)
        return next((cls.folder / name).glob("*.deb"))

    def field(self, name):
        return must("dpkg-deb", "--field", self.package, name).strip()

    def test_what_it_says_of_itself(self):
        architecture = must("dpkg", "--print-architecture").strip()
        self.assertEqual(self.package.name, f"capsule-loop_0.1.0-1_{architecture}.deb")
        depends = self.field("Depends")
        for library in ("libc6 (>= ", "libssl3", "libstdc++6", "libcurl4", "libfmt9", "libseccomp2"):
            self.assertIn(library, depends)
        self.assertEqual(self.field("Recommends"), "python3, ca-certificates")
        self.assertRegex(self.field("Maintainer"), r"^Capsule Loop <\S+@\S+>$")
        self.assertRegex(self.field("Description"), r"\A\w.{20,75}\n( \S.{1,78}\n?)+\Z")

    def test_the_same_bytes_again(self):
        self.assertEqual(self.build("second").read_bytes(), self.package.read_bytes())

    def test_lintian_finds_no_error(self):
        done = subprocess.run(["lintian", "--fail-on", "none", "--no-cfg", "--allow-root", "--tag-display-limit", "0",
                               self.package], capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual([line for line in (done.stdout + done.stderr).splitlines() if line.startswith("E:")], [])

    @unittest.skipUnless(os.geteuid() == 0, "only root can make a Debian system to install into")
    def test_installed_used_and_removed(self):
        needs = [re.split(r"[ (|:]", need.strip())[0] for need in self.field("Depends").split(",")]
        place = self.folder / "root"
        place.mkdir()
        root = CleanRoot(place, [*needs, "python3", "bash-completion"])
        capsule = loop.sample_capsule(self.folder)
        before = root.files()

        def inside(*argv):
            done = root.run(*argv)
            self.assertEqual(done.returncode, 0, f"{argv}: {done.stdout[-1500:]}{done.stderr[-1500:]}")
            return done.stdout

        shutil.copy(self.package, root.folder / "tmp/capsule-loop.deb")
        inside("dpkg", "--install", "/tmp/capsule-loop.deb")
        installed = root.files() - before
        self.assertEqual({f"usr/{file}" for file in files_of("vendor-completions")
                          if not file.startswith(("share/man", "share/doc"))} - installed, set())
        self.assertEqual(inside("capsule-pack", "--version"), "capsule-pack 0.1.0\n")
        inside("bash", "-c", "source /usr/share/bash-completion/bash_completion; _completion_loader capsule-pack; "
                             "[ $? -eq 124 ]; complete -p capsule-pack")

        shutil.copytree(capsule, root.folder / "srv/m2n2-metal")
        loops = "/usr/share/capsule-loop/workflows/loops"
        state = ("--state", "/srv/state")
        inside("capsule-sign", "keygen", *state)
        inside("capsule-run", f"{loops}/capsule-build.yaml", "-p", "source=/srv/m2n2-metal", "-p", "publish=false",
               "--outputs", "/srv/out", *state)
        package = (root.folder / "srv/out/package").read_text()
        # The warm pool of a deploy ends with the namespaces of this call.
        inside("capsule-run", f"{loops}/capsule-deploy-loop.yaml", "-p", f"source={package}", "-p",
               "registry=oci-layout:/srv/registry", "-p", "log=/srv/log", "-p", f"allow-unmet={loop.WAIVED}", *state)
        said = inside("capsule-register", "resolve", loop.URI, "--registry", "oci-layout:/srv/registry", *state)
        self.assertIn('"name":"m2n2-metal"', said)

        inside("dpkg", "--purge", "capsule-loop")
        (root.folder / "tmp/capsule-loop.deb").unlink()
        left = {path for path in root.files() - before if not path.startswith(("srv/", "var/log/", "var/cache/", "tmp/"))}
        self.assertEqual(left, set())


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
