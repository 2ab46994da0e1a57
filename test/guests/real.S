/* real.S: the way into real mode and back for realmode.c. The code between real_blob and real_blob_end is copied to REAL_BLOB; every real-mode
 * vector leads to it, and it notes the registers before it returns to protected mode. SDM vol. 3A 9.9. */
        .set    REAL_BLOB, 0x1000
        .set    BLOCK, 0x600            /* struct real of realmode.c */
        .set    CODE_16, 0x70
        .set    DATA_16, 0x78

/* void real_run(void): loads the registers of BLOCK in real mode and goes to its CS:IP; returns once a vector was reached. */
        .text
        .globl  real_run
real_run:
        pusha
        sidt    real_idtr
        mov     %esp, real_esp
        lidt    REAL_BLOB + ivt - real_blob
        mov     BLOCK + 64, %eax        /* selectors to leave protected mode with */
        mov     BLOCK + 68, %edx
        ljmp    $CODE_16, $REAL_BLOB + leave_protected - real_blob

        .globl  real_return
real_return:
        mov     $0x10, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     %eax, %fs
        mov     %eax, %gs
        mov     real_esp, %esp
        lidt    real_idtr
        pushl   $2
        popf
        popa
        ret

        .code16
        .globl  real_blob, real_blob_end, real_stubs
real_blob:
leave_protected:
        mov     %dx, %ss
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %fs
        mov     %ax, %gs
        mov     %cr0, %eax
        and     $0xfe, %al
        mov     %eax, %cr0
        ljmp    $0, $REAL_BLOB + in_real_mode - real_blob
in_real_mode:
        mov     %cs:BLOCK + 32, %ax
        mov     %ax, %es
        mov     %cs:BLOCK + 36, %ss
        mov     %cs:BLOCK + 16, %esp
        mov     %cs:BLOCK + 40, %ax
        mov     %ax, %ds
        mov     %cs:BLOCK + 44, %ax
        mov     %ax, %fs
        mov     %cs:BLOCK + 48, %ax
        mov     %ax, %gs
        pushl   %cs:BLOCK + 60
        popfl
        mov     %cs:BLOCK, %eax
        mov     %cs:BLOCK + 4, %ecx
        mov     %cs:BLOCK + 8, %edx
        mov     %cs:BLOCK + 12, %ebx
        mov     %cs:BLOCK + 20, %ebp
        mov     %cs:BLOCK + 24, %esi
        mov     %cs:BLOCK + 28, %edi
        ljmp    *%cs:BLOCK + 52

/* A stub of eight bytes for each vector. */
        .balign 8
real_stubs:
        .set    vector, 0
        .rept   128
        push    $vector
        .byte   0xe9                    /* jmp with 16 bits */
        .word   arrived - . - 2
        .balign 8
        .set    vector, vector + 1
        .endr

arrived:
        mov     %eax, %cs:BLOCK
        mov     %ecx, %cs:BLOCK + 4
        mov     %edx, %cs:BLOCK + 8
        mov     %ebx, %cs:BLOCK + 12
        mov     %ebp, %cs:BLOCK + 20
        mov     %esi, %cs:BLOCK + 24
        mov     %edi, %cs:BLOCK + 28
        mov     %es, %cs:BLOCK + 32
        mov     %ss, %cs:BLOCK + 36
        mov     %ds, %cs:BLOCK + 40
        mov     %fs, %cs:BLOCK + 44
        mov     %gs, %cs:BLOCK + 48
        pop     %ax
        mov     %ax, %cs:BLOCK + 72
        pop     %ax
        mov     %ax, %cs:BLOCK + 76
        pop     %ax
        mov     %ax, %cs:BLOCK + 80
        pop     %ax
        mov     %ax, %cs:BLOCK + 84
        mov     %esp, %cs:BLOCK + 16
        lgdtl   %cs:REAL_BLOB + gdtr_again - real_blob
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        ljmpl   $0x08, $real_return

        .balign 4
ivt:
        .word   0x3ff
        .long   0
        .balign 4
        .globl  gdtr_again
gdtr_again:
        .skip   8                       /* realmode.c puts it here */
real_blob_end:

        .bss
real_idtr:
        .skip   8
real_esp:
        .skip   4

        .section .note.GNU-stack, "", @progbits
