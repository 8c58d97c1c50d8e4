"""Repair `boilerplate`: lines that pages put around their text, on request.

A line goes if it is nothing but a call to click, share, subscribe, log in or accept cookies, a copyright notice, a
notice about reprinting, or one of the user's own lines (--boilerplate FILE; white space around and case do not count).
Only whole lines of at most 80 characters, outside code (fenced, or set in by four blanks or a tab); a sentence that
speaks of cookies stays.
"""

from __future__ import annotations

import re
from collections import Counter

from dataforge.ops.cleaning.fences import outside
from dataforge.ops.cleaning.repair import Repair, Settings

__all__ = ["REPAIRS"]

LONGEST = 80
INDENT = ("    ", "\t")
_ENGLISH = r"""
    (?:click|tap)\ here(?:\ (?:to|for)\ [\w\ ']{2,40})?
    |(?:read|learn|see|show|load|view)\ (?:more|all|less)(?:\ \.\.\.)?
    |(?:continue|keep)\ reading
    |share\ (?:this|on|via|to)\b[\w\ ,:&/+-]{0,40}
    |(?:follow|like|find|join)\ us\ on\ [\w\ ,&/+-]{2,40}
    |(?:subscribe|sign\ up)(?:\ (?:to|for|now|today)\b[\w\ '-]{0,40})?
    |(?:log|sign)\ ?in(?:\ (?:or|/)\ (?:register|sign\ ?up))?(?:\ to\ (?:comment|continue|reply|post)[\w\ ]{0,20})?
    |(?:accept|reject|manage)\ (?:all\ )?cookies
    |(?:this|our)\ (?:web)?site\ uses\ cookies[\w\ ,.']{0,50}
    |(?:©|copyright\ (?:©|\(c\)|(?=\d{4}))|\(c\)(?=\ ?\d{4}))[\s\d,-]{0,14}[\w\ .,&'-]{0,50}
    |[\w\ .,&'-]{0,30}all\ rights\ reserved
    |(?:skip|jump)\ to\ (?:main\ )?(?:content|navigation)|back\ to\ top|privacy\ policy|terms\ of\ (?:use|service)
    |advertisement|sponsored(?:\ content)?|leave\ a\ (?:reply|comment)|\d+\ comments?
    |related\ (?:posts|articles|stories)
"""
_CHINESE = r"""
    点击(?:这里|此处)?(?:查看|阅读|展开|下载|关注|进入)?(?:全文|更多|详情|原文|大图|下一页)
    |(?:阅读|查看|展开)(?:全文|原文|更多|详情)|加载更多|返回(?:顶部|首页|上一页)
    |分享(?:到|至)[：:\s]?[\w\s、/]{0,20}|(?:扫码|扫一扫|长按)?(?:二维码)?关注(?:我们|公众号|微信公众号)[\w\s:：“”]{0,20}
    |(?:请)?(?:先)?(?:登录|注册)(?:后(?:发表评论|回复|查看))?|发表评论|相关(?:阅读|文章|推荐)|(?:上|下)一篇(?:文章)?(?:[：:].{0,40})?
    |(?:本文|文章)?(?:转载|转发)(?:请|需|须)(?:注明|保留)(?:出处|来源|作者|本文链接)[^。]{0,30}
    |(?:本文|文章)(?:来源|来自|转自)[：:].{0,40}|责任编辑[：:].{0,20}|(?:未经授权|未经许可)[，,]?(?:禁止|不得|请勿)转载
    |版权所有.{0,40}|(?:©|copyright).{0,40}版权所有|[京沪粤浙苏]ICP[备证]\d{6,10}号(?:-\d+)?
"""
_LINE = re.compile(rf"(?ix)(?:{_ENGLISH}|{_CHINESE})\s*[.!。！…»>→]*")


def _needed(text: str) -> bool:
    return bool(text)


def _repair(text: str, settings: Settings, found: Counter[str]) -> str:
    """The text without such lines."""

    def without(stretch: str) -> str:
        lines = stretch.split("\n")
        kept = [line for line in lines if line.startswith(INDENT) or not _is_boilerplate(line.strip(), settings)]
        found["lines"] += len(lines) - len(kept)
        return "\n".join(kept)

    return outside(text, without)


def _is_boilerplate(line: str, settings: Settings) -> bool:
    if not line:
        return False
    if settings.lines and line.casefold() in settings.lines:
        return True
    return len(line) <= LONGEST and _LINE.fullmatch(line) is not None


REPAIRS = (Repair("boilerplate", "lines that pages put around their text", _needed, _repair),)
