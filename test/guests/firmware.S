/* firmware.S: a ROM that checks how it is mapped: at the top of 4 GiB and below 1 MiB, read-only, whichever way it is written.
 * It starts where a processor starts, and looks at the upper copy in unreal mode, in protected mode and through paging.
 * Intel SDM vol. 3A 9.1.4 (first instruction executed), 9.9.2 (back to real mode; segment limits stay).
 * A check prints `ok NAME` or `FAIL NAME` on COM1 and on the debug console; 10h or 11h to port F4h ends it. */

        .set    ROM_BYTES, 0x10000
        .set    HIGH, 0xffff0000        /* the ROM at the top of 4 GiB */
        .set    LOW, 0xf0000            /* and at the top of 1 MiB */
        .set    failures, 0x500         /* a byte of RAM */
        .set    STACK, 0x7000
        .set    DIRECTORY, 0x8000
        .set    COM1, 0x3f8
        .set    DEBUG_CONSOLE, 0x402
        .set    DEBUG_EXIT, 0xf4

/* Goes by ZF: set is ok. */
        .macro  check name
        call    result
        .asciz  "\name"
        .endm

        .text
        .code16
        .globl  _start
_start:
/* Still in the upper copy: the base of CS is FFFF0000h until it is loaded. */
        cli
        cld
        mov     %cs, %bp
        and     $0xf00, %dx             /* the family, as RESET leaves it in EDX */
        mov     %dx, %bx
        xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $STACK, %sp
        movb    $0, failures
        call    in_the_upper_copy
        ljmp    $0xf000, $below

in_the_upper_copy:
        mov     %cs:word_of_rom, %si
        ret

below:
        cmp     $0xf000, %bp
        check   start-selector
        cmp     $0xa55a, %si
        check   start-in-upper-copy
        cmp     $0x600, %bx
        check   start-family
        mov     $DEBUG_CONSOLE, %dx
        in      %dx, %al
        cmp     $0xe9, %al
        check   debug-console-present

/* Real mode: stores of every kind into the lower copy. */
        mov     $0xf000, %ax
        mov     %ax, %es
        movw    $0x1234, %es:word_of_rom
        cmpw    $0xa55a, %es:word_of_rom
        check   store
        incw    %es:word_of_rom
        cmpw    $0xa55a, %es:word_of_rom
        check   read-modify-write
        xor     %ax, %ax
        xchg    %ax, %es:word_of_rom
        cmp     $0xa55a, %ax
        check   exchange-reads
        cmpw    $0xa55a, %es:word_of_rom
        check   exchange
        mov     $word_of_rom, %di
        mov     $0x4321, %ax
        stosw
        mov     $8, %cx
        xor     %si, %si
        mov     $line_of_rom, %di
        rep     movsl
        cmpw    $0xa55a, %es:word_of_rom
        check   stos
        mov     $line_of_rom, %si
        mov     $32, %cx
        mov     $'.', %al
        mov     %si, %di
        repe    scasb
        check   rep-movs
/* Code that was run stays what it is. */
        movb    $0xc3, %es:run_twice
        call    run_twice
        movb    $0xc3, %es:run_twice
        call    run_twice
        cmp     $0x77, %al
        check   store-into-code

/* Unreal mode: the limits of DS and ES stay 4 GiB. */
        lgdtl   %cs:gdtr
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        mov     $0x10, %dx
        mov     %dx, %ds
        mov     %dx, %es
        and     $0xfe, %al
        mov     %eax, %cr0
        xor     %dx, %dx
        mov     %dx, %ds
        mov     %dx, %es
        addr32  cmpw $0xa55a, HIGH + word_of_rom
        check   upper-copy
        mov     $HIGH + word_of_rom, %ebx
        movw    $0x1234, (%ebx)
        cmpw    $0xa55a, (%ebx)
        check   upper-store
        notl    (%ebx)
        cmpw    $0xa55a, (%ebx)
        check   upper-read-modify-write
        mov     $0x100000, %ebx
        movl    $0x89abcdef, (%ebx)
        cmpl    $0x89abcdef, (%ebx)
        check   memory-at-1-mib
/* All of the ROM is the same in both places. */
        mov     $LOW, %esi
        mov     $HIGH, %edi
        mov     $ROM_BYTES / 4, %ecx
        addr32  repe cmpsl
        check   both-copies

/* Protected mode, with 32-bit code in the upper copy. */
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        ljmpl   $0x08, $HIGH + protected
back:
        mov     %cr0, %eax
        and     $0xfe, %al
        mov     %eax, %cr0
        ljmp    $0xf000, $real
real:
        xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        cmp     $0x5aa5, %si
        check   protected-in-upper-copy
        cmp     $0xa55a, %di
        check   paged-store
        cmp     $0x77, %bx
        check   paged-call

        mov     $0x10, %al
        add     failures, %al
        out     %al, $DEBUG_EXIT
        cli
        hlt

run_twice:
        mov     $0x77, %al
        ret

/* The name follows the call. */
result:
        pop     %bp
        pushal
        mov     $ok, %si
        jz      1f
        mov     $fail, %si
        movb    $1, failures
1:      call    print
        mov     %bp, %si
        call    print
        mov     %si, %bp
        mov     $newline, %si
        call    print
        mov     %sp, %si
        mov     %bp, %ss:8(%si)         /* EBP of pushal */
        popal
        push    %bp
        ret
print:
        lodsb   %cs:(%si), %al
        test    %al, %al
        jz      1f
        mov     $COM1, %dx
        out     %al, %dx
        mov     $DEBUG_CONSOLE, %dx
        out     %al, %dx
        jmp     print
1:      ret

        .code32
protected:
        mov     $0x10, %edx
        mov     %edx, %ds
        mov     %edx, %es
        mov     %edx, %ss
        mov     $STACK, %esp
/* A directory of 4 MiB pages, one to one, writable. */
        mov     $DIRECTORY, %edi
        mov     $0x83, %eax
        mov     $1024, %ecx
1:      stosl
        add     $0x400000, %eax
        loop    1b
        mov     $DIRECTORY, %eax
        mov     %eax, %cr3
        mov     %cr4, %eax
        or      $0x10, %eax
        mov     %eax, %cr4
        mov     %cr0, %eax
        or      $0x80010000, %eax
        mov     %eax, %cr0
        movl    $0, HIGH + word_of_rom
        lock incl HIGH + word_of_rom
        movzwl  HIGH + word_of_rom, %edi
        movb    $0xc3, HIGH + paged_call
        call    paged_call
        movb    $0xc3, LOW + paged_call
        call    paged_call
        mov     %eax, %ebx
        mov     $0x5aa5, %esi
        mov     %cr0, %eax
        and     $0x7fffffff, %eax
        mov     %eax, %cr0
        mov     $0x20, %edx
        mov     %edx, %ds
        mov     %edx, %es
        mov     %edx, %ss
        ljmp    $0x18, $back
paged_call:
        mov     $0x77, %eax
        ret

        .balign 4
word_of_rom:
        .long   0x5aa5a55a
line_of_rom:
        .fill   32, 1, '.'
ok:     .asciz  "ok "
fail:   .asciz  "FAIL "
newline: .asciz "\n"
        .balign 8
gdt:    .quad   0
        .quad   0x00cf9a000000ffff      /* 08: 32-bit code */
        .quad   0x00cf92000000ffff      /* 10: data, 4 GiB */
        .quad   0x00009a0f0000ffff      /* 18: 16-bit code at LOW */
        .quad   0x000092000000ffff      /* 20: data, 64 KiB */
gdtr:   .word   . - gdt - 1
        .long   LOW + gdt

        .org    0xfff0, 0xff
        .code16
        jmp     _start
        .org    0x10000, 0xff
