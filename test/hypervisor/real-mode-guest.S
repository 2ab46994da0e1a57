/* real-mode-guest.S: from protected mode to real mode and back, three times. In real mode: a vector table of its own, INT n and IRET, #DE,
 * single steps, general detect, breakpoints, timer interrupts while it runs, between the elements of REP OUTS and in HLT, REP string instructions, far calls, and data beyond
 * 1 MiB through limits that real mode keeps. What it found goes to port F4h: 10h if all is well, else the number of the check. */

#include "guest-macros.h"

        .macro  begin_check number
        movw    $\number, AT(check)
        .endm

        .macro  single_steps
        pushf
        pop     %ax
        or      $1, %ah
        push    %ax
        popf
        .endm

        .macro  no_single_steps
        pushf
        pop     %ax
        and     $0xfe, %ah
        push    %ax
        popf
        .endm

        .macro  set_dr number, value
        mov     $\value, %eax
        mov     %eax, %dr\number
        .endm

        /* the handler of #DB was called so often since `steps` was zero, and found this address the last time */
        .macro  must_have_stepped times
        cmpw    $\times, AT(steps)
        jne     failed
        .endm

        .macro  must_be_at label
        cmpw    $AT(\label), AT(step_ip)
        jne     failed
        .endm

        .macro  must_have_met dr6
        mov     %dr6, %eax
        cmp     $\dr6, %eax
        jne     failed
        .endm

        multiboot
_start: cli
        mov     $stack_top, %esp
        lgdt    gdtr
        copy_real_part
        movl    $3, rounds
again:  ljmp    $0x18, $LOW + (narrow - real)
back:   load_segments 0x10, ds, es, ss
        mov     $stack_top, %esp
        movzwl  LOW + (result - real), %eax
        cmp     $0x10, %eax
        jne     1f
        decl    rounds
        jnz     again
1:      report

        .data
        /* 18 and 20 */
        descriptors NARROW_CODE, NARROW_DATA
rounds: .long   0
high:   .long   0
        .bss
        .balign 16
        .skip   4096
stack_top:

        real_part
narrow: mov     $0x20, %ax                      /* 64 KiB limits for all but FS */
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $0x10, %ax
        mov     %ax, %fs
        to_real_mode
        xor     %ax, %ax
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

        begin_check 1
        int     $0x40
        cmp     $0x4040, %bx
        jne     failed

        begin_check 2
        xor     %dx, %dx
        mov     $5, %ax
        xor     %cx, %cx
        div     %cx                             /* the handler skips it */
        cmp     $0x1234, %ax
        jne     failed

        begin_check 3
        movw    $0, AT(steps)
        single_steps
        nop
        nop
        no_single_steps
        must_have_stepped 7

        begin_check 4
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

        begin_check 5
        mov     $high, %ebx                     /* beyond 1 MiB, through FS's limit */
        movl    $0x12345678, %fs:(%ebx)
        movl    %fs:(%ebx), %eax
        cmp     $0x12345678, %eax
        jne     failed

        begin_check 6
        lcall   $0x800, $(far_away - real)      /* 0800:off is LOW + off */
        cmp     $0x77, %ax
        jne     failed

        begin_check 7
        start_timer 8, 5
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

        begin_check 8                           /* every #DB says anew which breakpoint it met; BT stays */
        set_dr  6, 0xffff8ff3
        single_steps
        nop
        no_single_steps
        must_have_met 0xffffcff0

        begin_check 9                           /* general detect protects DR7 until its #DB, and the access is made after it */
        set_dr  6, 0xffff0ff1
        movw    $0, AT(steps)
        set_dr  7, 0x2400
        xor     %ebx, %ebx
        mov     %dr7, %ebx
        cmp     $0x400, %ebx
        jne     failed
        must_have_stepped 1
        must_have_met 0xffff2ff0
        set_dr  6, 0xffff0ff0

        begin_check 10                          /* a data breakpoint is reported behind the instruction */
        movw    $0, AT(steps)
        mov     $AT(watched), %eax
        mov     %eax, %dr0
        set_dr  7, 0x50402                      /* G0, two bytes, writes */
        movw    $0, AT(watched)
written:
        must_have_stepped 1
        must_be_at written
        mov     AT(watched), %ax
        must_have_stepped 1
        must_have_met 0xffff0ff1

        begin_check 11                          /* behind MOV SS one instruction later */
        set_dr  7, 0x70402                      /* reads, too */
        mov     AT(watched), %ss
        nop
held:   must_have_stepped 2
        must_be_at held

        begin_check 12                          /* behind an element of OUTS and INS */
        mov     $AT(watched) - 3, %si
        mov     $0x80, %dx
        mov     $8, %cx
        rep outsb
        must_have_stepped 4
        mov     $AT(watched) - 2, %di
        mov     $3, %cx
        rep insw
        must_have_stepped 5

        begin_check 13                          /* an instruction breakpoint before it; IRET of 16 bits cannot set RF */
        mov     $AT(marked), %eax
        mov     %eax, %dr0
        mov     $0x402, %eax
        movw    $1, AT(disarms)
        mov     %eax, %dr7
        nop
marked: nop
        movw    $0, AT(disarms)
        must_have_stepped 6
        must_be_at marked

        begin_check 14                          /* no single step behind INT n, which clears TF; one ends HLT */
        movw    $0, AT(steps)
        single_steps
        int     $0x40
        hlt
        no_single_steps
        must_have_stepped 6
        set_dr  6, 0xffff0ff0
        jmp     leave

failed: mov     AT(check), %ax
        mov     %ax, AT(result)
leave:  to_protected_mode back

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
        set_dr  7, 0x400
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
