"""What does a depthwise separable convolution cost beside a normal one?

    python benchmarks/convolution_costs.py

Counts multiplications (`dlkit.models.images.convolution_costs`) and writes the table into docs/pictures.md, between its
two marks; all else on that page is written by hand.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from measuring import HERE

PAGE = HERE.parent / "docs" / "pictures.md"
START, END = "<!-- By `python benchmarks/convolution_costs.py`: do not edit. -->", "<!-- End of the table. -->"
SHAPES = (
    (3, 3, 128, 5, 5),
    (3, 64, 128, 16, 16),
    (3, 128, 256, 8, 8),
    (5, 64, 128, 16, 16),
)
"""Kernel, channels, filters, height and width of the result: the example of the notes, two layers of `separable` on
pictures of 32 x 32 pixels, and one of them with a larger kernel."""


def main() -> None:
    from dlkit.models.images import convolution_costs

    rows = [_row(shape, convolution_costs(*shape)) for shape in SHAPES]
    table = "\n".join([
        "| filters x (kernel) x result | normal | depthwise | pointwise | separable | separable / normal |",
        "|---|---:|---:|---:|---:|---|",
        *rows,
    ])  # fmt: skip
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{PAGE} has not both marks: {START} … {END}")
    PAGE.write_text(f"{before}{START}\n\n{table}\n\n{END}{after}", encoding="utf-8")
    print(table)


def _row(shape: tuple[int, int, int, int, int], costs: Mapping[str, float]) -> str:
    kernel, channels, filters, height, width = shape
    named = f"{filters} x ({kernel} x {kernel} x {channels}) x {height} x {width}"
    cells = [f"{costs[name]:,.0f}" for name in ("normal", "depthwise", "pointwise", "separable")]
    ratio = f"1/{filters} + 1/{kernel**2} = {costs['ratio']:.4f}"
    return f"| {named} | {' | '.join(cells)} | {ratio} |"


if __name__ == "__main__":
    main()
