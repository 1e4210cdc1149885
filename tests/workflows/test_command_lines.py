"""Every leaf template against the step that it starts: flags, output files, and a run of the command line itself."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import fused_rules  # noqa: E402
import step_help  # noqa: E402
import workflow_files  # noqa: E402


# Options that whoever submits a loop cannot give: of every step, and of some. A new option is given by the template, or it is put here.
LEFT_OUT = {"--help", "--version", "--output", "--registry-timeout",
            "--context", "--kubeconfig",  # a step in a pod acts on the cluster that it is in
            "--key", "--pkcs11-module"}   # where no template has them: whom to trust is said by the policy alone
LEFT_OUT_OF = {
    "deploy": {"--plan", "--registry", "--host-identity", "--watts",  # of this machine, or of the template plan
               "--new-run", "--retry-failed"},                        # each time another bill; of plan alone
    "plan": {"--index-head", "--host-identity", "--watts", "--new-run", "--retry-failed", "--timeout", "--force-conflicts"},
    "download": {"--max-bytes", "--timeout"},
    "generate-proof": {"--utid", "--service-time"},
    "sign": {"--replace"},
    "verify": {"--host-identity", "--proof", "--registry", "--replay", "--run-record", "--timeout"},
    "run": {"--config", "--parameter-file", "--resume", "--templates",
            "--pass-env"},                                            # in a pod there is a service account instead
}
ROLES = ("capsule", "proof", "index", "log")
NOT_FOUND = 12
INVALID_INPUT = 10


def binary_of(template):
    return os.path.join(workflow_files.BIN, os.path.basename(template["container"]["command"][0]))


class CommandLines(unittest.TestCase):
    def setUp(self):
        self.leaves = dict(workflow_files.leaf_templates(workflow_files.shipped()))
        for template in self.leaves.values():
            self.assertTrue(os.access(binary_of(template), os.X_OK), f"{binary_of(template)} is not built")

    def test_flags_and_outputs_are_those_of_the_step(self):
        for path, template in self.leaves.items():
            with self.subTest(path):
                binary = binary_of(template)
                options, outputs = step_help.read(binary, step_help.mode_of(template, binary))
                if positional := self.workflow_in(template):
                    loop = workflow_files.strict_yaml.load_file(positional)["spec"]["templates"][0]
                    outputs |= workflow_files.outputs(loop).keys()
                self.assertEqual([], list(step_help.template_faults(template, options, outputs)))

    def test_every_option_is_given_or_left_out_on_purpose(self):
        for path, template in self.leaves.items():
            with self.subTest(path):
                binary = binary_of(template)
                options, _ = step_help.read(binary, step_help.mode_of(template, binary))
                given = {arg.partition("=")[0] for arg in template["container"]["args"]}
                given |= {"--" + variable["name"].removeprefix("CAPSULE_").lower().replace("_", "-") for variable in template["container"]["env"]}
                step = "run" if self.workflow_in(template) else template["name"]
                self.assertEqual(set(), options - given - LEFT_OUT - LEFT_OUT_OF.get(step, set()))

    def workflow_in(self, template):
        """The file of ours that TEMPLATE gives to capsule-run; None: another step."""
        positional = template["container"]["args"][-1]
        if not positional.startswith(f"{fused_rules.INSTALLED}/"):
            return None
        return os.path.join(workflow_files.SOURCE, "workflows", "templates", os.path.basename(positional))

    def test_a_step_takes_the_command_line_as_it_stands(self):
        """With the defaults, and with an input that is not there, a step gets as far as looking for it."""
        for path, template in self.leaves.items():
            with self.subTest(path):
                done = self.run_with(template, {})
                wanted = INVALID_INPUT if template["name"] == "explain" else NOT_FOUND
                self.assertEqual(wanted, done.returncode, done.stderr)
                said = done.stderr.strip().splitlines()
                self.assertEqual(1, len(said), done.stderr) if not self.workflow_in(template) else self.assertRegex(said[-1], "(download|pack) failed")

    def test_a_value_is_never_an_option(self):
        for path, template in self.leaves.items():
            if self.workflow_in(template):
                continue  # a file of the image; values stand behind --parameter=NAME=
            last = [arg for arg in template["container"]["args"] if "{{" in arg][-1]
            name = re.search(r"\{\{inputs\.parameters\.([\w-]+)\}\}$", last)[1]
            with self.subTest(path):
                done = self.run_with(template, {name: "--version"})
                self.assertNotEqual(0, done.returncode, done.stdout)
                self.assertEqual("", done.stdout)

    def test_an_encrypted_key_s_passphrase_is_in_the_same_secret(self):
        for path, template in self.leaves.items():
            for role in ROLES:
                if {"name": "key", "mountPath": f"/keys/{role}", "readOnly": True} not in template["container"]["volumeMounts"]:
                    continue
                with self.subTest(path):
                    self.assertIn(f"--passphrase-file=/keys/{role}/passphrase", template["container"]["args"])
                    if template["name"] in ("generate-proof", "register"):  # the others look for their input first
                        done = self.run_with(template, {}, encrypted=role)
                        self.assertEqual(NOT_FOUND, done.returncode, done.stderr)
                        self.assertIn("nothing has been published there", done.stderr)
                        done = self.run_with(template, {}, encrypted=role, passphrase="")
                        self.assertEqual(2, done.returncode, done.stderr)
                        self.assertIn("the key is encrypted and no passphrase is given", done.stderr)

    def run_with(self, template, values, **keys):
        """TEMPLATE's command in folders of its own, as capsule-run starts it. What has no value is not there."""
        with tempfile.TemporaryDirectory() as folder:
            for name in ("work", "trust", "keys", "registry"):
                os.mkdir(os.path.join(folder, name))
            self.make_keys(folder, **keys)
            missing = {"registry": f"oci-layout:{folder}/registry"}
            for name in ("run-record", "proof-bundle", "capsule"):
                missing[name] = "sha256:" + "0" * 64
            missing["reference"] = f"{missing['registry']}/nothing@sha256:" + "0" * 64

            def value_of(tag):
                name = tag[1].removeprefix("inputs.parameters.")
                default = workflow_files.inputs(template)[name].get("default")
                return values.get(name, default if default is not None and name != "failures" else missing.get(name, f"{folder}/nothing"))

            def mapped(text):
                if text.startswith(fused_rules.INSTALLED):
                    return text.replace(fused_rules.INSTALLED, os.path.join(workflow_files.SOURCE, "workflows", "templates"))
                return re.sub(r"(?<![\w./-])/(work|trust|keys|registry)(?=/|$)", rf"{folder}/\1", text)

            args = [re.sub(r"\{\{(.*?)\}\}", value_of, mapped(arg)) for arg in template["container"]["args"]]
            environment = {variable["name"]: mapped(variable["value"]) for variable in template["container"]["env"]}
            environment.update({"PATH": "/usr/bin:/bin", "CAPSULE_STATE": f"{folder}/state"})
            return subprocess.run(
                [binary_of(template), *args], env=environment, capture_output=True, text=True, timeout=120, check=False
            )

    def make_keys(self, folder, encrypted=None, passphrase="open sesame"):
        """The keys and the trust policy that `keygen --state` makes, where the templates mount them; that of the role `encrypted` is another one, encrypted."""
        state = os.path.join(folder, "state")
        keygen = [os.path.join(workflow_files.BIN, "capsule-sign"), "keygen", "--state", state]
        subprocess.run(keygen, capture_output=True, timeout=120, check=True)
        os.rmdir(os.path.join(folder, "trust"))
        os.symlink(os.path.join(state, "configmaps", "capsule-trust"), os.path.join(folder, "trust"))
        for role in ROLES:
            secret = os.path.join(state, "secrets", f"capsule-key-{role}")
            if role == encrypted:
                words = os.path.join(folder, "words")
                with open(words, "w", encoding="utf-8") as file:
                    file.write("open sesame")
                key = os.path.join(folder, "encrypted")
                subprocess.run([keygen[0], "keygen", "--out", key, "--passphrase-file", words], capture_output=True, timeout=120, check=True)
                os.replace(f"{key}.pem", os.path.join(secret, "key.pem"))
                if passphrase:
                    os.replace(words, os.path.join(secret, "passphrase"))
            os.symlink(secret, os.path.join(folder, "keys", role))


class StepHelp(unittest.TestCase):
    HELP = """Purpose.
Usage: capsule-x [OPTIONS] CAPSULE [SUBCOMMAND]

Options:
  -s,--store DIR   the store, see --trust
  --outputs,--out DIR

Subcommands:
  resolve      look up

Outputs:
  capsule-digest  what it is
  name            what: its name
  anchors         resolve: chains

Exit codes:
  10  bad
"""

    def test_parse(self):
        options, outputs = step_help.parse(self.HELP)
        self.assertEqual({"--store", "--outputs", "--out"}, options)
        self.assertEqual({"capsule-digest", "name"}, outputs)
        planning = self.HELP.replace("--store", "--plan").replace("  name            what: its name", "  name            plan: its name")
        self.assertEqual([{"capsule-digest"}, {"name"}], [step_help.parse(planning, mode)[1] for mode in ("", "plan")])
        self.assertEqual(set(), step_help.parse("Options:\n  --x\n")[1])

    def test_faults(self):
        def output(name, path=None):
            return {"name": name, "valueFrom": {"path": path or f"/work/outputs/{name}"}}

        def faults(args, outputs):
            template = {"container": {"args": args}, "outputs": {"parameters": outputs}}
            return list(step_help.template_faults(template, *step_help.parse(self.HELP)))

        both = [output("capsule-digest"), output("name")]
        self.assertEqual([], faults(["--store=x", "--", "--not-an-option"], both))
        self.assertEqual(["--stor is not in --help"], faults(["--stor=x"], both))
        self.assertEqual(["the output x is not in --help"], faults([], both + [output("x")]))
        self.assertEqual(["the step's output name is not in the template"], faults([], both[:1]))
        self.assertEqual(["the output name is read from /tmp/name"], faults([], [both[0], output("name", "/tmp/name")]))


if __name__ == "__main__":
    unittest.main()
