"""Candidate in, verdict out: screen, build, run, time."""
