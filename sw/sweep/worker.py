"""The process of a local worker: a task in each line of its input, an answer in each of its output.

Standard output is kept for answers alone: whatever else is printed, by a model's own code or by a
library, goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys

from spikeloom.sw.sweep.trial import carry_out, task_of


def main() -> None:
    """Carry out tasks until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(carry_out(task_of(line)).plain()), file=answers, flush=True)


if __name__ == "__main__":
    main()
