"""The seed tasks and the recipe that come with dataforge: sound by our own rules, and enough to begin with."""

from pathlib import Path

import pytest
from generate.writer import Writer
from llm.server import Server, ok

import dataforge
from dataforge.generate.novelty import NoveltyFilter
from dataforge.generate.selfinstruct.rules import Rules
from dataforge.generate.selfinstruct.seeds import check_seeds

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_our_seeds_pass_the_rules_that_new_tasks_must_pass(lang):
    path = str(ROOT / "samples" / f"seeds_{lang}.jsonl")
    seeds, rules, novel = check_seeds((path,)), Rules(lang, media=True), NoveltyFilter(0.7)
    assert len(seeds) == 32
    assert {seed.name: rules.fault(seed.instruction) for seed in seeds if rules.fault(seed.instruction)} == {}
    assert [seed.name for seed in seeds if not novel.admit(seed.instruction).kept] == []
    assert sum(bool(seed.classification) for seed in seeds) == 8  # a prompt of --only-classification shows 6
    assert sum(any(given for given, _ in seed.instances) for seed in seeds) == 23
    assert dataforge.validate([path]).exit_code == 0


def test_the_recipe_of_generation_runs_from_seeds_to_a_mixture(tmp_path):
    writer = Writer()

    def answer(body):
        text, finish = writer.write("\n".join(message["content"] for message in body["messages"]))
        return ok(text, finish=finish)

    with Server(answer=answer) as server:
        changes = {"model": "m", "base_url": server.url, "n": 8}
        dataforge.run(
            str(ROOT / "recipes" / "generate.yaml"),
            output=str(tmp_path / "out"),
            set=tuple(f"self-instruct.{name}={value}" for name, value in changes.items()),
        )
    domain, mixed = ((tmp_path / "out" / name).read_bytes().splitlines() for name in ("domain.jsonl", "mixed.jsonl"))
    assert (len(domain), len(mixed)) == (8, 10)
