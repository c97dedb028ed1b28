"""A page read back by a parser that is not ours, so that tests ask what a browser would see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "br", "path", "rect", "circle", "hr", "img", "link", "wbr"}


@dataclass
class Node:
    """An element with its children and text."""

    tag: str
    attrs: dict[str, str]
    children: list[Node | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text below, white space folded."""
        parts = (child if isinstance(child, str) else child.text for child in self.children)
        return " ".join("".join(parts).replace("\u00a0", " ").split())

    def all(self, tag: str) -> Iterator[Node]:
        """Every element of a tag below, in order."""
        for child in self.children:
            if isinstance(child, Node):
                if child.tag == tag:
                    yield child
                yield from child.all(tag)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Node("root", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in _VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(page: str) -> Node:
    """The page's tree; fails when an element is closed out of order."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert len(reader.open) == 1, [node.tag for node in reader.open]
    return reader.root


def table_with(root: Node, first_header: str) -> dict[str, list[str]]:
    """Rows of the table whose last header row begins with a word: the row's heading to its other cells."""
    for table in root.all("table"):
        header = list(next(table.all("thead")).all("tr"))[-1]
        if next(header.all("th")).text == first_header:
            rows = (list(row.children) for row in next(table.all("tbody")).all("tr"))
            cells = ([cell.text for cell in row if isinstance(cell, Node)] for row in rows)
            return {row[0]: row[1:] for row in cells}
    raise AssertionError(f"no table begins with {first_header}")
