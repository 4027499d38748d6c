"""What is written down about one version of a function while it is watched."""

from __future__ import annotations

from dataclasses import dataclass, field

from gccllm.assurance.abi.kinds import Finding, Kind
from gccllm.assurance.abi.values import Place

__all__ = ["Notes", "Sight"]


@dataclass(frozen=True)
class Sight:
    """Something seen at ``place``: ``amount`` bits read, bytes reached, or an alignment in bytes.

    ``certain`` is False where it is so on some of the paths only.
    """

    amount: int
    place: Place
    certain: bool = True


@dataclass
class Notes:
    """``findings``: what is wrong whatever the baseline does, by kind and subject. The rest is
    wrong only where the baseline does less:

    ``uses``: junk that is computed with ("rdi": what rdi held at entry, "call:rcx": what a call
    left in rcx, "second:rdx:f" what a call of f did, which may be half a result); ``handed``:
    arguments that are passed on or stored; ``returned``: arguments that are the result as they came
    in; ``calls``: symbols of what is called; ``caller``: the farthest byte
    of the caller's frame; ``caller_open``: an address there is taken; ``aligned``: owner of memory
    → alignment that an access needs and nothing shows; ``segments``: accesses relative to fs or
    gs; ``tails``: symbols jumped to; ``indirect``: a call or jump through a pointer; ``depths``:
    values on the x87 stack at returns; ``unwritten``: result registers that a return finds
    without a result; ``results``: registers in which a result is certainly returned; ``imports``:
    symbols of other objects that are called, with whether one of the calls is known to return;
    ``leaves``: some path ends other than in a call that never returns; ``partly``: (callee,
    argument register) where only the lower bytes of it are set; ``wholly``: where all of it is.
    """

    findings: dict[tuple[Kind, str], Finding] = field(default_factory=dict)
    uses: dict[str, Sight] = field(default_factory=dict)
    handed: set[str] = field(default_factory=set)
    returned: dict[str, Sight] = field(default_factory=dict)
    calls: set[str] = field(default_factory=set)
    caller: Sight = Sight(8, (0, 0))
    caller_open: bool = False
    aligned: dict[str, Sight] = field(default_factory=dict)
    segments: dict[str, Sight] = field(default_factory=dict)
    tails: dict[str, Place] = field(default_factory=dict)
    indirect: Place | None = None
    depths: dict[int | None, Place] = field(default_factory=dict)
    unwritten: dict[str, Sight] = field(default_factory=dict)
    results: set[str] = field(default_factory=set)
    imports: dict[str, bool] = field(default_factory=dict)
    leaves: bool = False
    partly: dict[tuple[str, str], Place] = field(default_factory=dict)
    wholly: set[tuple[str, str]] = field(default_factory=set)
    instructions: int = 0

    def find(
        self, kind: Kind, subject: str, place: Place, detail: str, *, certain: bool = True
    ) -> None:
        """Note a finding; the first of a kind and subject stands, a certain one before others."""
        known = self.findings.get((kind, subject))
        if known is None or (certain and not known.certain):
            self.findings[kind, subject] = Finding(kind, subject, place, detail, certain)

    def use(self, origin: str, bits: int, place: Place, *, certain: bool) -> None:
        """Note that junk is computed with, ``bits`` of it."""
        known = self.uses.get(origin)
        if known is None or (bits, certain) > (known.amount, known.certain):
            sure = certain or (known is not None and known.certain)
            self.uses[origin] = Sight(max(bits, known.amount if known else 0), place, sure)
