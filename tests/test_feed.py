"""Feeds: rows as the files say them, in an order that repeats."""

import pytest

from loadtests.errors import ScenarioError
from loadtests.feed import Feed, read_feed, read_feeds
from loadtests.scenario import Phase, Scenario, Target


def _file(folder, name, text):
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_csv(tmp_path):
    """A header row names the fields of the rows under it; quotes, commas and newlines in them are data."""
    path = _file(tmp_path, "a.csv", '\ufeffname, word\nann,"x, ""y"""\n\nbob,"two\nlines"\n')
    assert list(read_feed(path)) == [{"name": "ann", "word": 'x, "y"'}, {"name": "bob", "word": "two\nlines"}]


def test_json(tmp_path):
    """A JSON array is a row an element, whatever the element."""
    path = _file(tmp_path, "a.json", '[{"a": [1, {"b": null}]}, "text", 3]')
    assert read_feed(path).rows == ({"a": (1, {"b": None})}, "text", 3)


def test_rows_cannot_be_changed(tmp_path):
    """A row that one user got is the row that every other gets."""
    row = read_feed(_file(tmp_path, "a.csv", "name\nann\n")).at(0)
    nested = read_feed(_file(tmp_path, "a.json", '[{"a": {"b": 1}}]')).at(0)
    for mapping in (row, nested, nested["a"]):
        with pytest.raises(TypeError):
            mapping["name"] = "bob"


def test_at_starts_over():
    """Row i of n is row i mod n."""
    feed = Feed(("a", "b", "c"))
    assert [feed.at(index) for index in (0, 1, 2, 3, 7, 300)] == ["a", "b", "c", "a", "b", "a"]
    assert len(feed) == 3


def test_shuffled():
    """A seed decides the order, another seed another one, and no row is lost."""
    feed = Feed(tuple(range(100)))
    assert feed.shuffled(7) == feed.shuffled(7)
    assert feed.shuffled(7) != feed.shuffled(8)
    assert sorted(feed.shuffled(7)) == list(range(100))
    assert feed.rows == tuple(range(100))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "", "a.csv: no rows; a feed needs at least one"),
        ("a.csv", "name,word\n", "a.csv: no rows; a feed needs at least one"),
        ("a.csv", "name,word\nann,x\nbob\n", "a.csv:3: 1 field, expected 2 (name, word)"),
        ("a.csv", "name\nann,x\n", "a.csv:2: 2 fields, expected 1 (name)"),
        ("a.csv", "name,name\nann,x\n", 'a.csv:1: the header names "name" 2 times; each column needs one name'),
        ("a.csv", "name,\nann,x\n", "a.csv:1: the header has a column without a name"),
        ("a.csv", 'name\n"ann\n', "a.csv:2: not CSV: unexpected end of data"),
        ("a.json", " ", "a.json: no rows; a feed needs at least one"),
        ("a.json", "[]", "a.json: no rows; a feed needs at least one"),
        ("a.json", '[1,\n "x]', "a.json:2:2: not JSON: Unterminated string starting at"),
        ("a.json", '{"a": 1}', "a.json: expected one JSON array of rows"),
        ("a.txt", "name\nann\n", "a.txt: a feed is a .csv or a .json file"),
    ],
)
def test_wrong_file(tmp_path, name, text, said):
    """A file that yields no rows, or crooked ones, is refused with its line."""
    with pytest.raises(ScenarioError) as refused:
        read_feed(_file(tmp_path, name, text))
    assert str(refused.value) == f"{tmp_path}/{said}"


def test_unreadable(tmp_path):
    """A file that is missing or no text is refused."""
    with pytest.raises(ScenarioError, match=r"a\.csv: cannot be read: No such file"):
        read_feed(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_bytes(b"name\n\xff\n")
    with pytest.raises(ScenarioError, match=r"b\.csv: not UTF-8 text \(byte 5\)"):
        read_feed(tmp_path / "b.csv")


def test_feeds_of_a_scenario(tmp_path):
    """Feeds are found from the scenario's folder and go by their names."""
    _file(tmp_path, "a.csv", "name\nann\n")
    scenario = Scenario(
        name="x",
        target=Target(url="http://localhost"),
        phases=(Phase(kind="steady", duration="1s"),),
        feeds={"people": "a.csv"},
        folder=tmp_path,
    )
    assert read_feeds(scenario) == {"people": Feed(({"name": "ann"},))}
