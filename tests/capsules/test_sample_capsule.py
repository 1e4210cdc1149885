"""The sample capsule as a package: its manifest, its model file, its base tarball, its scripts, and its runner."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickletools
import re
import struct
import subprocess
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path

from sample_copy import CLEAN, SOURCE, copied_capsule, execute, make, run_capsule, without_measured

from expressions import compile_points, load_claims
from weights import WeightsError, load_weights

# The user's document, section 3, without the white space.
MANIFEST = """{"name":"m2n2-metal","version":"0.1.0","entrypoint":"expansion/m2n2/runner.py",
"requirements":["gpu:true","utid:hardware-bound"],
"proof_policy":{"required":true,"types":["mathematical_proof","sim_alignment"]},
"prewarm":true,"billing":{"unit":"run","price":5.00}}"""

# What torch.load(weights_only=True) of torch 2.x executes; everything else is an error there.
WEIGHTS_ONLY_OPCODES = {
    "GLOBAL", "NEWOBJ", "REDUCE", "BUILD", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "MARK", "TUPLE", "TUPLE1", "TUPLE2",
    "TUPLE3", "NONE", "NEWFALSE", "NEWTRUE", "EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET", "BININT", "BININT1",
    "BININT2", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING", "BINPERSID", "BINGET", "LONG_BINGET", "BINPUT", "LONG_BINPUT",
    "LONG1", "PROTO", "STOP",
}  # fmt: skip
WEIGHTS_ONLY_NAMES = {"collections OrderedDict", "torch FloatStorage", "torch._utils _rebuild_tensor_v2"}
LOCAL_HEADER = struct.Struct("<4s5H3I2H")


class Manifest(unittest.TestCase):
    def test_is_the_users_document(self) -> None:
        text = (SOURCE / "capsule.json").read_text()
        self.assertEqual(re.sub(r"\s", "", text), re.sub(r"\s", "", MANIFEST))

    def test_scripts_and_programs_begin_with_a_hash_bang(self) -> None:
        for name in ("scripts/install.sh", "scripts/healthcheck.sh", "expansion/m2n2/runner.py", "proof-hooks/generate_proof.py"):
            self.assertTrue((SOURCE / name).read_bytes().startswith(b"#!"), name)


class ModelFile(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.root = copied_capsule(cls)
        cls.path = cls.root / "expansion/m2n2/model.pt"

    def test_is_the_same_file_when_made_again(self) -> None:
        again = self.root.parent / "again.pt"
        make("make_model.py", again)
        self.assertEqual(self.path.read_bytes(), again.read_bytes())

    def test_its_pickle_has_only_what_weights_only_allows(self) -> None:
        with zipfile.ZipFile(self.path) as archive:
            program = list(pickletools.genops(archive.read("archive/data.pkl")))
        self.assertLessEqual({opcode.name for opcode, _, _ in program}, WEIGHTS_ONLY_OPCODES)
        self.assertEqual(program[0][0].name, "PROTO")
        self.assertEqual(program[0][1], 2)
        self.assertEqual({value for opcode, value, _ in program if opcode.name == "GLOBAL"}, WEIGHTS_ONLY_NAMES)

    def test_is_laid_out_as_torch_lays_it_out(self) -> None:
        data = self.path.read_bytes()
        with zipfile.ZipFile(self.path) as archive:
            entries = archive.infolist()
            self.assertEqual(archive.read("archive/version"), b"3\n")
            self.assertEqual(archive.read("archive/byteorder"), b"little")
        self.assertEqual(entries[0].filename, "archive/data.pkl")
        for entry in entries:
            self.assertEqual(entry.compress_type, zipfile.ZIP_STORED, entry.filename)
            self.assertEqual(entry.date_time, (1980, 1, 1, 0, 0, 0), entry.filename)
            *_, name_length, extra_length = LOCAL_HEADER.unpack_from(data, entry.header_offset)
            start = entry.header_offset + LOCAL_HEADER.size + name_length + extra_length
            self.assertEqual(start % 64, 0, entry.filename)

    def test_its_tensors(self) -> None:
        shapes = {name: tensor.shape for name, tensor in load_weights(self.path).items()}
        expected = {
            "parents.genomes": (20, 5),
            "parents.splits": (20,),
            "surrogate.0.weight": (12, 5),
            "surrogate.0.bias": (12,),
            "surrogate.2.weight": (1, 12),
            "surrogate.2.bias": (1,),
        }
        self.assertEqual(shapes, expected)

    def hostile(self, pickled: bytes) -> Path:
        path = self.root.parent / "hostile.pt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickled)
            archive.writestr("archive/byteorder", "little")
            archive.writestr("archive/data/0", b"\0" * 8)
        return path

    def test_a_pickle_that_wants_to_run_something_is_refused(self) -> None:
        marker = self.root.parent / "ran"
        call = b"\x80\x02cos\nsystem\nX" + struct.pack("<I", len(f"touch {marker}")) + f"touch {marker}".encode() + b"\x85R."
        with self.assertRaisesRegex(WeightsError, "os.system"):
            load_weights(self.hostile(call))
        self.assertFalse(marker.exists())

    def test_damaged_pickles_are_refused(self) -> None:
        for pickled in (b"", b"\x80\x02", b".", b"\x80\x02}.x", b"\x80\x02]q\0.", b"\x80\x02(tQ.", b"\x80\x02K\x01Q.", b"R"):
            path = self.hostile(pickled)
            if pickled == b"\x80\x02}.x":
                self.assertEqual(load_weights(path), {})
                continue
            with self.assertRaises(WeightsError, msg=pickled):
                load_weights(path)

    def test_a_cut_file_is_refused(self) -> None:
        data = self.path.read_bytes()
        cut = self.root.parent / "cut.pt"
        for length in (0, 10, len(data) // 2, len(data) - 1):
            cut.write_bytes(data[:length])
            with self.assertRaises(WeightsError):
                load_weights(cut)


class Tarball(unittest.TestCase):
    def test_is_reproducible_and_a_file_system(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / name for name in ("one", "two")]
            for path in paths:
                make("make_tarball.py", path)
            one, two = (path.read_bytes() for path in paths)
        self.assertEqual(hashlib.sha256(one).digest(), hashlib.sha256(two).digest())
        with tarfile.open(fileobj=io.BytesIO(one)) as archive:
            members = {member.name: member for member in archive}
            passwd = archive.extractfile("etc/passwd").read().decode()
        self.assertIn("nonroot:x:65532:65532:", passwd)
        self.assertEqual(members["tmp"].mode, 0o1777)
        self.assertEqual(members["opt/m2n2/data"].uid, 65532)
        self.assertEqual({member.mtime for member in members.values()}, {0})
        self.assertEqual(list(members), sorted(members))

    def test_a_file_that_is_right_is_left_alone(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "capsule.tarball"
            make("make_tarball.py", path)
            os.utime(path, (1, 1))
            make("make_tarball.py", path)
            self.assertEqual(path.stat().st_mtime, 1)


class Reference(unittest.TestCase):
    def test_the_file_is_what_its_seed_gives(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            again = Path(folder) / "reference.json"
            make("make_reference.py", again)
            self.assertEqual(json.loads(again.read_text()), json.loads((SOURCE / "simulation/reference.json").read_text()))

    def test_the_drift_of_the_claims_is_the_drift_of_the_simulation(self) -> None:
        import reference

        for claim in load_claims(SOURCE / "proof-hooks/claims.json").claims:
            if claim["name"].startswith("stability-"):
                drifts = {name: value["add"][1] for name, value in claim["right"]["at"].items() if "add" in value}
                ((name, drift),) = drifts.items()
                self.assertEqual(abs(drift), reference.PROCESS_DEVIATION[name], claim["name"])
                self.assertEqual(drift < 0, claim["name"].endswith("-low"), claim["name"])


class Scripts(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.root = copied_capsule(cls)

    def test_install_prepares_the_data_folder_and_runs_twice(self) -> None:
        data = self.root.parent / "data"
        for _ in range(2):
            done = execute(self.root, ["scripts/install.sh"], CAPSULE_DATA=str(data))
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual([path.name for path in (data / "m2n2").iterdir()], ["installed"])

    def test_install_names_a_missing_file(self) -> None:
        model = self.root / "expansion/m2n2/model.pt"
        model.rename(model.with_suffix(".away"))
        try:
            done = execute(self.root, ["scripts/install.sh"])
        finally:
            model.with_suffix(".away").rename(model)
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1))
        self.assertIn("expansion/m2n2/model.pt", done.stderr)

    def test_healthcheck_runs_the_runner(self) -> None:
        done = execute(self.root, ["scripts/healthcheck.sh"])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(json.loads(done.stdout)["healthy"])

    def test_healthcheck_finds_a_damaged_model(self) -> None:
        model = self.root / "expansion/m2n2/model.pt"
        good = model.read_bytes()
        model.write_bytes(good[:500])
        try:
            done = execute(self.root, ["scripts/healthcheck.sh"])
        finally:
            model.write_bytes(good)
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (1, "", 1))

    def test_nothing_is_written_into_the_capsule(self) -> None:
        before = sorted(self.root.rglob("*"))
        execute(self.root, ["scripts/healthcheck.sh"])
        execute(self.root, ["scripts/install.sh"])
        self.assertEqual(sorted(self.root.rglob("*")), before)


class Runner(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.root = copied_capsule(cls)
        cls.claims = load_claims(cls.root / "proof-hooks/claims.json")
        nominal = json.loads((cls.root / "simulation/reference.json").read_text())["nominal"]
        cls.score = staticmethod(lambda params: compile_points(["score"], cls.claims)([params[name] for name in cls.claims.names])[0])
        cls.optimum = cls.score(nominal)

    def test_one_seed_gives_one_result(self) -> None:
        request = {"parameters": {}, "seed": 11, "budget": 1500}
        first, second = run_capsule(self.root, request), run_capsule(self.root, request)
        self.assertEqual(without_measured(first), without_measured(second))
        self.assertIn("measured", first)

    def test_another_seed_gives_another_history_and_other_samples(self) -> None:
        first, second = (run_capsule(self.root, {"seed": seed, "budget": 500}) for seed in (1, 2))
        self.assertNotEqual(first["history"], second["history"])
        self.assertNotEqual(first["samples"], second["samples"])

    def test_everything_may_be_left_out(self) -> None:
        result = run_capsule(self.root, {})
        self.assertEqual((result["seed"], result["budget"]), (0, 4000))
        self.assertEqual(result, result | run_capsule(self.root, {"parameters": None, "seed": 0, "budget": 0}) | {"measured": result["measured"]})

    def test_every_seed_finds_the_optimum(self) -> None:
        for seed in (0, 1, 2, 3, 17, 2**63, 2**64 - 1):
            result = run_capsule(self.root, {"seed": seed})
            self.assertGreater(result["score"], self.optimum - 1e-6, seed)
            self.assertAlmostEqual(result["score"], self.score(result["params"]), delta=1e-9)
            self.assertLessEqual(result["evaluations"], result["budget"])
            self.assertEqual(result["history"], sorted(result["history"]))
            self.assertTrue(0 < result["stability"] < result["score"] <= 1)
            self.assertEqual(len(result["samples"]), 240)

    def test_the_smallest_budgets(self) -> None:
        for budget in (1, 2, 49, 100):
            result = run_capsule(self.root, {"seed": 5, "budget": budget})
            self.assertLessEqual(result["evaluations"], budget)
            self.assertAlmostEqual(result["score"], self.score(result["params"]), delta=1e-9)

    def test_the_weights_are_used(self) -> None:
        """Other parents, or another surrogate, make another history from the same seed."""
        model = self.root / "expansion/m2n2/model.pt"
        good = model.read_bytes()
        before = run_capsule(self.root, {"seed": 3, "budget": 1000})["history"]
        with zipfile.ZipFile(model) as archive:
            storages = {info.filename: info for info in archive.infolist() if "/data/" in info.filename}
        for name in ("archive/data/0", "archive/data/2"):
            data = bytearray(good)
            offset = data.index(self.stored(good, storages[name]))
            size = storages[name].file_size
            data[offset : offset + size] = struct.pack(f"<{size // 4}f", *(0.25 for _ in range(size // 4)))
            self.write_with_right_crc(model, bytes(data))
            try:
                self.assertNotEqual(run_capsule(self.root, {"seed": 3, "budget": 1000})["history"], before, name)
            finally:
                model.write_bytes(good)

    @staticmethod
    def stored(data: bytes, entry: zipfile.ZipInfo) -> bytes:
        *_, name_length, extra_length = LOCAL_HEADER.unpack_from(data, entry.header_offset)
        start = entry.header_offset + LOCAL_HEADER.size + name_length + extra_length
        return data[start : start + entry.file_size]

    def write_with_right_crc(self, path: Path, data: bytes) -> None:
        """Write the archive's entries anew from their stored bytes."""
        with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(path, "w") as changed:
            for entry in archive.infolist():
                changed.writestr(entry.filename, self.stored(data, entry))

    def test_warm_is_ready_before_it_reads(self) -> None:
        process = subprocess.Popen(
            [self.root / "expansion/m2n2/runner.py"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.root, env=CLEAN | {"CAPSULE_WARM": "1"}, text=True,
        )  # fmt: skip
        with process:
            self.assertEqual(json.loads(process.stdout.readline()), {"ready": True})
            self.assertIsNone(process.poll())
            output, _ = process.communicate('{"seed":4,"budget":600}\n', timeout=60)
        warm = json.loads(output.splitlines()[-1])
        self.assertEqual(without_measured(warm), without_measured(run_capsule(self.root, {"seed": 4, "budget": 600})))

    def test_parameters_are_obeyed_and_unknown_ones_refused(self) -> None:
        plain, other = (run_capsule(self.root, {"parameters": p, "budget": 600}) for p in ({}, {"batch_size": 12, "mutation": 0.1}))
        self.assertGreater(len(other["history"]), len(plain["history"]))
        for line in ('{"parameters":{"speed":1}}', '{"parameters":{"batch_size":0}}', '{"parameters":{"mutation":true}}',
                     '{"parameters":[]}', '{"seed":-1}', '{"budget":1.5}', "[]", "nonsense", "", "[" * 100_000):  # fmt: skip
            done = execute(self.root, ["expansion/m2n2/runner.py"], line + "\n")
            self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1), line[:40])


if __name__ == "__main__":
    unittest.main()
