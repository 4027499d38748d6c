"""gccllm-train: makes the model that gcc-llm asks. Imports gccllm, never the reverse."""
