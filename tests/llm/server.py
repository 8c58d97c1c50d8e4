"""A model server that misbehaves on demand: plain standard library, real sockets, one thread a connection.

    with Server(answer=lambda body: "four") as server:
        Client(ClientConfig(model="m", base_url=server.url))

    with Server(script=[fail(429, retry_after=1), reset(), "fine"]) as server: ...

answer: called with the body of each request (a dict); says a text, or a Behaviour. script: what comes before that, one
item a request, in the order of arrival. The server counts what it saw: requests, peak in flight, tokens billed.
"""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATHS = ("/v1/chat/completions", "/v1/completions")


@dataclass
class Behaviour:
    """What is done with a request: `act(handler, body)` writes what the client sees; `name` is for test output."""

    name: str
    act: Callable[[Any, dict], None]


def ok(text="fine", *, finish="stop", usage=True, model=None, id=None, delay=0.0, message=None, **more):
    """A sound reply; `message` replaces the message whole, `more` are further keys of the reply."""

    def act(handler, body):
        time.sleep(delay)
        handler.reply(handler.completion(body, text, finish, usage, model, id, message) | more)

    return Behaviour("ok", act)


def fail(status, message="no", *, code=None, type=None, param=None, retry_after=None, headers=None, body=None):
    """An HTTP error as OpenAI words it; body: bytes in its stead."""
    given = dict(headers or {})
    if retry_after is not None:
        given["Retry-After"] = str(retry_after)
    error = {"error": {"message": message, "type": type, "code": code, "param": param}}

    def act(handler, _):
        handler.send(status, json.dumps(error).encode() if body is None else body, headers=given)

    return Behaviour(f"fail {status}", act)


def raw(body, *, content_type="application/json", status=200, headers=None):
    """Any bytes (or any value, as JSON)."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Behaviour("raw", lambda handler, _: handler.send(status, data, content_type, headers or {}))


def html():
    return raw(b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1> nginx</body></html>", content_type="text/html")


def half_json():
    """A whole HTTP reply whose JSON breaks off, as gateways send it."""
    return Behaviour("half json", lambda handler, body: handler.send(200, handler.sound(body)[:-25]))


def half_body():
    """Less of the body than was promised, then the connection ends."""

    def act(handler, body):
        data = handler.sound(body)
        handler.head(200, "application/json", {"Content-Length": str(len(data))})
        handler.wfile.write(data[: len(data) // 2])
        handler.wfile.flush()
        handler.close_connection = True

    return Behaviour("half body", act)


def reset():
    """A reset (RST) in the place of a reply."""

    def act(handler, _):
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.close_connection = True
        handler.connection.close()

    return Behaviour("reset", act)


def drip(pause=0.05):
    """A sound reply, a byte at a time: it never ends as far as the client is concerned."""

    def act(handler, body):
        data = handler.sound(body)
        handler.head(200, "application/json", {"Content-Length": str(len(data))})
        try:
            for place in range(len(data)):
                handler.wfile.write(data[place : place + 1])
                handler.wfile.flush()
                if handler.server.owner.closing.wait(pause):
                    break
        except OSError:  # the client has had enough
            pass
        handler.close_connection = True

    return Behaviour("drip", act)


def hang():
    """No reply at all, until the server ends."""

    def act(handler, _):
        handler.server.owner.closing.wait(30)
        handler.close_connection = True

    return Behaviour("hang", act)


def quota():
    return fail(
        429, "You exceeded your current quota, please check your plan and billing details.", code="insufficient_quota"
    )


def too_long():
    return fail(400, "This model's maximum context length is 8192 tokens.", code="context_length_exceeded")


def bad_key(key):
    """As OpenAI words it, with the ends of the key."""
    return fail(401, f"Incorrect API key provided: {key[:8]}********{key[-4:]}.", code="invalid_api_key")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def log_message(self, *words):
        pass

    def do_GET(self):
        self.send(404, b'{"error": {"message": "no such address"}}')

    def do_POST(self):
        owner = self.server.owner
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.partition("?")[0] not in PATHS:
            self.send(404, json.dumps({"error": {"message": f"Not Found: {self.path}"}}).encode())
            return
        behaviour = owner.begin(body, self)
        try:
            behaviour.act(self, body)
            self.wfile.flush() if not self.wfile.closed else None
        except OSError:
            self.close_connection = True
        finally:
            owner.end()

    def head(self, status, content_type, headers):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def send(self, status, data, content_type="application/json", headers=None):
        self.head(status, content_type, {"Content-Length": str(len(data)), **(headers or {})})
        self.wfile.write(data)

    def reply(self, value):
        self.send(200, json.dumps(value, ensure_ascii=False).encode())

    def sound(self, body):
        return json.dumps(self.completion(body, "fine and long enough to be cut"), ensure_ascii=False).encode()

    def completion(self, body, text, finish="stop", usage=True, model=None, id=None, message=None):
        """A reply object, billed by the server's own count."""
        prompt, completion = count_tokens(body, text)
        number = self.server.owner.bill(prompt, completion)
        choice = {"index": 0, "finish_reason": finish}
        if "prompt" in body:
            choice["text"] = text
        else:
            choice["message"] = message or {"role": "assistant", "content": text}
        value = {"id": id or f"reply-{number}", "object": "chat.completion", "created": 0, "choices": [choice]}
        value["model"] = model or body["model"]
        if usage:
            total = prompt + completion
            value["usage"] = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
        return value


def count_tokens(body, text):
    """(prompt, completion) tokens as this server bills them: a token for 3 bytes, 5 more a message."""
    texts = [body["prompt"]] if "prompt" in body else [message["content"] for message in body["messages"]]
    prompt = sum(len(part.encode()) // 3 + 5 for part in texts)
    longest = body.get("max_tokens") or body.get("max_completion_tokens") or 10**9
    return prompt, min(longest, len((text or "").encode()) // 3 + 1)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, address):
        pass  # connections that break are the point


class Server:
    """See the module. requests: bodies in order of arrival; headers, times: likewise; tokens: billed so far."""

    def __init__(self, answer=None, script=(), keep=100_000):
        self.answer = answer or (lambda body: "fine")
        self.script = list(script)
        self.requests: list[dict] = []
        self.headers: list[dict] = []
        self.times: list[float] = []
        self.count = self.in_flight = self.peak = self.tokens = self.billed = 0
        self.closing = threading.Event()
        self._keep = keep
        self._lock = threading.Lock()
        self._listener = _Listener(("127.0.0.1", 0), Handler)
        self._listener.owner = self
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self._listener.server_port}/v1"

    def begin(self, body, handler):
        """Count a request, and say what is done with it."""
        with self._lock:
            self.count += 1
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
            if len(self.requests) < self._keep:
                self.requests.append(body)
                self.headers.append({name.lower(): value for name, value in handler.headers.items()})
                self.times.append(time.monotonic())
            scripted = self.script.pop(0) if self.script else None
        said = self.answer(body) if scripted is None else scripted
        return said if isinstance(said, Behaviour) else ok(said)

    def end(self):
        with self._lock:
            self.in_flight -= 1

    def bill(self, prompt, completion):
        with self._lock:
            self.tokens += prompt + completion
            self.billed += 1
            return self.billed

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()
