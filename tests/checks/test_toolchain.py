"""What is synchronised with what in a toolchain, and cycles in it."""

from __future__ import annotations

TC, X = "user/chain/1", "user/user/chain/1/x"
BLOCK = ("blocks", "work")


def test_one_mistake_makes_no_noise(check):
    assert len(check(TC, (("connections", 0, "channel"), "dta"))) == 1
    assert len(check(X, ((*BLOCK, "inputs"), {"inn": "in"}))) == 1
    assert (
        len(check(X, ((*BLOCK, "algorithm"), "user/wrk/1"), (("globals", "user/work/1"), ...))) == 1
    )
    assert [f.message for f in check(TC, (("datasets",), ...))] == ["missing key `datasets'"]


def test_several_cycles_are_all_told(check):
    block = {"synchronized_channel": "data", "inputs": ["i", "j"], "outputs": ["o"]}
    connections = [{"from": "data.value", "to": f"{n}.i", "channel": "data"} for n in "abcd"]
    pairs = ["ab", "ba", "cd", "dc"]
    connections += [{"from": f"{a}.o", "to": f"{b}.j", "channel": "data"} for a, b in pairs]
    findings = check(
        TC,
        (("blocks",), [{"name": name, **block} for name in "abcd"]),
        (("loops",), []),
        (("analyzers",), []),
        (("connections",), connections),
        (("representation",), {"connections": {}, "blocks": {}, "channel_colors": {}}),
    )
    cycles = [finding.message for finding in findings if "cycle" in finding.message]
    assert len(cycles) == 2
    assert {frozenset(c.removeprefix("cycle: ").split(" -> ")) for c in cycles} == {
        frozenset("ab"),
        frozenset("cd"),
    }


def with_channels(check, *changes):
    """Check a toolchain with two datasets, after some changes to its connections."""
    more = {"name": "more", "outputs": ["x"]}
    connections = [
        {"from": "data.value", "to": "work.in", "channel": "data"},
        {"from": "more.x", "to": "work.in2", "channel": "more"},
        {"from": "work.out", "to": "report.in", "channel": "data"},
    ]
    for index, key, value in changes:
        connections[index][key] = value
    work = {"name": "work", "synchronized_channel": "data", "inputs": ["in", "in2"]}
    return check(
        TC,
        (("datasets", 1), more),
        (("blocks",), [{**work, "outputs": ["out"]}]),
        (("loops",), []),
        (("analyzers",), [{"name": "report", "synchronized_channel": "data", "inputs": ["in"]}]),
        (("connections",), connections),
        (("representation",), {"connections": {}, "blocks": {}, "channel_colors": {}}),
    )


def errors(findings):
    return [(f.pointer, f.message) for f in findings if f.is_error]


def test_channels_belong_to_what_they_come_from(check):
    assert errors(with_channels(check)) == []
    assert errors(with_channels(check, (1, "channel", "data"))) == [
        ("/connections/1/channel", "output `more.x' is synchronised with `more'")
    ]
    assert errors(with_channels(check, (2, "channel", "more"))) == [
        ("/analyzers/0/synchronized_channel", "no input of `report' is on its channel"),
        ("/connections/2/channel", "output `work.out' is synchronised with `data'"),
    ]
    assert errors(with_channels(check, (0, "from", "more.x"), (0, "channel", "more"))) == [
        ("/blocks/0/synchronized_channel", "no input of `work' is on its channel")
    ]
