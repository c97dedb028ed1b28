"""The built wheel, installed outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.endtoend.harness import ROOT, server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it once, without leaving anything in the checkout."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def test_wheel_holds_templates_and_no_tests(wheel: Path) -> None:
    """Engine, pages with their templates, and the portal; nothing else."""
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith("reports/templates/") for name in names)
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"loadtests", "reports", "portal"}


def test_wheel_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """From an empty folder, with the wheel instead of the checkout: a run, its pages, judged again."""
    site = tmp_path / "site"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--target",
            str(site),
            str(wheel),
        ],
        check=True,
    )
    work = tmp_path / "work"
    work.mkdir()
    environment = os.environ | {"PYTHONPATH": str(site)}
    where = [sys.executable, "-c", "import loadtests, reports; print(loadtests.__file__, reports.__file__)"]
    found = subprocess.run(where, cwd=work, env=environment, check=True, capture_output=True, text=True).stdout
    assert found.count(str(site)) == 2
    with server("hub") as (url, _):
        run = ["run", "--url", f"{url}/", "--rate", "50/s", "--users", "10", "--duration", "3s", "--warm-up", "1s"]
        done = subprocess.run(
            [sys.executable, str(site / "bin" / "loadtests"), *run, "--out", "run"],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode in (4, 5), done.stdout + done.stderr  # three seconds decide nothing, or the host is busy
    assert (work / "run" / "report.html").exists()
