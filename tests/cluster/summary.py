"""What `make e2e` says at its end, from the log that ctest keeps of it: to which depth the cluster was tested, and what was skipped and why.
`summary.py LOG`."""
import re
import sys
from pathlib import Path

# Lines of tests about the cluster itself; the second one as the reason of what is skipped.
ABOUT = re.compile(r"^(?:an Argo controller acts on this cluster|this cluster (?:enforces|does not enforce)) ?.*", re.M)
SKIPPED = re.compile(r"^(?:\w+ \((?:__main__\.)?(?P<name>[\w.]+)\)|.*?) \.\.\. skipped (?P<quote>['\"])(?P<reason>.*)(?P=quote)$")
# With a docstring the name stands on the line before.
NAME = re.compile(r"^\w+ \(__main__\.([\w.]+)\)$")


def skipped(text):
    """{reason: names of classes and tests}, in the order of the log."""
    found, before = {}, ""
    for line in text.splitlines():
        if match := SKIPPED.match(line):
            name = match["name"] or (NAME.match(before) or ["", ""])[1]
            found.setdefault(match["reason"].replace("\\'", "'"), []).append(name.replace("__main__.", ""))
        before = line
    return found


def summary(text):
    reasons = skipped(text)
    yield from dict.fromkeys(ABOUT.findall(text))
    yield from (reason for reason in reasons if reason.startswith("no Argo controller"))
    for reason, names in reasons.items():
        yield f"skipped: {', '.join(dict.fromkeys(names))}: {reason}"


if __name__ == "__main__":
    try:
        log = Path(sys.argv[1]).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        sys.exit(0)  # nothing was tested
    print("\nWhat was tested:\n" + "\n".join(f"  {line}" for line in summary(log)))
