"""Validator nodes of a test, in one event loop of a thread of their own."""

import asyncio
import threading
from collections.abc import Callable

from eth_account.signers.local import LocalAccount

from committee.config import ValidatorConfig
from committee.node import ValidatorNode
from protocol.ids import Address, parse_address

STOP_S = 20.0

Build = Callable[[ValidatorConfig, LocalAccount], ValidatorNode]


class Nodes:
    """Started and stopped by name."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._running: dict[Address, tuple[ValidatorNode, asyncio.Future[None]]] = {}

    def start(self, config: ValidatorConfig, account: LocalAccount, build: Build = ValidatorNode) -> None:
        async def begin() -> tuple[ValidatorNode, asyncio.Future[None]]:
            node = build(config, account)
            return node, asyncio.ensure_future(node.run())

        name = parse_address(account.address)
        self._running[name] = asyncio.run_coroutine_threadsafe(begin(), self._loop).result(STOP_S)

    def stop(self, name: Address) -> None:
        """End one node. Raises what ended it before."""
        node, run = self._running.pop(name)

        async def end() -> None:
            node.stop()
            await run

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(STOP_S)

    def close(self) -> None:
        try:
            for name in list(self._running):
                self.stop(name)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_S)
