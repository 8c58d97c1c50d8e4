"""The chunked loss equals F.cross_entropy, in value and gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from conftest import packed_row, small_model
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.errors import UsageError
from dataforge.train.config import TrainConfig
from dataforge.train.loss import Head, linear_cross_entropy, output_head, token_losses
from dataforge.train.model import add_adapters
from dataforge.train.packed import collate, packed_loss


def case(n: int, vocabulary: int = 37, size: int = 16, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(n, size, generator=generator)
    weight = torch.randn(vocabulary, size, generator=generator)
    bias = torch.randn(vocabulary, generator=generator)
    targets = torch.randint(0, vocabulary, (n,), generator=generator)
    return hidden, weight, bias, targets


def plain(hidden, head, targets):
    logits = F.linear(hidden, head.weight, head.bias) * head.scale
    if head.softcap is not None:
        logits = head.softcap * torch.tanh(logits / head.softcap)
    return F.cross_entropy(logits, targets, reduction="none")


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 23),
    chunk=st.sampled_from([1, 7, 64]),
    biased=st.booleans(),
    scale=st.sampled_from([1.0, 0.25]),
    softcap=st.sampled_from([None, 3.0]),
    weight=st.sampled_from([1.0, 1 / 17]),
)
def test_loss_and_gradients_are_those_of_cross_entropy(n, chunk, biased, scale, softcap, weight):
    hidden, matrix, bias, targets = case(n)
    ours = [t.clone().requires_grad_() for t in (hidden, matrix, bias)]
    theirs = [t.clone().requires_grad_() for t in (hidden, matrix, bias)]
    head = Head(ours[1], ours[2] if biased else None, scale, softcap)
    oracle = Head(theirs[1], theirs[2] if biased else None, scale, softcap)
    loss = linear_cross_entropy(ours[0], head, targets, weight=weight, chunk=chunk)
    expected = weight * plain(theirs[0], oracle, targets).sum()
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-5)
    (3 * loss).backward()
    (3 * expected).backward()
    for own, other in list(zip(ours, theirs, strict=True))[: 3 if biased else 2]:
        torch.testing.assert_close(own.grad, other.grad, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        token_losses(hidden, head, targets, chunk=chunk), plain(hidden, oracle, targets).detach(), atol=1e-5, rtol=1e-5
    )


def test_no_supervised_position_gives_zero_loss_and_zero_gradients():
    hidden, weight, _, _ = case(3)
    hidden.requires_grad_()
    weight.requires_grad_()
    loss = linear_cross_entropy(hidden[:0], Head(weight), torch.empty(0, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0.0
    assert not weight.grad.any() and not hidden.grad.any()


def test_a_frozen_head_gets_no_gradient():
    hidden, weight, _, targets = case(5)
    hidden.requires_grad_()
    linear_cross_entropy(hidden, Head(weight), targets).backward()
    assert weight.grad is None and hidden.grad.abs().sum() > 0


def test_very_large_logits_stay_exact():
    hidden, weight, _, targets = case(6)
    head = Head(weight * 300)
    torch.testing.assert_close(token_losses(hidden, head, targets), plain(hidden, head, targets), rtol=1e-5, atol=1e-2)
    loss = linear_cross_entropy(hidden.requires_grad_(), head, targets)
    torch.testing.assert_close(loss, plain(hidden, head, targets).sum(), rtol=1e-5, atol=1e-2)


def test_a_tied_head_adds_to_the_gradient_of_the_embeddings():
    model = small_model(tie_word_embeddings=True)
    batch = collate([packed_row(9, 6)], attention="documents")
    packed_loss(model, batch).backward()
    ours = model.get_input_embeddings().weight.grad.clone()
    model.zero_grad()
    states = model.model(
        input_ids=batch.input_ids,
        position_ids=batch.position_ids,
        use_cache=False,
        document_lengths=batch.document_lengths,
    ).last_hidden_state[0]
    logits = model.lm_head(states)
    F.cross_entropy(logits[batch.supervised], batch.targets, reduction="sum").backward()
    torch.testing.assert_close(ours, model.get_input_embeddings().weight.grad, atol=1e-4, rtol=1e-4)


def test_the_head_of_a_model_carries_its_scale_and_soft_cap():
    assert output_head(small_model("cohere")).scale == 0.5
    assert output_head(small_model("granite")).scale == pytest.approx(1 / 3)
    assert output_head(small_model("gemma2")).softcap == 1.0


def test_a_head_with_adapters_is_refused():
    model = add_adapters(small_model(), TrainConfig(model="m", lora_r=2, lora_targets=("lm_head",)), seed=0)
    with pytest.raises(UsageError, match="output layer"):
        output_head(model.get_base_model())


def test_products_in_bfloat16_stay_close_and_leave_float32_gradients():
    hidden, weight, _, targets = case(9)
    head = Head(weight.requires_grad_())
    exact = plain(hidden, head, targets).sum().item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = linear_cross_entropy(hidden.requires_grad_(), head, targets)
    loss.backward()
    assert loss.item() == pytest.approx(exact, rel=2e-2)
    assert weight.grad.dtype == torch.float32
