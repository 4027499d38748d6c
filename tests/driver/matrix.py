"""The table of the fidelity matrix: a source tree, and commands to run in it with either compiler.

A command is a line of sh in which ``$CC`` is the compiler. Commands that need a tool or a library
name it in ``NEEDS``; ``UNSTABLE`` are the outputs that plain gcc itself does not repeat.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["COMMANDS", "NEEDS", "TREE", "UNSTABLE"]

TREE: Mapping[str, str] = {
    "a.c": """#include <stdio.h>
#include "inc/h.h"
static int square(int x) { return x * x; }
int main(int argc, char **argv) {
  int sum = 0;
  for (int i = 0; i < argc + 10; i++) sum += square(i) + helper(i);
  printf("%d %s\\n", sum, argv[0] ? "yes" : "no");
  return 0;
}
""",
    "b.c": '#include "inc/h.h"\nint helper(int x) { return x * 3 + SHIFT; }\n',
    "inc/h.h": "#ifndef H\n#define H\n#define SHIFT 4\nint helper(int x);\n#endif\n",
    "warn.c": "int f(int a) { int unused; if (a = 1) return 2; }\n",
    "error.c": "int main(void) { return undeclared + 1 }\n",
    "undef.c": "int missing(int);\nint main(void) { return missing(3); }\n",
    "lib.c": "int add(int a, int b) { return a + b; }\nlong table[64];\n",
    "loop.c": """void axpy(float *restrict y, const float *restrict x, float a, int n) {
  for (int i = 0; i < n; i++) y[i] += a * x[i];
}
""",
    "tls.c": "__thread int counter;\nint *where(void) { return &counter; }\n",
    "asm.c": 'int f(int x) { __asm__ volatile("nop" : "+r"(x)); return x; }\n',
    "math.c": "#include <math.h>\ndouble f(double x) { return sin(x) + sqrt(x); }\n",
    "goto.c": "int f(int i) { static void *t[] = {&&a, &&b};\n"
    "goto *t[i]; a: return 1; b: return 2; }\n",
    "hand.s": "\t.text\n\t.globl hand\nhand:\n\tmovl $7, %eax\n\tret\n",
    "cpp.S": "#define VALUE 9\n\t.text\n\t.globl hand\nhand:\n\tmovl $VALUE, %eax\n\tret\n",
    "start.c": """void _start(void) {
  __asm__ volatile("mov $60, %eax; xor %edi, %edi; syscall");
  __builtin_unreachable();
}
""",
    "script.ld": "SECTIONS { . = 0x400000; .text : { *(.text*) } .data : { *(.data*) } }\n",
    "p.cc": "#include <vector>\nint main() { std::vector<int> v(3); return (int)v.size() - 3; }\n",
    "f.f90": "program p\n  print *, 42\nend program p\n",
    "o.m": "int f(void) { return 1; }\n",
    "args.rsp": "-O2 -c loop.c\n-o 'from rsp.o'\n",
    "outer.rsp": "-g0 @args.rsp\n",
    "objects.rsp": "a.o b.o\n",
    "query.rsp": "-v -c loop.c\n",
    "specs": "*cc1:\n+ -fno-ident\n",
    "with space.c": "int spaced(void) { return 1; }\n",
    "quo'te\".c": "int quoted(void) { return 2; }\n",
    "größe.c": "int groesse(void) { return 3; }\n",
    "-dash.c": "int dash(void) { return 4; }\n",
    "readonly/.keep": "",
    "empty.c": "",
    "nonl.c": "int f(void) { return 1; }",
    "crlf.c": "int f(void)\r\n{ return 1; }\r\n",
    "bad.c": "#include <no/such/header.h>\n",
    "deep.c": '#include "inc/h.h"\n#warning careful\n#pragma GCC unknown\nint x;\n',
    "pgo.c": "int main(void) { int s = 0; for (int i = 0; i < 9; i++) s += i; return s != 36; }\n",
    "a.h": "#include <stddef.h>\nstruct pair { int a, b; };\n",
    "weird.xyz": "int f(void) { return 5; }\n",
}

COMMANDS: tuple[str, ...] = tuple(
    line.strip()
    for line in """
    $CC -O2 -c a.c
    $CC -O3 -c a.c
    $CC -O0 -c a.c
    $CC -O1 -c a.c
    $CC -Os -c a.c
    $CC -Og -c a.c
    $CC -Ofast -c loop.c
    $CC -O -c loop.c
    $CC -O2 -O0 -c loop.c
    $CC -O0 -O3 -c loop.c
    $CC -O3 a.c b.c -o prog && ./prog
    $CC -O2 a.c b.c && ./a.out
    $CC -O2 -c a.c b.c loop.c
    $CC -O2 -c a.c -o out.o && $CC -c -O2 b.c -o b.o && $CC out.o b.o -o prog && ./prog
    $CC -O2 -S loop.c
    $CC -O3 -S loop.c -o -
    $CC -O3 -S a.c b.c
    $CC -O2 -S loop.c -o /dev/stdout
    $CC -E a.c
    $CC -E -P a.c -o a.i && $CC -O2 -c a.i
    $CC -E -dM -x c /dev/null
    $CC -fsyntax-only a.c
    $CC -fsyntax-only -O2 error.c
    $CC -fpreprocessed -O2 -c nonl.c
    $CC -O2 -c -x c - -o stdin.o < loop.c
    $CC -O2 -S -x c - -o - < loop.c
    cat loop.c | $CC -O2 -S -xc -
    $CC -O2 -Wall -Wextra -c warn.c
    $CC -O2 -Wall -Werror -c warn.c
    $CC -O2 -w -c warn.c
    $CC -O2 -fdiagnostics-format=json -Wall -c warn.c
    $CC -O2 -fdiagnostics-color=always -Wall -c warn.c
    $CC -O2 -fdiagnostics-parseable-fixits -c error.c
    $CC -O2 -fdiagnostics-show-caret -Wall -c deep.c
    $CC -O2 -c error.c
    $CC -O2 -fmax-errors=1 -c error.c
    $CC -O2 -c bad.c
    $CC -O2 -c missing.c
    $CC -O2 -c a.c missing.c
    $CC -O2 -c
    $CC
    $CC -O2 --no-such-option -c a.c
    $CC -O2 -fno-such-thing -c a.c
    $CC -O2 -mno-such-isa -c a.c
    $CC -O2 -std=c0x99 -c a.c
    $CC -O2 undef.c
    $CC -O2 a.c -lnosuchlib
    $CC -O2 lib.c
    $CC -O2 -pass-exit-codes -c error.c
    $CC -O2 -c a.c b.c -o both.o
    $CC -O2 -MD -c a.c
    $CC -O2 -MMD -c a.c
    $CC -O2 -MD -MF deps.d -c a.c
    $CC -O2 -MMD -MP -MT target -MF deps.d -c a.c -o x.o
    $CC -O2 -MD -MQ '$(x)' -c a.c
    $CC -O2 -MD -MF deps.c -c a.c
    $CC -M a.c
    $CC -MM a.c
    $CC -MM -MG bad.c
    $CC -O2 -Wp,-MD,wp.d -c a.c
    $CC -O2 -pipe -c a.c
    $CC -O3 -pipe a.c b.c -o prog && ./prog
    $CC -O2 -save-temps -c a.c
    $CC -O2 -save-temps=obj -c a.c -o inc/a.o
    $CC -O2 -save-temps a.c b.c -o prog
    $CC -O2 -dumpdir dump- -save-temps -c a.c
    $CC -O2 -dumpbase base.c -dumpbase-ext .c -fstack-usage -c a.c
    $CC -O2 -fstack-usage -c a.c
    $CC -O2 -fverbose-asm -S loop.c
    $CC -O3 -fdump-tree-optimized -c loop.c
    $CC -O3 -fdump-rtl-expand -c loop.c
    $CC -O3 -fopt-info-vec -c loop.c
    $CC -O2 -fcallgraph-info -c a.c
    $CC -O2 -fdump-passes -c empty.c
    $CC -O2 -aux-info protos.txt -c lib.c
    $CC -v -O2 -c loop.c
    $CC -v
    $CC -### -O2 a.c b.c
    $CC --version
    $CC --help
    $CC --help=optimizers -O3
    $CC --target-help
    $CC -dumpversion
    $CC -dumpfullversion
    $CC -dumpmachine
    $CC -dumpspecs
    $CC -print-search-dirs
    $CC -print-prog-name=cc1
    $CC -print-prog-name=collect2
    $CC -print-file-name=libc.a
    $CC -print-libgcc-file-name
    $CC -print-multi-lib
    $CC -print-sysroot
    $CC --print-file-name=crt1.o
    $CC -Wl,--version -O2 a.c b.c
    $CC -Wl,-Map,out.map -O2 a.c b.c -o prog
    $CC -Wl,--trace -O2 a.c b.c -o prog
    $CC -Wl,-O1,--gc-sections -ffunction-sections -O2 a.c b.c -o prog
    $CC -Wl,--no-such-ld-option a.c b.c
    $CC -O2 -flto -frandom-seed=1 -c a.c b.c && $CC -O2 -flto a.o b.o -o prog && ./prog
    $CC -O2 -flto -ffat-lto-objects -frandom-seed=1 -c a.c
    $CC -O2 -flto=auto -frandom-seed=1 a.c b.c -o prog && ./prog
    $CC -O2 -flto -fno-lto -c a.c
    $CC -O2 -g -c a.c
    $CC -O2 -g3 -c a.c
    $CC -O2 -ggdb3 -gdwarf-4 -c a.c
    $CC -O2 -g -gsplit-dwarf -c a.c
    $CC -O2 -g -gz -c a.c
    $CC -O2 -g1 a.c b.c -o prog
    $CC -O2 -g -fdebug-prefix-map=$PWD=/src -c a.c
    $CC -O2 -ffile-prefix-map=$PWD=. -g -c a.c
    $CC -O2 -g -grecord-gcc-switches -c a.c
    $CC -O2 -frecord-gcc-switches -c a.c
    $CC -O2 -frandom-seed=x -c a.c
    $CC -O2 a.h -o a.h.gch && $CC -O2 -include a.h -c loop.c
    $CC -O2 --coverage -frandom-seed=1 a.c b.c -o prog && ./prog
    $CC -O2 -fprofile-generate -frandom-seed=1 pgo.c && ./a.out && $CC -O2 -fprofile-use -c pgo.c
    $CC -O2 -pg a.c b.c -o prog
    $CC -O2 -fsanitize=address,undefined -c a.c
    $CC -O2 -fsanitize=undefined a.c b.c -o prog && ./prog
    $CC -O2 -fsanitize=thread -c a.c
    $CC -O2 -c hand.s
    $CC -O2 -c cpp.S
    $CC -x assembler -c hand.s -o h.o
    $CC -x assembler-with-cpp -c cpp.S -o h.o
    $CC -O2 -Wa,-adhln=list.txt -c loop.c
    $CC -O2 -S loop.c && $CC -c loop.s
    $CC -O2 -fPIC -shared lib.c -o libadd.so
    $CC -O2 -fPIC -shared -Wl,-soname,libadd.so.1 lib.c tls.c -o libadd.so
    $CC -O2 -static a.c b.c -o prog && ./prog
    $CC -O2 -static-pie a.c b.c -o prog && ./prog
    $CC -O2 -no-pie a.c b.c -o prog && ./prog
    $CC -O2 -fpie -pie a.c b.c -o prog && ./prog
    $CC -O2 -r lib.c tls.c -o both.o
    $CC -O2 -nostdlib start.c -o prog && ./prog
    $CC -O2 -nostdlib -static -no-pie -T script.ld start.c -o prog
    $CC -O2 -nostartfiles start.c -o prog
    $CC -O2 -ffreestanding -c lib.c
    $CC -O2 -c lib.c && ar rcD libadd.a lib.o && $CC -O2 a.c b.c -L. -ladd -o prog && ./prog
    $CC -O2 math.c a.c b.c -lm -o prog
    $CC -O2 -m32 -c loop.c
    $CC -m32 -S -O2 loop.c -o -
    $CC -mx32 -O2 -S loop.c
    $CC -O3 -march=native -c loop.c
    $CC -O3 -mavx2 -mfma -c loop.c
    $CC -O2 -mtune=native -march=x86-64-v3 -c loop.c
    $CC -O2 -masm=intel -S loop.c
    $CC -O2 -mcmodel=large -c lib.c
    $CC -O2 -fno-asynchronous-unwind-tables -fcf-protection=full -c a.c
    $CC -O2 -fopenmp -c loop.c
    $CC -O2 -fstack-protector-all -D_FORTIFY_SOURCE=2 -c a.c
    $CC -O2 -pthread tls.c a.c b.c -o prog
    $CC -O2 -c 'with space.c'
    $CC -O2 -c "quo'te\\".c"
    $CC -O2 -c größe.c
    $CC -O2 -c ./-dash.c -o ./-dash.o
    $CC -O2 -c "$PWD/loop.c" -o "$PWD/out dir.o"
    $CC -O2 @args.rsp
    $CC @outer.rsp
    $CC @query.rsp
    $CC @missing.rsp
    $CC -O2 -c a.c b.c && $CC @objects.rsp -o prog && ./prog
    $CC -O2 -specs=specs -c loop.c
    $CC -O2 -specs=missing.specs -c loop.c
    $CC -O2 -B inc -c loop.c
    $CC -O2 -Binc/ a.c b.c -o prog
    $CC -O2 -wrapper env,X=1 -c loop.c
    $CC -O2 -I inc -I -O2 -c a.c
    $CC -O2 -I -o -c a.c
    $CC -O2 -include inc/h.h -imacros a.h -c loop.c
    $CC -O2 -DNAME='"a b"' -UFOO -c loop.c
    $CC -O2 -isystem inc -iquote inc -idirafter inc -c a.c
    $CC -O2 -nostdinc -c a.c
    $CC -O2 -c loop.c -o /dev/null
    $CC -O2 -S loop.c -o /dev/null
    $CC -O2 -c loop.c -o no/such/folder/x.o
    $CC -O2 -S loop.c -o no/such/folder/x.s
    chmod 444 readonly/.keep && $CC -O2 -S loop.c -o readonly/.keep; test -w readonly/.keep
    touch old.s && chmod 600 old.s && $CC -O2 -S loop.c -o old.s
    ln -s target.s link.s && $CC -O2 -S loop.c -o link.s
    touch one.s && ln one.s two.s && $CC -O2 -S loop.c -o one.s && cmp one.s two.s
    umask 077 && $CC -O2 -S loop.c && $CC -O2 -c loop.c
    $CC -O2 -c loop.c -o x.o -o y.o
    $CC -O2 loop.c -c -ox.o
    $CC -O2 -c -x c weird.xyz -o w.o
    $CC -O2 weird.xyz
    $CC -O2 -x c -c weird.xyz -x none lib.c
    $CC -O2 -c empty.c nonl.c crlf.c tls.c asm.c goto.c math.c
    $CC -O2 -std=c89 -pedantic-errors -c a.c
    $CC -std=gnu17 -O2 -c a.c
    $CC -ansi -O2 -c lib.c
    $CC -O2 -c p.cc
    $CC -O2 p.cc -lstdc++ -o prog && ./prog
    $CC -O2 -x c++ -S lib.c -o -
    $CC -O2 -c f.f90
    $CC -O2 -c o.m
    $CC -O2 -fno-ident -fwrapv -fno-strict-aliasing -c a.c
    $CC -O2 -falign-functions=64 -freorder-blocks-and-partition -c a.c
    $CC -O2 -fplugin=nosuch -c a.c
    $CC -O2 -Q --help=target
    $CC -O2 -fuse-ld=gold a.c b.c -o prog && ./prog
    $CC -O2 -fuse-ld=nosuch a.c b.c
    $CC -O2 -Xlinker --print-map -o prog a.c b.c
    $CC -O2 -Xassembler -L -c a.c
    $CC -O2 -Xpreprocessor -DX -c a.c
    COMPILER_PATH=inc $CC -O2 -c loop.c
    COMPILER_PATH=$PWD/inc: $CC -O2 a.c b.c -o prog && ./prog
    GCC_COLORS= C_INCLUDE_PATH=inc $CC -O2 -c a.c
    SOURCE_DATE_EPOCH=1 $CC -O2 -c loop.c
    DEPENDENCIES_OUTPUT=env.d $CC -O2 -c a.c
    cd inc && $CC -O2 -c ../a.c -o ../a.o
    $CC -O2 -c a.c > /dev/full
    $CC -O2 -S loop.c -o - > /dev/full
    $CC -O2 -S loop.c -o - | head -c 10
    $CC -O2 -c loop.c < /dev/null 2>&1 | cat
    """.splitlines()
    if line.strip()
)

NEEDS: Mapping[str, str] = {
    "f.f90": "gfortran",
    "p.cc": "g++",
    "-x c++": "g++",
    "gold": "ld.gold",
}

UNSTABLE: Mapping[str, str] = {
    "a.h.gch": "a precompiled header holds addresses: two runs of plain gcc differ",
}
