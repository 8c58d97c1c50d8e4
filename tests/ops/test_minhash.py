"""minhash: signatures against datasketch's, shingle sets against plain Python, bands against datasketch's choice."""

import numpy as np
import plain_terms as plain
import pytest
from datasketch import MinHash
from datasketch.lsh import _optimal_param
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.ops.duplicates.loops import jaccard
from dataforge.ops.duplicates.minhash import Scheme, band_keys, bands, chance, lean

WORDS = [
    "tea",
    "green",
    "Water",
    "hot",
    "3",
    "+",
    "cup",
    "the",
    "a",
    "绿茶",
    "热水",
    "泡茶",
    "的",
    "三分钟",
    "。",
    "，",
    "😀",
    "-",
]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join) | st.text(max_size=40)


def theirs(shingles, permutations, seed):
    """datasketch's own signature over the same 32-bit shingle hashes."""
    sketch = MinHash(permutations, seed=seed, hashfunc=lambda h: h, scheme="affine32")
    for shingle in shingles:
        sketch.update(int(shingle >> np.uint64(32)))
    return sketch


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4), st.sampled_from([16, 100, 128]), st.integers(1, 9), st.integers(0, 3))
def test_signatures_are_datasketchs_to_the_bit(texts, permutations, n, seed):
    scheme = Scheme(permutations, n, seed)
    signatures, counts = scheme.sign(texts)
    sets = scheme.shingles(texts)
    for i in range(len(texts)):
        assert (signatures[i] == theirs(sets[i], permutations, seed).hashvalues).all()
        assert (counts[i] == 0) == (len(sets[i]) == 0)
        assert counts[i] >= len(sets[i])


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS, st.integers(1, 6))
def test_shingle_sets_are_those_of_plain_python(one, other, n):
    scheme = Scheme(16, n)
    sets = scheme.shingles([one, other])
    plainly = [plain.shingles(text, n) for text in (one, other)]
    assert [len(sets[0]), len(sets[1])] == list(map(len, plainly))
    assert (np.diff(sets[0].astype(object)) > 0).all()
    assert jaccard(sets[0], sets[1]) == pytest.approx(plain.jaccard(*plainly), abs=1e-12)


@pytest.mark.parametrize("text", ["你好", "谢谢。", "hello", "no", "!!!", "😀", "مرحبا", "こんにちは", "OK 好"])
def test_a_short_text_has_a_signature_of_its_own(text):
    signatures, counts = Scheme().sign([text, "另一句话", ""])
    assert counts[0] >= 1 and counts[2] == 0
    assert not (signatures[0] == signatures[1]).all()
    assert (signatures[2] == 0xFFFFFFFF).all()


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95])
@pytest.mark.parametrize("permutations", [16, 64, 128, 200])
def test_bands_are_datasketchs_choice(threshold, permutations):
    assert bands(threshold, permutations) == _optimal_param(threshold, permutations, 0.5, 0.5)


def test_lean_sketches_are_compared_by_datasketch():
    scheme = Scheme(64, 3)
    texts = ["the tea is green and the water is hot today", "the tea is green and the water is cold today"]
    signatures, _ = scheme.sign(texts)
    one, other = (lean(signature, scheme) for signature in signatures)
    assert one.jaccard(other) == (signatures[0] == signatures[1]).mean()
    assert one.jaccard(theirs(scheme.shingles(texts)[1], 64, 1)) == one.jaccard(other)


def test_equal_bands_have_equal_keys_and_others_have_not():
    signatures = np.random.default_rng(0).integers(0, 2**32, (50, 128), dtype=np.uint32)
    signatures[7, :16] = signatures[3, :16]
    keys = band_keys(signatures, 8, 16)
    assert keys[7, 0] == keys[3, 0]
    assert len(np.unique(keys)) == keys.size - 1


def test_candidates_are_as_frequent_as_the_s_curve_says():
    """3,000 pairs at a similarity of 0.8, sets drawn at random: the share found lies within 4 standard errors."""
    draw = np.random.default_rng(7)
    b, r = bands(0.8, 128)
    shared, own, pairs = 80, 10, 3000
    texts = []
    for _ in range(pairs):
        words = draw.integers(0, 1 << 40, shared + 2 * own)
        texts.append(" ".join(f"w{w:x}" for w in words[: shared + own]))
        texts.append(" ".join(f"w{w:x}" for w in [*words[:shared], *words[shared + own :]]))
    signatures, _ = Scheme(128, 1).sign(texts)
    keys = band_keys(signatures, b, r)
    found = (keys[0::2] == keys[1::2]).any(axis=1).mean()
    theory = float(chance(0.8, b, r))
    assert abs(found - theory) < 4 * (theory * (1 - theory) / pairs) ** 0.5
