"""gcc-llm: gcc whose assembly a language model makes faster, or leaves exactly as gcc made it.

Nothing is imported here: the compile path starts Python for single modules and must stay light.
"""

__version__ = "0.1.0"
