"""Classes by reference: checked without running a line, loaded with what lies beside them."""

import sys

import pytest

from loadtests.classfile import attributes, bases, check_class, class_names, find_module, load_class
from loadtests.errors import ScenarioError

USERS = '''"""Users."""
import json as j
from collections import OrderedDict
if True:
    class Buyer:
        class Inner: pass
try:
    from _nowhere import Fast
except ImportError:
    class Fast: pass
class Browser(Buyer): pass
def make():
    class Local: pass
Alias = Browser
LIMIT: int = 3
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A scenario's folder; what loading from it does to the interpreter is undone."""
    modules = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "users.py").write_text(USERS)
    yield tmp_path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def _refusal(function, reference, folder):
    with pytest.raises(ScenarioError) as refused:
        function(reference, folder)
    return str(refused.value)


def test_names(folder):
    """Classes that importing would define are listed in order; inner and local ones are not."""
    assert class_names(folder / "users.py") == ["Buyer", "Fast", "Browser"]


def test_names_run_nothing(folder):
    """A file is read, not run."""
    (folder / "bomb.py").write_text("raise SystemExit\nclass Browser: pass\n")
    assert class_names(folder / "bomb.py") == ["Browser"]


KINDS = """
import locust
from locust import FastHttpUser as Fast, task
from loadtests.httpmember import HttpMember
from common import Member
class Mine(HttpMember): pass
class Quick(Mine): pass
class Plain(Fast): pass
class Whole(locust.HttpUser): pass
class Theirs(Member): pass
class Circle(Circle): pass
raise SystemExit
"""


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Quick", {"loadtests.httpmember.HttpMember"}),
        ("Plain", {"locust.FastHttpUser"}),
        ("Whole", {"locust.HttpUser"}),
        ("Theirs", set()),
        ("Circle", set()),
        ("Nobody", set()),
    ],
)
def test_bases(folder, name, found):
    """Through the file's own classes to ours and Locust's, by whatever name; another file's are not known."""
    (folder / "kinds.py").write_text(KINDS)
    assert bases(f"kinds.py:{name}", folder) == found
    assert bases(f"kinds:{name}", folder) == set()


def test_attributes(folder):
    """What a class and its ancestors in the file set, each with whose it is; None says nothing."""
    (folder / "kinds.py").write_text(
        "class Base(Elsewhere):\n    proxies = {}\n    cert = 'a'\n    host: str\n"
        "class Own(Base):\n    cert = 'b'\n    timeout_s: float = 3.0\n    concurrency = None\n    def act(self): x = 1"
    )
    assert attributes("kinds.py:Own", folder) == {"proxies": "Base", "cert": "Own", "timeout_s": "Own"}
    assert attributes("kinds.py:Nobody", folder) == attributes("kinds:Own", folder) == {}


@pytest.mark.parametrize("name", ["Browser", "Fast", "OrderedDict", "Alias"])
def test_check_and_load_agree(folder, name):
    """A class may be defined, imported or assigned."""
    check_class(f"users.py:{name}", folder)
    assert isinstance(load_class(f"users.py:{name}", folder), type)


def test_check_accepts_a_star(folder):
    """What a star import brings cannot be told, so it is left to loading."""
    (folder / "star.py").write_text("from users import *\n")
    check_class("star.py:Browser", folder)


def test_same_class_every_time(folder):
    """One process has one class object for one reference."""
    assert load_class("users.py:Browser", folder) is load_class("users.py:Browser", folder / "." / "")


def test_two_folders_have_files_of_one_name(folder):
    """Equal file names in two folders are two modules."""
    (folder / "other").mkdir()
    (folder / "other" / "users.py").write_text("class Browser:\n    other = True\n")
    assert not hasattr(load_class("users.py:Browser", folder), "other")
    assert load_class("users.py:Browser", folder / "other").other


def test_siblings_can_be_imported(folder):
    """A file imports what lies beside it, and its folder is on the path once however many files there are."""
    (folder / "common_stock.py").write_text("STOCK = 17\n")
    for name in ("one", "two"):
        (folder / f"{name}.py").write_text("import common_stock\nclass Buyer:\n    stock = common_stock.STOCK\n")
        assert load_class(f"{name}.py:Buyer", folder).stock == 17
    assert sys.path.count(str(folder.resolve())) == 1


def test_module_reference(folder):
    """A class may come from an installed module, or from a package beside the scenario."""
    (folder / "shop_pack").mkdir()
    (folder / "shop_pack" / "__init__.py").write_text("raise RuntimeError('not by a check')\n")
    (folder / "shop_pack" / "people.py").write_text("class Buyer: pass\n")
    check_class("shop_pack.people:Buyer", folder)
    check_class("users:Browser", folder)
    check_class("collections:OrderedDict", folder)
    assert load_class("collections:OrderedDict", folder).__name__ == "OrderedDict"
    assert find_module("shop_pack.nobody", folder) is None
    assert find_module("collections.abc.more", folder) is None


@pytest.mark.parametrize("function", [check_class, load_class])
@pytest.mark.parametrize(
    ("reference", "part"),
    [
        ("users.py:Browsr", 'users.py: no class "Browsr"; did you mean "Browser"?'),
        ("users.py:Zzz", 'users.py: no class "Zzz"; expected "Browser", "Buyer" or "Fast"'),
        ("user.py:Browser", 'user.py: no such file; did you mean "users.py"?'),
        ("user:Browser", 'module "user" is not found'),
        ("no.such.module:Browser", 'module "no.such.module" is not found'),
        ("collections:OrderdDict", 'no class "OrderdDict"; did you mean "OrderedDict"?'),
        ("Browser", '"Browser" does not name a class; expected "users.py:Class" or "package.module:Class"'),
        ("users.py:", '"users.py:" does not name a class'),
        ("users.py:a b", '"users.py:a b" does not name a class'),
        ("users.txt:Browser x", "does not name a class"),
        ("../:Browser", "does not name a class"),
    ],
)
def test_wrong_reference(folder, function, reference, part):
    """A reference that leads nowhere is answered with the nearest that leads somewhere, before and at loading."""
    assert part in _refusal(function, reference, folder)


def test_no_class(folder):
    """Something that is no class is told apart from nothing."""
    assert _refusal(load_class, "users.py:LIMIT", folder).endswith('users.py: "LIMIT" is no class')


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("import json\n\nx = 1 / 0\n", 3, "importing it failed: ZeroDivisionError: division by zero"),
        ("import json\njson.loads('{')\n", 2, "importing it failed: JSONDecodeError: Expecting property name"),
        ("class A:\n    pass\n  x\n", 3, "importing it failed: IndentationError: unindent does not match"),
        ("import sys\nsys.exit(3)\n", 2, "importing it failed: SystemExit: 3"),
        ("import no_such_module_here\n", 1, "importing it failed: ModuleNotFoundError: No module named"),
    ],
)
def test_failing_import(folder, text, line, said):
    """An import that fails is told with the line of the scenario's own file and the exception's text."""
    path = folder / "broken.py"
    path.write_text(text)
    for _ in range(2):  # what failed once is tried again, not taken half-made
        assert _refusal(load_class, "broken.py:A", folder).startswith(f"{path.resolve()}:{line}: {said}")


def test_failing_sibling(folder):
    """When a file beside it fails, that file's line is named."""
    (folder / "broken_sibling.py").write_text("\n\nraise ValueError('no stock')\n")
    (folder / "buyer.py").write_text("import broken_sibling\n")
    said = _refusal(load_class, "buyer.py:Buyer", folder)
    assert said == f"{folder.resolve()}/broken_sibling.py:3: importing it failed: ValueError: no stock"


def test_not_python(folder):
    """A file that does not parse is refused by the check, with its line."""
    (folder / "odd.py").write_text("class A:\n    x = = 1\n")
    said = _refusal(check_class, "odd.py:A", folder)
    assert said == f"{folder}/odd.py:2: not Python: invalid syntax"
