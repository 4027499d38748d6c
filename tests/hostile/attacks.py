"""Attacks on the gates, as data: where a text is planted in gcc's assembly of victim.c, and which
rule of the text gate and which of the object gate has to catch it.

An attack with both rules is caught twice: the object gate is tried on the attack assembled as if
there were no text gate. None for a gate means that it is not asked.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ATTACKS", "DYNAMIC", "Attack"]


@dataclass(frozen=True)
class Attack:
    """``where``: "inside" the function hot, at the "end" or the "start" of the file, or the text
    that ``text`` replaces (its first occurrence)."""

    name: str
    where: str
    text: str
    by_text: str | None
    by_object: str | None = None


def _banned(instruction: str, rule: str) -> Attack:
    return Attack(f"instruction {instruction}", "inside", f"\t{instruction}\n", None, rule)


def _directive(text: str, rule: str = "directive") -> Attack:
    return Attack(f"directive {text.split(chr(10))[0]}", "end", f"\t{text}\n", rule)


_SECTION_END = '\t.section\t.note.GNU-stack,"",@progbits'

ATTACKS: tuple[Attack, ...] = (
    # Reading files, loops, macros: the assembler as an interpreter.
    _directive('.include "/etc/passwd"'),
    _directive('.incbin "/etc/passwd"'),
    _directive('.irp x,incbin\n\t.\\x "/etc/passwd"\n\t.endr'),
    _directive(".irpc x,ab\n\t.endr"),
    _directive(".macro leak\n\tnop\n\t.endm"),
    _directive(".rept 100000\n\t.rept 100000\n\tnop\n\t.endr\n\t.endr"),
    _directive(".altmacro"),
    _directive(".if 1\n\tnop\n\t.endif"),
    _directive('.print "hello"'),
    _directive('.error "no"'),
    _directive(".exitm"),
    _directive(".end"),
    # Giant files.
    _directive(".space 4000000000"),
    _directive(".skip 4000000000"),
    _directive(".org 0x40000000"),
    _directive(".fill 100000000,8,0"),
    _directive(".dc.b 1"),
    _directive(".dcb.l 100000000,1"),
    _directive(".ds.b 100000000"),
    _directive(".nops 100000000"),
    Attack("zero fill", "end", "\t.section\t.rodata\n\t.zero\t99999999\n", "zero-fill"),
    Attack(
        "zero fill in pieces", "end", "\t.section\t.rodata\n" + "\t.zero\t600000\n" * 2, "zero-fill"
    ),
    Attack("zero fill by an expression", "end", "\t.bss\n\t.zero 9*9*9*9*9*9\n", "directive-form"),
    Attack("huge alignment", "inside", "\t.p2align 20\n", "alignment"),
    Attack("alignment with fill bytes", "inside", "\t.p2align 4,0xc3\n", "alignment"),
    Attack("long line", "inside", "\tnop" + " " * 5000 + "\n", "too-large"),
    Attack("prefix flood", "inside", "\tcs cs cs cs cs cs cs cs nop\n", "too-large"),
    # Hiding from a reader of lines.
    Attack("joined statements", "inside", "\tnop; syscall\n", "separator", "system-call"),
    Attack("joined after a label", "inside", '.Lx: nop; .incbin "/etc/passwd"\n', "separator"),
    Attack("block comment", "inside", "\tnop /* # */ \n\tsyscall\n", "character", "system-call"),
    Attack(
        "block comment over lines", "inside", "/*\n\tnop\n*/\tsyscall\n", "character", "system-call"
    ),
    Attack("slash comment", "inside", "/ nop\n", "character"),
    Attack("line marker", "inside", '# 1 "x" ; syscall\n', "marker", "system-call"),
    Attack("line marker with flags", "inside", '# 1 "x" 2 ; syscall\n', "marker", "system-call"),
    Attack("comments switched off", "start", "#NO_APP\n# x ; .globl evil\n", "marker"),
    Attack("continuation", "inside", "\tnop \\\n\tsyscall\n", "character"),
    Attack("macro argument", "inside", "\tnop \\@\n", "character"),
    Attack("character quote", "inside", "\tmovl $'#, %eax ; syscall\n", "character", "system-call"),
    Attack("string over lines", "end", '\t.section .rodata\n\t.string "a\n"\n', "string"),
    Attack("hexadecimal escape", "end", '\t.section .rodata\n\t.string "\\x41"\n', "string"),
    Attack("many ways to match", "end", '\t.string "' + "\\111" * 900 + "\n", "string"),
    Attack("many ways to match operands", "inside", "\tmov " + "a" * 3900 + "!\n", "syntax"),
    Attack("carriage return", "inside", "\tnop\r\n", "character"),
    Attack("form feed", "inside", "\tnop\f\n", "character"),
    Attack("NUL", "inside", "\tnop # \0\n", "character"),
    Attack("non-ASCII", "inside", "\tnop # \u2192\n", "character"),
    Attack("upper-case directive", "end", '\t.INCBIN "/etc/passwd"\n', "directive"),
    Attack("mixed-case directive", "end", "\t.Globl evil\n", "directive"),
    Attack("label with a space", "inside", "\tx : .byte 15,5\n", "data-in-text"),
    Attack("quoted label", "end", '"evil": nop\n', "syntax"),
    Attack("assignment", "end", "\tputs = hot\n", "assignment", "shadows-import"),
    Attack("location counter", "end", "\t. = . + 100000000\n", "assignment"),
    Attack("location counter as operand", "inside", "\tjmp .+3\n", "syntax"),
    Attack("symbol version in a name", "inside", "\tcall puts@VERSION\n", "syntax"),
    Attack("label twice", "inside", ".Ltwice:\n\tnop\n.Ltwice:\n", "duplicate-label"),
    # Other languages and modes.
    *(
        _directive(text)
        for text in (
            ".intel_syntax noprefix",
            ".att_syntax noprefix",
            ".code32",
            ".code16",
            ".arch generic32",
            ".arch .avx512f",
            ".allow_index_reg",
            ".sse_check none",
            ".bundle_align_mode 5",
            ".reloc ., R_X86_64_64, puts",
            ".symver puts,puts@@V",
            ".weakref a,puts",
            ".equ puts,hot",
            ".equiv evil,hot",
            ".eqv evil,hot",
            ".lcomm evil,8",
            '.stabs "a",36,0,0,0',
            ".stabn 68,0,1,0",
            '.version "1"',
            ".loc_mark_labels 1",
            ".linkonce",
            ".dc.l 1",
            ".hword 1",
            '.string16 "a"',
            '.base64 "AAAA"',
            ".global evil",
            ".extern evil",
            ".secrel32 hot",
            ".gnu_attribute 4,1",
            ".attach_to_group g",
            ".largecomm evil,8,8",
            ".tfloat 1",
            ".slong 1",
            ".noaltmacro",
            '.title "x"',
            ".psize 10",
            ".insn 0x90",
        )
    ),
    # Sections.
    _directive('.pushsection .init_array,"aw"'),
    _directive(".popsection"),
    _directive(".previous"),
    _directive(".subsection 1"),
    _directive(".text 1", "directive-form"),
    _directive(".data 1", "directive-form"),
    Attack(
        "constructor",
        "end",
        '\t.section .init_array,"aw"\n\t.quad hot\n',
        "section",
        "section-added",
    ),
    Attack(
        "early constructor",
        "end",
        '\t.section .preinit_array,"aw"\n\t.quad hot\n',
        "section",
        "section-added",
    ),
    Attack(
        "destructor",
        "end",
        '\t.section .fini_array,"aw"\n\t.quad hot\n',
        "section",
        "section-added",
    ),
    Attack(
        "old constructor",
        "end",
        '\t.section .ctors,"aw"\n\t.quad hot\n',
        "section",
        "section-added",
    ),
    Attack(
        "code before main", "end", '\t.section .init,"ax"\n\tnop\n', "section", "section-executable"
    ),
    Attack(
        "numbered text section",
        "end",
        '\t.section .text.00000,"ax"\n\tnop\n',
        "section",
        "section-added",
    ),
    Attack(
        "writable code",
        "end",
        '\t.section .text.hot,"awx",@progbits\n\tnop\n',
        "section",
        "section-writable-code",
    ),
    Attack(
        "code among constants",
        "end",
        '\t.section .rodata.x,"ax"\n\tnop\n',
        "section",
        "section-executable",
    ),
    Attack(
        "writable constants",
        "end",
        '\t.section .rodata.x,"aw"\n\t.zero 8\n',
        "section",
        "section-changed",
    ),
    Attack("text without bits", "end", '\t.section .text.hot,"ax",@nobits\n\t.zero 8\n', "section"),
    Attack("section type by number", "end", '\t.section .rodata,"a",@14\n', "section"),
    Attack(
        "executable stack",
        _SECTION_END,
        '\t.section .note.GNU-stack,"x",@progbits',
        "section",
        "executable-stack",
    ),
    Attack("no stack note", _SECTION_END, "", None, "executable-stack"),
    Attack(
        "linker warning",
        "end",
        '\t.section .gnu.warning.puts,"a"\n\t.string "boo"\n',
        "section",
        "section-added",
    ),
    Attack(
        "linkonce",
        "end",
        '\t.section .gnu.linkonce.t.main,"ax"\n\tnop\n',
        "section",
        "section-executable",
    ),
    Attack(
        "property note",
        "end",
        '\t.section .note.gnu.property,"a"\n\t.long 4\n',
        "section",
        "section-added",
    ),
    Attack(
        "linker options",
        "end",
        '\t.section .drectve,"a"\n\t.string "-lx"\n',
        "section",
        "section-added",
    ),
    Attack("group", "end", '\t.section .text.x,"axG",@progbits,main,comdat\n\tnop\n', "section"),
    Attack(
        "handmade unwind table", "end", '\t.section .eh_frame,"a",@progbits\n\t.quad 0\n', "section"
    ),
    Attack(
        "thread-local section",
        "end",
        '\t.section .tbss,"awT",@nobits\n\t.zero 8\n',
        "section",
        "section-added",
    ),
    Attack(
        "relro section of another kind",
        "end",
        '\t.section .data.rel.ro,"awx"\n\tnop\n',
        "section",
        "section-writable-code",
    ),
    Attack(
        "debug section",
        "end",
        '\t.section .debug_gdb_scripts,"MS",@progbits,1\n\t.string "x"\n',
        "section",
        "section-added",
    ),
    Attack("code in data", "end", "\t.data\n\tsyscall\n", "section", "data-grew"),
    # Unwinding.
    _directive(".cfi_personality 0x9b,puts", "not-in-baseline"),
    _directive(".cfi_lsda 0x1b,names", "not-in-baseline"),
    _directive(".cfi_sections .debug_frame", "not-in-baseline"),
    _directive(".cfi_signal_frame"),
    _directive(".cfi_return_column 3"),
    _directive(".cfi_val_encoded_addr 3,0x1b,hot"),
    _directive(".cfi_escape 0x0d,0x03", "directive-form"),
    # Symbols.
    Attack(
        "new global",
        "end",
        "\t.text\n\t.globl evil\nevil:\n\tret\n",
        "not-in-baseline",
        "symbol-added",
    ),
    Attack(
        "global printf family",
        "end",
        "\t.text\n\t.globl malloc\nmalloc:\n\tret\n",
        "not-in-baseline",
        "symbol-added",
    ),
    Attack(
        "weak override", "end", "\t.weak exit\nexit:\n\tret\n", "not-in-baseline", "symbol-added"
    ),
    Attack("weakened function", "end", "\t.weak hot\n", "not-in-baseline"),
    Attack("local puts", "end", "\t.text\nputs:\n\tret\n", "shadows-import", "shadows-import"),
    Attack("alias of puts", "end", "\t.set puts,hot\n", "not-in-baseline", "shadows-import"),
    Attack("weak import", "end", "\t.weak getenv\n", "not-in-baseline", "symbol-changed"),
    Attack("alias", "end", "\t.set evil,hot\n\t.globl evil\n", "not-in-baseline", "symbol-added"),
    Attack("absolute symbol", "end", "\t.set evil,5\n", "not-in-baseline", "symbol-kind"),
    Attack(
        "indirect function",
        "end",
        "\t.type hot,@gnu_indirect_function\n",
        "not-in-baseline",
        "symbol-kind",
    ),
    Attack(
        "unique object",
        "end",
        "\t.type pool,@gnu_unique_object\n",
        "not-in-baseline",
        "symbol-kind",
    ),
    Attack("function becomes object", "end", "\t.type hot,@object\n", None, "symbol-changed"),
    Attack("hidden function", "end", "\t.hidden hot\n", "not-in-baseline", "symbol-changed"),
    Attack("protected function", "end", "\t.protected hot\n", "not-in-baseline", "symbol-changed"),
    Attack("internal function", "end", "\t.internal hot\n", "not-in-baseline", "symbol-changed"),
    Attack("local main", "\t.globl\tmain\n", "", None, "symbol-missing"),
    Attack("common block", "end", "\t.comm evil,1000000000,4\n", "not-in-baseline", "symbol-added"),
    Attack("shorter pool", "\t.size\tpool, 256", "\t.size\tpool, 16", None, "symbol-changed"),
    Attack("symbol version", "end", "\t.symver hot,hot@@V1\n", "directive", "symbol-version"),
    Attack("new import", "inside", "\tcall system\n", None, "import-added"),
    Attack(
        "import by address", "inside", "\tmovq execve@GOTPCREL(%rip), %rax\n", None, "import-added"
    ),
    Attack("import in data", "end", "\t.section .rodata.x\n\t.quad dlopen\n", None, "import-added"),
    # Data.
    Attack("data grows", "end", "\t.data\n\t.quad 1\n", None, "data-grew"),
    Attack("zeroed data grows", "end", "\t.bss\n\t.zero 4096\n", None, "data-grew"),
    Attack(
        "a variable starts otherwise",
        "limit:\n\t.long\t5",
        "limit:\n\t.long\t6",
        None,
        "data-changed",
    ),
    Attack(
        "an exported constant changes",
        "primes:\n\t.long\t2",
        "primes:\n\t.long\t1",
        None,
        "data-changed",
    ),
    Attack("a string of an exported table changes", '"zero"', '"null"', None, "data-changed"),
    Attack(
        "an alias into data", "limit:\n\t.long\t5", "\t.long\t5\nlimit:", None, "symbol-changed"
    ),
    # Hidden instructions.
    Attack("bytes in code", "inside", "\t.byte 0x0f,0x05\n", "data-in-text", "system-call"),
    Attack("string in code", "inside", '\t.ascii "\\017\\005"\n', "data-in-text", "system-call"),
    Attack("difference in code", "inside", "\t.byte .Lb-.La\n.La:\n\tnop\n.Lb:\n", "data-in-text"),
    Attack("float in code", "inside", "\t.float 1.5\n", "data-in-text"),
    Attack("thread-local padding misused", "inside", "\t.value 0x6666\n\tnop\n", "data-in-text"),
    Attack("no instruction", "inside", "\t.byte 0x06\n", "data-in-text", "undecodable"),
    Attack(
        "jump into an immediate",
        "inside",
        "\tjmp .Lmid+1\n.Lmid:\n\tmovl $0x050f, %eax\n",
        None,
        "branch-target",
    ),
    Attack(
        "call into an immediate of a global",
        "inside",
        "\tcall main+1\n",
        None,
        "relocation-target",
    ),
    Attack("jump out of the section", "inside", "\tjmp hot+100000\n", None, "branch-target"),
    Attack(
        "address inside code", "inside", "\tleaq main+1(%rip), %rax\n", None, "relocation-target"
    ),
    Attack(
        "pointer inside code",
        "end",
        "\t.section .data.rel.ro\n\t.quad main+1\n",
        None,
        "relocation-target",
    ),
    Attack(
        "offset table",
        "inside",
        "\tleaq _GLOBAL_OFFSET_TABLE_(%rip), %rax\n",
        None,
        "relocation-target",
    ),
    Attack("odd relocation", "inside", "\tmovb $limit, %al\n", None, "relocation-kind"),
    Attack("size relocation", "inside", "\tmovl $limit@SIZE, %eax\n", "syntax", "relocation-kind"),
    # Instructions that no optimisation needs.
    *(
        _banned(text, rule)
        for text, rule in (
            ("syscall", "system-call"),
            ("sysenter", "system-call"),
            ("int $0x80", "system-call"),
            ("int $0x2e", "system-call"),
            ("iretq", "system-call"),
            ("lretq", "system-call"),
            ("ljmp *(%rax)", "system-call"),
            ("lcall *(%rax)", "system-call"),
            ("rdtsc", "clock"),
            ("rdtscp", "clock"),
            ("rdpmc", "clock"),
            ("rdpru", "clock"),
            ("cpuid", "cpu-probe"),
            ("rdpid %rax", "cpu-probe"),
            ("lsl %ax, %ax", "cpu-probe"),
            ("sidt (%rsp)", "cpu-probe"),
            ("smsw %ax", "cpu-probe"),
            ("rdrand %eax", "random"),
            ("rdseed %eax", "random"),
            ("wrfsbase %rax", "segment"),
            ("rdgsbase %rax", "segment"),
            ("movw %ax, %fs", "segment"),
            ("movw %gs, %ax", "segment"),
            ("pushq %fs", "segment"),
            ("lfs (%rax), %eax", "segment"),
            ("movq %gs:0, %rax", "segment"),
            ("movq %gs:(%rax), %rax", "segment"),
            ("movq %fs:0, %rax", "thread-area"),
            ("movq %fs:48, %rax", "thread-area"),
            ("movq %rax, %fs:40", "thread-area"),
            ("incq %fs:40", "thread-area"),
            ("movq %fs:-8(%rax), %rax", "thread-area"),
            ("xbegin .Lnear\n.Lnear:", "transaction"),
            ("xend", "transaction"),
            ("xtest", "transaction"),
            ("xacquire lock addl $1, (%rax)", "transaction"),
            ("xgetbv", "processor-state"),
            ("xsave (%rax)", "processor-state"),
            ("fxsave (%rax)", "processor-state"),
            ("wrpkru", "processor-state"),
            ("ldmxcsr (%rax)", "processor-state"),
            ("vldmxcsr (%rax)", "processor-state"),
            ("fldcw (%rax)", "processor-state"),
            ("fninit", "processor-state"),
            ("clflush (%rax)", "cache-control"),
            ("clflushopt (%rax)", "cache-control"),
            ("clwb (%rax)", "cache-control"),
            ("clzero", "cache-control"),
            ("cldemote (%rax)", "cache-control"),
            ("movdir64b (%rax), %rax", "cache-control"),
            ("monitor", "waiting"),
            ("monitorx", "waiting"),
            ("umwait %eax", "waiting"),
            ("tpause %eax", "waiting"),
            ("std", "flags"),
            ("pushfq", "flags"),
            ("popfq", "flags"),
            ("enter $8, $0", "stack-frame"),
            ("int3", "trap"),
            ("hlt", "privileged"),
            ("cli", "privileged"),
            ("inb %dx, %al", "privileged"),
            ("outb %al, %dx", "privileged"),
            ("rdmsr", "privileged"),
            ("movq %cr0, %rax", "privileged"),
            ("invd", "privileged"),
            ("wbinvd", "privileged"),
            ("swapgs", "privileged"),
            ("vpaddd %ymm0, %ymm0, %ymm0", "cpu-feature"),
            ("popcntl %eax, %eax", "cpu-feature"),
            ("lzcntl %eax, %eax", "cpu-feature"),
            ("tzcntl %eax, %eax", "cpu-feature"),
            ("blsrl %eax, %eax", "cpu-feature"),
            ("shlx %eax, %eax, %eax", "cpu-feature"),
            ("vaddps %zmm0, %zmm0, %zmm0", "cpu-feature"),
            ("pshufb %xmm0, %xmm0", "cpu-feature"),
            ("crc32b %al, %eax", "cpu-feature"),
            ("aesenc %xmm0, %xmm0", "cpu-feature"),
            ("movbe (%rax), %eax", "cpu-feature"),
            ("lahf", "cpu-feature"),
            ("cmpxchg16b (%rax)", "cpu-feature"),
            ("ptwrite %eax", "cpu-feature"),
        )
    ),
)

DYNAMIC: tuple[str, ...] = (
    "\tmovabsq $0x050f, %rax\n\tleaq hot(%rip), %rdx\n\taddq $2, %rdx\n\tjmp *%rdx\n",
    "\tpushq %rdi\n\tret\n",
    ".Lforever:\n\tjmp .Lforever\n",
)
"""Planted inside hot, these pass the gates, and rightly so: what they lead to is decided by values
at run time, and the sandbox is there for it."""
