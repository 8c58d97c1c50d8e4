from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from dataforge.shards.chatml import CHATML
from dataforge.shards.template import tokenizer_hash
from dataforge.shards.train_tokenizer import MINIMUM_VOCABULARY, SPECIAL_TOKENS, train_bpe

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@settings(max_examples=400, deadline=None)
@given(
    texts
    | st.sampled_from(
        ["你好，世界！\n", " \u3000 全角　空格", "ﬁ é e\u0301 𠮷 👨‍👩‍👧", "<|im_end|> x", "\r\n\x00\x7f", "'s ' 'S"]
    )
)
def test_decoding_gives_back_any_text(tokenizer, text):
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_it_learns_words_of_both_languages(tokenizer):
    assert len(tokenizer.tokenize("The capital")) < len("The capital") / 2
    assert len(tokenizer.tokenize("法国的首都")) < len("法国的首都".encode()) / 2


def test_han_digits_and_words_stand_apart(tokenizer):
    pieces = [
        part
        for part, _ in tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("在2024年用Python写 代码，it's ok")
    ]
    as_text = [tokenizer.backend_tokenizer.decoder.decode([piece]) for piece in pieces]
    assert as_text == ["在", "2", "0", "2", "4", "年用", "Python", "写", " ", "代码", "，", "it", "'s", " ok"]


def test_the_folder_opens_with_autotokenizer_and_has_all_that_chat_needs(tokenizer_folder):
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    assert tokenizer.convert_ids_to_tokens([0, 1, 2, 3]) == list(SPECIAL_TOKENS)
    assert (tokenizer.eos_token, tokenizer.pad_token, tokenizer.bos_token) == ("<|im_end|>", "<|pad|>", None)
    assert tokenizer.chat_template == CHATML
    assert tokenizer.decode([0, 1, 2], skip_special_tokens=True) == ""


def test_the_same_texts_give_the_same_tokenizer():
    corpus = ["the cat sat on the mat 猫坐在垫子上", "一只猫 one cat, two cats"] * 4
    first, second = (train_bpe(iter(corpus), vocab_size=330) for _ in range(2))
    assert tokenizer_hash(first) == tokenizer_hash(second)


def test_the_vocabulary_is_at_most_what_was_asked_for():
    assert len(train_bpe(["aaaa bbbb " * 9], vocab_size=MINIMUM_VOCABULARY)) == MINIMUM_VOCABULARY
    assert len(train_bpe(["ab" * 50, "你好" * 9], vocab_size=5000)) < 5000


def test_an_error_of_the_text_source_is_not_swallowed():
    def source():
        yield "fine"
        raise LookupError("row 2 is broken")

    with pytest.raises(LookupError, match="row 2 is broken"):
        train_bpe(source(), vocab_size=300)
