"""Assembly as gcc writes it (x86-64 ELF, AT&T syntax): units, functions, splicing, keys, ABI facts."""
