"""Software that people run, from Debian's sources: what gcc-llm is worth beside other compilers."""
