"""The search: which candidates to try on which functions, and which combination to keep."""

from gccllm.search.conclusion import Conclusion
from gccllm.search.search import Search
from gccllm.search.trial import Found, Seen, Trial

__all__ = ["Conclusion", "Found", "Search", "Seen", "Trial"]
