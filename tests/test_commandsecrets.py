"""What the command's headers and messages may show of themselves, and what goes to the members alone."""

from __future__ import annotations

import json
import shlex

import pytest

from loadtests.broadcastmember import BroadcastMember
from loadtests.commandsecrets import command_secrets
from loadtests.errors import UsageError
from loadtests.redaction import Redactor

ENVIRON = {"TOKEN": "t0k3n-of-mine", "EMPTY": ""}
SETTINGS = {"adapter": "json:seq=n"}


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("Authorization: Bearer X", "Authorization", "Bearer X"),
        ("X-Room:1", "X-Room", "1"),  # one who is asked for a header's value is told none, however short
        ("Cookie: sid=Y; a=b: c", "Cookie", "sid=Y; a=b: c"),
        ("Authorization: Bearer ${TOKEN}", "Authorization", "Bearer t0k3n-of-mine"),
        ("X-Empty:", "X-Empty", ""),
    ],
)
def test_header(text: str, name: str, value: str) -> None:
    """A header's value is a secret whole: the member has it, neither settings nor command do."""
    given = command_secrets([text], environ=ENVIRON)
    assert given.settings == {"headers": {name: "***"}, "send": []}
    assert given.hidden(f"--header={text}") == f"--header={name}: ***"
    assert BroadcastMember(0, {}, SETTINGS | given.settings, given.secrets).headers() == {name: value}


@pytest.mark.parametrize(
    ("text", "shown", "sent", "credentials"),
    [
        ("hello", "hello", "hello", []),
        ('{"op":"join","room":"a"}', '{"op":"join","room":"a"}', None, []),
        ('{"auth":"Z"}', '{"auth": "***"}', None, ["Z"]),
        ('{"type":"auth","token":"Z1"}', '{"type": "auth", "token": "***"}', None, ["Z1"]),
        ('[{"a":{"api_key":7}}]', '[{"a": {"api_key": "***"}}]', None, ["7"]),
        ('{"secret":{"id":"a","n":[1,true]}}', '{"secret": "***"}', None, ["a", "1"]),
        ("login password=hunter2", "login password=***", None, []),
        ("join ${TOKEN}", "join ${TOKEN}", "join t0k3n-of-mine", []),
        ('{"a":"${TOKEN}"}', '{"a":"${TOKEN}"}', '{"a":"t0k3n-of-mine"}', []),
        ('{"auth":"${TOKEN}"}', '{"auth": "***"}', '{"auth":"t0k3n-of-mine"}', ["t0k3n-of-mine"]),
    ],
)
def test_message(text: str, shown: str, sent: str | None, credentials: list[str]) -> None:
    """What is sent is as it was given, with the environment's values; what is shown is without credentials."""
    given = command_secrets(sends=["first", text], environ=ENVIRON)
    assert given.settings["send"] == ["first", shown]
    assert BroadcastMember(0, {}, SETTINGS | given.settings, given.secrets).greetings() == ("first", sent or text)
    assert given.hidden(text) == shown
    assert [each for name, each in given.secrets.items() if "credential" in name] == credentials
    assert ("send 1" in given.secrets) == (shown != (sent or text)), "what holds no secret is none"


def test_the_value_of_a_variable_is_a_secret_by_itself() -> None:
    """A server may send it back."""
    given = command_secrets(sends=["join ${TOKEN}"], environ=ENVIRON)
    assert Redactor(given.secrets.values())("no room for t0k3n-of-mine") == "no room for ***"


def test_the_command_as_it_is_written() -> None:
    """Whatever was said more than once, or within another, is hidden everywhere."""
    message, header = '{"auth":"Z"}', "A: b"
    given = command_secrets([header, "A: b c"], [message], ENVIRON)
    words = ["swarm", "ws://h/", "--header", header, "--header=A: b c", "--send", message]
    told = shlex.join(map(given.hidden, words))
    assert told == "swarm ws://h/ --header 'A: ***' '--header=A: ***' --send '" + json.dumps({"auth": "***"}) + "'"


@pytest.mark.parametrize("header", ["Bearer hunter2", ": hunter2", ""])
def test_a_header_without_a_name(header: str) -> None:
    """It is refused, and not repeated."""
    with pytest.raises(UsageError, match='expected "Name: value"') as raised:
        command_secrets([header])
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("variable", "said"), [("NOWHERE", "is not set"), ("EMPTY", "is empty"), ("A-B", "is no variable")]
)
def test_a_variable_without_a_value(variable: str, said: str) -> None:
    """It is refused, and the option named."""
    with pytest.raises(UsageError, match=f"^--send: .*{said}"):
        command_secrets(sends=[f"${{{variable}}}"], environ=ENVIRON)
    with pytest.raises(UsageError, match=f"^--header: .*{said}"):
        command_secrets([f"A: ${{{variable}}}"], environ=ENVIRON)
