"""The parts of :mod:`trainer.evaluate`."""
