"""The commands of ``gccllm``, one file each; cli.py puts them together."""
