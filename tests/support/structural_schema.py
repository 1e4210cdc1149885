"""Checks a document against the structural schema of a CustomResourceDefinition, strictly.

This is what an apiserver does with `kubectl apply --validate=strict`, offline: fields that the schema does not know are
refused instead of dropped. A CEL rule that this module cannot read is reported as a fault: it never counts as kept.
"""

import gzip
import os
import re

import strict_yaml

_ROOT_FIELDS = ("apiVersion", "kind", "metadata")
_DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_INTEGER_BITS = {"int32": 32, "int64": 64}

# The CEL rules of Argo's CRDs that are not of the form "at most one of these fields".
_RULES = {
    "!has(self.realtime) || !self.realtime || !self.value.contains('resourcesDuration.')": lambda v: not v.get("realtime")
    or "resourcesDuration." not in v.get("value", ""),
    "!has(self.depends) || !has(self.dependencies)": lambda v: not ("depends" in v and "dependencies" in v),
    "!has(self.depends) || !has(self.continueOn)": lambda v: not ("depends" in v and "continueOn" in v),
    "!(has(self.depends) || has(self.dependencies)) || !self.name.matches('^[0-9]')": lambda v: not (
        ("depends" in v or "dependencies" in v) and re.match("[0-9]", v["name"])
    ),
    "!(has(self.count) && has(self.end))": lambda v: not ("count" in v and "end" in v),
    "(has(self.manifest) && !has(self.manifestFrom)) || (!has(self.manifest) && has(self.manifestFrom)) || "
    "(!has(self.manifest) && !has(self.manifestFrom))": lambda v: not ("manifest" in v and "manifestFrom" in v),
    'self.all(t, !(has(t.timeout) && t.timeout != "" && (has(t.steps) || has(t.dag))))': lambda v: all(
        not (t.get("timeout") and ("steps" in t or "dag" in t)) for t in v
    ),
    "self.all(t, !(has(t.activeDeadlineSeconds) && (has(t.steps) || has(t.dag))))": lambda v: all(
        not ("activeDeadlineSeconds" in t and ("steps" in t or "dag" in t)) for t in v
    ),
}
_COUNTED_FIELD = re.compile(r"\(has\((?:self|t)\.(\w+)\) \? 1 : 0\)")
_AT_MOST_ONE = re.compile(
    r"(?P<all>self\.all\(t, )?{0}( \+ {0})* <= 1(?(all)\))".format(r"\(has\((?:self|t)\.\w+\) \? 1 : 0\)")
)


def load_crds(folder):
    """The schema of every kind in FOLDER: {(apiVersion, kind): openAPIV3Schema}."""
    schemas = {}
    for name in sorted(os.listdir(folder)):
        if not name.endswith((".yaml", ".yaml.gz")):
            continue
        with (gzip.open if name.endswith(".gz") else open)(os.path.join(folder, name), "rt", encoding="utf-8") as file:
            document = strict_yaml.load(file.read())
        if document.get("kind") != "CustomResourceDefinition":
            continue
        spec = document["spec"]
        for version in spec["versions"]:
            key = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
            schemas[key] = version["schema"]["openAPIV3Schema"]
    return schemas


def faults(document, schema):
    """Everything in DOCUMENT that SCHEMA does not allow, one line each, with the path of the field."""
    if not isinstance(document, dict):
        return ["the document is not an object"]
    found = [f"{field}: missing" for field in _ROOT_FIELDS if field not in document]
    found += _metadata_faults(document.get("metadata", {}))
    root = dict(schema, properties={**schema["properties"], "metadata": {"x-kubernetes-preserve-unknown-fields": True}})
    return found + list(_value_faults(document, root, ""))


def _metadata_faults(metadata):
    """metadata has no schema in a CRD: the apiserver knows it. These are the fields that a shipped file may use."""
    if not isinstance(metadata, dict):
        return ["metadata: not an object"]
    found = [
        f"metadata.{field}: unknown field"
        for field in metadata
        if field not in ("name", "generateName", "namespace", "labels", "annotations")
    ]
    if "name" in metadata and not _DNS_NAME.fullmatch(str(metadata["name"])):
        found.append(f"metadata.name: {metadata['name']!r} is not a DNS name")
    for field in ("labels", "annotations"):
        for key, value in (metadata.get(field) or {}).items():
            if not isinstance(value, str):
                found.append(f"metadata.{field}.{key}: {value!r} is not a string")
    return found


def _value_faults(value, schema, path):
    here = path or "(root)"
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            yield f"{here}: {value!r} is neither an integer nor a string"
        return
    expected = schema.get("type")
    if expected and not _has_type(value, expected):
        yield f"{here}: {value!r} is not of type {expected}"
        return
    yield from _scalar_faults(value, schema, here)
    yield from _rule_faults(value, schema, here)
    if isinstance(value, dict):
        yield from _object_faults(value, schema, path)
    elif isinstance(value, list):
        yield from _list_faults(value, schema, path)


def _has_type(value, expected):
    if isinstance(value, bool):
        return expected == "boolean"
    types = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    return isinstance(value, types[expected])


def _scalar_faults(value, schema, here):
    if "enum" in schema and value not in schema["enum"]:
        yield f"{here}: {value!r} is none of {schema['enum']}"
    if isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{here}: {value!r} does not match {schema['pattern']}"
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield f"{here}: length {len(value)} is out of bounds"
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"{here}: {value} is out of bounds"
        bits = _INTEGER_BITS.get(schema.get("format"))
        if bits and not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
            yield f"{here}: {value} does not fit into {schema['format']}"


def _object_faults(value, schema, path):
    here = path or "(root)"
    for field in schema.get("required", []):
        if field not in value:
            yield f"{here}: {field} is missing"
    properties = schema.get("properties", {})
    additional = schema.get("additionalProperties")
    for key, member in value.items():
        child = f"{path}.{key}" if path else str(key)
        if not isinstance(key, str):
            yield f"{here}: the key {key!r} is not a string"
        elif key in properties:
            yield from _value_faults(member, properties[key], child)
        elif isinstance(additional, dict):
            yield from _value_faults(member, additional, child)
        elif not (additional or schema.get("x-kubernetes-preserve-unknown-fields")):
            yield f"{child}: unknown field"


def _list_faults(value, schema, path):
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{path}: {len(value)} items are out of bounds"
    kind = schema.get("x-kubernetes-list-type")
    defaults = {name: item.get("default") for name, item in schema.get("items", {}).get("properties", {}).items()}
    seen = []
    for index, item in enumerate(value):
        child = f"{path}[{index}]"
        yield from _value_faults(item, schema.get("items", {}), child)
        identity = item
        if kind == "map" and isinstance(item, dict):
            identity = [item.get(key, defaults.get(key)) for key in schema["x-kubernetes-list-map-keys"]]
        if kind in ("map", "set"):
            if identity in seen:
                yield f"{child}: the same item twice"
            seen.append(identity)


def _rule_faults(value, schema, here):
    for entry in schema.get("x-kubernetes-validations", []):
        rule = entry["rule"]
        if rule in _RULES:
            kept = _RULES[rule](value)
        elif _AT_MOST_ONE.fullmatch(rule):
            fields = _COUNTED_FIELD.findall(rule)
            items = value if rule.startswith("self.all(") else [value]
            kept = all(sum(field in item for field in fields) <= 1 for item in items)
        else:
            yield f"{here}: this checker cannot read the rule {rule}"
            continue
        if not kept:
            yield f"{here}: {entry.get('message', rule)}"
