"""`prompts copy`: prompt files laid into a folder, to be changed there and used with `--prompts FOLDER`.

A method (`evol`) stands for all of its prompts. Files keep their place: FOLDER/METHOD/STAGE.LANG.prompt. Where one of
them exists already, nothing is written, unless --force is given.

CLI: `dataforge prompts copy evol my-prompts`
Python: `dataforge.copy_prompts("evol", "my-prompts").data`
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from dataforge.config import RunOptions, check, option
from dataforge.errors import OutputError, UsageError
from dataforge.generate.prompting.promptset import LANGUAGES, SUFFIX, PromptSet
from dataforge.ledger import Result
from dataforge.registry import Operation

__all__ = ["OPERATION", "PromptCopyConfig", "copy_prompts"]


@dataclass(frozen=True)
class PromptCopyConfig:
    """Settings of prompts copy."""

    lang: tuple[str, ...] = option((), help="copy only this language (repeatable)", choices=LANGUAGES)

    def __post_init__(self) -> None:
        check(self)


def copy_prompts(inputs: tuple[str, ...], output: str | None, config: PromptCopyConfig, options: RunOptions) -> Result:
    """Copy prompts and methods into the folder that is named last, or as output; `data` lists the files written."""
    names, folder = (inputs, output) if output is not None else (inputs[:-1], inputs[-1] if inputs else None)
    if not names or folder is None:
        raise UsageError("name a prompt or a method, and a folder", help="dataforge prompts copy evol my-prompts")
    prompts = PromptSet()
    keys = list(dict.fromkeys(key for name in names for key in prompts.of(name)))
    keys = [key for key in keys if not config.lang or key[1] in config.lang]
    if not keys:
        raise UsageError(f"{', '.join(names)} has no prompts in {', '.join(config.lang)}", help="leave --lang out")
    places = {Path(folder) / f"{name}.{lang}{SUFFIX}": prompts.path(name, lang) for name, lang in keys}
    standing = [place for place in places if os.path.lexists(place)]
    if standing and not options.force:
        more = f" (and {len(standing) - 1} more)" if len(standing) > 1 else ""
        raise OutputError(f"exists already{more}", place=str(standing[0]), help="--force replaces it")
    for place, source in places.items():
        _write(place, source)
    lines = [str(place) for place in places]
    lines.append(f"{len(places)} files copied; change them, and use them with --prompts {folder}")
    return Result("prompts copy", output=folder, data=[str(place) for place in places], lines=lines)


def _write(place: Path, source: Path) -> None:
    """Copy a file; a reader never sees half of it."""
    partial = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(source.read_bytes())
        os.replace(partial, place)
    except OSError as fault:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise OutputError(f"cannot be written: {fault.strerror}", place=str(place)) from None


OPERATION = Operation(
    name="prompts copy",
    config=PromptCopyConfig,
    run=copy_prompts,
    inputs="many",
    output="optional",
    options=("force", "json"),
    prints=True,
    metavar="NAME... FOLDER",
)
