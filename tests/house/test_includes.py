"""The table of lib/README.md is law: who includes whom, and which room may see a foreign library."""
import os
import re
import sys
import unittest
from pathlib import Path

SOURCE = Path(os.environ.get("CAPSULE_SOURCE", Path(__file__).resolve().parents[2]))

# A foreign library's headers, and the only places that may include them.
FOREIGN = {
    r"openssl/": ["lib/crypto/"],
    r"curl/": ["lib/http/"],
    r"libpsl\.h": ["lib/http/"],
    r"archive(_entry)?\.h": ["lib/archive/"],
    r"(zlib|libdeflate)\.h": ["lib/archive/"],
    r"boost/process": [],
    r"boost/(beast|asio)": ["lib/serve/"],
    r"boost/(numeric|math)": ["lib/proof/"],
    r"seccomp\.h": ["lib/process/"],
    r"sqlite3\.h": ["steps/proof-service/store.cpp"],
    r"yaml-cpp/": ["lib/yaml/"],
    r"nlohmann/": ["lib/json/"],
    r"p11-kit/": ["lib/crypto/"],
    r"CLI/": ["lib/step/", "steps/"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def module_table():
    """{module: modules that it may include} as lib/README.md says."""
    table = {}
    for line in (SOURCE / "lib/README.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 3 and re.fullmatch(r"[a-z]+", cells[0]) and cells[0] != "module":
            table[cells[0]] = {name for name in re.split(r",\s*", cells[2]) if name not in ("–", "")}
    return table


def sources(*folders):
    for folder in folders:
        for path in sorted((SOURCE / folder).rglob("*")):
            if path.suffix in (".cpp", ".hpp"):
                yield path


def includes(path):
    return INCLUDE.findall(path.read_text())


class Includes(unittest.TestCase):
    def setUp(self):
        self.table = module_table()
        self.assertGreater(len(self.table), 5)

    def test_every_module_has_a_row_and_every_row_a_folder(self):
        folders = {path.name for path in (SOURCE / "lib").iterdir() if path.is_dir()}
        self.assertEqual(folders, set(self.table))

    def test_the_table_has_no_cycle(self):
        reached = {}

        def visit(module, trail):
            self.assertNotIn(module, trail, f"cycle: {trail + [module]}")
            if module not in reached:
                reached[module] = True
                for other in self.table[module]:
                    visit(other, trail + [module])

        for module in self.table:
            visit(module, [])

    def test_modules_include_only_what_the_table_allows(self):
        wrong = []
        for path in sources("lib"):
            module = path.relative_to(SOURCE / "lib").parts[0]
            for quote, header in includes(path):
                other = header.split("/")[0]
                if quote == '"' and other != module and other not in self.table[module]:
                    wrong.append(f"{path.relative_to(SOURCE)} includes {header}")
        self.assertEqual(wrong, [])

    def test_quoted_includes_name_a_file_from_the_include_root(self):
        wrong = []
        for path in sources("lib"):
            for quote, header in includes(path):
                if quote == '"' and not (SOURCE / "lib" / header).is_file():
                    wrong.append(f"{path.relative_to(SOURCE)} includes {header}")
        self.assertEqual(wrong, [])

    def test_no_step_includes_another_step(self):
        wrong = []
        for path in sources("steps"):
            for quote, header in includes(path):
                if quote != '"':
                    continue
                own = (path.parent / header).is_file()
                if not own and not (SOURCE / "lib" / header).is_file():
                    wrong.append(f"{path.relative_to(SOURCE)} includes {header}")
        self.assertEqual(wrong, [])

    def test_foreign_headers_stay_in_their_room(self):
        wrong = []
        for path in sources("lib", "steps"):
            relative = str(path.relative_to(SOURCE))
            for _, header in includes(path):
                for pattern, rooms in FOREIGN.items():
                    if re.match(pattern, header) and not any(relative.startswith(room) for room in rooms):
                        wrong.append(f"{relative} includes {header}")
        self.assertEqual(wrong, [])

    def test_foreign_types_stay_out_of_public_headers(self):
        """A header that includes a foreign library is its own module's: no other file may include it."""
        hidden = ("openssl/", "curl/", "archive.h", "archive_entry.h", "zlib", "libdeflate", "boost/", "sqlite3", "yaml-cpp/", "nlohmann/",
                  "seccomp", "p11-kit/")
        inner = {str(path.relative_to(SOURCE / "lib")) for path in sources("lib") if path.suffix == ".hpp"
                 and any(quote == "<" and header.startswith(hidden) for quote, header in includes(path))}
        wrong = [f"{path.relative_to(SOURCE)} includes {header}" for path in sources("lib", "steps") for quote, header in includes(path)
                 if header in inner and not str(path.relative_to(SOURCE)).startswith(f"lib/{header.split('/')[0]}/")]
        self.assertEqual(wrong, [])


class Sizes(unittest.TestCase):
    def test_the_top_level_is_fixed(self):
        import subprocess
        tracked = subprocess.run(["git", "ls-tree", "--name-only", "HEAD"], cwd=SOURCE, capture_output=True, text=True)
        if tracked.returncode != 0:
            self.skipTest("not a git checkout")
        names = {name for name in tracked.stdout.split() if not name.startswith(".")}
        allowed = {"CMakeLists.txt", "CMakePresets.json", "Makefile", "README.md", "CHANGELOG.md", "steps", "workflows", "images", "lib", "tests"}
        self.assertEqual(names - allowed, set())

    def test_no_file_is_about_many_things(self):
        long = [f"{path.relative_to(SOURCE)}: {count} lines" for path in sources("lib", "steps")
                if (count := len(path.read_text().splitlines())) > 400]
        self.assertEqual(long, [])

    def test_main_only_wires(self):
        long = [f"{path.relative_to(SOURCE)}: {count} lines" for path in sources("steps")
                if path.name == "main.cpp" and (count := len(path.read_text().splitlines())) > 60]
        self.assertEqual(long, [])

    def test_no_macro_outside_log(self):
        wrong = [str(path.relative_to(SOURCE)) for path in sources("lib", "steps")
                 if "lib/log/" not in str(path) and re.search(r"^\s*#\s*define\b", path.read_text(), re.M)]
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
