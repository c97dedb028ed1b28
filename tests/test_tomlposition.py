"""Lines of keys, counted by hand."""

import tomllib
from pathlib import Path

import pytest

from loadtests.tomlposition import dotted, line_of

TEXT = '''# line 1
name = "x"
a.b.c = 1
a.b.d = [1,
  2,  # a ] in a comment

  3]

text = """
[target]
name = "no key"
"""
inline = { one = 1, deep = { two = 2 }, list = [
  { three = 3 },
  { three = "]}", four = """
4""" },
] }
["quo.ted"]
"k k" = 1
[target]
url = "u"
[target.embedded]
module = "m"
[[phases]]
kind = "steady"
[[phases]]
kind = "cool-down"
[[phases.deep]]
x = 1
[[phases.deep]]
y = 1
[late.super]
z = 1
[late]
z = 2
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 2),
        (("a", "b"), 3),
        (("a", "b", "c"), 3),
        (("a", "b", "d"), 4),
        (("a", "b", "d", 0), 4),
        (("a", "b", "d", 1), 5),
        (("a", "b", "d", 2), 7),
        (("text",), 9),
        (("inline", "deep", "two"), 13),
        (("inline", "list"), 13),
        (("inline", "list", 0, "three"), 14),
        (("inline", "list", 1), 15),
        (("inline", "list", 1, "four"), 15),
        (("quo.ted", "k k"), 19),
        (("target",), 20),
        (("target", "url"), 21),
        (("target", "embedded", "module"), 23),
        (("phases",), 24),
        (("phases", 0, "kind"), 25),
        (("phases", 1), 26),
        (("phases", 1, "kind"), 27),
        (("phases", 1, "deep", 0, "x"), 29),
        (("phases", 1, "deep", 1, "y"), 31),
        (("late", "super", "z"), 33),
        (("late", "z"), 35),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line(path, line, newline):
    """A key is where it begins, through every way that TOML has to write it."""
    assert line_of(TEXT.replace("\n", newline), path) == line


@pytest.mark.parametrize(
    ("path", "line"),
    [(("nothing",), 1), (("target", "nothing"), 20), (("phases", 1, "duration"), 26), (("phases", 7), 24), ((), 1)],
)
def test_missing_key(path, line):
    """A key that is not there is at the nearest table around it."""
    assert line_of(TEXT, path) == line


SHIPPED = sorted((Path(__file__).parents[1] / "scenarios").glob("*/*.toml"))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda path: path.name)
def test_shipped_files(file):
    """In the files that we ship, the line of every key holds the key's name."""
    text = file.read_text()
    lines = text.split("\n")

    def check(value, path):
        if path and isinstance(path[-1], str):
            assert path[-1] in lines[line_of(text, path) - 1]
        children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, child in children:
            check(child, (*path, key))

    check(tomllib.loads(text), ())


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("load", "rate"), "load.rate"),
        (("phases", 0, "duration"), "phases[0].duration"),
        (("settings", "a b", "c-d_e"), 'settings."a b".c-d_e'),
        (("feeds", "é"), 'feeds."é"'),
        ((), ""),
    ],
)
def test_dotted(path, text):
    """A path is written as TOML would write it."""
    assert dotted(path) == text
