"""Train a byte-level BPE tokenizer with the chatml template.

Reads an iterable of texts once; writes a folder that `AutoTokenizer.from_pretrained` opens.
Cost: memory grows with the number of different words, not with the corpus; about 1 MB of text a second on two cores.

CLI: `dataforge tokenizer train corpus.jsonl -o my-tokenizer --vocab-size 8192`
Python: `train_bpe(["hello world", "你好"], vocab_size=512).save_pretrained("my-tokenizer")`

There is no normaliser and every byte has a token, so decode(encode(text)) == text for any text. Words are split as
GPT-2 splits them, with three changes: a run of Han characters is a word of its own (so that Chinese text does not
glue to Latin letters or spaces), digits stand alone (so that a number has one spelling), and line breaks in a row
stay together.

Special tokens, in the order of their ids: `<|endoftext|>` ends a document, `<|im_start|>` opens a turn, `<|im_end|>`
closes it and is the eos token (generation stops there), `<|pad|>` pads. A reader finds the end-of-document token by
its name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dataforge.shards.chatml import CHATML, END_OF_TEXT, PAD, TURN_END, TURN_START

__all__ = ["MINIMUM_VOCABULARY", "SPECIAL_TOKENS", "WORD_PATTERN", "train_bpe"]

SPECIAL_TOKENS = (END_OF_TEXT, TURN_START, TURN_END, PAD)

MINIMUM_VOCABULARY = 256 + len(SPECIAL_TOKENS)
"""All bytes and the special tokens."""

WORD_PATTERN = "|".join(
    (
        r"'(?:[sdmtSDMT]|ll|ve|re|LL|VE|RE)",
        r"\p{Han}+",
        r" ?[\p{L}\p{M}&&[^\p{Han}]]+",
        r"\p{N}",
        r" ?[^\s\p{L}\p{M}\p{N}]+",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
"""What may become one token: Oniguruma syntax; a match never crosses into the next word."""


def _untrained() -> Any:
    """A tokenizer with its splitting rules and no vocabulary yet."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    # Offsets that leave out the space before a word would put a mask's edge one character off.
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def train_bpe(texts: Iterable[str] | Iterable[list[str]], *, vocab_size: int = 8192, min_frequency: int = 2) -> Any:
    """A transformers tokenizer learnt from texts; the same texts in the same order give the same tokenizer.

    texts: one by one, or in lists.
    vocab_size: tokens at most, all bytes and special tokens included (a small corpus may give fewer).
    min_frequency: a pair that occurs less often is not merged.
    """
    from tokenizers import pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = _untrained()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        show_progress=False,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=TURN_END,
        pad_token=PAD,
        additional_special_tokens=[END_OF_TEXT, TURN_START],
        chat_template=CHATML,
        clean_up_tokenization_spaces=False,
    )
