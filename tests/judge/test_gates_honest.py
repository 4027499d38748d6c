"""No false refusals: what compilers make of ordinary C passes the gates against gcc -O3."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gccllm.judge.screen import check_object, check_text
from gccllm.process import run
from gccllm.types import Isa

PROGRAMS = {
    "numbers": """
        #include <math.h>
        #include <stdlib.h>
        static const double weights[8] = {1, .5, .25, .125, 2, 4, 8, 16};
        double dot(const double *a, const double *b, int n)
        { double s = 0; for (int i = 0; i < n; i++) s += a[i] * b[i] * weights[i & 7]; return s; }
        float scale(float x) { return x < 0 ? -x * 1.5f : floorf(x) + 0.25f; }
        long double wide(long double x, int n) { while (n--) x = x * x / 3; return x; }
        int bits(unsigned long x) { int n = 0; while (x) { n += x & 1; x >>= 1; } return n; }
        int low(unsigned x) { return x ? __builtin_ctz(x) : 32; }
        int high(unsigned x) { return x ? 31 - __builtin_clz(x) : -1; }
        unsigned divide(unsigned a, unsigned b) { return a / 7 + a % 10 + a / b; }
        __int128 multiply(long a, long b) { return (__int128) a * b; }
        int order(const void *a, const void *b) { return *(const int *) a - *(const int *) b; }
        void sort(int *a, int n) { qsort(a, n, sizeof *a, order); }
        void matrix(int n, double a[n][n], double b[n][n], double c[n][n])
        { for (int i = 0; i < n; i++) for (int j = 0; j < n; j++)
            for (int k = 0; k < n; k++) c[i][j] += a[i][k] * b[k][j]; }
    """,
    "strings": r"""
        #include <ctype.h>
        #include <stdio.h>
        #include <string.h>
        const char *const words[] = {"a;b", "say \"x\"\n", "\1\377 # no comment", "back\\slash"};
        static char store[256]; char *cursor = store; static int seen; _Thread_local int depth;
        int classify(int c) { switch (c) { case 'a': return 1; case 'b': return seen++;
            case 'c': return depth++; case 'd': return puts("d"); case 'e': return 17;
            case 'f': return c * 3; case 'g': return getchar(); default: return -1; } }
        unsigned hash(const char *s) { unsigned h = 5381; while (*s) h = h * 33 ^ *s++; return h; }
        void upper(char *s, int n) { for (int i = 0; i < n; i++) s[i] = toupper(s[i]); }
        int count(const char *s, int n, char c)
        { int k = 0; for (int i = 0; i < n; i++) k += s[i] == c; return k; }
        void put(const char *s) { char local[80]; strncpy(local, s, 79); local[79] = 0;
            printf("%s\n", local); memcpy(cursor, local, 8); cursor += 8; }
        struct node { struct node *next; int value; };
        int total(struct node *n) { int s = 0; while (n) { s += n->value; n = n->next; } return s; }
        int recurse(int n) { return n < 2 ? n : recurse(n - 1) + recurse(n - 2); }
        int dispatch(int op, int x) { static void *const go[] = {&&inc, &&dec, &&neg};
            goto *go[op]; inc: return x + 1; dec: return x - 1; neg: return -x; }
        int main(int argc, char **argv) { put(argv[0]); return classify(argc) + recurse(argc); }
    """,
}
VARIANTS = (
    "-O3",
    "-O2",
    "-Os",
    "-O1",
    "-O3 -march=native",
    "-O3 -march=x86-64-v2",
    "-O3 -march=x86-64-v3",
    "-O3 -march=x86-64-v4 -mprefer-vector-width=512",
    "-O3 -march=haswell -mtune=haswell",
    "-O3 -funroll-loops",
    "-O2 -fno-tree-vectorize -fno-jump-tables",
    "-O3 -fno-inline",
    "-O3 -ffast-math",
    "-O3 -fno-omit-frame-pointer -fstack-protector-all",
    "-O3 -ffunction-sections",
    "-O3 -fno-asynchronous-unwind-tables",
)
SURROUNDINGS = ("", "-fPIC", "-fno-pic", "-fcf-protection -fdata-sections")


def features(options: list[str]) -> frozenset[str]:
    machine = [one for one in options if one.startswith("-m")]
    done = run(["gcc", *machine, "-dM", "-E", "-x", "c", "/dev/null"], timeout=30)
    assert done.ok, done.error_line()
    found = re.findall(r"(?m)^#define __(\w+?)__ 1$", done.stdout.decode())
    return frozenset(found)


def compiled(source: str, options: list[str], folder: Path, name: str) -> tuple[str, Path]:
    made = run(
        ["gcc", *options, "-S", "-o", "-", "-x", "c", "-"], timeout=60, stdin=source.encode()
    )
    assert made.ok, made.error_line()
    target = folder / f"{name}.o"
    assembled = run(["as", "-o", str(target), "-"], timeout=60, stdin=made.stdout)
    assert assembled.ok, assembled.error_line()
    return made.stdout.decode(), target


@pytest.mark.parametrize("around", SURROUNDINGS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_gcc_variants_pass(program: str, around: str, tmp_path: Path) -> None:
    """16 variants of about 14 functions in each of 8 settings: some 1,800 function variants."""
    source = PROGRAMS[program]
    base, base_object = compiled(source, ["-O3", *around.split()], tmp_path, "base")
    for variant in VARIANTS:
        options = [*variant.split(), *around.split()]
        text, made = compiled(source, options, tmp_path, "variant")
        isa = Isa("target", variant, features(options))
        assert check_text(text, base) == [], variant
        found = check_object(made, base_object, isa, program_imports=frozenset())
        assert found == [], variant


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_variant_for_another_processor_does_not(program: str, tmp_path: Path) -> None:
    source = PROGRAMS[program]
    _, base_object = compiled(source, ["-O3"], tmp_path, "base")
    _, made = compiled(source, ["-O3", "-march=x86-64-v3"], tmp_path, "variant")
    isa = Isa("target", "x86-64", features(["-march=x86-64"]))
    found = check_object(made, base_object, isa, program_imports=frozenset())
    assert {one.rule for one in found} == {"cpu-feature"}


def test_what_the_baseline_does_is_never_held_against_it(tmp_path: Path) -> None:
    source = """
        unsigned long ticks(void) { unsigned a, d; __asm__ volatile("rdtsc" : "=a"(a), "=d"(d));
            return a | (unsigned long) d << 32; }
        int put(long n) { long r; __asm__ volatile("syscall" : "=a"(r) : "a"(n) : "rcx", "r11");
            return r; }
        void add(int *p) { __asm__ volatile("lock; addl $1, %0" : "+m"(*p)); }
        __attribute__((target("avx2"))) void fast(int *a)
        { for (int i = 0; i < 64; i++) a[i] = a[i] * 3 + 1; }
        void slow(int *a) { for (int i = 0; i < 64; i++) a[i] = a[i] * 3 + 1; }
        extern int aliased(int) __attribute__((weak));
        int other(int x) { return aliased ? aliased(x) : x; }
        extern int same(int x) __attribute__((alias("other")));
    """
    base, base_object = compiled(source, ["-O3"], tmp_path, "base")
    text, made = compiled(source, ["-O2"], tmp_path, "variant")
    isa = Isa("target", "x86-64", features(["-march=x86-64"]))
    assert check_text(text, base) == []
    assert check_object(made, base_object, isa, program_imports=frozenset()) == []
    # The guarded function may use what it always used, the other one may not.
    moved = source.replace("void slow", '__attribute__((target("avx2"))) void slow')
    _, made = compiled(moved, ["-O3"], tmp_path, "moved")
    found = check_object(made, base_object, isa, program_imports=frozenset())
    assert {one.rule for one in found} == {"cpu-feature"}


def test_compiler_made_calls_need_the_program_to_import_them(tmp_path: Path) -> None:
    base, base_object = compiled("int f(int c) { return c; }", ["-O3"], tmp_path, "base")
    source = 'int puts(const char *); int f(int c) { puts(""); return c; }'
    text, made = compiled(source, ["-O3"], tmp_path, "variant")
    isa = Isa("target", "x86-64", features(["-march=x86-64"]))
    assert check_text(text, base) == []
    found = check_object(made, base_object, isa, program_imports=frozenset())
    assert [(one.rule, one.detail) for one in found] == [("import-added", "puts")]
    assert check_object(made, base_object, isa, program_imports=frozenset(("puts",))) == []
