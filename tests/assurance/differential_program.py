"""A program with small functions of many kinds, and the recordings that call them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gccllm.assurance.differential import Differential
from gccllm.assurance.differential.entering import Entered
from gccllm.assurance.levels import Examination
from gccllm.proposers.base import CompileSpec
from gccllm.recordings import Expected, load, save_case
from gccllm.sandbox import choose
from gccllm.toolchain import Toolchain
from trainer.corpus.programs import JudgedProgram
from trainer.linked import link_program

__all__ = ["SOURCE", "Bench", "alone", "opened"]

SOURCE = r"""
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct point { int x, y; };
struct node { int value; struct node *next; };
struct account { long balance; unsigned char flags; int moves; };

static int counter;
static unsigned table[256];

#define APART __attribute__((noipa))

APART int sum(const int *v, int n)
{
    int s = 0;
    for (int i = 0; i < n; i++)
        s += v[i];
    return s;
}
APART int find(const int *v, int n, int key)
{
    for (int i = 0; i < n; i++)
        if (v[i] == key)
            return i;
    return -1;
}
APART unsigned average(unsigned a, unsigned b) { return (a & b) + ((a ^ b) >> 1); }
APART int grade(int x)
{
    if (x < 0)
        return -1;
    if (x == 37)
        return 7;
    return x > 90 ? 3 : x > 50 ? 2 : 1;
}
APART void scale(float *to, const float *from, float by, int n)
{
    for (int i = 0; i < n; i++)
        to[i] = from[i] * by;
}
APART double mean(const double *v, long n)
{
    double s = 0;
    for (long i = 0; i < n; i++)
        s += v[i];
    return n ? s / (double)n : 0.0;
}
APART struct point turned(struct point p, int times)
{
    for (int i = 0; i < (times & 3); i++)
        p = (struct point){-p.y, p.x};
    return p;
}
APART int total(const struct node *at)
{
    int s = 0;
    for (; at; at = at->next)
        s += at->value;
    return s;
}
APART int count_up(int by)
{
    counter += by;
    return counter & 15;
}
APART unsigned checksum(const unsigned char *s, size_t n)
{
    unsigned c = ~0u;
    for (size_t i = 0; i < n; i++)
        c = table[(c ^ s[i]) & 255] ^ c >> 8;
    return ~c;
}
APART size_t length(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}
APART void deposit(struct account *a, int amount)
{
    if (amount < 0 || !(a->flags & 1))
        return;
    a->balance += amount;
    a->moves++;
}
APART long product(int a, int b) { return (long)a * b; }
APART int weight(signed char c) { return c < 0 ? -c : 2 * c; }
APART int many(int a, int b, int c, int d, int e, int f, int g, long h)
{
    return a - b + 2 * c - 3 * d + 5 * e - 7 * f + 11 * g - (int)(13 * h);
}
APART void transpose(int *to, const int *from, int rows, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            to[j * rows + i] = from[i * columns + j];
}
APART int runs(const char *s, int n)
{
    int found = 0;
    for (int i = 0; i < n;) {
        int length = 1;
        while (i + length < n && length < 9 && s[i + length] == s[i])
            length++;
        found = found * 10 + length;
        i += length;
    }
    return found;
}
APART short louder(short a, short b)
{
    int sum = a + b / 2;
    return sum > 32767 ? 32767 : sum < -32768 ? -32768 : (short)sum;
}
APART char *copied(const char *s, int n)
{
    char *made = malloc((size_t)n + 1);
    memcpy(made, s, (size_t)n);
    made[n] = 0;
    return made;
}
APART int digit(int c)
{
    if (c < -50) {
        if (c == -1000)
            exit(3);
        abort();
    }
#line 100 "subjects.c"
    assert(c < 5000);
    counter += c & 1;
    return c * 7 % 10;
}
APART void add_to(int *to, const int *from, int n)
{
    for (int i = 0; i < n; i++)
        to[i] += from[i] * 3;
}
APART void blend(short *restrict to, const short *restrict by)
{
    for (int i = 0; i < 8; i++)
        to[i] = to[i] == -32768 && by[i] == -32768 ? 32767 : (short)(to[i] * by[i] >> 15);
}
APART int first(const struct node *at)
{
    if (at == NULL)
        return -1;
    return at->next == NULL ? at->value : at->next->value;
}
APART int told(int c)
{
    if (c > 3000)
        puts("large");
    return c * 3;
}

int main(void)
{
    unsigned seed;
    if (scanf("%u", &seed) != 1)
        return 1;
    unsigned r = seed;
#define NEXT() (r = r * 1664525u + 1013904223u, r >> 8)
    for (unsigned i = 0; i < 256; i++) {
        unsigned c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
        table[i] = c;
    }
    unsigned long long all = 0;
    for (int round = 0; round < 40; round++) {
        int n = round < 20 ? round : (int)(NEXT() % 70);
        int *v = malloc(4 * 80), *w = malloc(4 * 5000);
        float *f = malloc(4 * 80), *g = malloc(4 * 80);
        double *d = malloc(8 * 80);
        char *s = malloc(128);
        struct node nodes[6];
        for (int i = 0; i < 80; i++) {
            v[i] = (int)(NEXT() % 200) - 100;
            f[i] = (float)v[i] / 8;
            d[i] = v[i] / 4.0;
            s[i] = (char)('a' + NEXT() % 26);
        }
        s[n] = 0;
        for (int i = 0; i < 6; i++)
            nodes[i] = (struct node){v[i], i < round % 6 ? &nodes[i + 1] : NULL};
        all += (unsigned)sum(v, n) + (unsigned)find(v, n, v[n / 2]) + (unsigned)find(v, n, 1000);
        all += average(NEXT() * 200, NEXT() * 100) + (unsigned)grade((int)(NEXT() % 140) - 20);
        scale(g, f, 1.5f, n);
        all += (unsigned)(int)(g[n / 2] + mean(d, n));
        struct point p = turned((struct point){v[0], v[1]}, round - 20);
        all += (unsigned)(p.x + 3 * p.y) + (unsigned)total(round % 7 ? nodes : NULL);
        all += (unsigned)count_up(v[2]) + checksum((unsigned char *)s, (size_t)n) + length(s);
        struct account a = {v[3], (unsigned char)NEXT(), v[4]};
        deposit(&a, v[5]);
        all += (unsigned long)a.balance + (unsigned)a.moves;
        all += (unsigned long)product(v[6] << 24, v[7] << 20);
        all += (unsigned)weight((signed char)v[8]);
        all += (unsigned)many(n, 2, v[1], 4, v[2], 6, v[3], 8);
        transpose(w, v, n / 9, round % 9 + 1);
        all += (unsigned)runs(s, n) + (unsigned)louder((short)(v[1] * 300), (short)(v[2] * 300));
        add_to(v, w, n);
        short x[8], y[8];
        for (int i = 0; i < 8; i++)
            x[i] = (short)(v[i] * 99), y[i] = (short)(w[i] * 301);
        blend(x, y);
        struct node last = {v[0], NULL}, front = {v[1], &last};
        all += (unsigned)x[v[2] & 7] + (unsigned)first(&front);
        all += (unsigned)digit((int)(NEXT() % 90) - 50) + (unsigned)told(v[9]);
        char *c = copied(s, n);
        all += (unsigned char)c[n / 2];
        printf("%llu\n", all);
    }
    return 0;
}
"""


def alone(function: str) -> tuple[str, str]:
    """(declarations, the function's definition)."""
    head, *rest = SOURCE.split("APART ")
    found = next(x for x in rest[1:] if f" {function}(" in x.split("{")[0].replace("*", " "))
    return head + "APART __attribute__((noipa))\n", f"APART {found.split('int main')[0]}"


class Bench:
    """Compiles versions of functions, and examines them beside those of the program."""

    def __init__(self, tools: Toolchain, tester: Differential, spec: CompileSpec, folder: Path):
        self._tools = tools
        self._tester = tester
        self._spec = spec
        self._folder = folder
        self._compiled: dict[tuple[str, ...], str] = {}

    def compiled(self, source: str, options: Sequence[str]) -> str:
        key = (source, *options)
        if key not in self._compiled:
            (self._folder / "variant.c").write_text(source)
            made = self._folder / "variant.i"
            assert self._tools.preprocess(self._folder / "variant.c", [], self._folder, made)
            out = self._folder / "variant.s"
            done = self._tools.emit(made, options, out)
            assert done.ok, done.error_line()
            self._compiled[key] = out.read_text()
        return self._compiled[key]

    def examined(
        self, function: str, candidate: str, *, foreign: bool = True, pairs: int = 3000
    ) -> Examination:
        return self._tester.examine(
            "subjects",
            function,
            candidate,
            spec=self._spec,
            foreign=foreign,
            seconds=3.0,
            pairs=pairs,
        )

    def entered(self, function: str, candidate: str) -> Entered | None:
        return self._tester.entered("subjects", function, candidate, seconds=1.0)


@contextmanager
def opened(folder: Path) -> Iterator[Bench]:
    """The program compiled, with two recorded cases."""
    source = folder / "subjects.c"
    source.write_text(SOURCE)
    tests = folder / "subjects.tests"
    tools = Toolchain()
    for name in ("1", "2"):
        save_case(tests, name, f"{name}\n".encode(), (), Expected(b""))
    made = JudgedProgram("subjects", source, tests, (), ("-O3",))
    (folder / "linked").mkdir()
    program = link_program(tools, made, folder / "linked")
    preprocessed = folder / "subjects.i"
    assert tools.preprocess(source, [], folder, preprocessed)
    spec = CompileSpec(tools.cc, preprocessed, ("-O3",))
    cases = [x.given for x in load(tests).cases]
    yield Bench(tools, Differential(program, cases, choose(), folder), spec, folder)
