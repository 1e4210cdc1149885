"""The contract of stores (tests/unit/oci/store_contract.cpp), which a layout keeps too, against registries over HTTP."""
import subprocess
import unittest

from fault_registry import FaultRegistry
from registry_server import DockerRegistry
from steps import BIN, environment

PROGRAM = BIN.parent / "tests/unit-oci-test"


class Contract(unittest.TestCase):
    def check(self, registry):
        done = subprocess.run([PROGRAM, "[.registry]"], env=environment(CAPSULE_TEST_REGISTRY=registry.location("contract")),
                              text=True, capture_output=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])
        self.assertIn("All tests passed", done.stdout)

    def test_docker_registry(self):
        with DockerRegistry() as registry:
            self.check(registry)

    def test_a_registry_with_referrers_and_pages(self):
        with FaultRegistry() as registry:
            registry.page = 2
            registry.relative_locations = True
            self.check(registry)

    def test_a_registry_without_referrers_or_chunks(self):
        with FaultRegistry() as registry:
            registry.referrers_api = registry.chunks = registry.mounts = False
            registry.etags = True
            self.check(registry)


if __name__ == "__main__":
    unittest.main()
