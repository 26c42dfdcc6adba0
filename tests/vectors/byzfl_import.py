"""ByzFL's aggregators without the rest of ByzFL, whose package imports torchvision and its data sets."""

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any


def byzfl_aggregators() -> Any:
    """The module ``byzfl.aggregators`` of the installed ByzFL 0.0.11."""
    spec = importlib.util.find_spec("byzfl")
    if spec is None or spec.submodule_search_locations is None:
        raise SystemExit(
            "ByzFL is not on the path: python -m pip install --no-deps --target FOLDER byzfl==0.0.11"
        )
    package = ModuleType("byzfl")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["byzfl"] = package
    return importlib.import_module("byzfl.aggregators")
