"""The committed vectors are what the code leads to, and what OpenZeppelin's JavaScript tree leads to."""

import json
import subprocess

import pytest

from anvil.toolchain import ensure_node, ensure_npm_packages
from protocol import merkle
from tests.vectors.generate import FOLDER, SIZES, documents

OZ_TREE = """
const {StandardMerkleTree} = require('@openzeppelin/merkle-tree');
const leaves = JSON.parse(require('fs').readFileSync(0));
const tree = StandardMerkleTree.of(leaves, ['address', 'uint256']);
console.log(JSON.stringify({root: tree.root, proof: tree.getProof(leaves.length - 1)}));
"""


@pytest.mark.parametrize("name", sorted(documents()))
def test_vectors__committed_file__is_what_the_code_makes(name: str) -> None:
    assert json.loads((FOLDER / name).read_text()) == documents()[name]


@pytest.mark.parametrize("size", SIZES[:-1])
def test_merkle__roots_and_proofs__equal_openzeppelins_own_library(size: int) -> None:
    node, packages = ensure_node(), ensure_npm_packages()
    leaves = [[f"0x{i + 1:040x}", 10**20 + i] for i in range(size)]
    answer = subprocess.run(
        [str(node.path), "-e", OZ_TREE],
        input=json.dumps([[account, str(amount)] for account, amount in leaves]),
        cwd=packages.path.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    theirs = json.loads(answer.stdout)
    assert theirs["root"] == "0x" + merkle.root(leaves, merkle.PAYOUT_LEAF).hex()
    assert theirs["proof"] == ["0x" + n.hex() for n in merkle.proof(leaves, merkle.PAYOUT_LEAF, size - 1)]
