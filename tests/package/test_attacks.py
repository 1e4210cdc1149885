"""What a hostile package, folder or name can try: each is refused with one line and its exit code, and nothing is left
behind."""
import gzip
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest
import zlib
from pathlib import Path

from package_builder import (END, HEAD, MANIFEST, Key, canonical, checksums, deflated, entry, frame, head_entries, header,
                             members, pad, pax, pax_record, sample_files, segments, signed, stored, write_files)
from steps import BIN, environment, peak_memory, run, start

INVALID, FAILED = 10, 11


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keys = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.keys.cleanup)
        cls.key = Key(cls.keys.name)
        cls.files = {"capsule.json": MANIFEST, "expansion/run.sh": b"#!/bin/sh\n", "expansion/data": b"d" * 3000}
        cls.sums = checksums(cls.files)
        cls.head = head_entries(cls.files, cls.key)

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = Path(temporary.name)
        self.tmp = self.path / "tmp"
        self.tmp.mkdir()
        self.work = self.path / "work"
        self.work.mkdir()

    def everything(self):
        return {str(path.relative_to(self.path)): path.lstat().st_mtime_ns for path in self.path.rglob("*")}

    def assert_refused(self, done, codes, words=()):
        self.assertIn(done.code, codes if isinstance(codes, tuple) else (codes,), done)
        self.assertEqual(done.stdout, "", done)
        self.assertEqual(done.stderr.count("\n"), 1, done)
        self.assertLess(len(done.stderr), 2000)
        self.assertTrue(done.stderr[:-1].isprintable(), repr(done.stderr))
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, done.stderr)

    def verify(self, data, **kwargs):
        package = self.path / "p.tar.gz"
        package.write_bytes(data)
        before = self.everything()
        done = run("verify", package, "--key", self.key.public, cwd=self.work, env=environment(TMPDIR=str(self.tmp)), **kwargs)
        self.assertEqual(self.everything(), before)
        return done

    def refuse(self, tar, codes=INVALID, words=()):
        """The tar as members of ours, and as one gzip of another tool."""
        for data in (members(tar), gzip.compress(tar, 1, mtime=0)):
            self.assert_refused(self.verify(data), codes, words)

    def rest(self, skip=()):
        return b"".join(entry(path, content) for path, content in sorted(self.files.items())
                        if path not in HEAD and path not in skip)

    def accept(self, tar):
        for data in (members(tar), gzip.compress(tar, 1, mtime=0)):
            done = self.verify(data)
            self.assertEqual(done.code, 0, done)


class Tar(Case):
    def test_the_model_itself_is_good(self):
        self.accept(self.head + self.rest() + END)

    def test_1_unsafe_paths(self):
        for name in ("../x", "/etc/passwd", "a/../../x", "..", "a/..", "./../x", "a//b", "a/./b", "C:\\x", "a\\b", "x\ny", "x\x1b[2J",
                     "\x7f", b"\xff\xfe", b"\xc0\xaf", "", ".", "a/", "././a"):
            with self.subTest(name=name):
                self.refuse(self.head + header(name, 1) + pad(b"x") + self.rest() + END)
        self.refuse(self.head + header(b"a\0b", 1) + pad(b"x") + self.rest() + END)
        self.refuse(self.head + pax(pax_record("path", "../x")) + header("x", 1) + pad(b"x") + self.rest() + END)
        self.refuse(self.head + pax(pax_record("path", b"a\0b")) + header("x", 1) + pad(b"x") + self.rest() + END)
        self.refuse(self.head + header("L", 5, kind=b"L", magic=b"ustar  \0") + pad(b"../x\0") + header("x", 1) + pad(b"x") + self.rest() + END)
        self.refuse(self.head + header("../x/", 0, kind=b"5") + self.rest() + END)
        self.refuse(self.head + header("x", 1, prefix=b"../..") + pad(b"x") + self.rest() + END)

    def test_1_unsafe_paths_that_are_listed_and_signed(self):
        for name in ("../x", "/x", "a/./b", "signature.sig", "checksum.sha256", "a\\b", ".wh.x", "a/.wh..wh..opq"):
            with self.subTest(name=name):
                sums = self.sums + b"0" * 64 + b"  " + name.encode() + b"\n"
                head = entry("signature.sig", self.key.sign(sums)) + entry("checksum.sha256", sums) + entry("capsule.json", MANIFEST)
                self.refuse(head + self.rest() + END, INVALID, "checksum.sha256")

    def test_2_links_and_a_write_through_them(self):
        for kind in (b"1", b"2"):
            self.refuse(self.head + header("expansion", 0, kind=kind, link=b"/etc") + self.rest() + END, INVALID, "link")
        self.refuse(self.head + header("K", 5, kind=b"K", magic=b"ustar  \0") + pad(b"/etc\0") + self.rest() + END)

    def test_3_devices_fifos_sparse_and_unknown_types(self):
        for kind in (b"3", b"4", b"6", b"7", b"S", b"D", b"M", b"V", b"N", b"A", b"\x80"):
            self.refuse(self.head + header("x", 0, kind=kind) + self.rest() + END)

    def test_3_setuid_bits_do_not_count(self):
        self.accept(self.head + entry("expansion/data", self.files["expansion/data"]) + header("expansion/run.sh", 10, mode=0o6777) +
                    pad(self.files["expansion/run.sh"]) + END)

    def test_4_bombs_are_stopped_by_limits_in_constant_memory(self):
        bomb = gzip.compress(bytes(64 << 20), 9)  # each part a stream of zeros that unpack a thousandfold
        self.assert_refused(self.verify(bomb), INVALID)
        # An entry that is endless: its size is beyond the limit, and is refused before it is read.
        self.refuse(self.head + header("expansion/x", 0o77777777777) + bytes(4096), (INVALID, FAILED))
        big = pax(pax_record("size", str(1 << 62))) + header("expansion/data", 0)
        self.refuse(self.head + big + bytes(4096), INVALID, "limit")

    def test_4_a_bomb_behind_a_head_takes_no_memory(self):
        zeros = bytes(1 << 20)
        sums = self.sums
        compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
        package = self.path / "bomb.tar.gz"
        with package.open("wb") as out:
            out.write(compressor.compress(self.head + header("expansion/data", 1 << 30)))
            for _ in range(1 << 10):
                out.write(compressor.compress(zeros))
            out.write(compressor.flush())
        self.assertLess(package.stat().st_size, 2 << 20)
        code, peak = peak_memory("verify", package, "--key", self.key.public)
        self.assertEqual(code, FAILED)
        self.assertLess(peak, 24 << 20)

    def test_4_many_entries_and_long_paths(self):
        self.refuse(self.head + pax(pax_record("path", "d/" * 512 + "x")) + header("x", 0) + END, INVALID, "1024 bytes")
        self.refuse(self.head + pax(pax_record("path", "x" * 65000)) + header("x", 0) + END)
        self.refuse(self.head + header("x", 1 << 20, kind=b"x") + bytes(1 << 20) + self.rest() + END)
        self.refuse(self.head + header("x" * 20, 70000, kind=b"L", magic=b"ustar  \0") + b"x" * 70000 + END)
        self.refuse(self.head + entry("x" * 256, b"") + END)

    def test_4_a_million_entries(self):
        many = b"".join(header(f"e/{i:06}", 0) for i in range(100_100))
        # The head not first, so that nothing is known before the end.
        self.refuse(many + self.head + END, INVALID, "100000 files")

    def test_5_doubles(self):
        data = entry("expansion/data", self.files["expansion/data"])
        self.refuse(self.head + data + self.rest() + END, INVALID, "twice")
        for name in HEAD:
            again = {"signature.sig": b"x", "checksum.sha256": self.sums, "capsule.json": MANIFEST}[name]
            self.refuse(self.head + entry(name, again) + self.rest() + END, INVALID, "twice")
            self.refuse(self.head + self.rest() + entry(name, again) + END, INVALID, "twice")
        self.refuse(data + self.head + self.rest() + END, INVALID, "twice")
        self.refuse(data + data + self.head + self.rest() + END, INVALID, "twice")
        self.refuse(self.head + header("expansion/data", 0, kind=b"5") + self.rest() + END, INVALID, "file and a folder")
        self.refuse(self.head + self.rest() + header("capsule.json/", 0, kind=b"5") + END, INVALID, "file and a folder")

    def test_5_sizes(self):
        for size in (b"-0000000001", b"\xff" * 12, b"\x80" + bytes(10) + b"\x0a", b"0000000000z", b"            ", b"0000000000 1",
                     b"88888888888"):
            self.refuse(self.head + header("expansion/data", 0, raw_size=size) + self.rest() + END)
        self.refuse(self.head + pax(pax_record("size", "3001")) + header("expansion/data", 3000) + self.rest() + END, INVALID, "two sizes")
        self.refuse(self.head + pax(pax_record("size", "0"), kind=b"g") + self.rest() + END)

    def test_5_data_after_the_end_and_dirty_padding(self):
        good = self.head + self.rest()
        self.refuse(good + END + b"x" * 512, INVALID, "behind its end")
        self.refuse(good + END + self.rest(), INVALID, "behind its end")
        self.refuse(good + END + b"x")
        self.refuse(good + bytes(512), INVALID, "cut off")
        self.refuse(good, INVALID, "cut off")
        self.refuse(good + bytes(512) + entry("x", b"x") + END)
        dirty = pad(b"d" * 3000, b"\x01")
        self.refuse(self.head + header("expansion/data", 3000) + dirty + self.rest(("expansion/data",)) + END, INVALID, "padding")
        self.refuse(self.head + header("expansion/data", 3000, padding=b"x") + pad(b"d" * 3000) + self.rest(("expansion/data",)) + END,
                    INVALID, "padding")

    def test_5_broken_headers(self):
        for broken in ({"checksum": b"0000000\0"}, {"magic": b"\0" * 8}, {"magic": b"ustar\x0001"}, {"checksum": b"\xff" * 8}):
            self.refuse(self.head + header("expansion/data", 0, **broken) + self.rest() + END)
        for record in (b"5 a=b\n", b"99 path=x\n", pax_record("path", "a") * 2, pax_record("GNU.sparse.major", "1"),
                       pax_record("linkpath", "x"), pax_record("unknown", "x"), b"10 path\n\0\0\n"):
            self.refuse(self.head + pax(record) + self.rest() + END)
        self.refuse(self.head + pax(pax_record("mtime", "1")) + END)
        self.refuse(self.head + pax(pax_record("mtime", "1")) * 2 + self.rest() + END)


class Gzip(Case):
    def setUp(self):
        super().setUp()
        self.tar = self.head + self.rest() + END
        self.good = members(self.tar)

    def test_5_what_follows_the_stream(self):
        for good in (self.good, gzip.compress(self.tar, mtime=0)):
            for tail in (b"\0", b"garbage", good, gzip.compress(b""), frame(stored(b"x" * 512), b"x" * 512), bytes(1 << 20), b"\x1f\x8b"):
                self.assert_refused(self.verify(good + tail), INVALID)

    def test_5_damage(self):
        for size in range(0, len(self.good), 97):
            self.assert_refused(self.verify(self.good[:size]), INVALID)
            if size > 4000:
                break
        tar = self.tar
        body = stored(tar)
        for bad in (frame(body, tar, crc=0), frame(body, tar, isize=0), frame(body, tar, data_size=len(tar) - 1),
                    frame(body, tar, data_size=len(tar) + 1), frame(body, tar, data_size=0), frame(body, tar, data_size=1 << 63),
                    frame(body, tar, size=0), frame(body, tar, size=31), frame(body, tar, size=1 << 63), frame(body, tar, size=(1 << 64) - 1),
                    frame(body, tar, size=len(body) + 39), frame(body + b"x", tar), frame(deflated(tar) + b"x", tar),
                    frame(body[:-1], tar), frame(deflated(tar)[:-2], tar), frame(b"\x07" + body[1:], tar),
                    frame(struct.pack("<BHH", 1, 5, 5) + b"12345", tar)):
            self.assert_refused(self.verify(bad), INVALID)
        bad = bytearray(gzip.compress(tar, mtime=0))
        for at, value in ((2, 7), (3, 0xe0), (-1, 0xff), (-8, 0xff)):
            changed = bytearray(bad)
            changed[at] ^= value
            self.assert_refused(self.verify(bytes(changed)), INVALID)

    def test_4_a_member_that_unpacks_to_more_than_it_says(self):
        zeros = bytes(900 << 20 >> 4)
        self.assert_refused(self.verify(self.good + frame(deflated(zeros, 9), zeros, data_size=1 << 20)), INVALID)
        self.assert_refused(self.verify(self.good + frame(deflated(zeros, 9), zeros)), INVALID)

    def test_no_gzip_at_all(self):
        for data in (b"", b"\x1f", b"\x1f\x8b", b"PK\x03\x04", self.tar, b"\x28\xb5\x2f\xfd" + bytes(100), b"BZh9" + bytes(100),
                     os.urandom(4096)):
            self.assert_refused(self.verify(data), INVALID)

    def test_what_is_no_file(self):
        self.assert_refused(run("verify", self.path, "--key", self.key.public), INVALID, "folder")
        self.assert_refused(run("verify", self.path / "none", "--key", self.key.public), 12)
        os.mkfifo(self.path / "fifo")
        self.assert_refused(run("verify", self.path / "fifo", "--key", self.key.public, timeout=10), INVALID)
        self.assert_refused(run("verify", "/dev/zero", "--key", self.key.public, timeout=10), INVALID)
        self.assert_refused(run("verify", "sha256:0", "--key", self.key.public), 2)
        self.assert_refused(run("verify", "sha512:" + "0" * 128, "--key", self.key.public), (2, INVALID, 12))


class Signed(Case):
    def signed_head(self, sums=None, signature=None, manifest=MANIFEST):
        sums = self.sums if sums is None else sums
        signature = self.key.sign(sums) if signature is None else signature
        return entry("signature.sig", signature) + entry("checksum.sha256", sums) + entry("capsule.json", manifest)

    def test_6_manifests(self):
        bad = [b'{"name":"a","name":"b","version":"1.0.0","entrypoint":"expansion/run.sh"}', b"", b"[]", b"{", b"\xff\xfe{}", b'{"name":NaN}',
               b"[" * 100000, b'{"name":"sample","version":"1.2.3","entrypoint":"expansion/run.sh","prewarm":{"replicas":9007199254740993}}',
               MANIFEST + b"x", b'{"name":"sample","version":"1.2.3","entrypoint":"expansion/run.sh","x":1}', b" " * (5 << 20) + MANIFEST,
               b'{"name":"../x","version":"1.2.3","entrypoint":"expansion/run.sh"}', b'{"name":"x","version":"../1","entrypoint":"expansion/run.sh"}',
               b'{"name":"x","version":"1.0.0","entrypoint":"../run.sh"}', b'{"name":"x","version":"1.0.0","entrypoint":"missing"}',
               b'{"name":"x\\u0000","version":"1.0.0","entrypoint":"expansion/run.sh"}',
               "{\"name\":\"s\u0430mple\",\"version\":\"1.0.0\",\"entrypoint\":\"expansion/run.sh\"}".encode(),
               b'{"name":"SAMPLE","version":"1.0.0","entrypoint":"expansion/run.sh"}', b'{"name":"a b","version":"1.0.0","entrypoint":"expansion/run.sh"}',
               b'{"name":"$(id)","version":"1.0.0","entrypoint":"expansion/run.sh"}', b'{"name":"x","version":"1.0.0;id","entrypoint":"expansion/run.sh"}']
        for manifest in bad:
            with self.subTest(manifest=manifest[:60]):
                files = {**self.files, "capsule.json": manifest}
                self.refuse(self.signed_head(checksums(files), manifest=manifest) + self.rest() + END, INVALID, "capsule.json")

    def test_12_other_digests(self):
        import hashlib
        for line in (hashlib.sha512(MANIFEST).hexdigest(), hashlib.sha1(MANIFEST).hexdigest(), hashlib.md5(MANIFEST).hexdigest()):
            sums = line.encode() + b"  capsule.json\n"
            self.refuse(self.signed_head(sums) + self.rest() + END, INVALID, "checksum.sha256")

    def test_13_a_key_inside_of_the_package_is_no_key(self):
        files = {**self.files, "key.pub.pem": self.key.public.read_bytes()}
        other = tempfile.TemporaryDirectory()
        self.addCleanup(other.cleanup)
        stranger = Key(other.name)
        files["key.pub.pem"] = stranger.public.read_bytes()
        self.assert_refused(self.verify(signed(files, stranger)), FAILED, "signature.sig")

    def test_15_and_16_stripped_empty_and_unknown_signatures(self):
        self.refuse(entry("checksum.sha256", self.sums) + entry("capsule.json", MANIFEST) + self.rest() + END, FAILED, "not signed")
        for signature in (b"", b"\0", b"ok", os.urandom(70), b"x" * 17000, self.key.sign(self.sums + b"\n"), self.key.sign(b"")):
            self.refuse(self.signed_head(signature=signature) + self.rest() + END, (FAILED, INVALID), "signature.sig")
        without = entry("signature.sig", self.key.sign(self.sums)) + entry("capsule.json", MANIFEST)
        self.refuse(without + self.rest() + END, INVALID, "checksum.sha256 is missing")
        without = entry("signature.sig", self.key.sign(self.sums)) + entry("checksum.sha256", self.sums)
        self.refuse(without + self.rest() + END, INVALID, "capsule.json is missing")

    def test_15_lists_that_cannot_be_parsed(self):
        for sums in (b"", b"\n", self.sums + b"\n", self.sums[:-1], self.sums + self.sums, self.sums.replace(b"  ", b" *"),
                     self.sums.upper(), b"\\" + self.sums, b"\n".join(reversed(self.sums.splitlines())) + b"\n", self.sums.replace(b"\n", b"\r\n")):
            self.refuse(self.signed_head(sums) + self.rest() + END, INVALID, "checksum.sha256")

    def test_17_a_good_signature_of_another_capsule(self):
        other = {**self.files, "expansion/data": b"other"}
        self.refuse(self.signed_head(signature=self.key.sign(checksums(other))) + self.rest() + END, FAILED, "signature.sig")
        renamed = MANIFEST.replace(b"1.2.3", b"9.9.9")
        self.refuse(self.signed_head(manifest=renamed) + self.rest() + END, FAILED, "capsule.json")

    def test_22_missing_surplus_and_changed_files(self):
        self.refuse(self.head + self.rest(("expansion/data",)) + END, FAILED, "expansion/data is missing")
        self.refuse(self.head + self.rest() + entry("z", b"z") + END, FAILED, "z is not in checksum.sha256")
        self.refuse(self.head + entry("a", b"") + self.rest() + END, FAILED, "a is not in checksum.sha256")
        changed = self.rest(("expansion/data",)) + entry("expansion/data", b"D" * 3000)
        self.refuse(self.head + changed + END, FAILED, "expansion/data is not what checksum.sha256 says")
        self.refuse(self.rest() + entry("z", b"z") + self.head + END, FAILED, "z is not in checksum.sha256")

    def test_names_that_clash(self):
        for extra in ({"Expansion/x": b""}, {"expansion/DATA": b""}, {"expansion/data/x": b""}):
            files = {**self.files, **extra}
            self.assert_refused(self.verify(signed(files, self.key)), INVALID, "checksum.sha256")

    def test_27_der_that_is_not_minimal(self):
        der = self.key.sign(self.sums)
        r_length = der[3]
        r, s = der[4:4 + r_length], der[6 + r_length:]
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

        def number(value):
            raw = value.to_bytes((value.bit_length() + 8) // 8, "big")
            return b"\x02" + bytes([len(raw)]) + raw

        def sequence(body):
            return b"\x30" + bytes([len(body)]) + body

        r_value, s_value = int.from_bytes(r, "big"), int.from_bytes(s, "big")
        for signature in (sequence(number(r_value) + number(order - s_value)), sequence(number(r_value) + number(s_value))):
            self.accept(self.signed_head(signature=signature) + self.rest() + END)
        padded = b"\x02" + bytes([r_length + 1]) + b"\0" + r
        for signature in (der + b"\0", sequence(padded + number(s_value)), b"\x30\x81" + bytes([len(der) - 2]) + der[2:],
                          sequence(number(0) + number(s_value)), sequence(number(r_value) + number(0)),
                          sequence(number(r_value + order) + number(s_value)), sequence(number(r_value) + number(s_value + order)),
                          sequence(number(r_value) + number(s_value) + b"\x05\0")):
            self.refuse(self.signed_head(signature=signature) + self.rest() + END, FAILED, "signature.sig")


class Folders(Case):
    """What pack refuses: nothing is written, not even a temporary file."""

    def setUp(self):
        super().setUp()
        self.folder = self.path / "capsule"
        write_files(self.folder, sample_files())
        self.out = self.path / "out"
        self.out.mkdir()

    def refuse(self, codes=INVALID, words=(), **kwargs):
        before = self.everything()
        done = run("pack", self.folder, "--out", self.out, cwd=self.work, env=environment(TMPDIR=str(self.tmp)), **kwargs)
        self.assert_refused(done, codes, words)
        self.assertEqual(self.everything(), before)

    def test_links_devices_fifos_sockets(self):
        target = self.folder / "expansion/x"
        for make in (lambda: target.symlink_to("/etc/passwd"), lambda: target.symlink_to("run.sh"), lambda: target.symlink_to("missing"),
                     lambda: target.symlink_to("/etc", target_is_directory=True), lambda: os.mkfifo(target)):
            make()
            self.refuse(INVALID, "expansion/x")
            target.unlink()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(target))
            self.refuse(INVALID, "socket")
        target.unlink()
        (self.folder / "capsule.json").unlink()
        (self.folder / "capsule.json").symlink_to("/etc/passwd")
        self.refuse(INVALID, "link")

    def test_names(self):
        for name in ("x\ny", "x\x1b[31m", "a\\b", ".wh.x", b"\xff", "n" * 250 + "/" + "m" * 250 + "/" + "o" * 250 + "/" + "p" * 250 + "/" + "q" * 250):
            target = Path(os.fsdecode(os.fsencode(self.folder) + b"/" + (name if isinstance(name, bytes) else name.encode())))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(b"")
            self.refuse(INVALID)
            target.unlink()
            while target.parent != self.folder and target.parent.exists():
                target = target.parent
                target.rmdir()

    def test_case_twins(self):
        (self.folder / "expansion/RUN.sh").write_bytes(b"")
        self.refuse(INVALID, "case")
        (self.folder / "expansion/RUN.sh").unlink()
        write_files(self.folder, {"Scripts/x": b""})
        self.refuse(INVALID, "case")

    def test_manifest_and_entrypoint(self):
        manifest = self.folder / "capsule.json"
        for text in (b"", b"{}", b'{"name":"../../x","version":"1.0.0","entrypoint":"expansion/run.sh"}', b"x" * (5 << 20),
                     b'{"name":"a","version":"1.0.0","entrypoint":"missing"}', b'{"name":"a","version":"1.0.0","entrypoint":"capsule.json"}'):
            manifest.write_bytes(text)
            self.refuse(INVALID)
        manifest.unlink()
        self.refuse(12, "capsule.json")
        manifest.mkdir()
        self.refuse((INVALID, 12))

    def test_what_is_no_folder(self):
        done = run("pack", self.path / "none", "--out", self.out)
        self.assert_refused(done, 12)
        done = run("pack", self.folder / "capsule.json", "--out", self.out)
        self.assert_refused(done, (INVALID, 12))
        done = run("pack", self.folder)
        self.assert_refused(done, 2)
        done = run("pack", self.folder, "--out", self.out, "--compress=best")
        self.assert_refused(done, 2)

    def test_unreadable_files(self):
        (self.folder / "expansion/run.sh").chmod(0)
        if os.geteuid() != 0:
            return self.refuse(13, "expansion/run.sh")
        # Root can read everything: somebody else must try, with a binary that everybody may run.
        binary = Path(shutil.copy(BIN / "capsule-pack", self.work))
        os.chmod(self.path, 0o755)
        os.chmod(self.out, 0o777)
        done = subprocess.run([binary, self.folder, "--out", self.out], env=environment(HOME="/"), capture_output=True, text=True,
                              user=65532, group=65532, extra_groups=[])
        self.assertEqual(done.returncode, 13, done.stderr)
        self.assertIn("expansion/run.sh", done.stderr)
        self.assertEqual(list(self.out.iterdir()), [])

    def test_a_file_of_another_kind_at_the_target_stays(self):
        target = self.out / "capsule_sample-1.2.3.tar.gz"
        target.write_text("my thesis")
        self.refuse(14, "is no capsule package")
        self.assertEqual(target.read_text(), "my thesis")

    def test_a_full_disk(self):
        full = Path("/dev/full")
        if not full.exists():
            self.skipTest("/dev/full is missing")
        done = run("pack", self.folder, "--out", full)
        self.assertIn(done.code, (10, 13, 14, 40), done)
        self.assertTrue(full.is_char_device())

    def test_22_a_file_that_changes_meanwhile(self):
        """Either the package holds the file as it was at one moment, or pack says that it changed."""
        target = self.folder / "expansion/large.bin"
        base = target.read_bytes()
        for i in range(10):
            target.write_bytes(base)
            process = start("pack", self.folder, "--out", self.out / f"{i}.tar.gz")
            time.sleep(random.uniform(0, 0.02))
            with target.open("ab") as stream:
                stream.write(b"more")
            _, stderr = process.communicate(timeout=60)
            if process.returncode == 0:
                with gzip.open(self.out / f"{i}.tar.gz") as stream:
                    self.assertIn(len(stream.read()) % 512, (0,))
            else:
                self.assertEqual(process.returncode, INVALID, stderr)
                self.assertIn("changed while it was packed", stderr)
                self.assertFalse((self.out / f"{i}.tar.gz").exists())


class Kills(Case):
    def test_32_kill_at_any_moment_leaves_nothing_and_the_next_run_completes(self):
        folder = self.path / "capsule"
        write_files(folder, {**sample_files(), "expansion/noise": os.urandom(20 << 20)})
        out = self.path / "out"
        out.mkdir()
        self.assertEqual(run("pack", folder, "--out", self.path / "wanted.tar.gz").code, 0)
        wanted = (self.path / "wanted.tar.gz").read_bytes()
        began = time.monotonic()
        run("pack", folder, "--out", self.path / "timed.tar.gz")
        duration = time.monotonic() - began
        for i in range(20):
            process = start("pack", folder, "--out", f"{out}/")
            time.sleep(random.uniform(0, duration))
            process.send_signal(signal.SIGKILL if i % 2 else signal.SIGTERM)
            process.wait(timeout=10)
            process.stdout.close()
            process.stderr.close()
            self.assertIn(process.returncode, (-signal.SIGKILL, -signal.SIGTERM, 0))
            names = [path.name for path in out.iterdir()]
            self.assertIn(names, ([], ["capsule_sample-1.2.3.tar.gz"]))
            done = run("pack", folder, "--out", out)
            self.assertEqual(done.code, 0, done)
            self.assertTrue(next(out.iterdir()).read_bytes() == wanted)
            for path in out.iterdir():
                path.unlink()

    def test_32_two_packs_of_one_folder_at_once(self):
        folder = self.path / "capsule"
        write_files(folder, sample_files())
        processes = [start("pack", folder, "--out", self.path / "one.tar.gz") for _ in range(4)]
        for process in processes:
            stdout, stderr = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0, stderr)
        self.assertEqual((self.path / "one.tar.gz").read_bytes(), canonical(sample_files()))
        self.assertEqual([path.name for path in self.path.iterdir() if path.name.startswith(".")], [])

    def test_sigterm_ends_verify_within_a_second(self):
        package = self.path / "p.tar.gz"
        folder = self.path / "capsule"
        write_files(folder, sample_files())
        with (folder / "hole").open("wb") as hole:
            hole.truncate(1 << 30)
        self.assertEqual(run("pack", folder, "--out", package).code, 0)
        process = start("pack", folder, "--out", self.path / "again.tar.gz")
        time.sleep(0.2)
        began = time.monotonic()
        process.terminate()
        process.communicate(timeout=10)
        self.assertLess(time.monotonic() - began, 1)
        self.assertIn(process.returncode, (-signal.SIGTERM, 0))


class Environment(Case):
    def test_24_values_are_values(self):
        folder = self.path / "capsule"
        write_files(folder, sample_files())
        marker = self.path / "marker"
        odd = self.path / f"$(touch {marker.name}); x"
        odd.mkdir()
        done = run("pack", folder, "--out", f"{odd}/", cwd=self.path)
        self.assertEqual(done.code, 0, done)
        self.assertFalse(marker.exists())
        dash = self.path / "-rf"
        dash.mkdir()
        done = run("pack", f"--out={self.path}/y.tar.gz", "--", "-rf", cwd=self.path)
        self.assert_refused(done, 12, "capsule.json")

    def test_33_clocks_do_not_matter(self):
        folder = self.path / "capsule"
        write_files(folder, sample_files())
        for value in ("", "x", "-5", "99999999999999999999"):
            done = run("pack", folder, "--out", self.path / "p.tar.gz", env=environment(SOURCE_DATE_EPOCH=value))
            self.assertEqual(done.code, 0, done)

    def test_31_a_uri_is_no_file(self):
        for text in ("capsule://x:1.0.0", "CAPSULE://x", "https://user:pw@host/x", "oci-layout:x"):
            done = run("verify", text, "--key", self.key.public)
            self.assertNotEqual(done.code, 0)
            self.assertNotIn("pw@", done.stderr)


if __name__ == "__main__":
    unittest.main()
