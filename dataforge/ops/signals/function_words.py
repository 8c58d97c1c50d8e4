"""Function words and phrases of boilerplate, as terms.

Function words: for each language, eight words that hardly any text of some length does without. English: those of
Gopher (Rae et al. 2021, table A1). The others: from the common knowledge of their grammars; particles, articles,
prepositions and forms of "to be". Chinese, Japanese and Thai: characters.

Python: `len(EIGHT["en"].split())  # 8`
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["BOILERPLATE", "EIGHT", "LOREM", "PHRASES", "eight_words", "phrases"]

EIGHT = {
    "en": "the be to of and that have with",
    "zh": "的 是 了 在 和 有 不 这",
    "zh-hant": "的 是 了 在 和 有 不 這",
    "ja": "の は に を た が で と",
    "ko": "이 그 수 및 등 것 있는 한",
    "de": "der die und das ist nicht mit von",
    "fr": "le la de et les est que des",
    "es": "de la que el en los se del",
    "pt": "de que o do da em um não",
    "it": "di che il la è per del un",
    "nl": "de het een van en is dat niet",
    "sv": "och att det som en på är för",
    "da": "og at det er en til på af",
    "no": "og det er på som til av ikke",
    "fi": "ja on ei että se hän oli mutta",
    "pl": "i w na nie się z do jest",
    "cs": "a se na je že v to s",
    "hu": "a az és hogy nem is egy volt",
    "ro": "și de în la cu este nu care",
    "sk": "a na je sa že v to s",
    "sl": "in je se na za da so pa",
    "hr": "i je u na se za su da",
    "ca": "de la que i el en un per",
    "et": "ja on ei et see ta oli kui",
    "lt": "ir į kad iš su yra tai buvo",
    "lv": "un ir ka no uz ar par kas",
    "tr": "bir ve bu da için ile olan çok",
    "el": "και το της να του η με για",
    "ru": "и в не на что с по как",
    "uk": "і в не на що з до та",
    "bg": "и на да се от за не е",
    "ar": "في من على أن إلى عن هذا التي",
    "fa": "و در به از که این را با",
    "he": "של את על לא הוא זה עם כי",
    "hi": "के में की है और से को का",
    "vi": "và của là có không cho được các",
    "id": "yang dan di ini dengan untuk dari tidak",
    "th": "ก า ร น เ ใ ไ อ",
}
LOREM = ("lorem ipsum",)
BOILERPLATE = (
    # C4 (Raffel et al. 2020): lines about scripts and policies; ours are phrases, so that a text about JavaScript stays
    *("enable javascript", "javascript is disabled", "requires javascript", "turn on javascript", "javascript enabled"),
    *("terms of use", "terms of service", "privacy policy", "cookie policy", "uses cookies", "use of cookies"),
    *("use cookies", "all rights reserved", "click here to", "skip to content", "add to cart", "sign up for our"),
    *("subscribe to our newsletter", "share this post", "leave a comment", "powered by wordpress"),
    *("隐私政策", "隐私条款", "使用条款", "服务条款", "免责声明", "版权所有", "转载请注明", "未经授权", "未经许可"),
    *("上一篇", "下一篇", "相关阅读", "相关推荐", "推荐阅读", "点击查看", "点击进入", "点击这里", "立即下载"),
    *("扫描二维码", "点击下载"),
    *("关注公众号", "微信公众号", "在线客服", "友情链接", "网站地图", "联系我们", "关于我们", "返回首页", "返回顶部"),
    *("加入收藏", "设为首页", "备案号", "icp备", "责任编辑", "收藏本站", "加微信", "免费咨询", "立即咨询", "咨询热线"),
    *("隱私權政策", "版權所有", "轉載請註明", "上一頁", "下一頁", "相關閱讀", "聯絡我們", "關於我們", "回首頁"),
)
"""Phrases of page furniture, English and Chinese."""
MACHINE = (
    *("ai", "language model", "artificial intelligence", "llm", "chatbot", "virtual assistant"),
    *("人工智能", "语言模型", "机器人", "智能助手"),
)
SPEAKER = ("as a", "as an", "i am", "i m", "作为", "身为", "我是", "我只是", "我仅是", "我仅仅是")
"""One of each stands in every answer that `dataforge.ops.rules.answers.speaks_as_ai` finds; these are found faster."""
PHRASES = {"boilerplate": BOILERPLATE, "lorem": LOREM, "machine": MACHINE, "speaker": SPEAKER}


@cache
def eight_words() -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8]]:
    """EIGHT for kernels: hashes (sorted, unique), where the uses of each begin, and language and bit of each use."""
    from dataforge.ops.terms import Terms

    uses: dict[int, list[tuple[int, int]]] = {}
    for language, words in enumerate(EIGHT.values()):
        for number, word in enumerate(words.split()):
            uses.setdefault(int(Terms.of([word]).hashes[0]), []).append((language, 1 << number))
    hashes = sorted(uses)
    flat = [use for h in hashes for use in uses[h]]
    starts = np.cumsum([0, *(len(uses[h]) for h in hashes)])
    languages, bits = (np.array(column, np.uint8) for column in zip(*flat, strict=True))
    return np.array(hashes, np.uint64), starts.astype(np.int64), languages, bits


@cache
def phrases(which: tuple[str, ...]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Phrases as hashes of their terms, end to end, and where each begins."""
    from dataforge.ops.terms import Terms

    terms = Terms.of(which)
    return terms.hashes, terms.offsets
