"""Bill of materials: ``python -m supply.bill PYTHON FILE`` lists what users run, as CycloneDX.

The package cyclonedx-bom writes one of all that PYTHON's environment holds; what only the tests
need is left out of it, and licences that are wrong in metadata are set right. ``make sbom`` calls
it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from supply.licences import FOUND
from supply.locks import CUDA, ROOT, RUN, normal, read


def of_users(bill: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """Return a bill with the components of these names alone, and their dependencies.

    Parameters
    ----------
    bill : dict
        CycloneDX, as JSON values.
    names : set of str
        In the index's spelling.
    """
    kept = [x for x in bill["components"] if normal(x["name"]) in names]
    for component in kept:
        licence = FOUND.get(normal(component["name"]))
        if licence is not None:
            component["licenses"] = [{"expression": licence, "acknowledgement": "concluded"}]
    known = {x["bom-ref"] for x in kept} | {bill["metadata"]["component"]["bom-ref"]}
    dependencies = [
        {**x, "dependsOn": [y for y in x.get("dependsOn", ()) if y in known]}
        for x in bill["dependencies"]
        if x["ref"] in known
    ]
    return {**bill, "components": kept, "dependencies": dependencies}


def main(python: str, out: Path) -> None:
    """Write the bill."""
    program = str(Path(sys.executable).parent / "cyclonedx-py")
    command = [program, "environment", "--output-reproducible", "--pyproject", "pyproject.toml"]
    done = subprocess.run([*command, python], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    bill = of_users(json.loads(done.stdout), {*read(RUN), *read(CUDA)})
    out.write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")
    print(f"{len(bill['components'])} packages")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
