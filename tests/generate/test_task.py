"""task: the language of a row's prompts, and chance that depends on the row alone."""

import pytest

from dataforge.generate.task import chance, language_of


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("绿茶怎么泡？", "zh"),
        ("How is green tea brewed?", "en"),
        ("Translate 你好世界 to English, and say what the phrase means.", "en"),
        (
            "如何在 Linux 里用 `grep -r pattern /usr/share/doc` 查找文件？详见 https://example.org/manual/grep.html",
            "zh",
        ),
        ("用 Python 写一个函数，返回 list 的 max 和 min。", "zh"),
        ("", "en"),
        ("1 + 1 = 2", "en"),
    ],
)
def test_the_language_is_that_of_the_words_not_of_names_and_code(text, lang):
    assert language_of(text) == lang


def test_chance_is_the_same_for_the_same_seed_and_row():
    assert chance(1, 2).random() == chance(1, 2).random() != chance(1, 3).random() != chance(2, 2).random()
