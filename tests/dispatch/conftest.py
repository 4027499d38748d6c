from __future__ import annotations

from tests.endtoend.conftest import gcc_llm, project

__all__ = ["gcc_llm", "project"]
