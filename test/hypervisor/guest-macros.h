/* guest-macros.h: what the guests of this folder that are written in assembly have in common: the Multiboot header, descriptors, gates, the
 * way to real mode and back, a timer that ticks. Macros only: what a guest does with them, and in which order, stands in the guest. */

        /* The Multiboot header. What it starts, `_start`, comes behind it: 32-bit protected mode with flat segments. */
        .macro  multiboot
        .section .mb, "a"
        .balign 4
        .long   0x1badb002, 0, -0x1badb002
        .text
        .globl  _start
        .endm

        /* `gdt` and `gdtr`: 08, code, and 10, data, both flat; then what else is given */
#define NARROW_CODE 0x00009a000000ffff          /* 16-bit, 64 KiB, base 0 */
#define NARROW_DATA 0x000092000000ffff          /* 64 KiB */
        .macro  descriptors more:vararg
        .balign 8
gdt:    .quad   0
        .quad   0x00cf9a000000ffff
        .quad   0x00cf92000000ffff
        .ifnb   \more
        .quad   \more
        .endif
gdtr:   .word   . - gdt - 1
        .long   gdt
        .endm

        /* an interrupt gate of ring 0 in `idt` */
        .macro  set_gate vector, handler
        mov     $\handler, %eax
        mov     %ax, idt + \vector * 8
        movw    $0x08, idt + \vector * 8 + 2
        movw    $0x8e00, idt + \vector * 8 + 4
        shr     $16, %eax
        mov     %ax, idt + \vector * 8 + 6
        .endm

        /* of 32-bit code */
        .macro  load_segments selector, registers:vararg
        mov     $\selector, %eax
        .irp    register, \registers
        mov     %ax, %\register
        .endr
        .endm

        /* the 8254's channel 0 in mode 2, every so many ticks; the 8259A with this vector for it and all else masked */
        .macro  start_timer vector, ticks
        mov     $0x11, %al
        out     %al, $0x20
        mov     $\vector, %al
        out     %al, $0x21
        mov     $4, %al
        out     %al, $0x21
        mov     $1, %al
        out     %al, $0x21
        mov     $0xfe, %al
        out     %al, $0x21
        mov     $0x34, %al
        out     %al, $0x43
        mov     $\ticks, %al
        out     %al, $0x40
        xor     %al, %al
        out     %al, $0x40
        .endm

        /* ends the guest with AL: 10h if all is well */
        .macro  report
        outb    %al, $0xf4
        hlt
        .endm

        /* A part of the guest, from `real` to `real_end`, runs at LOW: it can be reached in real mode. */
        .equ    LOW, 0x8000
#define AT(label) (LOW + (label - real))
        .macro  real_part
        .section .rodata
        .code16
        .balign 16
real:
        .endm

        .macro  copy_real_part
        mov     $real, %esi
        mov     $LOW, %edi
        mov     $real_end - real, %ecx
        rep movsb
        .endm

        /* from a narrow segment at 0, CS to be 0; the other segment registers keep what they have */
        .macro  to_real_mode
        mov     %cr0, %eax
        and     $0xfe, %al
        mov     %eax, %cr0
        ljmp    $0, $AT(.Lreal\@)
.Lreal\@:
        .endm

        .macro  to_protected_mode label
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        ljmpl   $0x08, $\label
        .endm
