"""Write the tables of docs/models.md anew: ``make models``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from benchmarks import page
from benchmarks.architectures import ARCHITECTURES, IMAGES, Measured, measure

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
#: Groups of architectures, each of which has a table of those that convert.
GROUPS = ("published", "written", "inputs", "other")
#: The marks of the tables on the page, the summary and the refusals included.
MARKS = ("summary", *GROUPS, "refused")
HEADER = (
    "architecture",
    "#layers",
    "#labels of float",
    "#logits off, %",
    "#labels of prepared",
    "#counts compared",
    "#differ",
    "#RTL values compared",
    "#arrays that differ",
)
REFUSED_HEADER = ("architecture", "the refusal begins with")


def row_of(name: str, found: Measured) -> tuple[str, ...]:
    """Return the cells of an architecture that converts."""
    golden = found.golden
    return (
        name,
        str(found.layers),
        str(found.labels_as_float),
        f"{100 * found.error:.1f}",
        str(golden.network_as_prepared),
        f"{golden.counts_compared:,}",
        f"{golden.counts_differing:,}",
        f"{found.values:,}",
        f"{found.arrays_differing:,}",
    )


def refused_row(name: str, reason: str) -> tuple[str, str]:
    """Return the cells of an architecture that is refused, marked so that Markdown keeps them."""
    return name, reason.replace("|", r"\|").replace("<", r"\<").replace("*", r"\*")


def summary(found: Mapping[str, Measured | str]) -> str:
    """Return the number of architectures that convert, and all that was compared, as text."""
    measured = [result for result in found.values() if isinstance(result, Measured)]
    labels = sum(result.golden.network_as_prepared for result in measured)
    counts = sum(result.golden.counts_compared for result in measured)
    unequal = sum(result.golden.counts_differing for result in measured)
    values = sum(result.values for result in measured)
    wrong = sum(result.arrays_differing for result in measured)
    return (
        f"{len(measured)} of {len(found)} architectures convert. Their networks have the label of "
        f"the prepared model on {labels:,} of {len(measured) * IMAGES:,} images; {unequal:,} of "
        f"{counts:,} counts differ. In simulated hardware, {values:,} values were compared with "
        f"the golden model's; {wrong:,} arrays of them differ."
    )


def main() -> None:
    """Measure every architecture, and write the page."""
    torch.set_num_threads(1)
    found: dict[str, Measured | str] = {}
    for architecture in ARCHITECTURES:
        result = found[architecture.name] = measure(architecture)
        text = result if isinstance(result, str) else " | ".join(row_of("converts", result))
        print(f"{architecture.name}: {text}", flush=True)
    write(found)


def write(found: Mapping[str, Measured | str], path: Path = PAGE) -> None:
    """Write the tables into a page."""
    refused = []
    for group in GROUPS:
        rows: list[Sequence[str]] = []
        for architecture in ARCHITECTURES:
            if architecture.group == group and architecture.name in found:
                result = found[architecture.name]
                if isinstance(result, Measured):
                    rows.append(row_of(architecture.name, result))
                else:
                    refused.append(refused_row(architecture.name, result))
        page.replace(path, group, page.table(HEADER, rows))
    page.replace(path, "refused", page.table(REFUSED_HEADER, refused))
    page.replace(path, "summary", summary(found))


if __name__ == "__main__":
    main()
