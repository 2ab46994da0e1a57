/* start.S: where every program begins: the kernel's exec leaves its entry in EAX and its argument in EBX. */
#define SYS_EXIT 0

        .text
        .globl  user_start
        .type   user_start, @function
user_start:
        xor     %ebp, %ebp              /* where a backtrace ends */
        push    %ebx
        call    *%eax
        mov     %eax, %ebx              /* what the program returned is its status */
        mov     $SYS_EXIT, %eax
        int     $0x80
        .size   user_start, . - user_start

        .section .note.GNU-stack, "", @progbits
