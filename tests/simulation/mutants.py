"""Planted bugs: each is an edit of the source, and a hole in the tests if the simulation does not notice it."""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """``edits`` are (file, text that occurs exactly once, what stands there instead)."""

    name: str
    edits: tuple[tuple[str, str, str], ...]


def _mutant(name: str, file: str, old: str, new: str) -> Mutant:
    return Mutant(name=name, edits=((file, old, new),))


REPLICA, VIEWS, PROOFS = "committee/replica.py", "committee/view_change.py", "committee/proofs.py"
MESSAGES, MEMBERS, LOG = "protocol/pbft_messages.py", "protocol/members.py", "committee/log.py"
RESTORE, TIMERS, VOTES = "committee/restore.py", "committee/timers.py", "committee/votes.py"
WORLD = "tests/simulation/world.py"

MUTANTS = (
    _mutant("quorum of 2f", MEMBERS, "return (n + max_faulty(n) + 2) // 2", "return 2 * max_faulty(n)"),
    _mutant("quorum of n/3*2", MEMBERS, "return (n + max_faulty(n) + 2) // 2", "return n // 3 * 2"),
    _mutant(
        "quorum of 2f+1 whatever n", MEMBERS, "return (n + max_faulty(n) + 2) // 2", "return 2 * max_faulty(n) + 1"
    ),
    Mutant(
        name="a vote counted twice",
        edits=(
            (
                REPLICA,
                "        if known is not None and known[0] == message.digest:\n            return False\n"
                "        self._authenticate(message)\n        if known is not None:\n            if not",
                "        self._authenticate(message)\n"
                "        if known is not None and known[0] != message.digest:\n            if not",
            ),
            (
                VOTES,
                "            return Cast.REPEATED if voted == digest",
                "            self._by_digest[digest][member + 64 * len(self._by_digest[digest])] = proof\n"
                "            return Cast.REPEATED if voted == digest",
            ),
        ),
    ),
    _mutant("phase missing from the signature", MESSAGES, "_FIELDS.pack(phase, view, seq)", "_FIELDS.pack(0, view, seq)"),
    _mutant("view missing from the signature", MESSAGES, "_FIELDS.pack(phase, view, seq)", "_FIELDS.pack(phase, 0, seq)"),
    _mutant("seq missing from the signature", MESSAGES, "_FIELDS.pack(phase, view, seq)", "_FIELDS.pack(phase, view, 0)"),
    _mutant("votes not authenticated", REPLICA, "        if not verify_signature(self.instance, self.crypto.verifier, message):", "        if False:"),
    _mutant("anybody proposes", REPLICA, "        if message.sender != self.members.primary(message.view):", "        if False:"),
    _mutant("primary proposes twice", REPLICA, "if slot.proposal is None and slot.open and", "if slot.open and"),
    _mutant(
        "second proposal replaces the first",
        REPLICA,
        "            self._accuse(self._first_proposal(slot, known, message), message)\n            return\n",
        "            slot.reset_view()\n            own = None\n",
    ),
    _mutant("commit on f+1 prepares", REPLICA, "slot.prepares.count(digest) >= self.members.quorum:\n            self._commit", "slot.prepares.count(digest) > self.members.max_faulty:\n            self._commit"),
    _mutant("fixed by f+1 commits", REPLICA, "        digest = slot.commits.agreed(self.members.quorum)\n        value", "        digest = slot.commits.agreed(self.members.max_faulty + 1)\n        value"),
    _mutant("decision by f+1 replies", REPLICA, "        quorum = self.members.quorum\n        digest = slot.replies", "        quorum = self.members.max_faulty + 1\n        digest = slot.replies"),
    _mutant("endorsements not checked", REPLICA, "            if self.crypto.verifier(endorsed, proof[65:], self.members.addresses[signer])\n", ""),
    _mutant("commit of a value found false", REPLICA, "                self._reject(slot, proposal)\n                return\n", "                self._reject(slot, proposal)\n"),
    _mutant("reply without a verdict", REPLICA, "if slot.replied is None and slot.verdict(digest):", "if slot.replied is None:"),
    _mutant("replies out of order", LOG, "            if slot.seq > settled + 1:\n                break\n", ""),
    _mutant("sent before it is on disk", WORLD, "        rng = self.rng\n        self.say(f\"{node.name} -- dies", "        rng = self.rng\n        self._emit(node, output, output.send)\n        self.say(f\"{node.name} -- dies"),
    _mutant("lock not on disk", REPLICA, "        self._out.persist.append(Locked(certificate=slot.lock, value=value))\n", ""),
    _mutant("vote not on disk", REPLICA, "        votes.add(self.me, digest, message.signature)\n        self._out.persist.append(Sent(message=message))\n", "        votes.add(self.me, digest, message.signature)\n"),
    _mutant("reply not on disk", REPLICA, "        self._out.persist.append(Sent(message=reply))\n", ""),
    _mutant("prepare forgotten by a restart", RESTORE, "            slot.prepared = True\n            slot.prepares.add(message.sender, message.digest, message.signature)\n", "            pass\n"),
    _mutant("view change forgotten by a restart", RESTORE, "        replica.leave_for(message)\n", "        pass\n"),
    _mutant("new view forgotten by a restart", RESTORE, "            replica.open_view(message)\n", "            pass\n"),
    _mutant("votes survive a view change", LOG, "        self.prepares, self.commits, self.rejects = VoteSet(), VoteSet(), VoteSet()\n", ""),
    _mutant("view change claims nothing", LOG, "        return tuple(lock.claim for lock in locks if lock is not None)", "        return ()"),
    _mutant("new view ignores certificates", VIEWS, "        if seq > floor and seq not in chosen and not", "        if seq < 0 and not"),
    _mutant("new view takes the oldest certificate", VIEWS, "(item[0], -item[1], item[2])", "(item[0], item[1], item[2])"),
    _mutant("refuted by too few", VIEWS, "return against >= quorum", "return against > len(votes) - quorum"),
    _mutant("new view's choice believed", VIEWS, "    if [(c.seq, c.digest) for c in chosen] != [(p.seq, p.digest) for p in message.proposals]:", "    if False:"),
    _mutant("new view with too few votes", VIEWS, "or len(senders) < instance.members.quorum:", "or not senders:"),
    _mutant("prepared certificate of too few", PROOFS, "    check_quorum(instance, kind, certificate.signers, certificate.signatures)\n", ""),
    _mutant("prepared certificate not checked", PROOFS, "    _check_votes(instance, crypto, kind, Phase.PREPARE, certificate, digest)\n", ""),
    _mutant("commit certificate not checked", PROOFS, "    _check_votes(instance, crypto, kind, Phase.COMMIT, proof, digest)\n", ""),
    _mutant("decision under another number", PROOFS, "        if not crypto.verifier(signed, signature, address):\n            raise BadProof(kind, signer, \"its reply", "        if False:\n            raise BadProof(kind, signer, \"its reply"),
    _mutant("floor of a new view ignored", REPLICA, "        self.floor = floor_of(message.votes)\n", "        self.floor = 0\n"),
    _mutant("one member's view change followed", REPLICA, "self._view_votes.wanted(self.members.max_faulty + 1)", "self._view_votes.wanted(1)"),
    _mutant("nobody's view change followed", REPLICA, "        if wanted > self.view:", "        if False:"),
    _mutant("wait only for the very same view", VIEWS, "if change.vote.view >= view)", "if change.vote.view == view)"),
    _mutant("timer does not double", TIMERS, "return self.timeout_ticks << min(self.failures, MAX_DOUBLINGS)", "return self.timeout_ticks"),
    _mutant("timer ignores running checks", TIMERS, "        self._deadline = min(max(self._deadline, now + self.wait_ticks), last)\n", "        return\n"),
    _mutant("no view change by timer", REPLICA, "        if self._timer.expired(self.now):", "        if False:"),
    _mutant("watermark off by one", LOG, "self.accept_limit = self.low + 2 * self._window", "self.accept_limit = self.low + self._window - 1"),
    _mutant("window without end", LOG, "self.accept_limit = self.low + 2 * self._window", "self.accept_limit = self.low + 64 * self._window"),
    _mutant("nobody is helped", REPLICA, "        log, shown = self.log, set()\n", "        return\n"),
)  # fmt: skip
BY_NAME = {mutant.name: mutant for mutant in MUTANTS}


def mutated_source(mutant: Mutant, file: str) -> str:
    """The file with the bug in it. Raises ValueError when an edit no longer fits exactly once."""
    source = (ROOT / file).read_text()
    for target, old, new in mutant.edits:
        if target == file:
            if source.count(old) != 1:
                raise ValueError(f"{mutant.name}: occurs {source.count(old)} times in {file}: {old!r}")
            source = source.replace(old, new)
    return source


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, source: str) -> None:
        super().__init__(fullname, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._modules = {
            file.removesuffix(".py").replace("/", "."): (file, mutated_source(mutant, file))
            for file, _, _ in mutant.edits
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._modules:
            return None
        file, source = self._modules[fullname]
        where = str(ROOT / file)
        return importlib.machinery.ModuleSpec(fullname, _Loader(fullname, where, source), origin=where)


def plant(mutant: Mutant) -> None:
    """From now on imports of the edited modules get the bug. Call it before they are imported."""
    finder = _Finder(mutant)
    loaded = [name for name in finder._modules if name in sys.modules]
    if loaded:
        raise RuntimeError(f"{loaded} are imported already")
    sys.meta_path.insert(0, finder)
