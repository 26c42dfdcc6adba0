"""The picture of an experiment: one PNG, drawn without a display."""

import io
from typing import TYPE_CHECKING, Any

from pot.experiment.findings import Findings

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def verification_png(found: Findings) -> bytes:
    """Honest noise against its limits, quoted against measured detection, and how soon a push shows."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    noise, dial, push = figure.subplots(1, 3)
    _noise(noise, found)
    _dial(dial, found)
    _push(push, found)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def _noise(axes: "Axes", found: Findings) -> None:
    seen: dict[str, int] = {}
    for cell, noise in found.cells.items():
        key = f"{cell.arch}\n{cell.compute[-2:]} {cell.codec}"
        seen[key] = max(seen.get(key, 0), noise.max_differing_ppm)
    limits = {f"{i.arch}\n{i.compute[-2:]} {i.codec}": i.codes_ppm for i in found.policy.limits}
    names = [name for name in sorted(seen) if "32 int" in name]
    places: list[Any] = list(range(len(names)))
    axes.bar(places, [seen[name] for name in names], color="#1f6feb", label="largest seen")
    axes.plot(places, [limits[name] for name in names], "_", color="#c2281d", markersize=22, label="limit")
    axes.set_yscale("symlog", linthresh=10)
    axes.set_xticks(places, names, fontsize=7)
    axes.set_ylabel("codes that differ, ppm")
    axes.set_title(
        "float32 work (float64: none differ)" if _exact_is_zero(found) else "float32 work", fontsize=10
    )
    axes.legend(fontsize=7)


def _exact_is_zero(found: Findings) -> bool:
    return not any(noise.differing for cell, noise in found.cells.items() if cell.compute == "float64")


def _dial(axes: "Axes", found: Findings) -> None:
    axes.plot([0, 100], [0, 100], color="#9aa1a8", linewidth=1)
    axes.plot(
        [100 * item.case.quoted for item in found.dials],
        [100 * item.rate for item in found.dials],
        "o",
        color="#b4510f",
    )
    axes.set_xlabel("quoted detection, %")
    axes.set_ylabel("measured, %")
    axes.set_title(f"{found.plan.campaigns:,} simulated tasks a point", fontsize=10)


def _push(axes: "Axes", found: Findings) -> None:
    groups: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for item in found.pursuits:
        if item.alarm_after is not None and item.compute == "float32":
            groups.setdefault((item.codec, item.direction), []).append(
                (item.share_ppm / 1e4, item.alarm_after)
            )
    for (codec, direction), points in sorted(groups.items()):
        points.sort()
        axes.plot(
            [x for x, _ in points], [y for _, y in points], "o-", markersize=3, label=f"{codec}, {direction}"
        )
    axes.set_xlabel("of the room inside the tolerance, %")
    axes.set_ylabel("sampled shards until alarm")
    axes.set_ylim(bottom=0)
    axes.set_title("float32 work with a push that lasts", fontsize=10)
    if groups:
        axes.legend(fontsize=6)
