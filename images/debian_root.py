"""Files of the Debian packages that are installed under a root folder: `/`, or the root of another architecture."""
import os
import subprocess
from pathlib import Path

TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
# Where a merged /usr keeps what packages and loaders still call /bin, /lib and so on.
MERGED = ("bin", "sbin", "lib", "lib64")


class Missing(Exception):
    """Something that an image needs is not there; says what, and what to install."""


def in_usr(path):
    """A path of a package, without the leading slash, as it is with a merged /usr: lib/x becomes usr/lib/x."""
    path = os.path.normpath(path).lstrip("/")
    return f"usr/{path}" if path.split("/")[0] in MERGED else path


class DebianRoot:
    def __init__(self, root, architecture):
        self.root = Path(root)
        self.architecture = architecture
        self.libraries = f"usr/lib/{TRIPLETS[architecture]}"
        self._database = self.root / "var/lib/dpkg"
        self._status = self._read_status()
        self._owners = {}
        for package in self._status:
            for path in self._listed(package):
                self._owners.setdefault(path, package)

    def _read_status(self):
        """{package: its stanza of dpkg's status} for what is installed, of this architecture or of all."""
        found = {}
        for stanza in (self._database / "status").read_text().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and not line.startswith(" "))
            if fields.get("Status", "").endswith(" installed") and fields.get("Architecture") in (self.architecture, "all"):
                found[fields["Package"]] = stanza.strip() + "\n"
        return found

    def _listed(self, package):
        for name in (f"{package}:{self.architecture}.list", f"{package}.list"):
            path = self._database / "info" / name
            if path.exists():
                return [in_usr(line) for line in path.read_text().splitlines()]
        return []

    def require(self, package):
        if package not in self._status:
            raise Missing(f"the Debian package {package}:{self.architecture} is not installed under {self.root}")

    def stanza(self, package):
        return self._status[package]

    def files(self, package):
        """Paths of its files and links, sorted, relative to the root; what was removed after installation is left out."""
        self.require(package)
        paths = {path for path in self._listed(package) if os.path.lexists(self.root / path)}
        return sorted(path for path in paths if (self.root / path).is_symlink() or not (self.root / path).is_dir())

    def owner(self, path):
        """The package that brought a file."""
        if path not in self._owners:
            raise Missing(f"no Debian package brought {self.root / path}")
        return self._owners[path]

    def copyright(self, package):
        """What has to go along with a package's files; some packages link to another's."""
        return (self.root / "usr/share/doc" / package / "copyright").read_bytes()

    def library(self, name):
        """Where the loader finds a shared library: a path relative to the root."""
        for folder in (self.libraries, "usr/lib"):
            if (self.root / folder / name).exists():
                return f"{folder}/{name}"
        raise Missing(f"the shared library {name} is not under {self.root / self.libraries}")

    def real_path(self, path):
        """Where a link leads, inside the root, an absolute one too."""
        while (self.root / path).is_symlink():
            target = os.readlink(self.root / path)
            path = in_usr(target if target.startswith("/") else os.path.join(os.path.dirname(path), target))
        return path

    def closure(self, programs):
        """The shared libraries, and the loader, that ELF files need directly or through each other: sorted paths."""
        found, waiting = set(), [Path(program) for program in programs]
        while waiting:
            for name in needed(waiting.pop()):
                path = in_usr(name) if name.startswith("/") else self.library(name)
                if path not in found:
                    found.add(path)
                    waiting.append(self.root / path)
        return sorted(found)


def needed(elf):
    """Names of the shared libraries that an ELF file asks for, and the path of its loader."""
    out = subprocess.run(["readelf", "-dlW", elf], check=True, capture_output=True, text=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
    names = [line.split("[", 1)[1].rstrip("]") for line in out.stdout.splitlines() if "(NEEDED)" in line]
    names += [line.split("interpreter: ", 1)[1].rstrip("]") for line in out.stdout.splitlines() if "program interpreter: " in line]
    return names
