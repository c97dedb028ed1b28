"""Who ended a connection, and why: by its ending, and by what we were about."""

import pytest

from loadtests.parting import Parting, who


@pytest.mark.parametrize(
    ("ending", "parting", "said"),
    [
        ("closed 1000", Parting.NONE, "the server: closed 1000"),
        ("closed 1013", Parting.NONE, "the server: closed 1013"),
        ("closed without a code", Parting.NONE, "the server: closed without a code"),
        ("connection ended", Parting.NONE, "nobody said: connection ended"),
        ("connection reset", Parting.NONE, "nobody said: connection reset"),
        ("no pong", Parting.NONE, "we: no pong"),
        ("frame broken", Parting.NONE, "we: frame broken"),
        ("closed 1000", Parting.LEFT, "we: left as planned"),
        ("closed 1001", Parting.END, "we: end of the run"),
        ("storm", Parting.STORM, "we: storm"),
        ("closed 1012", Parting.STORM, "the storm: closed 1012"),  # the server was restarted, by plan
        ("connection reset", Parting.STORM, "the storm: connection reset"),
    ],
)
def test_who(ending, parting, said):
    """A close frame is the server's word unless we, or the plan, said it first; without one nobody knows."""
    assert who(ending, parting) == said
