"""Which commands may leave the portal."""

import pytest

from portal.mcp.commands import COMMAND_CHARACTERS, CommandRefused, check_command


@pytest.mark.parametrize("command", ["date", "uptime", "echo hello", "echo a-b c_d e.f 1,2:3", "echo " + "x" * 195])
def test_the_list_is_let_through(command: str) -> None:
    """Each of them is plain words; the last has the greatest length."""
    assert len(command) <= COMMAND_CHARACTERS
    check_command(command)


@pytest.mark.parametrize(
    "command",
    [
        *(f"echo a{sign}b" for sign in ";&|<>$`\\\"'(){}[]*?!~#=%@^/\n\r\t\0"),
        *("", " ", "echo", "echo ", "echo  two", "echo a ", " date", "date ", "date\n", "echo a\n", "Date"),
        *("date -s 0", "uptime -p", "echo -e a", "rm -rf /", "sh -c date", "/bin/date", "dateuptime", "echoa"),
        *("echo ä", "echo \u0661", "echo a\u00a0b", "echo " + "x" * 196),
    ],
)
def test_anything_else_is_refused(command: str) -> None:
    """Signs of a shell, options, other programs, white space at the ends, letters beyond ASCII, one sign too many."""
    with pytest.raises(CommandRefused) as caught:
        check_command(command)
    assert caught.value.status_code == 403
