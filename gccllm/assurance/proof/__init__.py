"""Proofs: two versions of a region or of a function, equal for all states or up to a bound.

Instructions are lifted with pyvex to terms over bit vectors, a machine state goes through both
versions path by path, and what would make them differ is asked of z3 and bitwuzla, side by side.
Both solvers and pyvex come with ``pip install gccllm[proof]``; without them nothing is proved, and
nothing is refuted either.
"""
