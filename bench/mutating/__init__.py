"""Seeded wrong rewrites and right ones: what the assurance ladder lets through, and what it refuses
without cause. See bench/mutations.py."""
