"""What a miner does about a contest by hand; ``pot miner run`` does both by itself."""

from pot.client import Client
from pot.output import Reply
from protocol.blobs import open_blob_store
from protocol.errors import Refused
from protocol.ids import Address, parse_address
from worker.config import MIB
from worker.contest_journal import ContestJournal
from worker.contestant import Contestant
from worker.contests import contest_folder
from worker.trainer import resolve_device
from worker.training.data import DatasetCache

MAX_BLOB_BYTES = 1024 * MIB


def commit_reply(client: Client, contest_id: int) -> Reply:
    """Train and commit. Raises JobRefused when the contest takes no entries any more."""
    entry = contestant_of(client).enter(contest_id)
    digest = entry.commitment.digest(client.deployment.contest_domain)
    return Reply(
        data={
            "contest_id": str(contest_id),
            "model": entry.commitment.model.hex(),
            "commitment": digest.hex(),
        },
        text=[f"Committed to model {entry.commitment.model.hex()} in contest {contest_id}."],
    )


def reveal_reply(client: Client, contest_id: int) -> Reply:
    """Reveal what was committed to. The answer is no when that is not possible (yet, or any more)."""
    contestant = contestant_of(client)
    entry = contestant.journal.find(contest_id)
    if entry is None:
        raise Refused(f"The journal knows of no commitment in contest {contest_id}.", "NotEntered")
    done = contestant.reveal(entry)
    state = client.contracts.contest.contest(contest_id)
    return Reply(
        data={"contest_id": str(contest_id), "revealed": done},
        text=["Revealed." if done else f"Nothing was revealed: the contest is {state.status.name.lower()}."],
        ok=done,
    )


def contestant_of(client: Client) -> Contestant:
    """The miner's part in contests, on the same journal as its worker's."""
    settings, miner = client.settings, parse_address(client.account.address)
    folder = contest_folder(settings.state_dir, client.deployment, Address(miner))
    return Contestant(
        miner=miner,
        contracts=client.contracts,
        sender=client.sender,
        blobs=client.blobs,
        private=open_blob_store((folder / "models").as_uri()),
        datasets=DatasetCache(),
        journal=ContestJournal(folder / "journal.sqlite"),
        max_blob_bytes=MAX_BLOB_BYTES,
        threads=settings.threads,
        device=resolve_device(settings.device),
    )
