"""``python -m spikeloom.sw.cli``: the ``spikeloom`` command without its entry point."""

from spikeloom.sw.cli import main

main()
