"""How sure we are of a rewrite: the ladder from recorded tests to proofs."""
