"""The projects: how each is built, what it is given, how it is tested. All in sh.

Set for each snippet: ``CC``, ``CFLAGS``, ``LDFLAGS`` and ``IN``, the folder of inputs. They run in
the project's own folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["PROJECTS", "Project", "Timed"]


@dataclass(frozen=True)
class Timed:
    """A run that is timed: arguments, and the input that is its stdin."""

    args: tuple[str, ...]
    stdin: str


@dataclass(frozen=True)
class Project:
    """``workload`` trains (recordings, profiles), ``timed`` gives the figures, on other inputs;
    ``prepare`` makes inputs with gcc's program. ``check`` is quick, ``suite`` the project's own
    tests, as ``suite_is`` says."""

    package: str
    build: str
    program: str
    workload: str
    timed: tuple[Timed, ...]
    check: str
    suite: str
    suite_is: str
    prepare: str = ":"
    budget: float = 600.0


def _packer(program: str, level: str, more: str, fast: str = "-1", stdout: str = "") -> str:
    """Both ways, on text and on edges. ``more``: options of each run."""
    lines = []
    for name, chosen in (
        ("text.train", level),
        ("records.train", fast),
        ("empty.odd", level),
        ("byte.odd", level),
        ("zeros.odd", level),
        ("noise.odd", fast),
    ):
        lines.append(
            f"{program} {more} {chosen} {stdout} < $IN/{name} > packed &&"
            f" {program} {more} -d {stdout} < packed | cmp - $IN/{name}"
        )
    return "\n".join(lines)


PROJECTS: Mapping[str, Project] = {
    "zlib": Project(
        package="zlib",
        build="./configure --static >/dev/null && make -j2 minigzip example >/dev/null",
        program="minigzip",
        workload=_packer("./minigzip", "-6", ""),
        prepare="./minigzip -6 < $IN/text.time > $IN/text.gz",
        timed=(Timed(("-6",), "text.time"), Timed(("-d",), "text.gz"), Timed((), "records.time")),
        check="echo hello | ./minigzip | ./minigzip -d | grep -q hello",
        suite="make test 2>&1 | grep -q 'zlib test OK'",
        suite_is="make test",
    ),
    "bzip2": Project(
        package="bzip2",
        # Debian's makefile links the program with a shared library, which would be the system's.
        build='make -j2 libbz2.a bzip2.o CC="$CC" CFLAGS="-D_FILE_OFFSET_BITS=64 $CFLAGS"'
        " >/dev/null && $CC $CFLAGS $LDFLAGS bzip2.o libbz2.a -o bzip2",
        program="bzip2",
        workload=_packer("./bzip2", "-9", "", stdout="-c"),
        prepare="./bzip2 -9 < $IN/text.time > $IN/text.bz2",
        timed=(Timed(("-9",), "text.time"), Timed(("-d",), "text.bz2")),
        check="./bzip2 -d < sample1.bz2 | cmp - sample1.ref",
        suite="for i in 1 2 3; do ./bzip2 -$i < sample$i.ref | cmp - sample$i.bz2 &&"
        " ./bzip2 -d < sample$i.bz2 | cmp - sample$i.ref || exit 1; done",
        suite_is="what make test compares",
    ),
    "lua": Project(
        package="lua5.4",
        build="echo '#define DEB_HOST_MULTIARCH \"any\"' >src/lua5.4-deb-multiarch.h && "
        "printf 'lua: $(patsubst %%.c,%%.o,$(filter-out luac.c,$(wildcard *.c)))\\n"
        "\\t$(CC) $(LDFLAGS) -Wl,-E -o $@ $^ -lm -ldl\\n' >src/plain.mk && "
        'make -C src -f plain.mk -j2 CC="$CC" CFLAGS="$CFLAGS -std=gnu99 -DLUA_USE_LINUX"'
        ' LDFLAGS="$LDFLAGS" lua >/dev/null',
        program="src/lua",
        # Small runs for fuzzing, and ones of 0.1 s, for less says little about speed.
        workload="for i in 12 32; do src/lua - $i < $IN/calls.lua; done\n"
        "for i in 9000 90000; do src/lua - $i < $IN/tables.lua; done\n"
        "for i in 1500 15000; do src/lua - $i < $IN/strings.lua; done\n"
        "for i in 900 60000; do src/lua - $i < $IN/floats.lua; done\n"
        "echo 'print(1 // 0.0, 7 % -3, \"a\" .. 1, #{1, 2}, 3 | 4, 1 < 2.5)' | src/lua -",
        timed=(
            Timed(("-", "27"), "calls.lua"),
            Timed(("-", "120000"), "tables.lua"),
            Timed(("-", "20000"), "strings.lua"),
            Timed(("-", "12000"), "floats.lua"),
            Timed(("-", "150000"), "objects.lua"),
        ),
        check="src/lua -e 'local s = 0; for i = 1, 10 do s = s + i end; assert(s == 55)'",
        suite="for x in calls tables strings floats objects; do src/lua $IN/$x.lua || exit 1; done"
        " | md5sum | grep -q '^'",
        suite_is="the five scripts end well (Debian's source has no tests)",
    ),
    "zstd": Project(
        package="zstd",
        build='make -j2 -C programs zstd CC="$CC" CFLAGS="$CFLAGS" LDFLAGS="$LDFLAGS"'
        " HAVE_THREAD=0 HAVE_ZLIB=0 HAVE_LZMA=0 HAVE_LZ4=0 ZSTD_LEGACY_SUPPORT=0 >/dev/null",
        program="programs/zstd",
        workload=_packer("programs/zstd", "-9", "-q --single-thread", stdout="-c"),
        prepare="programs/zstd -q --single-thread -9 -c < $IN/text.time > $IN/text.zst",
        timed=(
            Timed(("-q", "--single-thread", "-9", "-c"), "text.time"),
            Timed(("-q", "--single-thread", "-1", "-c"), "records.time"),
            Timed(("-q", "--single-thread", "-d", "-c"), "text.zst"),
        ),
        check="echo hello | programs/zstd -q -c | programs/zstd -q -d -c | grep -q hello",
        suite="make -s -C tests datagen CC=gcc >/dev/null && cd tests &&"
        " ZSTD_BIN=../programs/zstd DATAGEN_BIN=./datagen sh ./playTests.sh >/dev/null 2>&1",
        suite_is="tests/playTests.sh",
        budget=1200.0,
    ),
    "sqlite": Project(
        package="sqlite3",
        build="{ test -f sqlite3.c || {"
        " ./configure -q --disable-tcl --disable-readline >/dev/null &&"
        " make sqlite3.c shell.c >/dev/null 2>&1; }; } &&"
        " for x in sqlite3 shell; do $CC $CFLAGS -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION"
        " -c $x.c -o $x.o || exit 1; done && $CC $LDFLAGS sqlite3.o shell.o -o sqlite3 -lm",
        program="sqlite3",
        # Looking for ~/.sqliterc asks a name service through a socket, which the sandbox forbids.
        workload="./sqlite3 -init /dev/null :memory: < $IN/mix.train\n"
        "echo 'SELECT 1, NULL, 2.5, \"x\"; SELECT bad;' | ./sqlite3 -init /dev/null || :\n"
        "./sqlite3 -init /dev/null < $IN/empty.odd",
        timed=(Timed(("-init", "/dev/null", ":memory:"), "mix.time"),),
        check="echo 'SELECT 6*7;' | ./sqlite3 | grep -q 42",
        suite="./sqlite3 :memory: < $IN/mix.time | tail -1 | grep -q ok",
        suite_is="the query mix with its integrity check (the suite needs another build)",
        budget=1800.0,
    ),
    "gsm": Project(
        package="libgsm",
        build="for x in src/*.c; do $CC $CFLAGS -DSASR -DWAV49 -DNeedFunctionPrototypes=1 -Iinc"
        " -c $x -o ${x%.c}.o || exit 1; done && $CC $LDFLAGS src/*.o -o toast",
        program="toast",
        workload="for x in audio.train silence.odd noise.odd byte.odd empty.odd; do"
        " ./toast -l < $IN/$x > packed && ./toast -d -l < packed > unpacked; done\n"
        "./toast -d -l < $IN/frames.odd > unpacked\n"
        "./toast -u < $IN/noise.odd > packed && ./toast -d -u < packed > unpacked",
        prepare="./toast -l < $IN/audio.time > $IN/audio.gsm",
        timed=(Timed(("-l",), "audio.time"), Timed(("-d", "-l"), "audio.gsm")),
        check="./toast -l < $IN/silence.odd | ./toast -d -l | wc -c | grep -q 3200",
        suite="for x in src/*.c; do gcc -O0 -w -DSASR -DWAV49 -DNeedFunctionPrototypes=1 -Iinc"
        " -c $x -o ${x%.c}.plain || exit 1; done && gcc src/*.plain -o plain &&"
        " for x in $IN/*.odd $IN/audio.t*; do ./toast -l < $x > one; ./plain -l < $x > two;"
        " cmp one two && ./toast -d -l < one > back; ./plain -d -l < one | cmp - back || exit 1;"
        " done",
        suite_is="as gcc -O0 on all inputs (the reference vectors are not free)",
    ),
}
