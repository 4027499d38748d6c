# What gcc 12.2 -O2 -fno-tree-vectorize -fno-tree-loop-distribute-patterns makes of twelve small C
# functions, as the tests of the harness use them; unwind tables and names of files left out.
	.text
	.globl	popcount
	.type	popcount, @function
popcount:
	xorl	%eax, %eax
	testl	%edi, %edi
	je	.L4
.L3:
	movl	%edi, %edx
	andl	$1, %edx
	addl	%edx, %eax
	shrl	%edi
	jne	.L3
	ret
.L4:
	ret
	.size	popcount, .-popcount
	.globl	absolute
	.type	absolute, @function
absolute:
	movl	%edi, %eax
	negl	%eax
	cmovs	%edi, %eax
	ret
	.size	absolute, .-absolute
	.globl	largest
	.type	largest, @function
largest:
	movl	(%rdi), %edx
	cmpl	$1, %esi
	jle	.L8
	leal	-2(%rsi), %ecx
	leaq	4(%rdi), %rax
	leaq	8(%rdi,%rcx,4), %rsi
.L10:
	movl	(%rax), %ecx
	cmpl	%ecx, %edx
	cmovl	%ecx, %edx
	addq	$4, %rax
	cmpq	%rsi, %rax
	jne	.L10
.L8:
	movl	%edx, %eax
	ret
	.size	largest, .-largest
	.globl	sum
	.type	sum, @function
sum:
	testl	%esi, %esi
	jle	.L15
	movslq	%esi, %rsi
	xorl	%eax, %eax
	leaq	(%rdi,%rsi,4), %rdx
.L14:
	addl	(%rdi), %eax
	addq	$4, %rdi
	cmpq	%rdx, %rdi
	jne	.L14
	ret
.L15:
	xorl	%eax, %eax
	ret
	.size	sum, .-sum
	.globl	length
	.type	length, @function
length:
	xorl	%eax, %eax
	cmpb	$0, (%rdi)
	je	.L20
.L19:
	addq	$1, %rax
	cmpb	$0, (%rdi,%rax)
	jne	.L19
	ret
.L20:
	ret
	.size	length, .-length
	.globl	find
	.type	find, @function
find:
	movq	%rdi, %rax
	testq	%rdx, %rdx
	je	.L25
	addq	%rdi, %rdx
	jmp	.L24
.L27:
	addq	$1, %rax
	cmpq	%rdx, %rax
	je	.L25
.L24:
	cmpb	%sil, (%rax)
	jne	.L27
	ret
.L25:
	xorl	%eax, %eax
	ret
	.size	find, .-find
	.globl	reverse
	.type	reverse, @function
reverse:
	jmp	.L32
.L30:
	movzbl	(%rdi), %eax
	movzbl	(%rsi), %edx
	subq	$1, %rsi
	addq	$1, %rdi
	movb	%dl, -1(%rdi)
	movb	%al, 1(%rsi)
.L32:
	cmpq	%rsi, %rdi
	jb	.L30
	ret
	.size	reverse, .-reverse
	.globl	saturate
	.type	saturate, @function
saturate:
	addl	%esi, %edi
	movl	$-1, %eax
	cmovnc	%edi, %eax
	ret
	.size	saturate, .-saturate
	.globl	gcd
	.type	gcd, @function
gcd:
	movl	%edi, %eax
	movl	%esi, %edx
	testl	%esi, %esi
	je	.L42
.L41:
	movl	%edx, %ecx
	xorl	%edx, %edx
	divl	%ecx
	movl	%ecx, %eax
	testl	%edx, %edx
	jne	.L41
	movl	%ecx, %eax
	ret
.L42:
	movl	%edi, %ecx
	movl	%ecx, %eax
	ret
	.size	gcd, .-gcd
	.globl	digits
	.type	digits, @function
digits:
	xorl	%ecx, %ecx
	testl	%edi, %edi
	je	.L44
	movl	$3435973837, %r8d
.L46:
	movl	%edi, %eax
	movl	%edi, %esi
	imulq	%r8, %rax
	shrq	$35, %rax
	leal	(%rax,%rax,4), %edx
	addl	%edx, %edx
	subl	%edx, %esi
	movl	%edi, %edx
	movl	%eax, %edi
	addl	%esi, %ecx
	cmpl	$9, %edx
	ja	.L46
.L44:
	movl	%ecx, %eax
	ret
	.size	digits, .-digits
	.globl	copy
	.type	copy, @function
copy:
	testl	%edx, %edx
	jle	.L49
	movslq	%edx, %rdx
	xorl	%eax, %eax
.L51:
	movzbl	(%rsi,%rax), %ecx
	movb	%cl, (%rdi,%rax)
	addq	$1, %rax
	cmpq	%rax, %rdx
	jne	.L51
.L49:
	ret
	.size	copy, .-copy
	.globl	cell
	.type	cell, @function
cell:
	movl	%esi, %r10d
	testl	%esi, %esi
	jle	.L56
	movslq	%edx, %rdx
	movslq	%r8d, %r8
	leaq	0(,%rdx,4), %r9
	leaq	(%rdi,%r8,4), %rsi
	xorl	%edx, %edx
	xorl	%edi, %edi
.L55:
	addl	$1, %edx
	addl	(%rsi), %edi
	addq	%r9, %rsi
	cmpl	%edx, %r10d
	jne	.L55
	leal	(%rcx,%rdi), %eax
	ret
.L56:
	movl	%ecx, %eax
	ret
	.size	cell, .-cell
	.section	.note.GNU-stack,"",@progbits
