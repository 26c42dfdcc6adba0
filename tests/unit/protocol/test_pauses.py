import pytest

from protocol.pauses import LONGEST_TIMES, Pauses


def test_pauses__without_news__grow_to_the_longest_and_news_shorten_them() -> None:
    pauses = Pauses(0.1)
    quiet = [pauses.after(news=False) for _ in range(10)]
    assert quiet[:2] == pytest.approx([0.15, 0.2])
    assert quiet == sorted(quiet)
    assert quiet[-1] == pytest.approx(0.1 * LONGEST_TIMES)
    assert pauses.after(news=True) == 0.1
