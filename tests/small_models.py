"""Folders of small random chat models with a tokenizer, for the tests that answer with them."""

from __future__ import annotations

import os
from functools import cache

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

TEXTS = [
    "You are a careful teacher. Write a new task, and answer it in one sentence. assistant user system",
    "What is the capital of France? The capital of France is Paris. How is green tea brewed?",
    "你是一位细心的老师。请写一个新的任务，并用一句话回答。法国的首都是哪里？法国的首都是巴黎。",
    "天空是什么颜色？晴天的时候是蓝色的。一加一等于几？等于二。",
]
LLAMA = {
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
GPT2 = {"n_embd": 48, "n_layer": 2, "n_head": 4, "n_positions": 512}


@cache
def small_tokenizer():
    """A byte-level tokenizer with the chatml template, trained on a few sentences."""
    from dataforge.shards.train_tokenizer import train_bpe

    return train_bpe(TEXTS * 3, vocab_size=480)


def save_small_model(folder, kind="llama", *, tokenizer=None, spread=5.0, **settings):
    """A model with random weights, spread out so that mistakes show, in a folder; returns the folder as a text."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    tokenizer = tokenizer or small_tokenizer()
    values = {**(GPT2 if kind == "gpt2" else LLAMA), "vocab_size": len(tokenizer), **settings}
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    torch.manual_seed(5)
    model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(kind, **values, **ids))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter.mul_(spread)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
