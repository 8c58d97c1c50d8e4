"""What a chain may know: its row, its settings, its prompts and its own chance.

Python: `task.request("evol/deepen", instruction="How is tea brewed?")`
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dataforge.llm.address import parse_spec
from dataforge.llm.request import Reply, Request
from dataforge.record import Record, record_id

if TYPE_CHECKING:
    from dataforge.generate.prompting.promptset import PromptSet

__all__ = ["Task", "chance", "language_of"]

ZH_SHARE = 0.3
CHARACTERS_A_WORD = 1.5
HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
OTHER_WORD = re.compile(r"[^\W\d_\u3400-\u4dbf\u4e00-\u9fff]+")
NOT_PROSE = re.compile(r"https?://\S+|```.*?```|`[^`\n]*`", re.DOTALL)


def language_of(text: str) -> str:
    """`zh` or `en`: the language of the prompts that suit a text.

    A text is Chinese if 0.3 of its words are: h / 1.5 >= 0.3 * (h / 1.5 + w) with h Chinese characters (a Chinese word
    has about 1.5) and w words of other scripts, addresses and marked code left out. Chinese pages about programs, full
    of names, come out Chinese; an English text that quotes a phrase stays English.
    """
    text = NOT_PROSE.sub(" ", text)
    words = len(HAN.findall(text)) / CHARACTERS_A_WORD
    return "zh" if words and words >= ZH_SHARE * (words + len(OTHER_WORD.findall(text))) else "en"


@dataclass
class Task:
    """One chain's view of the run.

    method: its name. config: its settings. prompts: the prompt files. record: the input row; of a chain for the whole
    run, an empty one. id: the row's content hash, hex. ordinal: its number in the input. lang: `en` or `zh`, for the
    prompts. rng: chance of this chain alone, from the run's seed and the ordinal. shared: what `prepare` returned.
    """

    method: str
    config: Any
    prompts: PromptSet
    record: Record
    ordinal: int = 0
    lang: str = "en"
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    shared: Any = None
    id: str = ""

    def __post_init__(self) -> None:
        self.id = self.id or (record_id(self.record).hex() if self.record.turns else "")

    def request(self, name: str, *, sample: int = 0, model: str = "", lang: str = "", **values: Any) -> Request:
        """The request of a prompt file (`evol/deepen`) in the row's language, with these values in it.

        Sampling is what the file's header says, unless the user gave --temperature, --top-p or --reply-tokens.
        """
        config = self.config
        given = {"temperature": config.temperature, "top_p": config.top_p, "max_tokens": config.reply_tokens}
        overrides = {key: value for key, value in given.items() if value is not None}
        if config.structured == "never":
            overrides["schema"] = None
        prompt = self.prompts.get(name, lang or self.lang)
        return prompt.request(values, sample=sample, model=model, stage=name, **overrides)

    def provenance(self, reply: Reply, request: Request, **more: Any) -> dict[str, Any]:
        """Where a row comes from: method, model, prompt, parent, finish reason and tokens, and what is added."""
        return {
            "method": self.method,
            "model": reply.model or parse_spec(request.model or self.config.model).name,
            "prompt": request.prompt,
            **({"parents": [self.id]} if self.id else {}),
            **more,
            "finish": reply.finish,
            "tokens": {"prompt": reply.prompt_tokens, "completion": reply.completion_tokens},
        }


def chance(seed: int, ordinal: int) -> random.Random:
    """The random state of a chain: the same for the same seed and row, whatever runs beside it."""
    return random.Random(f"{seed}:{ordinal}")
