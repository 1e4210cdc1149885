"""A folder with capsule-run and a tiny step beside it, and workflow files made of templates that call that step."""
import json
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import yaml

from steps import BIN, Outcome, environment

# Notes each call (name, arguments, times), then does what its options say: misbehaves, writes outputs, fails.
FAKE_STEP = r'''#!/usr/bin/python3 -IS
import json, os, signal, sys, time
arguments = sys.argv[1:]
end = arguments.index("--") if "--" in arguments else len(arguments)
options, rest = {}, arguments[end + 1:]
for argument in arguments[:end]:
    name, equals, value = argument.partition("=")
    if argument.startswith("--") and equals:
        options[name[2:]] = value
state = os.environ["CAPSULE_STATE"]
note = {"label": options.get("label", ""), "pid": os.getpid(), "arguments": sys.argv[1:], "rest": rest,
        "environment": dict(os.environ), "start": time.monotonic()}
def write(more):
    with open(f"{state}/calls", "a") as calls:
        calls.write(json.dumps({**note, **more}) + "\n")
write({"event": "start"})
if "ignore-sigterm" in options:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "say" in options:
    print(options["say"], file=sys.stderr, flush=True)
if "wait-for" in options:  # another call's label: proves that both run at once
    until = time.monotonic() + 20
    while f'"label": "{options["wait-for"]}"' not in open(f"{state}/calls").read():
        if time.monotonic() > until:
            sys.exit(41)
        time.sleep(0.01)
time.sleep(float(options.get("sleep") or 0))
if "out" in options:
    os.makedirs(options["outputs"], exist_ok=True)
    with open(options["outputs"] + "/out", "w") as file:
        file.write(options["out"] + "\n")
write({"event": "end", "end": time.monotonic()})
code = int(options.get("exit") or 0)
if "good-at" in options:  # fails until it has been called that often
    label = options.get("label", "")
    tries = sum(1 for line in open(f"{state}/calls")
                if json.loads(line)["event"] == "start" and json.loads(line)["label"] == label)
    code = 0 if tries >= int(options["good-at"]) else code
if code:
    print(f"capsule-fake: error: it failed with {code}", file=sys.stderr)
sys.exit(code)
'''


def leaf(name, *arguments, inputs=(), output=True, **more):
    """A container template of the fake step; each input is a name or (name, default)."""
    parameters = [{"name": entry} if isinstance(entry, str) else {"name": entry[0], "default": entry[1]}
                  for entry in inputs]
    return {"name": name, "inputs": {"parameters": parameters},
            "container": {"image": "fake.invalid/fake:1", "command": ["/usr/local/bin/capsule-fake"],
                          "args": [f"--label={name}", "--outputs=/work/outputs", *arguments],
                          "env": [{"name": "CAPSULE_STATE", "value": "/work/state"}, {"name": "TMPDIR", "value": "/work"}],
                          "volumeMounts": [{"name": "work", "mountPath": "/work"}]},
            "outputs": {"parameters": [{"name": "out", "valueFrom": {"path": "/work/outputs/out", "default": ""}}]
                        if output else []},
            "volumes": [{"name": "work", "emptyDir": {}}], **more}


def call(name, template=None, arguments=None, **more):
    """A step or a task."""
    out = {"name": name, "template": template or name, **more}
    if arguments:
        out["arguments"] = {"parameters": [{"name": key, "value": value} for key, value in arguments.items()]}
    return out


def steps(*groups, name="main", **more):
    return {"name": name, "steps": [group if isinstance(group, list) else [group] for group in groups], **more}


def dag(*tasks, name="main", **more):
    return {"name": name, "dag": {"tasks": list(tasks)}, **more}


def inputs(*names):
    return {"parameters": [{"name": name} for name in names]}


def outputs(**values):
    return {"parameters": [{"name": name, "valueFrom": value if isinstance(value, dict) else {"parameter": value}}
                           for name, value in values.items()]}


class WorkflowBench(unittest.TestCase):
    def setUp(self):
        self.root = Path(tempfile.mkdtemp(prefix="capsule-run-test-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.bin = self.root / "bin"
        self.bin.mkdir()
        shutil.copy2(BIN / "capsule-run", self.bin)
        self.add_program("capsule-fake", FAKE_STEP)
        self.state = self.root / "state"
        self.state.mkdir()
        self.templates = self.root / "workflows/templates"
        self.templates.mkdir(parents=True)
        (self.root / "workflows/loops").mkdir()
        self.file = self.root / "workflows/loops/w.yaml"

    def add_program(self, name, text):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def workflow(self, *templates, parameters=None, **spec):
        """Writes the Workflow; `parameters` are its arguments, None for one without a value."""
        arguments = [{"name": name} if value is None else {"name": name, **(value if isinstance(value, dict)
                                                                             else {"value": value})}
                     for name, value in (parameters or {}).items()]
        document = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "w-"},
                    "spec": {"entrypoint": "main", "arguments": {"parameters": arguments},
                             "templates": list(templates), **spec}}
        self.file.write_text(yaml.safe_dump(document, sort_keys=False))

    def template(self, name, *templates, **spec):
        document = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": name},
                    "spec": {"templates": list(templates), **spec}}
        (self.templates / f"{name}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))

    def command(self, *arguments):
        return [self.bin / "capsule-run", self.file, "--state", self.state, *map(str, arguments)]

    def run_it(self, *arguments, timeout=60, env=None, cwd=None):
        done = subprocess.run(self.command(*arguments), env=env or environment(), text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=timeout, check=False, cwd=cwd)
        return Outcome(done.returncode, done.stdout, done.stderr)

    def start_it(self, *arguments):
        process = subprocess.Popen(self.command(*arguments), env=environment(), text=True, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        return process

    def succeeds(self, *arguments, **kwargs):
        done = self.run_it(*arguments, **kwargs)
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.result["phase"], "Succeeded")
        return done

    def refused(self, *words, arguments=(), code=2):
        """Ends with that code, one line that holds all the words, and no step run."""
        done = self.run_it(*arguments)
        self.assertEqual(done.code, code, done)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(self.calls(), [])
        return done

    def calls(self, label=None, event="start"):
        file = self.state / "calls"
        if not file.exists():
            return []
        # A killed step leaves half a line.
        lines = [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")]
        return [line for line in lines if line["event"] == event and label in (None, line["label"])]

    def labels(self):
        return [entry["label"] for entry in self.calls()]
