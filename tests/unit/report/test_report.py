"""The report: exact keys, honest on failure, escaped, self-contained."""

import json
import re
from pathlib import Path

import pytest

from pot.report.document import (
    Accuracy,
    Audit,
    Certificate,
    Chain,
    Disturbance,
    Escrow,
    Replay,
    Report,
    Round,
    Seconds,
    Slash,
)
from pot.report.files import write_report
from pot.report.page import render_page, tokens
from pot.report.plots import Series, line_chart, nice_ticks

POSTER, MINER = "0x" + "11" * 20, "0x" + "22" * 20
PROMISED_KEYS = {
    "task_id",
    "rounds",
    "certificates",
    "model_sha256",
    "accuracy",
    "seconds",
    "payouts",
    "escrow",
    "slashes",
    "audit",
    "chain",
}


def whole_report() -> Report:
    return Report(
        ok=True,
        title="digits",
        task_id="1",
        rounds=2,
        rounds_wanted=2,
        certificates=[
            Certificate(
                first_round=1,
                last_round=2,
                tx_hash="0x" + "ab" * 32,
                block_number=40,
                signers=[MINER],
                gas_used=90_123,
            )
        ],
        history=[
            Round(round=n, loss=2.0 / n, accuracy=0.4 * n, shards=4, miners=4, model_sha256="00" * 32)
            for n in (1, 2)
        ],
        model_sha256="00" * 32,
        accuracy=Accuracy(network=0.8, centralized=0.8),
        seconds=Seconds(setup=1.0, training=2.0, total=4.0),
        payouts={MINER: str(8 * 10**18)},
        escrow=Escrow(funded=str(10**19), paid=str(8 * 10**18), refunded=str(2 * 10**18)),
        slashes=[
            Slash(
                miner=MINER,
                round=1,
                shard=0,
                amount=str(10**18),
                bounty="1",
                sent_by=POSTER,
                tx_hash="0x" + "cd" * 32,
            )
        ],
        audit=Audit(ok=True, rounds_replayed=2),
        replay=Replay(identical=True, model_sha256="00" * 32),
        chain=Chain(rpc_url="http://127.0.0.1:1", chain_id=7, contracts={"market": POSTER}),
        disturbances=[Disturbance(kind="lazy", target="miner-1", after_round=1, outcome="slashed")],
        accounts={MINER: "miner-1"},
    )


def test_report_json__any_run__holds_the_promised_keys() -> None:
    for report in (whole_report(), Report()):
        value = json.loads(report.to_json())
        assert set(value) >= PROMISED_KEYS
        assert set(value["accuracy"]) == {"network", "centralized"}
        assert set(value["seconds"]) == {"setup", "training", "total"}
        assert set(value["escrow"]) == {"funded", "paid", "refunded"}
        assert set(value["audit"]) >= {"ok", "rounds_replayed"}
        assert set(value["chain"]) == {"rpc_url", "chain_id", "contracts"}
    assert {"last_round", "tx_hash", "signers", "gas_used"} <= set(
        json.loads(whole_report().to_json())["certificates"][0]
    )


def test_report_json__read_back__is_the_same_report() -> None:
    assert Report.from_json(whole_report().to_json()) == whole_report()


def test_report_json__a_loss_that_is_not_a_number__is_refused() -> None:
    report = whole_report()
    report.history[0].loss = float("nan")
    with pytest.raises(ValueError, match="JSON"):
        report.to_json()


def test_page__any_run__loads_nothing_from_elsewhere() -> None:
    for report in (whole_report(), Report()):
        assert not re.search(r"(src|href)=|@import|url\(|<script", render_page(report))


def test_page__a_problem_with_markup_in_it__is_escaped() -> None:
    page = render_page(Report(problems=["<script>alert(1)</script>"]))
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_page__whole_run__shows_curves_signers_gas_and_balance() -> None:
    page = render_page(whole_report())
    assert page.count("<svg") == 2
    assert "90,123" in page
    assert "miner-1" in page
    assert "Funded = paid + refunded, to the last unit." in page


def test_page__nothing_certified__says_so() -> None:
    page = render_page(Report(problems=["The chain did not start."]))
    assert "Nothing was certified" in page
    assert "The chain did not start." in page
    assert "No certificate was accepted." in page


def test_escrow__one_unit_missing__does_not_balance() -> None:
    assert Escrow(funded="10", paid="7", refunded="3").balances
    assert not Escrow(funded="10", paid="7", refunded="2").balances


def test_write_report__fresh_folder__leaves_both_files_and_no_parts(tmp_path: Path) -> None:
    written = write_report(whole_report(), tmp_path / "out")
    assert Report.from_json(written.json.read_bytes()).task_id == "1"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "report.json"]


def test_tokens__odd_amounts__are_exact() -> None:
    assert tokens("1234500000000000000000") == "1,234.5"
    assert tokens(1) == "0.000000000000000001"
    assert tokens("0") == "0"


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (0.91, 0.97), (3.0, 3.0), (0.0, 1e-9), (1.0, 123456.0)]
)
def test_nice_ticks__any_range__cover_it_ascending(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert ticks == sorted(set(ticks))
    assert len(ticks) <= 12


def test_line_chart__one_point_and_many__stay_bounded() -> None:
    one = line_chart(
        [Series(name="a", points=[(1.0, 2.0)], style="first")], label="x", x_label="x", tick_text=str
    )
    assert "nan" not in one
    many = [(float(x), 1.0) for x in range(50_000)]
    chart = line_chart([Series(name="a", points=many, style="first")], label="x", x_label="x", tick_text=str)
    assert chart.count("<circle") <= 2_002
