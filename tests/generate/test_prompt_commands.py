"""`prompts ls`, `show`, `copy`: from the list to a changed file that a run uses."""

import json

import pytest

import dataforge
from dataforge.errors import OutputError, UsageError
from dataforge.generate.prompting.promptset import HOME, LANGUAGES, SUFFIX, PromptSet

NAMES = sorted({name for name, _ in PromptSet().names()})
pytestmark = pytest.mark.skipif(not NAMES, reason="no method has prompts")
NAME = NAMES[0] if NAMES else "method/stage"
METHOD = NAME.partition("/")[0]


def ours(name, lang):
    return (HOME / f"{name}.{lang}{SUFFIX}").read_bytes()


def test_the_list_has_every_prompt_once_with_languages_and_purpose(cli):
    said = cli("prompts", "ls")
    lines = said.out.decode().splitlines()
    assert said.code == 0 and [line.split()[0] for line in lines] == NAMES
    entries = json.loads(cli("prompts", "ls", "--json").out)
    assert [entry["name"] for entry in entries] == NAMES
    for entry, line in zip(entries, lines, strict=True):
        assert entry["description"] in line and entry["languages"] == sorted(LANGUAGES)
    some = json.loads(cli("prompts", "ls", METHOD, "--json").out)
    assert some == [entry for entry in entries if entry["name"].startswith(METHOD + "/")]
    assert some == dataforge.list_prompts(METHOD).data


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_prompt_is_shown_as_it_stands(cli, lang):
    assert cli("prompts", "show", NAME, "--lang", lang).out == ours(NAME, lang)
    shown = dataforge.show_prompt(NAME, lang=lang).data
    assert shown["text"].encode() == ours(NAME, lang) and shown["hash"] == PromptSet().get(NAME, lang).hash
    assert cli("prompts", "show", NAME).out == ours(NAME, "en")


def test_a_method_is_copied_whole_and_a_prompt_alone(cli, tmp_path):
    said = cli("prompts", "copy", METHOD, tmp_path / "all")
    copied = {path.relative_to(tmp_path / "all").as_posix() for path in (tmp_path / "all").rglob("*.*")}
    assert said.code == 0
    assert copied == {f"{name}.{lang}{SUFFIX}" for name, lang in PromptSet().of(METHOD)}
    assert f"--prompts {tmp_path / 'all'}" in said.out.decode()
    result = dataforge.copy_prompts(NAME, tmp_path / "one", lang=["zh"])
    assert result.data == [str(tmp_path / "one" / f"{NAME}.zh{SUFFIX}")]
    assert (tmp_path / "one" / f"{NAME}.zh{SUFFIX}").read_bytes() == ours(NAME, "zh")


def test_a_copy_can_be_changed_and_is_used_and_seen(cli, tmp_path):
    dataforge.copy_prompts([NAME, str(tmp_path)])
    path = tmp_path / f"{NAME}.zh{SUFFIX}"
    path.write_text(path.read_text(encoding="utf-8") + "请用中文。\n", encoding="utf-8")
    (entry,) = dataforge.list_prompts(NAME, prompts=tmp_path).data
    assert entry["changed"] == ["zh"]
    assert "(changed: zh)" in cli("prompts", "ls", "--prompts", tmp_path).out.decode()
    assert dataforge.show_prompt(NAME, lang="zh", prompts=tmp_path).data["text"].endswith("请用中文。\n")
    path.write_text("[[user]]\n", encoding="utf-8")
    said = cli("prompts", "ls", "--prompts", tmp_path)
    assert said.code == 2 and f"{path}:1: does not begin with a header" in said.err


def test_nothing_is_replaced_without_force_and_nothing_is_written_then(cli, tmp_path):
    standing = tmp_path / f"{NAME}.zh{SUFFIX}"
    standing.parent.mkdir(parents=True)
    standing.write_text("mine")
    said = cli("prompts", "copy", METHOD, tmp_path)
    assert said.code == 2 and f"{standing}: exists already" in said.err and "--force" in said.err
    assert [path.name for path in tmp_path.rglob("*.*")] == [standing.name] and standing.read_text() == "mine"
    assert cli("prompts", "copy", METHOD, tmp_path, "--force").code == 0
    assert standing.read_bytes() == ours(NAME, "zh")


def test_wrong_names_and_places_are_refused(cli, tmp_path):
    for words in (
        ["prompts", "show", NAME + "x"],
        ["prompts", "ls", METHOD + "x"],
        ["prompts", "copy", METHOD + "x", tmp_path],
    ):
        said = cli(*words)
        assert said.code == 2 and "did you mean" in said.err and said.out == b""
    for inputs in ([], [NAME]):
        with pytest.raises(UsageError, match="and a folder"):
            dataforge.copy_prompts(inputs)
    with pytest.raises(UsageError, match="name one prompt"):
        dataforge.show_prompt([])
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written") as fault:
        dataforge.copy_prompts(NAME, tmp_path / "file")
    assert fault.value.place.startswith(str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "x"
