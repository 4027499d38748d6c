"""A training run or an evaluation as one page for a browser."""
