"""Code for newer processors beside gcc's own, chosen at run time: ``-fllm-isa=dispatch``."""
