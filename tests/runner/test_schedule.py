from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from beat.backend.python.runner.schedule import (
    CACHED,
    DONE,
    ENDS,
    FAILED,
    RUNNING,
    SKIPPED,
    WAITING,
    Schedule,
)

DIAMOND = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}


def run(schedule, *names):
    for name in names:
        schedule.start(name)
        schedule.finish(name)


def test_blocks_become_ready_when_all_they_need_is_there():
    schedule = Schedule(DIAMOND)
    assert schedule.ready() == ["a"]
    run(schedule, "a")
    assert schedule.ready() == ["b", "c"]
    run(schedule, "c")
    assert schedule.ready() == ["b"]
    schedule.start("b")
    assert schedule.ready() == []
    schedule.finish("b", cached=True)
    run(schedule, "d")
    assert schedule.over
    assert schedule.states == {"a": DONE, "b": CACHED, "c": DONE, "d": DONE}
    assert schedule.failed == []


def test_a_failure_stops_everything_that_has_not_started():
    schedule = Schedule({**DIAMOND, "e": ()})
    schedule.start("a")
    schedule.fail("a")
    assert schedule.ready() == []
    assert schedule.over
    assert schedule.states == {"a": FAILED, "b": SKIPPED, "c": SKIPPED, "d": SKIPPED, "e": SKIPPED}
    assert schedule.failed == ["a"]


def test_what_does_not_depend_on_a_failed_block_goes_on_if_wanted():
    schedule = Schedule({**DIAMOND, "e": (), "f": ("e",)}, keep_going=True)
    run(schedule, "a")
    schedule.start("b")
    schedule.fail("b")
    assert schedule.states["d"] == SKIPPED
    assert schedule.ready() == ["e", "c"]
    run(schedule, "c", "e", "f")
    assert schedule.over


def test_running_blocks_may_still_finish_after_a_stop():
    schedule = Schedule(DIAMOND)
    run(schedule, "a")
    schedule.start("b")
    schedule.start("c")
    schedule.fail("b")
    assert not schedule.over
    schedule.finish("c")
    assert schedule.over
    assert schedule.states["d"] == SKIPPED


@pytest.mark.parametrize(
    "move",
    [
        lambda s: s.start("b"),
        lambda s: s.finish("a"),
        lambda s: s.fail("a"),
        lambda s: (s.start("a"), s.start("a")),
        lambda s: (run(s, "a"), s.finish("a")),
        lambda s: (run(s, "a"), s.fail("a")),
        lambda s: (s.stop(), s.start("a")),
    ],
)
def test_impossible_moves_are_errors(move):
    with pytest.raises(RuntimeError, match="it cannot become"):
        move(Schedule(DIAMOND))


class Runs(RuleBasedStateMachine):
    """Blocks are started, finish, fail, are lost and reported twice, in any order."""

    @initialize(data=st.data(), keep_going=st.booleans())
    def make(self, data, keep_going):
        count = data.draw(st.integers(1, 8))
        self.needs = {
            i: data.draw(st.sets(st.integers(0, i - 1)) if i else st.just(set()))
            for i in range(count)
        }
        self.schedule = Schedule(self.needs, keep_going)
        self.ended = {}
        self.outputs = []  # one for each time that a block came to its end well

    def pick(self, data, state):
        names = [name for name, s in self.schedule.states.items() if s == state]
        return data.draw(st.sampled_from(names)) if names else None

    @precondition(lambda self: self.schedule.ready())
    @rule(data=st.data())
    def start(self, data):
        name = data.draw(st.sampled_from(self.schedule.ready()))
        assert self.needs[name] <= {*self.outputs}
        self.schedule.start(name)

    @rule(chance=st.integers(0, 9))
    def stop(self, chance):
        if chance == 0:
            self.schedule.stop()
            assert self.schedule.ready() == []

    @rule(data=st.data(), how=st.sampled_from(["finish", "cached", "fail"]))
    def end(self, data, how):
        name = self.pick(data, RUNNING)
        if name is None:
            return
        if how == "fail":
            self.schedule.fail(name)
        else:
            self.schedule.finish(name, cached=how == "cached")
            self.outputs.append(name)

    @rule(data=st.data())
    def repeated_and_lost_reports_change_nothing(self, data):
        for state in (DONE, CACHED, FAILED, SKIPPED, WAITING):
            name = self.pick(data, state)
            if name is not None:
                before = dict(self.schedule.states)
                for move in (self.schedule.finish, self.schedule.fail):
                    with pytest.raises(RuntimeError):
                        move(name)
                assert self.schedule.states == before

    @invariant()
    def every_block_has_one_end(self):
        for name, state in self.schedule.states.items():
            if name in self.ended:
                assert state == self.ended[name]
            elif state in ENDS:
                self.ended[name] = state

    @invariant()
    def no_output_is_lost_or_there_twice(self):
        states = self.schedule.states.items()
        assert sorted(self.outputs) == [name for name, s in states if s in (DONE, CACHED)]

    def teardown(self):
        """Whatever happened, all blocks come to an end from here."""
        while not self.schedule.over:
            for name in self.schedule.ready():
                self.schedule.start(name)
            for name, state in self.schedule.states.items():
                if state == RUNNING:
                    self.schedule.finish(name)
                    self.outputs.append(name)
        self.every_block_has_one_end()
        self.no_output_is_lost_or_there_twice()
        assert self.ended.keys() == self.needs.keys()

    @invariant()
    def it_never_hangs(self):
        running = RUNNING in self.schedule.states.values()
        assert self.schedule.over or running or self.schedule.ready()


Runs.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRuns = Runs.TestCase
