"""Everything behind one certificate, for a checker that believes none of it."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel

from coordinator.services.ledgers import read_record
from coordinator.store.chain_tables import CertificateRow
from coordinator.store.tasks import committee_of
from coordinator.web.deps import MAX_ID, TaskPath, Web, WebDep
from protocol import merkle
from protocol.bls import SIGNATURE_BYTES
from protocol.certificate import CERTIFICATE_TYPE, RoundCertificate
from protocol.chain.contracts import KeyBook
from protocol.chain.events import CertificateAccepted, EventRef, certificate_behind
from protocol.contribution import CONTRIBUTION_TYPE
from protocol.errors import Refused
from protocol.ids import Address, TaskId
from protocol.members import quorum
from protocol.segment import SegmentRecord
from protocol.typed_data import DOMAIN_NAME, DOMAIN_VERSION

router = APIRouter(prefix="/evidence", tags=["audit"])

MAX_PROOFS: Final = 64


class Proof(BaseModel):
    """That ``account`` has earned ``cumulative`` units: the hashes that lead from this leaf to the root."""

    account: str
    cumulative: str
    proof: list[str]


class Evidence(BaseModel):
    """A certificate as it was accepted. ``signatures`` are from the transaction's calldata, ``proofs`` lead
    to its payouts root (at most 64 of them); the segment record is the blob that the certificate names.
    ``keys`` are the signers' BLS keys where the signatures are one aggregate, else empty."""

    certificate: dict[str, str]
    types: dict[str, list[dict[str, str]]]
    domain: dict[str, Any]
    members: list[str]
    quorum: int
    signers: str
    signatures: str
    keys: dict[str, str]
    tx_hash: str
    block_number: int
    payouts: int
    proofs: list[Proof]


@router.get("/{task_id}", responses={409: {"description": "there is no such certificate"}})
def get_evidence(
    web: WebDep,
    task_id: TaskPath,
    last_round: Annotated[int | None, Query(alias="round", ge=1, le=MAX_ID)] = None,
) -> Evidence:
    """The certificate that ends with ``round`` (default: the last one)."""
    with web.ctx.store.read() as tx:
        task = tx.tasks.get(task_id)
        row = tx.chain.last_certificate(TaskId(task_id)) if last_round is None else None
        if last_round is not None:
            row = tx.session.get(CertificateRow, (task_id, last_round))
        if task is None or row is None:
            what = "none" if last_round is None else f"none that ends with round {last_round}"
            raise Refused(f"Task {task_id} has no such certificate: there is {what}.", "NoCertificate")
        members = committee_of(task)
    certificate = RoundCertificate.decode(row.encoded)
    event = CertificateAccepted(
        where=EventRef(block_number=row.block_number, block_hash=b"", tx_hash=row.tx_hash, log_index=0),
        task_id=TaskId(task_id),
        index=row.number,
        certificate=certificate,
        signers=row.signers,
    )
    signed = certificate_behind(web.contracts, event)
    record = read_record(web.ctx.blobs, web.ctx.domain, row)
    return Evidence(
        certificate={name: _text(value) for name, value in certificate.typed_values().items()},
        types={kind.name: _fields(kind.fields) for kind in (CERTIFICATE_TYPE, CONTRIBUTION_TYPE)},
        domain=_domain(web),
        members=list(members),
        quorum=quorum(len(members)),
        signers=str(row.signers),
        signatures="0x" + signed.signatures.hex(),
        keys=_keys(web, members, row.signers) if len(signed.signatures) == SIGNATURE_BYTES else {},
        tx_hash="0x" + row.tx_hash.hex(),
        block_number=row.block_number,
        payouts=len(record.payouts),
        proofs=_proofs(record),
    )


def _keys(web: Web, members: Sequence[Address], signers: int) -> dict[str, str]:
    """The BLS keys of those who signed, from the contract."""
    book = KeyBook(web.contracts)
    named = [member for place, member in enumerate(members) if signers >> place & 1]
    return {member: "0x" + book(member).hex() for member in named}


def _domain(web: Web) -> dict[str, Any]:
    """What wallets call the EIP-712 domain."""
    domain = web.ctx.domain
    return {
        "name": DOMAIN_NAME,
        "version": DOMAIN_VERSION,
        "chainId": domain.chain_id,
        "verifyingContract": domain.market,
    }


def _proofs(record: SegmentRecord) -> list[Proof]:
    leaves = record.payout_leaves()
    return [
        Proof(
            account=str(account),
            cumulative=str(units),
            proof=["0x" + node.hex() for node in merkle.proof(leaves, merkle.PAYOUT_LEAF, place)],
        )
        for place, (account, units) in enumerate(leaves[:MAX_PROOFS])
    ]


def _fields(fields: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in fields]


def _text(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
