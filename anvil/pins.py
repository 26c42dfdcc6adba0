"""Versions and checksums of the programs that are not Python packages. One place to raise them."""

from typing import Final

NODE_MIN_MAJOR: Final = 20
FOUNDRY_VERSION: Final = "1.7.1"
SOLC_VERSION: Final = "0.8.37"
REDIS_MIN_VERSION: Final = (6, 2)

#: sha256 of the native binary inside `@foundry-rs/<program>-<platform>@FOUNDRY_VERSION`.
FOUNDRY_SHA256: Final = {
    ("anvil", "linux-amd64"): "10c1c727d6c1de973aeb160e59875b9a9a23464d6e74149ee8abb30b3500311b",
    ("forge", "linux-amd64"): "4f77da0810de94325734855d0ad58d70640aa8a5b2a837608ddf8c26da34355c",
}

#: sha256 of `soljson.js`, the official compiler as WebAssembly, in npm `solc@SOLC_VERSION`.
SOLJSON_SHA256: Final = "221d7a667378b5068d913e75fe092507e061363cd1d23b64c49ae82febabad4c"
