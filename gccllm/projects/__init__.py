"""Whole projects: a program found after its build, searched for long, put back in its place."""
