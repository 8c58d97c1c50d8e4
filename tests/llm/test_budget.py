"""spent + reserved never passes a limit, nobody waits for ever, and nothing is lost."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.llm.budget import NOTHING, Budget, Spent, prompt_bound
from dataforge.llm.request import Request, message
from dataforge.llm.settings import BudgetConfig

holds = st.lists(st.tuples(st.integers(1, 400), st.floats(0, 1)), min_size=1, max_size=40)


@settings(max_examples=50, deadline=None)
@given(
    holds,
    st.none() | st.integers(0, 30),
    st.none() | st.integers(0, 3000),
    st.none() | st.floats(0, 9),
    st.integers(0, 99),
)
def test_limits_hold_at_every_moment_in_any_order_of_settling(holds, requests, tokens, cost, seed):
    chance = random.Random(seed)

    async def main():
        budget = Budget(BudgetConfig(max_requests=requests, max_tokens=tokens, max_cost=cost))

        def check():
            used = budget.spent + budget.reserved
            assert requests is None or used.requests <= requests
            assert tokens is None or used.tokens <= tokens
            assert cost is None or used.cost <= cost + 1e-6
            assert budget.reserved.requests >= 0

        async def job(size, share):
            hold = Spent(1, size, size / 400)
            if not await budget.reserve(hold):
                return None
            check()
            for _ in range(chance.randrange(5)):
                await asyncio.sleep(0)
            used = Spent(1, int(size * share), size / 400 * share)
            budget.settle(hold, used)
            check()
            return used

        came = await asyncio.wait_for(asyncio.gather(*(job(*one) for one in holds)), 20)
        total = sum((one for one in came if one is not None), NOTHING)
        assert budget.spent.tokens == total.tokens and budget.spent.requests == total.requests
        assert budget.reserved == NOTHING
        assert budget.exhausted == (None in came)
        if requests is None and tokens is None and cost is None:
            assert None not in came

    asyncio.run(main())


def test_a_request_that_does_not_fit_waits_for_those_in_flight():
    async def main():
        budget = Budget(BudgetConfig(max_tokens=100))
        assert await budget.reserve(Spent(1, 80))
        waiting = asyncio.ensure_future(budget.reserve(Spent(1, 80)))
        await asyncio.sleep(0)
        assert not waiting.done() and not budget.exhausted
        budget.settle(Spent(1, 80), Spent(1, 20))
        assert await waiting
        budget.settle(Spent(1, 80), Spent(1, 80))
        assert not await budget.reserve(Spent(1, 1))
        assert budget.exhausted

    asyncio.run(main())


def test_who_is_cancelled_while_waiting_gives_back_what_was_granted():
    async def main():
        budget = Budget(BudgetConfig(max_tokens=100))
        assert await budget.reserve(Spent(1, 100))
        first, second = (asyncio.ensure_future(budget.reserve(Spent(1, 100))) for _ in range(2))
        await asyncio.sleep(0)
        budget.settle(Spent(1, 100), NOTHING)
        first.cancel()
        assert await second
        assert budget.reserved == Spent(1, 100)

    asyncio.run(main())


def test_many_small_prices_fill_a_limit_of_money_exactly():
    async def main():
        budget = Budget(BudgetConfig(max_cost=0.3))
        for _ in range(3):
            assert await budget.reserve(Spent(1, 1, 0.1))
            budget.settle(Spent(1, 1, 0.1), Spent(1, 1, 0.1))
        assert not await budget.reserve(Spent(1, 1, 0.1))

    asyncio.run(main())


@pytest.mark.parametrize("text", ["green tea", "绿茶怎么泡？", "🍵" * 50, "\ud83d lone"])
def test_the_bound_of_a_prompt_counts_bytes_messages_and_schema(text):
    request = Request((message("system", "s"), message("user", text)))
    assert prompt_bound(request) == 1 + len(text.encode(errors="replace")) + 2 * 16 + 128
    assert prompt_bound(Request(request.messages, schema={"type": "object"})) == prompt_bound(request) + 17


def test_spent_adds_up():
    assert Spent(1, 2, 0.5) + Spent(2, 3, 0.25) - Spent(1, 1) == Spent(2, 4, 0.75)
