"""A validator's place in the pool and the committee, as answers."""

from typing import Any

from pot.amounts import format_amount, parse_amount
from pot.client import Client
from pot.earning import status_reply, unstake_reply
from pot.output import Reply
from pot.stakes import read_stake
from protocol.bls import BlsSecret
from protocol.errors import ConfigurationError


def join_reply(
    client: Client, amount: str | None, endpoint: str | None, *, approve: bool, bls: bool, advance: bool
) -> Reply:
    """Deposit what is asked for (or missing), join under ``endpoint``, register the BLS key if ``bls``, and
    begin an epoch if ``advance``."""
    committee, address = client.contracts.committee, client.address
    published = endpoint or client.settings.endpoint
    if published is None:
        raise ConfigurationError(
            "endpoint is not set: give --endpoint ws://HOST:PORT (or POT_ENDPOINT), where others reach you."
        )
    missing = max(0, committee.validator_stake() - read_stake(client, address).active)
    units = missing if amount is None else parse_amount(amount, "AMOUNT")
    if units:
        client.stake(units, approve=approve)
    if not committee.is_validator(address):
        client.sender.send(committee.join(published))
    elif committee.endpoint_of(address) != published:
        client.sender.send(committee.set_endpoint(published))
    if bls:
        _register_key(client)
    if advance:
        client.sender.send(committee.advance_epoch())
    member = _membership(client)
    stake = read_stake(client, address)
    text = [stake.text(), f"It is in the pool under {published}; {_epoch_line(member)}"]
    return Reply(data={**stake.to_json(), **member}, text=text)


def _register_key(client: Client) -> None:
    """The key goes with the account's own one, so nobody has to keep a second secret."""
    keys, address = client.contracts.bls_keys(), client.address
    if not keys.key_of(address):
        secret = BlsSecret.derived_from(bytes(client.account.key))
        client.sender.send(keys.register(address, secret, client.deployment.chain_id))


def member_status(client: Client) -> Reply:
    """Stake, dues, and whether the account is in the pool and in the current committee."""
    member = _membership(client)
    place = f"in the pool under {member['endpoint']}" if member["in_pool"] else "not in the pool"
    return status_reply(client, client.address, member, [f"It is {place}; {_epoch_line(member)}"])


def leave_reply(client: Client, amount: str | None) -> Reply:
    """Leave the pool when stake that membership needs is taken out, then begin or finish unbonding."""
    committee, address = client.contracts.committee, client.address
    stake = read_stake(client, address).active
    left = 0 if amount is None else stake - parse_amount(amount, "--amount")
    if committee.is_validator(address) and left < committee.validator_stake():
        client.sender.send(committee.leave())
    return unstake_reply(client, amount)


def _membership(client: Client) -> dict[str, Any]:
    committee, address = client.contracts.committee, client.address
    epoch = committee.current_epoch()
    in_pool = committee.is_validator(address)
    return {
        "in_pool": in_pool,
        "endpoint": committee.endpoint_of(address) if in_pool else None,
        "epoch": epoch,
        "in_committee": epoch > 0 and address in committee.members_of(epoch),
        "next_epoch_at": committee.next_epoch_at(),
        "bls_key": client.contracts.bls_keys().key_of(address).hex() or None,
        "least_stake": str(committee.validator_stake()),
    }


def _epoch_line(member: dict[str, Any]) -> str:
    inside = "a member" if member["in_committee"] else "no member"
    least = format_amount(int(member["least_stake"]))
    after = member["next_epoch_at"]
    return f"{inside} of epoch {member['epoch']} (least stake {least}, next epoch from block {after})."
