from __future__ import annotations

import pytest

from dataforge.errors import InputError, UsageError
from dataforge.shards.chatml import CHATML
from dataforge.shards.template import describe_tokenizer, end_of_text_id, load_tokenizer, tokenizer_hash


def test_a_tokenizer_without_a_template_is_refused_for_conversations_only(tokenizer, tmp_path):
    bare = load_tokenizer(tokenizer.name_or_path)
    bare.chat_template = None
    bare.save_pretrained(tmp_path / "bare")
    (tmp_path / "bare" / "chat_template.jinja").unlink(missing_ok=True)
    with pytest.raises(UsageError, match="no chat template") as caught:
        load_tokenizer(str(tmp_path / "bare"))
    assert "--template" in caught.value.help
    assert load_tokenizer(str(tmp_path / "bare"), conversations=False).chat_template is None
    assert load_tokenizer(str(tmp_path / "bare"), "chatml").chat_template == CHATML


def test_a_template_file_takes_the_place_of_the_tokenizers_own(tokenizer_folder, tmp_path):
    (tmp_path / "my.jinja").write_text("{{ messages[0].content }}。", encoding="utf-8")
    tokenizer = load_tokenizer(tokenizer_folder, str(tmp_path / "my.jinja"))
    assert tokenizer.apply_chat_template([{"role": "user", "content": "你好"}], tokenize=False) == "你好。"


def test_a_misspelt_template_name_gets_a_suggestion(tokenizer_folder):
    with pytest.raises(UsageError, match="'chatlm' is neither") as caught:
        load_tokenizer(tokenizer_folder, "chatlm")
    assert caught.value.help == "did you mean 'chatml'?"


def test_a_missing_template_file_is_an_input_error(tokenizer_folder):
    with pytest.raises(InputError, match=r"no\.jinja cannot be read"):
        load_tokenizer(tokenizer_folder, "no.jinja")


def test_a_missing_tokenizer_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="cannot be opened"):
        load_tokenizer(str(tmp_path))


@pytest.mark.parametrize("path", ["分词器", "no/such/folder", "./tok", "/no-such-folder", "tests/tok", ""])
def test_a_misspelt_folder_is_said_at_once_and_not_sought_on_the_hub(path, monkeypatch, tmp_path):
    (tmp_path / "tests").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        load_tokenizer(path)


def test_chatml_is_refused_for_a_tokenizer_without_its_markers(tmp_path, foreign_tokenizer):
    foreign_tokenizer.save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=r"chatml needs <\|im_start\|> and <\|im_end\|>"):
        load_tokenizer(str(tmp_path), "chatml")


def test_the_end_of_a_document_is_the_end_of_text_token_else_eos(tokenizer, foreign_tokenizer):
    assert tokenizer.convert_ids_to_tokens(end_of_text_id(tokenizer)) == "<|endoftext|>"
    assert foreign_tokenizer.convert_ids_to_tokens(end_of_text_id(foreign_tokenizer)) == "</s>"


def test_the_hash_of_a_tokenizer_does_not_change_with_its_use(tokenizer):
    before = tokenizer_hash(tokenizer)
    tokenizer(["a", "你好 世界"], padding=True, truncation=True, max_length=3)
    assert tokenizer_hash(tokenizer) == before
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()


def test_different_tokenizers_have_different_hashes(tokenizer, foreign_tokenizer):
    assert describe_tokenizer(tokenizer)["hash"] != describe_tokenizer(foreign_tokenizer)["hash"]
