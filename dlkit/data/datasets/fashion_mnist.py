"""Fashion-MNIST: which of ten pieces of clothing does a picture of 28 x 28 grey pixels show?

60,000 pictures to train on and 10,000 to test with, in the files of MNIST.
Xiao, Rasul & Vollgraf 2017, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms".
"""

from __future__ import annotations

from dlkit.data.datasets._idx import NAMES, idx_source
from dlkit.data.sources import File

LABELS = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
_SHA256 = (
    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
)
_BYTES = (26_421_880, 29_515, 4_422_102, 5_148)

SOURCE = idx_source(
    "fashion_mnist",
    "Fashion-MNIST pictures of clothes",
    LABELS,
    [
        File(
            name,
            sha256=(known,),
            url=f"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/{name}",
            url_sha256=known,
            bytes=size,
        )
        for name, known, size in zip(NAMES, _SHA256, _BYTES, strict=True)
    ],
    home="https://github.com/zalandoresearch/fashion-mnist",
    licence="MIT",
)
