/* boot.S: the Multiboot header and the first instructions. The loader hands over in 32-bit protected mode, without
 * paging, with flat segments that we may not rely on once we load a GDT of our own, and with no stack at all.
 * Multiboot Specification 0.6.96, 3.1 (header) and 3.2 (machine state). */

#define HEADER_MAGIC 0x1badb002
#define HEADER_FLAGS 0x00000003 /* modules on page boundaries, memory information wanted */

        .section .multiboot, "a"
        .balign 4
        .long   HEADER_MAGIC
        .long   HEADER_FLAGS
        .long   -(HEADER_MAGIC + HEADER_FLAGS)

        .text
        .globl  _start
        .type   _start, @function
_start:
        cli
        cld
        mov     $boot_stack_top, %esp
        pushl   $0                      /* clean EFLAGS */
        popf
        xor     %ebp, %ebp              /* where a backtrace ends */
        push    %ebx                    /* physical address of the Multiboot information */
        push    %eax                    /* 2badb002h, if a Multiboot loader started us */
        call    kmain
1:      cli
        hlt
        jmp     1b
        .size   _start, . - _start

/* The stack of kmain, and later of the idle process. */
        .bss
        .balign 4096
        .skip   4096
boot_stack_top:

        .section .note.GNU-stack, "", @progbits
