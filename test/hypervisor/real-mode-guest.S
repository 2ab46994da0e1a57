/* real-mode-guest.S: from protected mode to real mode and back, three times. In real mode: a vector table of its own, INT n and IRET, #DE,
 * single steps, general detect, breakpoints, timer interrupts while it runs, between the elements of REP OUTS and in HLT, REP string instructions, far calls, and data beyond
 * 1 MiB through limits that real mode keeps. What it found goes to port F4h: 10h if all is well, else the number of the check. */

        .section .mb, "a"
        .balign 4
        .long   0x1badb002, 0, -0x1badb002

        .equ    LOW, 0x8000                     /* where the real-mode part runs */

        .text
        .globl  _start
_start: cli
        mov     $stack_top, %esp
        lgdt    gdtr
        mov     $real, %esi
        mov     $LOW, %edi
        mov     $real_end - real, %ecx
        rep movsb
        movl    $3, rounds
again:  ljmp    $0x18, $LOW + (narrow - real)
back:   mov     $0x10, %eax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $stack_top, %esp
        movzwl  LOW + (result - real), %eax
        cmp     $0x10, %eax
        jne     1f
        decl    rounds
        jnz     again
1:      outb    %al, $0xf4
        hlt

        .data
        .balign 8
gdt:    .quad   0
        .quad   0x00cf9a000000ffff              /* 08: code, 32-bit */
        .quad   0x00cf92000000ffff              /* 10: data, 4 GiB */
        .quad   0x00009a000000ffff              /* 18: code, 16-bit, 64 KiB */
        .quad   0x000092000000ffff              /* 20: data, 64 KiB */
gdtr:   .word   . - gdt - 1
        .long   gdt
rounds: .long   0
high:   .long   0
        .bss
        .balign 16
        .skip   4096
stack_top:

        .section .rodata
        .code16
        .balign 16
real:
#define AT(label) (LOW + (label - real))
narrow: mov     $0x20, %ax                      /* 64 KiB limits for all but FS */
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $0x10, %ax
        mov     %ax, %fs
        mov     %cr0, %eax
        and     $0xfe, %al
        mov     %eax, %cr0
        ljmp    $0, $AT(1f)
1:      xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %fs
        mov     %ax, %ss
        mov     $0x7000, %sp
        movw    $0x10, AT(result)

        /* the vector table at 0 */
        lidtl   AT(idtr_real)
        cld
        xor     %di, %di
        mov     $256, %cx
2:      mov     $AT(ignore), %ax
        stosw
        xor     %ax, %ax
        stosw
        loop    2b
        movw    $AT(on_divide), 0 * 4
        movw    $AT(on_step), 1 * 4
        movw    $AT(on_timer), 8 * 4
        movw    $AT(on_40), 0x40 * 4

        movw    $1, AT(check)
        int     $0x40
        cmp     $0x4040, %bx
        jne     failed

        movw    $2, AT(check)
        xor     %dx, %dx
        mov     $5, %ax
        xor     %cx, %cx
        div     %cx                             /* the handler skips it */
        cmp     $0x1234, %ax
        jne     failed

        movw    $3, AT(check)
        movw    $0, AT(steps)
        pushf
        pop     %ax
        or      $1, %ah
        push    %ax
        popf
        nop
        nop
        pushf
        pop     %ax
        and     $0xfe, %ah
        push    %ax
        popf
        cmpw    $7, AT(steps)
        jne     failed

        movw    $4, AT(check)
        mov     $0x9000, %di                    /* REP STOSB, MOVSW, CMPSB */
        mov     $300, %cx
        mov     $0x5a, %al
        rep stosb
        mov     $0x9000, %si
        mov     $0xa000, %di
        mov     $150, %cx
        rep movsw
        mov     $0x9000, %si
        mov     $0xa000, %di
        mov     $300, %cx
        repe cmpsb
        jne     failed

        movw    $5, AT(check)
        mov     $high, %ebx                     /* beyond 1 MiB, through FS's limit */
        movl    $0x12345678, %fs:(%ebx)
        movl    %fs:(%ebx), %eax
        cmp     $0x12345678, %eax
        jne     failed

        movw    $6, AT(check)
        lcall   $0x800, $(far_away - real)      /* 0800:off is LOW + off */
        cmp     $0x77, %ax
        jne     failed

        movw    $7, AT(check)                   /* timer: 8254 channel 0 in mode 2, 8259A with vector 8 */
        mov     $0x11, %al
        out     %al, $0x20
        mov     $8, %al
        out     %al, $0x21
        mov     $4, %al
        out     %al, $0x21
        mov     $1, %al
        out     %al, $0x21
        mov     $0xfe, %al
        out     %al, $0x21
        mov     $0x34, %al
        out     %al, $0x43
        mov     $5, %al
        out     %al, $0x40
        xor     %al, %al
        out     %al, $0x40
        movw    $0, AT(ticks)
        sti
        mov     $0x9000, %si                    /* three ticks come between the elements */
        mov     $0x80, %dx
        mov     $15000, %cx
        rep outsb
        mov     $0x9000, %di
        mov     $1000, %cx
        rep insw
        cmpw    $3, AT(ticks)
        jb      failed
3:      cmpw    $3, AT(ticks)
        jb      3b
4:      hlt
        cmpw    $8, AT(ticks)
        jb      4b
        cli
        mov     $0xff, %al
        out     %al, $0x21

        movw    $8, AT(check)                   /* every #DB says anew which breakpoint it met; BT stays */
        mov     $0xffff8ff3, %eax
        mov     %eax, %dr6
        pushf
        pop     %ax
        or      $1, %ah
        push    %ax
        popf
        nop
        pushf
        pop     %ax
        and     $0xfe, %ah
        push    %ax
        popf
        mov     %dr6, %eax
        cmp     $0xffffcff0, %eax
        jne     failed

        movw    $9, AT(check)                   /* general detect protects DR7 until its #DB, and the access is made after it */
        mov     $0xffff0ff1, %eax
        mov     %eax, %dr6
        movw    $0, AT(steps)
        mov     $0x2400, %eax
        mov     %eax, %dr7
        xor     %ebx, %ebx
        mov     %dr7, %ebx
        cmp     $0x400, %ebx
        jne     failed
        cmpw    $1, AT(steps)
        jne     failed
        mov     %dr6, %eax
        cmp     $0xffff2ff0, %eax
        jne     failed
        mov     $0xffff0ff0, %eax
        mov     %eax, %dr6

        movw    $10, AT(check)                  /* a data breakpoint is reported behind the instruction */
        movw    $0, AT(steps)
        mov     $AT(watched), %eax
        mov     %eax, %dr0
        mov     $0x50402, %eax                  /* G0, two bytes, writes */
        mov     %eax, %dr7
        movw    $0, AT(watched)
written:
        cmpw    $1, AT(steps)
        jne     failed
        cmpw    $AT(written), AT(step_ip)
        jne     failed
        mov     AT(watched), %ax
        cmpw    $1, AT(steps)
        jne     failed
        mov     %dr6, %eax
        cmp     $0xffff0ff1, %eax
        jne     failed

        movw    $11, AT(check)                  /* behind MOV SS one instruction later */
        mov     $0x70402, %eax                  /* reads, too */
        mov     %eax, %dr7
        mov     AT(watched), %ss
        nop
held:   cmpw    $2, AT(steps)
        jne     failed
        cmpw    $AT(held), AT(step_ip)
        jne     failed

        movw    $12, AT(check)                  /* behind an element of OUTS and INS */
        mov     $AT(watched) - 3, %si
        mov     $0x80, %dx
        mov     $8, %cx
        rep outsb
        cmpw    $4, AT(steps)
        jne     failed
        mov     $AT(watched) - 2, %di
        mov     $3, %cx
        rep insw
        cmpw    $5, AT(steps)
        jne     failed

        movw    $13, AT(check)                  /* an instruction breakpoint before it; IRET of 16 bits cannot set RF */
        mov     $AT(marked), %eax
        mov     %eax, %dr0
        mov     $0x402, %eax
        movw    $1, AT(disarms)
        mov     %eax, %dr7
        nop
marked: nop
        movw    $0, AT(disarms)
        cmpw    $6, AT(steps)
        jne     failed
        cmpw    $AT(marked), AT(step_ip)
        jne     failed

        movw    $14, AT(check)                  /* no single step behind INT n, which clears TF; one ends HLT */
        movw    $0, AT(steps)
        pushf
        pop     %ax
        or      $1, %ah
        push    %ax
        popf
        int     $0x40
        hlt
        pushf
        pop     %ax
        and     $0xfe, %ah
        push    %ax
        popf
        cmpw    $6, AT(steps)
        jne     failed
        mov     $0xffff0ff0, %eax
        mov     %eax, %dr6
        jmp     leave

failed: mov     AT(check), %ax
        mov     %ax, AT(result)
leave:  mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        ljmpl   $0x08, $back

on_40:  mov     $0x4040, %bx
        iret
on_divide:
        push    %bp
        mov     %sp, %bp
        addw    $2, 2(%bp)
        pop     %bp
        mov     $0x1234, %ax
        iret
on_step:
        push    %bp
        mov     %sp, %bp
        incw    AT(steps)
        push    %eax
        mov     2(%bp), %ax
        mov     %ax, AT(step_ip)
        cmpw    $0, AT(disarms)
        je      1f
        mov     $0x400, %eax
        mov     %eax, %dr7
1:      pop     %eax
        pop     %bp
        iret
on_timer:
        push    %ax
        incw    AT(ticks)
        mov     $0x20, %al
        out     %al, $0x20
        pop     %ax
ignore: iret
far_away:
        mov     $0x77, %ax
        lret

        .balign 2
check:  .word   0
result: .word   0
steps:  .word   0
ticks:  .word   0
step_ip:
        .word   0
disarms:
        .word   0
        .word   0, 0
watched:
        .word   0, 0, 0, 0
idtr_real:
        .word   0x3ff
        .long   0
real_end:
