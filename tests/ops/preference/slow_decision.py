"""An oracle for the decision of pairs: the same rules in plain Python, answer by answer, and tables to try both on."""

from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import xxhash
from hypothesis import strategies as st

from dataforge.ops.preference.strategy import BY, UNUSED
from dataforge.ops.preference.table import Table, VoteColumns

TEXTS = ("好", "好的", "好 的", "好的，我这就来", "是的", "不", "no", "no way", "no way at all", "yes", "")
LABELS = {None: -1, "rejected": 0, "chosen": 1}
STEP, FIRST, SECOND, ALL = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 2**64 - 1


@dataclass(frozen=True)
class Answer:
    """An answer as a test writes it. set: which answers it competes with; text: what it says."""

    set: object
    text: str
    score: float | None = None
    rank: int | None = None
    label: str | None = None
    prompt: str | None = None

    @property
    def asked(self):
        return self.prompt if self.prompt is not None else f"问题 {self.set}"

    @property
    def plain(self):
        return "".join(self.text.split())


def halves(text):
    number = xxhash.xxh3_128_intdigest(text.encode())
    return number >> 64, number & ALL


def table_of(answers, votes=(), *, texts=True, opening=False):
    """The table of some answers. votes: (first, second, won), numbers of answers."""
    sets = list(dict.fromkeys(a.set for a in answers))

    def pair(texts):
        return np.array([halves(text) for text in texts], np.uint64).reshape(-1, 2)

    def starts(text):
        return halves(text[:32])[0] | 1 if len(text) >= 32 else 0

    votes = list(votes)
    columns = [np.array([v[0] for v in votes], np.int64), np.array([v[1] for v in votes], np.int64)]
    return Table(
        np.array([sets.index(a.set) for a in answers], np.int64),
        pair(a.asked for a in answers),
        pair(a.text for a in answers),
        pair(a.plain for a in answers),
        np.array([np.nan if a.score is None else a.score for a in answers], np.float64),
        np.array([-1 if a.rank is None else a.rank for a in answers], np.int32),
        np.array([LABELS[a.label] for a in answers], np.int8),
        np.array([len(a.text) for a in answers], np.int64),
        np.full(len(answers), -1, np.int32),
        np.array([sets.index(a.set) for a in answers], np.int64),
        votes=VoteColumns(*columns, np.array([v[2] for v in votes], np.float64)) if votes else None,
        texts=(lambda numbers: [answers[n].text for n in numbers]) if texts else None,
        opening=np.array([starts(a.plain) for a in answers], np.uint64) if opening else None,
    )


def answers_strategy(*, most=14, texts=TEXTS, prompts=True):
    """Lists of answers in few sets, with ties, holes and repeats; several sets may have one prompt."""
    one = st.builds(
        Answer,
        st.integers(0, 3),
        st.sampled_from(texts),
        st.sampled_from([None, 1.0, 2.0, 2.5, 4.0, 5.0]),
        st.sampled_from([None, 0, 1, 2, 3]),
        st.sampled_from([None, None, "chosen", "rejected"]),
    )
    made = st.lists(one, max_size=most)
    if not prompts:
        return made
    return st.tuples(made, st.sampled_from([1, 2, 9])).map(
        lambda both: [replace(a, prompt=f"问 {a.set % both[1]}") for a in both[0]]
    )


def drawn(seed, *numbers):
    state = seed % 2**64
    for number in numbers:
        state = ((state + STEP) & ALL) ^ number
        state = (state ^ state >> 30) * FIRST & ALL
        state = (state ^ state >> 27) * SECOND & ALL
        state ^= state >> 31
    return state


class Slow:
    """pairs: (chosen, rejected), numbers of answers. fate: of each answer. fallen: ordered pairs by guard."""

    def __init__(self, answers, strategy, strengths=None):
        self.answers, self.strategy, self.strengths = answers, strategy, strengths
        self.fallen, self.passed, self.last = {}, set(), {}
        self.fate = [""] * len(answers)
        self.value, self.labelled = {}, set()
        sets = [list(g) for _, g in groupby(sorted(range(len(answers)), key=self.set_of), key=self.set_of)]
        self.levels = [self.ordered(members) for members in sets]
        self.said = {
            (answers[c].asked, answers[c].text, answers[r].text) for levels in self.levels for c, r in strict(levels)
        }
        pairs = [pair for levels in self.levels for pair in self.taken(levels)]
        for entry, name in self.last.items():
            self.fate[entry] = "not_selected" if entry in self.passed else name
        pairs = self.keep("repeated", pairs, self.once(pairs))
        pairs = self.keep("max_pairs_per_prompt", pairs, self.within(pairs))
        for entry in {e for pair in pairs for e in pair}:
            self.fate[entry] = ""
        self.pairs = pairs

    def set_of(self, entry):
        return str(self.answers[entry].set)

    def ordered(self, members):
        """Levels of equal answers, the best first."""
        if len(members) == 1:
            self.fate[members[0]] = "alone"
            return []
        by = "score" if self.strategy.name == "threshold" else self.strategy.by
        best = {}
        for name in BY[1:] if by == "auto" else (by,):
            values = {e: self.measured(e, name) for e in members}
            values = {e: v for e, v in values.items() if v is not None}
            if len(set(values.values())) > 1:
                best = values
                self.labelled |= set(values) if name == "label" else set()
                break
            best = best or values
        for entry in members:
            if entry not in best or len(best) == 1:
                self.fate[entry] = "not_comparable"
            elif len(set(best.values())) == 1:
                self.fate[entry] = "tie"
        self.value |= best
        line = sorted(best, key=lambda e: (-best[e], self.tie(e), e))
        return [list(level) for _, level in groupby(line, key=lambda e: best[e])]

    def measured(self, entry, name):
        answer = self.answers[entry]
        if name == "label":
            return None if answer.label is None else LABELS[answer.label]
        if name == "rank":
            return None if answer.rank is None else -answer.rank
        return answer.score if name == "score" else None

    def tie(self, entry):
        answer = self.answers[entry]
        bits = 0 if answer.score is None else int(np.float64(answer.score + 0.0).view(np.uint64))
        return drawn(self.strategy.seed, *halves(answer.asked), *halves(answer.text), bits)

    def pair_tie(self, pair):
        keys = [drawn(0, *halves(self.answers[e].asked), *halves(self.answers[e].text)) for e in pair]
        return drawn(self.strategy.seed, *keys)

    def margin(self, pair):
        scores = [self.answers[e].score for e in pair]
        if pair[0] in self.labelled and None not in scores and scores[0] > scores[1]:
            return scores[0] - scores[1]
        return self.value[pair[0]] - self.value[pair[1]]

    def guard(self, chosen, rejected):
        """The first guard that a pair fails; "" if none."""
        strategy, good, bad = self.strategy, self.answers[chosen], self.answers[rejected]
        short, long = sorted((good, bad), key=lambda a: len(a.text))
        score = -np.inf if good.score is None else good.score
        some = sorted((good.plain, bad.plain), key=len)
        if strategy.name == "threshold" and not (good.score >= strategy.high and bad.score <= strategy.low):
            return "threshold"
        if good.text == bad.text:
            return "same_answer"
        if good.plain == bad.plain:
            return "white_space"
        if self.margin((chosen, rejected)) < strategy.min_margin:
            return "min_margin"
        if strategy.min_chosen_score is not None and score < strategy.min_chosen_score:
            return "min_chosen_score"
        ratio = strategy.max_length_ratio
        if ratio is not None and len(long.text) > ratio * len(short.text):
            return "max_length_ratio"
        if (good.asked, bad.text, good.text) in self.said:
            return "contradiction"
        return "prefix" if some[0] and some[1].startswith(some[0]) else ""

    def taken(self, levels):
        """What the strategy takes of a set."""
        stand = []
        order = ["", "threshold", "same_answer", "white_space", "min_margin", "min_chosen_score"]
        order += ["max_length_ratio", "contradiction", "prefix"]
        worst = {}
        for chosen, rejected in strict(levels):
            name = self.guard(chosen, rejected)
            if name:
                self.fallen[name] = self.fallen.get(name, 0) + 1
            else:
                stand.append((chosen, rejected))
                self.passed |= {chosen, rejected}
            for entry in (chosen, rejected):
                worst[entry] = max(worst.get(entry, 0), order.index(name))
        self.last |= {e: {"white_space": "same_answer"}.get(order[w], order[w]) for e, w in worst.items()}
        if self.strategy.name in ("all", "threshold") or not stand:
            return stand
        place = {entry: number for number, level in enumerate(levels) for entry in level}
        if self.strategy.name == "adjacent":
            return [next(group) for _, group in groupby(stand, key=lambda pair: place[pair[0]])]
        row = [pair for pair in stand if pair[0] == stand[0][0]]
        if self.strategy.name == "best-vs-all":
            return row
        if self.strategy.name == "best-random":
            return [min(row, key=self.pair_tie)]
        return [next(pair for pair in row if place[pair[1]] == place[row[-1][1]])]

    def once(self, pairs):
        best = {}
        for pair in pairs:
            key = self.content(pair)
            rank = (self.margin(pair), self.answers[pair[0]].score or 0.0)
            if key not in best or rank > best[key][0]:
                best[key] = (rank, pair)
        return {pair for _, pair in best.values()}

    def content(self, pair):
        chosen, rejected = (self.answers[e] for e in pair)
        return chosen.asked, chosen.text, rejected.text

    def within(self, pairs):
        most = self.strategy.max_pairs_per_prompt
        if most is None:
            return set(pairs)
        kept = set()
        for prompt in {self.content(pair)[0] for pair in pairs}:
            mine = [pair for pair in pairs if self.content(pair)[0] == prompt]
            kept |= set(sorted(mine, key=lambda pair: (-self.margin(pair), self.pair_tie(pair)))[:most])
        return kept

    def keep(self, name, pairs, kept):
        for pair in pairs:
            if pair not in kept:
                for entry in pair:
                    old = self.fate[entry]
                    self.fate[entry] = max(old, name, key=lambda reason: UNUSED.index(reason))
        return [pair for pair in pairs if pair in kept]


def strict(levels):
    """All pairs of answers of different levels, the better first, in order."""
    for number, level in enumerate(levels):
        for chosen in level:
            for lower in levels[number + 1 :]:
                for rejected in lower:
                    yield chosen, rejected
