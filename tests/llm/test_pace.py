"""Limits a minute that hold over any minute, a window that adapts, pauses that all keep: on a clock that does not wait."""

import asyncio
import heapq

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.llm.pace import Clock, Pace, Window
from dataforge.llm.settings import PaceConfig


class Virtual:
    """Time that jumps to the next sleeper once nobody else can run."""

    def __init__(self):
        self.time = 0.0
        self.sleepers = []
        self.number = 0

    def clock(self):
        return Clock(lambda: self.time, self.sleep)

    async def sleep(self, seconds):
        turn = asyncio.get_running_loop().create_future()
        self.number += 1
        heapq.heappush(self.sleepers, (self.time + seconds, self.number, turn))
        await turn

    async def run(self, *jobs):
        tasks = [asyncio.ensure_future(job) for job in jobs]
        while not all(task.done() for task in tasks):
            for _ in range(20):
                await asyncio.sleep(0)
            if self.sleepers:
                self.time, _, turn = heapq.heappop(self.sleepers)
                turn.set_result(None)
        return [task.result() for task in tasks]


def sends(jobs, **config):
    """[(time, tokens)] in the order of sending, of requests (arrives, tokens, takes) asked under limits."""
    virtual = Virtual()
    sent = []

    async def main():
        pace = Pace(PaceConfig(**config), virtual.clock())

        async def job(ticket, arrives, tokens, takes):
            await virtual.sleep(arrives)
            await pace.enter((0, ticket))
            await pace.clear(tokens)
            sent.append((virtual.time, tokens, ticket))
            await virtual.sleep(takes)
            pace.went_well()
            pace.leave()

        await virtual.run(*(job(number, *one) for number, one in enumerate(jobs)))
        assert pace.in_flight == 0

    asyncio.run(main())
    return sent


jobs = st.lists(
    st.tuples(st.floats(0, 90), st.integers(1, 100), st.floats(0.01, 30)), min_size=1, max_size=30
)  # arrives, tokens, takes


@settings(max_examples=40, deadline=None)
@given(jobs, st.integers(1, 8), st.integers(100, 300))
def test_no_60_seconds_ever_hold_more_requests_or_tokens_than_allowed(jobs, rpm, tpm):
    sent = sends(jobs, rpm=rpm, tpm=tpm, concurrency=16)
    assert len(sent) == len(jobs)
    for start, _, _ in sent:
        span = [tokens for time, tokens, _ in sent if start <= time < start + 60.0 - 1e-9]
        assert len(span) <= rpm
        assert sum(span) <= tpm


def test_a_limit_a_minute_is_used_up_to_the_last_request():
    sent = sends([(0.0, 1, 0.1)] * 25, rpm=10, concurrency=64)
    assert [round(time) for time, _, _ in sent] == [0] * 10 + [60] * 10 + [120] * 5


def test_tokens_that_were_not_used_let_others_go_earlier():
    virtual = Virtual()
    sent = []

    async def main():
        pace = Pace(PaceConfig(tpm=100), virtual.clock())

        async def job(used):
            await pace.enter((0, 0))
            entry = await pace.clear(60)
            sent.append(virtual.time)
            await virtual.sleep(3)
            pace.correct(entry, used)
            pace.leave()

        await virtual.run(job(10), job(10), job(60))

    asyncio.run(main())
    assert sent[0] == 0
    assert 3 <= sent[1] <= 4.1
    assert 6 <= sent[2] <= 8.2


def test_requests_are_sent_in_the_order_of_their_tickets():
    sent = sends([(0.0, 1, 1.0)] * 40, concurrency=3)
    assert [ticket for _, _, ticket in sent] == list(range(40))


def test_a_pause_holds_all_requests_back():
    virtual = Virtual()

    async def main():
        pace = Pace(PaceConfig(), virtual.clock())
        pace.pause(12.5)
        pace.pause(3.0)

        async def job():
            await pace.enter((0, 0))
            await pace.clear(1)
            return virtual.time

        return await virtual.run(*(job() for _ in range(5)))

    assert asyncio.run(main()) == [pytest.approx(12.5)] * 5


def grown(pace, replies):
    """Windows of a full house: `replies` come one after another."""
    windows = []
    for _ in range(replies):
        pace.in_flight = int(pace.limit)
        pace.went_well()
        windows.append(int(pace.limit))
    return windows


def test_the_window_doubles_until_a_setback_and_then_grows_by_one_a_window():
    virtual = Virtual()
    pace = Pace(PaceConfig(concurrency=1000), virtual.clock())
    assert int(pace.limit) == 8
    assert grown(pace, 8)[-1] == 16
    assert grown(pace, 16)[-1] == 32
    pace.setback()
    assert int(pace.limit) == 24
    assert grown(pace, 25)[-1] == 25
    assert grown(pace, 26)[-1] in (25, 26)


def test_one_burst_of_setbacks_narrows_the_window_once_and_it_never_closes():
    virtual = Virtual()
    pace = Pace(PaceConfig(concurrency=64), virtual.clock())
    for _ in range(30):
        pace.setback()
    assert pace.limit == 6
    for _ in range(30):
        virtual.time += 2.0
        pace.setback()
    assert pace.limit == 1


def test_a_window_that_is_not_in_use_does_not_grow():
    pace = Pace(PaceConfig(concurrency=64), Virtual().clock())
    for _ in range(100):
        pace.in_flight = 1
        pace.went_well()
    assert pace.limit == 8


def test_the_window_never_exceeds_what_the_user_allows():
    pace = Pace(PaceConfig(concurrency=3), Virtual().clock())
    assert set(grown(pace, 50)) == {3}


def test_who_gives_up_waiting_leaves_no_hole():
    async def main():
        pace = Pace(PaceConfig(concurrency=1))
        await pace.enter((0, 0))
        waiting = [asyncio.ensure_future(pace.enter((0, number))) for number in (1, 2, 3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        pace.leave()
        waiting[1].cancel()  # at the moment when its turn comes
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert waiting[2].done() and pace.in_flight == 1
        pace.leave()
        assert pace.in_flight == 0

    asyncio.run(main())


def test_a_correction_of_what_is_long_gone_changes_nothing():
    window = Window(100)
    entry = window.take(0.0, 50)
    assert window.wait(60.0, 100) == 0.0
    window.correct(entry, 5)
    assert window.total == 0
