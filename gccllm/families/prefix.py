"""Running totals of an array in vectors: what prefix sums and running maxima have in common.

The totals within a vector take three steps for eight lanes; from one vector to the next a single
operation is carried, where gcc's loop carries one an element.
"""

from __future__ import annotations

from gccllm.families.bulk import Bulk
from gccllm.families.loopstate import LoopState

__all__ = ["running"]


def running(
    name: str, word: str, size: int, unit: str, neutral: int, *, in_place: bool, repeats: bool
) -> Bulk:
    """Each element becomes the total of all up to it, with the carried ``s`` before the first.

    ``word`` is the three-operand instruction for lanes of ``size`` 4 or 8 bytes in vectors of width
    ``unit`` (y or z). ``neutral`` is the number that changes nothing. ``repeats``: joining a lane
    twice does no harm (maxima), so that lanes may stand where AVX2 has no cheap neutral ones.
    """
    letter, scalar = ("q", "q") if size == 8 else ("l", "d")
    wide = unit == "z"

    def join(a: str, b: str, to: str) -> str:
        return f"{word} {{{a}:{unit}}}, {{{b}:{unit}}}, {{{to}:{unit}}}"

    steps = _wide_steps(size) if wide else _steps(size, repeats=repeats)
    inner = [x for step in steps for x in (*step, join("w", "u", "u"))]
    if wide:
        last = [f"vperm{scalar} {{u:z}}, {{at:z}}, {{u:z}}"]
    else:
        last = ["vpshufd $255, {u:y}, {u:y}"] * (size == 4) + ["vpermq $255, {u:y}, {u:y}"]
    move = "vmovdqu64" if wide else "vmovdqu"

    def body(state: LoopState) -> str:
        to = state.at(0, "p" if in_place else "o")
        lines = [f"{move} {state.at(0)}, {{u:{unit}}}", *inner, join("c", "u", "w")]
        lines += [f"{move} {{w:{unit}}}, {to}", *last, join("u", "c", "c")]
        return "\n".join(lines)

    setup = [f"vmov{scalar} {{s:{letter}}}, {{c:x}}", f"vpbroadcast{scalar} {{c:x}}, {{c:{unit}}}"]
    if wide:
        setup += [
            f"movl ${64 // size - 1}, {{t:l}}",
            f"vpbroadcast{scalar} {{t:{letter}}}, {{at:z}}",
        ]
        if neutral:
            setup += [f"mov{'absq' if size == 8 else 'l'} ${neutral}, {{t:{letter}}}"]
            setup += [f"vpbroadcast{scalar} {{t:{letter}}}, {{low:z}}"]
        else:
            setup += ["vpxor {low:x}, {low:x}, {low:x}"]
    return Bulk(
        f"{name}, {8 * size} bits, {512 if wide else 256} at a time",
        64 if wide else 32,
        body,
        "\n".join(setup),
        f"vmov{scalar} {{c:x}}, {{s:{letter}}}",
        needs="AVX512F" if wide else "AVX2",
        carried="s",
        vectors="u w c at low" if wide else "u w c",
        stores=True,
    )


def _wide_steps(size: int) -> list[list[str]]:
    """Lanes moved up by 1, 2, 4 …, neutral ones below."""
    lanes = 64 // size
    word = "valignd" if size == 4 else "valignq"
    shifts = [k for k in (1, 2, 4, 8) if k < lanes]
    return [[f"{word} ${lanes - k}, {{low:z}}, {{u:z}}, {{w:z}}"] for k in shifts]


def _steps(size: int, *, repeats: bool) -> list[list[str]]:
    """The same in 256 bits: zeros below, or lanes that are joined already."""
    last = 255 if size == 4 else 238
    if repeats:
        return [
            ["vpshufd $144, {u:y}, {w:y}"],
            ["vpshufd $68, {u:y}, {w:y}"],
            [f"vpshufd ${last}, {{u:y}}, {{w:y}}", "vinserti128 $1, {w:x}, {u:y}, {w:y}"],
        ]
    shifts = (4, 8) if size == 4 else (8,)
    return [
        *([f"vpslldq ${k}, {{u:y}}, {{w:y}}"] for k in shifts),
        [f"vpshufd ${last}, {{u:y}}, {{w:y}}", "vperm2i128 $8, {w:y}, {w:y}, {w:y}"],
    ]
