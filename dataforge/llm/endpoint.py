"""One server over HTTP: a request goes out once, and its raw status, headers and body come back, or a fault.

The openai package does the transport (addresses, headers, proxies, connections). Its own tries, its waiting and its
reading of bodies are left out: replies are checked by us. Costs about half of what its `chat.completions.create` does.

Python: `raw = await Endpoint(open_server(url, "OPENAI_API_KEY"), timeout=60, most=64).post("/chat/completions", body)`
"""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from dataforge.llm.address import Server
from dataforge.llm.faults import Fault, Kind

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["Endpoint", "Raw"]

CONNECT = 30.0
"""Longest wait for a connection in seconds."""


class Raw(NamedTuple):
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Endpoint:
    """The connections to one server. answered: True once it answered anything at all."""

    def __init__(self, server: Server, *, timeout: float, most: int) -> None:
        self.server = server
        self.answered = False
        self._timeout = timeout
        self._most = most
        self._open: AsyncOpenAI | None = None
        self._quiet = _Quiet(server)

    def _client(self) -> AsyncOpenAI:
        """The client of the openai package, made when it is first needed, inside the running loop."""
        import httpx2
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        if self.server.query:
            logging.getLogger("httpx2").addFilter(self._quiet)
        limits = httpx2.Limits(max_connections=self._most, max_keepalive_connections=self._most)
        timeout = httpx2.Timeout(self._timeout, connect=min(CONNECT, 0.9 * self._timeout), pool=None)
        return AsyncOpenAI(
            api_key=self.server.key,
            base_url=self.server.address,
            default_headers=self.server.headers or None,
            default_query=self.server.query or None,
            max_retries=0,
            timeout=timeout,
            http_client=DefaultAsyncHttpxClient(limits=limits, timeout=timeout, verify=_certificates()),
        )

    async def post(self, path: str, body: bytes) -> Raw:
        """Send a request once; the whole reply has to be there within the timeout. Raises Fault."""
        import httpx2
        import openai

        if self._open is None:
            self._open = self._client()
        try:
            async with asyncio.timeout(self._timeout):
                response: Any = await self._open.post(
                    path,
                    content=body,
                    cast_to=httpx2.Response,
                    options={"headers": {"Content-Type": "application/json"}},
                )
        except openai.APIStatusError as fault:
            response = fault.response
        except (TimeoutError, openai.APITimeoutError) as fault:
            raise self._late(fault) from None
        except openai.APIConnectionError as fault:
            raise self._lost(fault) from None
        except (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as fault:
            raise Fault("transport", f"{type(fault).__name__}: {fault}", paid=True) from None
        self.answered = True
        return Raw(response.status_code, response.headers, response.content)

    def _late(self, fault: Exception) -> Fault:
        import httpx2

        if any(isinstance(cause, httpx2.ConnectTimeout) for cause in _causes(fault)):
            return Fault("connect", f"{self.server.address} does not take connections: timeout")
        return Fault("timeout", f"no whole reply within {self._timeout:g} seconds (--timeout)", slow=True, paid=True)

    def _lost(self, fault: Exception) -> Fault:
        """A fault of the connection: what it means depends on what lies at its bottom."""
        import httpx2

        causes = list(_causes(fault))
        last = causes[-1]
        what = f"{type(last).__name__}: {last}" if str(last) else type(last).__name__
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
            return Fault("certificate", f"{self.server.address}: {what}", Kind.RUN)
        if any(isinstance(cause, httpx2.UnsupportedProtocol | httpx2.InvalidURL) for cause in causes):
            return Fault("address", f"{self.server.address}: {what}", Kind.RUN)
        if any(isinstance(cause, httpx2.ConnectError | httpx2.ProxyError) for cause in causes):
            return Fault("connect", f"{self.server.address} does not take connections: {what}")
        return Fault("reset", f"the connection broke: {what}", slow=True, paid=True)

    async def close(self) -> None:
        """Close the connections."""
        logging.getLogger("httpx2").removeFilter(self._quiet)
        if self._open is not None:
            await self._open.close()


class _Quiet(logging.Filter):
    """Keeps queries of addresses, where some servers want their keys, out of the log of the HTTP library."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._secrets = server.query.values()

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a record that would show one."""
        text = record.getMessage()
        return not any(secret and secret in text for secret in self._secrets)


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust, as the HTTP library finds it; reading it takes 0.1 seconds, so it is read once."""
    import httpx2

    return httpx2.create_ssl_context()


def _causes(fault: BaseException | None) -> Iterator[BaseException]:
    """The fault and what lies below it."""
    seen = 0
    while fault is not None and seen < 20:
        yield fault
        fault = fault.__cause__ or fault.__context__
        seen += 1
