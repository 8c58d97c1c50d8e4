"""The model client against a bare loop over AsyncOpenAI: requests a second, and memory over many requests.

Both ask the same local server, which answers at once and lives in a process of its own, with 64 requests in flight.
The bare loop is a gather with a semaphore over `chat.completions.create`: no checks, no retries of its own, no
limits, no cache. Ours writes each reply to the cache on disk and a line to a journal before and after each request.
Target: 60 % or more of the bare loop, and memory that stays flat.

Run as: `make bench-client`
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import arguments, interleave, machine, publish, table

IN_FLIGHT = 64
STUB = """
import asyncio, sys

class Stub(asyncio.Protocol):
    count = 0

    def connection_made(self, transport):
        self.transport, self.data = transport, b""

    def data_received(self, data):
        self.data += data
        while True:
            head = self.data.find(b"\\r\\n\\r\\n")
            if head < 0:
                return
            place = self.data[:head].lower().index(b"content-length:") + 15
            end = head + 4 + int(self.data[place:].split(b"\\r\\n", 1)[0])
            if len(self.data) < end:
                return
            self.data = self.data[end:]
            Stub.count += 1
            text = b"Heat the water to eighty degrees and wait for two minutes. " * 4
            body = (
                b'{"id":"chatcmpl-%d","object":"chat.completion","created":1,"model":"stub","choices":[{"index":0,'
                b'"message":{"role":"assistant","content":"%s"},"finish_reason":"stop"}],'
                b'"usage":{"prompt_tokens":60,"completion_tokens":50,"total_tokens":110}}'
            ) % (Stub.count, text)
            head = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n"
            self.transport.write(head % len(body) + body)

async def main():
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


@contextmanager
def stub() -> Iterator[str]:
    """The address of a server that answers at once."""
    process = subprocess.Popen([sys.executable, "-c", STUB], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
    finally:
        process.terminate()
        process.wait()


def prompts(count: int) -> Iterator[str]:
    """So many prompts, no two alike, of 300 characters."""
    for number in range(count):
        yield f"{number}. " + "Write a task that asks for one clear thing, and nothing that needs a picture. " * 4


async def bare(url: str, count: int) -> float:
    """Requests a second of the bare loop."""
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def ask(prompt: str) -> str | None:
        async with gate:
            reply = await client.chat.completions.create(
                model="stub", messages=[{"role": "user", "content": prompt}], max_tokens=256
            )
            return reply.choices[0].message.content

    began = time.perf_counter()
    replies = await asyncio.gather(*map(ask, prompts(count)))
    seconds = time.perf_counter() - began
    assert all(replies)
    await client.close()
    return count / seconds


async def ours(url: str, count: int, folder: Path) -> tuple[float, list[float]]:
    """(requests a second, MiB of resident memory after each quarter) of our client, cache and journal on."""
    import psutil

    from dataforge.llm.client import Client
    from dataforge.llm.request import Reply, Request, message
    from dataforge.llm.settings import ClientConfig

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    memory: list[float] = []
    with open(folder / "journal", "w", buffering=1) as journal:
        config = ClientConfig(model="stub", base_url=url, concurrency=IN_FLIGHT, cache=str(folder / "replies.sqlite"))
        client = Client(config, on_send=lambda *words: journal.write(f"{words}\n") and None)
        waiting = enumerate(prompts(count))

        async def work() -> None:
            for number, prompt in waiting:
                request = Request((message("user", prompt),), max_tokens=256)
                outcome = await client.ask(f"row-{number}", request)
                assert isinstance(outcome.answer, Reply)
                journal.write(f"{number} {outcome.answer.text}\n")
                if number % max(1, count // 4) == count // 4 - 1:
                    memory.append(psutil.Process().memory_info().rss / 2**20)

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
        await client.close()
        seconds = time.perf_counter() - began
    return count / seconds, memory


def measure_memory(url: str, count: int, folder: Path) -> list[float]:
    """Resident memory after each quarter of a long run, in a fresh process."""
    code = (
        "import asyncio, sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import client;"
        "print(*asyncio.run(client.ours(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))[1])"
    )
    words = [sys.executable, "-c", code, str(Path(__file__).parent), url, str(count), str(folder)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()]


def main() -> None:
    """Measure and publish."""
    options = arguments(__doc__ or "", requests=3000, long=20_000)
    folder = Path(options.work) / "client"
    names = ("bare AsyncOpenAI loop", "dataforge client, cache and journal on")
    with stub() as url:
        series = interleave(
            {
                names[0]: lambda: asyncio.run(bare(url, options.requests)),
                names[1]: lambda: asyncio.run(ours(url, options.requests, folder))[0],
            },
            options.runs,
        )
        memory = measure_memory(url, options.long, folder)
    base = series[names[0]].median
    rows = [[name, f"{one.median:,.0f}", one.spread(0), f"{one.median / base:.0%}"] for name, one in series.items()]
    lines = [
        f"{options.requests:,} requests of 300 characters, no two alike, {IN_FLIGHT} in flight; the server is a "
        f"process of its own that answers at once. {machine('openai')}.",
        "",
        *table(["", "requests/s", "range", "of the bare loop"], rows),
        "",
        f"Resident memory of the client over {options.long:,} requests, after each quarter: "
        + ", ".join(f"{value:,.1f}" for value in memory)
        + " MiB.",
    ]
    publish("client", "Model client", lines, write=options.write)


if __name__ == "__main__":
    main()
