"""YAML in which every key counts: a key that stands twice is an error, and so is a second document."""

import yaml


class DuplicateKey(yaml.constructor.ConstructorError):
    """The same key twice in one mapping: YAML readers disagree about which one holds."""


class _StrictLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise DuplicateKey(None, None, f"duplicate key {key!r}", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_StrictLoader.add_constructor(
    yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG,
    lambda loader, node: loader.construct_mapping(node, deep=True),
)


def load(text):
    """The one document in TEXT. Raises yaml.YAMLError on anything else."""
    return yaml.load(text, Loader=_StrictLoader)


def load_file(path):
    with open(path, encoding="utf-8") as file:
        return load(file)
