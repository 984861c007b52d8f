"""Mutants: small faults planted in the source, one at a time, each of which a test must notice.

``make mutants`` chooses some hundreds of them by a seed, and writes ``docs/mutants.md``.

- ``operators``: the faults, as changes of a syntax tree
- ``choice``: the files that get mutants, and the mutants chosen of all that are possible
- ``known``: mutants that have survived once, written by hand; they are always among those chosen
- ``live``: functions that are loaded, exchanged for mutated ones, or for such as note their lines
- ``session``: a run of pytest in which each mutant meets the tests that run its line
- ``records``: results, and what is known of tests, in ``build/mutants``
- ``equivalent``: survivors that no test can kill, each with the reason
- ``report``: the tables of ``docs/mutants.md``
"""
