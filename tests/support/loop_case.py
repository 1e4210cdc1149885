"""The sample capsule in the registry beside the cluster, and a namespace in which the loops can run: keys as Secrets, trust and defaults as ConfigMaps."""
import json

import shipped_objects
from deploy_case import HOST, REACHED, REGISTRY, DeployCase
from loop import WAIVED, sample_capsule
from steps import run

ROLES = ("capsule", "proof", "index", "log")


class LoopCase(DeployCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder.chmod(0o711)  # capsule code runs as another user
        cls.state = cls.folder / "loop"
        cls.trust = cls.state / "configmaps/capsule-trust/trust.yaml"
        cls.registry = f"oci://{REGISTRY}/{cls.namespace}"
        cls.package = cls.folder / "m2n2-metal.tar.gz"
        for step, *words in (("sign", "keygen", "--state", cls.state),
                             ("pack", sample_capsule(cls.folder), "--out", cls.package),
                             ("sign", cls.package, "--key", cls.state / "secrets/capsule-key-capsule/key.pem")):
            done = run(step, *words)
            assert done.code == 0, done
        done = cls.inside("publish", cls.package, "--registry", cls.registry, *REACHED, "--trust", cls.trust, "--state", cls.state)
        assert done.code == 0, done
        cls.reference = done.result["reference"]

    @classmethod
    def install(cls):
        """What an administrator does: the overlay, the Secrets, trust, and the defaults of ConfigMap capsule-loop."""
        shipped_objects.install(cls)
        for role in ROLES:
            cls.must("create", "secret", "generic", f"capsule-key-{role}", f"--from-file={cls.state / f'secrets/capsule-key-{role}'}")
        cls.must("create", "configmap", "capsule-trust", f"--from-file={cls.trust}")
        data = {"source": cls.reference, "registry": cls.registry, "insecure-registry": HOST, "allow-unmet": WAIVED}
        cls.must("patch", "configmap", "capsule-loop", "--type=merge", "--patch", json.dumps({"data": data}))

    def assert_proved(self, outputs):
        """The object says what the loop's outputs say; returns it."""
        self.assertEqual("capsule://m2n2-metal:0.1.0?proof=true", outputs["uri"])
        pd = self.object("m2n2-metal")
        self.assertEqual(("Proved", outputs["proof-id"], outputs["proof-bundle"]), tuple(pd["status"][name] for name in ("phase", "proofId", "proofDigest")))
        return pd
