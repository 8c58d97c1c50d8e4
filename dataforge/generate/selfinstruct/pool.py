"""The task pool: what people wrote, what the model has added, and who is shown in a prompt.

A prompt shows `human` seeds and `machine` tasks of the model (6 and 2 in Self-Instruct); while the model has added too
few, more seeds take their place; a pool of fewer seeds shows all it has. Order is shuffled. A new instruction becomes
a member if it is novel (ROUGE-L, `dataforge.generate.novelty`) among all members, seeds and new ones alike.

Python: `pool.sample()`, `pool.admit("Name a tea.")`
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dataforge.generate.novelty import NoveltyFilter, Verdict
from dataforge.generate.selfinstruct.seeds import Seed

__all__ = ["Member", "Pool"]


@dataclass(frozen=True, slots=True)
class Member:
    """A task of the pool.

    seed: of a task that a person wrote. number: of one of the model, from 0 in order of admission.
    instance: its (first) input and output, where the prompt shows them.
    """

    text: str
    seed: Seed | None = None
    number: int | None = None
    instance: tuple[str, str] = ("", "")


class Pool:
    """All tasks of a run.

    human, machine: how many of each a prompt shows. threshold, reference: of the novelty filter.
    """

    def __init__(
        self,
        seeds: Sequence[Seed],
        rng: random.Random,
        *,
        human: int,
        machine: int,
        threshold: float,
        reference: bool = False,
    ) -> None:
        self.seeds = [Member(seed.instruction, seed, None, seed.instances[0]) for seed in seeds]
        self.made: list[Member] = []
        self._human, self._machine, self._rng = human, machine, rng
        self._novelty = NoveltyFilter(
            threshold, compat="reference" if reference else "exact", lang="en" if reference else "auto"
        )
        for seed in seeds:
            self._novelty.add(seed.instruction)

    def sample(self) -> list[Member]:
        """The tasks of one prompt, in the order in which it shows them."""
        machine = min(self._machine, len(self.made))
        human = min(self._human + self._machine - machine, len(self.seeds))
        shown = self._rng.sample(self.made, machine) + self._rng.sample(self.seeds, human)
        self._rng.shuffle(shown)
        return shown

    def admit(self, text: str, instance: tuple[str, str] = ("", "")) -> tuple[Verdict, Member | None]:
        """The verdict on a new instruction, and the member that it becomes if it is kept."""
        verdict = self._novelty.admit(text)
        if not verdict.kept:
            return verdict, None
        member = Member(text, None, len(self.made), instance)
        self.made.append(member)
        return verdict, member

    def nearest(self, verdict: Verdict) -> dict[str, Any] | None:
        """The nearest member for a row's provenance: its text, ROUGE-L F, and the seed's name or the task's number."""
        if verdict.nearest_index is None:
            return None
        place = verdict.nearest_index
        seed = self.seeds[place].seed if place < len(self.seeds) else None
        who = {"number": place - len(self.seeds)} if seed is None else {"seed": seed.name}
        return {"text": verdict.nearest, "score": round(verdict.score, 4), **who}
