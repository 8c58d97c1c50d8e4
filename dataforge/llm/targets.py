"""The models of a run and the servers they live at, each opened when it is first named.

Python: `Targets(config, prices, Remarks()).of("judge@http://localhost:8000/v1").name`
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from dataforge.llm.address import OPENAI, Mask, open_server, parse_spec
from dataforge.llm.endpoint import Endpoint
from dataforge.llm.pace import Clock, Gauge, Pace
from dataforge.llm.prices import Price, Prices
from dataforge.llm.remarks import Remarks
from dataforge.llm.settings import ClientConfig
from dataforge.llm.wire import Shape, extra_body

__all__ = ["Target", "Targets"]


@dataclass
class Target:
    """A model of a server. price: None if it is not known. shape: how it wants to be asked, as far as was learned."""

    name: str
    endpoint: Endpoint
    pace: Pace
    price: Price | None
    shape: Shape = field(default_factory=Shape)

    @property
    def address(self) -> str:
        """The server's address, fit to be shown."""
        return self.endpoint.server.address

    def cost(self, prompt: int, reply: int) -> float:
        """Money for so many tokens, 0.0 without a price."""
        return self.price.cost(prompt, reply) if self.price else 0.0


class Targets:
    """Model specs -> targets. Models of one server share its connections and its pace.

    mask: takes the secrets of all servers out of texts. priced: True if the prices of all models are known.
    """

    def __init__(self, config: ClientConfig, prices: Prices, remarks: Remarks, clock: Clock) -> None:
        self.mask = Mask()
        self.priced = True
        self._config = config
        self._prices = prices
        self._remarks = remarks
        self._clock = clock
        self._targets: dict[str, Target] = {}
        self._servers: dict[str, tuple[Endpoint, Pace]] = {}

    def of(self, spec: str) -> Target:
        """The target of a spec. Raises UsageError where a key, an address or a needed price is missing."""
        if spec not in self._targets:
            self._targets[spec] = self._open(spec)
        return self._targets[spec]

    def _open(self, spec: str) -> Target:
        config, model = self._config, parse_spec(spec)
        price = self._prices.of(model.name) if config.max_cost is None else self._prices.needed(model.name)
        endpoint, pace = self._server(model.url or self._base_url())
        self.priced = self.priced and price is not None
        openai = endpoint.server.openai
        if config.max_cost is not None and not openai and model.name not in self._prices.own:
            self._remarks.once(
                f"money is counted by the list prices of {model.name} of {self._prices.date}; "
                f"{endpoint.server.address} may charge others (--prices)"
            )
        shape = Shape("max_completion_tokens" if openai else "max_tokens", schema=config.structured != "never")
        shape.extra = extra_body(config.extra_body)
        return Target(model.name, endpoint, pace, price, shape)

    def _base_url(self) -> str:
        """The server of the run: --base-url, $OPENAI_BASE_URL, or OpenAI's own."""
        if self._config.base_url is not None:
            return self._config.base_url
        given = os.environ.get("OPENAI_BASE_URL", "").strip()
        if given:
            address = open_server(given, self._config.api_key_env).address
            self._remarks.once(f"requests go to {address}, as the environment variable OPENAI_BASE_URL says")
        return given or OPENAI

    def _server(self, url: str) -> tuple[Endpoint, Pace]:
        if url not in self._servers:
            server = open_server(url, self._config.api_key_env)
            self.mask.add(server.secrets)
            endpoint = Endpoint(server, timeout=self._config.timeout, most=self._config.concurrency)
            self._servers[url] = endpoint, Pace(self._config, self._clock)
        return self._servers[url]

    @property
    def gauge(self) -> Gauge:
        """Requests in flight and how many may be, over all servers."""
        paces = [pace for _, pace in self._servers.values()]
        return Gauge(sum(pace.in_flight for pace in paces), sum(int(pace.limit) for pace in paces))

    def release(self) -> None:
        """Let nobody wait for a place any longer."""
        for _, pace in self._servers.values():
            pace.release()

    async def close(self) -> None:
        """Close all connections."""
        for endpoint, _ in self._servers.values():
            await endpoint.close()
