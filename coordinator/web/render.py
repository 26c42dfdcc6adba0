"""Templates and what they may call: every text is escaped, every link is built here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.responses import HTMLResponse

from coordinator.web.assets import Assets
from protocol.amounts import format_amount, format_duration, format_moment
from protocol.chain.deployment import Deployment

TEMPLATES: Final = Path(__file__).parent / "templates"
SHORT_HASH: Final = 10
_LINK: Final = Markup('<a class="mono" href="{}" title="{}">{}</a>')

PAGE_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What every page says about the network it shows; ``rpc_url`` is what wallets may be told, or empty."""

    chain_id: int
    local: bool
    rpc_url: str
    contracts: Mapping[str, str]


def contract_addresses(deployment: Deployment) -> dict[str, str]:
    """The deployment's contracts by the names that pages and scripts use."""
    names = ("market", "vault", "committee", "appeals", "contest", "token")
    return {name: getattr(deployment, name) for name in names}


class Pages:
    """Renders pages with their policy."""

    def __init__(self, assets: Assets, site: Site) -> None:
        self.assets = assets
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(assets=assets, site=site, network_json=_network_json(assets, site))
        self._environment.filters.update(FILTERS)

    def page(self, template: str, /, status: int = 200, **values: Any) -> HTMLResponse:
        """``template`` as an answer."""
        text = self._environment.get_template(f"{template}.html.j2").render(**values)
        headers = {**PAGE_HEADERS, "Content-Security-Policy": self.assets.policy}
        return HTMLResponse(text, status, headers=headers)


def _network_json(assets: Assets, site: Site) -> str:
    """What scripts need to know of the network; an attribute holds it."""
    return json.dumps(
        {
            "chainId": site.chain_id,
            "local": site.local,
            "contracts": dict(site.contracts),
            "rpc": site.rpc_url,
            "abi": assets.url("abi.json"),
        },
        sort_keys=True,
    )


def short(text: str) -> str:
    """The beginning of a hash or address."""
    return text if len(text) <= SHORT_HASH + 2 else f"{text[:SHORT_HASH]}…"


def account(address: str) -> Markup:
    return _LINK.format(f"/account/{address}", address, short(address))


def transaction(tx_hash: str) -> Markup:
    return _LINK.format(f"/tx/{tx_hash}", f"transaction {tx_hash}", short(tx_hash))


def blob(sha256: str) -> Markup:
    return _LINK.format(f"/blobs/{sha256}", f"blob {sha256}", short(sha256))


def block(number: int) -> Markup:
    return _LINK.format(f"/block/{number}", f"block {number}", f"{number:,}")


def amount(units: str | int) -> str:
    return format_amount(int(units))


def moment(unix_s: float) -> Markup:
    text = format_moment(int(unix_s))
    machine = datetime.fromtimestamp(int(unix_s), UTC).isoformat()
    return Markup('<time datetime="{}">{}</time>').format(machine, text)


def percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}".replace("%", " %")


def number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def count(value: int) -> str:
    return f"{value:,}"


def pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


def compact(value: Any) -> str:
    """JSON for an attribute that a script reads."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


FILTERS: Final = {
    "compact": compact,
    "short": short,
    "account": account,
    "transaction": transaction,
    "blob": blob,
    "block": block,
    "amount": amount,
    "moment": moment,
    "percent": percent,
    "number": number,
    "count": count,
    "pretty": pretty,
    "duration": format_duration,
}
