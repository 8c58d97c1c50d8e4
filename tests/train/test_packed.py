"""Packing is exact: a document in a packed row is computed as if it stood alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from conftest import ARCHITECTURES, packed_row, small_model

from dataforge.errors import DataError, UsageError
from dataforge.train.model import init_model
from dataforge.train.packed import check_packing, collate, forward_packed, packed_loss, packed_token_losses

LENGTHS = (7, 1, 12, 5)


def alone(model, row):
    """Logits of every document by itself, through the model's own plain forward pass with eager attention."""
    used = model.config._attn_implementation
    model.set_attn_implementation("eager")
    logits = [
        model(input_ids=torch.from_numpy(ids.astype(np.int64))[None], use_cache=False).logits[0].detach()
        for ids in np.split(row[0], np.cumsum(row[2])[:-1])
    ]
    model.set_attn_implementation(used)
    return torch.cat(logits)


def everything(row):
    """The row with every position supervised that can be."""
    ids, _, lengths = row
    labels = ids.copy()
    labels[np.cumsum(lengths) - lengths] = -100
    return ids, labels, lengths


def expected_losses(model, row):
    logits = alone(model, row)
    wanted = np.flatnonzero(row[1] != -100)
    return torch.nn.functional.cross_entropy(
        logits[wanted - 1].float(), torch.from_numpy(row[0][wanted].astype(np.int64)), reduction="none"
    )


@pytest.mark.parametrize("attention", ["documents", "sdpa", "eager"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_token_of_a_packed_row_is_predicted_as_in_its_document_alone(name, attention):
    if name == "gemma2" and attention == "sdpa":
        pytest.skip("transformers has no soft-capping with sdpa")
    model = small_model(name, attention)
    rows = [everything(packed_row(*LENGTHS)), everything(packed_row(9, 2, seed=1))]
    losses = packed_token_losses(model, collate(rows, attention=attention))
    expected = torch.cat([expected_losses(model, row) for row in rows])
    assert float(expected.std()) > 0.1
    torch.testing.assert_close(losses, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("attention", ["documents", "sdpa"])
def test_packed_loss_and_gradient_are_the_sums_over_documents(attention):
    model = small_model(attention=attention)
    row = packed_row(*LENGTHS)
    packed_loss(model, collate([row], attention=attention)).backward()
    packed = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    total = 0.0
    for ids, labels in zip(*(np.split(part, np.cumsum(row[2])[:-1]) for part in row[:2]), strict=True):
        if (labels != -100).any():
            loss = packed_loss(model, collate([(ids, labels, np.array([len(ids)], np.int32))], attention=attention))
            loss.backward()
            total += loss.item()
    assert packed_loss(model, collate([row], attention=attention)).item() == pytest.approx(total, rel=1e-6)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(packed[name], parameter.grad, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("extra", [{"attention_mask": True}, {"use_cache": True}])
def test_a_mask_of_ones_or_a_cache_would_mix_the_documents(extra):
    """The negative control of the tests above: what `forward_packed` must never do."""
    model = small_model(attention="sdpa")
    row = everything(packed_row(*LENGTHS))
    batch = collate([row], attention="sdpa")
    options = {"use_cache": False, **extra}
    if "attention_mask" in extra:
        options["attention_mask"] = torch.ones_like(batch.input_ids)
    states = model.model(input_ids=batch.input_ids, position_ids=batch.position_ids, **options).last_hidden_state
    wrong = model.lm_head(states)[0].detach()
    assert float((wrong - alone(model, row)).abs().max()) > 1.0


def test_changing_a_document_leaves_the_others_untouched_to_the_bit():
    model = small_model()
    ids, labels, lengths = everything(packed_row(*LENGTHS))
    before = forward_packed(model, collate([(ids, labels, lengths)], attention="documents"))
    changed = ids.copy()
    changed[9] += 1  # in the third document
    after = forward_packed(model, collate([(changed, labels, lengths)], attention="documents"))
    others = [i for i in range(len(before)) if not 6 <= i < 17]
    assert torch.equal(before[others], after[others])
    assert not torch.equal(before, after)


def test_padding_of_shorter_rows_is_never_supervised_and_never_seen():
    model = small_model(attention="sdpa")
    long, short = packed_row(20, 4), packed_row(3, 5, seed=2)
    both = packed_token_losses(model, collate([long, short], attention="sdpa"))
    one = packed_token_losses(model, collate([short], attention="sdpa"))
    torch.testing.assert_close(both[-len(one) :], one, atol=1e-5, rtol=0)


def test_the_check_at_the_start_passes_for_an_exact_model_and_stops_one_that_carries_state():
    assert check_packing(small_model(), attention="documents", vocabulary=96) < 1e-4
    mamba = transformers.MambaConfig(vocab_size=96, hidden_size=16, num_hidden_layers=1, state_size=4)
    with pytest.raises((DataError, UsageError)):
        check_packing(init_model(mamba, seed=0, attention="eager"), attention="documents", vocabulary=96)


def test_the_check_at_the_start_notices_contamination(monkeypatch):
    from dataforge.train import attention

    def leaking(module, query, key, value, mask, document_lengths=None, **others):
        lengths = [query.size(2)]
        return attention.document_attention(module, query, key, value, mask, document_lengths=lengths, **others)

    monkeypatch.setitem(attention.ALL_ATTENTION_FUNCTIONS._global_mapping, "documents", leaking)
    with pytest.raises(DataError, match="packing is not exact"):
        check_packing(small_model(), attention="documents", vocabulary=96)


def test_an_attention_that_lacks_what_a_model_needs_is_named_with_one_that_has_it():
    with pytest.raises(UsageError, match="--attention sdpa: Gemma2ForCausalLM does not support") as caught:
        small_model("gemma2", "sdpa")
    assert "eager" in caught.value.help


def test_document_attention_refuses_what_it_does_not_compute():
    model = small_model()
    with pytest.raises(UsageError, match="masks"):
        model(input_ids=torch.ones(1, 4, dtype=torch.long), attention_mask=torch.ones(1, 1, 4, 4))
    with pytest.raises(UsageError, match="document lengths"):
        model(input_ids=torch.ones(1, 4, dtype=torch.long), use_cache=False)


def test_a_row_that_breaks_the_contract_is_refused():
    ids, labels, lengths = packed_row(4, 4)
    labelled = labels.copy()
    labelled[4] = ids[4]
    for bad in [(ids, labelled, lengths), (ids, labels, lengths[:1]), (ids, labels[:-1], lengths)]:
        with pytest.raises(DataError, match="contract"):
            collate([bad], attention="documents")


def test_dropout_of_attention_is_drawn_only_in_training():
    model = small_model(attention_dropout=0.5)
    batch = collate([packed_row(*LENGTHS)], attention="documents")
    assert torch.equal(forward_packed(model, batch), forward_packed(model, batch))
    model.train()
    assert not torch.equal(forward_packed(model, batch), forward_packed(model, batch))
