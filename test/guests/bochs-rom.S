/* bochs-rom.S: the whole firmware of the Bochs that bochs.ts starts. It takes the processor from its reset vector to the state in which
 * a Multiboot loader leaves it and jumps to the guest, whose image and boot information Bochs itself has put into memory. No BIOS:
 * no device is touched and no service exists. SDM vol. 3A 9.1.4, 9.9.1; Multiboot 0.6.96, 3.2. */

/* Where bochs.ts writes the entry point, EAX and EBX. */
        .set    HANDOVER, 0x500

        .code16
        .text
        .globl  _start
_start:
        cli
        lgdtl   %cs:gdtr - _start
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        ljmpl   $0x08, $0xf0000 + flat - _start
        .code32
flat:
        mov     $0x10, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     %eax, %fs
        mov     %eax, %gs
        mov     $0x9fc00, %esp
        mov     HANDOVER + 4, %eax
        mov     HANDOVER + 8, %ebx
        xor     %ecx, %ecx
        xor     %edx, %edx
        xor     %esi, %esi
        xor     %edi, %edi
        xor     %ebp, %ebp
        jmp     *HANDOVER

        .balign 8
gdt:
        .quad   0
        .quad   0x00cf9b000000ffff
        .quad   0x00cf93000000ffff
gdtr:
        .word   . - gdt - 1
        .long   0xf0000 + gdt - _start

/* FFFFFFF0h, where the processor starts: CS has base FFFF0000h. */
        .code16
        .org    0xfff0
        jmp     _start
        .org    0x10000

        .section .note.GNU-stack, "", @progbits
