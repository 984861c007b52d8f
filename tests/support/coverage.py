"""Short report of line coverage: the total, and the files with the least.

``python -m support.coverage FILE`` prints it for a JSON file that slipcover wrote.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

#: Files with a smaller percentage of covered lines are listed.
FLOOR = 90
#: Most files that are listed.
MOST = 15


def report(content: dict[str, Any]) -> list[str]:
    """Return the report's lines.

    Parameters
    ----------
    content : dict
        Slipcover's report: a summary of all files, and ``files`` by path, each with a summary and
        its ``missing_lines``.
    """
    total = content["summary"]["percent_covered"]
    files = {
        path: (entry["summary"]["percent_covered"], len(entry["missing_lines"]))
        for path, entry in content["files"].items()
    }
    low = sorted((path for path in files if files[path][0] < FLOOR), key=files.__getitem__)
    lines = [f"{total:.1f}% of the lines in {len(files)} files are covered"]
    if low:
        lines[0] += f"; {len(low)} files are below {FLOOR}%:"
    for path in low[:MOST]:
        percent, missing = files[path]
        lines.append(f"  {percent:5.1f}%  {path}, {missing} lines missing")
    if len(low) > MOST:
        lines.append(f"  and {len(low) - MOST} more")
    return lines


if __name__ == "__main__":
    print("\n".join(report(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
