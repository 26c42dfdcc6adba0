"""The vandal sees what is stored whole, and nothing else."""

from pathlib import Path

from pot.demo.vandal import blobs


def test_blobs__whole_blobs_and_parts__only_whole_ones_are_found(tmp_path: Path) -> None:
    shelf = tmp_path / "ab"
    shelf.mkdir()
    (shelf / ("ab" * 32)).write_bytes(b"x")
    (shelf / f"{'ab' * 32}.1.part").write_bytes(b"x")
    (tmp_path / "stray").write_bytes(b"x")
    assert blobs(tmp_path) == {shelf / ("ab" * 32)}
