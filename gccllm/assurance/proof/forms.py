"""Instruction forms that the model is checked on: mnemonic by width by kind of operand.

Each form is a line or two of assembly that works on fixed registers: numbers in rax, rbx, rcx, rdx,
rsi and ymm0 … ymm2, memory behind rdi. Forms that write to memory read it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

__all__ = ["forms"]

_REGISTERS = {
    "b": ("%al", "%bl", "%cl"),
    "w": ("%ax", "%bx", "%cx"),
    "l": ("%eax", "%ebx", "%ecx"),
    "q": ("%rax", "%rbx", "%rcx"),
}
_WIDTHS = {"b": 8, "w": 16, "l": 32, "q": 64}
_CONDITIONS = "o no b ae e ne be a s ns p np l ge le g".split()
_BACK = "\n\tmovq\t8(%rdi), %rsi"


def forms(*, avx: bool = True) -> list[str]:
    """All forms, each once; ``avx``: with AVX, AVX2, BMI and what came with them."""
    found = [*_arithmetic(), *_shifts(), *_products(), *_moves(), *_bits(avx), *_vectors(avx)]
    return list(dict.fromkeys(found))


def _arithmetic() -> Iterator[str]:
    for word, width in product("add sub and or xor cmp test adc sbb".split(), "bwlq"):
        a, b, _ = _REGISTERS[width]
        yield f"{word}{width}\t{b}, {a}"
        for number in (1, -1, 100, -128):
            yield f"{word}{width}\t${number}, {b}"
        if word != "test":
            yield f"{word}{width}\t8(%rdi), {a}"
        if word not in ("cmp", "test"):
            yield f"{word}{width}\t{a}, 8(%rdi){_BACK}"
            yield f"{word}{width}\t$77, 8(%rdi){_BACK}"
        else:
            yield f"{word}{width}\t{a}, 8(%rdi)"
    for word, width in product("inc dec neg not".split(), "bwlq"):
        yield f"{word}{width}\t{_REGISTERS[width][0]}"
        yield f"{word}{width}\t8(%rdi){_BACK}"
    for width in "bwlq":
        a, b, _ = _REGISTERS[width]
        yield f"xadd{width}\t{a}, {b}"
        yield f"xchg{width}\t{a}, {b}"


def _shifts() -> Iterator[str]:
    for word, width in product("shl shr sar rol ror".split(), "bwlq"):
        for number in (1, 3, _WIDTHS[width] - 1):
            yield f"{word}{width}\t${number}, {_REGISTERS[width][1]}"
        yield f"{word}{width}\t%cl, {_REGISTERS[width][1]}"
        yield f"{word}{width}\t$2, 8(%rdi){_BACK}"
    for word, width in product(("shld", "shrd"), "wlq"):
        a, b, _ = _REGISTERS[width]
        yield f"{word}{width}\t$5, {a}, {b}"
        yield f"{word}{width}\t%cl, {a}, {b}"
    for word, width in product("sarx shlx shrx".split(), "lq"):
        a, b, c = _REGISTERS[width]
        yield f"{word}{width}\t{c}, {b}, {a}"
    yield from ("rorxl\t$7, %ebx, %eax", "rorxq\t$41, %rbx, %rax")


def _products() -> Iterator[str]:
    for width in "wlq":
        a, b, _ = _REGISTERS[width]
        yield f"imul{width}\t{b}, {a}"
        yield f"imul{width}\t8(%rdi), {a}"
        yield f"imul{width}\t$-7, {b}, {a}"
        yield f"imul{width}\t$1000, {b}, {a}"
    for word, width in product(("mul", "imul", "div", "idiv"), "bwlq"):
        yield f"{word}{width}\t{_REGISTERS[width][1]}"
        yield f"{word}{width}\t8(%rdi)"
    for width in "lq":
        a, b, c = _REGISTERS[width]
        # Divisions that mostly fit.
        high = {"l": "%edx", "q": "%rdx"}[width]
        extend = {"l": "cltd", "q": "cqto"}[width]
        yield f"xor{width}\t{high}, {high}\n\tdiv{width}\t{b}"
        yield f"{extend}\n\tidiv{width}\t{b}"
        yield f"mulx{width}\t{b}, {a}, {c}"


def _moves() -> Iterator[str]:
    for width in "bwlq":
        a, b, _ = _REGISTERS[width]
        yield f"mov{width}\t{b}, {a}"
        yield f"mov{width}\t$-5, {a}"
        yield f"mov{width}\t8(%rdi), {a}"
        yield f"mov{width}\t{b}, 8(%rdi){_BACK}"
    yield "movabsq\t$0x123456789abcdef0, %rax"
    yield "movb\t%ah, %bl"
    yield "addb\t%bh, %ah"
    for word in ("movz", "movs"):
        for pair in ("bw", "bl", "bq", "wl", "wq"):
            source, target = _REGISTERS[pair[0]][1], _REGISTERS[pair[1]][0]
            yield f"{word}{pair}\t{source}, {target}"
            yield f"{word}{pair}\t8(%rdi), {target}"
    yield from ("movslq\t%ebx, %rax", "movslq\t8(%rdi), %rax")
    yield from ("cbtw", "cwtl", "cltq", "cwtd", "cltd", "cqto", "bswapl\t%eax", "bswapq\t%rax")
    for width in "lq":
        yield f"lea{width}\t5(%rax,%rbx,4), {_REGISTERS[width][2]}"
        yield f"lea{width}\t(%rax,%rax,8), {_REGISTERS[width][2]}"
    for condition in _CONDITIONS:
        yield f"set{condition}\t%al"
        yield f"cmpq\t%rbx, %rax\n\tset{condition}\t%sil"
        yield f"cmpl\t%ebx, %eax\n\tset{condition}\t%sil"
        yield f"testl\t%ebx, %eax\n\tset{condition}\t%sil"
        yield f"addq\t%rbx, %rax\n\tset{condition}\t%sil"
        for width in "wlq":
            a, b, _ = _REGISTERS[width]
            yield f"cmov{condition}{width}\t{b}, {a}"
        yield f"cmov{condition}q\t8(%rdi), %rax"
    yield from ("clc", "stc", "cmc", "sahf", "lahf")
    yield from ("movbel\t8(%rdi), %eax", "movbeq\t8(%rdi), %rax")


def _bits(avx: bool) -> Iterator[str]:
    for word, width in product("bt bts btr btc".split(), "wlq"):
        a, b, _ = _REGISTERS[width]
        yield f"{word}{width}\t{a}, {b}"
        yield f"{word}{width}\t$13, {b}"
    for word, width in product("bsf bsr popcnt tzcnt lzcnt".split(), "wlq"):
        a, b, _ = _REGISTERS[width]
        yield f"{word}{width}\t{b}, {a}"
        yield f"{word}{width}\t8(%rdi), {a}"
    for letter in "bwlq":
        yield f"crc32{letter}\t{_REGISTERS[letter][1]}, {'%rax' if letter == 'q' else '%eax'}"
    if not avx:
        return
    for width in "lq":
        a, b, c = _REGISTERS[width]
        for word in "andn bextr bzhi".split():
            yield f"{word}{width}\t{c}, {b}, {a}"
        for word in "blsi blsr blsmsk".split():
            yield f"{word}{width}\t{b}, {a}"
        for word in ("pext", "pdep"):
            yield f"movabsq\t$0x5a5a00ff0ff01234, %rcx\n\t{word}{width}\t{c}, {b}, {a}"
        yield f"adcx{width}\t{b}, {a}"
        yield f"adox{width}\t{b}, {a}"


_PAIRWISE = (
    "paddb paddw paddd paddq psubb psubw psubd psubq paddsb paddsw paddusb paddusw psubsb psubsw "
    "psubusb psubusw pmullw pmulld pmulhw pmulhuw pmulhrsw pmuludq pmuldq pmaddwd pmaddubsw pand "
    "por pxor pandn pcmpeqb pcmpeqw pcmpeqd pcmpeqq pcmpgtb pcmpgtw pcmpgtd pcmpgtq pminsb pminsw "
    "pminsd pminub pminuw pminud pmaxsb pmaxsw pmaxsd pmaxub pmaxuw pmaxud punpcklbw punpcklwd "
    "punpckldq punpcklqdq punpckhbw punpckhwd punpckhdq punpckhqdq packsswb packssdw packuswb "
    "packusdw pavgb pavgw psadbw pshufb phaddw phaddd phsubd psignb psignw psignd"
).split()
_FLOATLIKE = "andps orps xorps andnps unpcklps unpckhps unpcklpd unpckhpd".split()
_SINGLE = "pabsb pabsw pabsd".split()
_WIDENING = "bw bd bq wd wq dq".split()
_BY_COUNT = "psllw pslld psllq psrlw psrld psrlq psraw psrad".split()


def _vectors(avx: bool) -> Iterator[str]:
    for word in (*_PAIRWISE, *_FLOATLIKE):
        yield f"{word}\t%xmm1, %xmm0"
        yield f"{word}\t16(%rdi), %xmm0"
    for word in _SINGLE:
        yield f"{word}\t%xmm1, %xmm0"
    for sign_letter, pair in product("zs", _WIDENING):
        yield f"pmov{sign_letter}x{pair}\t%xmm1, %xmm0"
    for word in _BY_COUNT:
        width = {"w": 16, "d": 32, "q": 64}[word[-1]]
        for number in (1, width - 1, width):
            yield f"{word}\t${number}, %xmm0"
        yield f"movl\t$3, %eax\n\tmovd\t%eax, %xmm1\n\t{word}\t%xmm1, %xmm0"
    for number in (1, 4, 15):
        yield from (f"pslldq\t${number}, %xmm0", f"psrldq\t${number}, %xmm0")
        yield f"palignr\t${number}, %xmm1, %xmm0"
    for number in (0x1B, 0x4E, 0xB1, 0x93):
        for word in "pshufd pshuflw pshufhw".split():
            yield f"{word}\t${number}, %xmm1, %xmm0"
        yield f"shufps\t${number}, %xmm1, %xmm0"
        yield f"pblendw\t${number}, %xmm1, %xmm0"
    yield "shufpd\t$1, %xmm1, %xmm0"
    yield from ("movd\t%eax, %xmm0", "movq\t%rax, %xmm0", "movd\t%xmm1, %eax")
    yield from ("movq\t%xmm1, %rax", "movq\t%xmm1, %xmm0", "movq\t8(%rdi), %xmm0")
    yield from ("movd\t8(%rdi), %xmm0", "movss\t8(%rdi), %xmm0", "movsd\t8(%rdi), %xmm0")
    yield from ("movss\t%xmm1, %xmm0", "movsd\t%xmm1, %xmm0", "movhlps\t%xmm1, %xmm0")
    yield from ("movlhps\t%xmm1, %xmm0", "movddup\t%xmm1, %xmm0", "movhps\t8(%rdi), %xmm0")
    for word in "movdqa movdqu movaps movups".split():
        yield f"{word}\t%xmm1, %xmm0"
        yield f"{word}\t16(%rdi), %xmm0"
        yield f"{word}\t%xmm1, (%rdi){_BACK}"
    yield from ("pmovmskb\t%xmm1, %eax", "movmskps\t%xmm1, %eax", "movmskpd\t%xmm1, %eax")
    yield from ("ptest\t%xmm1, %xmm0", "pblendvb\t%xmm0, %xmm1, %xmm2")
    yield from ("pextrb\t$5, %xmm1, %eax", "pextrw\t$6, %xmm1, %eax", "pextrd\t$2, %xmm1, %eax")
    yield from ("pextrq\t$1, %xmm1, %rax", "pinsrb\t$9, %eax, %xmm0", "pinsrw\t$3, %eax, %xmm0")
    yield from ("pinsrd\t$1, %eax, %xmm0", "pinsrq\t$1, %rax, %xmm0")
    if avx:
        yield from _wide()


def _wide() -> Iterator[str]:
    for word in (*_PAIRWISE, *_FLOATLIKE):
        yield f"v{word}\t%xmm2, %xmm1, %xmm0"
        yield f"v{word}\t%ymm2, %ymm1, %ymm0"
        yield f"v{word}\t32(%rdi), %ymm1, %ymm0"
    for word in _SINGLE:
        yield f"v{word}\t%ymm1, %ymm0"
    for sign_letter, pair in product("zs", _WIDENING):
        yield f"vpmov{sign_letter}x{pair}\t%xmm1, %ymm0"
        yield f"vpmov{sign_letter}x{pair}\t16(%rdi), %ymm0"
    for word in _BY_COUNT:
        yield f"v{word}\t$5, %ymm1, %ymm0"
        yield f"movl\t$3, %eax\n\tvmovd\t%eax, %xmm2\n\tv{word}\t%xmm2, %ymm1, %ymm0"
    for letter in "bwdq":
        yield f"vpbroadcast{letter}\t%xmm1, %ymm0"
        yield f"vpbroadcast{letter}\t8(%rdi), %ymm0"
    for word in "vpsllvd vpsllvq vpsrlvd vpsrlvq vpsravd".split():
        yield f"{word}\t%ymm2, %ymm1, %ymm0"
        yield f"{word}\t%xmm2, %xmm1, %xmm0"
    for number in (0x1B, 0x4E, 0xD8):
        yield f"vpermq\t${number}, %ymm1, %ymm0"
        yield f"vpshufd\t${number}, %ymm1, %ymm0"
        yield f"vpblendd\t${number}, %ymm2, %ymm1, %ymm0"
    for number in (0x00, 0x01, 0x20, 0x31, 0x81):
        yield f"vperm2i128\t${number}, %ymm2, %ymm1, %ymm0"
    yield "vpermd\t%ymm2, %ymm1, %ymm0"
    for number in (0, 1):
        yield f"vextracti128\t${number}, %ymm1, %xmm0"
        yield f"vinserti128\t${number}, %xmm2, %ymm1, %ymm0"
    yield from ("vpslldq\t$3, %ymm1, %ymm0", "vpsrldq\t$5, %ymm1, %ymm0")
    yield from ("vpalignr\t$7, %ymm2, %ymm1, %ymm0", "vpblendvb\t%ymm0, %ymm2, %ymm1, %ymm0")
    yield from ("vpmovmskb\t%ymm1, %eax", "vptest\t%ymm2, %ymm1", "vzeroupper")
    yield from ("vmovdqa\t%ymm1, %ymm0", "vmovdqu\t8(%rdi), %ymm0", "vmovd\t%eax, %xmm0")
    yield from ("vmovq\t%xmm1, %rax", "vbroadcasti128\t16(%rdi), %ymm0", "vmovq\t%rax, %xmm0")
    yield f"vmovdqu\t%ymm1, (%rdi){_BACK}"
