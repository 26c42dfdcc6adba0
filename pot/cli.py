"""The ``pot`` command: a table of names; what a name does is imported only when it is called."""

import sys
from collections.abc import Sequence
from importlib.metadata import version

from pot.lazy import Entry, LazyGroup

ENTRIES = (
    Entry(
        "demo", "pot.demo.command:app", "The whole network on this machine, from task to audit and report."
    ),
    Entry("network", "pot.network_command:app", "A local network that stays: up, down, status, logs."),
    Entry("task", "pot.commands.task:app", "Posters: quote, post, list, show, watch, plant, open, fetch."),
    Entry("contest", "pot.commands.contest:app", "Whole models by competition: post, commit, reveal, audit."),
    Entry("miner", "pot.commands.miner:app", "Miners: doctor, stake, run, status, claim, appeal, unstake."),
    Entry(
        "validator", "pot.commands.validator:app", "Validators: doctor, stake, run, status, claim, unstake."
    ),
    Entry("coordinator", "pot.commands.coordinator:app", "Dispatch and bookkeeping without authority: run."),
    Entry("audit", "pot.audit.command:app", "Check a task from events and blobs alone, by replay."),
    Entry("why", "pot.commands.why:app", "Explain each unit earned, withheld or slashed, with evidence."),
    Entry("challenge", "pot.commands.challenge:app", "Say that a contribution was accepted wrongly."),
    Entry("disputes", "pot.commands.disputes:app", "Disputes, deadlines, verdicts, and what is due."),
    Entry("settle", "pot.commands.settle:app", "Do what is due in the disputes of a task."),
    Entry("doctor", "pot.commands.doctor:app", "What is missing here, and the command that fixes it."),
    Entry("faucet", "pot.commands.faucet:app", "Development tokens and coin on a local chain."),
    Entry("keystore", "pot.commands.keystore:app", "Make a key file, or show the address in one."),
    Entry("config", "pot.commands.config:app", "Show each setting and where it comes from."),
    Entry("contracts", "pot.commands.contracts:app", "Compile and deploy the contracts."),
    Entry("chain", "pot.commands.chain:app", "The learning chain from its genesis: show, verify."),
    Entry("export", "pot.commands.export:app", "A certified model in other formats."),
    Entry("experiment", "pot.experiment.command:app", "Measurements that anybody can repeat."),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: this process's); the exit status of the command-line contract."""
    from pot.run import run

    arguments = sys.argv[1:] if argv is None else argv
    if list(arguments) == ["--version"]:
        print(f"pot {version('proof-of-training')}")
        return 0
    return run(LazyGroup(name="pot", help=HELP, entries=ENTRIES), arguments)


HELP = (
    "Proof of Training: pay strangers' machines to train neural networks, and prove that they did.\n\n"
    "Exit status: 0 done and true, 1 it ran and the answer is no, 2 wrong usage or configuration, "
    "3 a needed service is unreachable. `pot --version` says which release this is."
)
