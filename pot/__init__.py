"""What people hold in their hands: the ``pot`` command and the Python SDK (``from pot import Client``)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pot.client import Client as Client

__all__ = ["Client"]


def __getattr__(name: str) -> Any:
    # The SDK brings web3 and torch with it; `pot --help` must not.
    if name == "Client":
        from pot.client import Client

        return Client
    raise AttributeError(f"module 'pot' has no attribute {name!r}")
