"""Types of parameters, results and globals from an object's debug information (DWARF 4 and 5)."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.dwarf.die import DIE
from elftools.elf.elffile import ELFFile

from gccllm.assurance.differential.layout import (
    BYTES,
    Kind,
    Layout,
    Leaf,
    Parameter,
    Signature,
    Unsupported,
    signature,
)

__all__ = ["Types", "read_types"]

_PREFIX = "DW_TAG_"
_TRANSPARENT = frozenset(("typedef", "const_type", "volatile_type", "restrict_type", "atomic_type"))
_MOST_LEAVES = 256
_INTEGERS: Mapping[int, Kind] = {
    0x02: Kind.BOOL,
    0x05: Kind.SIGNED,
    0x06: Kind.SIGNED,
    0x07: Kind.UNSIGNED,
    0x08: Kind.UNSIGNED,
    0x10: Kind.UNSIGNED,
}
"""DW_ATE_boolean, signed, signed_char, unsigned, unsigned_char, UTF (DWARF 5, table 7.11)"""


class Types:
    """What one object says of its functions and variables. Layouts are numbered as they are met;
    number 0 is :data:`BYTES`."""

    def __init__(self, functions: Mapping[str, DIE], variables: Mapping[str, DIE]) -> None:
        self._functions = functions
        self._variables = variables
        self._numbers: dict[int, int] = {}
        self._layouts: list[Layout] = [BYTES]
        self._pending: list[DIE] = []
        """types that pointers lead to, whose layouts are still to be made"""

    def signature(self, function: str) -> Signature:
        """Raises Unsupported."""
        die = self._functions.get(function)
        if die is None:
            raise Unsupported("the debug information does not know the function")
        parameters = []
        for child in die.iter_children():
            if child.tag == "DW_TAG_unspecified_parameters":
                raise Unsupported("it takes a variable number of arguments")
            if child.tag == "DW_TAG_formal_parameter":
                parameters.append(self._parameter(_name(child), child))
        returned = self._parameter("result", die) if "DW_AT_type" in die.attributes else None
        if returned is not None:
            self._number(die, returned.layout)
        self._all_targets()
        return signature(function, parameters, returned, self._layouts)

    def variable(self, name: str) -> Layout:
        """The layout of a global variable, :data:`BYTES` where it is not known."""
        # A static variable of a function is "name.0" in the assembly.
        die = self._variables.get(name) or self._variables.get(name.split(".")[0])
        if die is None or "DW_AT_type" not in die.attributes:
            return BYTES
        try:
            return self._layout(_type_of(die))
        except Unsupported:
            return BYTES

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """All that were met until now."""
        self._all_targets()
        return tuple(self._layouts)

    def _parameter(self, name: str, die: DIE) -> Parameter:
        kind = _type_of(die)
        bare = _bare(kind)
        layout = self._layout(kind)
        is_struct = bare is not None and bare.tag == "DW_TAG_structure_type"
        if bare is None or bare.tag in ("DW_TAG_union_type", "DW_TAG_array_type"):
            raise Unsupported(f"{name} is a {_spelled(kind)}")
        if not is_struct and layout.leaves[0].kind is Kind.OPAQUE:
            raise Unsupported(f"{name} is a {_spelled(kind)}")
        opaque = any(x.kind is Kind.OPAQUE for x in layout.leaves)
        if is_struct and layout.size <= 16 and opaque:
            raise Unsupported(f"{name} is a structure with a union or bit-fields, by value")
        return Parameter(name, _spelled(kind), layout, is_struct)

    def _number(self, die: DIE, layout: Layout) -> int:
        if layout not in self._layouts:
            self._layouts.append(layout)
        return self._layouts.index(layout)

    def _target(self, die: DIE | None) -> int:
        """The number of what a pointer leads to; its layout is made later, for types recur."""
        bare = _bare(die)
        if bare is None or "DW_AT_declaration" in bare.attributes:
            return 0
        if bare.offset not in self._numbers:
            self._numbers[bare.offset] = len(self._layouts)
            self._layouts.append(BYTES)
            self._pending.append(bare)
        return self._numbers[bare.offset]

    def _all_targets(self) -> None:
        while self._pending:
            die = self._pending.pop()
            try:
                made = self._layout(die)
            except Unsupported:
                made = BYTES
            self._layouts[self._numbers[die.offset]] = made if made.size else BYTES

    def _layout(self, die: DIE | None) -> Layout:
        """Raises Unsupported for what can't be in memory at all."""
        bare = _bare(die)
        if bare is None:
            raise Unsupported("void has no values")
        tag = _tag(bare)
        name = _spelled(die)
        size = _number(bare, "DW_AT_byte_size")
        if tag == "pointer_type":
            return self._pointer(name, bare)
        if tag == "enumeration_type":
            under = _bare(_type_of(bare)) if "DW_AT_type" in bare.attributes else None
            kind = _INTEGERS.get(_number(under, "DW_AT_encoding"), Kind.UNSIGNED) if under else None
            return _scalar(name, kind or Kind.UNSIGNED, size)
        if tag == "base_type":
            encoding = _number(bare, "DW_AT_encoding")
            if encoding == 0x04 and size in (4, 8):
                return _scalar(name, Kind.FLOAT, size)
            if encoding in _INTEGERS and size <= 8:
                return _scalar(name, _INTEGERS[encoding], size)
            return _scalar(name, Kind.OPAQUE, size)
        if tag == "array_type":
            return self._array(name, bare)
        if tag == "structure_type" and "DW_AT_declaration" not in bare.attributes:
            return self._structure(name, bare, size)
        if tag == "union_type" and size:
            return Layout(name, size, 8, (Leaf("", 0, Kind.OPAQUE, 1, size),))
        raise Unsupported(f"values of {name}")

    def _pointer(self, name: str, die: DIE) -> Layout:
        to = _type_of(die) if "DW_AT_type" in die.attributes else None
        bare = _bare(to)
        if bare is not None and bare.tag == "DW_TAG_subroutine_type":
            return _scalar(name, Kind.OPAQUE, 8)
        return Layout(name, 8, 8, (Leaf("", 0, Kind.POINTER, 8, 1, self._target(to)),))

    def _array(self, name: str, die: DIE) -> Layout:
        element = self._layout(_type_of(die))
        count = 1
        for child in die.iter_children():
            if child.tag == "DW_TAG_subrange_type":
                if "DW_AT_count" in child.attributes:
                    count *= _number(child, "DW_AT_count")
                else:
                    count *= _number(child, "DW_AT_upper_bound", -1) + 1
        if "DW_AT_GNU_vector" in die.attributes:
            return Layout(name, element.size * count, 16, (Leaf("", 0, Kind.OPAQUE, 1, 16),))
        if len(element.leaves) == 1 and element.leaves[0].size == element.size:
            leaf = element.leaves[0]
            leaves: tuple[Leaf, ...] = (Leaf("", 0, leaf.kind, leaf.size, count, leaf.target),)
        elif len(element.leaves) * count <= _MOST_LEAVES:
            size = element.size
            leaves = tuple(
                x.moved(f"[{i}]", i * size) for i in range(count) for x in element.leaves
            )
        else:
            leaves = (Leaf("", 0, Kind.OPAQUE, 1, element.size * count),)
        return Layout(name, element.size * count, element.alignment, leaves if count else ())

    def _structure(self, name: str, die: DIE, size: int) -> Layout:
        leaves: list[Leaf] = []
        alignment = 1
        bits: set[int] = set()
        for child in die.iter_children():
            if child.tag != "DW_TAG_member":
                continue
            if "DW_AT_data_bit_offset" in child.attributes or "DW_AT_bit_size" in child.attributes:
                start = _number(child, "DW_AT_data_bit_offset")
                bits.update(range(start // 8, (start + _number(child, "DW_AT_bit_size") + 7) // 8))
                continue
            inner = self._layout(_type_of(child))
            alignment = max(alignment, inner.alignment)
            at = _number(child, "DW_AT_data_member_location")
            leaves += [x.moved(_name(child), at) for x in inner.leaves]
        leaves += [Leaf("<bits>", at, Kind.OPAQUE, 1) for at in sorted(bits)]
        return Layout(name, size, alignment, tuple(sorted(leaves, key=lambda x: x.offset)))


def read_types(path: Path) -> Types:
    """The types of an object that was compiled with -g. Raises Unsupported."""
    functions: dict[str, DIE] = {}
    variables: dict[str, DIE] = {}
    try:
        with path.open("rb") as file:
            content = BytesIO(file.read())
        elf = ELFFile(content)
        if not elf.has_dwarf_info():
            raise Unsupported("there is no debug information")
        for unit in elf.get_dwarf_info().iter_CUs():
            for die in unit.get_top_DIE().iter_children():
                if die.tag == "DW_TAG_subprogram" and _name(die):
                    known = functions.get(_name(die))
                    if known is None or "DW_AT_declaration" in known.attributes:
                        functions[_name(die)] = die
                    for child in die.iter_children():
                        _variable(child, variables)
                else:
                    _variable(die, variables)
    except (ELFError, OSError, KeyError, ValueError) as error:
        raise Unsupported(f"the debug information can't be read: {error}") from None
    return Types(functions, variables)


def _variable(die: DIE, found: dict[str, DIE]) -> None:
    if die.tag == "DW_TAG_variable" and "DW_AT_type" in die.attributes:
        found.setdefault(_name(die), die)


def _tag(die: DIE) -> str:
    return str(die.tag).removeprefix(_PREFIX)


def _name(die: DIE) -> str:
    while "DW_AT_name" not in die.attributes:
        if "DW_AT_abstract_origin" not in die.attributes:
            return ""
        die = die.get_DIE_from_attribute("DW_AT_abstract_origin")
    value = die.attributes["DW_AT_name"].value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _number(die: DIE, attribute: str, otherwise: int = 0) -> int:
    found = die.attributes.get(attribute)
    return found.value if found is not None and isinstance(found.value, int) else otherwise


def _type_of(die: DIE) -> DIE | None:
    """None for void."""
    while "DW_AT_type" not in die.attributes:
        if "DW_AT_abstract_origin" not in die.attributes:
            return None
        die = die.get_DIE_from_attribute("DW_AT_abstract_origin")
    return die.get_DIE_from_attribute("DW_AT_type")


def _bare(die: DIE | None) -> DIE | None:
    """Without typedefs and qualifiers."""
    while die is not None and _tag(die) in _TRANSPARENT:
        die = _type_of(die)
    return die


def _spelled(die: DIE | None) -> str:
    """The type as C writes it."""
    if die is None:
        return "void"
    tag = _tag(die)
    if _name(die) and tag in ("typedef", "base_type"):
        return _name(die)
    if tag == "pointer_type":
        return f"{_spelled(_type_of(die))} *"
    if tag.endswith("_type") and tag[:-5] in ("const", "volatile"):
        return f"{tag[:-5]} {_spelled(_type_of(die))}"
    if tag in ("restrict_type", "atomic_type"):
        return _spelled(_type_of(die))
    if tag == "array_type":
        return f"{_spelled(_type_of(die))} []"
    if tag == "subroutine_type":
        return "function"
    word = {"structure_type": "struct", "union_type": "union", "enumeration_type": "enum"}
    return f"{word.get(tag, tag)} {_name(die)}".strip()


def _scalar(name: str, kind: Kind, size: int) -> Layout:
    return Layout(name, size, size, (Leaf("", 0, kind, size),))
