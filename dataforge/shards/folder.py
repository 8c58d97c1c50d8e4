"""A folder as the output of a command: refused if it exists, written aside, put into place when it is whole.

What a command leaves beside it (`OUT.forge/` with manifest, report, ledger) is the engine's work, as for a file.

CLI: `dataforge shard in.jsonl -o shards --tokenizer my-tokenizer --force`
Python: `folder = Folder("shards", options, mark="shards.json")`
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path
from typing import Any

from dataforge.config import RunOptions
from dataforge.engine.outputs import out_of_space
from dataforge.engine.plan import plan_result
from dataforge.engine.run import Run
from dataforge.errors import OutputError, UsageError
from dataforge.ledger import Result

__all__ = ["Folder"]


class Folder:
    """The output folder of a command.

    mark: a file that every such folder holds; with `--force`, only a folder that holds it (or nothing) is replaced.
    Raises UsageError without a path, OutputError if the path is taken.
    """

    def __init__(self, command: str, path: str | None, options: RunOptions, *, mark: str) -> None:
        if not path or path == "-":
            raise UsageError(f"{command} writes a folder", help="name it with -o FOLDER")
        self.path = Path(path.rstrip("/" + os.sep) or path)
        if not self.path.parent.is_dir():
            raise OutputError("no such folder", place=str(self.path.parent), help=f"mkdir -p {self.path.parent}")
        if os.path.lexists(self.path):
            ours = self.path.is_dir() and ((self.path / mark).is_file() or not any(self.path.iterdir()))
            if not ours:
                raise OutputError(
                    f"exists and holds no {mark}, so it is not replaced", place=path, help="choose another -o"
                )
            if not options.force:
                raise OutputError("exists already", place=path, help="--force replaces it, or choose another -o")
        self.options = dataclasses.replace(options, forge=options.forge or f"{self.path}.forge")
        """The options of the run: the forge folder stands beside the output folder."""

    def place(self, made: Path) -> None:
        """Put a finished folder where it belongs; an older one is there until the moment of the exchange."""
        aside = self.path.with_name(f".{self.path.name}.old")
        try:
            near = self._beside(made)
            # An older manifest would vouch for the new folder if the run were killed here.
            Path(self.options.forge or "", "manifest.json").unlink(missing_ok=True)
            shutil.rmtree(aside, ignore_errors=True)
            if self.path.is_dir():
                os.replace(self.path, aside)
            os.replace(near, self.path)
        except OSError as fault:
            raise out_of_space(fault, str(self.path)) from None
        shutil.rmtree(aside, ignore_errors=True)

    def _beside(self, made: Path) -> Path:
        """The finished folder on the file system of the output, where a rename can put it into place."""
        if made.stat().st_dev == self.path.parent.stat().st_dev:
            return made
        near = self.path.with_name(f".{self.path.name}.partial")
        shutil.rmtree(near, ignore_errors=True)
        try:
            shutil.copytree(made, near)
        except OSError:
            shutil.rmtree(near, ignore_errors=True)
            raise
        return near

    def plan(self, run: Run, what: str) -> Result:
        """What a dry run says."""
        result = plan_result(run, what)
        result.lines[-1] = f"  -> {self.path}{os.sep}, {run.workers} workers"
        return result

    def finish(self, run: Run, config: Any, entry: dict[str, Any], *, rows_out: int, extra: dict[str, Any]) -> Result:
        """End the run; `entry` describes the folder among the outputs of the manifest."""
        outputs = [{"name": self.path.name, **entry}]
        result = run.finish(config, rows_out=rows_out, extra={**extra, "outputs": outputs})
        result.output = str(self.path)
        return result
