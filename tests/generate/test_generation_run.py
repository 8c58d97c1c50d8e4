"""A run of a method: every row has a fate, every candidate a verdict, and what was paid for is never lost or hidden."""

import asyncio
import json
import os
import signal
import subprocess
import sys

import polars
import pytest
from generate.runs import asked, echo, read, rows, wait_for
from llm.server import Server, bad_key, fail, ok, quota, reset

import dataforge
from dataforge.errors import InputError, OutputError, ServiceError, UsageError

KEY = "sk-test-4f9c1d77aa02b3e85560"


def call(folder, server, **more):
    values = {"model": "m", "base_url": server.url, "cache": "none", **more}
    return dataforge.answers(folder / "in.jsonl", folder / "out.jsonl", **values)


@pytest.fixture
def folder(tmp_path):
    rows(tmp_path / "in.jsonl", 60)
    return tmp_path


def test_rows_come_in_the_order_of_the_input_with_their_provenance(folder):
    with Server(answer=lambda body: ok(echo(body), delay=0.02 if "7" in asked(body) else 0)) as server:
        result = call(folder, server)
    made = read(folder / "out.jsonl")
    assert [row["messages"][1]["content"] for row in made] == [
        f"About {json.loads(line)['question']} 好的。" for line in (folder / "in.jsonl").read_text().splitlines()
    ]
    assert result.exit_code == 0 and result.counts.kept == 60
    assert made[0]["provenance"]["method"] == "answers" and made[0]["provenance"]["model"] == "m"
    assert made[0]["provenance"]["tokens"]["prompt"] > 0 and made[0]["provenance"]["finish"] == "stop"
    ledger = polars.read_parquet(folder / "out.jsonl.forge" / "ledger.parquet")
    assert [made[i]["provenance"]["parents"][0] for i in range(60)] == [id.hex() for id in ledger["id"]]


def test_what_fails_what_is_dropped_and_what_is_kept_add_up(folder):
    def answer(body):
        number = int("".join(filter(str.isdigit, asked(body).split("问")[0].split(":")[0])))
        return [echo(body), fail(400, "bad words", code="content_filter"), ok("cut", finish="length")][number % 3]

    with Server(answer=answer) as server:
        result = call(folder, server, on_error="reject")
    wanted = {"asked": 60, "kept": 20, "dropped": {"truncated": 20}, "failed": {"content_filter": 20}}
    assert {name: result.data[name] for name in wanted} == wanted
    assert (result.counts.kept, result.counts.dropped, result.counts.errors) == (20, 20, 20)
    assert result.exit_code == 1 and "20 of 60" in result.shortfall
    dropped = read(folder / "out.jsonl.forge" / "dropped.jsonl")
    assert {(line["fate"], line["rule"]) for line in dropped} == {
        ("dropped", "truncated"),
        ("failed", "content_filter"),
    }
    rejects = read(folder / "out.jsonl.forge" / "rejects.jsonl")
    assert len(rejects) == 20 and json.loads(rejects[0]["raw"])["question"]


def test_what_is_dropped_names_its_input_row_among_broken_rows_of_several_files(folder):
    bad = ["{broken", '{"question": "Is this cut?", "answer": "so"}']
    (folder / "second.jsonl").write_text("".join(line + "\n" for line in bad))
    (folder / "in.jsonl").write_text("\n".join(["{broken", *(folder / "in.jsonl").read_text().splitlines()]))
    with Server(answer=lambda body: ok("x", finish="length") if "cut" in asked(body) else echo(body)) as server:
        inputs = [folder / "in.jsonl", folder / "second.jsonl"]
        values = {"model": "m", "base_url": server.url, "cache": "none", "on_error": "reject"}
        result = dataforge.answers(inputs, folder / "out.jsonl", **values)
    (line,) = read(folder / "out.jsonl.forge" / "dropped.jsonl")
    assert (line["source"], line["line"], line["rule"]) == ("second.jsonl", 2, "truncated")
    assert (result.counts.kept, result.counts.dropped, result.counts.errors) == (60, 1, 2)


def test_a_run_killed_while_its_files_are_put_into_place_goes_on_in_a_folder_of_its_own(folder, monkeypatch):
    replace, forge = os.replace, folder / "kept"

    def killed(source, target):
        if "report" in str(target) and "partial" not in str(target):
            raise KeyboardInterrupt
        replace(source, target)

    with Server(answer=echo) as server:
        monkeypatch.setattr(os, "replace", killed)
        monkeypatch.setattr("dataforge.engine.outputs.Output.__exit__", lambda *words: None)
        with pytest.raises(KeyboardInterrupt):
            call(folder, server, forge=forge)
        monkeypatch.undo()
        assert (forge / "journal.jsonl").exists() and not (forge / "manifest.json").exists()
        assert call(folder, server, forge=forge, resume=True).counts.kept == 60
        assert server.count == 60 and (forge / "manifest.json").exists()


def test_a_run_in_which_everything_failed_is_no_success_and_goes_on_later(folder):
    with Server(answer=lambda body: fail(500)) as server:
        with pytest.raises(ServiceError) as fault:
            call(folder, server, retries=0, give_up=10)
        assert "10 requests in a row failed" in fault.value.message
        assert not (folder / "out.jsonl").exists()
        server.answer = echo
        result = call(folder, server, resume=True)
    assert result.exit_code == 0 and len(read(folder / "out.jsonl")) == 60


def test_a_wrong_key_ends_the_run_at_once_and_no_key_is_ever_shown(folder, monkeypatch, environment):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Server(answer=lambda body: bad_key(KEY)) as server:
        words = [
            "answers",
            "in.jsonl",
            "-o",
            "out.jsonl",
            "--model",
            "m",
            "--base-url",
            server.url,
            "--concurrency",
            "2",
        ]
        done = command(folder, environment | {"OPENAI_API_KEY": KEY}, "--debug", *words)
        assert done.returncode != 0 and server.count <= 2
        assert server.headers[0]["authorization"] == f"Bearer {KEY}"
        said = done.stdout + done.stderr
        server.answer = echo
        done = command(folder, environment | {"OPENAI_API_KEY": KEY}, *words, "--force")
        assert done.returncode == 0, done.stderr
    said += done.stdout + done.stderr
    for path in folder.rglob("*"):
        said += path.read_bytes().decode(errors="replace") if path.is_file() else ""
    assert "not accept the key" in said
    for part in (KEY, KEY[3:11], KEY[-8:], KEY[:8]):
        assert part not in said


def command(folder, environment, *words, timeout=60):
    line = [sys.executable, "-m", "dataforge", *map(str, words)]
    return subprocess.run(
        line, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )


def test_a_used_up_quota_ends_the_run_with_its_reason_and_resume_pays_nothing_twice(folder):
    with Server(answer=echo, script=[*(f"yes {n}" for n in range(25)), quota()]) as server:
        with pytest.raises(ServiceError) as fault:
            call(folder, server, concurrency=1)
        assert "quota" in fault.value.message and server.count == 26
        result = call(folder, server, concurrency=1, resume=True)
        assert result.report["client"]["replayed"] == 25
        assert server.count == 26 + 35


def test_a_secret_in_the_address_of_a_model_is_written_nowhere_and_the_address_may_change(folder, capsys):
    def spec(server, name):
        url = server.url.replace("http://", "http://anna:pass-word-0815@")
        return f"{name}@{url}?apikey=query-key-4711"

    values = {"cache": str(folder / "replies.sqlite")}
    with Server(answer=echo, script=[*map(str, range(9)), quota()]) as server:
        models = {"model": spec(server, "m"), "also_model": (spec(server, "n"),)}
        with pytest.raises(ServiceError):
            call(folder, server, **models, **values, concurrency=1)
        call(folder, server, **models, **values, dry_run=True)
    with Server(answer=echo) as server:
        models = {"model": spec(server, "m"), "also_model": (spec(server, "n"),)}
        result = call(folder, server, **models, **values, resume=True)
        assert result.report["client"]["replayed"] == 9
    said = "".join(capsys.readouterr()) + "".join(result.lines)
    said += "".join(p.read_bytes().decode(errors="replace") for p in folder.rglob("*") if p.is_file())
    assert "pass-word-0815" not in said and "query-key-4711" not in said


def test_two_runs_on_one_output_do_not_meet(folder, environment):
    rows(folder / "in.jsonl", 100)
    words = ["answers", "in.jsonl", "-o", "out.jsonl", "--model", "m", "--cache", "none", "--concurrency", "4"]
    with Server(answer=lambda body: ok(echo(body), delay=0.03)) as server:
        line = [sys.executable, "-m", "dataforge", *words, "--base-url", server.url]
        process = subprocess.Popen(line, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: server.count > 10)
        for more in ({"resume": True}, {"force": True}, {}):
            with pytest.raises(OutputError, match="another run is at work"):
                call(folder, server, **more)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 0, said
        assert server.count == 100 and len(read(folder / "out.jsonl")) == 100


def test_a_copy_of_the_journal_that_broke_off_is_never_gone_on_from(folder, monkeypatch):
    def half(source, target):
        target.write_bytes(source.read_bytes()[:2000])
        raise KeyboardInterrupt

    with Server(answer=echo) as server:
        call(folder, server)
        monkeypatch.setattr("shutil.copyfile", half)
        with pytest.raises(KeyboardInterrupt):
            call(folder, server, resume=True)
        monkeypatch.undo()
        assert call(folder, server, resume=True).counts.kept == 60
        assert server.count == 60


def test_the_budget_is_never_exceeded_with_64_in_flight_and_a_larger_one_goes_on(folder):
    rows(folder / "in.jsonl", 300)
    with Server(
        answer=lambda body: ok(echo(body), delay=0.005), script=[fail(429, retry_after=0.01), reset()]
    ) as server:
        result = call(folder, server, max_requests=100)
        assert server.count == 100 and result.exit_code == 1
        assert result.counts.kept + result.counts.unused + result.counts.errors == 300
        assert "budget" in result.shortfall
        result = call(folder, server, max_tokens=20_000, resume=True, reply_tokens=None)
        assert server.tokens <= 20_000
        result = call(folder, server, resume=True)
        assert result.exit_code == 0 and result.counts.kept == 300
        assert server.count <= 302


def test_money_is_counted_by_the_price_table_and_is_a_limit(folder):
    (folder / "prices.yaml").write_text("currency: CNY\nm: {prompt: 1000, reply: 2000}\n")
    with Server(answer=echo) as server:
        result = call(folder, server, prices=str(folder / "prices.yaml"), max_cost=5.0, reply_tokens=100)
        prompt = sum(r["provenance"]["tokens"]["prompt"] for r in read(folder / "out.jsonl"))
        reply = sum(r["provenance"]["tokens"]["completion"] for r in read(folder / "out.jsonl"))
        assert result.report["client"]["cost"] == pytest.approx((prompt * 1000 + reply * 2000) / 1e6)
        assert result.report["client"]["currency"] == "CNY" and result.report["client"]["cost"] <= 5.0
        with pytest.raises(UsageError, match="price"):
            call(folder, server, max_cost=1.0, force=True)


def test_an_interrupted_run_is_not_thrown_away_by_mistake(folder):
    with Server(answer=echo, script=["a", "b", quota()]) as server:
        with pytest.raises(ServiceError):
            call(folder, server, concurrency=1)
        with pytest.raises(OutputError, match="interrupted run"):
            call(folder, server)
        with pytest.raises(OutputError, match="temperature was None, is 0.5"):
            call(folder, server, resume=True, temperature=0.5)
        rows(folder / "in.jsonl", 61)
        with pytest.raises(OutputError, match="inputs was"):
            call(folder, server, resume=True)
        assert call(folder, server, force=True).counts.kept == 61


def test_a_run_that_sent_nothing_leaves_nothing_and_one_without_replies_may_begin_anew(folder, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError, match="no key"):
        dataforge.answers(folder / "in.jsonl", folder / "out.jsonl", model="gpt-4o-mini", cache="none")
    assert [path.name for path in folder.iterdir()] == ["in.jsonl"]
    with Server(answer=lambda body: quota()) as server:
        with pytest.raises(ServiceError):
            call(folder, server)
        server.answer = echo
        assert call(folder, server).counts.kept == 60


def test_resume_of_nothing_and_outputs_that_cannot_hold_provenance_are_refused(folder):
    with Server(answer=echo) as server:
        with pytest.raises(InputError, match="no run to go on with"):
            call(folder, server, resume=True)
        with pytest.raises(UsageError, match="csv"):
            dataforge.answers(folder / "in.jsonl", folder / "out.csv", model="m", base_url=server.url)
        with pytest.raises(UsageError, match="--resume"):
            dataforge.answers(folder / "in.jsonl", None, model="m", base_url=server.url, resume=True)
        assert server.count == 0


def test_resuming_a_finished_run_asks_nothing_and_leaves_the_same_bytes(folder):
    with Server(answer=echo) as server:
        call(folder, server)
        files = {name: (folder / name).read_bytes() for name in ("out.jsonl", "out.jsonl.forge/manifest.json")}
        count = server.count
        call(folder, server, resume=True)
        assert server.count == count
    assert files == {name: (folder / name).read_bytes() for name in files}


def test_a_second_run_is_answered_from_the_cache(folder):
    with Server(answer=echo) as server:
        values = {"model": "m", "base_url": server.url, "cache": folder / "replies.sqlite"}
        dataforge.answers(folder / "in.jsonl", folder / "a.jsonl", **values)
        again = dataforge.answers(folder / "in.jsonl", folder / "b.jsonl", **values)
        assert server.count == 60 and again.report["client"]["cached"] == 60
        assert again.report["client"]["requests"] == 0
        assert (folder / "a.jsonl").read_bytes() == (folder / "b.jsonl").read_bytes()
        dataforge.answers(folder / "in.jsonl", folder / "c.jsonl", **values, seed=1)
        assert server.count == 120


def test_rows_that_repeat_earlier_ones_are_dropped_on_request(folder):
    with Server(answer=echo) as server:
        result = call(folder, server, novelty=0.7)
    assert result.data["dropped"]["not_novel"] > 50
    assert result.data["asked"] == 60


def test_a_plan_sends_nothing_and_shows_the_first_prompt(folder, cli):
    with Server(answer=echo) as server:
        said = cli(
            "answers",
            folder / "in.jsonl",
            "-o",
            folder / "out.jsonl",
            "--model",
            "gpt-4o-mini",
            "--base-url",
            server.url,
            "--dry-run",
        )
        assert server.count == 0 and said.code == 0
    assert "Question 0: how is tea brewed?" in said.err + said.out.decode()
    assert "about 60 requests" in said.err + said.out.decode() and "USD" in said.err + said.out.decode()
    assert not (folder / "out.jsonl.forge").exists()


def test_a_notebook_with_a_running_loop_may_call_it(folder):
    async def cell(server):
        return call(folder, server).counts.kept

    with Server(answer=echo) as server:
        assert asyncio.run(cell(server)) == 60


def test_an_interrupt_keeps_what_was_answered(folder, environment):
    rows(folder / "in.jsonl", 400)
    words = ["answers", "in.jsonl", "-o", "out.jsonl", "--model", "m", "--concurrency", "4", "--cache", "none"]
    with Server(answer=lambda body: ok(echo(body), delay=0.02)) as server:
        line = [sys.executable, "-m", "dataforge", *words, "--base-url", server.url]
        process = subprocess.Popen(line, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: server.count > 40)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 130 and "--resume goes on" in said and "Traceback" not in said
        answered = server.billed
        done = command(folder, environment, *words, "--base-url", server.url, "--resume")
        assert done.returncode == 0, done.stderr
        assert server.billed <= 400 + 8 and answered >= 40
    assert len(read(folder / "out.jsonl")) == 400


def test_evol_whose_operations_are_a_list_goes_on_too(folder):
    with Server(answer=lambda body: "写一首关于茶的诗，并说明理由。" if "tea" in asked(body) else "好。") as server:
        values = {"model": "m", "base_url": server.url, "cache": "none", "operations": ["deepen", "reasoning"]}
        first = dataforge.evol(folder / "in.jsonl", folder / "out.jsonl", limit=4, **values)
        count = server.count
        again = dataforge.evol(folder / "in.jsonl", folder / "out.jsonl", limit=4, resume=True, **values)
        assert server.count == count and again.data == first.data


def test_a_recipe_goes_on_from_what_was_paid_for(folder):
    recipe = folder / "recipe.yaml"
    with Server(answer=echo, script=[*map(str, range(20)), quota()]) as server:
        more = f"model: m, base_url: '{server.url}', cache: none, concurrency: 1"
        recipe.write_text(f"steps:\n  - answers: {{in: in.jsonl, out: out.jsonl, {more}}}\n")
        with pytest.raises(ServiceError):
            dataforge.run(recipe, output=folder / "made")
        dataforge.run(recipe, output=folder / "made", resume=True)
        assert server.count == 61
    assert len(read(folder / "made" / "out.jsonl")) == 60
