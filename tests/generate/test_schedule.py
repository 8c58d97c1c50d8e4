"""schedule: verdicts come in the order of the input whatever answer comes first; the journal replays to the same ones."""

import asyncio
import random
from types import SimpleNamespace

import pytest

from dataforge.errors import RowError, ServiceError
from dataforge.generate.chain import Made, together
from dataforge.generate.running.journal import Journal
from dataforge.generate.running.schedule import Live, Schedule
from dataforge.generate.running.tally import Events
from dataforge.llm.budget import Spent
from dataforge.llm.request import Failure, Reply, Request, message
from dataforge.record import Record, Turn


def ask_for(text, sample=0, model=""):
    return Request((message("user", text),), sample=sample, model=model)


def chain(number, events, model=""):
    """Asks twice, then for two things at once; a row that divides by 7 cannot be asked about."""
    if number % 7 == 6:
        raise RowError("not_asked", "no question here")
    (first,) = yield [ask_for(f"问 {number}", model=model)]
    if isinstance(first, Failure):
        events.asked()
        events.failed(first)
        return
    both = yield [ask_for(f"{first.text} a", model=model), ask_for(f"{first.text} b", 1, model)]
    events.asked(2)
    for answer in both:
        if isinstance(answer, Failure):
            events.failed(answer)
        else:
            events.keep(Made(Record([Turn("user", [answer.text])])))


class Client:
    """Answers with the text of the question, after a time of its own."""

    def __init__(self, seed=0, room=10**9, fail=frozenset(), stop_at=None):
        self.chance, self.room, self.fail, self.stop_at = random.Random(seed), room, fail, stop_at
        self.budget = SimpleNamespace(exhausted=False)
        self.asked, self.at_once, self.most = [], 0, 0

    def key(self, request):
        return request.key("m")

    async def ask(self, id, request, order):
        if len(self.asked) >= self.room:
            self.budget.exhausted = True
            return SimpleNamespace(answer=Failure("budget"), spent=Spent())
        self.asked.append(id)
        if self.stop_at is not None and len(self.asked) > self.stop_at:
            raise ServiceError("the key is wrong")
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(self.chance.random() / 500)
        self.at_once -= 1
        text = request.messages[-1]["content"]
        answer = Failure("http_500") if text in self.fail else Reply(text + "!")
        return SimpleNamespace(answer=answer, spent=Spent(1, 5, 0.0))


class Local:
    def __init__(self):
        self.batches = []

    def answer(self, requests):
        self.batches.append([r.messages[-1]["content"] for r in requests])
        return [Reply(r.messages[-1]["content"] + f"!{len(requests)}") for r in requests]


def run(client, path=None, rows=40, resume=False, local=None, model="m", concurrency=4, chains=chain, again=False):
    said = []

    def take(live):
        said.extend((live.ordinal, e.fate, e.made and e.made.record.turns[0].text, e.rule) for e in live.events.events)
        live.events.events.clear()

    def end(live):
        said.append((live.ordinal, "end", live.fault and live.fault.rule, ""))

    def lives():
        for number in range(rows):
            events = Events()
            yield Live(number, chains(number, events), events)

    with Journal(path, {"command": "t"}, resume=resume) as journal:
        schedule = Schedule(
            client,
            journal,
            model=model,
            concurrency=concurrency,
            take=take,
            end=end,
            local=local,
            batch_size=3,
            again=again,
        )
        finished = asyncio.run(asyncio.wait_for(schedule.run(lives()), 30))
    return said, finished, schedule


def test_verdicts_come_in_the_order_of_the_input_whatever_comes_first():
    first, finished, _ = run(Client(1))
    assert finished and first == run(Client(2), concurrency=64)[0]
    ends = [ordinal for ordinal, fate, _, _ in first if fate == "end"]
    assert ends == list(range(40))
    assert ("问 3! a!") in {text for _, _, text, _ in first}
    assert [o for o, fate, rule, _ in first if fate == "end" and rule == "not_asked"] == [6, 13, 20, 27, 34]


def test_a_slow_chain_that_all_others_wait_for_does_not_stop_the_run():
    class Slow(Client):
        async def ask(self, id, request, order):
            if id == "0.0.0":
                while len(self.asked) < 3 * 27:  # all that may be at work while the first chain is
                    await asyncio.sleep(0.001)
            return await super().ask(id, request, order)

    said, finished, _ = run(Slow(), rows=200, concurrency=1)
    assert finished and said == run(Client(), rows=200)[0]


def test_many_are_asked_at_once():
    client = Client()
    run(client, concurrency=8)
    assert client.most > 8  # the client itself holds requests back; chains are never what is wanting


def test_a_journal_replays_to_the_same_verdicts_and_asks_nothing_twice(tmp_path):
    path = tmp_path / "journal.jsonl"
    broken = Client(3, stop_at=25)
    with pytest.raises(ServiceError):
        run(broken, path)
    again = Client(4)
    resumed, finished, schedule = run(again, path, resume=True)
    assert finished and resumed == run(Client(5))[0]
    requests = 3 * (40 - 5)
    assert 0 < schedule.replayed <= 25 and len(again.asked) == requests - schedule.replayed
    third = Client(6)
    assert run(third, path, resume=True)[0] == resumed and third.asked == []


def test_faults_of_the_server_are_asked_again_where_chains_know_nothing_of_each_other(tmp_path):
    path = tmp_path / "journal.jsonl"
    fail = {f"问 {number}" for number in range(5, 40)}
    with pytest.raises(ServiceError):
        run(Client(0, fail=fail, stop_at=24), path)
    resumed = run(Client(0), path, resume=True, again=True)[0]
    assert resumed == run(Client(0))[0]


def test_what_was_answered_beside_a_fault_is_not_asked_twice_when_the_fault_is(tmp_path):
    path = tmp_path / "journal.jsonl"

    def part(text):
        (first,) = yield [ask_for(text)]
        if isinstance(first, Failure):
            return first
        (second,) = yield [ask_for(first.text)]
        return second

    def side_by_side(number, events):
        for answer in (yield from together(part(f"{number}{name}") for name in "abc")):
            events.asked()
            if isinstance(answer, Failure):
                events.failed(answer)
            else:
                events.keep(Made(Record([Turn("user", [answer.text])])))

    run(Client(fail={"0a", "1b", "2c"}), path, rows=4, chains=side_by_side)
    resumed = Client()
    said = run(resumed, path, rows=4, chains=side_by_side, resume=True, again=True)[0]
    assert said == run(Client(), rows=4, chains=side_by_side)[0]
    assert len(resumed.asked) == 6  # the three faults, and what comes after each


def test_failures_in_a_row_that_end_a_run_are_asked_again_by_any_run(tmp_path):
    path = tmp_path / "journal.jsonl"

    def one_after_another(number, events):
        for count in range(30):
            (answer,) = yield [ask_for(f"{count}")]
            events.asked()
            if isinstance(answer, Failure):
                events.failed(answer)
            else:
                events.keep(Made(Record([Turn("user", [answer.text])])))

    fail = {"3", *map(str, range(10, 30))}
    with pytest.raises(ServiceError):
        run(Client(0, fail=fail, stop_at=15), path, rows=1, chains=one_after_another)
    resumed = run(Client(0), path, resume=True, rows=1, chains=one_after_another)[0]
    assert [fate for _, fate, _, _ in resumed].count("failed") == 1 and resumed[3][1] == "failed"


def test_a_budget_ends_the_run_tidily():
    said, finished, _ = run(Client(room=20), concurrency=1)
    assert not finished
    assert [o for o, fate, _, _ in said if fate == "end"] == list(range(len([1 for s in said if s[1] == "end"])))
    assert ("failed", "budget") in {(fate, rule) for _, fate, _, rule in said}


def test_local_models_are_asked_in_batches_that_resuming_does_not_change(tmp_path):
    path = tmp_path / "journal.jsonl"
    whole = Local()
    said, finished, _ = run(Client(), path, local={"local:m": whole}, model="local:m", rows=20)
    assert finished and max(map(len, whole.batches)) == 3
    lines = path.read_bytes().split(b"\n")
    for cut in (5, 17, 31):
        path.write_bytes(b"\n".join(lines[:cut]) + b"\n")
        part = Local()
        assert run(Client(), path, resume=True, local={"local:m": part}, model="local:m", rows=20)[0] == said
        assert all(batch in whole.batches for batch in part.batches)


def test_local_and_remote_models_answer_one_run():
    client, local = Client(), Local()

    def chains(number, events):
        (near,) = yield [ask_for(f"n{number}")]
        (far,) = yield [ask_for(near.text, model="judge")]
        events.asked()
        events.keep(Made(Record([Turn("user", [far.text])])))

    said, _, _ = run(client, local={"local:m": local}, model="local:m", rows=5, chains=chains)
    assert [text for _, fate, text, _ in said if fate == "kept"] == ["n0!3!", "n1!3!", "n2!3!", "n3!2!", "n4!2!"]
    assert len(client.asked) == 5


def test_chains_side_by_side_share_their_rounds():
    def part(name, rounds):
        seen = []
        for number in range(rounds):
            (answer,) = yield [ask_for(f"{name}{number}")]
            seen.append(answer.text)
        return seen

    def whole():
        return (yield from together([part("a", 2), part("b", 0), part("c", 3)]))

    running, rounds = whole(), []
    requests = next(running)
    with pytest.raises(StopIteration) as end:
        while True:
            rounds.append([r.messages[0]["content"] for r in requests])
            requests = running.send([Reply(r.messages[0]["content"]) for r in requests])
    assert rounds == [["a0", "c0"], ["a1", "c1"], ["c2"]]
    assert end.value.value == [["a0", "a1"], [], ["c0", "c1", "c2"]]
