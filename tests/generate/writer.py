"""A model that writes what the prompts of self-instruct ask for: fresh tasks, classes, instances, whole tasks.

It is a function of the messages alone (and of `sample`, where it sees one), so runs can be repeated; with some of the
faults that real models have. `writer` answers a Request, `writer_text` the body of a chat or completion call.

    drive(start(seeds, task, sink), writer)
    text = writer_text({"messages": [{"role": "user", "content": "..."}]})
"""

import json
import random
import re
from dataclasses import dataclass

from dataforge.llm.request import Reply

VERBS = "Write Draft Compose Outline Sketch Prepare Invent Phrase Design Record".split()
FORMS = "letter,story,speech,checklist,dialogue,recipe,poem,report,riddle,notice,diary entry,menu,toast,review".split(
    ","
)
ADJECTIVES = (
    "quiet lively frozen ancient humble golden distant clever broken narrow stormy gentle hidden wooden".split()
)
NOUNS = (
    "harbour lantern orchard glacier violin saddle compass beehive tramway lighthouse kettle meadow anchor chimney "
    "ferry market library bridge garden stable mill tunnel castle bakery festival river island desert forest station"
).split()
READERS = (
    "children,sailors,nurses,two neighbours,a night guard,new teachers,old friends,visitors,students,my aunt".split(",")
)
LABELS = (("formal", "casual"), ("urgent", "routine"), ("true", "false"), ("polite", "rude"))
ZH_VERBS = "写 拟 编 创作 准备 构思 整理 起草".split()
ZH_FORMS = "一封信 一个故事 一段发言稿 一份清单 一段对话 一首小诗 一则谜语 一篇日记 一份菜单 一条通知 一段祝词".split()
ZH_NOUNS = (
    "港口 灯笼 果园 冰川 提琴 马鞍 罗盘 蜂箱 电车 茶壶 草地 铁锚 烟囱 渡船 集市 书院 石桥 花房 磨坊 隧道 城堡 面包 庙会 "
    "江水 海岛 沙漠 竹林 车站 雪山 窗台 古井 渔网"
).split()
ZH_MOODS = "宁静 热闹 冰冷 古老 朴素 金色 遥远 聪明 破旧 狭窄 温柔 隐蔽".split()
ZH_READERS = "给孩子看 送给老师 念给邻居听 发给新同事 留给奶奶 请同学评一评 供游客参考".split()
ZH_LABELS = (("正式", "随意"), ("紧急", "平常"), ("属实", "不实"), ("礼貌", "粗鲁"))
REFUSAL = {"en": "I am afraid that this is not something to be put in a list.", "zh": "抱歉，这个我没有办法列出来。"}
FAULTS = {
    "en": {
        "too_short": "Name {0}.", "keyword": "Draw a picture of a {0} next to a {1}.", "punctuation": "(Optional) Say what a {0} is for.",
        "program": "Write a program that counts every {0} and {1}.", "script": "Élodie asks you to describe a {0}.",
    },
    "zh": {
        "too_short": "写{0}", "keyword": "画一张{0}旁边有{1}的图片。", "punctuation": "（选做）说说{0}有什么用。",
        "program": "编写一个程序统计{0}和{1}的数量。", "script": "Describe the {0} in detail.",
    },
}  # fmt: skip


@dataclass
class Writer:
    """faults: share of tasks and instances that are planted faults, and half of that of replies cut or unreadable."""

    faults: float = 0.1

    def __call__(self, request):
        """A Reply to a Request."""
        text = "\n".join(message["content"] for message in request.messages)
        written, finish = self.write(text, request.sample)
        return Reply(written, finish, len(text) // 4, len(written) // 4, "writer")

    def write(self, text, sample=0):
        """(reply, finish reason) to a prompt's text."""
        rng = random.Random(f"{sample}:{text}")
        lang = "zh" if re.search("任务", text) else "en"
        stage = stage_of(text)
        if stage == "class":
            return (" " if text.endswith((":", "：")) else "") + self._class(rng, lang, text), "stop"
        if rng.random() < self.faults / 2:
            return REFUSAL[lang], "stop"
        written = getattr(self, "_" + stage)(rng, lang, text)
        if stage != "worked" and stage != "labelled" and rng.random() < self.faults / 2:
            return written[: len(written) - 9], "length"
        return written, "stop"

    # step 1

    def _tasks(self, rng, lang, text):
        span = re.search(r"numbered (\d+) to (\d+)|编号从 (\d+) 到 (\d+)", text)
        if span:
            first, last = (int(number) for number in span.groups() if number)
            lines = ["Sure! Here are the tasks:" if lang == "en" else "好的，下面是新任务：", ""]
        else:  # a text that ends with "9."
            first = int(re.search(r"(\d+)\.\Z", text)[1])
            last, lines = first + 6, []
        shown = re.findall(r"^\d+\. (.+)$", text, re.MULTILINE)
        for number in range(first, last + 1):
            lines.append(f"{number}. {self._task(rng, lang, shown)}")
        return "\n".join(lines) if span else "\n".join(lines).removeprefix(f"{first}.")

    def _task(self, rng, lang, shown=()):
        nouns = rng.sample(ZH_NOUNS if lang == "zh" else NOUNS, 3)
        if rng.random() < self.faults:
            if shown and rng.random() < 0.3:
                return rng.choice(shown)
            return rng.choice(list(FAULTS[lang].values())).format(*nouns)
        if lang == "zh":
            moods = rng.sample(ZH_MOODS, 2)
            if rng.random() < 0.25:
                yes, no = rng.choice(ZH_LABELS)
                return (
                    f"判断下面这段关于{moods[0]}{nouns[0]}与{nouns[1]}的文字是{yes}还是{no}，读者是{nouns[2]}管理员。"
                )
            return (
                f"{rng.choice(ZH_VERBS)}{rng.choice(ZH_FORMS)}，讲{moods[0]}的{nouns[0]}、{nouns[1]}和{moods[1]}的{nouns[2]}，"
                f"{rng.choice(ZH_READERS)}。"
            )
        moods = rng.sample(ADJECTIVES, 2)
        if rng.random() < 0.25:
            yes, no = rng.choice(LABELS)
            return f"Decide whether this remark on the {moods[0]} {nouns[0]} by a {nouns[1]} keeper is {yes} or {no}."
        return (
            f"{rng.choice(VERBS)} a {rng.choice(FORMS)} about the {moods[0]} {nouns[0]}, a {nouns[1]} "
            f"and some {moods[1]} {nouns[2]}, for {rng.choice(READERS)}."
        )

    # step 2

    def _class(self, rng, lang, text):
        task = last_task(text)
        if rng.random() < self.faults / 2:
            return "That depends." if lang == "en" else "这要看情况。"
        if task.startswith(("Decide", "判断")):
            return "Yes" if lang == "en" else "是"
        return "No." if lang == "en" else "否。"

    # step 3

    def _worked(self, rng, lang, text):
        task, most = last_task(text), asked_examples(text)
        nouns = rng.sample(ZH_NOUNS if lang == "zh" else NOUNS, most)
        marks = ("示例", "输入：", "输出：") if lang == "zh" else ("Example ", "Input: ", "Output: ")
        pairs = [(noun, f"{noun}: {task}" if lang == "en" else f"{noun}：{task}") for noun in nouns]
        pairs = [self._spoilt(rng, pair, lang) for pair in pairs]
        return "\n".join(
            f"{marks[0]}{number}\n{marks[1]}{given}\n{marks[2]}{output}"
            for number, (given, output) in enumerate(pairs, 1)
        )

    def _spoilt(self, rng, pair, lang):
        if rng.random() >= self.faults:
            return pair
        given, output = pair
        colon = "：" if lang == "zh" else ":"
        return rng.choice([(given, given), (given, ""), (given, output + colon)])

    def _labelled(self, rng, lang, text):
        task, most = last_task(text), asked_examples(text)
        table = ZH_LABELS if lang == "zh" else LABELS
        labels = next((pair for pair in table if pair[0] in task), table[0])
        mark = "类别标签：" if lang == "zh" else "Class label: "
        nouns = rng.sample(ZH_NOUNS if lang == "zh" else NOUNS, most)
        say = "这里写的是{0}。" if lang == "zh" else "Here the {0} is meant."
        return "\n".join(f"{mark}{labels[n % 2]}\n{say.format(noun)}" for n, noun in enumerate(nouns))

    # whole tasks

    def _whole(self, rng, lang, text):
        count = int(re.search(r"(?:Write|Continue with|请再写|接着写) (\d+)|\A(?=A list|以下是)", text)[1] or 0)
        shown = len(re.findall(r"^\d+\. (?:Output:|输出：)|^\{", text, re.MULTILINE))
        nouns = ZH_NOUNS if lang == "zh" else NOUNS
        items = []
        for _ in range(count or 12):
            task, noun = self._task(rng, lang), rng.choice(nouns)
            given, output = (noun, f"{noun}. {task}") if rng.random() < 0.5 else ("", f"{task} {noun}")
            items.append((task, given, "" if rng.random() < self.faults / 3 else output))
        if '"tasks"' in text:
            tasks = [dict(zip(("instruction", "input", "output"), item, strict=True)) for item in items]
            return json.dumps({"tasks": tasks}, ensure_ascii=False)
        marks = (
            ("指令：", "输入：", "输出：", "<无输入>")
            if lang == "zh"
            else ("Instruction: ", "Input:", "Output:", "<noinput>")
        )
        lines = []
        for number, (task, given, output) in enumerate(items, shown + 1):
            lines += ["###", f"{number}. {marks[0]}{task}", f"{number}. {marks[1]}", given or marks[3]]
            lines += [f"{number}. {marks[2]}", output]
        written = "\n".join(lines)
        if text.endswith(marks[0].strip()):
            return written.removeprefix(f"###\n{shown + 1}. {marks[0]}")
        return written


def stage_of(text):
    """What a prompt of ours asks for."""
    if text.endswith(("Classification:", "分类任务：")):
        return "class"
    if re.search("examples (?:for|of) classification tasks|分类任务编写示例|各种分类任务的示例", text, re.IGNORECASE):
        return "labelled"
    if re.search("worked examples of tasks|你为任务编写完整的示例|各种任务的示例", text, re.IGNORECASE):
        return "worked"
    if re.search(r"<noinput>|无输入|空字符串|empty string", text):
        return "whole"
    if re.search("new tasks, numbered|个新任务|A list of many|以下是一系列", text):
        return "tasks"
    raise ValueError(f"not a prompt of self-instruct: {text[:200]!r}")


def last_task(text):
    """The task that a prompt of steps 2 and 3 is about."""
    return re.findall(r"^(?:Task: |任务：)(.+)$", text, re.MULTILINE)[-1]


def asked_examples(text):
    """How many instances a prompt asks for (2 where it does not say)."""
    found = re.search(r"up to (\d+) example|最多 (\d+) 个", text)
    return int(found[1] or found[2]) if found else 2


writer = Writer()
faultless = Writer(faults=0.0)


def writer_text(body):
    """The text of the reply to the body of a chat or completion call."""
    messages = body.get("messages")
    text = "\n".join(message["content"] for message in messages) if messages else body["prompt"]
    return writer.write(text)[0]
