"""C code that people wrote: Debian source packages, fetched at run time and compiled file by file.

Nothing is built. A file counts if ``gcc -E`` takes it alone, with the package's own folders on the
include path and a ``config.h`` that its own ``./configure`` made, or else one with the headers and
functions of glibc said to be there. Files that need more than that are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gccllm.errors import GccllmError, UsageError
from gccllm.paths import cache_dir
from gccllm.process import run
from gccllm.toolchain import Toolchain

__all__ = [
    "HELD_OUT_PACKAGES",
    "PACKAGES",
    "Source",
    "SourceMissing",
    "c_files",
    "fetch",
    "include_options",
    "packages_named",
    "preprocess",
    "sources_folder",
]

PACKAGES = tuple(
    "bc bzip2 check cjson cliquer cmark dash duktape ed figlet flac gawk giflib grep gzip "
    "jansson jbigkit json-c kissfft lame lcms2 less libdeflate libev libexif libgsm libogg "
    "libonig libsamplerate libsndfile libsodium libspng libsrtp2 libtheora libtomcrypt "
    "libtommath libvorbis libwebp libxcrypt libyaml lua5.4 lz4 lzlib lzo2 mawk mbedtls "
    "miniupnpc minizip mujs nano nauty ncompress nettle openjpeg2 opus patch picosat potrace "
    "qhull sed speex speexdsp tcc tinycdb tre tree utf8proc wavpack xxhash xz-utils zlib "
    "zopfli".split()
)
"""plain C, small to middling: compression, codecs, text, crypto, interpreters, graphs, numbers"""
HELD_OUT_PACKAGES = ("bzip2", "libgsm", "lua5.4", "nettle")
"""packages that no training pair comes from"""

FETCH_SECONDS = 280.0
CONFIGURE_SECONDS = 120.0
PREPROCESS_SECONDS = 30.0
MOST_STUBS = 3
_SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "fetch-debian-source"
_ASIDE = re.compile(
    r"(?:^|/)(?:\.pc|\.git|debian|(?:gnulib-)?tests?|testing|t|examples?|samples?|demos?|docs?|bench\w*|fuzz\w*"
    r"|win\w*|msvc\w*|vms|os2|dos|amiga|macos\w*|contrib|unsupported|conftest\w*)/",
    re.I,
)
_ABSENT = re.compile(r"^\s*#\s*undef\s+(\w+)\s*$", re.M)
_CMAKE = re.compile(r"^\s*#\s*cmakedefine(?:01)?\s+(\w+).*$", re.M)
_THERE = re.compile(
    r"(?:HAVE_(?:STD\w*|STRING|STRINGS|INTTYPES|LIMITS|UNISTD|SYS_\w+|FCNTL|ERRNO|MEMORY|MATH|CTYPE"
    r"|TIME|LOCALE|SIGNAL|ASSERT|FLOAT|WCHAR|WCTYPE|DIRENT|TERMIOS|PWD|GRP|ALLOCA|GETOPT|ENDIAN"
    r"|BYTESWAP)_H|STDC_HEADERS|HAVE_(?:MEM\w+|STR\w+|SNPRINTF|VSNPRINTF|STAT|GETTIMEOFDAY"
    r"|LONG_LONG|UINTPTR_T|LRINTF?|FSEEKO|MMAP|SETLOCALE|GETPID|QSORT|REALLOC|MALLOC))"
)
_NO_HEADER = re.compile(r"fatal error: ([\w./+-]+\.h): No such file")
_NOT_IN_GLIBC = re.compile(r"HAVE_(?:STRNSTR|STRTONUM|STRMODE|MEMSET_S|STRLCPY|STRLCAT)")


class SourceMissing(GccllmError):
    """The archive gave no source of a package."""


@dataclass(frozen=True)
class Source:
    """An unpacked source package; ``version`` is Debian's, from its changelog."""

    package: str
    version: str
    folder: Path


def sources_folder() -> Path:
    """Where sources are kept unless told otherwise: beside the store, never in the repository."""
    return cache_dir() / "sources"


def fetch(package: str, cache: Path) -> Source:
    """The source of ``package`` below ``cache``, unpacked before or now.

    Raises SourceMissing where apt can't get it, UsageError where the script is not at hand.
    """
    if not _SCRIPT.exists():
        raise UsageError(f"{_SCRIPT} is missing; packages need a checkout of the repository")
    done = run([str(_SCRIPT), package, str(cache)], timeout=FETCH_SECONDS)
    if not done.ok:
        raise SourceMissing(f"{package}: {done.error_line()}")
    folder = Path(done.stdout.decode().strip())
    return Source(package, _version(folder), folder)


def _version(folder: Path) -> str:
    try:
        first = (folder / "debian" / "changelog").read_text("utf-8", "replace").split("\n", 1)[0]
    except OSError:
        return ""
    found = re.match(r"\S+ \(([^)]+)\)", first)
    return found.group(1) if found else ""


def c_files(source: Source) -> list[Path]:
    """The C files in a fixed order; tests, examples and other systems' files are left out."""
    found = []
    for path in sorted(source.folder.rglob("*.c")):
        inner = path.relative_to(source.folder).as_posix()
        if path.is_file() and not path.is_symlink() and not _ASIDE.search(inner):
            found.append(path)
    return found


def include_options(source: Source) -> tuple[str, ...]:
    """Preprocessor options for the package's files; makes its ``config.h`` at the first call."""
    _configure(source.folder)
    folders = {source.folder}
    for header in source.folder.rglob("*.h"):
        inner = header.relative_to(source.folder).as_posix()
        if not _ASIDE.search(inner):
            folders.add(header.parent)
            if header.parent.parent != source.folder.parent:
                folders.add(header.parent.parent)  # for <package/header.h>
    ordered = sorted(folders, key=lambda x: (len(x.parts), x.as_posix()))[:40]
    configured = any((x / "config.h").exists() for x in ordered)
    return (
        "-D_GNU_SOURCE",
        *(["-DHAVE_CONFIG_H"] if configured else []),
        *(f"-I{x}" for x in ordered),
    )


def preprocess(tools: Toolchain, source: Source, file: Path, options: Sequence[str]) -> str:
    """The text of ``gcc -E``, "" where the file needs what is not there.

    A header that only a full build makes is taken for empty, :data:`MOST_STUBS` times.
    """
    stubs = source.folder / ".gccllm-stubs"
    argv = [tools.cc, "-E", "-w", *options, f"-I{stubs}", str(file)]
    for _ in range(MOST_STUBS + 1):
        done = run(argv, timeout=PREPROCESS_SECONDS, cwd=file.parent)
        if done.ok:
            return done.stdout.decode("utf-8", "surrogateescape")
        missing = _NO_HEADER.search(done.stderr.decode("utf-8", "replace"))
        if missing is None or ".." in missing.group(1):
            break
        stub = stubs / missing.group(1)
        stub.parent.mkdir(parents=True, exist_ok=True)
        stub.touch()
    return ""


def _configure(folder: Path) -> None:
    """Run the package's own configure once, and fill in templates that it did not."""
    mark = folder / ".gccllm-configured"
    if mark.exists():
        return
    script = folder / "configure"
    if script.exists() and list(folder.glob("*.ac")) + list(folder.glob("*.in")):
        # What it says and whether it likes what it finds is no matter: headers count.
        run(["sh", str(script), "-q"], timeout=CONFIGURE_SECONDS, cwd=folder)
    for template in sorted(folder.rglob("*.h*")):
        target = _target(template)
        if target is not None and not target.exists():
            text = template.read_text("utf-8", "replace")
            target.write_text(_filled(text), "utf-8", "replace")
    mark.touch()


def _target(template: Path) -> Path | None:
    """config.h.in, config.h.cmake, config.hin → config.h"""
    found = re.fullmatch(r"(.+\.h)(?:\.in|\.cmake|\.cmake\.in|in)", template.name)
    return template.with_name(found.group(1)) if found else None


def _filled(text: str) -> str:
    """A template of autoconf or cmake with what glibc has switched on."""

    def line(match: re.Match[str]) -> str:
        name = match.group(1)
        there = _THERE.fullmatch(name) and not _NOT_IN_GLIBC.fullmatch(name)
        return f"#define {name} 1" if there else f"/* {name} */"

    return re.sub(r"@\w+@", "1", _CMAKE.sub(line, _ABSENT.sub(line, text)))


def packages_named(names: Sequence[str]) -> tuple[str, ...]:
    """Those of :data:`PACKAGES`, all for none. Raises UsageError for a name that is not there."""
    wrong = [x for x in names if x not in PACKAGES]
    if wrong:
        raise UsageError(f"no package {wrong[0]!r}; there are {', '.join(PACKAGES)}")
    return tuple(names) or PACKAGES
