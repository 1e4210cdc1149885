"""capsule-run: workflow files that reach for what is not theirs."""
import os
import unittest

from workflow_bench import WorkflowBench, call, dag, leaf, outputs, steps

OUT = "{{steps.a.outputs.parameters.out}}"


def mounted(path, volume=None, **more):
    """A leaf with a second mount, and an output at `path`."""
    template = leaf("a", "--out=mine", **more)
    if volume is not None:
        template["volumes"].append({"name": "more", **volume})
        template["container"]["volumeMounts"].append({"name": "more", "mountPath": "/more"})
    template["outputs"]["parameters"][0]["valueFrom"] = {"path": path}
    return template


class Paths(WorkflowBench):
    def test_outputs_outside_of_the_container_s_own_folders(self):
        secret = {"secret": {"secretName": "key"}}
        for path, volume in (("/etc/shadow", None), ("/work/../../../etc/shadow", None), ("etc/shadow", None), ("", None),
                             ("/work", None), ("/workshop/x", None), ("/work//x", None), ("/more/key.pem", secret),
                             ("/more/trust.yaml", {"configMap": {"name": "trust"}}), ("/work/x\x00y", None)):
            with self.subTest(path=path):
                self.workflow(steps(call("a")), mounted(path, volume))
                self.refused("output")

    def test_links_that_a_step_makes_lead_nowhere(self):
        secret = self.root / "secret"
        secret.mkdir()
        (secret / "out").write_text("stolen")
        self.add_program("capsule-link", "#!/usr/bin/python3 -IS\nimport os, shutil, sys\nkind, folder = sys.argv[1:]\n"
                                         "if kind == 'file': os.symlink(TARGET + '/out', folder + '/out')\n"
                                         "elif kind == 'fifo': os.mkfifo(folder + '/out')\n"
                                         "elif kind == 'folder': os.mkdir(folder + '/out')\n"
                                         "elif kind == 'bytes': open(folder + '/out', 'wb').write(b'\\xff\\x00')\n"
                                         "elif kind == 'large': open(folder + '/out', 'wb').truncate(1 << 30)\n"
                                         "else: shutil.rmtree(folder); os.symlink(TARGET, folder)\n"
                         .replace("TARGET", repr(str(secret))))
        for kind in ("file", "parent", "fifo", "folder", "bytes", "large"):
            for folder in ("/work/outputs", "/work"):
                if folder == "/work" and kind == "parent":
                    continue
                template = mounted(f"{folder}/out")
                template["container"].update(command=["/bin/capsule-link"], args=[kind, folder])
                self.workflow(steps(call("a"), outputs=outputs(out=OUT)), template)
                done = self.run_it("--new")
                with self.subTest(kind=kind, folder=folder):
                    self.assertEqual(done.code, 16, done)
                    self.assertNotIn("stolen", done.stderr)
                    self.assertNotIn("exit code 0", done.stderr)
                    self.assertIn("output 'out'", done.stderr.splitlines()[-1])

    def test_names_of_volumes_and_of_their_sources(self):
        for name in ("../../x", "a/../../b", "..", ".", "", "/etc", "a..b", "UP", "x" * 300, "-x", "a\x00"):
            for volume in ({"secret": {"secretName": name}}, {"configMap": {"name": name}}):
                with self.subTest(volume=volume):
                    self.workflow(steps(call("a")), mounted("/work/outputs/out", volume))
                    self.refused()
            self.workflow(steps(call("a")), {**leaf("a"), "volumes": [{"name": name, "emptyDir": {}}]})
            self.refused()
        self.workflow(steps(call("a")), mounted("/work/outputs/out", {"secret": {"secretName": "key.of-mine.1"}}))
        self.succeeds()

    def test_mount_paths(self):
        for path in ("/", "//", "", "work", "/a/../b", "/a/./b", "/a:b", "/work", "/work/"):
            template = mounted("/work/outputs/out", {"emptyDir": {}})
            template["container"]["volumeMounts"][1]["mountPath"] = path
            with self.subTest(path=path):
                self.workflow(steps(call("a")), template)
                self.refused()
        template["container"]["volumeMounts"][1] |= {"mountPath": "/more", "subPath": "../.."}
        self.workflow(steps(call("a")), template)
        self.refused("subPath")
        template["container"]["volumeMounts"][1].pop("subPath")
        for path in ("/etc", "/etc/ssl/"):
            template["container"]["volumeMounts"][1]["mountPath"] = path
            self.workflow(steps(call("a")), template)
            self.succeeds()

    def test_commands_that_name_no_program(self):
        (self.bin / "folder").mkdir()
        for word in (".", "..", "/", "/usr/bin/", "", "{{inputs.parameters.x}}", "a\x00b", "folder", "nothing"):
            template = leaf("a")
            template["container"]["command"] = [word]
            with self.subTest(word=word):
                self.workflow(steps(call("a")), template)
                done = self.run_it()
                self.assertEqual((done.code, self.calls()), (2, []), done)

    def test_variables_that_load_code(self):
        for name in ("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GCONV_PATH", "OPENSSL_CONF", "", "A=B"):
            template = leaf("a")
            template["container"]["env"].append({"name": name, "value": "/work/x.so"})
            with self.subTest(name=name):
                self.workflow(steps(call("a")), template)
                self.refused()

    def test_files_that_are_none(self):
        fifo = self.root / "fifo"
        os.mkfifo(fifo)
        for path in (fifo, self.root, "/dev/zero"):
            with self.subTest(path=path):
                self.file = path
                self.refused("file is wanted")
        self.file = self.root / "workflows/loops/w.yaml"
        self.workflow(steps(call("a")), leaf("a"), parameters={"p": "x"})
        for option in ("--parameter-file", "--config"):
            self.refused("file is wanted", arguments=[option, fifo])
        self.refused("file is wanted", arguments=["-p", f"p=@{fifo}"])


class Results(WorkflowBench):
    def test_names_of_outputs(self):
        echo = leaf("a", "--out=boo")
        for name in ("phase", "run-id", "run_id", "error", "report.json", "a/b", ".x", "a\nb", "x" * 300, "", "ü", "a.b"):
            with self.subTest(name=name):
                self.workflow(steps(call("a"), outputs=outputs(**{name: OUT})), echo)
                self.refused()
        self.workflow(steps(call("a"), outputs=outputs(**{"a-b": OUT, "a_b": OUT})), echo)
        self.refused("a_b")
        self.workflow(steps(call("a"), outputs=outputs(**{"a-b": OUT, "-x_": OUT})), echo)
        self.assertEqual(self.succeeds().result["a_b"], "boo")

    def test_an_entrypoint_that_is_a_container(self):
        self.workflow(leaf("main", "--out=boo", "--say=hello"))
        done = self.succeeds()
        self.assertEqual(done.result["out"], "boo")
        self.assertIn("the workflow | hello", done.stderr)
        self.assertNotIn(": : ", done.stderr)

    def test_long_names(self):
        self.workflow(steps(call("a" * 128, "b")), steps(call("c" * 128, "d"), call("c" * 127 + "d", "d"), name="b"),
                      leaf("d", "--out=x"))
        self.succeeds()
        self.succeeds("--resume")
        self.assertEqual(len(self.calls()), 2)

    def test_a_step_that_writes_without_end(self):
        for stream in ("stdout", "stderr"):
            self.add_program("capsule-flood", f"#!/usr/bin/python3 -IS\nimport sys\nwhile True: sys.{stream}.write('x' * 65536)\n")
            self.workflow(steps(call("a")), {"name": "a", "container": {"command": ["/bin/capsule-flood"]}})
            done = self.run_it()
            self.assertEqual(done.code, 16, done.stderr[-500:])
            self.assertIn("a failed with exit code 16: wrote more than it may", done.stderr.splitlines()[-1])

    def test_a_silent_failure(self):
        self.add_program("capsule-silent", "#!/usr/bin/python3 -IS\nimport sys\nsys.exit(11)\n")
        self.workflow(steps(call("a")), {"name": "a", "container": {"command": ["/bin/capsule-silent"]}})
        done = self.run_it("--new")
        self.assertEqual(done.stderr.splitlines()[-1],
                         "capsule-run: error: a failed with exit code 11, and said nothing on stderr")
        self.assertEqual(self.run_it("--new", "--resume").code, 2)

    def test_no_step_begins_after_the_workflow_s_time(self):
        self.workflow(steps([call("a", "slow", withItems=list(range(9)))]), leaf("slow", "--sleep=9"),
                      parallelism=3, activeDeadlineSeconds=1)
        done = self.run_it()
        self.assertEqual((done.code, len(self.calls())), (41, 3), done)

    def test_a_template_of_the_file_s_own_name_is_part_of_the_run_s_identity(self):
        ids = set()
        for text in "ab":
            self.template("w", leaf("t", f"--out={text}"))
            self.workflow(steps({"name": "a", "templateRef": {"name": "w", "template": "t"}}))
            ids.add(self.succeeds().result["run_id"])
        self.assertEqual(len(ids), 2)


class Expressions(WorkflowBench):
    def test_numbers_that_are_none(self):
        for text in ('asFloat("nan")', 'asFloat("inf")', 'asFloat("1e999")', 'asInt("1e300")', 'asInt("0x10")', "-'a'"):
            with self.subTest(text=text):
                self.workflow(steps(call("a", "echo", {"text": "{{=%s}}" % text})),
                              leaf("echo", "--out={{inputs.parameters.text}}", inputs=["text"]))
                done = self.run_it()
                self.assertEqual((done.code, self.calls()), (2, []), done)

    def test_conditions_of_a_megabyte(self):
        for when, code in (("1 == 1" + " && 1 == 1" * 100_000, 0), ("!" * 1_000_000, 2), ("(" * 1_000_000, 2),
                           ("a" * 1_000_000 + " == b", 0), ("[" * 1_000_000, 2), ("'" + "x" * 1_000_000, 2)):
            with self.subTest(when=when[:20]):
                self.workflow(steps(call("a", when=when)), leaf("a"))
                done = self.run_it()
                self.assertEqual(done.code, code, done)
                self.assertLess(max(map(len, done.stderr.splitlines())), 5000)

    def test_a_depends_that_names_no_task(self):
        for depends in ("true", "1", "'a'", "true || b", "b == 1", "[b]", "-b"):
            with self.subTest(depends=depends):
                self.workflow(dag(call("a", depends=depends), call("b")), leaf("a"), leaf("b"))
                self.refused()

    def test_aliases_of_yaml(self):
        self.file.write_text("a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(9)))
        self.refused("anchors are not accepted")


if __name__ == "__main__":
    unittest.main()
