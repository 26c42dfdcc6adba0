"""Write the vector of the Secure Mapping Layer: ``python -m tests.vectors.generate_sml``."""

import hashlib
import json
from pathlib import Path
from typing import Any

from protocol.contest_recipe import MappingTerms
from protocol.ids import parse_address
from worker.training.sml import contest_seed, mapping_matrix


def sml_vector() -> dict[str, Any]:
    parent, miner = hashlib.sha256(b"parent").digest(), parse_address("0x" + "11" * 20)
    terms = MappingTerms(inputs=64, outputs=48)
    seed = contest_seed(parent, 7, miner)
    matrix = mapping_matrix(seed, terms)
    return {
        "parent": parent.hex(),
        "task_id": 7,
        "miner": miner,
        "mapping": {"inputs": terms.inputs, "outputs": terms.outputs},
        "seed": seed.hex(),
        "first": [float(value).hex() for value in matrix[0, :4]],
        "matrix_sha256": hashlib.sha256(matrix.astype("<f4").tobytes()).hexdigest(),
    }


if __name__ == "__main__":
    path = Path(__file__).parent / "sml.json"
    path.write_text(json.dumps(sml_vector(), indent=2) + "\n")
