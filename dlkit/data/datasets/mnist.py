"""MNIST: which handwritten digit does a picture of 28 x 28 grey pixels show?

60,000 pictures to train on and 10,000 to test with.
LeCun, Bottou, Bengio & Haffner 1998, "Gradient-Based Learning Applied to Document Recognition".
"""

from __future__ import annotations

from dlkit.data.datasets._idx import NAMES, idx_source
from dlkit.data.sources import File

# Official contents, then a rebuilt set of the same pictures in another order.
_SHA256 = (
    (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "db8f937d487057fb14a9f0fbe97f0bc8d311ab41b750d41e1ff37c43b9e55e19",
    ),
    (
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "51fc562b6747b666fbf6e84ce29d43c3cb5f9c388c664d43b33f02095313405a",
    ),
    (
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "cfeddb84311ecf044fc6a5b0f6ee8a24d265d4e83e388400186eb114082f4209",
    ),
    (
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "e41c74e484045d39b462a7790a4af51301bd9b0b24f0154798d713ec68c45920",
    ),
)
_BYTES = (9_912_422, 28_881, 1_648_877, 4_542)

SOURCE = idx_source(
    "mnist",
    "MNIST handwritten digits",
    tuple("0123456789"),
    [
        File(
            name,
            sha256=known,
            url=f"https://storage.googleapis.com/cvdf-datasets/mnist/{name}",
            url_sha256=known[0],
            bytes=size,
        )
        for name, known, size in zip(NAMES, _SHA256, _BYTES, strict=True)
    ],
    home="http://yann.lecun.com/exdb/mnist/",
    licence="Creative Commons Attribution-Share Alike 3.0",
)
