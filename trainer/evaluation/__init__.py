"""How good a model is, alone and in the product: rates, speedups, and the table of them."""
