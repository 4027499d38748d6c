"""Assembly as gcc writes it (x86-64 ELF, AT&T syntax): units, splicing, keys, ABI rules."""
