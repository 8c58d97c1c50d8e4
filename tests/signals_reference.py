"""What the signals are, once more, in plain Python: slow, and written from their definitions and not from the kernels."""

import re
import unicodedata

UNSPACED = (*range(0x0E00, 0x0F00), *range(0x3041, 0x3130), *range(0x4E00, 0xA000))
CLOSERS = ")]}）］｝】〕〉》」』〗”’\"'»›*_`~"
STOPS = ".!?。！？"
VARIATIONS = frozenset(map(chr, range(0xFE00, 0xFE10)))


def fold(char):
    plain = unicodedata.normalize("NFKC", char)
    plain = plain if len(plain) == 1 else char
    return plain.casefold() if len(plain.casefold()) == 1 else plain


def kind(char):
    char = fold(char)
    if char in "*/%&#@\\-":
        return "symbol"
    category = unicodedata.category(char)
    if category == "Cf" or char in VARIATIONS:
        return "ignored"
    if category[0] in "LMN" or category == "Pc":
        return "char" if ord(char) in UNSPACED else "word"
    return "symbol" if category[0] == "S" else ""


def terms(text):
    """(kind, folded text, characters) of every term."""
    found, pos = [], 0
    while pos < len(text):
        start, what = pos, kind(text[pos])
        if what == "word":
            while pos < len(text) and kind(text[pos]) in ("word", "ignored"):
                pos += 1
            while kind(text[pos - 1]) == "ignored":
                pos -= 1
        elif what == "symbol" and not (
            text[pos] == "-" and re.fullmatch("[A-Za-z]-[A-Za-z]", text[max(pos - 1, 0) : pos + 2])
        ):
            while pos < len(text) and text[pos] == text[start]:
                pos += 1
        else:
            pos += 1
            if what != "char":
                continue
        found.append((what, _folded(text[start:pos]) if what != "symbol" else text[start], pos - start))
    return found


def _folded(word):
    """Zero-width characters and variation selectors are passed over."""
    return "".join(fold(char) for char in word if kind(char) != "ignored")


def grams(tokens, words):
    """(begin, end) of every shortest run of terms that reaches so many words; a char is two thirds of one."""
    found = []
    for begin in range(len(tokens)):
        thirds, end = 0, begin
        while end < len(tokens) and thirds < 3 * words:
            thirds += 2 if tokens[end][0] == "char" else 3
            end += 1
        if thirds >= 3 * words:
            found.append((begin, end))
    return found


def size(tokens):
    return sum(token[2] for token in tokens)


def said(tokens, begin, end):
    return tuple(token[1] for token in tokens[begin:end])


def top(tokens, words):
    """Characters that the n-gram covers which covers most, occurrences that do not overlap."""
    found = {}
    for begin, end in grams(tokens, words):
        covered, times, last = found.get(said(tokens, begin, end), (0, 0, 0))
        if begin >= last:
            found[said(tokens, begin, end)] = (covered + size(tokens[begin:end]), times + 1, end)
    return max((covered for covered, times, _ in found.values() if times > 1), default=0)


def repeated(tokens, words):
    """Characters in n-grams that stood before, from left to right, without overlap."""
    ends, seen, total, at = dict(grams(tokens, words)), set(), 0, 0
    while at in ends:
        gram = said(tokens, at, ends[at])
        if gram in seen:
            total += size(tokens[at : ends[at]])
            at = ends[at]
        else:
            seen.add(gram)
            at += 1
    return total


def loop(tokens):
    """Words in the longest stretch that is one thing three or more times."""
    if not repeated(tokens, 5):
        return 0
    words = [token[1] for token in tokens if token[0] != "symbol"]
    best = 0
    for begin in range(len(words)):
        for period in range(1, min(64, (len(words) - begin) // 3) + 1):
            end = begin + period
            while end < len(words) and words[end] == words[end - period]:
                end += 1
            if end - begin >= 3 * period:
                best = max(best, end - begin)
    return best


def echo(question, answer):
    """Share of the answer's characters in n-grams of four words that the question has."""
    asked, tokens = terms(question), terms(answer)
    known = {said(asked, begin, end) for begin, end in grams(asked, 4)}
    covered = {
        place for begin, end in grams(tokens, 4) if said(tokens, begin, end) in known for place in range(begin, end)
    }
    return sum(tokens[place][2] for place in covered) / max(size(tokens), 1)


def lines(text):
    return [line.strip() for line in text.split("\n") if line.strip()]


def paragraphs(text):
    """Lists of lines between blank lines."""
    blocks, block = [], []
    for line in [*text.split("\n"), ""]:
        if line.strip():
            block.append(line.strip())
        elif block:
            blocks.append(tuple(block))
            block = []
    return blocks


def ends(line):
    """(terminal, ellipsis)."""
    bare = line.rstrip(CLOSERS)
    ellipsis = bare.endswith(("…", "...", "。。。"))
    return line[-1] in '」』”"»' or bare.endswith((*STOPS, "…", "；", "：")), ellipsis


def bullet(line):
    if line[0] in "•●①②" or re.match(r"[-*+–—][\s一-鿿ぁ-ヿ]", line):
        return True
    number = r"(?:[0-9０-９]{1,4}|[一二三四五六七八九十百零〇两]{1,4})"
    return bool(re.match(rf"[(（]?{number}[)）]|{number}[、．]|[0-9０-９]{{1,4}}\.(?=[^0-9０-９])", line))


def width(line):
    return sum(3 if kind(char) == "char" else 1 for char in line)


def sentences(text):
    """Ends of sentences: after a run of stops comes anything else (white space, a closer, Chinese, if it ends in . ! ?)."""
    count = 0
    for found in re.finditer(f"[{re.escape(STOPS)}]+", text):
        after = text[found.end() : found.end() + 1]
        wide = found[0][-1] in "。！？"
        count += bool(wide or not after or after.isspace() or after in CLOSERS or kind(after) == "char")
    return count


def again(values):
    """Which values stand earlier too."""
    seen, found = set(), []
    for value in values:
        found.append(value in seen)
        seen.add(value)
    return found


def measure(text):
    """All counts of a text that the kernels have too."""
    tokens, rows, blocks = terms(text), lines(text), paragraphs(text)
    words = [token for token in tokens if token[0] == "word"]
    chars = [token for token in tokens if token[0] == "char"]
    counts = {
        "words": len(words),
        "chars": len(chars),
        "symbols": len(tokens) - len(words) - len(chars),
        "word_chars": size(words),
        "lettered": sum(any(unicodedata.category(char)[0] == "L" for char in word[1]) for word in words),
        "hashes": len(re.findall("#+|＃+", text)),
        "ellipses": len(re.findall(r"\.{3,}|。{3,}|…+", text)),
        "curly": text.count("{") + text.count("}"),
        "lines": len(rows),
        "bullets": sum(map(bullet, rows)),
        "terminals": sum(ends(line)[0] for line in rows),
        "ellipsis_lines": sum(ends(line)[1] for line in rows),
        "short": sum(width(line) < 30 for line in rows),
        "line_chars": sum(map(len, rows)),
        "repeated_lines": sum(again(rows)),
        "repeated_line_chars": sum(len(line) for line, twice in zip(rows, again(rows), strict=True) if twice),
        "paragraphs": len(blocks),
        "repeated_paragraphs": sum(again(blocks)),
        "repeated_paragraph_chars": sum(
            sum(map(len, block)) for block, twice in zip(blocks, again(blocks), strict=True) if twice
        ),
        "sentences": sentences(text),
        "gram_chars": size(tokens),
    }
    counts |= {f"top_{n}": top(tokens, n) for n in (2, 3, 4)}
    return counts | {f"repeated_{n}": repeated(tokens, n) for n in range(5, 11)}
