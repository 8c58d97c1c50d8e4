"""Presets of `filter`: named rules over score columns, each with the source of its threshold.

Where a published threshold would take more than 2 % of text that is known to be good, ours is looser and says so. Known
good: Chinese statutes (600), translated technical articles of LCTT (1,119), prose of Brown (500), answers of MedQuAD
(2,600), and instruction rows of Alpaca in English and Chinese (about 12,000 and 10,000). What the rules take of these
is in docs/benchmarks.md (`make bench-score`); what bad text they catch, in `tests/ops/test_presets.py`.

CLI: `dataforge filter --list`
Python: `PRESETS["cpt"].rules[0].keep  # "words >= 50"`
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PRESETS", "Preset", "Rule"]


@dataclass(frozen=True)
class Rule:
    """A rule: rows for which `keep` (an SQL expression over score columns) is true, or null, stay.

    source: the paper or tool that the threshold comes from. why: what the rule is for.
    """

    name: str
    keep: str
    source: str
    why: str


@dataclass(frozen=True)
class Preset:
    """Named rules, and the scorers whose columns they use."""

    name: str
    help: str
    scorers: tuple[str, ...]
    rules: tuple[Rule, ...]


GOPHER = "Gopher (Rae et al. 2021, table A1)"
C4 = "C4 (Raffel et al. 2020, section 2.2)"
FINEWEB = "FineWeb (Penedo et al. 2024, section 3.5)"
FINEWEB_ZH = "FineWeb2 (2024, configs/cmn_Hani.yml)"
OURS = "dataforge"
GOOD = "known-good text"

_ANSWERS = (
    Rule("answer_empty", "NOT answer_empty", "AlpacaDataCleaned (2023): empty outputs", "teaches to say nothing"),
    Rule(
        "answer_copies",
        "NOT answer_copies",
        f"{OURS}: exact, so no threshold",
        "an answer that is its question, word for word, answers nothing",
    ),
    Rule(
        "answer_refusal",
        "NOT answer_refusal",
        "ShareGPT_Vicuna_unfiltered and WizardLM unfiltered (2023) have none; patterns: rule `refusal` of validate",
        "refusals are learned fast; where they are right (safety and tool data), keep them: --without answer_refusal",
    ),
    Rule(
        "answer_as_ai",
        "NOT answer_as_ai",
        "ShareGPT_Vicuna_unfiltered and WizardLM unfiltered (2023) have none; patterns: rule `as_an_ai` of validate",
        "the voice of the model that wrote the data",
    ),
    Rule(
        "answer_truncated",
        "NOT answer_truncated",
        f"{OURS}: takes 0.05 % of Alpaca in both languages, most of these cut indeed, and 0.7 % of MedQuAD",
        "answers that hit a token limit teach to stop in mid-sentence",
    ),
    Rule("fence_open", "NOT fence_open", f"{OURS}: exact, so no threshold", "a code block that never ends was cut off"),
    Rule(
        "lang_mismatch",
        "NOT lang_mismatch",
        f"{OURS}: script and language of both sides, questions about languages, words and code left alone",
        "teaches to answer in another language than the user's",
    ),
    Rule(
        "answer_loop",
        "answer_loop <= 0.3",
        f"{OURS}: 99.9 % of Alpaca is below 0.1 in both languages; tables do not count",
        "a generator that got stuck says one thing again and again",
    ),
    Rule(
        "answer_repeats",
        "answer_repeats <= 0.6",
        f"{OURS}: 5 of 21,657 rows of Alpaca are above it; songs and HTML tables come near",
        "most of the answer was said before in it",
    ),
    Rule(
        "too_long",
        "words <= 30000",
        f"{OURS}: 30,000 words are 40,000 tokens, more than the contexts that most models are tuned with",
        "the end, where the answer is, would be cut off in training",
    ),
)

_GOPHER_LINES = (
    Rule("hash_ratio", "hash_ratio <= 0.1", f"{GOPHER}: symbol-to-word ratio 0.1", "tags and code, no text"),
    Rule("ellipsis_ratio", "ellipsis_ratio <= 0.1", f"{GOPHER}: symbol-to-word ratio 0.1", "teasers, cut texts"),
    Rule("bullets", "bullet_share <= 0.9", f"{GOPHER}: 90 % of the lines", "lists without a text"),
    Rule("ellipsis_lines", "ellipsis_share <= 0.3", f"{GOPHER}: 30 % of the lines", "lists of teasers"),
    Rule("dup_lines", "dup_lines <= 0.3", f"{GOPHER}: 0.30 (FineWeb2 for Chinese: 0.287)", "menus, forms, spam"),
    Rule("dup_line_chars", "dup_line_chars <= 0.2", f"{GOPHER}: 0.20 (FineWeb: 0.1)", "menus, forms, spam"),
    Rule("dup_paras", "dup_paras <= 0.3", f"{GOPHER}: 0.30", "copies within a page"),
    Rule("dup_para_chars", "dup_para_chars <= 0.2", f"{GOPHER}: 0.20", "copies within a page"),
)

_REPETITION = (
    Rule(
        "top_2_gram",
        "top_2_gram <= 0.3",
        f"{GOPHER}: 0.20, FineWeb2 for Chinese: 0.256; looser, for the former takes 2.4 % of MedQuAD",
        "one phrase over and over",
    ),
    Rule(
        "top_3_gram",
        "top_3_gram <= 0.28",
        f"{GOPHER}: 0.18, FineWeb2 for Chinese: 0.201; looser, for the former takes 4 % of MedQuAD",
        "one phrase over and over",
    ),
    Rule(
        "top_4_gram",
        "top_4_gram <= 0.25",
        f"{GOPHER}: 0.16, FineWeb2 for Chinese: 0.171; looser, for the former takes 5 % of MedQuAD",
        "one phrase over and over",
    ),
    Rule(
        "dup_5_grams",
        "dup_5_grams <= 0.45",
        f"{GOPHER}: 0.15, FineWeb2 for Chinese: 0.198; looser, for the latter takes 47 % of Chinese statutes",
        "text made of repeated pieces",
    ),
    Rule(
        "dup_10_grams",
        "dup_10_grams <= 0.3",
        f"{GOPHER}: 0.10, FineWeb2 for Chinese: 0.127; looser, for the latter takes 19 % of Chinese statutes",
        "text made of repeated pieces",
    ),
)

_CPT = (
    Rule("too_short", "words >= 50", f"{GOPHER}: 50 words; 75 Han characters", "too little to learn from"),
    Rule("too_long", "words <= 100000", f"{GOPHER}: 100,000 words; 150,000 Han characters", "dumps, logs, whole books"),
    Rule(
        "word_length",
        "cjk_share >= 0.3 OR word_chars BETWEEN 2.5 AND 10",
        f"{GOPHER}: 3 to 10 characters; 2.5, for words without their punctuation, and for Korean and Vietnamese",
        "lists of codes, words run together; Chinese has no such words",
    ),
    Rule(
        "letters",
        "letter_share >= 0.65",
        f"{GOPHER}: 0.80 of the words, FineWeb2 for Chinese: 0.735; looser, for we count each symbol apart",
        "tables of numbers, formulas, code",
    ),
    Rule(
        "stop_words",
        "stop_words >= 2",
        f"{GOPHER}: two of eight English words; ours for 37 languages, Chinese characters among them",
        "lists of keywords and names are no language",
    ),
    Rule(
        "han_particles",
        "cjk_share < 0.3 OR han_particles >= 0.06",
        f"{OURS}: of Chinese statutes 99 % are above 0.09, of LCTT above 0.21",
        "Chinese keyword lists, tables and directories have no 的, 了, 是",
    ),
    Rule(
        "sentences",
        "sentences >= 3 OR (cjk_share >= 0.3 AND sentences >= 1)",
        f"{C4}: 3 sentences (5 in its code); 1 in Chinese, where a short statute is one",
        "menus and titles have no sentences",
    ),
    Rule("lorem_ipsum", "NOT lorem", f"{C4}", "placeholder pages"),
    Rule(
        "boilerplate",
        "boilerplate_share <= 0.3 OR lines < 5",
        f"{C4} drops such lines, in English; ours counts them, in both languages; {GOOD} has less than 0.1",
        "pages of policies, navigation and advertisement",
    ),
    Rule(
        "line_ends",
        "terminal_share >= 0.12 OR lines < 5",
        f"{FINEWEB}: 0.12; not asked of four lines or fewer",
        "menus, tables and lists of links: lines that end nowhere",
    ),
    Rule(
        "short_lines",
        "short_share <= 0.67",
        f"{FINEWEB}: 0.67 of the lines below 30 characters; 10 Han characters (as ChineseWebText)",
        "menus and tables",
    ),
    Rule(
        "newlines",
        "newline_ratio <= 0.3",
        "FineWeb (datatrove, FineWebQualityFilter): 0.3 line ends a word",
        "lists of single words",
    ),
    *_GOPHER_LINES,
    *_REPETITION,
)

_TIGHTER = {
    "boilerplate": Rule(
        "boilerplate",
        "boilerplate_share <= 0.2 OR lines < 5",
        f"{OURS}: 99 % of {GOOD} is below 0.04",
        "Chinese pages carry 版权所有, 相关阅读, 联系我们 and the like",
    ),
    "newlines": Rule(
        "newlines", "newline_ratio <= 0.18", f"{FINEWEB_ZH}: 0.178 line ends a word", "lists of single words"
    ),
    "dup_lines": Rule("dup_lines", "dup_lines <= 0.287", f"{FINEWEB_ZH}: 0.287", "menus, forms, spam"),
    "line_ends": Rule(
        "line_ends",
        "terminal_share >= 0.106 OR lines < 5",
        f"{FINEWEB_ZH}: 0.106; not asked of four lines or fewer",
        "menus, tables and lists of links: lines that end nowhere",
    ),
    **{
        f"top_{n}_gram": Rule(
            f"top_{n}_gram", f"top_{n}_gram <= {most}", f"{FINEWEB_ZH}: {most}", "one phrase over and over"
        )
        for n, most in ((2, 0.256), (3, 0.201), (4, 0.171))
    },
}
_ZH_WEB = (
    Rule(
        "chinese",
        "cjk_share >= 0.3 AND han_particles IS NOT NULL",
        "ChineseWebText (Chen et al. 2023): 30 % of the characters; ours of the words, with less than 5 % kana",
        "pages in other languages; they are not bad, they are not Chinese",
    ),
    *(_TIGHTER.get(rule.name, rule) for rule in _CPT if rule.name != "word_length"),
)

PRESETS: dict[str, Preset] = {
    "sft": Preset("sft", "conversations: what is wrong with the answer", ("rules",), _ANSWERS),
    "cpt": Preset("cpt", "documents in any language, Chinese by measures of its own", ("rules",), _CPT),
    "zh-web": Preset("zh-web", "Chinese web pages", ("rules",), _ZH_WEB),
}
"""Name -> preset."""
