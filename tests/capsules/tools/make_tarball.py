#!/usr/bin/env python3
"""Makes the sample capsule's capsule.tarball: a small file system tar, the base layer of its image.

On one machine the host's python3 runs the capsule; the files here are what a container needs beyond the capsule itself: the
user, an identity, a temporary folder and a place for data. The same bytes come out on every machine.
"""

from __future__ import annotations

import io
import tarfile

from sample_capsule import out_option, write_file

USER = 65532
FOLDERS = {"etc": 0o755, "home": 0o755, "opt": 0o755, "opt/m2n2": 0o755, "opt/m2n2/data": 0o700, "tmp": 0o1777, "var": 0o755, "var/tmp": 0o1777}
OWNED_BY_USER = {"opt/m2n2/data"}
FILES = {
    "etc/group": "root:x:0:\nnonroot:x:65532:\n",
    "etc/os-release": 'ID=m2n2-metal\nNAME="M2N2 metal capsule"\nPRETTY_NAME="M2N2 metal capsule base 1"\nVERSION_ID="1"\n',
    "etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/opt/m2n2/data:/sbin/nologin\n",
    "opt/m2n2/README": "The capsule's own files lie over this layer. Run data goes to /opt/m2n2/data.\n",
}


def entry(name: str, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode = mode
    info.uid = info.gid = USER if name in OWNED_BY_USER else 0
    return info


def tarball() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(FOLDERS | FILES):
            if name in FOLDERS:
                info = entry(name, FOLDERS[name])
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                data = FILES[name].encode()
                info = entry(name, 0o644)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def main() -> None:
    write_file(out_option("Make the sample capsule's capsule.tarball."), tarball())


if __name__ == "__main__":
    main()
