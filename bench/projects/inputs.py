"""Inputs for the programs: made from a seed, the same everywhere. Training and timing differ."""

from __future__ import annotations

import math
import random
import struct
from pathlib import Path

__all__ = ["make_inputs"]

SCRIPTS = Path(__file__).with_name("lua")
WORDS = (
    "the of and to in is that for it as was with be by on not he his but at are this have from or "
    "had an they which one you were all her she there would their we him been has when who will "
    "no more if out so up said what its about than into them can only other time new some could "
    "these two may first then do any like my now over such our man me even most made after also"
).split()


def make_inputs(folder: Path) -> None:
    """Fill ``folder``: NAME.train is for the workload, NAME.time for the figures, NAME.odd small
    inputs at the edges."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, seed, scale in (("train", 1, 1), ("time", 2, 5)):
        (folder / f"text.{suffix}").write_bytes(_text(seed, 600_000 * scale))
        (folder / f"records.{suffix}").write_bytes(_records(seed, 6_000 * scale))
        (folder / f"audio.{suffix}").write_bytes(_audio(seed, 30 + 30 * scale))
        (folder / f"mix.{suffix}").write_text(_queries(seed, 3_000 * scale))
    (folder / "empty.odd").write_bytes(b"")
    (folder / "byte.odd").write_bytes(b"x")
    (folder / "zeros.odd").write_bytes(bytes(70_000))
    (folder / "noise.odd").write_bytes(random.Random(3).randbytes(70_000))
    (folder / "silence.odd").write_bytes(bytes(3200))
    (folder / "frames.odd").write_bytes(_frames(4, 100))
    for script in SCRIPTS.glob("*.lua"):
        (folder / script.name).write_bytes(script.read_bytes())


def _text(seed: int, size: int) -> bytes:
    """Words of a few kinds of sentences, some often and some seldom."""
    rng = random.Random(seed)
    common = [rng.choice(WORDS) for _ in range(90)]
    rare = ["".join(rng.choices("abcdefghiklmnoprstuw", k=rng.randint(4, 11))) for _ in range(4000)]
    lines = []
    length = 0
    while length < size:
        words = [
            rng.choice(rare) if rng.random() < 0.35 else common[int(rng.paretovariate(0.7)) % 90]
            for _ in range(rng.randint(4, 16))
        ]
        line = " ".join(words).capitalize() + ".\n"
        lines.append(line)
        length += len(line)
    return "".join(lines).encode()


def _records(seed: int, count: int) -> bytes:
    """Rows of numbers and words, as programs write them to logs."""
    rng = random.Random(seed)
    rows = []
    clock = 1_700_000_000
    for _ in range(count):
        clock += rng.randint(0, 30)
        how = rng.choice(("GET", "GET", "GET", "POST", "HEAD"))
        answer = rng.choice((200, 200, 200, 304, 404))
        path = f"/item/{rng.randint(1, 9999)}?q={rng.choice(WORDS)}"
        rows.append(f"{clock} {how} {path} {answer} {rng.randint(100, 90000)}\n")
    return "".join(rows).encode()


def _audio(seed: int, seconds: int) -> bytes:
    """16-bit samples at 8 kHz: a few tones that come and go, and noise."""
    rng = random.Random(seed)
    tones = [(rng.uniform(120, 900), rng.uniform(0.2, 2.0), rng.uniform(0, 6)) for _ in range(5)]
    samples = []
    for i in range(8000 * seconds):
        at = i / 8000
        value = sum(
            math.sin(2 * math.pi * pitch * at) * (0.5 + 0.5 * math.sin(pace * at + phase))
            for pitch, pace, phase in tones
        )
        samples.append(int(value * 5000 + rng.gauss(0, 250)))
    return struct.pack(f"<{len(samples)}h", *(max(-32768, min(32767, x)) for x in samples))


def _frames(seed: int, count: int) -> bytes:
    """Packed sound (GSM 06.10: 33 bytes a frame, the first half byte is 13) that is otherwise
    random: what saturates when it is unpacked."""
    rng = random.Random(seed)
    return b"".join(bytes([208 + rng.randrange(16)]) + rng.randbytes(32) for _ in range(count))


def _queries(seed: int, rows: int) -> str:
    """Tables filled and asked: joins, groups, indices, text, updates."""
    rng = random.Random(seed)
    lines = [
        "CREATE TABLE item(id INTEGER PRIMARY KEY, kind INTEGER, name TEXT, price REAL);",
        "CREATE TABLE sale(id INTEGER PRIMARY KEY, item INTEGER, day INTEGER, count INTEGER);",
        "BEGIN;",
    ]
    for i in range(rows):
        name = f"{rng.choice(WORDS)}-{rng.randint(0, 999)}"
        kind, price = rng.randint(0, 40), rng.randint(1, 9999) / 100
        lines.append(f"INSERT INTO item VALUES({i},{kind},'{name}',{price});")
    lines.append(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i<"
        f"{rows * 4}) INSERT INTO sale SELECT i, (i*7919)%{rows}, (i*31)%365, 1+(i%9) FROM n;"
    )
    lines += [
        "COMMIT;",
        "CREATE INDEX by_item ON sale(item);",
        "CREATE INDEX by_name ON item(name);",
        "SELECT kind, count(*), round(sum(price*count),2) FROM item JOIN sale ON item=item.id"
        " GROUP BY kind ORDER BY kind;",
        "SELECT day, sum(count) AS n FROM sale GROUP BY day ORDER BY n DESC, day LIMIT 10;",
        "SELECT name, price FROM item WHERE name LIKE 't%9' ORDER BY price DESC, id LIMIT 12;",
        "SELECT count(*) FROM sale a WHERE EXISTS"
        " (SELECT 1 FROM item WHERE id=a.item AND price>50);",
        "UPDATE item SET price=price*1.1 WHERE kind IN (1,3,5,7);",
        "SELECT upper(substr(name,1,3)) AS s, count(*), group_concat(kind) FROM item WHERE id%50=0"
        " GROUP BY s ORDER BY s LIMIT 20;",
        "DELETE FROM sale WHERE day BETWEEN 100 AND 120;",
        "SELECT count(*), avg(count), max(item) FROM sale;",
        "SELECT a.kind, max(b.price) FROM item a, item b WHERE a.id=b.kind*10"
        " GROUP BY 1 ORDER BY 1;",
        "PRAGMA integrity_check;",
    ]
    return "\n".join(lines) + "\n"
