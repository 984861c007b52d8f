"""Fuzzing of everything that reads what others wrote: ``make fuzz``.

``bytewise`` damages bytes, ``trees`` damages parsed values, and ``formats`` has a class for each
format, which takes a file apart, damages it inside, and writes it again with a right digest.
``targets`` has a class for each reader. ``execution`` judges one reading: it ends in success or in
one line, soon, and in little memory. ``child`` runs one target, guided by atheris if that is
installed; ``__main__`` runs all of them, each in a process of its own that it watches through the
file of ``status``. ``seeds`` writes the inputs that damage begins with, ``corpus``.
"""
