"""Two writers at once in docker-registry, which has no compare-and-swap. CAPSULE_TEST_ROUNDS=200 for as many rounds; else 5."""
import os
import sys
import unittest
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from registry_case import UNPROVED, RegistryCase

ROUNDS = int(os.environ.get("CAPSULE_TEST_ROUNDS", "5"))
CONFLICT = 14


def at_once(*calls):
    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.result() for future in [threads.submit(call) for call in calls]]


class Races(RegistryCase):
    def report(self, what, ends):
        print(f"{what}: {ROUNDS} rounds, " + ", ".join(f"{count} with exit codes {codes}" for codes, count in sorted(ends.items())),
              file=sys.stderr)

    def packages_of(self, loop):
        """Two capsules that call themselves the same, and differ."""
        out = []
        for content in ("one", "two"):
            made = loop.capsule("race", "1.0.0", files={"data/which": content.encode()})
            out.append(loop.package(made, f"race-{content}.tar.gz"))
        return out

    def test_two_publishers_of_one_version_never_both_register(self):
        loop = self.make_loop("publishers", "races")
        packages = self.packages_of(loop)
        ends = Counter()
        for number in range(ROUNDS):
            place = self.registry.location(f"races/{number}")
            published = at_once(*[lambda package=package, place=place: loop.step("publish", package, "--registry", place)
                                  for package in packages])
            codes = tuple(sorted(end.code for end in published))
            self.assertEqual(set(), set(codes) - {0, CONFLICT}, published)
            winners = [end.result["reference"] for end in published if end.code == 0]
            registered = at_once(*[lambda winner=winner: loop.step("register", "--", winner) for winner in winners])
            codes += tuple(sorted(end.code for end in registered))
            ends[codes] += 1
            stand = [winner for winner, end in zip(winners, registered, strict=True) if end.code == 0]
            self.assertEqual(1, len(stand), (published, registered))
            if len(winners) == 1:
                self.assertEqual(stand[0].rsplit("@", 1)[1], self.registry.tag_digest(f"races/{number}/race", "1.0.0"))
        self.report("publishers, then registers of what was published", ends)

    def test_two_registers_at_once_are_both_in_the_index(self):
        loop = self.make_loop("registers", "registers")
        ends = Counter()
        for number in range(ROUNDS):
            references = [loop.publish(**UNPROVED, version=f"{number}.{minor}.0") for minor in (0, 1)]
            registered = at_once(*[lambda reference=reference: loop.step("register", "--", reference) for reference in references])
            codes = tuple(sorted(end.code for end in registered))
            ends[codes] += 1
            self.assertEqual((0, 0), codes, registered)
            listed = self.ok(loop.step("register", "list", "--registry", loop.place))["capsules"]
            self.assertEqual([f"{before}.{minor}.0" for before in range(number + 1) for minor in (0, 1)],
                             [one["version"] for one in listed])
        self.report("registers", ends)


if __name__ == "__main__":
    unittest.main()
