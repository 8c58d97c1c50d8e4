"""Whether a question can be asked without the text it was made from: "according to the passage", 文中, 本法第三条.

Models that see a passage ask about "the passage". Whoever is asked later has none, and learns to make one up. Two
strengths: `references` finds words for the text itself, in questions and answers alike; with `deictic` also laws,
acts and sections that are only "this" one (本法, this Act), which an answer may quote, but no question may rest on.

Python: `references("What does the author claim in paragraph 2?")  # 'the author'`
"""

from __future__ import annotations

import re

__all__ = ["references"]

_TEXT = r"passage|excerpt|extract|snippet|text|paragraph|article|document|story|essay|material|source|section|content"
_GIVEN = r"above|below|given|provided|following|preceding|accompanying|attached|quoted"
_ENGLISH = (
    rf"(?:according|based|referring|refer|with reference|in response) (?:to|on|upon) (?:the|this|that|these)"
    rf"(?: (?:{_GIVEN}))? (?:{_TEXT}|information|context|author|details)s?\b(?! of the\b)",
    rf"(?:mentioned|described|stated|discussed|listed|given|provided|presented|outlined|quoted|shown|cited|named|"
    rf"explained|said|used|found|included)(?: (?:here|explicitly|directly))? (?:in|by|within|throughout) "
    rf"(?:the|this|that)"
    rf"(?: (?:{_GIVEN}))? (?:{_TEXT}|author|writer)s?\b",
    rf"(?:the|this) (?:{_GIVEN}) (?:{_TEXT}|information|context|facts|details|data|dialogue|conversation)s?\b",
    rf"(?:the|this) (?:{_TEXT}|information|context) (?:above|below|provided|given)\b",
    r"(?:the|this) (?:passage|excerpt|snippet)s?\b(?! of time)",
    r"(?:this|that) (?:text|paragraph|article|document|story|essay)\b",
    r"(?:the|this) (?:text|article|document|paragraph|author|writer|narrator|speaker) "
    r"(?:says?|states?|mentions?|describes?|argues?|claims?|suggests?|discuss(?:es)?|explains?|believes?|thinks?|"
    r"recommends?|emphasi[sz]es?|concludes?|lists?|gives?|provides?|point(?:s)? out|refers?)\b",
    r"(?:does|did|is|was|do) (?:the|this) (?:text|article|document|author|writer|narrator|paragraph) "
    r"(?:say|state|mention|describe|argue|claim|suggest|discuss|explain|believe|think|recommend|emphasi[sz]e|"
    r"conclude|list|give|provide|point|refer|trying|use|want)\b",
    r"(?:mentioned|described|listed|discussed|as (?:stated|shown|noted)) (?:above|below|earlier)\b",
    r"aforementioned",
    r"(?:main|central|primary) (?:idea|point|theme|topic|purpose|argument) of (?:the|this) "
    r"(?:text|article|document|paragraph|author|essay|story)",
)
_ZH_TEXT = "文本|文章|段落|段文字|文字|短文|材料|资料|文档|片段|原文|课文|选段|语段|段话|篇文|新闻|报道|故事|内容|信息"
_ZH_ONLY = "文本|文章|段落|段文字|短文|材料|文档|片段|选段|语段|段话|篇文章"
_CHINESE = (
    rf"(?:上述|以上|上面|下面|下列|以下|前述|所给|给定|给出的|提供的)(?:的|这|这段|这篇|该)?(?:{_ZH_TEXT})",
    rf"(?:该|此|这|(?<![脚剧标样版文])本)(?:段|篇|份|则|个)?(?:{_ZH_ONLY})",
    rf"(?:根据|依据|结合|通读|阅读)(?:所给|给定|提供)?的?(?:{_ZH_TEXT})(?![论化技系学产安]|的(?!内容|描述|介绍|说法|观点))",
    rf"(?:按照|基于|参考|参照)(?:所给|给定|提供)的?(?:{_ZH_TEXT})",
    r"(?<![上下语散论作中英外经国人水花条韵诗课古译天斯碑法序全引附正])文中(?!学|心|国|文|医|央|华|级|等|间|化)",
    r"(?<![日资标样剧脚版成基])本(?:文(?!化|明|献|字|学|件|书|凭|盲|科)|段(?!时)|篇)",
    r"(?<![以之往上])(?:上文|下文|前文|原文)(?:中|里|所|提到|提及|说)",
    r"(?:作者|笔者|译者|小编)(?:在文|认为|指出|提到|提出|建议|强调|的观点|想要|为什么|为何|如何看|对此|对.{1,8}的(?:看法|态度))",
)
_DEICTIC = (
    r"(?:this|the present|the said) (?:act|law|code|regulation|statute|ordinance|chapter|section|part|decision|"
    r"agreement|convention|guide|tutorial|post|blog|page|book|report|study|paper|speech)s?\b",
    r"(?:under|of|in|per) (?:article|section|chapter|paragraph|clause) \d+\s*\?",
    r"(?<![根基资日成标样版剧脚课书原文版])本(?:法(?!院|官|律|国|人|庭|币|轮|力|事)|条(?:例|款)?(?!件)|办法|规定|规则|决定|细则|章程?|"
    r"标准(?!化|差|音|间|件|库)|准则|规程|规范|解释|方案|纲要|协议|合同|手册|通知|意见|公约|协定|教程|指南|报告|节(?!目|日|约|点|奏|气))",
    r"(?<![几这那哪每多一二两三四五六七八九十百\d ])本[书页]",
    r"^第[零一二三四五六七八九十百千\d]+[条章节款]",
    r"(?<![以之往目当提从日年期])前[款条](?:的?规定|所(?:列|称|指|述)|中|的?情形|的?行为|是|有)",
)
_PLAIN = re.compile("|".join((*(rf"\b{p}" for p in _ENGLISH), *_CHINESE)), re.IGNORECASE)
_ALL = re.compile("|".join((*(rf"\b{p}" for p in (*_ENGLISH, *_DEICTIC[:2])), *_CHINESE, *_DEICTIC[2:])), re.IGNORECASE)


def references(text: str, *, deictic: bool = False) -> str | None:
    """The first words that point at a text that is not there; None if there are none. deictic: see the module."""
    found = (_ALL if deictic else _PLAIN).search(text)
    return found.group() if found else None
