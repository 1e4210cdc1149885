"""What each image holds: the layers that images share, and which of them, with which programs, make up an image."""
import os
from dataclasses import dataclass

from layer import Layer

USER = 65532
WORK = "work"

# Linked into the programs, as archives or as headers: no file of theirs is in an image, their licences are. (Boost's licence does not ask for that.)
COMPILED_IN = ("libarchive-dev", "libcli11-dev", "libdeflate-dev", "liblzma-dev", "libp11-kit-dev", "libsqlite3-dev", "libyaml-cpp-dev", "libzstd-dev",
               "nlohmann-json3-dev")
# Programs and modules that were linked before glibc 2.34 (a token's PKCS#11 module, for one) ask for these by name.
OF_OLDER_PROGRAMS = ("libdl.so.2", "libpthread.so.0", "librt.so.1")

# What capsule code is run with: `#!/bin/sh` and `python3`, and the small tools that scripts call.
PYTHON_PACKAGES = ("coreutils", "dash", "libpython3.11-minimal", "libpython3.11-stdlib", "python3-minimal", "python3.11-minimal")
PYTHON_FOLDERS = ("etc/python3.11/", "usr/bin/", "usr/lib/python3.11/")
# For terminals and for developers; their shared libraries would weigh more than all the rest.
NOT_IN_PYTHON = ("usr/bin/py3", "usr/lib/python3.11/__phello__", "usr/lib/python3.11/curses/", "usr/lib/python3.11/dbm/", "usr/lib/python3.11/distutils/",
                 "usr/lib/python3.11/lib2to3/", "usr/lib/python3.11/pydoc_data/", "usr/lib/python3.11/lib-dynload/_curses",
                 "usr/lib/python3.11/lib-dynload/_dbm", "usr/lib/python3.11/lib-dynload/nis", "usr/lib/python3.11/lib-dynload/readline")


@dataclass(frozen=True)
class Image:
    """`base` or `python` below; then a layer for each program."""
    below: str
    programs: tuple
    entrypoint: str


# For capsules whose image brings no interpreter of their own: what they run with, and nothing of ours.
RUNTIME = "runtime-python"
# No program: the workflow files that one pod runs as a whole.
WORKFLOWS = "workflows"
WORKFLOW_FOLDERS = ("loops", "templates")


def images(steps):
    """{name: Image}, one image per step, and the runtime. Capsule code runs in those that have Python."""
    more = {"agent": ("agent",), "deploy": ("agent", "deploy"), "generate-proof": ("proof-service", "generate-proof"),
            "run": (*sorted(set(steps) - {"run"}), WORKFLOWS, "run")}  # what it starts is beside it, and what it is given where it is installed
    found = {step: Image("python" if step in more else "base", more.get(step, (step,)), f"/usr/local/bin/capsule-{step}") for step in steps}
    return {**found, RUNTIME: Image("python", (), "/usr/bin/python3")}


def base_layer(root, programs):
    """What every program needs: shared libraries, certificates, a user that is not root, /tmp and /work. No shell."""
    layer = Layer()
    layer.link("lib", "usr/lib")
    layer.folder("tmp", 0o1777)
    layer.folder(WORK, owner=USER)
    layer.folder("usr/local/bin")
    libraries = root.closure(programs) + [root.library(name) for name in OF_OLDER_PROGRAMS]
    if any(path.startswith("usr/lib64/") for path in libraries):
        layer.link("lib64", "usr/lib64")
    packages = _copy_libraries(root, layer, libraries) | {"base-files", "ca-certificates"}
    layer.file("etc/passwd", f"root:x:0:0:root:/root:/usr/sbin/nologin\ncapsule:x:{USER}:{USER}:capsule:/{WORK}:/usr/sbin/nologin\n".encode())
    layer.file("etc/group", f"root:x:0:\ncapsule:x:{USER}:\n".encode())
    layer.file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
    layer.copy(root.root / "usr/lib/os-release", "usr/lib/os-release")
    layer.link("etc/os-release", "../usr/lib/os-release")
    layer.file("etc/ssl/certs/ca-certificates.crt", _certificates(root))
    _describe(root, layer, packages | set(COMPILED_IN))
    return layer


def python_layer(root, base):
    """Debian's Python with its standard library, /bin/sh and coreutils, on top of the base."""
    layer = Layer(base)
    layer.link("bin", "usr/bin")
    for package in PYTHON_PACKAGES:
        for path in root.files(package):
            if path.startswith(PYTHON_FOLDERS) and not path.startswith(NOT_IN_PYTHON) and "/__pycache__/" not in path:
                layer.copy(root.root / path, path)
    libraries = [path for path in root.closure(root.root / path for path in layer.elf_files()) if not base.holds(path)]
    packages = _copy_libraries(root, layer, libraries) | set(PYTHON_PACKAGES)
    _describe(root, layer, {package for package in packages if not base.holds(f"var/lib/dpkg/status.d/{package}")})
    return layer


def program_layer(base, program):
    layer = Layer(base)
    layer.copy(program, f"usr/local/bin/{program.name}")
    return layer


def workflows_layer(base, source):
    """The shipped workflow files where `make install` puts them, seen from /usr/local/bin."""
    layer = Layer(base)
    for folder in WORKFLOW_FOLDERS:
        for path in sorted((source / folder).glob("*.yaml")):
            layer.file(f"usr/local/share/capsule-loop/workflows/{folder}/{path.name}", path.read_bytes())
    return layer


def _copy_libraries(root, layer, paths):
    """Each under the name that programs ask for, as one file (a link where both names are asked for); returns their packages."""
    for path in paths:
        real = root.real_path(path)
        if real != path and real in paths:
            layer.link(path, os.path.relpath(real, os.path.dirname(path)))
        else:
            layer.copy(root.root / real, path)
    return {root.owner(path) for path in paths}


def _certificates(root):
    """Mozilla's, as the package ships them: what an administrator has added to this machine stays here."""
    paths = [path for path in root.files("ca-certificates") if path.startswith("usr/share/ca-certificates/mozilla/")]
    return b"".join((root.root / path).read_bytes() for path in paths)


def _describe(root, layer, packages):
    """Licences for people, and for scanners dpkg's record of what is here (the form of distroless images)."""
    for package in sorted(packages):
        root.require(package)
        layer.file(f"var/lib/dpkg/status.d/{package}", root.stanza(package).encode())
        layer.file(f"usr/share/doc/{package}/copyright", root.copyright(package))

