"""Cases that every HTTP client of ours must hold, and a program's run through them."""

import json
import sys
import traceback
from functools import partial
from unittest import SkipTest

from tests.httpservers import Shop


def with_shop(case):
    """The case for a client: with a shop, and a user of that shop."""

    def run(client):
        shop = Shop()
        user = client(shop.url)
        try:
            case(shop, user)
        finally:
            user.close()
            shop.stop()

    return run


def cases_of(*modules, client):
    """Those of the modules with that client, by name."""
    found = {name: case for module in modules for name, case in vars(module).items() if name.startswith("case_")}
    return {f"{name.removeprefix('case_')} / {client.__name__}": partial(case, client) for name, case in found.items()}


def run_all(cases):
    """Run every case and say what failed, as JSON."""
    said = {}
    for name, case in cases.items():
        try:
            case()
            said[name] = ""
        except SkipTest as why:
            said[name] = f"skipped: {why}"
        except BaseException:
            said[name] = traceback.format_exc()
    json.dump(said, sys.stdout)
