/* stubs.S: entries of faults, system calls and interrupts, and the loops in ring 3 that make system calls. */

        .text
        .globl  fault_entry, call_entry, sysenter_entry, nothing_entry, tick_entry

/* #PF: maps the page of the window that CR2 names. */
        .balign 16
fault_entry:
        push    %eax
        push    %ecx
        incl    faults
        mov     %cr2, %eax
        shr     $12, %eax
        and     $1023, %eax
        mov     window_table, %ecx
        orl     $1, (%ecx, %eax, 4)
        pop     %ecx
        pop     %eax
        add     $4, %esp
        iret

/* System call: number in EAX, arguments in EBX and ECX, result in EAX. */
        .balign 16
call_entry:
        push    %ds
        push    %es
        pusha
        mov     $0x10, %edx
        mov     %edx, %ds
        mov     %edx, %es
        call    serve
        mov     %eax, 28(%esp)
        popa
        pop     %es
        pop     %ds
        iret

serve:
        incl    system_calls
        and     $3, %eax
        jmp     *services(, %eax, 4)
service_add:
        lea     1(%ebx, %ecx), %eax
        ret
service_xor:
        mov     %ebx, %eax
        xor     %ecx, %eax
        ret
        .section .rodata
        .balign 4
services:
        .long   service_add, service_xor, service_add, service_xor
        .text

/* SYSENTER: return address in EDX, stack in EBP; EDI is the user's. */
        .balign 16
sysenter_entry:
        push    %edx
        call    serve
        pop     %edx
        mov     %ebp, %ecx
        sysexit

        .balign 16
tick_entry:
        push    %eax
        incl    ticks
        mov     $0x20, %al
        out     %al, $0x20
        pop     %eax
nothing_entry:
        iret

/* Ring 3, on pages of their own. Return the last result. */
        .balign 4096
        .globl  user_code, user_sysenter_code
user_code:
        push    %ebx
        push    %esi
        mov     user_count, %esi
        xor     %eax, %eax
1:      mov     %eax, %ebx
        mov     %esi, %ecx
        and     $1, %eax
        int     $0x80
        dec     %esi
        jnz     1b
        pop     %esi
        pop     %ebx
        ret

        .balign 4096
user_sysenter_code:
        push    %ebx
        push    %esi
        push    %ebp
        mov     user_count, %esi
        xor     %eax, %eax
1:      mov     %eax, %ebx
        mov     %esi, %ecx
        and     $1, %eax
        mov     %esp, %ebp
        mov     $2f, %edx
        sysenter
2:      dec     %esi
        jnz     1b
        pop     %ebp
        pop     %esi
        pop     %ebx
        ret
        .balign 4096

        .bss
        .balign 16
        .skip   4096
        .globl  sysenter_stack
sysenter_stack:
        .skip   16

        .section .note.GNU-stack, "", @progbits
