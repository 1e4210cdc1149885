"""What a step says about itself in --help: its options and its outputs."""

import re
import subprocess

import workflow_files

_NAMES = re.compile(r"^  ([a-z][a-z0-9-]*)(?:  |$)", re.MULTILINE)
# An output that only a subcommand gives, or a mode (an option of that name), says so: "name  resolve: the capsule's name".
_OUTPUTS = re.compile(r"^  ([a-z][a-z0-9-]*)(?: {2,}([a-z-]+):)?", re.MULTILINE)


def read(binary, mode=""):
    """(options, outputs) of BINARY, as sets of names; of its MODE, such as `plan`. Raises OSError when it is not there."""
    done = subprocess.run([binary, "--help"], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise OSError(f"{binary} --help ended with {done.returncode}: {done.stderr.strip()}")
    options, outputs = parse(done.stdout, mode)
    if mode and f"--{mode}" not in options:  # a subcommand has options of its own
        done = subprocess.run([binary, mode, "--help"], capture_output=True, text=True, timeout=60, check=True)
        options = _options(done.stdout) | {"--outputs"}
    return options, outputs


def mode_of(template, binary):
    """The mode, or the subcommand, that TEMPLATE's command line chooses; empty: none."""
    if not template["container"]["args"][0].startswith("-"):
        return template["container"]["args"][0]
    return next((mode for mode in sorted(modes(subprocess.run([binary, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout))
                 if f"--{mode}" in template["container"]["args"] or f"--{mode}=true" in template["container"]["args"]), "")


def modes(text):
    """What gives outputs of its own and is an option."""
    return {giver for _, giver in _OUTPUTS.findall(_section(text, "Outputs")) if giver and f"--{giver}" in _options(text)}


def parse(text, mode=""):
    """Options begin a line, indented, maybe after a short form; outputs stand one a line under `Outputs:`.

    What only a subcommand gives is left out: a template never calls one. In a MODE its own outputs are given, and no other.
    """
    commands = set(_NAMES.findall(_section(text, "Subcommands")))
    others = commands | modes(text)
    found = _OUTPUTS.findall(_section(text, "Outputs"))
    return _options(text), {name for name, giver in found if (giver == mode if mode else giver not in others)}


def _options(text):
    lines = re.findall(r"^  +((?:-\w,)?--[a-z][a-z0-9,-]*)", text, re.MULTILINE)
    return {name for line in lines for name in line.split(",") if name.startswith("--")}


def _section(text, heading):
    """The indented lines under HEADING."""
    found = re.search(rf"^{heading}:[^\n]*\n((?:[ \t]+\S[^\n]*(?:\n|$)|[ \t]*\n)*)", text, re.MULTILINE)
    return found[1] if found else ""


def template_faults(template, options, outputs):
    """Flags and output files of a leaf TEMPLATE that its step does not know, and outputs that it forgets."""
    for arg in template["container"]["args"]:
        if arg == "--":
            break
        if not arg.startswith("-"):
            continue  # a subcommand
        flag = arg.split("=", 1)[0]
        if flag not in options:
            yield f"{flag} is not in --help"
    declared = {}
    for name, output in workflow_files.outputs(template).items():
        declared[name] = output.get("valueFrom", {}).get("path")
        if declared[name] != f"/work/outputs/{name}":
            yield f"the output {name} is read from {declared[name]}"
        elif name not in outputs:
            yield f"the output {name} is not in --help"
    for name in sorted(outputs - declared.keys()):
        yield f"the step's output {name} is not in the template"
