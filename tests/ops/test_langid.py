"""Language identification: what scripts decide, what the model decides, and what neither may guess at."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.ops.langid import UNKNOWN, detect, detect_all, known_codes

SENTENCES = {
    "en": "How do I sort a list of numbers in Python?",
    "fr": "Quelle est la capitale de la France ?",
    "de": "Ich möchte ein Zimmer für zwei Nächte reservieren.",
    "es": "¿Cuál es la capital de España?",
    "it": "Grazie mille per il tuo aiuto.",
    "pt": "Muito obrigado pela sua ajuda.",
    "ru": "Какая столица России?",
    "tr": "Yardımınız için teşekkür ederim.",
    "vi": "Cảm ơn bạn rất nhiều.",
    "ar": "ما هي عاصمة مصر؟",
    "fa": "می‌خواهم یک کتاب بخرم",
    "hi": "भारत की राजधानी क्या है?",
    "th": "เมืองหลวงของประเทศไทยคืออะไร",
    "zh": "请用Python写一个快速排序。",
    "ja": "日本の首都は東京です。",
    "ko": "한국의 수도는 서울입니다.",
}


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_is_of_its_language(code):
    assert detect(SENTENCES[code]).code == code


@pytest.mark.parametrize(
    "text", ["你好", "谢谢。", "好", "請問最近的地鐵站在哪裡?", "使用 Docker Compose 部署 Redis 集群"]
)
def test_short_and_mixed_chinese_is_chinese(text):
    assert detect(text).code == "zh"


@pytest.mark.parametrize(
    ("text", "code"), [("こんにちは", "ja"), ("東京へ行く", "ja"), ("コンピュータ", "ja"), ("네", "ko"), ("안녕", "ko")]
)
def test_short_japanese_and_korean_are_told_from_chinese(text, code):
    assert detect(text).code == code


@pytest.mark.parametrize(
    "text", ["", "   ", "123", "ok", "Hi", "👍", "3.14 m/s^2", "...", "\ud800", "https://a.example/b", "x = y + 1"]
)
def test_what_is_too_short_to_tell_is_undetermined(text):
    assert detect(text).code == UNKNOWN


def test_some_chinese_in_an_english_sentence_leaves_it_english():
    assert detect('Please translate "你好" into English for me').code == "en"


def test_chinese_with_more_latin_letters_than_characters_is_chinese():
    text = "运行 docker compose up 启动 Elasticsearch 和 Kibana 容器，然后打开 Grafana dashboard"
    assert detect(text).code == "zh"


def test_a_long_text_is_judged_by_its_beginning_middle_and_end():
    assert detect("The committee will meet again tomorrow morning. " * 50_000).code == "en"
    assert detect("今天天气很好，我们去公园散步。" * 50_000).code == "zh"


def test_every_answer_is_a_known_code():
    assert {*SENTENCES, UNKNOWN} <= set(known_codes())


@settings(max_examples=50)
@given(st.lists(st.text(max_size=60), max_size=6))
def test_texts_are_judged_alike_alone_and_together(texts):
    together = detect_all(texts)
    assert together == [detect(text) for text in texts]
    assert all(one.code in known_codes() and 0 <= one.probability <= 1 for one in together)
