"""The rows that the benchmarks print: what was measured, and whether its goal is met."""
from dataclasses import dataclass


@dataclass
class Row:
    what: str
    value: str
    goal: str
    holds: bool


def report(rows):
    """Prints each row as it comes; the exit code: 1 if a goal is missed."""
    code = 0
    for row in rows:
        print(f"{'ok  ' if row.holds else 'MISS'}  {row.what:<86} {row.value:>24}   {row.goal}", flush=True)
        code = code or int(not row.holds)
    return code
