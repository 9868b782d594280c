"""YAML by libyaml, the C parser, with the Python one as its judge."""

import yaml

DISTRIBUTIONS = ["pyyaml"]
TEXT = """\
base: &base {kind: fruit, fresh: true}
items:
- <<: *base
  name: apple
  price: 1.25
- name: "caf\u00e9"
  since: 2024-02-29
  note: |
    two
    lines
--- # a second document
[1, 0x1F, 1e3, null, ~]
"""


def work():
    """Read by both loaders, write by the C dumper, and refuse what is wrong or dangerous."""
    assert yaml.__with_libyaml__
    documents = list(yaml.load_all(TEXT, Loader=yaml.CSafeLoader))
    assert documents == list(yaml.safe_load_all(TEXT))
    first, second = documents
    assert first["items"][0] == {"kind": "fruit", "fresh": True, "name": "apple", "price": 1.25}
    assert first["items"][1]["note"] == "two\nlines\n"
    assert second == [1, 31, "1e3", None, None]
    text = yaml.dump(first, Dumper=yaml.CSafeDumper, sort_keys=False)
    assert yaml.load(text, Loader=yaml.CSafeLoader) == first
    yield f"libyaml {'.'.join(map(str, yaml._yaml.get_version()))}: {len(documents)} documents, both loaders agree"
    for wrong in ("a: [1,\nb: }", "!!python/object/apply:os.getcwd []"):
        try:
            yaml.load(wrong, Loader=yaml.CSafeLoader)
        except yaml.YAMLError as error:
            yield f"refused: {error.problem} in line {error.problem_mark.line + 1}"
        else:
            raise AssertionError(f"{wrong!r} was read")
