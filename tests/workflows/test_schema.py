"""Every shipped workflow file against the full schema of Argo's CRDs, and the checker against itself."""

import copy
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import structural_schema  # noqa: E402
import strict_yaml  # noqa: E402
import workflow_files  # noqa: E402
import yaml  # noqa: E402

CRDS = os.path.join(workflow_files.SOURCE, "tests", "cluster", "argo-crds")


class ArgoSchema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.schemas = structural_schema.load_crds(CRDS)
        cls.documents = workflow_files.shipped()

    def faults(self, document):
        schema = self.schemas.get((document.get("apiVersion"), document.get("kind")))
        self.assertIsNotNone(schema, f"no schema for {document.get('apiVersion')} {document.get('kind')}")
        return structural_schema.faults(document, schema)

    def test_every_shipped_file(self):
        argo = {path: d for path, d in self.documents.items() if d["kind"] != "ConfigMap"}
        self.assertGreaterEqual(len(argo), 13)
        for path, document in argo.items():
            with self.subTest(path):
                self.assertEqual([], self.faults(document))

    def changed(self, path, change):
        document = copy.deepcopy(self.documents[path])
        change(document)
        return self.faults(document)

    def test_a_misspelt_field_is_refused_wherever_it_stands(self):
        leaf = "workflows/templates/verify.yaml"
        loop = "workflows/templates/capsule-deploy-loop.yaml"
        cases = {
            "spec.entrypont": (leaf, lambda d: d["spec"].update(entrypont="verify")),
            "spec.templates[0].retryStrategy.limits": (
                leaf,
                lambda d: d["spec"]["templates"][0]["retryStrategy"].update(limits=4),
            ),
            "spec.templates[0].container.securityContext.runAsNonroot": (
                leaf,
                lambda d: d["spec"]["templates"][0]["container"]["securityContext"].update(runAsNonroot=True),
            ),
            "spec.templates[0].steps[0][0].templatRef": (
                loop,
                lambda d: d["spec"]["templates"][0]["steps"][0][0].update(templatRef={}),
            ),
        }
        for field, (path, change) in cases.items():
            with self.subTest(field):
                self.assertEqual([f"{field}: unknown field"], self.changed(path, change))

    def test_fields_removed_in_argo_4_are_refused(self):
        loop = "workflows/templates/capsule-deploy-loop.yaml"
        for field, where in (("mutex", "synchronization"), ("semaphore", "synchronization"), ("podPriority", None)):
            with self.subTest(field):

                def change(document, field=field, where=where):
                    (document["spec"][where] if where else document["spec"])[field] = {"name": "x"}

                path = f"spec.{where}.{field}" if where else f"spec.{field}"
                self.assertEqual([f"{path}: unknown field"], self.changed(loop, change))
        cron = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "CronWorkflow",
            "metadata": {"name": "x"},
            "spec": {"schedules": ["0 * * * *"], "workflowSpec": {"workflowTemplateRef": {"name": "x"}}},
        }
        self.assertEqual([], self.faults(cron))
        cron["spec"]["schedule"] = "0 * * * *"
        self.assertEqual(["spec.schedule: unknown field"], self.faults(cron))

    def test_argo_s_own_rules(self):
        loop = "workflows/templates/capsule-deploy-loop.yaml"
        two = self.changed(loop, lambda d: d["spec"]["templates"][0].update(container={"image": "x"}))
        self.assertEqual(1, len(two), two)
        late = self.changed(loop, lambda d: d["spec"]["templates"][0].update(timeout="1h"))
        self.assertEqual(1, len(late), late)


class StructuralSchema(unittest.TestCase):
    """The checker on a schema of its own, so that it is tested where Argo's are missing."""

    def faults(self, spec, schema):
        root = {"type": "object", "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}}
        root["properties"]["spec"] = schema
        return structural_schema.faults({"apiVersion": "v", "kind": "K", "metadata": {"name": "n"}, "spec": spec}, root)

    def test_types(self):
        kinds = {"object": {}, "array": [], "string": "", "integer": 1, "boolean": True}
        for expected in kinds:
            for name, value in kinds.items():
                with self.subTest(expected=expected, value=name):
                    found = self.faults(value, {"type": expected})
                    self.assertEqual(0 if name == expected else 1, len(found), found)
        self.assertEqual(1, len(self.faults(None, {"type": "string"})))

    def test_what_a_value_may_be(self):
        cases = [
            ({"type": "string", "enum": ["a", "b"]}, "a", "c"),
            ({"type": "string", "pattern": "^[a-z]+$"}, "abc", "a1"),
            ({"type": "string", "maxLength": 2}, "ab", "abc"),
            ({"type": "integer", "minimum": 1}, 1, 0),
            ({"type": "integer", "format": "int32"}, 2**31 - 1, 2**31),
            ({"x-kubernetes-int-or-string": True}, "50%", 1.5),
            ({"type": "array", "minItems": 1}, [1], []),
            ({"type": "array", "x-kubernetes-list-type": "set"}, [1, 2], [1, 1]),
            ({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}, {"a": ""}, {}),
            ({"type": "object", "additionalProperties": {"type": "string"}}, {"x": "1"}, {"x": 1}),
            ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {"x": [1]}, {1: 2}),
            ({"type": "object", "properties": {"a": {"type": "string"}}}, {"a": "x"}, {"b": "x"}),
        ]
        for schema, good, bad in cases:
            with self.subTest(schema):
                self.assertEqual([], self.faults(good, schema))
                self.assertEqual(1, len(self.faults(bad, schema)))

    def test_a_list_with_keys_refuses_the_same_key_twice(self):
        schema = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
        schema["items"] = {"type": "object", "properties": {"name": {"type": "string"}}}
        self.assertEqual([], self.faults([{"name": "a"}, {"name": "b"}], schema))
        self.assertEqual(["spec[1]: the same item twice"], self.faults([{"name": "a"}, {"name": "a"}], schema))

    def test_a_rule_that_cannot_be_read_is_never_kept(self):
        schema = {"type": "string", "x-kubernetes-validations": [{"rule": "self.startsWith('a')"}]}
        self.assertEqual(1, len(self.faults("a", schema)))

    def test_metadata(self):
        document = {"apiVersion": "v", "kind": "K", "metadata": {"name": "A_b", "label": {}, "labels": {"v": 1}}}
        found = structural_schema.faults(document, {"type": "object", "properties": {"apiVersion": {}, "kind": {}}})
        self.assertEqual(3, len(found), found)

    def test_duplicate_keys_and_second_documents_are_refused(self):
        self.assertEqual({"a": {"b": 1}}, strict_yaml.load("a: {b: 1}"))
        for text in ("a: 1\na: 2", "x:\n  - {a: 1, a: 2}", "x: {b: {c: 1, c: 1}}", "a: 1\n---\nb: 2"):
            with self.subTest(text), self.assertRaises(yaml.YAMLError):
                strict_yaml.load(text)


if __name__ == "__main__":
    unittest.main()
