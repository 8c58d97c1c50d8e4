"""Message trees: every message with ranked replies, the way to it as the prompt, the best reply first in rank."""

import dialect_rows
from asking import choices, known, refused, texts, told
from hypothesis import given, settings
from strategies import LAW, dump

from dataforge.formats.spelling import Spelling
from dataforge.io import jsontext
from dataforge.ops.preference.sources import SourceOptions, choices_of
from dataforge.registry import load_dialect

FEW = settings(LAW, max_examples=50)


def said(role, text, *replies, **more):
    return {"text": text, "role": role, "replies": list(replies), **more}


def user(text, *replies, **more):
    return said("prompter", text, *replies, **more)


def bot(text, *replies, **more):
    return said("assistant", text, *replies, **more)


def tree(root):
    return {"message_tree_id": "t", "prompt": root}


TREE = tree(
    user(
        "说一种绿茶。",
        bot(
            "龙井。",
            user(
                "红茶呢？",
                bot("茶是红的。", rank=1),
                bot("祁门。", rank=0, model_name="甲"),
                bot("不知道。", rank=None),
            ),
            user("谢谢", bot("不客气。"), rank=0),
            rank=0,
            labels={"quality": {"value": 0.9, "count": 3}, "spam": {"value": 0.0, "count": 3}},
        ),
        bot("茶是绿的。", rank=1, labels={"quality": {"value": 0.2, "count": 3}}),
    )
)


def test_every_message_with_several_replies_is_a_choice_with_the_way_from_the_root_as_its_prompt():
    first, second = choices(TREE)
    assert told(first.prompt) == [("user", "说一种绿茶。")]
    assert (texts(first), known(first, "rank")) == (["龙井。", "茶是绿的。"], [(0,), (1,)])
    assert told(second.prompt) == [("user", "说一种绿茶。"), ("assistant", "龙井。"), ("user", "红茶呢？")]
    assert texts(second) == ["茶是红的。", "祁门。", "不知道。"]
    assert known(second, "rank", "model") == [(1, None), (0, "甲"), (None, None)]
    assert [one.place for one in (first, second)] == [
        "$.prompt.replies[0]",
        "$.prompt.replies[0].replies[0].replies[0]",
    ]
    assert all(turn.extras is None for one in (first, second) for turn in one.prompt + one.entries[0].answer)
    assert not first.joined


def test_replies_of_the_user_are_compared_when_they_are_asked_for():
    found = choices(TREE, tree_roles="all")
    (users,) = [one for one in found if one.entries[0].answer[0].role == "user"]
    assert texts(users) == ["红茶呢？", "谢谢"] and known(users, "rank") == [(None,), (0,)]
    assert len(found) == len(choices(TREE)) + 1


def test_the_labels_of_a_message_are_scores_when_they_are_named():
    assert known(choices(TREE, score="quality")[0], "score", "rank") == [(0.9, 0), (0.2, 1)]


def test_in_trees_the_lowest_rank_is_the_best_whatever_is_declared():
    assert refused(TREE, rank_best="high")[0] == "rank_direction"
    assert known(choices(TREE, rank_best="low")[0], "rank") == [(0,), (1,)]


def test_deleted_replies_and_all_below_them_are_unranked_for_a_named_reason():
    gone = bot("删", user("然后？", bot("一", rank=0), bot("二", rank=1)), rank=0, deleted=True)
    first, second = choices(tree(user("问", gone, bot("好", rank=1), bot("坏", rank=2, deleted=False))))
    assert known(first, "rank", "lost") == [(None, "deleted"), (1, ""), (2, "")]
    assert known(second, "rank", "lost") == [(None, "below a deleted message")] * 2


def test_a_rank_that_is_none_is_named_and_a_single_way_has_nothing_to_choose_from():
    one = choices(tree(user("问", bot("a", rank="first"), bot("b", rank=1.5), bot("c", rank=0.0))))[0]
    assert known(one, "rank", "lost") == [(None, "rank: first"), (None, "rank: 1.5"), (0, "")]
    assert choices(tree(user("问", bot("答", user("再问", bot("再答")))))) == []


def walked(message, way, found):
    """(the way to a message, the texts of its assistant replies with their ranks) of every message with several."""
    way = [*way, ("user" if message["role"] == "prompter" else "assistant", message["text"])]
    replies = message.get("replies") or []
    bots = [reply for reply in replies if reply["role"] == "assistant"]
    if len(bots) > 1:
        found.append((way, [reply["text"] for reply in bots]))
    for reply in replies:
        walked(reply, way, found)
    return found


@FEW
@given(row=dialect_rows.ROWS["oasst-tree"])
def test_the_choices_of_any_tree_are_those_of_a_plain_walk(row):
    value = jsontext.decode(dump(row).encode())
    record = load_dialect("oasst-tree").read(value, Spelling())
    got = [(told(one.prompt), texts(one)) for one in choices_of(record, "oasst-tree", SourceOptions())]
    assert got == walked(value["prompt"], [], [])
