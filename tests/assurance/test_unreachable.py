"""Code that nothing can enter: what is said of ranges holds for what runs; odd ways in count."""

from __future__ import annotations

import ctypes
import random
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from gccllm.asm.code import functions_of
from gccllm.asm.line_code import line_code
from gccllm.asm.unit import parse
from gccllm.assurance.unreachable import Unreachable
from gccllm.assurance.unreachable.ranges import Range
from gccllm.assurance.unreachable.state import State, refined
from gccllm.assurance.unreachable.steps import step

EDGES = (0, 1, 2, 7, 8, 127, 128, 255, 32767, 32768, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
REGISTERS = ("rax", "rcx", "rdx", "rsi", "rdi")
_NAMES = {
    "rax": ("al", "ax", "eax", "rax"),
    "rcx": ("cl", "cx", "ecx", "rcx"),
    "rdx": ("dl", "dx", "edx", "rdx"),
    "rsi": ("sil", "si", "esi", "rsi"),
    "rdi": ("dil", "di", "edi", "rdi"),
}
_CONDITIONS = "o no b ae e ne be a s ns p np l ge le g".split()


def assembled(text: str, folder: Path, name: str = "u") -> Path:
    """The object of a unit, beside its text."""
    source, made = folder / f"{name}.s", folder / f"{name}.o"
    source.write_text(text)
    subprocess.run(["as", "-o", str(made), str(source)], check=True)
    return made


def unreachable(
    text: str, folder: Path, *, trusted: bool = False, name: str = "f", closely: bool = False
) -> list[str]:
    """The instructions of a function that nothing enters; ``closely``: all are asked for."""
    unit, code = parse(text), functions_of(assembled(text, folder))
    asked = range(1, len(unit.lines) + 1) if closely else ()
    lines = Unreachable(unit, code, trusted=trusted).lines(name, asked)
    return [unit.lines[x - 1].strip() for x in sorted(lines)]


def function(body: str, name: str = "f", before: str = "", after: str = "") -> str:
    lines = "\n".join(f"\t{x.strip()}" if ":" not in x else x.strip() for x in body.split(";"))
    head = f"\t.globl\t{name}\n\t.type\t{name}, @function"
    return f"\t.text\n{before}{head}\n{name}:\n{lines}\n\t.size\t{name}, .-{name}\n{after}"


def value(rng: random.Random) -> int:
    """A full register: an edge, its neighbour, its negative, or noise of some width."""
    if rng.random() < 0.6:
        return (rng.choice(EDGES) * rng.choice((1, -1)) + rng.randrange(-1, 2)) % 2**64
    return rng.getrandbits(rng.choice((3, 8, 16, 17, 32, 33, 64)))


def immediate(rng: random.Random, bits: int) -> int:
    half = 1 << (min(bits, 32) - 1)
    found = rng.choice((*EDGES, 3, -3, 100, -100, -32768, -(2**31), rng.getrandbits(31)))
    return (found + half) % (2 * half) - half


def instruction(rng: random.Random) -> str:
    """One of those that are modelled, and some that are not."""
    size = rng.randrange(4)
    one, two = (_NAMES[rng.choice(REGISTERS)][size] for _ in range(2))
    if rng.random() < 0.2:
        two = one
    bits, suffix = 8 << size, "bwlq"[size]
    source = rng.choice((f"%{one}", f"${immediate(rng, bits)}"))
    wide = _NAMES[rng.choice(REGISTERS)]
    kind = rng.randrange(15)
    if kind < 4:
        word = rng.choice("add sub and or xor mov cmp adc sbb".split())
        return f"{word}{suffix} {source}, %{two}"
    if kind == 4:
        return f"test{suffix} %{one}, %{two}"
    if kind == 5:
        return f"{rng.choice(('inc', 'dec', 'neg', 'not'))}{suffix} %{two}"
    if kind < 8:
        word = rng.choice("shr sar shl ror".split())
        return f"{word}{suffix} ${rng.choice((0, 1, 2, 15, 16, 31, 33, 63)) % 256}, %{two}"
    if kind < 10:
        narrow, to = rng.choice(((0, 1), (0, 2), (0, 3), (1, 2), (1, 3)))
        sign = rng.choice("sz")
        of = rng.choice(("ah", _NAMES["rax"][0])) if narrow == 0 and to < 3 else wide[narrow]
        of = of if rng.random() < 0.3 else wide[narrow]
        to_name = _NAMES["rcx" if of == "ah" else rng.choice(REGISTERS)][to]
        return f"mov{sign}{'bw'[narrow]}{'bwlq'[to]} %{of}, %{to_name}"
    if kind == 10:
        return f"movslq %{wide[2]}, %{_NAMES[rng.choice(REGISTERS)][3]}"
    if kind == 11:
        size = max(size, 2)
        place = rng.choice((f"({wide[3]},%{_NAMES[rng.choice(REGISTERS)][3]},4)", f"({wide[3]})"))
        target = _NAMES[rng.choice(REGISTERS)][size]
        return f"lea{'bwlq'[size]} {immediate(rng, 16)}(%{place[1:]}, %{target}"
    if kind == 12:
        return f"set{rng.choice(_CONDITIONS)} %{wide[0]}"
    if kind == 13:
        size = max(size, 2)
        a, b = (_NAMES[rng.choice(REGISTERS)][size] for _ in range(2))
        return f"cmov{rng.choice(_CONDITIONS)}{'bwlq'[size]} %{a}, %{b}"
    return rng.choice(
        (
            f"xchg{suffix} %{one}, %{two}",
            f"imulq %{wide[3]}, %rax",
            "cltq",
            "mull %ecx",
            "movb $3, %ah",
        )
    )


def narrowing(rng: random.Random) -> str:
    wide, to = _NAMES[rng.choice(REGISTERS)], rng.choice(REGISTERS)
    return rng.choice(
        (
            f"movzbl %{wide[0]}, %{_NAMES[to][2]}",
            f"movswl %{wide[1]}, %{_NAMES[to][2]}",
            f"movswq %{wide[1]}, %{_NAMES[to][3]}",
            f"andl ${immediate(rng, 32)}, %{wide[2]}",
            f"movl ${immediate(rng, 32)}, %{wide[2]}",
            f"xorl %{wide[2]}, %{wide[2]}",
        )
    )


def choosing(rng: random.Random) -> list[str]:
    """Absolute values, larger ones and the like, made without a jump."""
    size = rng.randrange(1, 4)
    a, b, c = (_NAMES[x] for x in rng.sample(REGISTERS, 3))
    wide, suffix = max(size, 2), "bwlq"[size]
    made = [f"mov{'bwlq'[wide]} %{a[wide]}, %{b[wide]}"]
    if rng.random() < 0.5:
        made.insert(0, narrowing(rng))
    if rng.random() < 0.8:
        whole = wide if rng.random() < 0.7 else size
        made.append(f"neg{'bwlq'[whole]} %{b[whole]}")
    for _ in range(rng.randrange(1, 4)):
        one, two = rng.choice(((a, b), (b, c), (c, b), (a, c)))
        number = f"${immediate(rng, 8 << size)}"
        made.append(
            rng.choice(
                (
                    f"cmp{suffix} %{one[size]}, %{two[size]}",
                    f"cmp{suffix} {number}, %{one[size]}",
                    f"test{suffix} %{one[size]}, %{one[size]}",
                )
            )
        )
        condition = rng.choice("e ne s ns l ge le g b a".split())
        made.append(f"cmov{condition}{'bwlq'[wide]} %{one[wide]}, %{two[wide]}")
    made.append(f"test{suffix} %{b[size]}, %{b[size]}")
    return made


def branching(rng: random.Random, blocks: int) -> list[list[str]]:
    """Blocks of instructions that end in a comparison and a jump forwards, if any; all of them
    together run three times, or once."""
    made = []
    for number in range(blocks):
        body = [narrowing(rng) for _ in range(rng.randrange(2))]
        body += [instruction(rng) for _ in range(rng.randrange(1, 4))]
        size = rng.randrange(4)
        of = _NAMES[rng.choice(REGISTERS)][size]
        body += choosing(rng) if rng.random() < 0.4 else []
        body += rng.choice(
            (
                [f"cmp{'bwlq'[size]} ${immediate(rng, 8 << size)}, %{of}"],
                [f"cmp{'bwlq'[size]} %{_NAMES[rng.choice(REGISTERS)][size]}, %{of}"],
                [f"test{'bwlq'[size]} %{of}, %{of}"],
                [],
            )
        )
        if number + 1 < blocks:
            body.append(f"j{rng.choice(_CONDITIONS)} .L{rng.randrange(number + 1, blocks)}")
        made.append(body)
    if rng.random() < 0.4:
        made = [["movl $3, %r8d"], *made, ["decl %r8d", f"jne .L{rng.randrange(blocks)}"]]
        made = [[_later(x) for x in body] for body in made[:-1]] + [
            ["decl %r8d", f"jne .L{rng.randrange(1, blocks + 1)}"]
        ]
    return [*made, ["ret"]]


def _later(line: str) -> str:
    """With the number of a block that it jumps to one higher."""
    head, found, number = line.partition(".L")
    return f"{head}{found}{int(number) + 1}" if found else line


RUNNER = """
\t.globl\t{name}_run
{name}_run:
\tpushq\t%rbx
\tpushq\t%r12
\tmovq\t%rdi, %r12
\tmovq\t%rsi, %rbx
\tmovq\t(%r12), %rax
\tmovq\t8(%r12), %rcx
\tmovq\t16(%r12), %rdx
\tmovq\t24(%r12), %rsi
\tmovq\t32(%r12), %rdi
\tcall\t{name}
\tmovq\t%rax, (%r12)
\tmovq\t%rcx, 8(%r12)
\tmovq\t%rdx, 16(%r12)
\tmovq\t%rsi, 24(%r12)
\tmovq\t%rdi, 32(%r12)
\tpopq\t%r12
\tpopq\t%rbx
\tret
"""
"""(registers, counters): calls the function with these in its registers, takes what it leaves"""
Run = Callable[[Sequence[int]], tuple[list[int], bytes]]


def written(name: str, blocks: Sequence[Sequence[str]], *, counted: bool) -> str:
    """A function of these blocks, each of which notes that it was entered, if so wished."""
    lines = []
    for number, body in enumerate(blocks):
        lines.append(f".L{number}{name}:")
        lines += [f"\tmovb $1, {number}(%rbx)"] if counted else []
        lines += [f"\t{x}{name}" if ".L" in x else f"\t{x}" for x in body]
    head = f"\t.text\n\t.globl\t{name}\n\t.type\t{name}, @function\n{name}:\n"
    return "\n".join((head, *lines, f"\t.size\t{name}, .-{name}\n"))


def runs(programs: Mapping[str, Sequence[Sequence[str]]], folder: Path) -> Mapping[str, Run]:
    parts = []
    for name, blocks in programs.items():
        parts += [written(name, blocks, counted=True), RUNNER.format(name=name)]
    made = assembled(
        "\n".join((*parts, '\t.section\t.note.GNU-stack,"",@progbits\n')), folder, "run"
    )
    shared = folder / "run.so"
    subprocess.run(["gcc", "-shared", "-o", str(shared), str(made)], check=True)
    library = ctypes.CDLL(str(shared))
    return {name: runner(library[f"{name}_run"], len(x)) for name, x in programs.items()}


def runner(call: Callable[..., object], counters: int) -> Run:
    def run(registers: Sequence[int]) -> tuple[list[int], bytes]:
        given = (ctypes.c_uint64 * len(registers))(*registers)
        counted = ctypes.create_string_buffer(counters)
        call(given, counted)
        return list(given), counted.raw

    return run


def test_what_runs_lies_within_the_ranges_that_are_known(tmp_path: Path) -> None:
    rng = random.Random(20)
    programs = {}
    for number in range(2500):
        body = [narrowing(rng) for _ in range(rng.randrange(3))]
        body += [instruction(rng) for _ in range(rng.randrange(1, 5))]
        programs[f"f{number}"] = [[*body, "ret"]]
    text = "\n".join(written(x, y, counted=False) for x, y in programs.items())
    unit, code = parse(text), functions_of(assembled(text, tmp_path))
    called = runs(programs, tmp_path)
    told = 0
    for name in programs:
        graph = line_code(unit, name, code)
        if graph is None:  # what it exchanges is taken for padding
            continue
        state = State()
        for op, effect in list(zip(graph.ops, graph.effects, strict=True))[:-1]:
            state = step(state, op, effect)
        for _ in range(12):
            left, _ = called[name]([value(rng) for _ in REGISTERS])
            for (register, bits), known in state.facts.items():
                if register in REGISTERS:
                    told += not known.is_whole
                    low = left[REGISTERS.index(register)] % (1 << bits)
                    assert holds(known, low), (programs[name], register, known, low)
    assert told > 10_000


def holds(known: Range, number: int) -> bool:
    signed = number - (1 << known.bits) if number >> (known.bits - 1) else number
    return known.low <= number <= known.high and known.least <= signed <= known.most


def test_what_is_entered_is_never_called_unreachable(tmp_path: Path) -> None:
    rng = random.Random(21)
    programs = {f"f{x}": branching(rng, rng.randrange(3, 8)) for x in range(600)}
    text = "\n".join(written(x, y, counted=False) for x, y in programs.items())
    unit, code = parse(text), functions_of(assembled(text, tmp_path))
    found = Unreachable(unit, code, trusted=False)
    called = runs(programs, tmp_path)
    dead = closed = 0
    for name, blocks in programs.items():
        lines = found.lines(name, [x + 1 for x in unit.functions[name].indices()])
        closed += len(lines - found.lines(name))
        at = [unit.labels[f".L{x}{name}"] + 2 for x in range(len(blocks))]
        dead += sum(x in lines for x in at)
        for _ in range(30):
            _, entered = called[name]([value(rng) for _ in REGISTERS])
            wrong = [x for x, line in enumerate(at) if entered[x] and line in lines]
            assert not wrong, (blocks, wrong)
    assert dead > 90
    assert closed > 20


def test_conditions_hold_of_the_numbers_that_are_left(tmp_path: Path) -> None:
    rng = random.Random(22)
    texts, cases = [], []
    for number in range(1500):
        size = rng.randrange(4)
        of = _NAMES["rax"][size]
        word = rng.choice(("cmp", "sub", "add", "and", "test"))
        other = f"%{of}" if word == "test" else f"${immediate(rng, 8 << size)}"
        if word == "cmp" and rng.random() < 0.5:
            other = f"%{_NAMES[rng.choice(REGISTERS)][size]}"
        condition = rng.choice(_CONDITIONS)
        cases.append(
            [[narrowing(rng), f"{word}{'bwlq'[size]} {other}, %{of}", f"j{condition} .L2"]]
        )
        cases[-1] += [["ret"], ["ret"]]
        texts.append(written(f"f{number}", cases[-1], counted=False))
    text = "\n".join(texts)
    unit, code = parse(text), functions_of(assembled(text, tmp_path))
    called = runs({f"f{x}": y for x, y in enumerate(cases)}, tmp_path)
    for number, blocks in enumerate(cases):
        graph = line_code(unit, f"f{number}", code)
        assert graph is not None
        state = State()
        for op, effect in list(zip(graph.ops, graph.effects, strict=True))[:2]:
            state = step(state, op, effect)
        holding = graph.ops[2].instruction.condition_code
        for _ in range(10):
            left, entered = called[f"f{number}"]([value(rng) for _ in REGISTERS])
            after = refined(state, holding, bool(entered[2]))
            assert after is not None, blocks
            for (register, bits), known in after.facts.items():
                low = left[REGISTERS.index(register)] % (1 << bits)
                assert holds(known, low), (blocks, register, known, low)


RANGE_CHECK = """movswl (%rdi), %eax; shrl %eax; andl $65532, %eax; movswl %ax, %ecx
cmpl $-16385, %ecx; jle .L1; cmpl $16381, %ecx; jge .L2; movl $3, %eax; ret
.L1:; call abort@PLT
.L2:; call abort@PLT""".replace("\n", "; ")
UNSIGNED_THEN_SIGN = """movslq %edi, %rax; cmpq $65535, %rax; ja .L1; testq %rax, %rax; js .L2; ret
.L1:; xorl %eax, %eax; ret
.L2:; negl %eax; ret""".replace("\n", "; ")


def test_checks_that_clang_keeps_and_gcc_knows_to_pass(tmp_path: Path) -> None:
    assert unreachable(function(RANGE_CHECK), tmp_path) == ["call abort@PLT"] * 2
    assert unreachable(function(UNSIGNED_THEN_SIGN), tmp_path) == ["negl %eax", "ret"]


ABSOLUTE = """movzwl (%rdi), %eax; movl %eax, %ecx; negl %ecx; cmpl $32768, %eax; movl $32767, %edx
cmovel %edx, %ecx; testw %ax, %ax; cmovnsl %eax, %ecx; cmpw %si, %cx; cmovlel %esi, %ecx
testw %cx, %cx; je .L1; jle .L2; movl $1, %eax; ret
.L1:; xorl %eax, %eax; ret
.L2:; ud2""".replace("\n", "; ")


def test_the_sign_of_what_conditional_moves_chose(tmp_path: Path) -> None:
    """clang's ``assert(dmax > 0)`` behind the largest of absolute values, saturated."""
    assert unreachable(function(ABSOLUTE), tmp_path, closely=True) == ["ud2"]
    assert unreachable(function(ABSOLUTE), tmp_path) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("cmovel %edx", "cmovnel %edx"),
        ("cmovnsl", "cmovsl"),
        ("cmovlel", "cmovgl"),
        ("$32768", "$32769"),
        ("$32767", "$32768"),
        ("negl %ecx", "notw %cx; incl %ecx; movw %si, %cx"),
        ("cmpw %si, %cx", "movl %esi, %ecx; cmpw %si, %cx"),
        ("jle .L2", "jle .L2; cmpw $7, %si; je .L2"),
    ],
)
def test_where_one_case_is_left_the_way_is_open(before: str, after: str, tmp_path: Path) -> None:
    assert before in ABSOLUTE
    text = function(ABSOLUTE.replace(before, after))
    assert unreachable(text, tmp_path, closely=True) == []


def test_ways_in_from_elsewhere_end_the_closer_look(tmp_path: Path) -> None:
    entered = ABSOLUTE.replace("testw %cx, %cx", ".L3:; testw %cx, %cx")
    harmful = HELPER.format("\tjmp\t.L3")
    assert unreachable(function(entered), tmp_path, closely=True) == ["ud2"]
    assert unreachable(function(entered, after=harmful), tmp_path, closely=True) == []


def test_callees_keep_registers_and_nothing_else(tmp_path: Path) -> None:
    body = "{mov}; call g@PLT; cmpl $9, {of}; ja .L1; ret; .L1:; ud2"
    kept = body.format(mov="movzbl %dil, %ebx; andl $7, %ebx", of="%ebx")
    lost = body.format(mov="movzbl %dil, %ecx; andl $7, %ecx", of="%ecx")
    assert unreachable(function(kept), tmp_path) == ["ud2"]
    assert unreachable(function(lost), tmp_path) == []


def test_loops_are_followed_until_nothing_new_is_known(tmp_path: Path) -> None:
    counted = "xorl %eax, %eax; .L0:; incl %eax; cmpl $9, %eax; jb .L0; ret"
    assert unreachable(function(counted), tmp_path) == []
    dead = "xorl %eax, %eax; .L0:; incl %eax; andl $7, %eax; cmpl $9, %eax; jb .L0; ret"
    assert unreachable(function(dead), tmp_path) == ["ret"]


DEAD = "andl $7, %edi; cmpl $9, %edi; ja .L1; xorl %eax, %eax; ret; .L1:; movl $1, %eax; ret"
HELPER = "\t.type\tg, @function\ng:\n{}\n\t.size\tg, .-g\n"


def test_the_dead_part_of_a_plain_function(tmp_path: Path) -> None:
    assert unreachable(function(DEAD), tmp_path) == ["movl $1, %eax", "ret"]
    harmless = HELPER.format("\tcall\tf\n\tleaq\tf(%rip), %rax\n\tret")
    assert unreachable(function(DEAD, after=harmless), tmp_path) == ["movl $1, %eax", "ret"]


@pytest.mark.parametrize(
    "way",
    [
        "jmp\t.L1",
        "leaq\t.L1(%rip), %rax\n\tjmp\t*%rax",
        "jmp\tf+17",
        "leaq\tf+17(%rip), %rax\n\tjmp\t*%rax",
        "movq\t$f+17, %rax\n\tjmp\t*%rax",
        "movq\t17+f@GOTPCREL(%rip), %rax\n\tjmp\t*%rax",
        "jmp\t.-12",
        "leaq\t.-12(%rip), %rax\n\tjmp\t*%rax",
        "1:\n\tjmp\t1b-12",
        "jmp\tg-12",
        "pushq\t$.L1\n\tret",
        ".set\tx, .L1\n\tjmp\tx",
        ".set\tx, .L1+1\n\tjmp\tx",
        "x = .L1\n\tjmp\tx",
        ".set\tx, f\n\tjmp\tx+17",
        ".quad\t.L1",
        ".quad\tf+17",
        "#APP\n\tjmp .L1\n#NO_APP",
    ],
)
def test_ways_in_from_elsewhere_are_seen_or_trusted_for_nothing(way: str, tmp_path: Path) -> None:
    text = function(DEAD, after=HELPER.format(f"\t{way}" if way[0] not in "1#x" else way))
    found = unreachable(text, tmp_path, trusted=True)
    assert "movl $1, %eax" not in found


@pytest.mark.parametrize(
    "body",
    [
        "cmpl $9, %edi; ja .L1+1; ret; .L1:; movl $1, %eax; ret",
        "leaq .L1(%rip), %rax; addq %rdi, %rax; jmp *%rax; .L1:; movl $1, %eax; ret",
        "call .L2; ret; movl $1, %eax; ret; .L2:; addq $1, (%rsp); ret",
        "call .+5; ret; movl $1, %eax; ret",
        "jmp .L2; .L2:; .p2align 4; movl $1, %eax; ret; .L1:; ret",
        "1:; andl $7, %edi; cmpl $9, %edi; ja 2f; ret; 2:; movl $1, %eax; ret",
        "andl $7, %edi; .byte 0x90; cmpl $9, %edi; ja .L1; ret; .L1:; movl $1, %eax; ret",
        "int3; jmp .L1; movl $1, %eax; .L1:; ret",
    ],
)
def test_functions_that_are_not_understood_have_nothing_unreachable(
    body: str, tmp_path: Path
) -> None:
    assert unreachable(function(body), tmp_path) == []


TABLE = """andl $1, %edi; leaq .L9(%rip), %rdx; movslq (%rdx,%rdi,4), %rax; addq %rdx, %rax
notrack jmp *%rax; .L1:; xorl %eax, %eax; ret; .L2:; cmpl $1, %edi; ja .L3; ret; .L3:; ud2"""


def test_jumps_through_tables_are_followed_in_gccs_own_code(tmp_path: Path) -> None:
    table = "\t.section\t.rodata\n\t.p2align 2\n.L9:\n\t.long\t.L1-.L9\n\t.long\t.L2-.L9\n\t.text\n"
    text = function(TABLE.replace("\n", "; "), after=table)
    assert unreachable(text, tmp_path, trusted=True) == ["ud2"]
    assert unreachable(text, tmp_path) == []


def test_loops_of_their_own_kind_are_no_comparisons(tmp_path: Path) -> None:
    body = "movl $5, %ecx; cmpl %ecx, %ecx; loope .L1; ret; .L1:; movl $1, %eax; ret"
    assert unreachable(function(body), tmp_path) == []
    body = "movl $5, %ecx; .L0:; loop .L0; cmpl $4, %ecx; jbe .L1; ret; .L1:; ud2"
    assert unreachable(function(body), tmp_path) == []
