"""A model in this process: batches, padding and the prefix cache change no token, and settings do what they say."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import replace
from functools import cache

import pytest
import torch
import transformers
from small_models import save_small_model, small_tokenizer

from dataforge.errors import DataError, DependencyError, InputError, UsageError
from dataforge.llm import local, prefix, weights
from dataforge.llm.local import LocalModel
from dataforge.llm.request import Failure, Reply, Request, message

torch.set_num_threads(1)

SYSTEM = "You are a careful teacher. Write a new task, and answer it in one sentence. 你是一位细心的老师。"
QUESTIONS = [
    "What is the capital of France?",
    "法国的首都是哪里？请用一句话回答。",
    "Hi",
    "天空是什么颜色？晴天的时候是蓝色的。一加一等于几？等于二。 How is green tea brewed?",
    "一",
]
KINDS = {
    "llama": {},
    "mistral": {"sliding_window": 24},  # windows shorter than the common beginning
    "gpt2": {},  # learned positions
    "lfm2": {"layer_types": ["conv", "full_attention", "conv"]},  # a memory that cannot be cut by token
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_small_model(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def model(folder):
    return LocalModel(folder, batch_size=8)


def ask(question, system=SYSTEM, **more):
    messages = (message("system", system), message("user", question)) if system else (message("user", question),)
    return Request(messages, **{"temperature": 0.0, "max_tokens": 16, **more})


def continuing(text, **more):
    return Request((message("text", text),), **{"temperature": 0.0, "max_tokens": 16, **more})


@cache
def plain_model(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder)


def plain_tokens(folder, request, presence=0.0, frequency=0.0):
    """The likeliest tokens of one request alone: no batch, no padding, no cache, the whole text at each step."""
    weights_, tokenizer = plain_model(str(folder)), small_tokenizer()
    chat = [dict(one) for one in request.messages]
    if request.raw:
        ids = tokenizer(chat[0]["content"])["input_ids"]
    else:
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    out: list[int] = []
    ends = {*tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])}
    with torch.no_grad():
        while len(out) < request.max_tokens and not (out and out[-1] in ends):
            scores = weights_(torch.tensor([ids + out]), use_cache=False).logits[0, -1, : len(tokenizer)]
            for token in set(out):
                scores[token] -= presence + frequency * out.count(token)
            out.append(int(scores.argmax()))
    return len(ids), [token for token in out if token not in ends]


def plain_text(folder, request, presence=0.0, frequency=0.0):
    return small_tokenizer().decode(plain_tokens(folder, request, presence, frequency)[1], skip_special_tokens=True)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_padding_and_the_prefix_cache_change_no_token(kind, tmp_path):
    folder = save_small_model(tmp_path / kind, kind, **KINDS[kind])
    requests = [ask(question) for question in QUESTIONS]
    wanted = [plain_text(folder, request) for request in requests]
    assert len(set(wanted)) > 2
    cached, uncached, single = (
        LocalModel(folder, batch_size=4),
        LocalModel(folder, batch_size=5, prefix_tokens=0),
        LocalModel(folder, batch_size=1),
    )
    for model in (cached, uncached, single):
        assert [answer.text for answer in model.answer(requests)] == wanted
    assert [answer.text for answer in cached.answer(requests)] == wanted  # now with beginnings that are known
    assert (cached._prefixes.ran > 0) == (kind != "lfm2")
    assert uncached._prefixes.ran == 0


def test_a_prefix_put_into_the_wrong_columns_would_be_seen(folder, monkeypatch):
    """The negative control of the test above."""
    right = [answer.text for answer in LocalModel(folder).answer([ask(question) for question in QUESTIONS])]
    real = prefix._spread
    monkeypatch.setattr(prefix, "_spread", lambda keys, values, padding: real(keys, values, [0] * len(padding)))
    assert [answer.text for answer in LocalModel(folder).answer([ask(q) for q in QUESTIONS])] != right


def test_a_common_beginning_is_run_once_and_the_oldest_is_forgotten(folder):
    model = LocalModel(folder)
    model.answer([ask("What?"), ask("天空？")])
    ran = model._prefixes.ran
    shared = prefix.common_length([model._tokens(ask("What?")), model._tokens(ask("天空？"))])
    assert ran == shared
    model.answer([ask("How?"), ask("一加一？")])
    assert model._prefixes.ran == ran
    for number in range(4):
        model.answer([ask(q, system=f"{number} 号老师。" + SYSTEM, max_tokens=1) for q in ("What?", "天空？")])
    assert len(model._prefixes._kept) == 4
    assert not any(kept == tuple(model._tokens(ask("What?"))[:shared]) for kept in model._prefixes._kept)
    small = LocalModel(folder, prefix_tokens=shared + 1)
    for number in range(3):
        small.answer([ask(q, system=f"{number} 号老师。" + SYSTEM, max_tokens=1) for q in ("What?", "天空？")])
        assert sum(map(len, small._prefixes._kept)) <= shared + 1


def test_token_counts_and_the_cut_at_the_longest_length(model, folder):
    for request in (ask("What?", max_tokens=7), continuing("天空是", max_tokens=1)):
        (reply,) = model.answer([request])
        prompt, tokens = plain_tokens(folder, request)
        assert (reply.finish, reply.prompt_tokens, reply.completion_tokens) == ("length", prompt, len(tokens))
        assert reply.truncated
        assert reply.model == "small"


@pytest.mark.parametrize("question", QUESTIONS[:2])
def test_a_stop_text_ends_the_reply_where_it_first_stands_and_is_cut_off(model, question):
    asked = ask(question, max_tokens=40, frequency_penalty=1.0)  # the penalty makes the text a varied one
    (whole,) = model.answer([asked])
    text = whole.text
    stops = {text[start : start + size] for start in range(1, len(text) - 3) for size in (1, 2, 3)}
    stops = sorted(stop for stop in stops if "\ufffd" not in stop and text.partition(stop)[0].strip())[::5]
    assert len(stops) > 4
    requests = [replace(asked, stop=(stop, "never said 从不说")) for stop in stops]
    for stop, reply in zip(stops, model.answer(requests), strict=True):
        assert reply.text == text.partition(stop)[0]
        assert reply.finish == "stop"
        assert reply.completion_tokens <= whole.completion_tokens
    (unstopped,) = model.answer([replace(asked, stop=("never said",))])
    assert unstopped == whole


def test_the_first_of_several_stop_texts_counts(model):
    asked = ask("What is the capital of France?", max_tokens=30, frequency_penalty=1.0)
    (whole,) = model.answer([asked])
    parts = [part for part in whole.text.split("\ufffd") if part.strip()]
    early, late = parts[1], parts[-1]
    assert whole.text.find(early) < whole.text.find(late)
    (reply,) = model.answer([replace(asked, stop=(late, early))])
    assert reply.text == whole.text.partition(early)[0]


def test_a_special_token_can_be_a_stop_text_and_eos_ends_a_reply(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "ending")
    request = ask("What is the capital of France?")
    _, tokens = plain_tokens(folder, request)
    place = next(index for index in range(3, len(tokens)) if tokens[index] not in tokens[:index])
    path = tmp_path / "ending" / "generation_config.json"
    path.write_text(json.dumps({"eos_token_id": [tokens[place]]}))
    (reply,) = LocalModel(str(tmp_path / "ending")).answer([request])
    assert reply.text == small_tokenizer().decode(tokens[:place], skip_special_tokens=True)
    assert (reply.finish, reply.completion_tokens) == ("stop", place + 1)
    model = LocalModel(folder)
    row = model._row(0, replace(request, stop=("<|im_start|>",)))
    assert small_tokenizer().convert_tokens_to_ids("<|im_start|>") in row.stop


def test_the_template_says_what_ends_a_turn(model):
    ends = {small_tokenizer().convert_ids_to_tokens(token) for token in model._opened.stop}
    assert {"<|im_end|>", "<|endoftext|>"} <= ends


def test_penalties_count_the_reply_alone(model, folder):
    requests = [
        ask("你好", presence_penalty=1.5),
        ask("你好", frequency_penalty=0.75),
        ask("What is the capital of France?", presence_penalty=-1.0, frequency_penalty=2.0),
        ask("你好"),
    ]
    for request, reply in zip(requests, model.answer(requests), strict=True):
        presence, frequency = request.presence_penalty or 0.0, request.frequency_penalty or 0.0
        assert reply.text == plain_text(folder, request, presence, frequency)


def test_a_drawn_reply_depends_on_its_request_and_the_seed_alone(folder):
    requests = [ask(question, temperature=1.0, top_p=0.95) for question in QUESTIONS]
    model = LocalModel(folder, seed=3)
    first = model.answer(requests)
    assert model.answer(requests[::-1])[::-1] == first
    assert [LocalModel(folder, seed=3, batch_size=1).answer([one])[0] for one in requests] == first
    assert LocalModel(folder, seed=4).answer(requests) != first
    samples = model.answer([replace(requests[0], sample=sample) for sample in range(6)])
    assert samples[0] == first[0]
    assert len({reply.text for reply in samples}) > 3


def test_requests_of_all_kinds_can_share_a_batch_and_keep_their_order(folder):
    requests = [
        ask("What?", temperature=1.0, max_tokens=5),
        continuing("天空是什么", max_tokens=9),
        ask("你好", system="", temperature=0.7, top_p=0.5, frequency_penalty=1.0),
        ask("x " * 600),
        continuing("The capital", temperature=2.0, stop=("。",)),
        continuing(""),
        ask("一加一等于几？", max_tokens=40),
    ]
    together = LocalModel(folder, batch_size=4).answer(requests)
    alone = [LocalModel(folder, batch_size=1).answer([request])[0] for request in requests]
    assert together == alone
    rules = {index: answer.rule for index, answer in enumerate(together) if isinstance(answer, Failure)}
    assert rules == {3: "too_long", 5: "empty_prompt"}
    assert LocalModel(folder).answer([]) == []


def test_a_reply_goes_no_further_than_the_context(folder):
    model = LocalModel(folder)
    (reply,) = model.answer([continuing("天空是" * 250, max_tokens=5000)])
    assert isinstance(reply, Reply)
    assert reply.prompt_tokens > 490
    assert reply.prompt_tokens + reply.completion_tokens <= 512
    assert reply.finish == "length"


def test_settings_left_open_come_from_the_makers_of_the_model(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "advised")
    advice = {"do_sample": True, "temperature": 0.3, "top_p": 0.8, "top_k": 20, "eos_token_id": 0}
    (tmp_path / "advised" / "generation_config.json").write_text(json.dumps(advice))
    advised, unadvised = LocalModel(str(tmp_path / "advised")), LocalModel(folder)
    left_open = Request((message("user", "你好"),))
    rule = advised._rule(left_open)
    assert (rule.temperature, rule.top_p, rule.top_k) == (0.3, 0.8, 20)
    assert advised._rule(replace(left_open, temperature=0.0)).temperature == 0.0
    rule = unadvised._rule(left_open)
    assert (rule.temperature, rule.top_p, rule.top_k) == (1.0, 1.0, 0)


def test_a_tokenizer_without_a_template_continues_texts_and_answers_no_chat(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "base")
    for name in ("chat_template.jinja",):
        (tmp_path / "base" / name).unlink()
    model = LocalModel(str(tmp_path / "base"))
    assert isinstance(model.answer([continuing("天空")])[0], Reply)
    with pytest.raises(UsageError, match="no chat template") as caught:
        model.answer([ask("你好")])
    assert "chat model" in caught.value.help


def test_a_template_without_system_texts_gets_them_before_the_question_and_says_so(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "strict")
    strict = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "{% if m.content == '坏' %}{{ raise_exception('not this') }}{% endif %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    )
    (tmp_path / "strict" / "chat_template.jinja").write_text(strict)
    model = LocalModel(str(tmp_path / "strict"))
    kept, merged, refused = model.answer(
        [ask("你好", system=""), ask("你好", system="简短。"), ask("坏", system="")],
    )
    assert isinstance(kept, Reply)
    assert merged == model.answer([ask("简短。\n\n你好", system="")])[0]
    assert (refused.rule, refused.attempts) == ("chat_template", 0)
    assert "not this" in refused.detail
    assert len(model.remarks) == 1


def test_a_tokenizer_that_drops_a_first_blank_keeps_it_in_a_continuation(tmp_path):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    backend.decoder = decoders.Metaspace(prepend_scheme="first")
    trainer = trainers.BpeTrainer(vocab_size=90, special_tokens=["<unk>", "</s>"], show_progress=False)
    backend.train_from_iterator(["come up with a task 想 一个 任务"] * 4, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", unk_token="<unk>")
    folder = save_small_model(tmp_path / "blanks", tokenizer=tokenizer)
    model = LocalModel(folder)
    row = model._row(0, continuing("come up"))
    after = tokenizer("come up with 任务")["input_ids"][len(row.ids) :]
    assert tokenizer.decode(after) == "with 任务"
    assert model._continuation(row, after) == " with 任务"


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's own, when adapters are made
def test_adapters_answer_as_their_base_with_the_adapters_merged(folder, tmp_path):
    import peft

    torch.manual_seed(2)
    base = transformers.AutoModelForCausalLM.from_pretrained(folder)
    adapted = peft.get_peft_model(base, peft.LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "adapters")
    requests = [ask(question) for question in QUESTIONS[:3]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answers = LocalModel(str(tmp_path / "adapters")).answer(requests)
    adapted.merge_and_unload().save_pretrained(tmp_path / "merged")
    wanted = [plain_text(tmp_path / "merged", request) for request in requests]
    assert [answer.text for answer in answers] == wanted
    assert answers[0].model == "adapters"
    assert wanted != [answer.text for answer in LocalModel(folder).answer(requests)]
    weights_ = tmp_path / "adapters" / "adapter_model.safetensors"
    whole = weights_.read_bytes()
    weights_.write_bytes(whole[:500])
    with pytest.raises(InputError, match="adapters cannot be opened"):
        LocalModel(str(tmp_path / "adapters"))
    weights_.write_bytes(whole)
    config = tmp_path / "adapters" / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "base_model_name_or_path": "/no/such/base"}))
    with pytest.raises(InputError, match="cannot be opened"):
        LocalModel(str(tmp_path / "adapters"))


def test_folders_that_cannot_answer_are_named_with_what_to_do(folder, tmp_path):
    with pytest.raises(InputError, match="no such folder") as caught:
        LocalModel(str(tmp_path / "missing"))
    assert "config.json" in caught.value.help
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="cannot be opened"):
        LocalModel(str(tmp_path / "empty"))
    shutil.copytree(folder, tmp_path / "cut")
    (tmp_path / "cut" / "model.safetensors").write_bytes((tmp_path / "cut" / "model.safetensors").read_bytes()[:900])
    with pytest.raises(InputError, match="cannot be"):
        LocalModel(str(tmp_path / "cut"))
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare, ignore=shutil.ignore_patterns("tokenizer*", "chat_template*", "special*"))
    with pytest.raises(InputError, match="no tokenizer"):
        LocalModel(str(bare))
    shutil.copytree(folder, tmp_path / "other")
    config = tmp_path / "other" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "num_hidden_layers": 5}))
    with pytest.raises(InputError, match="lacks"):
        LocalModel(str(tmp_path / "other"))
    config.write_text(json.dumps({**json.loads(config.read_text()), "num_hidden_layers": 3, "intermediate_size": 99}))
    with pytest.raises(InputError, match="other shapes"):
        LocalModel(str(tmp_path / "other"))
    shutil.copytree(folder, tmp_path / "template")
    (tmp_path / "template" / "chat_template.jinja").write_text("{% if %}")
    with pytest.raises(InputError, match="template"):
        LocalModel(str(tmp_path / "template"))
    recurrent = save_small_model(tmp_path / "mamba", "mamba")
    with pytest.raises(UsageError, match="cannot be run in this process") as caught:
        LocalModel(recurrent)
    assert "--base-url" in caught.value.help
    with pytest.raises(UsageError, match="batch-size"):
        LocalModel(folder, batch_size=0)


def test_a_tokenizer_of_another_model_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "wide")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([f"词{number}" for number in range(40)])
    tokenizer.save_pretrained(tmp_path / "wide")
    with pytest.raises(UsageError, match="tokenizer has"):
        LocalModel(str(tmp_path / "wide"))


def test_a_missing_package_is_named_with_its_extra(monkeypatch, folder):
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match="'torch'") as caught:
        LocalModel(folder)
    assert "dataforge[train]" in caught.value.help


def test_memory_that_runs_out_says_which_option_to_lower(monkeypatch, folder):
    model = LocalModel(folder)

    def no_room(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(prefix, "forward", no_room)
    with pytest.raises(DataError, match="memory ran out with 4 requests") as caught:
        model.answer([ask(question, system="") for question in QUESTIONS[:4]])
    assert "--batch-size 2" in caught.value.help

    def broken(*_):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(prefix, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        model.answer([ask("Hi", system="")])


def test_broken_weights_end_the_run(folder, tmp_path):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.lm_head.weight[:] = float("nan")
    model.save_pretrained(tmp_path)
    small_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(DataError, match="no finite numbers"):
        LocalModel(str(tmp_path)).answer([ask("你好")])


def test_a_reply_without_text_is_no_reply(folder, monkeypatch):
    model = LocalModel(folder)
    monkeypatch.setattr(model, "_text", lambda ids: " \n")
    (answer,) = model.answer([ask("你好")])
    assert isinstance(answer, Failure)
    assert answer.rule == "empty"


def test_the_module_can_be_looked_at_without_torch():
    assert not any(name in vars(local) for name in ("torch", "transformers"))
