"""Small random models, a small tokenizer and rows, shared by the tests of this folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from dataforge.shards.train_tokenizer import train_bpe
from dataforge.train.device import Runtime
from dataforge.train.model import init_model

torch.set_num_threads(1)

CPU = Runtime(torch.device("cpu"), torch.float32)

SMALL = {"vocab_size": 96, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
GEMMA = {**SMALL, "num_key_value_heads": 2, "head_dim": 8, "sliding_window": 4}
ARCHITECTURES = {
    "llama": transformers.LlamaConfig(**SMALL, num_key_value_heads=2),
    "qwen2": transformers.Qwen2Config(**SMALL, num_key_value_heads=2),
    "qwen3": transformers.Qwen3Config(**SMALL, num_key_value_heads=2, head_dim=8),
    "mistral": transformers.MistralConfig(**SMALL, num_key_value_heads=2, sliding_window=4),
    "gemma2": transformers.Gemma2Config(**GEMMA, attn_logit_softcapping=2.0, final_logit_softcapping=1.0),
    "gemma3": transformers.Gemma3TextConfig(**GEMMA, layer_types=["sliding_attention", "full_attention"]),
    "gpt2": transformers.GPT2Config(vocab_size=96, n_embd=32, n_layer=2, n_head=4, n_positions=64),
    "cohere": transformers.CohereConfig(**SMALL, num_key_value_heads=2, logit_scale=0.5),
    "granite": transformers.GraniteConfig(**SMALL, num_key_value_heads=2, logits_scaling=3.0),
}

CHAT = [
    ("What is the capital of France?", "The capital of France is Paris."),
    ("法国的首都是哪里？", "法国的首都是巴黎。"),
    ("Name three colours.", "Red, green and blue."),
    ("一加一等于几？", "等于二。"),
    ("How is green tea brewed?", "With water below boiling, for two minutes."),
    ("天空是什么颜色？", "晴天的时候是蓝色的。"),
    ("Who wrote Hamlet?", "William Shakespeare wrote it."),
    ("你好！", "你好，有什么可以帮你？"),
]


def small_model(name: str = "llama", attention: str = "documents", **changes: object) -> transformers.PreTrainedModel:
    """A random model of an architecture, its initial weights spread out so that mistakes show."""
    settings = type(ARCHITECTURES[name])(**{**ARCHITECTURES[name].to_dict(), **changes})
    model = init_model(settings, seed=1, attention=attention)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter.mul_(6)
    return model.eval()


def packed_row(*lengths: int, seed: int = 0, trained: float = 0.6, vocabulary: int = 96):
    """A random packed row of documents of these lengths, some of their tokens supervised."""
    generator = np.random.default_rng(seed)
    ids = generator.integers(0, vocabulary, sum(lengths)).astype(np.int32)
    labels = np.where(generator.random(len(ids)) < trained, ids, -100).astype(np.int32)
    labels[np.cumsum(lengths) - lengths] = -100
    return ids, labels, np.array(lengths, np.int32)


class MemoryRows:
    """Packed rows in memory, of the same shape as shards."""

    def __init__(self, rows):
        self.rows = list(rows)
        self.row_lengths = np.array([len(row[0]) for row in self.rows])
        self.trained = int(sum((row[1] != -100).sum() for row in self.rows))

    def __len__(self):
        return len(self.rows)

    def row(self, index):
        return self.rows[index]


@pytest.fixture(scope="session")
def tokenizer():
    texts = [text for pair in CHAT for text in pair] * 3
    return train_bpe([*texts, "user assistant system"], vocab_size=420)


@pytest.fixture(scope="session")
def places(tokenizer, tmp_path_factory):
    """Folders on disk: a model with its tokenizer, a tokenizer alone, a config, and files of rows."""
    root = tmp_path_factory.mktemp("places")
    settings = {**SMALL, "num_key_value_heads": 2, "max_position_embeddings": 256}
    config = transformers.LlamaConfig(
        **{**settings, "vocab_size": len(tokenizer)},
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = init_model(config, seed=3)
    model.save_pretrained(root / "model")
    tokenizer.save_pretrained(root / "model")
    tokenizer.save_pretrained(root / "tokenizer")
    settings.pop("vocab_size")
    (root / "llama.json").write_text(json.dumps({"model_type": "llama", **settings}))
    _jsonl(root / "chat.jsonl", [{"messages": _messages(*pair)} for pair in CHAT])
    _jsonl(root / "texts.jsonl", [{"text": " ".join(pair) * 3} for pair in CHAT])
    return SimpleNamespace(
        root=root,
        model=str(root / "model"),
        tokenizer=str(root / "tokenizer"),
        config=str(root / "llama.json"),
        chat=str(root / "chat.jsonl"),
        texts=str(root / "texts.jsonl"),
    )


def _messages(question: str, answer: str):
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def _jsonl(path: Path, rows) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
