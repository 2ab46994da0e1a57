/* isr.S: one small stub for each vector, all leading to trap_entry, which saves the registers as struct trap (kernel.h)
 * and calls trap_dispatch in idt.c. Some exceptions push an error code; the others push a zero, so that all frames are alike.
 * SDM vol. 3A 6.12.1 (stack on an interrupt), 6.13 (error codes). */

#define KERNEL_DATA 0x10

        .macro  stub vector, has_error=0
        .balign 16
isr_\vector:
        .if     \has_error == 0
        pushl   $0
        .endif
        pushl   $\vector
        jmp     trap_entry
        .section .rodata
        .long   isr_\vector
        .text
        .endm

        .section .rodata
        .globl  isr_table
        .balign 4
isr_table:                              /* vectors 0 to 47, then 80h */
        .text

        stub    0                       /* #DE */
        stub    1                       /* #DB */
        stub    2                       /* NMI */
        stub    3                       /* #BP */
        stub    4                       /* #OF */
        stub    5                       /* #BR */
        stub    6                       /* #UD */
        stub    7                       /* #NM */
        stub    8, 1                    /* #DF */
        stub    9
        stub    10, 1                   /* #TS */
        stub    11, 1                   /* #NP */
        stub    12, 1                   /* #SS */
        stub    13, 1                   /* #GP */
        stub    14, 1                   /* #PF */
        stub    15
        stub    16                      /* #MF */
        stub    17, 1                   /* #AC */
        .irp    vector, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        stub    \vector
        .endr
        .irp    vector, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47
        stub    \vector                 /* IRQ 0 to 15 */
        .endr
        stub    128                     /* INT 80h */

        .type   trap_entry, @function
trap_entry:
        pusha
        push    %ds
        push    %es
        push    %fs
        push    %gs
        mov     $KERNEL_DATA, %eax
        mov     %eax, %ds
        mov     %eax, %es
        cld
        push    %esp                    /* struct trap * */
        call    trap_dispatch
        add     $4, %esp

/* A new process begins its life here, as if it returned from a trap. */
        .globl  trap_return
trap_return:
        pop     %gs
        pop     %fs
        pop     %es
        pop     %ds
        popa
        add     $8, %esp                /* vector and error code */
        iret
        .size   trap_entry, . - trap_entry

        .section .note.GNU-stack, "", @progbits
