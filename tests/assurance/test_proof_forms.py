"""The model of every instruction form does what the CPU does."""

from __future__ import annotations

import pytest

from gccllm.assurance.proof.forms import forms
from gccllm.assurance.proof.selfcheck import check_forms
from gccllm.harness.compare import widest_vectors

STATES = 6


def test_every_form_does_what_the_cpu_does() -> None:
    pytest.importorskip("pyvex")
    chosen = forms(avx=widest_vectors() >= 32)
    found = check_forms(chosen, states=STATES, seed=3)
    assert [x.form for x in found] == chosen
    assert not [x for x in found if x.mismatch]
    modelled = [x for x in found if not x.unsupported]
    assert len(modelled) > 0.98 * len(chosen)
    assert all(x.states == STATES for x in modelled)


def test_what_the_manuals_leave_open_is_not_modelled() -> None:
    pytest.importorskip("pyvex")
    odd = ["divb\t%bl", "shldw\t%cl, %ax, %bx", "addsd\t%xmm1, %xmm0", "fld1", "lock incl (%rdi)"]
    assert all(x.unsupported for x in check_forms(odd, states=2))
