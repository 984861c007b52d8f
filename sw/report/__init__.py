"""Reports in the browser: one HTML file that shows all that is known of a network or a sweep.

``files`` collects a run from a folder, by ``kinds``, ``shapes`` and ``trained``; ``values`` has
what the golden model computes for it, and ``page`` makes the page. Sections (``section``,
``of_network``, ``of_hardware``, ``of_sweep``) turn a run into ``parts``, of which ``charts``,
``graph`` and ``beside`` make some; ``page.html``, ``page.css`` and ``page.js`` show them.
"""

from spikeloom.sw.report.files import add_figures, add_model, read_folder, require_one
from spikeloom.sw.report.run import Run
from spikeloom.sw.report.section import Section

__all__ = ["Run", "Section", "add_figures", "add_model", "read_folder", "require_one"]
