"""Calls lib/kube through tests/kube/driver.cpp."""
import subprocess

from steps import BIN, Outcome, environment

DRIVER = BIN.parent / "tests/kube-driver"


def words_of(*words, **options):
    """The driver's command line: options as `--key=value`, True as `--key`."""
    named = [f"--{key.replace('_', '-')}" + ("" if value is True else f"={value}") for key, value in options.items() if value]
    return [str(word) for word in (DRIVER, *words, *named)]


def call(*words, input=None, env=None, timeout=120, **options):
    done = subprocess.run(words_of(*words, **options), env=environment(**(env or {})), input=input, text=True, capture_output=True,
                          timeout=timeout, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr)
