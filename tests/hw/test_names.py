from __future__ import annotations

from spikeloom.hw.names import without_brackets


def test_names_lose_their_brackets_and_indices_keep_theirs() -> None:
    design = (
        "  wire width 5 \\pixels__payload[0]\n"
        "  wire width 1 \\pixels__payload$9[1][2]\n"
        "  cell $and $1\n"
        "    connect \\A \\pixels__payload [0]\n"
        "    connect \\B \\pixels__payload[0] [4:1]\n"
        "    connect \\Y { \\a[3].value [2] \\b }\n"
    )
    assert without_brackets(design) == (
        "  wire width 5 \\pixels__payload.0\n"
        "  wire width 1 \\pixels__payload$9.1.2\n"
        "  cell $and $1\n"
        "    connect \\A \\pixels__payload [0]\n"
        "    connect \\B \\pixels__payload.0 [4:1]\n"
        "    connect \\Y { \\a.3.value [2] \\b }\n"
    )
