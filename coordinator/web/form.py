"""The post-a-task form, made from the spec's schema: every field, bound and choice comes from there."""

from dataclasses import dataclass
from typing import Any, Final

from protocol.spec import spec_json_schema
from worker.training.models import ARCHITECTURES

#: Sections of the form in their order: path of the part, its name in the schema, its heading.
SECTIONS: Final = (
    ("recipe", "Recipe", "Training"),
    ("recipe.optimizer", "Optimizer", "Optimizer"),
    ("verification", "Verification", "Verification"),
    ("money", "Money", "Money"),
    ("limits", "Limits", "Limits"),
)
#: What a draft begins with: a small classifier of handwritten digits.
START: Final[dict[str, str]] = {
    "recipe.rounds": "30",
    "recipe.shards": "4",
    "recipe.global_batch": "256",
    "recipe.optimizer.kind": "sgd",
    "recipe.optimizer.lr": "0.3",
    "recipe.optimizer.momentum": "0.9",
    "verification.sample_ppm": "250000",
    "money.reward_per_shard": "1 POT",
    "money.fee_per_round": "0.5 POT",
    "money.miner_stake": "100 POT",
    "money.slash_per_fault": "50 POT",
    "limits.task_life_s": "3600",
    "limits.round_deadline_s": "20",
    "limits.min_shards": "3",
}
MODEL_START: Final = {
    "hidden": "64",
    "layers": "1",
    "channels": "8",
    "context": "32",
    "width": "64",
    "heads": "2",
}
#: Implied by the data set.
IMPLIED: Final = {
    "mlp": ("inputs", "classes"),
    "cnn": ("height", "width", "classes"),
    "transformer": ("vocab",),
}
SOURCES: Final = ("digits", "breast_cancer", "wine")
_HIDDEN: Final = frozenset({"recipe.optimizer", "recipe.aggregation", "verification.policy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input. ``kind``: integer, text or choice."""

    path: str
    label: str
    kind: str
    value: str
    hint: str
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    pattern: str = ""
    required: bool = False


def form_sections() -> list[tuple[str, list[Field]]]:
    """(heading, fields) in their order."""
    schema = spec_json_schema()
    parts: dict[str, Any] = schema["$defs"]
    found: list[tuple[str, list[Field]]] = []
    for path, name, heading in SECTIONS:
        part = parts[name]
        fields = [
            _field(f"{path}.{key}", entry, key in part.get("required", ()))
            for key, entry in part["properties"].items()
            if f"{path}.{key}" not in _HIDDEN
        ]
        found.append((heading, fields))
    return found


def _field(path: str, entry: dict[str, Any], required: bool) -> Field:
    default = entry.get("default", "")
    value = START.get(path, str(default) if not isinstance(default, dict) else "")
    label = path.rpartition(".")[2].replace("_", " ")
    hint = str(entry.get("description", ""))
    if "enum" in entry:
        choices = tuple(map(str, entry["enum"]))
        return Field(path=path, label=label, kind="choice", value=value, hint=hint, choices=choices)
    if entry.get("type") == "integer":
        return Field(
            path=path,
            label=label,
            kind="integer",
            value=value,
            hint=hint,
            least=entry.get("minimum"),
            most=entry.get("maximum"),
            required=required,
        )
    money = path.startswith("money.")
    return Field(
        path=path,
        label=label,
        kind="text",
        value=value,
        hint="such as 1.5 POT" if money else "",
        pattern="" if money else str(entry.get("pattern", "")),
        required=required,
    )


def model_fields() -> dict[str, list[Field]]:
    """Fields of each architecture that its data set does not imply."""
    return {
        arch: [
            Field(
                path=f"model.params.{name}",
                label=name.replace("_", " "),
                kind="integer",
                value=MODEL_START.get(name, str(low)),
                hint="",
                least=low,
                most=high,
            )
            for name, (low, high) in entry.bounds.items()
            if name not in IMPLIED.get(arch, ())
        ]
        for arch, entry in ARCHITECTURES.items()
    }
