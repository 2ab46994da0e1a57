/* switch.S: void switch_stacks(u32 *save, u32 load): leaves one kernel stack for another.
 * Only the registers that a C function must keep are saved: the compiler has saved the rest in the caller. */
        .text
        .globl  switch_stacks
        .type   switch_stacks, @function
switch_stacks:
        mov     4(%esp), %eax
        mov     8(%esp), %edx
        push    %ebp
        push    %ebx
        push    %esi
        push    %edi
        mov     %esp, (%eax)
        mov     %edx, %esp              /* from here on we are the other process */
        pop     %edi
        pop     %esi
        pop     %ebx
        pop     %ebp
        ret
        .size   switch_stacks, . - switch_stacks

        .section .note.GNU-stack, "", @progbits
