"""Whether a well-formed scenario makes sense: what no single value of it can tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from loadtests.classfile import attributes, bases, check_class, find_module
from loadtests.duration import NS_PER_S
from loadtests.errors import ScenarioError
from loadtests.feed import read_feed
from loadtests.foreign import foreign
from loadtests.mistake import Mistake, did_you_mean
from loadtests.scenario import Scenario

__all__ = ["meaning_mistakes"]


def meaning_mistakes(scenario: Scenario) -> Iterator[Mistake]:
    """Everything about a scenario that would keep it from running, or from meaning what it seems to."""
    checks: tuple[Callable[[Scenario], Iterator[Mistake]], ...] = (
        _name,
        _target,
        _paths,
        _metrics,
        _load,
        _cap,
        _phases,
        _swarm,
        _classes,
        _feeds,
        _contract,
    )
    for check in checks:
        yield from check(scenario)


def _name(scenario: Scenario) -> Iterator[Mistake]:
    if not re.fullmatch(r"[A-Za-z0-9][\w .+-]*", scenario.name):
        yield Mistake(("name",), "expected letters, digits, spaces and . _ + - (it names the run's directory)")


def _target(scenario: Scenario) -> Iterator[Mistake]:
    target = scenario.target
    if not target.url and target.embedded is None:
        yield Mistake(("target", "url"), 'nothing to load; expected url = "http://..." or embedded = {module = "..."}')
    elif target.url and target.embedded is not None:
        yield Mistake(("target", "url"), "excludes target.embedded; expected one of the two")
    if target.url and (problem := _url_problem(target.url)):
        yield Mistake(("target", "url"), problem)
    if target.embedded is not None and find_module(target.embedded.module, Path.cwd()) is None:
        yield Mistake(("target", "embedded", "module"), f'module "{target.embedded.module}" is not found')


def _url_problem(url: str) -> str | None:
    expected = 'expected a URL such as "http://localhost:8000"'
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"{expected} ({error})"
    if "@" in url:
        return f"{expected}, without user and password; credentials belong in [secrets]"
    if parts.scheme not in ("http", "https") or not host:
        hint = f'; did you mean "http://{url}"?' if "://" not in url else ""
        return f'{expected}, got "{url}"{hint}'
    return f"{expected}, without ? and #" if parts.query or parts.fragment else None


def _paths(scenario: Scenario) -> Iterator[Mistake]:
    target = scenario.target
    if target.check and not target.check.startswith("/"):
        yield Mistake(("target", "check"), f'expected a path such as "/{target.check}"')
    if target.embedded is not None and not target.embedded.ready.startswith("/"):
        yield Mistake(("target", "embedded", "ready"), f'expected a path such as "/{target.embedded.ready}"')


def _metrics(scenario: Scenario) -> Iterator[Mistake]:
    target = scenario.target
    if target.metrics and not target.metrics.startswith("/") and _url_problem(target.metrics):
        expected = 'a path such as "/metrics", or a whole URL without credentials, ? and #'
        yield Mistake(("target", "metrics"), f"expected {expected}")
    if target.metrics_token and target.metrics_token not in scenario.secrets:
        known = did_you_mean(target.metrics_token, scenario.secrets)
        yield Mistake(("target", "metrics_token"), f"expected the name of a secret under [secrets]{known}")
    if target.metrics_token and not target.metrics:
        yield Mistake(("target", "metrics_token"), "means nothing without target.metrics")


def _load(scenario: Scenario) -> Iterator[Mistake]:
    load = scenario.load
    if not scenario.users and not scenario.swarm.members:
        yield Mistake(("users",), "nobody to put load on; expected [[users]] or [[swarm.members]]")
    if load.model == "open" and scenario.users and load.rate is None:
        yield Mistake(("load", "rate"), 'missing; an open model needs a rate, such as "120/s"')
    if scenario.http_members and scenario.contract is not None and scenario.contract.unloaded is not None:
        yield Mistake(("contract", "unloaded"), 'is of Locust users; it means nothing with load.driver = "members"')
    if load.model == "closed":
        for key in ("rate", "arrivals", "in_flight_cap", "spin"):
            if key in load.model_fields_set:
                yield Mistake(("load", key), 'means nothing in a closed model; expected model = "open", or users alone')
        for index, phase in enumerate(scenario.phases):
            if phase.rate_from is not None:
                yield Mistake(("phases", index, "rate_from"), "means nothing in a closed model; its population steps")


def _cap(scenario: Scenario) -> Iterator[Mistake]:
    cap = scenario.target.max_rate
    multiples = [max(phase.rate, phase.rate_from or 0.0) for phase in scenario.phases]
    peak = (scenario.load.rate or 0.0) * max(multiples)
    if scenario.load.model == "open" and scenario.users and peak > cap:
        phase = multiples.index(max(multiples))
        in_phase = "" if multiples[phase] == 1 else f" ({multiples[phase]:g} x load.rate in phases[{phase}])"
        yield Mistake(("load", "rate"), f"{peak:g}/s{in_phase} is above target.max_rate, {cap:g}/s")
    publishes = sum(member.count * (member.rate or 0.0) for member in scenario.swarm.members)
    if publishes > cap:
        yield Mistake(("swarm", "members"), f"{publishes:g} publishes/s are above target.max_rate, {cap:g}/s")


def _phases(scenario: Scenario) -> Iterator[Mistake]:
    if not any(phase.kind == "steady" for phase in scenario.phases):
        yield Mistake(("phases",), 'no steady phase, so nothing to judge; expected one of kind = "steady"')
    for index, phase in enumerate(scenario.phases):
        if phase.kind == "steady" and phase.duration < NS_PER_S:
            expected = "a steady phase is judged by whole seconds; expected at least 1s"
            yield Mistake(("phases", index, "duration"), expected)


def _swarm(scenario: Scenario) -> Iterator[Mistake]:
    if scenario.swarm.drain < scenario.swarm.guard:
        yield Mistake(("swarm", "drain"), "shorter than swarm.guard; expected at least as long")
    for index, member in enumerate(scenario.swarm.members):
        where = ("swarm", "members", index)
        if member.rate and member.slow:
            yield Mistake((*where, "slow"), "excludes rate: what they cannot publish meanwhile would count as failed")
        if member.together and not (member.rate and member.arrivals == "constant"):
            yield Mistake((*where, "together"), 'expected beside a rate and arrivals = "constant"')
        if member.slow and member.slow.start + member.slow.duration >= scenario.duration_ns:
            yield Mistake(
                (*where, "slow"), "not over before the run is; expected an earlier start or a shorter duration"
            )
    for index, storm in enumerate(scenario.swarm.storms):
        if storm.at >= scenario.duration_ns:
            yield Mistake(("swarm", "storms", index, "at"), "after the end of the run; expected a moment within it")
        if storm.how == "restart" and scenario.target.embedded is None:
            expected = "only a target that the run started can be restarted; expected target.embedded, or another how"
            yield Mistake(("swarm", "storms", index, "how"), expected)


_LOCUST = ("locust.FastHttpUser", "locust.HttpUser", "locust.User", "loadtests.loaduser.LoadUser")
_HTTP, _SWARM = "loadtests.httpmember.HttpMember", "loadtests.member.Member"
_NOT_OF = {
    "members": dict.fromkeys(_LOCUST, 'a Locust user; expected an HttpMember, or load.driver = "users"')
    | {_SWARM: "a member of the swarm; expected an HttpMember, or [[swarm.members]]"},
    "users": {
        _HTTP: 'an asyncio member; expected a Locust user, or load.driver = "members"',
        _SWARM: "a member of the swarm; expected a Locust user, or [[swarm.members]]",
    },
    "swarm": dict.fromkeys(_LOCUST, "a Locust user; expected a loadtests.member.Member, or [[users]]")
    | {_HTTP: 'a member of an HTTP load; expected a Member, or [[users]] and load.driver = "members"'},
}
"""By where a class is named, and by a base of it: what it is."""


def _classes(scenario: Scenario) -> Iterator[Mistake]:
    users = [(("users", index, "class"), user.cls) for index, user in enumerate(scenario.users)]
    members = [(("swarm", "members", index, "class"), each.cls) for index, each in enumerate(scenario.swarm.members)]
    for path, reference in (*users, *members):
        try:
            check_class(reference, scenario.folder)
            wrong = _NOT_OF[scenario.load.driver if path[0] == "users" else "swarm"]
            derived = bases(reference, scenario.folder)
            for base in derived & wrong.keys():
                yield Mistake(path, f"{reference} is {wrong[base]}")
            given = attributes(reference, scenario.folder)
            in_vain = (foreign(base, given) for base in sorted(derived))
            yield from (Mistake(path, f"{reference}: {said}") for said in in_vain if said)
        except ScenarioError as error:
            yield Mistake(path, str(error))


def _feeds(scenario: Scenario) -> Iterator[Mistake]:
    for name, file in scenario.feeds.items():
        path = scenario.folder / file
        if not path.is_file():
            beside = [each.name for each in sorted(path.parent.glob("*")) if each.suffix in (".csv", ".json")]
            yield Mistake(("feeds", name), f"{path}: no such file{did_you_mean(path.name, beside)}")
            continue
        try:
            read_feed(path)
        except ScenarioError as error:
            yield Mistake(("feeds", name), str(error))


def _contract(scenario: Scenario) -> Iterator[Mistake]:
    check = scenario.contract
    if check is None:
        return
    for key in ("openapi", "graphql"):
        if (path := getattr(check, key)) and not path.startswith("/"):
            yield Mistake(("contract", key), f'expected a path such as "/{path}"')
    schema = check.graphql_schema
    if bool(check.graphql) is not bool(schema):
        missing, other = ("graphql", "graphql_schema") if schema else ("graphql_schema", "graphql")
        yield Mistake(("contract", missing), f"missing; expected beside contract.{other}")
    elif schema and not schema.startswith("/") and not (scenario.folder / schema).is_file():
        expected = "expected one beside the scenario, or a path on the target that starts with /"
        yield Mistake(("contract", "graphql_schema"), f"{scenario.folder / schema}: no such file; {expected}")
    if check.messages and not (scenario.folder / check.messages).is_file():
        yield Mistake(("contract", "messages"), f"{scenario.folder / check.messages}: no such file")
    if check.unloaded and not scenario.users:
        yield Mistake(("contract", "unloaded"), "nobody whose tasks could be tried; expected [[users]]")
