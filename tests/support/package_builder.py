"""Builds packages, good and hostile, byte by byte: a second opinion on the format that shares no code with the library."""
import hashlib
import struct
import subprocess
import zlib
from pathlib import Path

MEMBER = 1 << 20
STORED_BLOCK = 65535
MANIFEST = b'{"name":"sample","version":"1.2.3","entrypoint":"expansion/run.sh"}'
HEAD = ("signature.sig", "checksum.sha256", "capsule.json")


def sample_files():
    return {
        "capsule.json": MANIFEST,
        "capsule.tarball": b"t" * 1000,
        "expansion/data.bin": bytes(range(256)) * 5000,
        "expansion/empty": b"",
        "expansion/large.bin": b"0123456789abcdef" * (5 << 16),
        "expansion/run.sh": b"#!/bin/sh\necho '{}'\n",
        "expansion/tool": b"\x7fELF\x02",
        "proof-hooks/generate_proof.py": b"print(1)\n",
        "scripts/install.sh": b"#!/bin/sh\n",
        "scripts/" + "d" * 60 + "/" + "f" * 80: b"a name that ustar splits",
        "scripts/" + "n" * 200: b"a name that needs a pax record",
        "scripts/h\u00e9llo w\u00f6rld": b"utf-8",
    }


def write_files(folder, files):
    for path, content in files.items():
        target = Path(folder) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


# ---------------------------------------------------------------- tar

def header(name, size, mode=0o644, kind=b"0", **fields):
    """One ustar header block, canonical unless `fields` (raw_size=…, magic=…, bytes) say otherwise."""
    name = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name
    block = bytearray(512)

    def put(offset, value):
        block[offset:offset + len(value)] = value

    put(0, name)
    put(100, b"%07o" % mode)
    put(108, b"0000000")
    put(116, b"0000000")
    put(124, fields.get("raw_size", b"%011o" % size))
    put(136, fields.get("mtime", b"00000000000"))
    put(156, kind)
    put(157, fields.get("link", b""))
    put(257, fields.get("magic", b"ustar\x0000"))
    put(329, b"0000000")
    put(337, b"0000000")
    put(345, fields.get("prefix", b""))
    put(500, fields.get("padding", b""))
    put(148, b" " * 8)
    put(148, fields.get("checksum", b"%06o\0 " % sum(block)))
    return bytes(block)


def pad(content, filler=b"\0"):
    return content + filler * (-len(content) % 512)


def pax_record(key, value):
    value = value.encode() if isinstance(value, str) else value
    rest = len(key) + len(value) + 3
    length = rest + 1
    while len(str(length)) + rest != length:
        length += 1
    return b"%d %s=%s\n" % (length, key.encode(), value)


def pax(*records, kind=b"x"):
    body = b"".join(records)
    return header("././@PaxHeader", len(body), kind=kind) + pad(body)


def mode_of(content):
    return 0o755 if content.startswith((b"#!", b"\x7fELF")) else 0o644


def entry(path, content):
    """A canonical entry."""
    raw = path.encode()
    if len(raw) <= 100:
        return header(raw, len(content), mode_of(content)) + pad(content)
    slash = raw[:156].rfind(b"/")
    if slash > 0 and len(raw) - slash - 1 <= 100:
        return header(raw[slash + 1:], len(content), mode_of(content), prefix=raw[:slash]) + pad(content)
    return pax(pax_record("path", raw)) + header(raw[:100], len(content), mode_of(content)) + pad(content)


END = bytes(1024)


# ---------------------------------------------------------------- gzip

def frame(body, data, size=None, data_size=None, crc=None, isize=None):
    """A member with its sizes in front; what is given replaces what is true."""
    total = 32 + len(body) + 8
    return (bytes.fromhex("1f8b08040000000000ff1400") + b"CL\x10\x00" +
            struct.pack("<QQ", total if size is None else size, len(data) if data_size is None else data_size) + body +
            struct.pack("<II", zlib.crc32(data) if crc is None else crc,
                        len(data) & 0xffffffff if isize is None else isize))


def stored(data):
    body = b""
    blocks = [data[i:i + STORED_BLOCK] for i in range(0, len(data), STORED_BLOCK)] or [b""]
    for i, block in enumerate(blocks):
        body += struct.pack("<BHH", i + 1 == len(blocks), len(block), len(block) ^ 0xffff) + block
    return body


def deflated(data, level=6):
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()


def members(tar):
    return b"".join(frame(stored(tar[i:i + MEMBER]), tar[i:i + MEMBER]) for i in range(0, len(tar), MEMBER))


# ---------------------------------------------------------------- packages

def checksums(files):
    listed = sorted((path.encode(), content) for path, content in files.items()
                    if path not in ("signature.sig", "checksum.sha256"))
    return b"".join(hashlib.sha256(content).hexdigest().encode() + b"  " + path + b"\n" for path, content in listed)


def segments(files, signature=None):
    """The tar fragments of the canonical package."""
    out = []
    head = {"checksum.sha256": checksums(files), "capsule.json": files["capsule.json"]}
    if signature is not None:
        head = {"signature.sig": signature, **head}
    out.append(b"".join(entry(path, content) for path, content in head.items()))
    run = b""
    for path in sorted((path for path in files if path not in HEAD), key=str.encode):
        content = files[path]
        alone = path == "capsule.tarball" or len(content) >= 4 << 20
        if alone and run:
            out.append(run)
            run = b""
        if alone:
            out.append(entry(path, content))
        else:
            run += entry(path, content)
    if run:
        out.append(run)
    return out + [END]


def canonical(files, signature=None):
    return b"".join(members(segment) for segment in segments(files, signature))


class Key:
    """A key pair made and used by openssl."""

    def __init__(self, folder, kind="ecdsa-p256"):
        self.kind = kind
        self.private = Path(folder) / f"{kind}.pem"
        self.public = Path(folder) / f"{kind}.pub.pem"
        options = {"ecdsa-p256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "ed25519": ["ED25519"],
                   "rsa-3072": ["RSA", "-pkeyopt", "rsa_keygen_bits:3072"]}[kind]
        self._openssl("genpkey", "-algorithm", *options, "-out", self.private)
        self._openssl("pkey", "-in", self.private, "-pubout", "-out", self.public)

    @staticmethod
    def _openssl(*arguments, data=None):
        return subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=True).stdout

    def sign(self, data):
        if self.kind == "ed25519":  # one-shot only: needs a file
            message = self.private.with_suffix(".message")
            message.write_bytes(data)
            return self._openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.private, "-in", message)
        return self._openssl("dgst", "-sha256", "-sign", self.private, data=data)


def signed(files, key):
    """The canonical package, signed."""
    return canonical(files, key.sign(checksums(files)))


def head_entries(files, key):
    """The head of a package as entries, for tars whose rest is not canonical."""
    sums = checksums(files)
    return entry("signature.sig", key.sign(sums)) + entry("checksum.sha256", sums) + entry("capsule.json",
                                                                                            files["capsule.json"])
