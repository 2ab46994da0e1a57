/* triple.S: says `triple` on the serial line, then raises #UD with an empty IDT: #UD cannot be delivered, nor #GP, nor #DF,
 * and the processor shuts down. Its run() replaces that of a C guest. SDM vol. 3A 6.15 (#DF). */
        .text
        .globl  run
        .type   run, @function
run:
        push    $message
        call    print
        lidt    empty
        .globl  fatal
fatal:
        ud2
        .size   run, . - run

        .section .rodata
message:
        .string "triple\n"
        .balign 4
empty:
        .word   0
        .long   0

        .section .note.GNU-stack, "", @progbits
