"""Loading, making, adapting and saving models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers
from conftest import CPU, packed_row, small_model
from safetensors.torch import load_file, save_file

from dataforge.errors import InputError, UsageError
from dataforge.train.config import TrainConfig
from dataforge.train.loop import make_optimizer
from dataforge.train.model import (
    add_adapters,
    check_vocabulary,
    count_parameters,
    init_model,
    load_model,
    model_config,
    resolve_attention,
    save_model,
    weights_hash,
)
from dataforge.train.packed import base_model, collate, forward_packed, packed_loss


def test_a_bfloat16_checkpoint_is_loaded_as_float32(places, tmp_path):
    load_model(places.model).to(torch.bfloat16).save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.bfloat16}
    assert {parameter.dtype for parameter in load_model(str(tmp_path)).parameters()} == {torch.float32}


def test_a_checkpoint_that_lacks_weights_is_refused(places, tmp_path):
    model = load_model(places.model)
    model.save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    stored.pop("model.layers.1.mlp.up_proj.weight")
    save_file(stored, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="lacks 1 of its weights.*up_proj"):
        load_model(str(tmp_path))


def test_a_folder_without_a_model_is_refused_in_one_line(tmp_path):
    with pytest.raises(InputError, match="cannot be opened") as caught:
        load_model(str(tmp_path / "nothing"))
    assert "\n" not in caught.value.message and caught.value.help


def test_a_config_makes_the_same_random_model_for_the_same_seed(places, tokenizer):
    config = TrainConfig(init=places.config, tokenizer=places.tokenizer)
    settings = model_config(config, tokenizer)
    assert settings.vocab_size == len(tokenizer)
    assert settings.eos_token_id == tokenizer.eos_token_id
    one, same, other = (init_model(settings, seed=seed) for seed in (1, 1, 2))
    assert weights_hash(one) == weights_hash(same) != weights_hash(other)


def test_a_config_with_too_small_a_vocabulary_or_no_model_type_is_refused(places, tokenizer, tmp_path):
    values = json.loads(Path(places.config).read_text())
    small = tmp_path / "small.json"
    small.write_text(json.dumps({**values, "vocab_size": 10}))
    config = TrainConfig(init=str(small), tokenizer=places.tokenizer)
    with pytest.raises(UsageError, match=f"tokenizer has {len(tokenizer)} tokens and the model 10"):
        check_vocabulary(model_config(config, tokenizer), tokenizer)
    nameless = tmp_path / "nameless.json"
    nameless.write_text("{}")
    with pytest.raises(InputError, match="names no causal language model"):
        model_config(TrainConfig(init=str(nameless), tokenizer=places.tokenizer), tokenizer)


def adapted(**settings):
    config = TrainConfig(model="m", lora_r=4, **settings)
    return add_adapters(small_model(), config, seed=0), config


def trained(model, config, steps=5):
    optimizer = make_optimizer(model, config)
    for seed in range(steps):
        packed_loss(model, collate([packed_row(9, 6, seed=seed)], attention="documents")).backward()
        for group in optimizer.param_groups:
            group["lr"] = 1e-2
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


def states(model, seed=9):
    with torch.no_grad():
        return forward_packed(model, collate([packed_row(12, 7, seed=seed)], attention="documents"))


def test_adapters_start_as_the_base_model_and_are_the_only_trained_weights():
    model, config = adapted()
    assert torch.equal(states(model.eval()), states(small_model()))
    everything, trainable = count_parameters(model)
    assert 0 < trainable < everything / 5
    before = weights_hash(small_model())
    trained(model, config)
    assert weights_hash(model.unload()) == before


def test_adapters_sit_on_all_linear_layers_but_the_output_layer():
    model, _ = adapted()
    names = {name.split(".lora_A")[0].split(".")[-1] for name, _ in model.named_parameters() if ".lora_A" in name}
    assert names == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    narrow, _ = adapted(lora_targets=("q_proj",))
    assert {n.split(".lora_A")[0].split(".")[-1] for n, _ in narrow.named_parameters() if ".lora_A" in n} == {"q_proj"}
    with pytest.raises(UsageError, match="--lora-targets"):
        adapted(lora_targets=("no_such_layer",))


def test_merged_adapters_and_saved_ones_compute_the_same(places, tokenizer, tmp_path):
    """Saved adapters, loaded on their base, are those that were trained; merged ones differ by rounding only."""
    config = TrainConfig(model=places.model, lora_r=4)
    model = add_adapters(load_model(places.model, attention="documents"), config, seed=0)
    trained(model, config)
    expected = states(model)
    assert not torch.equal(expected, states(load_model(places.model, attention="documents")))
    save_model(model, tokenizer, tmp_path / "adapter")
    assert torch.equal(states(load_model(str(tmp_path / "adapter"), attention="documents").eval()), expected)
    assert not (tmp_path / "adapter" / "model.safetensors").exists()
    save_model(model, tokenizer, tmp_path / "merged", merge=True)
    whole = load_model(str(tmp_path / "merged"), attention="documents").eval()
    assert not hasattr(whole, "get_base_model")
    torch.testing.assert_close(states(whole), expected, atol=1e-5, rtol=0)


def test_adapters_are_not_trained_on_top_of_adapters(places, tokenizer, tmp_path):
    config = TrainConfig(model=places.model, lora_r=2)
    save_model(add_adapters(load_model(places.model), config, seed=0), tokenizer, tmp_path)
    with pytest.raises(UsageError, match="holds adapters"):
        model_config(TrainConfig(model=str(tmp_path)), tokenizer)


def test_a_saved_model_opens_with_transformers_alone(places, tokenizer, tmp_path):
    model = load_model(places.model, attention="documents")
    save_model(model, tokenizer, tmp_path)
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert again.config.use_cache is True
    assert weights_hash(again) == weights_hash(model)
    assert str(tmp_path) not in "".join(path.read_text() for path in tmp_path.glob("*.json"))
    assert transformers.AutoTokenizer.from_pretrained(tmp_path).chat_template == tokenizer.chat_template


def test_auto_attention_is_documents_on_a_cpu_and_the_choice_wins():
    assert resolve_attention("auto", CPU.device) == "documents"
    assert resolve_attention("auto", torch.device("cuda")) == "sdpa"
    assert resolve_attention("eager", CPU.device) == "eager"


def test_the_model_inside_a_wrapper_is_found():
    model, _ = adapted()
    assert type(base_model(model)).__name__ == type(base_model(small_model())).__name__ == "LlamaForCausalLM"
