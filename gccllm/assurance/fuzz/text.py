"""A program's input as text: tokens and what stands between them, numbers among them."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Text", "number_of"]

_TOKEN = re.compile(rb"[^\s,;:()\[\]{}]+")
_INTEGER = re.compile(rb"[-+]?\d{1,20}")


def number_of(token: bytes) -> int | None:
    """The value of a token that is a decimal integer, else None."""
    return int(token) if _INTEGER.fullmatch(token) else None


@dataclass(frozen=True)
class Text:
    """An input cut into tokens; ``gaps[i]`` stands before token i, the last one at the end."""

    tokens: tuple[bytes, ...]
    gaps: tuple[bytes, ...]

    @staticmethod
    def of(data: bytes) -> Text:
        tokens: list[bytes] = []
        gaps: list[bytes] = []
        end = 0
        for found in _TOKEN.finditer(data):
            gaps.append(data[end : found.start()])
            tokens.append(found.group())
            end = found.end()
        gaps.append(data[end:])
        return Text(tuple(tokens), tuple(gaps))

    @property
    def data(self) -> bytes:
        """The bytes again."""
        middle = b"".join(gap + token for gap, token in zip(self.gaps, self.tokens, strict=False))
        return middle + self.gaps[-1]

    def lines(self) -> list[range]:
        """The tokens of each line that has any."""
        found: list[range] = []
        start = 0
        for index in range(1, len(self.tokens)):
            if b"\n" in self.gaps[index]:
                found.append(range(start, index))
                start = index
        if self.tokens:
            found.append(range(start, len(self.tokens)))
        return found

    def numbers(self) -> list[int]:
        """Where the tokens are integers."""
        return [i for i, token in enumerate(self.tokens) if number_of(token) is not None]

    def replaced(self, start: int, stop: int, tokens: list[bytes], gap: bytes = b" ") -> Text:
        """With ``tokens`` in place of those from ``start`` to ``stop``.

        New tokens get the gaps of the old ones in their order, then ``gap``.
        """
        kept = list(self.gaps[start:stop])
        gaps = kept[: len(tokens)] + [gap] * (len(tokens) - len(kept))
        if start == 0 and gaps and not kept:
            gaps[0] = b""
        return Text(
            self.tokens[:start] + tuple(tokens) + self.tokens[stop:],
            self.gaps[:start] + tuple(gaps) + self.gaps[stop:],
        )

    def with_token(self, index: int, token: bytes) -> Text:
        return self.replaced(index, index + 1, [token])
