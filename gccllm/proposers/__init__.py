"""Where candidates come from; see base.py for the seam."""
