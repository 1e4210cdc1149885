"""capsule.tarball in every form that users have, and in forms that they should not."""
import gzip
import hashlib
import io
import json
import lzma
import shutil
import subprocess
import tarfile
import unittest

from capsule_maker import tar_of
from oci_layout import GZIP, TAR, Layout, names_in_layer, sha256
from steps import run
from test_layout import PublishTest

ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
BASE = tar_of({"etc/motd": b"hello\n", "bin": (tarfile.SYMTYPE, "usr/bin"), "usr/bin/tool": b"#!/bin/sh\n"})


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout


def gz(data):
    return gzip.compress(data, mtime=0)


def oci_archive(layers, architecture="amd64", spoil=None, compress=gz, media_type=GZIP):
    """An OCI layout as a tar; `spoil` may change {path: bytes} before it is written."""
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}

    def blob(data, media_type):
        files[f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"] = data
        return {"mediaType": media_type, "digest": sha256(data), "size": len(data)}

    config = {"architecture": architecture, "os": "linux", "config": {"Env": ["LANG=C", "PATH=/opt/bin"]},
              "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]}}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
                "layers": [blob(compress(layer), media_type) for layer in layers]}
    entry = blob(json.dumps(manifest).encode(), manifest["mediaType"])
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    if spoil:
        spoil(files)
    return tar_of(files)


def docker_archive(layers):
    """What `docker save` wrote before it wrote OCI layouts."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]}}).encode()
    names = [f"{hashlib.sha256(layer).hexdigest()}/layer.tar" for layer in layers]
    return tar_of({**dict(zip(names, layers, strict=True)), "config.json": config, "manifest.json": json.dumps(
        [{"Config": "config.json", "RepoTags": None, "Layers": names}]).encode()})


def pax_entry(name, /, **records):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        entry = tarfile.TarInfo(name)
        entry.pax_headers = records
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    return out.getvalue()


class Forms(PublishTest):
    def image_of(self, tarball, **manifest):
        """(layers as (media type, bytes), config) of the image of a capsule with that tarball."""
        self.published(self.maker.make(tarball=tarball, **manifest))
        layout = Layout(self.registry / "demo")
        self.assertEqual(layout.check_everything(), set())
        manifest = layout.document(layout.document(layout.tagged("0.1.0"))["manifests"][1])
        config = layout.document(manifest["config"])
        layers = [(layer["mediaType"], layout.blob(layer)) for layer in manifest["layers"]]
        for (media_type, data), diff_id in zip(layers, config["rootfs"]["diff_ids"], strict=True):
            if media_type != ZSTD:
                self.assertEqual(names_in_layer(data, media_type)[0], diff_id)
        return layers, config

    def test_a_file_system(self):
        for name, tarball, media_type, stored in (("plain", BASE, TAR, BASE), ("gzip", gzip.compress(BASE), GZIP, None),
                                                  ("zstd", zstd(BASE), ZSTD, None), ("xz", lzma.compress(BASE), TAR, BASE)):
            with self.subTest(name):
                shutil.rmtree(self.registry, ignore_errors=True)
                layers, config = self.image_of(tarball)
                self.assertEqual(layers[0], (media_type, stored or tarball))
                self.assertEqual(config["rootfs"]["diff_ids"][0], sha256(BASE))

    def test_an_oci_layout_plain_and_compressed(self):
        second = tar_of({"etc/second": b"2"})
        tarball = oci_archive([BASE, second])
        for compress in (bytes, gzip.compress, zstd, lzma.compress):
            with self.subTest(compress.__name__):
                shutil.rmtree(self.registry, ignore_errors=True)
                layers, config = self.image_of(compress(tarball))
                self.assertEqual([gzip.decompress(data) for _, data in layers[:2]], [BASE, second])
                self.assertEqual(config["config"]["Env"], ["LANG=C", "PATH=/opt/bin"])

    def test_the_architecture_of_the_manifest_decides(self):
        layers, config = self.image_of(oci_archive([BASE], "arm64"), requirements=["arch:arm64"])
        self.assertEqual(config["architecture"], "arm64")

    def test_archives_that_skopeo_makes(self):
        if shutil.which("skopeo") is None:
            self.skipTest("skopeo is not installed: make test-deps")
        (self.folder / "in").mkdir()
        with tarfile.open(fileobj=io.BytesIO(oci_archive([BASE, tar_of({"x": b"y"})]))) as tar:
            tar.extractall(self.folder / "in")
        for form in ("docker-archive", "oci-archive"):
            with self.subTest(form):
                shutil.rmtree(self.registry, ignore_errors=True)
                path = self.folder / f"{form}.tar"
                subprocess.run(["skopeo", "copy", "--quiet", f"oci:{self.folder}/in", f"{form}:{path}:demo:1"],
                               check=True)
                layers, config = self.image_of(path.read_bytes())
                self.assertEqual(config["rootfs"]["diff_ids"][:2], [sha256(BASE), sha256(tar_of({"x": b"y"}))])
                self.assertEqual(layers[0][0], TAR if form == "docker-archive" else GZIP)

    def test_a_package_of_another_tool_is_published_canonically(self):
        folder = self.maker.capsule()
        package = self.maker.foreign_package(folder)
        first = self.published(package)
        layout = Layout(self.registry / "demo")
        manifest = layout.document(layout.document(layout.tagged("0.1.0"))["manifests"][0])
        canonical = b"".join(layout.blob(layer) for layer in manifest["layers"])
        self.assertEqual(first["package_digest"], sha256(canonical))
        self.assertNotEqual(canonical, package.read_bytes())
        with tarfile.open(fileobj=io.BytesIO(canonical)) as tar:
            self.assertEqual(tar.extractfile("signature.sig").read(), (folder / "signature.sig").read_bytes())
        again = self.published(package)
        self.assertTrue(again["already_published"])
        self.assertEqual(again["blobs_written"], 0)
        (self.folder / "canonical.tar.gz").write_bytes(canonical)
        self.assertEqual(self.published(self.folder / "canonical.tar.gz")["index_digest"], first["index_digest"])


class Refused(PublishTest):
    """Signed by another tool, so that publish is the first to see them."""

    def refused(self, tarball, *codes, **manifest):
        package = self.maker.foreign_package(self.maker.capsule(tarball=tarball, **manifest))
        done = self.publish(package)
        self.assertIn(done.code, codes, done)
        self.assertIn("capsule.tarball", done.stderr.splitlines()[-1])
        self.assertFalse(self.registry.exists())
        return done.stderr

    def test_what_is_no_tar_or_cut(self):
        for tarball in (b"", b"hello", gzip.compress(b"hello"), gzip.compress(BASE)[:-9], BASE[:700],
                        gzip.compress(BASE) + b"garbage", b"BZh9" + bytes(100)):
            self.refused(tarball, 10)

    def test_links_paths_and_devices_that_reach_out(self):
        for path, content in (("x", (tarfile.SYMTYPE, "../../etc/passwd")), ("x", (tarfile.LNKTYPE, "/etc/passwd")),
                              ("../x", b"y"), ("/etc/x", b"y"), ("fifo", (tarfile.FIFOTYPE, "")),
                              ("sda", (tarfile.BLKTYPE, ""))):
            with self.subTest(path=path, content=content):
                self.refused(tar_of({path: content}), 10)

    def test_layers_that_lead_astray(self):
        """Attacks 1 to 5, in each form in which a layer comes."""
        def twice():
            return tar_of({"a/b": b"1"})[:-10240 + 1024] + tar_of({"a/b": b"2"})

        forms = {"OCI, gzip": oci_archive, "docker": docker_archive,
                 "OCI, zstd": lambda layers: oci_archive(layers, compress=zstd, media_type=ZSTD),
                 "OCI, plain": lambda layers: oci_archive(layers, compress=bytes, media_type=TAR)}
        layers = {"../x": tar_of({"../x": b"y"}), "/etc/x": tar_of({"/etc/x": b"y"}), "no tar": b"hello" * 1000,
                  "a/passwd": tar_of({"a": (tarfile.SYMTYPE, "/etc"), "a/passwd": b"root"}),
                  "h": tar_of({"h": (tarfile.LNKTYPE, "gone")}), "fifo": tar_of({"fifo": (tarfile.FIFOTYPE, "")}),
                  "sda": tar_of({"sda": (tarfile.BLKTYPE, "")}), "a/b": twice(),
                  "good": pax_entry("x", path="good\0evil"),
                  "big": pax_entry("big", **{"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "big",
                                             "GNU.sparse.size": str(1 << 40), "GNU.sparse.numblocks": "1",
                                             "GNU.sparse.map": "0,1"})}
        for form, archive in forms.items():
            for name, layer in layers.items():
                with self.subTest(form=form, layer=name):
                    said = self.refused(archive([BASE, layer]), 10).splitlines()
                    self.assertEqual(len(said), 1, said)
                    self.assertIn("the layer ", said[-1])
                    self.assertIn(name if name == "no tar" else f"'{name}'", said[-1])

    def test_sparse_files_by_GNU_tar(self):
        (self.folder / "holes").mkdir()
        with (self.folder / "holes/big").open("wb") as file:
            file.truncate(1 << 40)
        for form in ("gnu", "pax"):
            made = subprocess.run(["tar", "-C", self.folder / "holes", "-S", f"--format={form}", "-cf", "-", "big"],
                                  capture_output=True, check=True).stdout
            self.assertLess(len(made), 20_000)
            for tarball in (made, docker_archive([made])):
                self.assertIn("sparse", self.refused(tarball, 10))

    def test_what_looks_like_an_image_and_is_broken_is_no_file_system(self):
        for files in ({"manifest.json": b"[]"}, {"manifest.json": b"{}"}, {"manifest.json": b'[{"Config":"x"}]'},
                      {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}, {f"blobs/sha256/{'a' * 64}": b"x"}):
            self.refused(tar_of({"etc/motd": b"hi", **files}), 10)

    def test_sign_refuses_them_too(self):
        folder = self.maker.capsule(tarball=docker_archive([tar_of({"../x": b"y"})]))
        path = self.folder / "p.tar.gz"
        self.assertEqual(run("pack", folder, "--out", path).code, 0)
        before = path.read_bytes()
        done = run("sign", path, "--key", self.maker.key)
        self.assertEqual(done.code, 10, done)
        self.assertIn("'../x'", done.stderr)
        self.assertEqual(path.read_bytes(), before)

    def test_a_decompression_bomb(self):
        bomb = subprocess.run("head -c 1500000000 /dev/zero | zstd -q -c", shell=True, capture_output=True,
                              check=True).stdout
        self.assertIn("bomb", self.refused(bomb, 10))

    def test_an_image_whose_parts_are_not_what_is_said_of_them(self):
        layer = f"blobs/sha256/{hashlib.sha256(gzip.compress(BASE, mtime=0)).hexdigest()}"
        for spoil in (lambda files: files.pop(layer), lambda files: files.update({layer: b"x" + files[layer]}),
                      lambda files: files.update({layer: gzip.compress(BASE + b"x")}),
                      lambda files: files.update({"index.json": b"{}"}),
                      lambda files: files.update({"index.json": files["index.json"][:-1]})):
            self.refused(oci_archive([BASE], spoil=spoil), 10, 11)
        self.assertIn("arm64", self.refused(oci_archive([BASE]), 10, requirements=["arch:arm64"]))

    def test_more_layers_than_can_be_mounted(self):
        self.assertIn("127", self.layers(130))

    def layers(self, count):
        package = self.maker.foreign_package(
            self.maker.capsule(tarball=oci_archive([tar_of({f"{i}": b""}) for i in range(count)])))
        done = self.publish(package)
        self.assertEqual(done.code, 10, done)
        self.assertFalse(self.registry.exists())
        return done.stderr

    def test_a_bad_signature_or_no_trust_leaves_nothing(self):
        package = self.maker.make()
        _, stranger = self.maker.make_key("stranger")
        self.assertEqual(self.publish(package, key=stranger).code, 11)
        self.assertFalse(self.registry.exists())
        data = bytearray(package.read_bytes())
        data[len(data) // 2] ^= 1
        package.write_bytes(data)
        self.assertIn(self.publish(package).code, (10, 11))
        self.assertFalse(self.registry.exists())

    def test_usage(self):
        package = self.maker.make()
        for registry in ("oci://", "ftp://localhost/x", "oci-layout:"):
            self.registry = registry
            done = run("publish", package, "--registry", registry, "--key", self.maker.public_key)
            self.assertEqual(done.code, 2, done)
            self.assertIn("oci-layout:DIR", done.stderr)


if __name__ == "__main__":
    unittest.main()
