"""Who this machine is: a UTID, and the certificate that binds it."""
import json
import platform
import sys
import unittest

from certificates import HOST_USAGE, HostAuthority, host_extensions
from steps import run
from warm_capsule import WarmCase

UTID = "UTID:REAL:00112233445566778899aabbccddeeff:1700000000000:8d81a3a33b7f:180308143315021d:e2142031359d271a"
CA = ["basicConstraints=critical,CA:TRUE", "keyUsage=keyCertSign"]


class HostIdentity(WarmCase):
    @classmethod
    def setUpClass(cls):
        cls.name = platform.node()

    def setUp(self):
        super().setUp()
        self.publish(prewarm=False, requirements=["utid:hardware-bound"])
        self.authority = HostAuthority(self.folder)
        self.root, self.key = self.authority.key(), self.authority.key()
        self.trust_root()
        # What this machine's id is, it says itself: in the target of a run record.
        waived = self.record(self.deploy("--allow-unmet", "utid:hardware-bound"))
        self.assertEqual({"name": self.name, "utid": None, "binding": "none", "attested": False, "gpu": waived["node"]["gpu"]}, waived["node"])
        self.node_id = waived["target"].partition(":")[2]

    def trust_root(self, *more):
        base = self.maker.trust.read_text().partition("utid:")[0]
        pem = self.authority.public(self.root).strip().replace("\n", "\n        ")
        self.maker.trust.write_text("\n".join([base.rstrip(), f"utid:\n  - keys:\n      - |\n        {pem}", *more]) + "\n")

    def write(self, certificate, utid=UTID, **more):
        (self.state / "host-identity.json").write_text(json.dumps({"utid": utid, "certificate": certificate, **more}))

    def leaf(self, *, key=None, issuer_key=None, issuer=None, name=None, utid=UTID, node_id=None, usage=HOST_USAGE, days=2, **more):
        return self.authority.certificate(key or self.key, issuer_key or self.root, name or self.name,
                                          host_extensions(utid, node_id or self.node_id, usage), issuer=issuer, days=days, **more)

    def refused(self, *words):
        done = self.deploy("--new-run")
        self.assertEqual(15, done.code, done)
        for word in ("utid:hardware-bound", *words):
            self.assertIn(word, done.stderr)
        self.assertEqual(1, len([line for line in done.stderr.splitlines() if "error" in line]), done)

    def accepted(self):
        node = self.record(self.deploy("--new-run"))["node"]
        self.assertEqual({"name": self.name, "utid": UTID, "binding": "certified", "attested": False, "gpu": node["gpu"]}, node)


class Certified(HostIdentity):
    def test_a_certificate_of_a_trusted_key_binds_and_is_not_attested(self):
        self.write(self.leaf())
        self.accepted()

    def test_so_does_one_below_an_intermediate(self):
        middle_key = self.authority.key()
        middle = self.authority.certificate(middle_key, self.root, "middle", CA)
        self.write(self.leaf(issuer_key=middle_key, issuer=middle) + middle)
        self.accepted()

    def test_verify_holds_it_against_the_machine_alike(self):
        def verify():
            return run("verify", *self.arguments("--target", "this-machine"))
        refused = verify()
        self.assertEqual(15, refused.code, refused)
        self.assertIn("utid:hardware-bound", refused.stderr)
        self.write(self.leaf())
        accepted = verify()
        self.assertEqual(0, accepted.code, accepted)

    def test_the_file_may_be_elsewhere(self):
        self.write(self.leaf())
        (self.state / "host-identity.json").rename(self.folder / "identity.json")
        self.refused("host-identity.json")
        self.record(self.deploy("--new-run", "--host-identity", self.folder / "identity.json"))


class Refused(HostIdentity):
    def test_nothing_there(self):
        self.refused("there is no")

    def test_expired_and_not_yet_valid(self):
        self.write(self.leaf(days=-1))
        self.refused("expired")

    def test_another_name(self):
        self.write(self.leaf(name="another-host"))
        self.refused("another-host", self.name)

    def test_another_machine_of_the_same_name(self):
        self.write(self.leaf(node_id="0" * 16))
        self.refused(f"node-uid:{self.node_id}")

    def test_another_usage(self):
        self.write(self.leaf(usage="serverAuth"))
        self.refused(HOST_USAGE)
        self.write(self.leaf(usage="anyExtendedKeyUsage"))
        self.refused(HOST_USAGE)

    def test_another_utid(self):
        self.write(self.leaf(), utid=UTID.replace("0011", "1100"))
        self.refused("does not name the UTID")

    def test_a_stranger_signed_it(self):
        self.write(self.leaf(issuer_key=self.authority.key()))
        self.refused("leads to no key that is trusted")

    def test_a_stranger_signed_it_and_put_the_trusted_chain_behind(self):
        middle_key = self.authority.key()
        middle = self.authority.certificate(middle_key, self.root, "middle", CA)
        self.write(self.leaf(issuer_key=self.authority.key()) + middle)
        self.refused("does not bind")

    def test_a_certified_host_may_not_certify_another(self):
        other_key = self.authority.key()
        other = self.authority.certificate(other_key, self.root, "other", host_extensions(UTID, "1" * 16))
        self.write(self.leaf(issuer_key=other_key, issuer=other) + other)
        self.refused("does not bind")

    def test_an_expired_intermediate(self):
        middle_key = self.authority.key()
        middle = self.authority.certificate(middle_key, self.root, "middle", CA, days=-1)
        self.write(self.leaf(issuer_key=middle_key, issuer=middle) + middle)
        self.refused("expired")

    def test_a_weak_signature(self):
        self.write(self.leaf(digest="sha1"))
        self.refused("does not bind")

    def test_made_by_the_machine_itself_it_is_soft(self):
        self.write(self.authority.self_signed(self.key, self.name, host_extensions(UTID, self.node_id)))
        self.refused("made it for itself")
        node = self.record(self.deploy("--new-run", "--allow-unmet", "utid:hardware-bound"))["node"]
        self.assertEqual(("soft", UTID, False), (node["binding"], node["utid"], node["attested"]))
        self.root = self.key  # trusting the machine's own key does not make it more
        self.trust_root()
        self.refused("made it for itself")

    def test_revoked(self):
        self.write(self.leaf())
        self.trust_root(f"revoked: [{self.authority.key_digest(self.key)}]")
        self.refused("revoked")
        self.trust_root(f"revoked: [{self.authority.key_digest(self.root)}]")
        self.refused("no key with the role utid")

    def test_nobody_is_trusted_with_it(self):
        self.write(self.leaf())
        self.maker.trust.write_text(self.maker.trust.read_text().partition("utid:")[0])
        self.refused("no key with the role utid")
        self.trust_root()
        self.maker.trust.write_text(self.maker.trust.read_text().replace("  - keys:\n      - |", "  - names: [other-*]\n    keys:\n      - |"))
        self.refused("no key with the role utid")

    def test_what_is_no_identity(self):
        for text in ("", "[]", '{"utid":"UTID:x"}', json.dumps({"utid": "x y", "certificate": ""}), json.dumps({"utid": UTID, "certificate": ""}),
                     json.dumps({"utid": UTID, "certificate": self.authority.public(self.key)}),
                     json.dumps({"utid": UTID, "certificate": self.leaf()[:-60]})):
            with self.subTest(text[:40]):
                (self.state / "host-identity.json").write_text(text)
                self.refused()
        self.write(self.leaf(), more=1)
        self.refused("more")


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
