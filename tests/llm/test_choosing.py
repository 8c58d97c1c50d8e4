"""The next token: penalties by OpenAI's formula, the nucleus by its definition, draws by their shares."""

from __future__ import annotations

import math
from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.errors import DataError
from dataforge.llm.choosing import Chooser, Rule, kept_tokens

CPU = torch.device("cpu")
logit = st.integers(-40, 40).map(lambda value: value / 8)
penalty = st.integers(-16, 16).map(lambda value: value / 8)


def softmax(values):
    top = max(values)
    shares = [math.exp(value - top) for value in values]
    return [share / sum(shares) for share in shares]


@settings(max_examples=50, deadline=None)
@given(st.lists(logit, min_size=2, max_size=8), penalty, penalty)
def test_penalties_follow_the_formula(logits, presence, frequency):
    """Numbers are multiples of 1/8, so float32 is exact and the plain formula must give the same tokens."""
    chooser = Chooser([Rule(0.0, presence_penalty=presence, frequency_penalty=frequency)], device=CPU)
    said: list[int] = []
    for _ in range(12):
        scores = [
            value - (presence if said.count(token) else 0) - frequency * said.count(token)
            for token, value in enumerate(logits)
        ]
        (token,) = chooser.choose(torch.tensor([logits]))
        assert scores[token] == max(scores)
        said.append(token)


def test_a_penalty_of_one_row_does_not_touch_its_neighbour_and_stays_with_its_row():
    logits = torch.tensor([[2.0, 1.5, 0.0]] * 3)
    chooser = Chooser([Rule(0.0), Rule(0.0, presence_penalty=1.0), Rule(0.0)], device=CPU)
    assert chooser.choose(logits) == [0, 0, 0]
    chooser.keep([0, 1])
    assert chooser.choose(logits[:2]) == [0, 1]
    chooser.keep([1])
    assert chooser.choose(logits[:1]) == [0]  # 2 - 1 > 1.5 - 1
    unpenalised = Chooser([Rule(0.0)], device=CPU)
    assert [unpenalised.choose(logits[:1]) for _ in range(3)] == [[0], [0], [0]]


@settings(max_examples=50, deadline=None)
@given(st.lists(logit, min_size=1, max_size=12), st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.999]), st.integers(0, 4))
def test_the_nucleus_is_the_fewest_likeliest_tokens_that_hold_the_share(logits, top_p, top_k):
    shares = torch.softmax(torch.tensor(logits, dtype=torch.float64), -1)
    kept = kept_tokens(shares, top_p, top_k).tolist()
    values = shares.tolist()
    inside = [value for value, keep in zip(values, kept, strict=True) if keep]
    outside = [value for value, keep in zip(values, kept, strict=True) if not keep]
    assert inside
    assert all(value < min(inside) for value in outside)
    needed = [value for value in inside if value > min(inside)]  # without the last token, and those as likely as it
    assert sum(needed) < max(top_p, 1e-12)
    if not top_k or len(inside) < top_k:
        assert sum(inside) >= top_p - 1e-9
    else:
        assert len(needed) < top_k


def test_a_nucleus_larger_than_what_is_sorted_first_is_found_whole():
    shares = torch.softmax(torch.linspace(0, 0.01, 5000, dtype=torch.float64), -1)
    kept = kept_tokens(shares, 0.9, 0)
    assert 0.9 <= float(shares[kept].sum()) < 0.9 + 2 * float(shares.max())
    assert int(kept_tokens(shares, 1.0, 700).sum()) == 700


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_by_their_shares(temperature):
    logits = [1.0, 0.0, -1.0, 2.0, -60.0]
    random = Random(7)
    chooser = Chooser([Rule(temperature, random=random)] * 50, device=CPU)
    drawn = [token for _ in range(80) for token in chooser.choose(torch.tensor([logits] * 50))]
    for token, share in enumerate(softmax([value / temperature for value in logits])):
        error = 4 * math.sqrt(share * (1 - share) / len(drawn)) + 1e-9
        assert abs(drawn.count(token) / len(drawn) - share) <= error


def test_a_draw_is_the_inverse_of_the_sum_of_shares_in_the_order_of_ids():
    class Fixed(Random):
        def random(self):
            return self.point

    random = Fixed()
    for point, token in [(0.0, 0), (0.2499, 0), (0.2501, 1), (0.7499, 1), (0.7501, 2), (1 - 2**-53, 2)]:
        random.point = point
        shares = torch.tensor([[0.25, 0.5, 0.25]]).log()
        assert Chooser([Rule(random=random)], device=CPU).choose(shares) == [token]


def test_a_share_that_nobody_is_left_out_of_and_a_tiny_temperature_take_the_likeliest():
    logits = torch.tensor([[0.0, 0.1, 0.05]])
    for rule in (Rule(1e-4), Rule(1.0, top_p=0.0), Rule(1.0, top_k=1), Rule(0.0)):
        assert [Chooser([rule], device=CPU).choose(logits) for _ in range(20)] == [[1]] * 20


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_logits_that_are_no_numbers_end_the_run(value):
    with pytest.raises(DataError, match="no finite numbers"):
        Chooser([Rule(0.0)], device=CPU).choose(torch.tensor([[0.0, value]]))
