"""Rewrite families: what gcc -O3 leaves, as slow forms in C and fast forms in assembly."""
