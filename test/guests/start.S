/* start.S: Multiboot header, descriptor tables, a stub for each of the 256 vectors, and the way into ring 3 and back. */

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

/* u32 run_user(u32 (*function)(void)): the user stack holds the address of user_done, so the function may simply return. */
        .globl  run_user
run_user:
        push    %ebp
        push    %ebx
        push    %esi
        push    %edi
        movl    $0xffffffff, fault      /* fault.vector: none yet */
        mov     20(%esp), %eax
        mov     %esp, saved_esp
        mov     %esp, tss + 4
        movl    $user_done, user_stack_top - 4
        mov     $0x23, %edx
        mov     %edx, %ds
        mov     %edx, %es
        pushf
        pop     %ecx
        push    $0x23
        push    $user_stack_top - 4
        push    %ecx
        push    $0x1b
        push    %eax
        iret
user_done:
        int     $0x81

/* void leave_user(u32 result): run_user returns. */
        .globl  leave_user
leave_user:
        mov     4(%esp), %eax
        mov     saved_esp, %esp
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
gdtr:
        .word   . - gdt - 1
        .long   gdt

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
