"""The search: which candidates to try on which functions, and which combination to keep."""

from gccllm.search.attribution import Attribution, Gain
from gccllm.search.conclusion import Conclusion
from gccllm.search.layers import gather_layers
from gccllm.search.mixing import Mixing
from gccllm.search.search import Search
from gccllm.search.trial import Found, Seen, Trial

__all__ = [
    "Attribution",
    "Conclusion",
    "Found",
    "Gain",
    "Mixing",
    "Search",
    "Seen",
    "Trial",
    "gather_layers",
]
