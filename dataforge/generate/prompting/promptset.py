"""The prompts of a run: the files that come with dataforge, and those of the user that stand in for them.

Files lie at METHOD/STAGE.LANG.prompt (`evol/deepen.zh.prompt`); `promptfile.py` says what is in them. A user's folder
needs only the files that differ. What it holds is checked at once: a name that no method asks for, a language that
is none, and a value that the method does not give are errors, with file and line.

Reads: the prompt files. Cost: about 1 ms for each file of a user's folder; ours are compiled when first asked for.
CLI: `dataforge prompts copy evol prompts`, then `--prompts prompts`
Python: `PromptSet("prompts").get("evol/deepen", "zh").request({"instruction": "泡茶"})`
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from xxhash import xxh3_128_hexdigest

from dataforge.errors import InputError, UsageError, did_you_mean
from dataforge.generate.prompting.promptfile import Prompt, read_prompt

__all__ = ["HOME", "LANGUAGES", "SUFFIX", "PromptSet"]

HOME = Path(__file__).resolve().parent.parent / "prompts"
"""Where our own files lie."""
LANGUAGES = ("en", "zh")
SUFFIX = ".prompt"


class PromptSet:
    """All prompts that a run may use.

    folder: the user's, or None. home: where the files lie that they stand in for. changed: (name, language) of the
    user's prompts whose text differs from ours.
    """

    def __init__(self, folder: str | None = None, *, home: Path = HOME) -> None:
        self.folder = folder
        self._paths = _files(home)
        self._read: dict[tuple[str, str], Prompt] = {}
        self.changed: frozenset[tuple[str, str]] = frozenset()
        if folder is not None:
            self._replace(Path(folder))

    def get(self, name: str, lang: str) -> Prompt:
        """The prompt of a stage (`evol/deepen`) in a language; UsageError where there is none."""
        key = (name, lang)
        if key not in self._read:
            self._read[key] = read_prompt(self.path(name, lang), name, lang)
        return self._read[key]

    def path(self, name: str, lang: str) -> Path:
        """The file of a prompt; UsageError where there is none."""
        if (name, lang) in self._paths:
            return self._paths[name, lang]
        languages = self.languages(name)
        if languages:
            raise UsageError(f"prompt {name!r} has no language {lang!r}", help=f"it has: {', '.join(languages)}")
        near = did_you_mean(name, {known for known, _ in self._paths})
        raise UsageError(f"{name!r} is not a known prompt", help=near if near.startswith("did") else "see: prompts ls")

    def names(self) -> list[tuple[str, str]]:
        """(name, language) of every prompt, sorted."""
        return sorted(self._paths)

    def languages(self, name: str) -> list[str]:
        """Languages in which a prompt is there."""
        return sorted(lang for known, lang in self._paths if known == name)

    def of(self, chosen: str) -> list[tuple[str, str]]:
        """(name, language) of one prompt (`evol/deepen`) or of all prompts of a method (`evol`); UsageError if none."""
        found = [key for key in self.names() if chosen in (key[0], key[0].partition("/")[0])]
        if not found:
            names = {name for name, _ in self._paths}
            near = did_you_mean(chosen, names | {name.partition("/")[0] for name in names})
            help = near if near.startswith("did") else "see: prompts ls"
            raise UsageError(f"{chosen!r} is neither a prompt nor a method with prompts", help=help)
        return found

    def hash(self, names: Iterable[str]) -> str:
        """xxh3-128 (hex) of the texts of these prompts in all languages; `evol` stands for all of its prompts."""
        keys = sorted({key for name in names for key in self.of(name)})
        texts = "\n".join(f"{name}.{lang}@{self.get(name, lang).hash}" for name, lang in keys)
        return xxh3_128_hexdigest(texts.encode())

    def fingerprint(self) -> str:
        """xxh3-128 (hex) of the texts of all prompts."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return self.hash({name for name, _ in self._paths})

    def _replace(self, folder: Path) -> None:
        """Put the user's files in the place of ours."""
        if not folder.is_dir():
            raise InputError("no such folder", place=str(folder), help="`prompts copy METHOD FOLDER` makes one")
        theirs = _files(folder)
        if not theirs:
            help = "its files are METHOD/STAGE.LANG.prompt; `prompts copy METHOD FOLDER` makes some"
            raise UsageError("holds no prompt file", place=str(folder), help=help)
        known = {name for name, _ in self._paths}
        changed: set[tuple[str, str]] = set()
        for (name, lang), path in theirs.items():
            if name not in known:
                near = did_you_mean(name, known)
                help = near if near.startswith("did") else "`prompts ls` shows the known ones"
                raise UsageError(f"no method asks for the prompt {name!r}", place=str(path), help=help)
            given = {value for other in self.languages(name) for value in self.get(name, other).values}
            prompt = read_prompt(path, name, lang)
            _refuse_unknown(prompt, given)
            prompt.compile()
            self._read[name, lang] = prompt
            if (name, lang) not in self._paths or read_prompt(self._paths[name, lang], name, lang).text != prompt.text:
                changed.add((name, lang))
        self.changed = frozenset(changed)
        self._paths |= theirs


def _refuse_unknown(prompt: Prompt, given: set[str]) -> None:
    """UsageError with file and line for a value that the method does not give."""
    for value, line in prompt.lines_of_values.items():
        if value not in given:
            near = did_you_mean(value, given)
            raise UsageError(f"{value!r} is no value of this prompt", place=f"{prompt.place}:{line}", help=near)


def _files(folder: Path) -> dict[tuple[str, str], Path]:
    """(name, language) -> file, for all prompt files below a folder; UsageError for a name that says no language."""
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.rglob(f"*{SUFFIX}")):
        place = path.relative_to(folder)
        if any(part.startswith(".") for part in place.parts) or not path.is_file():
            continue
        name, _, lang = place.as_posix().removesuffix(SUFFIX).rpartition(".")
        if lang not in LANGUAGES or not name:
            help = f"name it METHOD/STAGE.LANG{SUFFIX}, LANG being {' or '.join(LANGUAGES)}"
            raise UsageError("the file's name says no language that prompts have", place=str(path), help=help)
        found[name, lang] = path
    return found
