"""The stories are as they are told in git, and show what they are meant to show."""

import pytest

from tests.transcripts.generate import FOLDER, STORIES, Story, tell


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_transcript__told_again__is_the_one_in_git(story: Story) -> None:
    known = (FOLDER / f"{story.name}.txt").read_text()
    assert tell(story) == known, "changed on purpose? python -m tests.transcripts.generate"
    assert [words for words in story.shows if words not in known] == []


def test_transcripts__in_git__are_all_told() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {story.name for story in STORIES}
