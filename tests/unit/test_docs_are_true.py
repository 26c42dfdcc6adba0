"""What the documents name exists: test paths, files, links, commands."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#]+)(?:#[^)]*)?\)")
PATH = re.compile(
    r"`((?:contracts|tests|docs|benchmarks|examples|protocol|worker|committee|coordinator|pot|anvil)/[\w./-]+)`"
)
COMMAND = re.compile(r"^\s*pot ([a-z]+)(?: ([a-z]+))?", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page__links_and_paths__exist(page: Path) -> None:
    text = page.read_text()
    missing = [target for target in LINK.findall(text) if not (page.parent / target).exists()]
    missing += [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    assert not missing


@pytest.mark.parametrize(
    ("members", "pages"),
    [
        (16, ["README.md", "docs/gas.md"]),
        (31, ["docs/gas.md", "docs/experiments.md"]),
        (64, ["README.md", "docs/gas.md"]),
    ],
)
def test_pages__gas_of_a_certificate__is_the_snapshots(members: int, pages: list[str]) -> None:
    measured = json.loads((ROOT / "contracts/snapshots/committee.json").read_text())[f"certify {members}"]
    assert [page for page in pages if f"{int(measured):,}" not in (ROOT / page).read_text()] == []


def test_pages__commands_they_show__exist() -> None:
    from pot.cli import ENTRIES

    known = {entry.name for entry in ENTRIES}
    shown = {
        match[0]
        for page in PAGES
        for block in re.findall(r"```\w*\n(.*?)```", page.read_text(), re.DOTALL)
        for match in COMMAND.findall(block)
    }
    assert shown <= known
