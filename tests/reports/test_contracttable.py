"""The table of what broke the contract."""

from reports.contracttable import contract_rows
from tests.runs import remember_run, stream


def test_rows():
    """The most frequent first, each with what the unloaded pass says of it; then what kept the contract."""
    unloaded = {"GET /a": {"checked": 1000, "violations": {"y": 1}}}
    run = remember_run([*stream(2, 30), *stream(2, 30, series="ws deliver")], unloaded=unloaded)
    for series, violation, times in (
        ("GET /a", "x", 30),
        ("GET /a", "y", 2),
        ("GET /a", None, 1168),
        ("ws deliver", "z", 5),
    ):
        for _ in range(times):
            run.intervals[series][3].add_checked(violation)
    assert contract_rows(run) == [
        ("GET /a", "1,200", "30 (2.50 %)", "x", "only under load (0 of 1,000)"),
        ("ws deliver", "5", "5 (100 %)", "z", "not tried unloaded"),
        ("GET /a", "1,200", "2 (0.167 %)", "y", "unloaded as well (1 of 1,000)"),
        ("all others", "1,168", "0", "", "999 kept it unloaded"),
    ]


def test_nothing_checked():
    """No table where no answer was held against a contract."""
    assert contract_rows(remember_run(stream(2, 30))) is None
