/* start.S: Multiboot header, descriptor tables, a stub for each of the 256 vectors, and the way into a ring and back. */

        .section .multiboot, "a"
        .balign 4
        .long   0x1badb002, 3, -(0x1badb002 + 3)

        .text
        .globl  _start
_start:
        cli
        cld
        mov     $stack_top, %esp
        lgdt    gdtr
        ljmp    $0x08, $1f
1:      mov     $0x10, %ecx
        mov     %ecx, %ds
        mov     %ecx, %es
        mov     %ecx, %ss
        mov     %ecx, %fs
        mov     %ecx, %gs
        push    $0
        popf
        push    %ebx
        call    guest_main
1:      cli
        hlt
        jmp     1b

/* Vectors 8, 10 to 14 and 17 push an error code; the others push a zero. */
        .balign 16
        .globl  isr_stubs
isr_stubs:
        .set    vector, 0
        .rept   256
        .balign 16
        .if     !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
        push    $0
        .endif
        push    $vector
        jmp     trap_entry
        .set    vector, vector + 1
        .endr

trap_entry:
        pusha
        push    %ds
        push    %es
        push    %fs
        push    %gs
        mov     $0x10, %eax
        mov     %eax, %ds
        mov     %eax, %es
        cld
        push    %esp
        call    trap_dispatch
        add     $4, %esp
        pop     %gs
        pop     %fs
        pop     %es
        pop     %ds
        popa
        add     $8, %esp
        iret

/* u32 run_ring(u32 ring, u32 (*function)(void)): the function's stack holds the address of ring_done, so it may simply return. */
        .globl  run_ring
run_ring:
        push    %ebp
        push    %ebx
        push    %esi
        push    %edi
        movl    $0xffffffff, fault      /* fault.vector: none yet */
        movl    $1, in_ring
        mov     20(%esp), %ecx
        mov     24(%esp), %eax
        mov     %esp, saved_esp
        mov     %esp, tss + 4
        jecxz   1f
        movl    $ring_done, user_stack_top - 4
        mov     $0x23, %edx
        mov     %edx, %ds
        mov     %edx, %es
        pushf
        pop     %edx
        pushl   ring_data(,%ecx,4)
        push    $user_stack_top - 4
        push    %edx
        pushl   ring_code(,%ecx,4)
        push    %eax
        iret
1:      push    $ring_done
        jmp     *%eax
        .globl  ring_done
ring_done:
        int     $0x81

/* void leave_ring(u32 result): run_ring returns. */
        .globl  leave_ring
leave_ring:
        mov     4(%esp), %eax
        mov     $0x10, %edx
        mov     %edx, %ss
        mov     saved_esp, %esp
        movl    $0, in_ring
        push    $2
        popf
        xor     %edx, %edx
        mov     %edx, %fs
        mov     %edx, %gs
        mov     $0x10, %edx
        mov     %edx, %ds
        mov     %edx, %es
        pop     %edi
        pop     %esi
        pop     %ebx
        pop     %ebp
        ret

        .data
        .balign 8
        .globl  gdt
gdt:
        .quad   0
        .quad   0x00cf9a000000ffff      /* 08: code, ring 0 */
        .quad   0x00cf92000000ffff      /* 10: data, ring 0 */
        .quad   0x00cffa000000ffff      /* 18: code, ring 3 */
        .quad   0x00cff2000000ffff      /* 20: data, ring 3 */
        .quad   0                       /* 28: TSS */
        .quad   0                       /* 30: a second TSS */
        .quad   0, 0, 0                 /* 38, 40, 48: for the guest */
        .set    gdt_limit, . - gdt - 1
        .quad   0x00cfba000000ffff      /* 50: code, ring 1; from here on only after extend_gdt */
        .quad   0x00cfb2000000ffff      /* 58: data, ring 1 */
        .quad   0x00cfda000000ffff      /* 60: code, ring 2 */
        .quad   0x00cfd2000000ffff      /* 68: data, ring 2 */
        .fill   50, 8, 0                /* 70 to 1f8: for the guest */
gdtr:
        .word   gdt_limit
        .long   gdt
        .balign 4
        .globl  ring_code, ring_data
ring_code:
        .long   0x08, 0x51, 0x62, 0x1b
ring_data:
        .long   0x10, 0x59, 0x6a, 0x23

        .bss
        .balign 4096
        .skip   16384
stack_top:
        .skip   8192
        .globl  user_stack_top
user_stack_top:
        .skip   64
saved_esp:
        .skip   4

        .section .note.GNU-stack, "", @progbits
