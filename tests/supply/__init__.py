"""What Spikeloom is installed with, and under which licences.

Modules in the order of the work:

- ``locks``: exact versions and hashes of all packages, written by ``make lock``;
- ``licences``: the table in ``docs/licences.md``, written by ``make licences``.

The lock files themselves are ``requirements*.txt`` beside the Makefile, for what users run, and
``*.txt`` in here.
"""
